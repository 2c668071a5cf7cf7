//! Sending commands, and seeing what became of them, over HTTP.

use super::{
    command::{self, Command, Scalar},
    store::{self, COMMANDS, Order},
};
use crate::{
    app::App,
    error::{Error, Result},
    fleet::filter::Filter,
    gateway::station,
    http::{
        Caller, Json, Path, Query, Unread,
        caller::Permission,
        extract::OptionalJson,
        list::{ListParams, belongs_to, rows},
    },
    idempotency::Creation,
};
use axum::{extract::State, http::StatusCode, response::Response};
use serde::{Deserialize, Serialize};
use sqlx::{Postgres, QueryBuilder, postgres::PgRow};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(send)).routes(routes!(fetch, send_to_many)).routes(routes!(list))
}

/// How long a command waits.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Patience {
    /// Seconds after which it is no longer to be carried out; a day without it.
    #[param(minimum = 1)]
    expires: Option<i64>,
}

/// With what one machine is to do something.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = CommandDraft)]
struct Draft {
    /// Numbers, texts and switches that the command goes by.
    #[serde(default)]
    #[schema(max_items = 100)]
    params: Vec<Scalar>,
}

/// Which machines are to do something, and with what.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = CommandToManyDraft)]
struct ToManyDraft {
    /// Which machines.
    filter: Filter,
    /// Objects that the command goes by.
    #[serde(default)]
    #[schema(max_items = 100, value_type = Vec<Object>)]
    params: Vec<serde_json::Map<String, serde_json::Value>>,
}

/// That a command was stored.
#[derive(Debug, Serialize, ToSchema)]
struct CommandSent {
    /// In a few words.
    message: &'static str,
    /// The command's id.
    id: Uuid,
}

/// That commands were stored.
#[derive(Debug, Serialize, ToSchema)]
struct CommandsSent {
    /// In a few words.
    message: &'static str,
    /// To how many machines.
    count: i64,
    /// What the commands can be found by.
    batch: Uuid,
}

fn order<'a>(
    app: &App,
    caller: &Caller,
    name: &'a str,
    params: serde_json::Value,
    patience: &Patience,
) -> Result<Order<'a>> {
    let config = &app.config;
    let patience =
        command::patience(patience.expires, config.command_expires_s, config.command_expires_max_s)?;
    let now = app.clock.now();
    Ok(Order {
        command: command::name(name)?,
        params,
        batch: None,
        created_by: caller.account(),
        created_at: now,
        expires_at: now + patience,
    })
}

/// Send a command to a machine
///
/// It waits until the machine's gateway fetches it, or until its time is over. No body is an empty one.
#[utoipa::path(post, path = "/command/{hostname}/{command}", tag = "command", operation_id = "send_command",
    params(("hostname" = String, Path, description = "The machine's host name, or its gateway's number"),
        ("command" = String, Path, description = "What it is to do: 1 to 100 printable characters without a slash"), Patience),
    request_body = Draft,
    responses((status = 201, description = "The command was stored", body = CommandSent)))]
async fn send(
    State(app): State<App>,
    caller: Caller,
    Path((hostname, name)): Path<(String, String)>,
    Query(patience): Query<Patience>,
    body: Unread<OptionalJson<Draft>>,
) -> Result<(StatusCode, Json<CommandSent>)> {
    let OptionalJson(draft) = body.read(&app, &caller, Permission::CommandSend).await?;
    let order = order(&app, &caller, &name, command::scalars(draft.params)?, &patience)?;
    let machine = station::named(&app, &caller, &hostname).await?;
    let mut creation = Creation::begin(&app.db, order.created_at).await?;
    let given = store::give(&mut creation, order, &[machine]).await?;
    let id = *given.first().ok_or(Error::NotFound("machine"))?;
    creation.commit(StatusCode::CREATED, CommandSent { message: "command stored", id }).await
}

/// Send a command to many machines
///
/// To those that the filter names now. Each gets a command of its own; `batch` finds them all.
#[utoipa::path(post, path = "/command/{command}", tag = "command", operation_id = "send_command_to_many",
    params(("command" = String, Path, description = "What they are to do: 1 to 100 printable characters without a slash"), Patience),
    request_body = ToManyDraft,
    responses((status = 201, description = "The commands were stored", body = CommandsSent)))]
async fn send_to_many(
    State(app): State<App>,
    caller: Caller,
    Path(name): Path<String>,
    Query(patience): Query<Patience>,
    body: Unread<Json<ToManyDraft>>,
) -> Result<(StatusCode, Json<CommandsSent>)> {
    let Json(draft) = body.read(&app, &caller, Permission::CommandSend).await?;
    station::unbound(&caller)?;
    let batch = Uuid::now_v7();
    let order = order(&app, &caller, &name, command::objects(draft.params)?, &patience)?;
    let order = Order { batch: Some(batch), ..order };
    let machines = draft.filter.machines(&app, caller.group()).await?;
    let mut creation = Creation::begin(&app.db, order.created_at).await?;
    let count = store::give(&mut creation, order, &machines).await?.len() as i64;
    creation.commit(StatusCode::CREATED, CommandsSent { message: "commands stored", count, batch }).await
}

/// List commands
#[utoipa::path(get, path = "/command", tag = "command", operation_id = "list_commands", params(ListParams),
    responses((status = 200, description = "A page of commands", body = Vec<Command>)))]
async fn list(State(app): State<App>, caller: Caller, params: ListParams) -> Result<Response> {
    caller.may(Permission::CommandRead)?;
    let now = app.clock.now();
    let query = params.over(&COMMANDS)?;
    store::note_expired(&app.db, now).await?;
    let reading = app.reads.list(caller.group()).await?;
    let scope = |sql: &mut QueryBuilder<Postgres>| {
        belongs_to(sql, "m.user_group", caller.group());
        if let Some(machine) = caller.machine() {
            sql.push(" AND c.machine = ").push_bind(machine);
        }
    };
    let show = move |row: &PgRow| Ok(rows::<Command>(row)?.as_of(now));
    query.answer(&app, reading, scope, show).await
}

/// Read a command
#[utoipa::path(get, path = "/command/{command}", tag = "command", operation_id = "fetch_command",
    params(("command" = Uuid, Path, description = "The command's id")),
    responses((status = 200, description = "The command", body = Command)))]
async fn fetch(State(app): State<App>, caller: Caller, Path(id): Path<Uuid>) -> Result<Json<Command>> {
    caller.may(Permission::CommandRead)?;
    let command = store::fetch(&app.db, caller.group(), id).await?;
    station::bound(&caller, command.machine)?;
    Ok(Json(command.as_of(app.clock.now())))
}
