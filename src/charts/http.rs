//! Charts over HTTP.

use super::{
    chart::{self, Chart, Draft, ReportType},
    criteria::Criteria,
    data,
    report::UserReport,
    template::{ChartType, View},
};
use crate::{
    app::App,
    error::{Error, Result},
    http::{Caller, Json, Message, Path, Unread, caller::Permission, extract::present, written_back::Absent},
    idempotency::Creation,
    resource::{FieldType, Name, Resource, Whole, handlers::Done, store},
    transaction,
};
use axum::{extract::State, http::StatusCode};
use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::value::RawValue;
use sqlx::PgConnection;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

/// Charts that a report has at most.
const CHARTS_MAX: i64 = 100;

/// Where a chart stands among those of its report.
type Position = Whole<0, { i32::MAX as i64 }>;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(fetch, update, delete))
        .routes(routes!(rows))
        .routes(routes!(field))
}

/// A new chart.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ChartDraft {
    /// What it is called; as its type's template is without one.
    #[schema(value_type = Option<String>, min_length = 1, max_length = 200, examples("Revenue by day"))]
    name: Option<Name>,
    /// What it is about.
    #[serde(rename = "type")]
    #[schema(schema_with = ChartType::takes)]
    kind: ChartType,
    /// How it is drawn: as a table without one.
    #[serde(default = "table")]
    #[schema(schema_with = View::takes)]
    view: View,
    /// What it asks for: what its type asks for by itself without any.
    criteria: Option<Criteria>,
    /// Where it stands: behind the others without one.
    #[schema(value_type = Option<i64>, minimum = 0, maximum = 2_147_483_647)]
    position: Option<Position>,
}

fn table() -> View {
    View::Table
}

/// Changes of a chart. What it was read as can be sent back.
#[expect(clippy::option_option, reason = "absent, null and criteria are three things")]
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default, rename_all = "camelCase")]
struct ChartPatch {
    /// The path's, if at all.
    #[serde(deserialize_with = "present")]
    id: Option<i64>,
    /// Its name.
    #[serde(deserialize_with = "present")]
    #[schema(value_type = String, min_length = 1, max_length = 200)]
    name: Option<Name>,
    /// What it is about. A chart that asks for what its type asks for by itself goes on to do so.
    #[serde(rename = "type", deserialize_with = "present")]
    #[schema(schema_with = ChartType::takes)]
    kind: Option<ChartType>,
    /// How it is drawn.
    #[serde(deserialize_with = "present")]
    #[schema(schema_with = View::takes)]
    view: Option<View>,
    /// What it asks for; with `null` what its type asks for by itself.
    #[serde(deserialize_with = "present")]
    #[schema(value_type = Option<Criteria>)]
    criteria: Option<Option<Criteria>>,
    /// Where it stands among the charts of its report.
    #[serde(deserialize_with = "present")]
    #[schema(value_type = i64, minimum = 0, maximum = 2_147_483_647)]
    position: Option<Position>,
    /// The user report that it is a part of.
    #[serde(deserialize_with = "present")]
    report: Option<i64>,
    /// What `report` is.
    #[serde(deserialize_with = "present")]
    #[schema(schema_with = ReportType::takes)]
    report_type: Option<ReportType>,
    /// Kept by the server, whatever is sent.
    #[serde(deserialize_with = "present")]
    create_at: Option<DateTime<Utc>>,
    /// Kept by the server, whatever is sent.
    #[serde(deserialize_with = "present")]
    update_at: Option<DateTime<Utc>>,
}

/// List the charts of a user report
///
/// All of them, by their position.
#[utoipa::path(get, path = "/userreport/{id}/chart", tag = "userreport", operation_id = "list_charts",
    params(("id" = i64, Path, description = "The user report")),
    responses((status = 200, description = "The charts", body = Vec<Chart>)))]
async fn list(State(app): State<App>, caller: Caller, Path(id): Path<i64>) -> Result<Json<Vec<Chart>>> {
    caller.may(Permission::ReportRead)?;
    store::find(&app.db, UserReport::spec(), caller.group(), None, id).await?;
    chart::of_report(&app.db, id).await.map(Json)
}

/// Add a chart to a user report
#[utoipa::path(post, path = "/userreport/{id}/chart", tag = "userreport", operation_id = "create_chart",
    params(("id" = i64, Path, description = "The user report")), request_body = ChartDraft,
    responses((status = 201, description = "The chart was added; the id is its own", body = Done)))]
async fn create(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<i64>,
    body: Unread<Json<ChartDraft>>,
) -> Result<(StatusCode, Json<Done>)> {
    let Json(body) = body.read(&app, &caller, Permission::ReportWrite).await?;
    let now = app.clock.now();
    let draft = Draft {
        name: body.name.map_or_else(|| body.kind.name().map(str::to_owned), |name| Ok(name.0))?,
        kind: body.kind,
        view: body.view,
        criteria: own(body.criteria, body.kind)?,
        position: body.position.map(|position| position.0),
    };
    let mut tx = Creation::begin(&app.db, now).await?;
    store::lock(&mut tx, UserReport::spec(), caller.group(), None, id).await?;
    if let Some(criteria) = &draft.criteria {
        data::check(&mut tx, criteria, caller.group(), now).await?;
    }
    one_more(&mut tx, id).await?;
    let id = chart::insert(&mut tx, id, draft, now).await?;
    tx.commit(StatusCode::CREATED, Done::of(id, "chart", "created")).await
}

/// Criteria that are not those of a type itself.
fn own(criteria: Option<Criteria>, kind: ChartType) -> Result<Option<Criteria>> {
    let preset = kind.criteria()?;
    Ok(criteria.filter(|criteria| criteria != preset))
}

/// Refuses (409) one more chart than a report can have. The report is locked.
async fn one_more(db: &mut PgConnection, report: i64) -> Result<()> {
    if chart::count(db, report).await? < CHARTS_MAX {
        Ok(())
    } else {
        Err(Error::Conflict(format!("a report has at most {CHARTS_MAX} charts").into()))
    }
}

/// Read a chart
#[utoipa::path(get, path = "/chart/{id}", tag = "chart", operation_id = "fetch_chart",
    params(("id" = i64, Path, description = "The chart")),
    responses((status = 200, description = "The chart", body = Chart)))]
async fn fetch(State(app): State<App>, caller: Caller, Path(id): Path<i64>) -> Result<Json<Chart>> {
    caller.may(Permission::ReportRead)?;
    chart::find(&app.db, caller.group(), id).await.map(Json)
}

/// Change a chart
///
/// An absent property stays. With another `report` it becomes a part of that.
#[utoipa::path(put, path = "/chart/{id}", tag = "chart", operation_id = "update_chart",
    params(("id" = i64, Path, description = "The chart")), request_body = ChartPatch,
    responses((status = 200, description = "The chart was changed", body = Done)))]
async fn update(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<i64>,
    body: Unread<Json<ChartPatch>>,
) -> Result<Json<Done>> {
    let shown = async {
        caller.may(Permission::ReportRead)?;
        chart::find(&app.db, caller.group(), id).await
    };
    let body = body.read_over(&app, &caller, Permission::ReportWrite, Absent::Stays, shown).await?;
    if body.id.is_some_and(|given| given != id) {
        return Err(Error::invalid("/id", "is another id than the path's"));
    }
    let now = app.clock.now();
    let mut tx = transaction::begin(&app.db).await?;
    let known = chart::lock(&mut tx, caller.group(), id).await?;
    let kind = body.kind.unwrap_or(known.kind);
    let criteria = match body.criteria {
        Some(given) => own(given, kind)?,
        None => own(Some(known.criteria), known.kind)?,
    };
    if let Some(criteria) = &criteria {
        data::check(&mut tx, criteria, caller.group(), now).await?;
    }
    let report = body.report.unwrap_or(known.report);
    if report != known.report {
        match store::lock(&mut tx, UserReport::spec(), caller.group(), None, report).await {
            Err(Error::NotFound(_)) => {
                return Err(Error::invalid("/report", "is no user report that you see"));
            }
            locked => locked?,
        };
        one_more(&mut tx, report).await?;
    }
    let draft = Draft {
        name: body.name.map_or(known.name, |name| name.0),
        kind,
        view: body.view.unwrap_or(known.view),
        criteria,
        position: body.position.map(|position| position.0),
    };
    chart::update(&mut tx, id, report, draft, now).await?;
    tx.commit().await?;
    Ok(Done::json(id, "chart", "updated"))
}

/// Delete a chart
#[utoipa::path(delete, path = "/chart/{id}", tag = "chart", operation_id = "delete_chart",
    params(("id" = i64, Path, description = "The chart")),
    responses((status = 200, description = "The chart was deleted", body = Message)))]
async fn delete(State(app): State<App>, caller: Caller, Path(id): Path<i64>) -> Result<Json<Message>> {
    caller.may(Permission::ReportWrite)?;
    chart::delete(&app.db, caller.group(), id).await?;
    Ok(Message::json("chart deleted"))
}

/// Read what a chart shows
///
/// At most 10,000 rows of your user group and those below it, each an object of the names that the
/// criteria select. Of sums of money each row says the `currency` too.
#[utoipa::path(get, path = "/chart/{id}/data", tag = "chart", operation_id = "fetch_chart_data",
    params(("id" = i64, Path, description = "The chart")),
    responses((status = 200, description = "The rows", body = Vec<Object>,
               example = json!([{"period": "2026-11-24", "quantity": 12, "revenue": 1800, "currency": "EUR"}]))))]
async fn rows(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<i64>,
) -> Result<Json<Vec<Box<RawValue>>>> {
    caller.may(Permission::ReportRead)?;
    let chart = chart::find(&app.db, caller.group(), id).await?;
    data::rows(&app, &caller, &chart.criteria).await.map(Json)
}

/// Read a chart for one of its fields
///
/// The whole chart: the field is what the caller looks at, and one that charts have.
#[utoipa::path(get, path = "/chart/{id}/{field}", tag = "chart", operation_id = "fetch_chart_field",
    params(("id" = i64, Path, description = "The chart"), ("field" = String, Path, description = "A field of it")),
    responses((status = 200, description = "The chart", body = Chart)))]
async fn field(
    State(app): State<App>,
    caller: Caller,
    Path((id, name)): Path<(i64, String)>,
) -> Result<Json<Chart>> {
    caller.may(Permission::ReportRead)?;
    let chart = chart::find(&app.db, caller.group(), id).await?;
    let fields = serde_json::to_value(&chart).map_err(Error::fault)?;
    fields.get(&name).ok_or(Error::NotFound("field of charts"))?;
    Ok(Json(chart))
}
