//! Integrations: what is put aside for them arrives, whoever fails in between.

mod delivery;
mod endpoint;
mod failure;
mod resource;
mod rights;
mod servers;

use crate::{app::TestApp, client::Client};
use chrono::{DateTime, Utc};
use endpoint::Endpoint;
use scrip::integrations::delivery::take_one;
use serde_json::{Value, json};
use sqlx::PgPool;

/// A server that may deliver to this process, and waits for it but a second.
async fn server() -> TestApp {
    let open = TestApp::builder().config(|config| {
        config.integration_plain_http = true;
        config.integration_private_addresses = true;
        config.integration_timeout_s = 1;
    });
    open.build().await
}

/// An integration of a group, with fields beside its name and its URL; its id and its secret.
async fn integrate(client: &Client, endpoint: &Endpoint, name: &str, more: Value) -> (i64, String) {
    let mut body = json!({"externalId": 1, "name": name, "url": endpoint.url, "retryThrottle": 0});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let created = client.post("/integration", body).await.expect(201);
    (created["id"].as_i64().unwrap(), created["secret"].as_str().unwrap().to_owned())
}

/// One sale after the other at a machine, each with its payment, as a batch comes in; their ids.
async fn sell(db: &PgPool, machine: i64, count: i32) -> Vec<i64> {
    let mut tx = scrip::transaction::begin(db).await.unwrap();
    sqlx::query(
        "INSERT INTO machine_presence (machine, seen_at) VALUES ($1, now())
         ON CONFLICT (machine) DO UPDATE SET seen_at = excluded.seen_at",
    )
    .bind(machine)
    .execute(&mut *tx)
    .await
    .unwrap();
    let sales: Vec<(i64, DateTime<Utc>)> = sqlx::query_as(
        "INSERT INTO revenue_transaction (machine, location, user_group, occurred_at, time_zone, name, price,
             original_price, currency, remote)
         SELECT m.id, m.location, m.user_group, now() - interval '1 hour', l.time_zone, 'Cola', 150, 200, 'EUR', n
         FROM machine m JOIN location l ON l.id = m.location, generate_series(1, $2) n WHERE m.id = $1
         RETURNING id, occurred_at",
    )
    .bind(machine)
    .bind(count)
    .fetch_all(&mut *tx)
    .await
    .unwrap();
    let ids: Vec<i64> = sales.iter().map(|(id, _)| *id).collect();
    sqlx::query(
        "INSERT INTO payment_transaction (revenuetransaction, machine, location, user_group, occurred_at, time_zone,
             method, type, price, currency)
         SELECT id, machine, location, user_group, occurred_at, time_zone, 'card', 'card', price, currency
         FROM revenue_transaction WHERE id = ANY($1)",
    )
    .bind(&ids)
    .execute(&mut *tx)
    .await
    .unwrap();
    tx.commit().await.unwrap();
    ids
}

/// Delivers until nothing is left to be delivered now.
async fn deliver(test: &TestApp) {
    while take_one(&test.app).await.unwrap() {}
}

/// How many deliveries there are.
async fn count(db: &PgPool) -> i64 {
    sqlx::query_scalar("SELECT count(*) FROM delivery").fetch_one(db).await.unwrap()
}
