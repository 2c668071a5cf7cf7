//! What gateways fetch: configuration and commands.

mod bulk;
mod commands;
mod configuration;
mod killed;
mod polls;
mod templates;

use crate::{app::TestApp, client::Client, world};
use axum::{
    body::Body,
    http::{HeaderMap, Request},
};
use serde_json::Value;

/// The gateway of a machine: a key that is bound to it.
async fn gateway(app: &TestApp, group: i64, hostname: &str) -> Client {
    app.bearer(world::key(&app.app.db, group, Some(hostname), &["gateway.use"]).await)
}

/// Someone of a group who may do just this.
async fn with_scopes(app: &TestApp, group: i64, scopes: &[&str]) -> Client {
    app.bearer(world::key(&app.app.db, group, None, scopes).await)
}

/// Fetches, with the version that is there already; the status, the body and the headers.
async fn fetch(client: &Client, hostname: &str, tag: Option<&str>) -> (u16, Value, HeaderMap) {
    let mut request = Request::get(format!("/machineconfig/{hostname}"));
    if let Some(tag) = tag {
        request = request.header("if-none-match", tag);
    }
    let reply = client.send_raw(request.body(Body::empty()).unwrap()).await;
    let body = if reply.body.is_empty() { Value::Null } else { reply.json() };
    (reply.status.as_u16(), body, reply.headers)
}

/// Where a machine's configuration stands, as everybody sees it at the machine.
async fn state(app: &TestApp, machine: i64) -> Option<String> {
    sqlx::query_scalar("SELECT config_state FROM machine WHERE id = $1")
        .bind(machine)
        .fetch_one(&app.app.db)
        .await
        .unwrap()
}
