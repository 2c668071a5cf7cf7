//! The configuration of many machines over HTTP.

use super::{
    bulk::{self, Outcome},
    request::MachinesConfiguration,
    settings::{Change, NESTED},
};
use crate::{
    app::App,
    campaigns::terms::Checks,
    error::{Error, Result},
    fleet::filter::Filter,
    gateway::station,
    http::{
        Caller, Json, Path, Unread,
        caller::Permission,
        list::{Column, Ids, Kind, ListParams, Listing, rows},
    },
    jobs::{self, Progress, State as JobState},
};
use axum::{extract::State, http::StatusCode, response::Response};
use serde::{Deserialize, Serialize};
use sqlx::{Postgres, QueryBuilder};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(update)).routes(routes!(fetch)).routes(routes!(list_outcomes))
}

/// A change of the configuration of many machines.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct MachinesConfigUpdate {
    /// Which machines.
    filter: Filter,
    /// What to set; what is absent stays, `null` takes away.
    configuration: MachinesConfiguration,
}

/// That a change was accepted.
#[derive(Debug, Serialize, ToSchema)]
struct MachinesConfigAccepted {
    /// In a few words.
    message: &'static str,
    /// The job that carries it out.
    job: i64,
}

/// Change the configuration of many machines
///
/// Of those that the filter names now. It is carried out in the background; the job says how far it is
/// and what became of each machine.
#[utoipa::path(put, path = "/machine/config", tag = "machine", operation_id = "update_machines_config",
    request_body = MachinesConfigUpdate,
    responses((status = 202, description = "The change was accepted", body = MachinesConfigAccepted)))]
async fn update(
    State(app): State<App>,
    caller: Caller,
    body: Unread<Json<MachinesConfigUpdate>>,
) -> Result<(StatusCode, Json<MachinesConfigAccepted>)> {
    let Json(body) = body.read(&app, &caller, Permission::ConfigWrite).await?;
    station::unbound(&caller)?;
    let mut change = Change::from(body.configuration);
    let mut checks = Checks::default();
    if change.is_empty() {
        checks.wrong("/configuration", "sets nothing");
    }
    change.check(&mut checks, NESTED);
    checks.done()?;
    let machines = body.filter.machines(&app, caller.group()).await?;
    let job = bulk::accept(&app, caller.group(), caller.account(), &change, &machines).await?;
    let accepted = MachinesConfigAccepted { message: "configuration is being set", job };
    Ok((StatusCode::ACCEPTED, Json(accepted)))
}

/// How far a change of many machines' configuration is.
#[derive(Debug, Serialize, ToSchema)]
struct MachinesConfigJob {
    /// The job.
    job: i64,
    /// Where it stands.
    state: JobState,
    /// Machines that the change is for.
    total: i64,
    /// Machines that it was carried out for, or that it can't be.
    done: i64,
}

async fn job(app: &App, caller: &Caller, id: i64) -> Result<Progress> {
    let job = jobs::fetch(&app.db, bulk::KIND, id, caller.group()).await?;
    job.ok_or(Error::NotFound("job"))
}

/// Read the progress of a change of many machines' configuration
#[utoipa::path(get, path = "/machine/config/{job}", tag = "machine", operation_id = "fetch_machines_config_job",
    params(("job" = i64, Path, description = "The job")),
    responses((status = 200, description = "How far it is", body = MachinesConfigJob)))]
async fn fetch(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<i64>,
) -> Result<Json<MachinesConfigJob>> {
    caller.may(Permission::ConfigRead)?;
    let Progress { id, state, total, done, .. } = job(&app, &caller, id).await?;
    Ok(Json(MachinesConfigJob { job: id, state, total, done }))
}

/// What became of a change for one machine.
#[derive(Debug, Serialize, ToSchema, sqlx::FromRow)]
struct MachineConfigOutcome {
    /// The outcome's id.
    id: i64,
    /// The machine's id.
    machine: i64,
    /// The machine's hostname when the change was accepted.
    hostname: String,
    /// What became of it.
    state: Outcome,
    /// Why.
    details: Option<String>,
}

/// Outcomes as [`MachineConfigOutcome`], and what they can be filtered and sorted by.
static OUTCOMES: Listing = Listing {
    select: "o.id, o.machine, o.hostname, o.state, o.details",
    from: "machine_config_outcome o",
    ids: Ids::Sequence("machine_config_outcome"),
    order: None,
    columns: &[
        Column::new("id", "o.id", Kind::Int),
        Column::new("machine", "o.machine", Kind::Int),
        Column::new("hostname", "o.hostname", Kind::Text),
        Column::new("state", "o.state", Kind::Word(&["pending", "scheduled", "failed", "gone"])),
        Column::new("details", "o.details", Kind::Text),
    ],
};

/// List what became of a change for each machine
#[utoipa::path(get, path = "/machine/config/{job}/machines", tag = "machine",
    operation_id = "list_machines_config_outcomes",
    params(("job" = i64, Path, description = "The job"), ListParams),
    responses((status = 200, description = "A page of outcomes", body = Vec<MachineConfigOutcome>)))]
async fn list_outcomes(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<i64>,
    params: ListParams,
) -> Result<Response> {
    caller.may(Permission::ConfigRead)?;
    let change = job(&app, &caller, id).await?.subject;
    let query = params.over(&OUTCOMES)?;
    let reading = app.reads.list(caller.group()).await?;
    let of_change = |sql: &mut QueryBuilder<Postgres>| {
        sql.push("o.change = ").push_bind(change);
    };
    query.answer(&app, reading, of_change, rows::<MachineConfigOutcome>).await
}
