//! Reports over HTTP: one handler for all of them, and each in the document.

use super::{
    answer::{self, Question},
    catalogue::{Column, Kind, REPORTS, Report},
    period::{self, Period, Span},
};
use crate::{
    app::App,
    error::{Error, Result},
    http::{
        Caller, Json, Query, Unread,
        caller::Permission,
        sheet::{self, Form, WORKBOOK},
    },
    telemetry::selection::Named,
    transaction,
};
use axum::{
    extract::State,
    http::{HeaderMap, header},
    response::{IntoResponse, Response},
    routing,
};
use chrono::NaiveDateTime;
use serde::Deserialize;
use utoipa::{
    IntoParams, ToSchema,
    openapi::{
        ArrayBuilder, HttpMethod, ObjectBuilder, Paths, Ref, RefOr, Required, Schema,
        content::ContentBuilder,
        path::{OperationBuilder, PathItem},
        request_body::RequestBodyBuilder,
        response::ResponseBuilder,
        schema::{AdditionalProperties, SchemaType, Type},
    },
};
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouter};

/// For so long anybody waits for one of its periods, in seconds.
const PATIENCE_S: u32 = 30;

/// What a report is asked for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Request {
    #[serde(default)]
    machines: Vec<i64>,
    #[serde(default)]
    locations: Vec<i64>,
    #[serde(default)]
    machine_groups: Vec<i64>,
    #[serde(default)]
    location_groups: Vec<i64>,
    period1: Period,
    #[serde(default)]
    period2: Option<Period>,
}

/// How a report is to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum Format {
    /// As one document.
    Json,
    /// As a sheet: a line for each row of either period.
    Csv,
    /// As the same sheet in a workbook.
    Xlsx,
}

/// The query of a report.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Wanted {
    /// How it is to be written; what `Accept` says without it.
    #[param(inline)]
    format: Option<Format>,
    /// Whether CSV begins with a byte order mark, by which Excel knows UTF-8.
    #[serde(default)]
    bom: bool,
    /// What stands between two cells of CSV: `comma` (also if left out), `semicolon` or `tab`.
    separator: Option<String>,
    /// What a sheet is to be called.
    filename: Option<String>,
}

impl Wanted {
    /// As what sheet it is to be written, if as one.
    fn form(&self, headers: &HeaderMap) -> Result<Option<Form>> {
        let format = self.format.unwrap_or_else(|| accepted(headers));
        let form = Form::of(format == Format::Xlsx, self.bom, self.separator.as_deref())?;
        Ok((format != Format::Json).then_some(form))
    }
}

/// The first format that the caller accepts and that there is.
fn accepted(headers: &HeaderMap) -> Format {
    let accepted = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let kinds = accepted.flat_map(|value| value.split(',')).filter_map(|kind| kind.split(';').next());
    let formats = kinds.filter_map(|kind| match kind.trim() {
        "text/csv" => Some(Format::Csv),
        WORKBOOK => Some(Format::Xlsx),
        _ => None,
    });
    formats.into_iter().next().unwrap_or(Format::Json)
}

/// The endpoints of all reports.
pub(super) fn routes() -> OpenApiRouter<App> {
    REPORTS.iter().fold(OpenApiRouter::new(), |router, report| router.routes(route(report)))
}

async fn run(
    State(app): State<App>,
    report: &'static Report,
    caller: Caller,
    wanted: Wanted,
    headers: HeaderMap,
    body: Unread<Json<Request>>,
) -> Result<Response> {
    let Json(request) = body.read(&app, &caller, Permission::ReportRead).await?;
    let form = wanted.form(&headers)?;
    let filename = sheet::filename(wanted.filename, report.title)?;
    let question = question(&app, &caller, request).await?;
    let Some(form) = form else {
        let reading = app.reads.report(caller.group()).await?;
        let mut tx = transaction::look(&reading, PATIENCE_S).await?;
        let answer = question.answer(&mut tx, report).await?;
        tx.commit().await?;
        return Ok(Json(answer).into_response());
    };
    let reading = app.reads.export(caller.group()).await?;
    let (mut sheet, reader) = sheet::sheet(form, answer::header(report))?;
    let tasks = app.tasks.clone();
    tasks.spawn(async move {
        let outcome = async {
            let mut tx = transaction::look(&reading, sheet::TIME_MAX_S).await?;
            question.write(&mut tx, report, &mut sheet).await
        };
        let outcome = app.liveness.while_up(outcome).await;
        sheet.end(outcome).await;
        drop(reading);
    });
    reader.download(&filename).await
}

async fn question(app: &App, caller: &Caller, request: Request) -> Result<Question> {
    let Request { machines, locations, machine_groups, location_groups, period1, period2 } = request;
    let present = app.clock.now().naive_utc();
    let mut spans = vec![resolve(&period1, "/period1", present)?];
    if let Some(period) = period2 {
        spans.push(resolve(&period, "/period2", present)?);
    }
    let named = Named { machines, locations, machine_groups, location_groups };
    let mut db = app.db.acquire().await?;
    let selection = named.resolve(&mut db, caller.group(), Error::Invalid).await?;
    Ok(Question { selection, account: caller.account(), group: caller.group(), spans })
}

fn resolve(period: &Period, pointer: &'static str, present: NaiveDateTime) -> Result<Span> {
    period.resolve(present).map_err(|flaw| Error::invalid(pointer, flaw))
}

/// A report's endpoint with its description.
fn route(report: &'static Report) -> UtoipaMethodRouter<App> {
    let handler =
        move |app: State<App>,
              caller: Caller,
              Query(wanted): Query<Wanted>,
              headers: HeaderMap,
              body: Unread<Json<Request>>| { run(app, report, caller, wanted, headers, body) };
    let schema = format!("Report{}{}", report.name[..1].to_ascii_uppercase(), &report.name[1..]);
    let json = ContentBuilder::new().schema(Some(Ref::from_schema_name(&schema))).build();
    let sheet = ContentBuilder::new().schema(Some(ObjectBuilder::new().schema_type(Type::String))).build();
    let response = ResponseBuilder::new()
        .description(report.title)
        .content("application/json", json)
        .content("text/csv", sheet.clone())
        .content(WORKBOOK, sheet)
        .build();
    let body = ContentBuilder::new().schema(Some(Ref::from_schema_name(REQUEST))).build();
    let body =
        RequestBodyBuilder::new().content("application/json", body).required(Some(Required::True)).build();
    let operation = OperationBuilder::new()
        .tag("report")
        .operation_id(Some(format!("report_{}", report.name)))
        .summary(Some(report.title))
        .description(Some(report.doc))
        .parameters(Some(Wanted::into_params(|| None)))
        .request_body(Some(body))
        .response("200", response)
        .build();
    let mut paths = Paths::new();
    let path = format!("/report/{}", report.name);
    paths.paths.insert(path.clone(), PathItem::new(HttpMethod::Post, operation));
    let schemas = vec![(REQUEST.to_owned(), request_schema().into()), (schema, answer_schema(report).into())];
    (schemas, paths, routing::post(handler))
}

/// What the body is called in the document.
const REQUEST: &str = "ReportRequest";

fn request_schema() -> Schema {
    let ids = |doc: &str| {
        let id = ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(1));
        ArrayBuilder::new().items(RefOr::T(Schema::from(id))).description(Some(doc))
    };
    let mut second = period::schema();
    if let Schema::Object(second) = &mut second {
        second.schema_type = SchemaType::from_iter([Type::Object, Type::Null]);
    }
    ObjectBuilder::new()
        .additional_properties(Some(AdditionalProperties::FreeForm(false)))
        .property("machines", ids("Only what these machines did."))
        .property("locations", ids("Only what happened at these locations."))
        .property("machineGroups", ids("Only what the machines of these groups did."))
        .property("locationGroups", ids("Only what happened at the locations of these groups."))
        .property("period1", period::schema())
        .property("period2", second)
        .required("period1")
        .into()
}

fn answer_schema(report: &Report) -> Schema {
    let row = report.row.iter().fold(ObjectBuilder::new(), |row, column| {
        row.property(column.name, column_schema(column)).required(column.name)
    });
    let bound = || {
        let text = ObjectBuilder::new().schema_type(Type::String);
        text.description(Some("In the time of the place.")).examples(["2019-01-01 00:00:00"])
    };
    let told: Schema = ObjectBuilder::new()
        .property("data", ArrayBuilder::new().items(RefOr::T(Schema::from(row))))
        .property("startDate", bound())
        .property("endDate", bound())
        .required("data")
        .required("startDate")
        .required("endDate")
        .into();
    ObjectBuilder::new()
        .description(Some(report.doc))
        .property("period1", told.clone())
        .property("period2", told)
        .required("period1")
        .into()
}

fn column_schema(column: &Column) -> ObjectBuilder {
    let kind = if column.kind == Kind::Int { Type::Integer } else { Type::String };
    let kind = if column.nullable { SchemaType::from_iter([kind, Type::Null]) } else { kind.into() };
    ObjectBuilder::new().schema_type(kind).description(Some(column.doc))
}
