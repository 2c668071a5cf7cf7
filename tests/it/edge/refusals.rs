//! Refusals before anything is done for a request, and headers of every answer.

use super::socket::Socket;
use crate::{
    app::TestApp,
    database::{self, Database},
    server::{Server, free_address},
    world,
};
use axum::{
    body::Body,
    http::{Request, header},
};
use flate2::{Compression, write::GzEncoder};
use serde_json::json;
use std::io::Write;

#[tokio::test]
async fn a_body_that_says_that_it_is_too_large_is_not_asked_for() {
    let database = Database::new().await;
    let server = Server::start(&database).await;
    let login = |length: u64| {
        format!(
            "POST /auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n\
             Expect: 100-continue\r\nContent-Length: {length}\r\n\r\n"
        )
    };
    let mut socket = Socket::open(&server).await;
    socket.send(&login(999_999_999_999)).await;
    assert_eq!(socket.answer().await.unwrap().status, 413);
    let mut socket = Socket::open(&server).await;
    socket.send(&login(2)).await;
    assert_eq!(socket.answer().await.unwrap().status, 100);
    socket.send("{}").await;
    assert_eq!(socket.answer().await.unwrap().status, 422);
}

#[tokio::test]
async fn a_request_names_one_host() {
    let database = Database::new().await;
    let server = Server::start(&database).await;
    for (request, status) in [
        ("GET /health/live HTTP/1.1\r\n\r\n", 400),
        ("GET /health/live HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        ("POST /voucher/A/validate HTTP/1.1\r\nContent-Length: 0\r\n\r\n", 400),
        ("GET /health/live HTTP/1.1\r\nHost: a\r\n\r\n", 200),
        ("GET /health/live HTTP/1.0\r\n\r\n", 200),
    ] {
        let mut socket = Socket::open(&server).await;
        socket.send(request).await;
        assert_eq!(socket.answer().await.unwrap().status, status, "{request}");
    }
}

#[tokio::test]
async fn a_head_has_room_for_a_long_query_and_no_more() {
    let database = Database::new().await;
    let server = Server::start(&database).await;
    for (bytes, status) in [(50_000, 200), (70_000, 431)] {
        let answer =
            Socket::open(&server).await.get(&format!("/health/live?ids={}", "7".repeat(bytes))).await;
        assert_eq!(answer.unwrap().status, status, "{bytes} bytes");
    }
}

#[tokio::test]
async fn operators_can_have_an_address_of_their_own() {
    let database = Database::new().await;
    let admin = free_address();
    let server = Server::on(&database.url, &database::url("SCRIP_TEST_REDIS_URL"), &database.name);
    let server = server.start_with(&[("SCRIP_ADMIN_LISTEN", &admin.to_string())]).await;
    let status = async |url: String| reqwest::get(url).await.unwrap().status().as_u16();
    for path in ["/metrics", "/v1/metrics", "/openapi.json", "/docs/"] {
        assert_eq!(status(server.url(path)).await, 404, "{path}");
        assert_eq!(status(format!("http://{admin}{path}")).await, 200, "{path}");
    }
    for path in ["/health/live", "/health/ready", "/docs/problems/busy"] {
        assert_eq!(status(server.url(path)).await, 200, "{path}");
        assert_eq!(status(format!("http://{admin}{path}")).await, 200, "{path}");
    }
    assert_eq!(status(format!("http://{admin}/campaign")).await, 404);
    assert_eq!(status(server.url("/campaign")).await, 401);
}

#[tokio::test]
async fn pages_may_do_little_and_browsers_come_back_by_tls() {
    let plain = TestApp::new().await;
    let page = plain.anyone().get("/docs/").await;
    let policy = page.headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
    assert!(policy.starts_with("default-src 'none'") && !policy.contains("script-src 'unsafe"), "{policy}");
    assert!(!page.text().contains("<script>"), "{}", page.text());
    assert!(!page.headers.contains_key(header::STRICT_TRANSPORT_SECURITY));
    let secure = TestApp::builder().config(|config| config.public_url = "https://x.example".to_owned());
    let secure = secure.build().await;
    for path in ["/docs/", "/campaign", "/health/live"] {
        let answer = secure.anyone().get(path).await;
        assert!(answer.headers.contains_key(header::STRICT_TRANSPORT_SECURITY), "{path}");
    }
}

#[tokio::test]
async fn what_a_client_names_is_not_repeated_at_length() {
    let test = TestApp::new().await;
    let user = test.user("a").await;
    let long = "n".repeat(1_000_000);
    for body in [json!({(&long): 1}), json!({"name": {(&long): 1}}), json!({"type": (&long)})] {
        let answer = user.post("/campaign", body).await;
        assert_eq!(answer.status, 422);
        assert!(answer.body.len() < 4_000, "{} bytes", answer.body.len());
    }
    let login = test.anyone().post("/auth/login", json!({("n".repeat(15_000)): 1})).await;
    assert_eq!(login.status, 422);
    assert!(login.body.len() < 1_000, "{}", login.text());
    // Bodies that need no token are small.
    test.anyone().post("/auth/login", json!({"username": "n".repeat(20_000)})).await.expect(413);
}

fn zipped(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[tokio::test]
async fn zipped_bodies_that_swell_are_refused_early() {
    let test = TestApp::new().await;
    let own = test.bearer(world::key(&test.app.db, world::A, None, &["gateway.use"]).await);
    let send = async |what: &str, body: Vec<u8>| {
        let request = Request::post(format!("/machine/vm-a-1/{what}"))
            .header(header::CONTENT_ENCODING, "gzip")
            .header(header::CONTENT_TYPE, if what == "audit" { "text/plain" } else { "application/json" });
        own.send_raw(request.body(Body::from(body)).unwrap()).await.status.as_u16()
    };
    let items = zipped(format!("[{}{{}}]", "{},".repeat(2_000_000)).as_bytes());
    let members = zipped(b"").repeat(40_000);
    for what in ["revenuetransactions", "paymenttransactions", "logs"] {
        assert_eq!(send(what, items.clone()).await, 422, "{what}");
        assert_eq!(send(what, members.clone()).await, 400, "{what}");
        assert_eq!(send(what, zipped(&vec![b' '; 4 << 20])).await, 413, "{what}");
    }
    assert_eq!(send("audit", members).await, 400);
    assert_eq!(send("audit", zipped(&vec![b' '; 4 << 20])).await, 413);
}
