//! Answers that are remembered: for their callers alone, for a week, and without secrets.

use super::{KEY, REPLAYED, post};
use crate::{app::TestApp, world};
use axum::{
    body::Body,
    http::{Request, header},
};
use chrono::Duration;
use scrip::retention;
use serde_json::{Value, json};

const NOW: &str = "2026-11-24T12:00:00Z";

fn dashboard(name: &str) -> Value {
    json!({ "name": name })
}

#[tokio::test]
async fn a_key_is_its_callers_for_one_operation() {
    let test = TestApp::new().await;
    let (a, b) = (test.user("a").await, test.user("b").await);
    let key =
        test.bearer(world::key(&test.app.db, world::A, None, &["dashboard.write", "fleet.write"]).await);
    let mut ids = Vec::new();
    for client in [&a, &b, &key] {
        ids.push(post(client, "/dashboard", "k", &dashboard("Morning")).await.expect(201)["id"].clone());
    }
    ids.dedup();
    assert_eq!(ids.len(), 3);
    post(&a, "/machinegroup", "k", &dashboard("Morning")).await.expect(201);
    // With and without the version it is one operation.
    let again = post(&a, "/v1/dashboard", "k", &dashboard("Morning")).await;
    assert_eq!(again.expect(201)["id"], ids[0]);
    assert_eq!(again.headers[REPLAYED], "true");
    let other = post(&a, "/dashboard", "k", &dashboard("Evening")).await;
    assert_eq!(other.expect(409)["type"], "/docs/problems/conflict");
}

#[tokio::test]
async fn an_answer_is_the_first_whatever_has_come_to_be() {
    let test = TestApp::builder().stopped_at(NOW).build().await;
    let user = test.user("a").await;
    let made = post(&user, "/dashboard", "k", &dashboard("Morning")).await.expect(201);
    user.delete(&format!("/dashboard/{}", made["id"])).await.expect(200);
    assert_eq!(post(&user, "/dashboard", "k", &dashboard("Morning")).await.expect(201), made);
    // By now it would be in the past.
    let draft = json!({"name": "Spring", "totalVouchers": 0, "voucherValue": 1, "expiresOn": "2026-11-25"});
    let campaign = post(&user, "/campaign", "k", &draft).await.expect(201);
    test.app.clock.advance(Duration::days(3));
    let user = test.user("a").await;
    post(&user, "/campaign", "other", &draft).await.expect_problem(422, "/expiresOn");
    assert_eq!(post(&user, "/campaign", "k", &draft).await.expect(201), campaign);
}

#[tokio::test]
async fn a_refusal_is_not_remembered() {
    let test = TestApp::new().await;
    let user = test.user("a").await;
    post(&user, "/dashboard", "k", &json!({"name": ""})).await.expect_problem(422, "/name");
    post(&user, "/dashboard", "k", &dashboard("Morning")).await.expect(201);
    let narrow = test.bearer(world::key(&test.app.db, world::A, None, &["fleet.read"]).await);
    post(&narrow, "/dashboard", "k", &dashboard("Morning")).await.expect(403);
    for bad in ["", " ", &"x".repeat(256)] {
        post(&user, "/dashboard", bad, &dashboard("Morning")).await.expect_problem(400, "/Idempotency-Key");
    }
    let request = Request::put("/widget/1").header(KEY, "").header(header::CONTENT_TYPE, "application/json");
    user.send_raw(request.body(Body::from("{}")).unwrap()).await.expect(404);
}

#[tokio::test]
async fn an_answer_is_remembered_for_a_week() {
    let test = TestApp::builder().stopped_at(NOW).build().await;
    let kept = async || -> i64 {
        sqlx::query_scalar("SELECT count(*) FROM idempotency_key").fetch_one(&test.app.db).await.unwrap()
    };
    let send = async || {
        let user = test.user("a").await;
        post(&user, "/dashboard", "k", &dashboard("Morning")).await.expect(201)["id"].clone()
    };
    let first = send().await;
    test.app.clock.advance(Duration::days(7) - Duration::seconds(1));
    while retention::step(&test.app.db, &test.app.config, test.app.clock.now()).await.unwrap() {}
    assert_eq!((send().await, kept().await), (first.clone(), 1));
    test.app.clock.advance(Duration::seconds(1));
    let second = send().await;
    assert!(second != first && kept().await == 1);
    test.app.clock.advance(Duration::days(7));
    while retention::step(&test.app.db, &test.app.config, test.app.clock.now()).await.unwrap() {}
    assert_eq!(kept().await, 0);
}

#[tokio::test]
async fn a_secret_is_in_the_first_answer_alone_and_nowhere_else() {
    let test = TestApp::new().await;
    let root = test.user("root").await;
    let drafts = [
        ("/apikey", "key", json!({"name": "k", "scopes": ["voucher.read"]})),
        (
            "/integration",
            "secret",
            json!({"externalId": 1, "name": "hook", "url": "https://example.com/hook"}),
        ),
    ];
    for (path, field, draft) in drafts {
        let first = post(&root, path, "k", &draft).await.expect(201);
        let again = post(&root, path, "k", &draft).await.expect(201);
        assert_eq!((&again["id"], again.get(field)), (&first["id"], None));
        let kept: Vec<String> = sqlx::query_scalar("SELECT idempotency_key::text FROM idempotency_key")
            .fetch_all(&test.app.db)
            .await
            .unwrap();
        assert!(!kept.join("\n").contains(first[field].as_str().unwrap()));
    }
}

#[tokio::test]
async fn many_vouchers_are_one_creation() {
    let test = TestApp::new().await;
    let user = test.user("a").await;
    let draft = json!({"name": "Spring", "totalVouchers": 0, "voucherValue": 100, "type": "gift"});
    let campaign = user.post("/campaign", draft).await.expect(201)["id"].clone();
    let draft = json!({"campaign": campaign, "type": "inherit", "count": 3});
    for _ in 0..2 {
        let reply = post(&user, "/voucher", "k", &draft).await;
        assert_eq!((reply.status.as_u16(), reply.text()), (201, String::new()));
    }
    let made = user.get(&format!("/campaign/{campaign}/vouchers")).await.expect(200);
    assert_eq!(made.as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn a_form_is_the_same_with_another_boundary() {
    const PIXEL: &[u8] = b"GIF89a\x01\x00\x01\x00\x80\x00\x00\xff\xff\xff\x00\x00\x00,\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00;";
    let test = TestApp::new().await;
    let user = test.user("a").await;
    let send = async |boundary: &str, name: &str| {
        let head = format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"; filename=\"a.gif\"\r\n\r\n"
        );
        let body = [head.as_bytes(), PIXEL, format!("\r\n--{boundary}--\r\n").as_bytes()].concat();
        let request = Request::post("/image")
            .header(header::CONTENT_TYPE, format!("multipart/form-data; boundary={boundary}"))
            .header(KEY, "k");
        user.send_raw(request.body(Body::from(body)).unwrap()).await
    };
    let first = send("first", "original").await.expect(201);
    assert_eq!(send("second", "original").await.expect(201), first);
    send("third", "thumbnail").await.expect(409);
}

#[tokio::test]
async fn an_erased_user_leaves_no_keys() {
    let test = TestApp::new().await;
    let (root, a) = (test.user("root").await, test.user("a").await);
    post(&a, "/dashboard", "k", &dashboard("Morning")).await.expect(201);
    let id: i64 =
        sqlx::query_scalar("SELECT account FROM idempotency_key").fetch_one(&test.app.db).await.unwrap();
    root.delete(&format!("/user/{id}?erase=true")).await.expect(200);
    let left: i64 =
        sqlx::query_scalar("SELECT count(*) FROM idempotency_key").fetch_one(&test.app.db).await.unwrap();
    assert_eq!(left, 0);
}
