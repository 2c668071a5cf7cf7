//! Alerts: what makes an observer fire, and who is told how often.

mod killed;
mod plain;
mod story;

use crate::{
    app::{Builder, TestApp},
    client::Client,
};
use chrono::{DateTime, Duration, Utc};
use scrip::{alerts::schedule, jobs::worker::work_one};
use serde_json::{Value, json};
use sqlx::PgPool;
use std::path::Path;

/// The type of a message, and of an alarm.
const MESSAGE: i16 = 1;
const ALARM: i16 = 3;

/// A server whose clock is moved by days, through which its users stay logged in.
fn at(instant: &str) -> Builder {
    TestApp::builder().stopped_at(instant).config(|config| config.access_token_s = 365 * 24 * 3600)
}

/// A machine says something; if the error is known, it is the only one that there is.
async fn event(db: &PgPool, machine: i64, code: &str, kind: i16, at: DateTime<Utc>) {
    let sql = "
        INSERT INTO machine_log (machine, location, user_group, occurred_at, time_zone, code, error_identity, type)
        SELECT m.id, m.location, m.user_group, $2, l.time_zone, $3, (SELECT id FROM error_identity WHERE error = $3), $4
        FROM machine m JOIN location l ON l.id = m.location WHERE m.id = $1";
    sqlx::query(sql).bind(machine).bind(at).bind(code).bind(kind).execute(db).await.unwrap();
}

/// All that is open at a machine is resolved.
async fn resolve(db: &PgPool, machine: i64, at: DateTime<Utc>) {
    let sql = "UPDATE machine_log SET resolved_at = $2 WHERE machine = $1 AND resolved_at IS NULL";
    sqlx::query(sql).bind(machine).bind(at).execute(db).await.unwrap();
}

/// A machine sells something.
async fn sale(db: &PgPool, machine: i64, at: DateTime<Utc>) {
    let sql = "
        INSERT INTO revenue_transaction (machine, location, user_group, occurred_at, time_zone, name, price,
                                         original_price, currency)
        SELECT m.id, m.location, m.user_group, $2, l.time_zone, 'Cola', 150, 150, 'EUR'
        FROM machine m JOIN location l ON l.id = m.location WHERE m.id = $1";
    sqlx::query(sql).bind(machine).bind(at).execute(db).await.unwrap();
}

/// Something is paid at a machine, or given back.
async fn payment(db: &PgPool, machine: i64, method: &str, price: i64, at: DateTime<Utc>) {
    let sql = "
        INSERT INTO payment_transaction (machine, location, user_group, occurred_at, time_zone, method, type, price, currency)
        SELECT m.id, m.location, m.user_group, $2, l.time_zone, $3, 'other', $4, 'EUR'
        FROM machine m JOIN location l ON l.id = m.location WHERE m.id = $1";
    sqlx::query(sql).bind(machine).bind(at).bind(method).bind(price).execute(db).await.unwrap();
}

/// Time passes, and whatever is due by then is looked at.
async fn pass(test: &TestApp, minutes: i64) {
    test.app.clock.advance(Duration::minutes(minutes));
    schedule::tick(&test.app).await.unwrap();
}

/// The ids of what a list shows.
async fn ids(client: &Client, path: &str) -> Vec<i64> {
    let rows = client.get(path).await.expect(200);
    rows.as_array().unwrap().iter().map(|row| row["id"].as_i64().unwrap()).collect()
}

/// An observer of group a's, which tells its only group of recipients.
async fn observer(client: &Client, terms: Value) -> i64 {
    let mut body = json!({"name": "Watch", "timerType": 1, "alertGroup": 2});
    body.as_object_mut().unwrap().extend(terms.as_object().unwrap().clone());
    client.post("/alertobserver", body).await.expect(201)["id"].as_i64().unwrap()
}

async fn recipient(client: &Client, name: &str, language: i64) -> i64 {
    let email = format!("{name}@example.com");
    let body = json!({"name": name, "email": email, "language": language, "alertGroup": 2});
    client.post("/alertrecipient", body).await.expect(201)["id"].as_i64().unwrap()
}

/// What was put into the outbox since the last look, in its order: the letter, the recipient, what it says.
async fn mails(test: &TestApp) -> Vec<(String, String, Value)> {
    let sql = "
        WITH taken AS (DELETE FROM mail RETURNING *), dismissed AS (DELETE FROM job)
        SELECT letter, recipient, content FROM taken ORDER BY id";
    sqlx::query_as(sql).fetch_all(&test.app.db).await.unwrap()
}

/// All mails that are due leave.
async fn send(test: &TestApp) {
    while work_one(&test.app).await.unwrap() {}
}

/// The mails in a folder, as texts.
fn sent(folder: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|ending| ending == "txt"));
    paths.sort();
    paths.iter().map(|path| std::fs::read_to_string(path).unwrap()).collect()
}
