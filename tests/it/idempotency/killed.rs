//! A server dies between what it creates and the answer: both are there, or neither is.

use super::KEY;
use crate::{database::Database, pair::becomes, server::Server, world};
use reqwest::Client;
use serde_json::{Value, json};
use sqlx::PgPool;

/// Sends a campaign with a key; the answer, if one came.
async fn create(server: &Server, token: &str) -> Option<(u16, Value)> {
    let draft = json!({"name": "Spring", "totalVouchers": 0, "voucherValue": 100});
    let request =
        Client::new().post(server.url("/campaign")).bearer_auth(token).header(KEY, "k").json(&draft);
    let response = request.send().await.ok()?;
    let status = response.status().as_u16();
    Some((status, response.json().await.ok()?))
}

async fn dies_at(point: &str, created: i64) {
    let database = Database::new().await;
    let db = PgPool::connect(&database.url).await.unwrap();
    let token = world::key(&db, world::A, None, &["campaign.write"]).await;
    let fail = format!("{point}=return");
    let mut server = Server::of(&database).start_with(&[("FAILPOINTS", &fail)]).await;
    assert_eq!(create(&server, &token).await, None);
    becomes("the server has died", async || server.has_ended()).await;
    let count = async |sql: &'static str| -> i64 { sqlx::query_scalar(sql).fetch_one(&db).await.unwrap() };
    assert_eq!(count("SELECT count(*) FROM campaign").await, created);
    assert_eq!(count("SELECT count(*) FROM idempotency_key").await, created);
    server.restart_without(&["FAILPOINTS"]).await;
    let (status, first) = create(&server, &token).await.unwrap();
    assert_eq!(status, 201, "{first}");
    assert_eq!(create(&server, &token).await.unwrap(), (201, first));
    assert_eq!(count("SELECT count(*) FROM campaign").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn before_it_is_committed() {
    dies_at("creation-before-commit", 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn when_it_is_committed() {
    dies_at("creation-after-commit", 1).await;
}
