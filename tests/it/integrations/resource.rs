//! Integrations as a resource: who sees them, what they may be, and their secrets.

use super::{endpoint::Endpoint, integrate, sell, server};
use crate::{app::TestApp, world};
use serde_json::json;

#[tokio::test]
async fn an_integration_belongs_to_a_group_and_keeps_its_secret() {
    let test = TestApp::new().await;
    let (a, b, root) = (test.user("a").await, test.user("b").await, test.user("root").await);
    let url = "https://books.example.com/hook";
    let draft = json!({"externalId": 4711, "name": "Books", "description": "For the tax", "url": url});
    let created = a.post("/integration", draft.clone()).await.expect(201);
    let path = format!("/integration/{}", created["id"]);
    let secret = created["secret"].as_str().unwrap();
    assert!(secret.starts_with("whsec_") && secret.len() > 40, "{secret}");

    let shown = a.get(&path).await.expect(200);
    for (field, value) in [
        ("type", json!("httptransactions")),
        ("name", json!("Books")),
        ("active", json!(true)),
        ("state", json!("idle")),
        ("throttle", json!(0)),
        ("maxRetries", json!(10)),
        ("retryThrottle", json!(10)),
        ("stopOnFailure", json!(true)),
        ("events", json!(["transaction"])),
        ("url", json!(url)),
        ("externalId", json!(4711)),
    ] {
        assert_eq!(shown[field], value, "{field}");
    }
    assert!(!shown.to_string().contains("whsec_") && shown.get("secret").is_none());
    let sealed: Vec<u8> =
        sqlx::query_scalar("SELECT secret FROM integration").fetch_one(&test.app.db).await.unwrap();
    assert!(!String::from_utf8_lossy(&sealed).contains(&secret[6..]));
    let rotated = a.post(&format!("{path}/secret"), json!({})).await.expect(200);
    assert_ne!(rotated["secret"], secret);

    // A name is one integration's within a group, and another's in another.
    a.post("/integration", draft.clone()).await.expect(409);
    b.post("/integration", draft.clone()).await.expect(201);
    let other = a.post("/integration", json!({"externalId": 1, "name": "Other"})).await.expect(201);
    a.put(&format!("/integration/{}", other["id"]), json!({"name": "Books"})).await.expect(409);
    assert_eq!(root.get("/integration?where[name]=Books").await.expect(200).as_array().unwrap().len(), 2);
    for (method, at) in [("GET", ""), ("GET", "/logs"), ("GET", "/transactions"), ("POST", "/secret")] {
        let path = format!("{path}{at}");
        let reply = if method == "GET" { b.get(&path).await } else { b.post(&path, json!({})).await };
        reply.expect(404);
    }
    b.put(&path, json!({"name": "Mine"})).await.expect(404);
    b.post(&format!("{path}/replay"), json!({"ids": [1]})).await.expect(404);
    let reader = test.bearer(world::key(&test.app.db, world::A, None, &["integration.read"]).await);
    reader.get(&path).await.expect(200);
    reader.put(&path, json!({"active": false})).await.expect(403);
    reader.post(&format!("{path}/secret"), json!({})).await.expect(403);

    for (field, value, pointer) in [
        ("url", json!("http://books.example.com/"), "/url"),
        ("url", json!("https://10.0.0.1/"), "/url"),
        ("url", json!("https://[::ffff:7f00:1]/"), "/url"),
        ("url", json!("https://u:p@example.com/"), "/url"),
        ("url", json!(5), "/url"),
        ("events", json!(["transaction", "sale"]), "/events/1"),
        ("throttle", json!(-1), "/throttle"),
        ("throttle", json!(60_001), "/throttle"),
        ("maxRetries", json!(101), "/maxRetries"),
        ("retryThrottle", json!("soon"), "/retryThrottle"),
        ("active", json!(null), "/active"),
        ("stopOnFailure", json!(2), "/stopOnFailure"),
        ("name", json!(" "), "/name"),
        ("secret", json!("whsec_mine"), "/secret"),
        ("state", json!("failed"), "/state"),
    ] {
        a.put(&path, json!({field: value})).await.expect_problem(422, pointer);
    }
    for (body, pointer) in [
        (json!({}), "/from"),
        (json!({"from": "2026-01-01T00:00:00Z"}), "/to"),
        (json!({"from": "2026-01-02T00:00:00Z", "to": "2026-01-02T00:00:00Z"}), "/to"),
        (json!({"from": "2026-01-01T00:00:00Z", "ids": []}), "/ids"),
        (json!({"from": "-200000-01-01T00:00:00Z", "to": "2026-01-01T00:00:00Z"}), "/from"),
        (json!({"ids": [1, "x"]}), "/ids/1"),
        (json!({"ids": [i64::MAX]}), "/ids/0"),
        (json!({"all": true}), "/all"),
    ] {
        a.post(&format!("{path}/replay"), body).await.expect_problem(422, pointer);
    }
    a.put(&path, json!({"url": null, "description": null})).await.expect(200);
    a.post(&format!("{path}/replay"), json!({"ids": []})).await.expect(409);
    a.get(&format!("{path}/logs?where[colour]=red")).await.expect_problem(400, "/where[colour]");
}

#[tokio::test]
async fn what_is_put_aside_is_of_the_group_and_goes_with_the_integration() {
    let test = server().await;
    let (a, a1) = (test.user("a").await, test.user("a1").await);
    let endpoint = Endpoint::new().await;
    let db = &test.app.db;
    let (id, _) = integrate(&a, &endpoint, "Books", json!({})).await;
    // One that is below, one that is off, one without a URL, and one that wants something else.
    integrate(&a1, &endpoint, "Below", json!({"active": false})).await;
    integrate(&a, &endpoint, "Others", json!({"events": ["campaign.ready"]})).await;
    a.post("/integration", json!({"externalId": 1, "name": "Nowhere"})).await.expect(201);

    let (mine, below) = (sell(db, 21, 2).await, sell(db, 31, 1).await);
    sell(db, 41, 1).await;
    let sold = [mine, below].concat();
    let logged: Vec<(i64, i64, String)> =
        sqlx::query_as("SELECT integration, revenue_transaction, state FROM delivery ORDER BY id")
            .fetch_all(db)
            .await
            .unwrap();
    let expected: Vec<_> = sold.iter().map(|sale| (id, *sale, "waiting".to_owned())).collect();
    assert_eq!(logged, expected, "of the group and below it, in their order");

    let list = a.get(&format!("/integration/{id}/transactions?sort=id+desc&limit=2")).await;
    assert_eq!(list.headers["x-total-count"], "3");
    let list = list.expect(200);
    assert_eq!(list[0]["id"], sold[2]);
    for (field, value) in [
        ("price", json!(150)),
        ("machine", json!(31)),
        ("location", json!(3)),
        ("currency", json!("EUR")),
        ("timezone", json!("Europe/Amsterdam")),
        ("name", json!("Cola")),
        ("remote", json!(1)),
        ("token", json!(null)),
        ("salestype", json!(null)),
    ] {
        assert_eq!(list[0][field], value, "{field}");
    }
    assert!(list[0]["timestamp"].as_i64().unwrap() > 1_700_000_000);

    let log = a.get(&format!("/integration/{id}/logs?where[machine]=31")).await.expect(200);
    assert_eq!(log[0]["revenuetransaction"], sold[2]);
    assert_eq!((&log[0]["state"], &log[0]["message"]), (&json!("waiting"), &json!(null)));
    a.delete(&format!("/integration/{id}")).await.expect(200);
    assert_eq!(super::count(db).await, 0, "its log goes with it");
}
