//! A server dies in the middle of changing many machines' configuration.

use crate::{
    database::{self, Database},
    pair::becomes,
    server::Server,
    world,
};
use reqwest::Method;
use serde_json::json;
use sqlx::PgPool;

/// The first server dies at its first batch of two machines; what is left is done by the next.
async fn dies_at(point: &str, changed_by_then: i64) {
    let database = Database::new().await;
    let db = PgPool::connect(&database.url).await.unwrap();
    let mut machines: Vec<i64> = Vec::new();
    for hostname in world::machines(&db, world::A, 9).await {
        let id = sqlx::query_scalar("SELECT id FROM machine WHERE hostname = $1").bind(hostname);
        machines.push(id.fetch_one(&db).await.unwrap());
    }
    let key = world::key(&db, world::A, None, &["config.read", "config.write"]).await;
    let fail = format!("{point}=return");
    let environment =
        [("FAILPOINTS", fail.as_str()), ("SCRIP_CONFIGURATION_BATCH", "2"), ("SCRIP_JOB_LEASE_S", "1")];
    let server = Server::on(&database.url, &database::url("SCRIP_TEST_REDIS_URL"), &database.name);
    let mut server = server.start_with(&environment).await;
    let body = json!({
        "filter": {"type": "machine", "ids": machines},
        "configuration": {"wlan": {"encryption": "wpa2", "encryptionKey": "correct horse"}},
    });
    // The answer may be lost with the server: the job is there or it is not.
    server.send(Method::PUT, "/machine/config", &key, Some(&body)).await;
    becomes("the server has died", async || server.has_ended()).await;
    let versions = async || {
        let sql = "SELECT version FROM machine_config ORDER BY machine";
        sqlx::query_scalar::<_, i64>(sql).fetch_all(&db).await.unwrap()
    };
    assert_eq!(versions().await.len() as i64, changed_by_then);

    server.restart_without(&["FAILPOINTS"]).await;
    let (job, total): (i64, i64) = sqlx::query_as("SELECT id, total FROM job").fetch_one(&db).await.unwrap();
    assert_eq!(total, 9);
    becomes("the change is made", async || {
        let progress = server.get(&format!("/machine/config/{job}"), &key).await;
        progress.is_some_and(|(_, progress)| progress["state"] == "done")
    })
    .await;
    assert_eq!(versions().await, [1; 9], "each machine once");
    let outcomes = server.get(&format!("/machine/config/{job}/machines?where[state]=scheduled"), &key).await;
    assert_eq!(outcomes.unwrap().1.as_array().unwrap().len(), 9);
}

#[tokio::test(flavor = "multi_thread")]
async fn before_a_batch_is_committed() {
    dies_at("configuration-before-commit", 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_batch_is_committed() {
    dies_at("configuration-after-commit", 2).await;
}
