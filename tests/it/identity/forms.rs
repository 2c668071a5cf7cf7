//! Logging in with a form: every operation that anybody may call takes its flat fields as one.

use crate::{
    app::TestApp,
    client::{Client, Reply},
    sweep::{document::Document, stock::Stock},
};
use axum::{
    body::Body,
    http::{Request, header},
};
use form_urlencoded::Serializer;
use serde_json::{Value, json};

async fn send(client: &Client, path: &str, body: String) -> Reply {
    let request = Request::post(path).header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
    client.send_raw(request.body(Body::from(body)).unwrap()).await
}

fn form(fields: &Value) -> String {
    let fields = fields.as_object().unwrap().iter();
    Serializer::new(String::new())
        .extend_pairs(fields.map(|(name, value)| (name, value.as_str().unwrap())))
        .finish()
}

#[tokio::test]
async fn every_open_operation_takes_a_form_and_no_other_does() {
    let test = TestApp::builder().config(|config| config.logins_per_minute = 1_000_000).build().await;
    let document = Document::read();
    let user = test.user("a").await;
    let mut taken = 0;
    for operation in document.operations() {
        assert_eq!(operation.takes_form, operation.path.starts_with("/auth/"), "{}", operation.id);
        if operation.takes_form {
            let stock = Stock::of(&document, &operation, &user, "a").await;
            let stock = stock.served(&operation, &user, &test.app).await;
            let fields = stock.sample(&document, &operation);
            let reply = send(&test.anyone(), &operation.path, form(&fields)).await;
            assert!(reply.status.is_success(), "{}: {} {}", operation.id, reply.status, reply.text());
            taken += 1;
        }
    }
    assert!(taken >= 7, "only {taken} take a form");
}

#[tokio::test]
async fn a_form_is_read_as_strictly_as_json() {
    let test = TestApp::new().await;
    let anyone = test.anyone();
    for (body, status, pointer) in [
        ("username=a", 422, "/password"),
        ("username=a&password=b&password=c", 422, "/password"),
        ("username=a&password=b&remember=1", 422, "/remember"),
        ("username=a&password=%FF", 400, "/password"),
    ] {
        send(&anyone, "/auth/login", body.to_owned()).await.expect_problem(status, pointer);
    }
    let request = Request::post("/auth/login").header(header::CONTENT_TYPE, "text/plain");
    let refused = anyone.send_raw(request.body(Body::from(json!({}).to_string())).unwrap()).await.expect(415);
    assert_eq!(refused["detail"], "send application/json or application/x-www-form-urlencoded");
    let user = test.user("a").await;
    let refused = send(&user, "/campaign", "name=Spring".to_owned()).await.expect(415);
    assert_eq!(refused["detail"], "send application/json");
}
