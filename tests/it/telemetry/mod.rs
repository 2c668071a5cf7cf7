//! What machines send, and what is kept of it.

mod booking;
mod ingest;
mod months;
mod offline;
mod repeats;
mod series;

use crate::{app::TestApp, client::Client, world};
use scrip::{app::App, telemetry::recount::recount};
use serde_json::{Value, json};

/// When these tests take place: at noon in winter.
const NOW: &str = "2026-11-24T12:00:00Z";

/// The machine of most tests: 21, of group `a`, in Amsterdam.
const HERE: &str = "vm-a-1";

/// The gateway of a machine: a key that is bound to it.
async fn gateway(test: &TestApp, group: i64, hostname: &str) -> Client {
    test.bearer(world::key(&test.app.db, group, Some(hostname), &["gateway.use"]).await)
}

/// Runs statements that set something up.
async fn set_up(app: &App, sql: &'static str) {
    sqlx::raw_sql(sql).execute(&app.db).await.unwrap();
}

/// The rows of a statement, as JSON: each a row's only column, or all of them.
async fn rows(app: &App, sql: &'static str) -> Value {
    let sql = format!("SELECT COALESCE(jsonb_agg(to_jsonb(row)), '[]') FROM ({sql}) AS row");
    sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).fetch_one(&app.db).await.unwrap()
}

/// A sale of a Cola for 1.50.
fn cola(remote: i64, occurred_at: &str) -> Value {
    json!({"remote": remote, "occurredAt": occurred_at, "price": 150, "name": "Cola"})
}

/// What became of each item, in one word.
fn statuses(receipts: &Value) -> Vec<&str> {
    receipts.as_array().unwrap().iter().map(|receipt| receipt["status"].as_str().unwrap()).collect()
}

/// That all sums are what their rows come to.
async fn assert_sums(app: &App) {
    let report = recount(&app.db, false).await.unwrap();
    assert_eq!((report.differing, report.differences), (0, vec![]));
}
