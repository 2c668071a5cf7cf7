//! What machines can do besides what every resource can: being copied, and being looked for where
//! they stand or where they are missed.

use super::{
    location::Location,
    machine::{Machine, OFFLINE},
};
use crate::{
    app::App,
    assortment,
    error::{Error, Result},
    http::{
        Caller, Json, Path, Query, Unread,
        caller::Permission,
        extract::JsonBytes,
        list::{Below, ListParams, Listing, Show},
    },
    idempotency::Creation,
    resource::{
        Columns, Mode, Resource,
        handlers::Done,
        reach,
        store::{self, Author},
    },
};
use axum::{extract::State, http::StatusCode, response::Response};
use chrono::{DateTime, Duration, Utc};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sqlx::{FromRow, PgPool, Postgres, QueryBuilder, postgres::PgRow};
use std::{collections::HashMap, sync::LazyLock};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(create))
        .routes(routes!(list_offline))
        .routes(routes!(list_with_issues))
        .routes(routes!(list_by_status))
        .routes(routes!(list_by_location))
}

/// What a new machine begins with.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Source {
    /// A machine whose fields (where the body has none) and assortment are copied.
    source: Option<i64>,
}

/// Create a machine
///
/// With a `source`, only the name and the host name are required: everything else is the source's
/// where the body does not say otherwise, and so is what it sells.
#[utoipa::path(post, path = "/machine", tag = "machine", operation_id = "create_machine", params(Source),
    request_body(content = ref("#/components/schemas/MachineDraft")),
    responses((status = 201, description = "The machine was created", body = Done)))]
async fn create(
    State(app): State<App>,
    caller: Caller,
    Query(Source { source }): Query<Source>,
    body: Unread<JsonBytes>,
) -> Result<(StatusCode, Json<Done>)> {
    let spec = Machine::spec();
    let mut columns = spec.receive(&app, &caller, body).await?;
    if let Some(source) = source {
        for (column, value) in copied(&app.db, &caller, source).await? {
            columns.entry(column).or_insert(value);
        }
    }
    let author = Author { group: caller.group(), now: app.clock.now() };
    let mut tx = Creation::begin(&app.db, author.now).await?;
    let id = store::insert(&mut tx, spec, author, None, columns).await?;
    if let Some(source) = source {
        assortment::copy(&mut tx, source, &[id], author.now).await?;
    }
    tx.commit(StatusCode::CREATED, Done::of(id, spec.noun, "created")).await
}

/// What is copied of a machine: all that can be changed later, but for what is its own.
async fn copied(db: &PgPool, caller: &Caller, source: i64) -> Result<Columns> {
    let spec = Machine::spec();
    let own = ["name", "gateway"];
    let columns =
        spec.fields.iter().filter(|field| field.mode == Mode::Takes && !own.contains(&field.column));
    let columns: Vec<&str> = columns.map(|field| field.column).collect();
    let mut sql = QueryBuilder::<Postgres>::new("SELECT to_jsonb(copied) FROM (SELECT ");
    sql.push(columns.join(", ")).push(" FROM machine this WHERE this.id = ").push_bind(source).push(" AND ");
    reach::readable(&mut sql, spec, caller.group());
    sql.push(") copied");
    let found: Option<sqlx::types::Json<Columns>> = sql.build_query_scalar().fetch_optional(db).await?;
    Ok(found.ok_or_else(|| Error::malformed("/source", "is no machine that you see"))?.0)
}

/// List machines that are offline
///
/// Those in use that were not heard of for longer than a heartbeat takes.
#[utoipa::path(get, path = "/machine/offline", tag = "machine", operation_id = "list_offline_machines",
    params(ListParams),
    responses((status = 200, description = "A page of machines", body = Vec<Machine>)))]
async fn list_offline(State(app): State<App>, caller: Caller, params: ListParams) -> Result<Response> {
    caller.may(Permission::FleetRead)?;
    let spec = Machine::spec();
    let query = params.over(spec.listing())?;
    let reading = app.reads.list(caller.group()).await?;
    let below = Below::of(&*reading, caller.group()).await?;
    let scope = |sql: &mut QueryBuilder<Postgres>| {
        reach::readable(sql, spec, &below);
        Status::Offline.push(sql, heard_since(&app));
    };
    query.answer(&app, reading, scope, spec.shown()).await
}

/// Machines with the worst of what is open there. Being offline is an alarm from when the machine should have been
/// heard of, whether or not that was written down yet.
static TROUBLED: LazyLock<Listing> = LazyLock::new(|| {
    Machine::spec().listing_with(
        "JOIN LATERAL (
            SELECT open.level, min(open.since) AS since
            FROM (
                SELECT e.type AS level, e.occurred_at AS since FROM machine_log_ever e
                WHERE e.machine = this.id AND e.resolved_at IS NULL AND e.type > 1
                UNION ALL
                SELECT 3, COALESCE(
                    (SELECT p.seen_at FROM machine_presence p WHERE p.machine = this.id)
                        + ((outside.facts ->> 'now')::timestamptz - (outside.facts ->> 'heardSince')::timestamptz),
                    this.created_at)
                WHERE NOT EXISTS (SELECT FROM machine_presence p WHERE p.machine = this.id
                                  AND p.seen_at >= (outside.facts ->> 'heardSince')::timestamptz)
            ) open
            GROUP BY open.level ORDER BY open.level DESC LIMIT 1
        ) worst ON true",
        "worst.level DESC, worst.since, this.id",
    )
});

/// List machines with an issue or alarm that is open
///
/// Machines in use, the worst first: alarms before issues, being offline being an alarm; then those for longest.
#[utoipa::path(get, path = "/machine/issues", tag = "machine", operation_id = "list_machines_with_issues",
    params(ListParams),
    responses((status = 200, description = "The machines", body = Vec<Machine>)))]
async fn list_with_issues(State(app): State<App>, caller: Caller, params: ListParams) -> Result<Response> {
    caller.may(Permission::FleetRead)?;
    let spec = Machine::spec();
    let mut query = params.over(&TROUBLED)?;
    query.outside = Some(json!({ "now": app.clock.now(), "heardSince": heard_since(&app) }));
    let reading = app.reads.list(caller.group()).await?;
    let below = Below::of(&*reading, caller.group()).await?;
    let scope = |sql: &mut QueryBuilder<Postgres>| {
        reach::readable(sql, spec, &below);
        sql.push(" AND this.active");
    };
    query.answer(&app, reading, scope, spec.shown()).await
}

/// Since when a machine must have been heard of to be online.
fn heard_since(app: &App) -> DateTime<Utc> {
    app.clock.now() - Duration::seconds(app.config.heartbeat_s as i64)
}

/// How a machine in use is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum Status {
    /// It was heard of within its heartbeat.
    Online,
    /// It was not.
    Offline,
    /// It has an alarm that is not resolved, other than that it is offline.
    Alarm,
    /// It is online and has no issue or alarm that is not resolved.
    Ok,
}

impl Status {
    /// Restricts machines to those that are like this.
    fn push(self, sql: &mut QueryBuilder<Postgres>, since: DateTime<Utc>) {
        sql.push(" AND this.active");
        if self != Self::Alarm {
            sql.push(if self == Self::Offline { " AND NOT EXISTS" } else { " AND EXISTS" });
            sql.push(" (SELECT FROM machine_presence p WHERE p.machine = this.id AND p.seen_at >= ");
            sql.push_bind(since).push(")");
        }
        if matches!(self, Self::Alarm | Self::Ok) {
            let (verb, least) = if self == Self::Ok { (" AND NOT EXISTS", 2) } else { (" AND EXISTS", 3) };
            sql.push(verb).push(" (SELECT FROM machine_log_ever e WHERE e.machine = this.id");
            sql.push(" AND e.resolved_at IS NULL AND e.type > 1 AND e.type >= ").push_bind(least);
            sql.push(" AND e.code <> ").push_bind(OFFLINE).push(")");
        }
    }
}

/// List machines by how they are
///
/// Machines in use. One can be online and have an alarm.
#[utoipa::path(get, path = "/machine/status/{status}", tag = "machine", operation_id = "list_machines_by_status",
    params(
        ("status" = inline(Status), Path, description = "How they are"),
        ("widget" = Option<i64>, Query, description = "The widget that shows them"),
        ListParams,
    ),
    responses((status = 200, description = "A page of machines", body = Vec<Machine>)))]
async fn list_by_status(
    State(app): State<App>,
    caller: Caller,
    Path(status): Path<Status>,
    mut params: ListParams,
) -> Result<Response> {
    caller.may(Permission::FleetRead)?;
    let spec = Machine::spec();
    // Which widget shows them makes no difference to which they are.
    params.take_number("widget", 0, i64::MAX)?;
    let query = params.over(spec.listing())?;
    let reading = app.reads.list(caller.group()).await?;
    let below = Below::of(&*reading, caller.group()).await?;
    let scope = |sql: &mut QueryBuilder<Postgres>| {
        reach::readable(sql, spec, &below);
        status.push(sql, heard_since(&app));
    };
    query.answer(&app, reading, scope, spec.shown()).await
}

/// A location and the machines at it.
#[derive(Debug, Serialize, ToSchema)]
struct LocationWithMachines {
    #[serde(flatten)]
    location: Location,
    /// The machines that stand there.
    machines: Vec<Machine>,
}

/// List locations with their machines
#[utoipa::path(get, path = "/machine/locations", tag = "machine", operation_id = "list_machines_by_location",
    params(ListParams),
    responses((status = 200, description = "A page of locations", body = Vec<LocationWithMachines>)))]
async fn list_by_location(State(app): State<App>, caller: Caller, params: ListParams) -> Result<Response> {
    caller.may(Permission::FleetRead)?;
    let spec = Location::spec();
    let query = params.over(spec.listing())?;
    let reading = app.reads.list(caller.group()).await?;
    let below = Below::of(&*reading, caller.group()).await?;
    let scope = |sql: &mut QueryBuilder<Postgres>| reach::readable(sql, spec, &below);
    query.answer(&app, reading, scope, WithMachines { app: app.clone(), caller }).await
}

/// Shows locations with the machines that stand there.
struct WithMachines {
    app: App,
    caller: Caller,
}

impl Show for WithMachines {
    type Shown = LocationWithMachines;

    async fn show(&self, rows: Vec<PgRow>) -> Result<Vec<LocationWithMachines>> {
        let locations = rows.iter().map(Location::from_row).collect::<Result<Vec<_>, _>>()?;
        let places: Vec<i64> = locations.iter().map(|location| location.id).collect();
        let mut machines = at(&self.app.db, &self.caller, &places).await?;
        let with_machines = locations.into_iter().map(|location| LocationWithMachines {
            machines: machines.remove(&location.id).unwrap_or_default(),
            location,
        });
        Ok(with_machines.collect())
    }
}

/// The machines at each of these locations.
async fn at(db: &PgPool, caller: &Caller, places: &[i64]) -> Result<HashMap<i64, Vec<Machine>>> {
    let spec = Machine::spec();
    let listing = spec.listing();
    let mut sql = QueryBuilder::<Postgres>::new("SELECT ");
    sql.push(listing.select).push(" FROM ").push(listing.from).push(" WHERE this.location = ANY(");
    sql.push_bind(places).push(") AND ");
    reach::readable(&mut sql, spec, caller.group());
    sql.push(" ORDER BY this.id");
    let mut by_place: HashMap<i64, Vec<Machine>> = HashMap::new();
    for row in sql.build().fetch_all(db).await? {
        let machine = Machine::from_row(&row)?;
        by_place.entry(machine.location).or_default().push(machine);
    }
    Ok(by_place)
}
