//! Observers over HTTP: what their terms ask beyond what any resource can do, and what fires.

use super::observer::{AlertObserver, reconcile};
use crate::{
    app::App,
    error::{Error, Result},
    fleet::machine::Machine,
    http::{
        Caller, Json, Path, Unread,
        caller::Permission,
        extract::JsonBytes,
        list::{Below, ListParams},
        written_back::Absent,
    },
    resource::{
        Columns, Resource,
        handlers::{self, Done},
        reach,
        store::{self, Author},
    },
    transaction,
};
use axum::{extract::State, http::StatusCode, response::Response};
use sqlx::{Postgres, QueryBuilder};
use utoipa_axum::{router::OpenApiRouter, routes};

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(create))
        .routes(routes!(update))
        .routes(routes!(list_by_status))
        .routes(routes!(list_of_machine))
}

/// Create an alert observer
///
/// It looks at all machines of its user group and the groups below, unless it names some. `error` goes with
/// events, `paymentMethod` with transactions that are there or missing, `occurs` with an occurrence; elsewhere they are
/// ignored.
#[utoipa::path(post, path = "/alertobserver", tag = "alertobserver", operation_id = "create_alert_observer",
    request_body(content = ref("#/components/schemas/AlertObserverDraft")),
    responses((status = 201, description = "The alert observer was created", body = Done)))]
async fn create(
    State(app): State<App>,
    caller: Caller,
    body: Unread<JsonBytes>,
) -> Result<(StatusCode, Json<Done>)> {
    let spec = AlertObserver::spec();
    let mut columns = spec.receive(&app, &caller, body).await?;
    reconcile(&mut columns, &Columns::new());
    handlers::created(&app, spec, &caller, None, columns).await
}

/// Change an alert observer
///
/// What is absent stays; `null` takes away. What no longer goes with the rest is taken away, too.
#[utoipa::path(put, path = "/alertobserver/{id}", tag = "alertobserver", operation_id = "update_alert_observer",
    params(("id" = i64, Path, description = "The alert observer")),
    request_body(content = ref("#/components/schemas/AlertObserverPatch")),
    responses((status = 200, description = "The alert observer was changed", body = Done)))]
async fn update(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<i64>,
    body: Unread<JsonBytes>,
) -> Result<Json<Done>> {
    const BEFORE: &str = "
        SELECT jsonb_build_object('type', type, 'observer', observer, 'occurs', occurs)
        FROM alert_observer WHERE id = $1";
    let spec = AlertObserver::spec();
    let mut columns = spec.receive_change(&app, &caller, (None, id), Absent::Stays, body).await?;
    let author = Author { group: caller.group(), now: app.clock.now() };
    let mut tx = transaction::begin(&app.db).await?;
    store::lock(&mut tx, spec, author.group, None, id).await?;
    let before: sqlx::types::Json<Columns> = sqlx::query_scalar(BEFORE).bind(id).fetch_one(&mut *tx).await?;
    reconcile(&mut columns, &before);
    store::update(&mut tx, spec, author, None, id, columns).await?;
    tx.commit().await?;
    Ok(Done::json(id, spec.noun, "updated"))
}

/// List alert observers with a status
///
/// Those that fire at some machine (`firing`, which `active` means too), or those that fire at none (`ok`).
#[utoipa::path(get, path = "/machine/alerts", tag = "machine", operation_id = "list_alert_observers_by_status",
    params(
        ("status" = String, Query, description = "`firing`, `active` (the same) or `ok`"),
        ("widget" = Option<i64>, Query, description = "The widget that asks, which changes nothing"),
        ListParams,
    ),
    responses((status = 200, description = "A page of alert observers", body = Vec<AlertObserver>)))]
async fn list_by_status(State(app): State<App>, caller: Caller, mut params: ListParams) -> Result<Response> {
    caller.may(Permission::AlertRead)?;
    let fires = match params.take("status")?.as_deref() {
        Some("firing" | "active") => "EXISTS",
        Some("ok") => "NOT EXISTS",
        Some(_) => return Err(Error::malformed("/status", "must be firing, active or ok")),
        None => return Err(Error::malformed("/status", "is required")),
    };
    params.take_number("widget", 0, i64::MAX)?;
    page(&app, &caller, params, |sql| {
        sql.push(fires).push(" (SELECT FROM alert_watch w WHERE w.alert_observer = this.id AND w.firing)");
    })
    .await
}

/// List alert observers that fire at a machine
#[utoipa::path(get, path = "/machine/{id}/alerts", tag = "machine",
    operation_id = "list_alert_observers_of_machine",
    params(("id" = i64, Path, description = "The machine"), ListParams),
    responses((status = 200, description = "A page of alert observers", body = Vec<AlertObserver>)))]
async fn list_of_machine(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<i64>,
    params: ListParams,
) -> Result<Response> {
    caller.may(Permission::AlertRead)?;
    store::find(&app.db, Machine::spec(), caller.group(), None, id).await?;
    page(&app, &caller, params, |sql| {
        sql.push("this.id IN (SELECT w.alert_observer FROM alert_watch w WHERE w.firing AND w.machine = ");
        sql.push_bind(id).push(")");
    })
    .await
}

/// A page of the observers that the caller sees, as far as they meet a condition.
async fn page(
    app: &App,
    caller: &Caller,
    params: ListParams,
    condition: impl Fn(&mut QueryBuilder<Postgres>),
) -> Result<Response> {
    let spec = AlertObserver::spec();
    let query = params.over(spec.listing())?;
    let reading = app.reads.list(caller.group()).await?;
    let below = Below::of(&*reading, caller.group()).await?;
    let scope = |sql: &mut QueryBuilder<Postgres>| {
        reach::readable(sql, spec, &below);
        sql.push(" AND ");
        condition(sql);
    };
    query.answer(app, reading, scope, spec.shown()).await
}
