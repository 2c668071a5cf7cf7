//! Where gateways send what their machines did.

use super::{
    batch::{Batch, Receipt},
    events,
    item::{EventItem, PaymentItem, SaleItem},
    payments, sales,
};
use crate::{
    app::App,
    crash,
    error::Result,
    gateway::station,
    http::{Caller, Json, Message, Path, Unread, caller::Permission},
    resource::{Text, Whole},
    telemetry::sender::Sender,
    transaction,
};
use axum::extract::State;
use serde::Deserialize;
use sqlx::{Postgres, Transaction};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

/// What the telemetry area takes in.
pub(in crate::telemetry) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(send_sales))
        .routes(routes!(send_payments))
        .routes(routes!(send_events))
        .routes(routes!(send_heartbeat))
}

/// One item, or an array of up to 1,000.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "it is what the document says; items are read one by one")]
enum OneOrMany<T> {
    /// One.
    One(T),
    /// Many.
    Many(Vec<T>),
}

/// What a gateway says of itself.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Heartbeat {
    /// The version of its software.
    #[schema(value_type = Option<String>, min_length = 1, max_length = 200, examples("2.4.1"))]
    version: Option<Text<200>>,
    /// Seconds since it was started.
    #[schema(value_type = Option<i64>, minimum = 0)]
    uptime: Option<Whole<0, { i64::MAX }>>,
}

/// The machine whose gateway sends: known before anything that it sends is read.
async fn sender(app: &App, caller: &Caller, hostname: &str) -> Result<i64> {
    caller.may(Permission::GatewayUse)?;
    station::named(app, caller, hostname).await
}

/// Begins the transaction that holds a machine's presence.
async fn begin(app: &App, machine: i64) -> Result<(Transaction<'static, Postgres>, Sender)> {
    let mut tx = transaction::begin(&app.db).await?;
    let sender = Sender::lock(&mut tx, machine, app.clock.now()).await?;
    Ok((tx, sender))
}

/// Commits what was taken in, before anybody is told of it.
async fn commit(tx: Transaction<'static, Postgres>) -> Result<()> {
    crash::point("telemetry-before-commit");
    tx.commit().await?;
    crash::point("telemetry-after-commit");
    Ok(())
}

/// Send sales
///
/// One, or up to 1,000 in an array, as JSON or zipped (`Content-Encoding: gzip`). The answer has an entry an
/// item, in their order: each is kept or refused by itself. Sending the same again changes nothing, so a
/// gateway that has lost the answer sends the batch again. A machine whose own numbers begin again names
/// another `series`; of one that does not, a number that is taken, by a sale later than all before, begins one.
/// A sale whose payments were given back counts for what is left of its price.
#[utoipa::path(post, path = "/machine/{hostname}/revenuetransactions", tag = "telemetry",
    operation_id = "send_revenuetransactions",
    params(("hostname" = String, Path, description = "The machine's host name, or its gateway's number")), request_body = OneOrMany<SaleItem>,
    responses((status = 200, description = "What became of each", body = Vec<Receipt>)))]
async fn send_sales(
    State(app): State<App>,
    caller: Caller,
    Path(hostname): Path<String>,
    body: Unread<Batch<SaleItem>>,
) -> Result<Json<Vec<Receipt>>> {
    let machine = sender(&app, &caller, &hostname).await?;
    let batch = body.read(&app, &caller, Permission::GatewayUse).await?;
    let (mut tx, sender) = begin(&app, machine).await?;
    let receipts = sales::take_in(&mut tx, &sender, batch).await?;
    commit(tx).await?;
    Ok(Json(receipts))
}

/// Send payments
///
/// As sales are sent. A payment may name a sale that has not arrived: it becomes that sale's when it does.
#[utoipa::path(post, path = "/machine/{hostname}/paymenttransactions", tag = "telemetry",
    operation_id = "send_paymenttransactions",
    params(("hostname" = String, Path, description = "The machine's host name, or its gateway's number")), request_body = OneOrMany<PaymentItem>,
    responses((status = 200, description = "What became of each", body = Vec<Receipt>)))]
async fn send_payments(
    State(app): State<App>,
    caller: Caller,
    Path(hostname): Path<String>,
    body: Unread<Batch<PaymentItem>>,
) -> Result<Json<Vec<Receipt>>> {
    let machine = sender(&app, &caller, &hostname).await?;
    let batch = body.read(&app, &caller, Permission::GatewayUse).await?;
    let (mut tx, sender) = begin(&app, machine).await?;
    let receipts = payments::take_in(&mut tx, &sender, batch).await?;
    commit(tx).await?;
    Ok(Json(receipts))
}

/// Send events
///
/// As sales are sent. An issue or an alarm lasts until it is sent again with its end.
#[utoipa::path(post, path = "/machine/{hostname}/logs", tag = "telemetry", operation_id = "send_logs",
    params(("hostname" = String, Path, description = "The machine's host name, or its gateway's number")), request_body = OneOrMany<EventItem>,
    responses((status = 200, description = "What became of each", body = Vec<Receipt>)))]
async fn send_events(
    State(app): State<App>,
    caller: Caller,
    Path(hostname): Path<String>,
    body: Unread<Batch<EventItem>>,
) -> Result<Json<Vec<Receipt>>> {
    let machine = sender(&app, &caller, &hostname).await?;
    let batch = body.read(&app, &caller, Permission::GatewayUse).await?;
    let (mut tx, sender) = begin(&app, machine).await?;
    let receipts = events::take_in(&mut tx, &sender, batch).await?;
    commit(tx).await?;
    Ok(Json(receipts))
}

/// Send a sign of life
///
/// A machine that is not heard of for long is offline. Whatever else its gateway sends or asks counts too.
#[utoipa::path(post, path = "/machine/{hostname}/heartbeat", tag = "telemetry", operation_id = "send_heartbeat",
    params(("hostname" = String, Path, description = "The machine's host name, or its gateway's number")), request_body = Heartbeat,
    responses((status = 200, description = "It was taken down", body = Message)))]
async fn send_heartbeat(
    State(app): State<App>,
    caller: Caller,
    Path(hostname): Path<String>,
    body: Unread<Json<Heartbeat>>,
) -> Result<Json<Message>> {
    // What is not said stays as it was said before.
    const SQL: &str = "
        UPDATE machine_presence SET gateway_version = COALESCE($2, gateway_version),
            gateway_uptime = COALESCE($3, gateway_uptime) WHERE machine = $1";
    let machine = sender(&app, &caller, &hostname).await?;
    let Json(body) = body.read(&app, &caller, Permission::GatewayUse).await?;
    let (mut tx, sender) = begin(&app, machine).await?;
    let beat = sqlx::query(SQL).bind(sender.machine).bind(body.version.map(|version| version.0));
    beat.bind(body.uptime.map(|uptime| uptime.0)).execute(&mut *tx).await?;
    tx.commit().await?;
    Ok(Message::json("heartbeat taken down"))
}
