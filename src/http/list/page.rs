//! A page of rows and the headers that say what is around it.

use super::{
    ListParams, ListQuery,
    params::{PAGING, SKIP_MAX},
};
use axum::{
    http::{HeaderName, HeaderValue, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use utoipa::{
    IntoParams,
    openapi::{
        ObjectBuilder, RefOr, Required, Schema,
        path::{Parameter, ParameterBuilder, ParameterIn},
        schema::{SchemaType, Type},
    },
};

/// How many rows there are in all that meet the conditions.
const TOTAL_COUNT: HeaderName = HeaderName::from_static("x-total-count");

/// Rows of a list, with what goes into `X-Total-Count` and `Link` (RFC 8288).
#[derive(Debug)]
pub struct Page<T> {
    /// The rows.
    pub rows: Vec<T>,
    /// Not known of a page by `after` in a long list.
    total: Option<i64>,
    links: Vec<String>,
}

impl<T> Page<T> {
    /// `last` is the id of the last row if more rows follow it.
    pub(super) fn new(rows: Vec<T>, total: Option<i64>, query: &ListQuery, last: Option<&str>) -> Self {
        let params = &query.params;
        let mut links = Vec::new();
        let forth = (query.skip + query.limit).to_string();
        // A client that does not skip is led along the ids, which stays fast on millions of rows.
        let next = last.map(|last| match query.sort {
            None if query.skip == 0 => params.link(&["after"], &[("after", last)]),
            _ => params.link(&["skip"], &[("skip", &forth)]),
        });
        links.extend(next.map(|target| format!("<{target}>; rel=\"next\"")));
        if query.skip > 0 {
            let back = (query.skip - query.limit).max(0).to_string();
            let target = params.link(&["skip"], &[("skip", &back)]);
            links.push(format!("<{target}>; rel=\"prev\""));
        }
        Self { rows, total, links }
    }

    /// The same page with each row turned into something else.
    pub fn map<U>(self, f: impl FnMut(T) -> U) -> Page<U> {
        Page { rows: self.rows.into_iter().map(f).collect(), total: self.total, links: self.links }
    }

    /// The same, where that can fail.
    pub fn try_map<U, E>(self, f: impl FnMut(T) -> Result<U, E>) -> Result<Page<U>, E> {
        let rows = self.rows.into_iter().map(f).collect::<Result<_, E>>()?;
        Ok(Page { rows, total: self.total, links: self.links })
    }
}

impl<T: Serialize> IntoResponse for Page<T> {
    fn into_response(self) -> Response {
        let mut response = axum::Json(self.rows).into_response();
        let headers = response.headers_mut();
        if let Some(total) = self.total {
            headers.insert(TOTAL_COUNT, HeaderValue::from(total));
        }
        if !self.links.is_empty()
            && let Ok(links) = HeaderValue::from_str(&self.links.join(", "))
        {
            headers.insert(header::LINK, links);
        }
        response
    }
}

/// The parameters of every list, described once.
impl IntoParams for ListParams {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let whole = |min: usize, max: Option<usize>| {
            ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(min)).maximum(max)
        };
        let text = || ObjectBuilder::new().schema_type(Type::String);
        vec![
            parameter("limit", "Rows to return at most (100 without it).", whole(1, Some(100))),
            parameter(
                "skip",
                "Rows to leave out first. Slow on long lists: follow `Link`, or use `after`.",
                whole(0, Some(SKIP_MAX)),
            ),
            parameter(
                "after",
                "Only rows behind the one with this id; goes with the default order. There is no total count of long lists \
                 then. A client that goes on from the last id of each page misses no row that others write meanwhile; a \
                 row may appear up to 2 seconds late.",
                text(),
            ),
            parameter("sort", "A column, then `asc` or `desc`. The default order is the id.", text()),
            parameter(
                "where[column][op]",
                "Only rows whose column compares so with the value. Ops: `=` (also if left out), `!`, `<`, `<=`, `>`, \
                 `>=`, `in` (values separated by commas), `contains`, `startsWith`, `endsWith` (whatever the case). \
                 The value `null` stands for none with `=` and `!`. Several conditions must all hold; a repeated \
                 equality holds for any of its values.",
                ObjectBuilder::new().schema_type(SchemaType::AnyValue),
            ),
        ]
    }
}

impl ListParams {
    /// The parameter of lists whose rows go into an archive.
    pub fn use_archive() -> Parameter {
        parameter(
            "useArchive",
            "Whether to look in the archive too (false without it).",
            ObjectBuilder::new().schema_type(Type::Boolean),
        )
    }
}

/// The parameters of an export: those of its list, but for pages.
#[derive(Debug)]
pub struct ExportParams;

impl IntoParams for ExportParams {
    fn into_params(place: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let mut params = ListParams::into_params(place);
        params.retain(|param| !PAGING.contains(&param.name.as_str()));
        params
    }
}

fn parameter(name: &str, description: &str, schema: ObjectBuilder) -> Parameter {
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Query)
        .required(Required::False)
        .description(Some(description))
        .schema(Some(RefOr::T(Schema::Object(schema.build()))))
        .build()
}
