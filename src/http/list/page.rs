//! The answer to a list query: its rows, and the headers that say what is around them.

use super::{
    LIMIT_MAX, ListParams, ListQuery, Show,
    params::{PAGING, SKIP_MAX},
};
use crate::{app::App, error::Result, postgres::reads::Reading};
use axum::{
    http::{HeaderName, HeaderValue, header},
    response::{IntoResponse, Response},
};
use sqlx::{Postgres, QueryBuilder, postgres::PgRow};
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

impl ListQuery {
    /// Answers with a page of rows, or with all of them where there is no limit. `scope` pushes the condition that
    /// decides which rows the caller may see.
    pub async fn answer(
        self,
        app: &App,
        reading: Reading,
        scope: impl Fn(&mut QueryBuilder<Postgres>),
        show: impl Show,
    ) -> Result<Response> {
        match self.limit {
            Some(limit) => self.page(limit, &reading, scope, show).await,
            None => self.whole(app, reading, scope, show).await,
        }
    }

    async fn page(
        self,
        limit: i64,
        reading: &Reading,
        scope: impl Fn(&mut QueryBuilder<Postgres>),
        show: impl Show,
    ) -> Result<Response> {
        let mut rows = self.rows(reading, limit, &scope).await?;
        let more = rows.len() as i64 > limit;
        rows.truncate(limit as usize);
        if self.is_read_backward() {
            rows.reverse();
        }
        let total = match self.total_by(rows.len(), more) {
            None => self.total(&**reading, &scope).await?,
            known => known,
        };
        let links = self.links(limit, &rows, more)?;
        let mut response = axum::Json(show.show(rows).await?).into_response();
        tell(&mut response, total, &links);
        Ok(response)
    }

    /// Returns how many rows there are in all, where the rows that were read say it. Whoever goes on from one was
    /// told with the first page.
    pub(super) fn total_by(&self, read: usize, more: bool) -> Option<i64> {
        let is_known = self.from.is_none() && !more && (read > 0 || self.skip == 0);
        is_known.then_some(self.skip + read as i64)
    }

    /// Returns the links (RFC 8288) of a page: `more` rows follow in the direction in which it was read.
    fn links(&self, limit: i64, rows: &[PgRow], more: bool) -> Result<Vec<String>> {
        // A client that does not skip is led along the ids, which stays fast on millions of rows.
        if !self.is_by_id() || (self.skip > 0 && self.from.is_none()) {
            let next = more.then(|| self.link("next", &[("skip", self.skip + limit)]));
            return Ok(next.into_iter().chain(self.link_back(limit)).collect());
        }
        let [Some(first), Some(last)] = [rows.first(), rows.last()] else { return Ok(Vec::new()) };
        let is_next = if self.is_read_backward() { true } else { more };
        let is_before = if self.is_read_backward() { more } else { self.from.is_some() };
        let mut links = Vec::new();
        if is_next {
            links.push(self.link("next", &[("after", self.id_of(last)?)]));
        }
        if is_before {
            links.push(self.link("prev", &[("before", self.id_of(first)?)]));
        }
        Ok(links)
    }

    /// Returns the link to the page before rows that were left out, if any were.
    pub(super) fn link_back(&self, limit: i64) -> Option<String> {
        let back = (self.skip - limit).max(0);
        match self.limit {
            _ if self.skip == 0 => None,
            Some(_) => Some(self.link("prev", &[("skip", back)])),
            // There is no page of the rows before a list that has all behind them.
            None => Some(self.link("prev", &[("skip", back), ("limit", LIMIT_MAX.min(self.skip))])),
        }
    }

    fn link<T: ToString>(&self, rel: &str, with: &[(&str, T)]) -> String {
        let with: Vec<(&str, String)> = with.iter().map(|(name, value)| (*name, value.to_string())).collect();
        let is_by_id = with.iter().any(|(name, _)| ["after", "before"].contains(name));
        let mut without: Vec<&str> = with.iter().map(|(name, _)| *name).collect();
        if is_by_id {
            without.extend(["after", "before", "skip"]);
        }
        format!("<{}>; rel=\"{rel}\"", self.params.link(&without, &with))
    }
}

/// Says in the headers what is around the rows; the total is left out where it is not known.
pub(super) fn tell(response: &mut Response, total: Option<i64>, links: &[String]) {
    let headers = response.headers_mut();
    headers.extend(total.map(|total| (TOTAL_COUNT, HeaderValue::from(total))));
    if let Ok(links) = HeaderValue::from_str(&links.join(", "))
        && !links.is_empty()
    {
        headers.insert(header::LINK, links);
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
            parameter(
                "limit",
                "Rows to return at most. Without it all rows, sent as they are read; an answer that is cut off does not \
                 end its array.",
                whole(1, Some(LIMIT_MAX as usize)),
            ),
            parameter(
                "skip",
                "Rows to leave out first. Slow on long lists: follow `Link`, or use `after`.",
                whole(0, Some(SKIP_MAX)),
            ),
            parameter(
                "after",
                "Only rows behind the one with this id, in the order by id, up or down. There is no total count of long \
                 lists then. A client that goes on from the last id of each page misses no row that others write \
                 meanwhile; a row may appear up to 2 seconds late.",
                text(),
            ),
            parameter(
                "before",
                "Only rows before the one with this id, in the order by id: with a limit those nearest to it.",
                text(),
            ),
            parameter(
                "sort",
                "A column, then `asc` or `desc`; or a direction alone, which is that of the ids. `sort[column]=desc` is \
                 the same. The default order is the id.",
                text(),
            ),
            parameter(
                "where[column][op]",
                "Only rows whose column compares so with the value. Ops: `=` (also if left out), `!`, `<`, `<=`, `>`, \
                 `>=`, `in` (values separated by commas, or repeated), `contains`, `startsWith`, `endsWith` (whatever \
                 the case). Each field of a row is a column. The value `null` stands for none with `=` and `!`, flags \
                 are `1` and `0` or `true` and `false`. Several conditions must all hold; a repeated equality holds for \
                 any of its values. What takes too long to be found is refused (422): narrow the period.",
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
