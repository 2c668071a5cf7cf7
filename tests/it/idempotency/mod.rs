//! Requests that are sent again with their `Idempotency-Key`: nothing is created twice, and the answer is the first.

mod answers;
#[cfg(feature = "failpoints")]
mod killed;

use crate::{
    app::TestApp,
    client::{Client, Reply},
    sweep::{document::Document, judge::fingerprint, stock::Stock},
};
use axum::{
    body::Body,
    http::{Method, Request, header, request::Builder},
};
use futures_util::future::join_all;
use serde_json::{Value, json};

const KEY: &str = "Idempotency-Key";

/// The header of an answer that was given before.
const REPLAYED: &str = "idempotency-replayed";

/// Sends JSON with a key.
async fn post(client: &Client, path: &str, key: &str, body: &Value) -> Reply {
    let request = Request::post(path).header(header::CONTENT_TYPE, "application/json").header(KEY, key);
    client.send_raw(request.body(Body::from(body.to_string())).unwrap()).await
}

/// Areas of what machines send, which is idempotent by itself.
const BY_ITSELF: &str = "telemetry";

#[test]
fn every_operation_that_creates_something_documents_its_key() {
    let creates = |answers: &Value| ["201", "202"].iter().any(|status| answers.get(status).is_some());
    for operation in Document::read().operations() {
        let expected = operation.method == Method::POST
            && creates(&operation.answers)
            && !operation.open
            && operation.area != BY_ITSELF;
        assert_eq!(operation.takes_key, expected, "{}", operation.id);
    }
}

/// Takes out what a second answer need not have: secrets that were shown once, and links to files.
fn lasting(mut answer: Value) -> Value {
    if let Some(fields) = answer.as_object_mut() {
        fields.retain(|name, _| !["key", "secret", "pdfUrl", "vouchersPdfUrl"].contains(&name.as_str()));
    }
    answer
}

#[tokio::test]
async fn every_operation_that_takes_a_key_gives_its_answer_again() {
    let test = TestApp::builder().config(|config| config.logins_per_minute = 1_000_000).build().await;
    let document = Document::read();
    let user = test.user("a").await;
    let mut found = Vec::new();
    let mut tried = 0;
    for operation in document.operations().into_iter().filter(|operation| operation.takes_key) {
        let stock = Stock::of(&document, &operation, &user, "a").await;
        let stock = stock.served(&operation, &user, &test.app).await;
        let (parts, body) = stock.request(&document, &operation).into_parts();
        let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
        let send = async |body: Vec<u8>, query: &str| {
            let request =
                parts.headers.iter().fold(
                    Request::post(format!("{}{query}", parts.uri)),
                    |request: Builder, (name, value)| request.header(name, value),
                );
            user.send_raw(request.header(KEY, "again").body(Body::from(body)).unwrap()).await
        };
        tried += 1;
        let first = send(body.to_vec(), "").await;
        let before = fingerprint(&test.app.db).await;
        let again = send(body.to_vec(), "").await;
        let json = |reply: &Reply| serde_json::from_slice(&reply.body).map(lasting).unwrap_or_default();
        if !first.status.is_success() || first.headers.contains_key(REPLAYED) {
            found.push(format!("{}: first {} {}", operation.id, first.status, first.text()));
        } else if first.status != again.status || json(&first) != json(&again) {
            found.push(format!(
                "{}: {} {} but {} {}",
                operation.id,
                first.status,
                first.text(),
                again.status,
                again.text()
            ));
        } else if !again.headers.contains_key(REPLAYED) {
            found.push(format!("{}: does not say that it is an answer again", operation.id));
        }
        // Another body: in the same words where there are any.
        let (other, query) =
            if body.is_empty() { (Vec::new(), "?x=1") } else { ([&body[..], b" "].concat(), "") };
        let other = send(other, query).await;
        if other.status != 409 && !(body.is_empty() && other.status == 400) {
            found.push(format!("{}: another body: {} {}", operation.id, other.status, other.text()));
        }
        if fingerprint(&test.app.db).await != before {
            found.push(format!("{}: sent again, it has changed something", operation.id));
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
    assert!(tried > 35, "only {tried} operations take a key");
}

#[tokio::test]
async fn of_many_at_a_time_one_creates() {
    let test = TestApp::new().await;
    let user = test.user("a").await;
    let draft = json!({"name": "Spring", "totalVouchers": 0, "voucherValue": 100});
    for round in 0..5 {
        let key = format!("order-{round}");
        let replies = join_all((0..6).map(|_| post(&user, "/campaign", &key, &draft))).await;
        for reply in replies.iter().filter(|reply| reply.status != 201) {
            assert_eq!(reply.expect(409)["type"], "/docs/problems/under-way");
            assert_eq!(reply.headers[header::RETRY_AFTER], "1");
        }
        let id = post(&user, "/campaign", &key, &draft).await.expect(201)["id"].clone();
        for reply in replies.iter().filter(|reply| reply.status == 201) {
            assert_eq!(reply.json()["id"], id);
        }
        assert_eq!(
            replies
                .iter()
                .filter(|reply| reply.status == 201)
                .filter(|reply| !reply.headers.contains_key(REPLAYED))
                .count(),
            1
        );
    }
    let made = user.get("/campaign").await.expect(200);
    assert_eq!(made.as_array().unwrap().len(), 5);
}
