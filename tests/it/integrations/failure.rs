//! Endpoints that fail, hang, say no, and come back.

use super::{
    deliver,
    endpoint::{Endpoint, Received, Reply},
    integrate, sell, server,
};
use crate::{app::TestApp, client::Client, pair::becomes};
use scrip::integrations::delivery::take_one;
use serde_json::{Value, json};

fn sales(received: &[Received]) -> Vec<i64> {
    received.iter().map(Received::sale).collect()
}

async fn shown(client: &Client, id: i64) -> Value {
    client.get(&format!("/integration/{id}")).await.expect(200)
}

#[tokio::test]
async fn the_next_turn_begins_behind_the_machine_that_was_told_last() {
    let open = TestApp::builder().config(|config| {
        config.integration_plain_http = true;
        config.integration_private_addresses = true;
        config.integration_turn_s = 1;
        config.integration_each_parallel_max = 1;
    });
    let test = open.build().await;
    let (a, db) = (test.user("a").await, &test.app.db);
    let endpoint = Endpoint::new().await;
    let (id, _) = integrate(&a, &endpoint, "Books", json!({"throttle": 400})).await;
    for machine in [21, 22, 31] {
        sell(db, machine, 20).await;
    }
    assert!(take_one(&test.app).await.unwrap());
    let told = endpoint.take().last().map(Received::machine);
    let reached: i64 = sqlx::query_scalar("SELECT last_lane FROM integration WHERE id = $1")
        .bind(id)
        .fetch_one(db)
        .await
        .unwrap();
    assert_eq!((told, reached), (Some(21), 21), "those that had no turn yet come first in the next");
}

#[tokio::test]
async fn an_endpoint_that_fails_and_comes_back_has_lost_nothing() {
    let test = server().await;
    let (a, db) = (test.user("a").await, &test.app.db);
    let endpoint = Endpoint::new().await;
    let (id, _) = integrate(&a, &endpoint, "Books", json!({"maxRetries": 2})).await;
    let path = format!("/integration/{id}");

    let first = sell(db, 21, 3).await;
    let poison = first[1];
    endpoint.answer(move |received| Reply::Status(if received.sale() == poison { 500 } else { 204 }));
    deliver(&test).await;
    assert_eq!(sales(&endpoint.take()), [first[0], poison, poison, poison], "once and twice more");
    let failed = shown(&a, id).await;
    assert_eq!(failed["state"], "failed");
    assert!(failed["problem"].as_str().unwrap().starts_with("HTTP 500"));
    let second = sell(db, 21, 2).await;
    deliver(&test).await;
    assert!(endpoint.take().is_empty(), "one that has failed is left alone");

    endpoint.answer(|_| Reply::Status(200));
    a.put(&path, json!({"active": true})).await.expect(200);
    deliver(&test).await;
    assert_eq!(
        sales(&endpoint.take()),
        [&first[1..], &second[..]].concat(),
        "what was not acknowledged, in order"
    );

    // Where failures do not stop it, one that is given up holds up its own machine alone, and not for ever.
    a.put(&path, json!({"stopOnFailure": false, "retryThrottle": 3600})).await.expect(200);
    let (stuck, free) = (sell(db, 21, 2).await, sell(db, 31, 3).await);
    endpoint.answer(|received| Reply::Status(if received.machine() == 21 { 500 } else { 200 }));
    deliver(&test).await;
    let received = endpoint.take();
    assert_eq!(
        received.iter().filter(|received| received.taken).map(Received::sale).collect::<Vec<_>>(),
        free
    );
    assert_eq!(
        received.iter().filter(|received| !received.taken).map(Received::sale).collect::<Vec<_>>(),
        stuck[..1]
    );
    let log = a.get(&format!("{path}/logs?where[revenuetransaction]={}", stuck[0])).await.expect(200);
    assert_eq!((&log[0]["state"], &log[0]["attempts"]), (&json!("waiting"), &json!(1)));
    assert!(log[0]["dueAt"].is_string());
    a.put(&path, json!({"active": true, "retryThrottle": 0})).await.expect(200);
    let stuck_one = stuck[0];
    endpoint.answer(move |received| Reply::Status(if received.sale() == stuck_one { 400 } else { 200 }));
    deliver(&test).await;
    assert_eq!(sales(&endpoint.take()), [stuck[0], stuck[0], stuck[0], stuck[1]], "given up, then the next");
    let log = a.get(&format!("{path}/logs?where[state]=failed")).await.expect(200);
    assert_eq!((&log[0]["revenuetransaction"], &log[0]["details"]), (&json!(stuck[0]), &json!("so it is")));
    endpoint.answer(|_| Reply::Status(200));
    a.post(&format!("{path}/replay"), json!({"ids": [stuck[0]]})).await.expect(202);
    deliver(&test).await;
    assert_eq!(sales(&endpoint.take()), [stuck[0]]);
}

#[tokio::test]
async fn an_endpoint_that_hangs_refuses_or_is_busy_is_left_alone() {
    let test = server().await;
    let (a, db) = (test.user("a").await, &test.app.db);
    let endpoint = Endpoint::new().await;
    let (id, _) = integrate(&a, &endpoint, "Books", json!({"maxRetries": 0})).await;
    let path = format!("/integration/{id}");
    for (reply, problem) in [
        (Reply::Silence, "no answer within 1 s"),
        (Reply::Redirect, "HTTP 302"),
        (Reply::Status(410), "HTTP 410"),
    ] {
        let sold = sell(db, 21, 1).await;
        endpoint.answer(move |_| reply);
        deliver(&test).await;
        assert_eq!(endpoint.take().len(), 1, "{problem}: and no redirect is followed");
        let failed = shown(&a, id).await;
        assert_eq!(failed["state"], "failed", "{problem}");
        assert!(failed["problem"].as_str().unwrap().starts_with(problem), "{failed}");
        endpoint.answer(|_| Reply::Status(200));
        a.put(&path, json!({"active": true})).await.expect(200);
        deliver(&test).await;
        assert_eq!(sales(&endpoint.take()), sold);
    }

    // It is as busy as it says.
    a.put(&path, json!({"maxRetries": 50})).await.expect(200);
    let sold = sell(db, 21, 1).await;
    endpoint.answer(|_| Reply::Later(429, 600));
    deliver(&test).await;
    let paused = shown(&a, id).await;
    assert_eq!(paused["state"], "paused");
    let until: chrono::DateTime<chrono::Utc> = paused["pausedUntil"].as_str().unwrap().parse().unwrap();
    assert!((590..=600).contains(&(until - test.app.clock.now()).num_seconds()), "{until}");
    let other = sell(db, 22, 1).await;
    deliver(&test).await;
    assert_eq!(sales(&endpoint.take()), sold, "others of it wait too");

    // Ten failures in a row are enough for a while; then one is tried, and all is well.
    a.put(&path, json!({"active": true})).await.expect(200);
    endpoint.answer(|_| Reply::Status(500));
    deliver(&test).await;
    let tried = endpoint.take();
    assert!((10..14).contains(&tried.len()), "{}", tried.len());
    assert_eq!(shown(&a, id).await["state"], "paused");
    endpoint.answer(|_| Reply::Status(200));
    let mut received = Vec::new();
    becomes("it is tried again", async || {
        deliver(&test).await;
        received.extend(endpoint.take());
        received.len() == 2
    })
    .await;
    let mut told = sales(&received);
    told.sort_unstable();
    assert_eq!(told, [sold, other].concat());
    let well = shown(&a, id).await;
    assert_eq!((&well["state"], &well["problem"]), (&json!("idle"), &json!(null)));

    // A server that is gone, and one that this server must not reach.
    for (url, problem) in [("http://127.0.0.1:1/", "Connection refused"), ("http://nowhere.invalid/", "")] {
        a.put(&path, json!({"url": url, "active": true, "maxRetries": 0})).await.expect(200);
        sell(db, 21, 1).await;
        deliver(&test).await;
        let failed = shown(&a, id).await;
        assert_eq!(failed["state"], "failed");
        assert!(failed["problem"].as_str().unwrap().contains(problem), "{failed}");
    }
}
