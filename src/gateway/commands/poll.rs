//! What a machine's gateway asks for: what there is to do, waiting for it if need be, and that it is done.

use super::{
    command::{Acknowledgement, Due},
    store,
};
use crate::{
    app::App,
    error::{Error, Result},
    gateway::station,
    http::{Caller, Json, Message, Path, Query, Unread, caller::Permission},
};
use axum::extract::State;
use serde::Deserialize;
use std::time::Duration;
use tokio::time::{Instant, sleep_until};
use utoipa::IntoParams;
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

/// Where gateways wait.
pub const POLL: &str = "/machine/{hostname}/commands";

/// The longest wait, in seconds: what stands between here and there hangs up on a silent connection.
const WAIT_MAX_S: u64 = 60;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(poll)).routes(routes!(acknowledge))
}

/// How long to wait.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct PollParams {
    /// Seconds to wait for something to do, if there is nothing; 0 without it.
    #[param(minimum = 0, maximum = 60)]
    wait: Option<u64>,
}

/// Wait for commands
///
/// Answers as soon as there is something to do, and with nothing when the wait is over. In the order in
/// which it was given, and again each time until it is acknowledged: the id tells what was done already.
#[utoipa::path(get, path = "/machine/{hostname}/commands", tag = "command", operation_id = "poll_commands",
    params(("hostname" = String, Path, description = "The machine's host name, or its gateway's number"), PollParams),
    responses((status = 200, description = "What is to be done", body = Vec<Due>)))]
async fn poll(
    State(app): State<App>,
    caller: Caller,
    Path(hostname): Path<String>,
    Query(params): Query<PollParams>,
) -> Result<Json<Vec<Due>>> {
    caller.may(Permission::GatewayUse)?;
    let wait = params.wait.unwrap_or(0);
    if wait > WAIT_MAX_S {
        return Err(Error::malformed("/wait", format!("must be from 0 to {WAIT_MAX_S} seconds")));
    }
    let until = Instant::now() + Duration::from_secs(wait);
    let machine = station::named(&app, &caller, &hostname).await?;
    if station::is_gateway(&caller) {
        station::seen(&app.db, machine, app.clock.now()).await?;
    }
    let place = app.waiting.enter(machine);
    loop {
        // From here on, no wake-up is missed while Postgres is asked.
        let woken = place.woken();
        let due = store::due(&app.db, machine, app.clock.now()).await?;
        if !due.is_empty() {
            return Ok(Json(due));
        }
        tokio::select! {
            () = woken => {}
            () = sleep_until(until) => return Ok(Json(due)),
            () = app.closing.cancelled() => return Ok(Json(due)),
        }
    }
}

/// Acknowledge a command
///
/// Says what became of it, which ends its delivery. Saying the same again changes nothing.
#[utoipa::path(post, path = "/machine/{hostname}/commands/{id}", tag = "command",
    operation_id = "acknowledge_command",
    params(("hostname" = String, Path, description = "The machine's host name, or its gateway's number"),
        ("id" = Uuid, Path, description = "The command")),
    request_body = Acknowledgement,
    responses((status = 200, description = "It was taken down", body = Message)))]
async fn acknowledge(
    State(app): State<App>,
    caller: Caller,
    Path((hostname, id)): Path<(String, Uuid)>,
    body: Unread<Json<Acknowledgement>>,
) -> Result<Json<Message>> {
    let Json(said) = body.read(&app, &caller, Permission::GatewayUse).await?;
    said.check()?;
    let machine = station::named(&app, &caller, &hostname).await?;
    let now = app.clock.now();
    if station::is_gateway(&caller) {
        station::seen(&app.db, machine, now).await?;
    }
    store::acknowledge(&app.db, machine, id, said, now).await?;
    Ok(Message::json("command acknowledged"))
}
