//! Gateways that wait for something to do: woken by whatever server, holding nothing meanwhile.

use super::gateway;
use crate::{
    app::TestApp,
    client::{Client, Reply},
    pair::{BACK_WITHIN, becomes},
    world,
};
use scrip::{app::App, http, time::Clock};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::task::JoinHandle;

/// Begins to wait, as long as one can.
fn wait(gateway: &Client, hostname: &str) -> JoinHandle<Reply> {
    let (gateway, path) = (gateway.clone(), format!("/machine/{hostname}/commands?wait=60"));
    tokio::spawn(async move { gateway.get(&path).await })
}

/// What came of it, long before the wait was over.
async fn heard(waiting: JoinHandle<Reply>) -> Vec<String> {
    let reply = tokio::time::timeout(BACK_WITHIN, waiting).await.expect("still waiting").unwrap();
    let due = reply.expect(200);
    due.as_array().unwrap().iter().map(|due: &Value| due["command"].as_str().unwrap().to_owned()).collect()
}

/// Waits until so many machines are waited for at a server.
async fn waits(app: &App, machines: usize) {
    becomes("gateways wait", async || app.waiting.machines() == machines).await;
}

#[tokio::test]
async fn whoever_waits_is_woken_by_its_own_commands_alone() {
    let app = TestApp::new().await;
    let a = app.user("a").await;
    let (one, two) = (gateway(&app, world::A, "vm-a-1").await, gateway(&app, world::A, "vm-a-2").await);
    let (first, same, second) = (wait(&one, "vm-a-1"), wait(&one, "vm-a-1"), wait(&two, "vm-a-2"));
    waits(&app.app, 2).await;
    a.post("/command/vm-a-1/reboot", json!({})).await.expect(201);
    assert_eq!(heard(first).await, ["reboot"]);
    assert_eq!(heard(same).await, ["reboot"]);
    waits(&app.app, 1).await;
    assert!(!second.is_finished());
    let both = json!({"filter": {"type": "location", "ids": [2]}, "params": []});
    a.post("/command/beep", both).await.expect(201);
    assert_eq!(heard(second).await, ["beep"]);
    // Nothing is kept of those who have gone.
    waits(&app.app, 0).await;
    let gone = wait(&one, "vm-a-2");
    assert_eq!(gone.await.unwrap().status, 403);
    let left = wait(&two, "vm-a-2");
    two.post(&format!("/machine/vm-a-2/commands/{}", first_id(&two).await), json!({"result": "done"}))
        .await
        .expect(200);
    left.abort();
    waits(&app.app, 0).await;
}

/// The id of the first command of the second machine.
async fn first_id(gateway: &Client) -> String {
    let due = gateway.get("/machine/vm-a-2/commands").await.expect(200);
    due[0]["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_command_that_is_given_at_one_server_wakes_who_waits_at_another() {
    let app = TestApp::new().await;
    let other = App::start(app.app.config.clone(), Clock::default()).unwrap();
    let key = world::key(&app.app.db, world::A, Some("vm-a-1"), &["gateway.use"]).await;
    let there = Client::new(http::surface(other.clone()), Some(key));
    let a = app.user("a").await;
    for round in 0..5 {
        let waiting = wait(&there, "vm-a-1");
        waits(&other, 1).await;
        let id = a.post(&format!("/command/vm-a-1/step-{round}"), json!({})).await.expect(201)["id"].clone();
        assert_eq!(heard(waiting).await, [format!("step-{round}")]);
        let path = format!("/machine/vm-a-1/commands/{}", id.as_str().unwrap());
        there.post(&path, json!({"result": "done"})).await.expect(200);
    }
    other.stop.cancel();
    other.tasks.close();
    other.tasks.wait().await;
    other.db.close().await;
}

#[tokio::test]
async fn whoever_has_missed_a_notice_looks_again_when_postgres_is_back() {
    const DEAF: &str = "
        SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid()";
    let app = TestApp::new().await;
    let (a, gateway) = (app.user("a").await, gateway(&app, world::A, "vm-a-1").await);
    // Nobody is told of this one.
    sqlx::query("ALTER TABLE command DISABLE TRIGGER notice").execute(&app.app.db).await.unwrap();
    let waiting = wait(&gateway, "vm-a-1");
    waits(&app.app, 1).await;
    a.post("/command/vm-a-1/reboot", json!({})).await.expect(201);
    sqlx::query(DEAF).execute(&app.app.db).await.unwrap();
    let reply = tokio::time::timeout(BACK_WITHIN, waiting).await.expect("still waiting").unwrap();
    // It is woken, and finds the command, or that its connection is one of those that were cut.
    assert!(
        reply.status == 200 && reply.json()[0]["command"] == "reboot" || reply.status == 503,
        "{}",
        reply.text()
    );
}

#[tokio::test]
async fn many_who_wait_hold_no_connection() {
    let app = TestApp::builder()
        .config(|config| {
            config.database_connections = 2;
            // And no place among the other requests.
            config.requests_max = 4;
        })
        .build()
        .await;
    let hostnames = world::machines(&app.app.db, world::A, 40).await;
    let key = world::key(&app.app.db, world::A, None, &["gateway.use"]).await;
    let fleet = app.bearer(key);
    let waiting: Vec<_> = hostnames.iter().map(|hostname| wait(&fleet, hostname)).collect();
    waits(&app.app, 40).await;
    let a = app.user("a").await;
    for hostname in &hostnames[..3] {
        a.post(&format!("/command/{hostname}/reboot"), json!({})).await.expect(201);
    }
    for (number, waiting) in waiting.into_iter().enumerate() {
        if number < 3 {
            assert_eq!(heard(waiting).await, ["reboot"]);
        } else {
            assert!(!waiting.is_finished());
            waiting.abort();
        }
    }
}

#[tokio::test]
async fn there_is_room_for_as_many_as_are_allowed_to_wait() {
    let app = TestApp::builder().config(|config| config.polls_max = 1).build().await;
    let gateway = gateway(&app, world::A, "vm-a-1").await;
    let waiting = wait(&gateway, "vm-a-1");
    waits(&app.app, 1).await;
    let refused = gateway.get("/v1/machine/vm-a-1/commands").await;
    refused.expect(503);
    assert!(refused.headers.contains_key("retry-after"));
    waiting.abort();
    waits(&app.app, 0).await;
    gateway.get("/machine/vm-a-1/commands").await.expect(200);
}

#[tokio::test]
async fn a_server_that_stops_keeps_nobody_waiting() {
    let app = TestApp::new().await;
    let gateway = gateway(&app, world::A, "vm-a-1").await;
    let waiting = wait(&gateway, "vm-a-1");
    waits(&app.app, 1).await;
    app.app.closing.cancel();
    assert_eq!(heard(waiting).await, [""; 0]);
    assert!(!app.app.stop.is_cancelled());
}

#[tokio::test]
async fn a_real_server_that_is_told_to_stop_answers_who_waits() {
    use crate::{database::Database, server::Server};
    let database = Database::new().await;
    let db = sqlx::PgPool::connect(&database.url).await.unwrap();
    let key = world::key(&db, world::A, Some("vm-a-1"), &["gateway.use"]).await;
    // Longer than this test is patient.
    let server = Server::on(&database.url, &crate::database::url("SCRIP_TEST_REDIS_URL"), &database.name);
    let server = std::sync::Arc::new(server.start_with(&[("SCRIP_DRAIN_S", "50")]).await);
    becomes("the machine is heard of", async || {
        server.get("/machine/vm-a-1/commands?wait=0", &key).await.is_some_and(|(status, _)| status == 200)
    })
    .await;
    let waiting = tokio::spawn({
        let (server, key) = (server.clone(), key.clone());
        async move { server.get("/machine/vm-a-1/commands?wait=60", &key).await }
    });
    becomes("it waits", async || {
        let metrics = reqwest::get(server.url("/metrics")).await.unwrap().text().await.unwrap();
        metrics.lines().any(|line| line == "scrip_gateways_waiting 1")
    })
    .await;
    server.terminate();
    let answer =
        tokio::time::timeout(Duration::from_secs(20), waiting).await.expect("still waiting").unwrap();
    assert_eq!(answer, Some((200, json!([]))));
}
