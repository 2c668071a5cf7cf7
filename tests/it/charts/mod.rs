//! User reports, their charts and what they show; dashboards.

mod dashboards;
mod figures;
mod story;

use crate::client::Client;
use serde_json::{Value, json};

/// A report of whoever asks, by its id.
async fn report(client: &Client, name: &str) -> i64 {
    client.post("/userreport", json!({"name": name})).await.expect(201)["id"].as_i64().unwrap()
}

/// A chart of a report, by its id.
async fn chart(client: &Client, report: i64, body: Value) -> i64 {
    let path = format!("/userreport/{report}/chart");
    client.post(&path, body).await.expect(201)["id"].as_i64().unwrap()
}

/// What a chart shows.
async fn data(client: &Client, chart: i64) -> Vec<Value> {
    let rows = client.get(&format!("/chart/{chart}/data")).await.expect(200);
    rows.as_array().unwrap().clone()
}
