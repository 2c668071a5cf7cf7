//! That the tests' own tools do what the other tests trust them to do, and what every request gets.

use crate::{
    app::TestApp,
    database::Database,
    server::Server,
    stores::{Stores, Which},
    world,
};
use axum::{
    body::Body,
    http::{Request, header},
};
use serde_json::json;
use std::time::Duration;

#[tokio::test]
async fn every_test_has_a_world_of_its_own() {
    let (one, other) = (TestApp::new().await, TestApp::new().await);
    let more = world::machines(&one.app.db, world::A, 3).await;
    assert_eq!(more.len(), 3);
    let count = async |app: &TestApp| {
        sqlx::query_scalar::<_, i64>("SELECT count(*) FROM machine").fetch_one(&app.app.db).await.unwrap()
    };
    assert_eq!((count(&one).await, count(&other).await), (11, 8));
    for (id, name) in world::GROUPS {
        let found: String = sqlx::query_scalar("SELECT name FROM user_group WHERE id = $1")
            .bind(id)
            .fetch_one(&one.app.db)
            .await
            .unwrap();
        assert_eq!(found, name);
    }
}

#[tokio::test]
async fn a_clock_can_stand_still_and_settings_can_differ() {
    let at = "2026-03-29T00:59:59Z";
    let test = TestApp::builder().stopped_at(at).config(|config| config.body_max_bytes = 64).build().await;
    assert_eq!(test.app.clock.now().to_rfc3339(), "2026-03-29T00:59:59+00:00");
    for store in ["postgres", "redis"] {
        loop {
            let health = test.anyone().get("/v1/health/ready").await.json();
            if health[store]["state"] == "up" {
                break;
            }
            assert_eq!(health[store]["since"], "2026-03-29T00:59:59.000Z", "away since the start");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
    assert_eq!(test.anyone().get("/v1/health/ready").await.expect(200)["service"], "full");
}

#[tokio::test]
async fn every_answer_carries_the_request_id_and_is_not_kept() {
    let test = TestApp::new().await;
    let request = Request::get("/health/live").header("x-request-id", "till-7").body(Body::empty()).unwrap();
    let reply = test.anyone().send_raw(request).await;
    assert_eq!(reply.headers["x-request-id"], "till-7");
    assert_eq!(reply.headers[header::CACHE_CONTROL], "no-store");
    assert_eq!(reply.headers[header::X_CONTENT_TYPE_OPTIONS], "nosniff");
    let other = test.anyone().get("/health/live").await;
    assert!(!other.headers["x-request-id"].is_empty());
}

#[tokio::test]
async fn what_is_not_there_is_a_problem() {
    let test = TestApp::new().await;
    let someone = test.bearer("scrip_nobody");
    someone.get("/nowhere").await.expect(404);
    someone.delete("/v1/nowhere").await.expect(404);
    let refused = someone.post("/health/live", json!({})).await;
    assert_eq!(refused.expect(405)["type"], "/docs/problems/method-not-allowed");
    assert_eq!(refused.headers[header::ALLOW], "GET,HEAD");
    someone.put("/health/live", json!({})).await.expect(405);
    someone.patch("/health/live", json!({})).await.expect(405);
    someone.get("/docs/problems/%ff").await.expect_problem(400, "/type");
}

#[tokio::test]
async fn users_log_in_and_devices_have_keys() {
    let test = TestApp::new().await;
    for (_, name) in world::GROUPS {
        let me = test.user(name).await.get("/user/me").await.expect(200);
        assert_eq!(me["username"], name);
    }
    let device = test.device(world::A, "vm-a-1").await;
    device.get("/apikey").await.expect(403);
    test.anyone().get("/apikey").await.expect(401);
}

#[tokio::test]
async fn too_many_at_once_are_sent_away_with_a_hint() {
    let test = TestApp::builder().config(|config| config.requests_max = 0).build().await;
    let reply = test.anyone().get("/docs/problems/busy").await;
    assert_eq!(reply.expect(503)["type"], "/docs/problems/busy");
    assert_eq!(reply.headers[header::RETRY_AFTER], "1");
}

#[tokio::test]
async fn metrics_name_routes_and_never_paths() {
    let test = TestApp::new().await;
    test.anyone().get("/docs/problems/invalid").await;
    let metrics = test.anyone().get("/metrics").await.text();
    assert!(metrics.contains(r#"route="/docs/problems/{type}""#), "{metrics}");
    assert!(!metrics.contains("problems/invalid"), "{metrics}");
}

#[tokio::test]
async fn a_server_process_can_be_killed_and_stopped() {
    let database = Database::new().await;
    let mut server = Server::start(&database).await;
    assert!(!server.has_ended());
    server.kill();
    assert!(server.has_ended());
    assert_eq!(server.get("/health/live", "").await, None);
    server.restart().await;
    assert_eq!(server.post("/health/live", "", &json!({})).await.unwrap().0, 405);
    assert!(server.stop(), "a server that is told to stop ends well");
}

#[tokio::test]
async fn a_server_outlives_its_stores() {
    let stores = Stores::start().await;
    stores.stop(Which::Redis);
    let server = Server::on(&stores.database_url, &stores.redis_url, "scrip").start_with(&[]).await;
    stores.kill(Which::Postgres);
    assert!(becomes(&server, 503).await, "ready says that Postgres is away");
    stores.kill(Which::Redis);
    stores.restart();
    assert!(becomes(&server, 200).await, "ready says that Postgres is back");
}

/// Whether readiness becomes this within ten seconds.
async fn becomes(server: &Server, status: u16) -> bool {
    for _ in 0..100 {
        if server.get("/health/ready", "").await.is_some_and(|(now, _)| now == status) {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    false
}
