//! Nobody is waited for without end.

use super::socket::Socket;
use crate::{
    database::{self, Database},
    pair::becomes,
    server::Server,
};

/// The beginning of a log-in.
const LOGIN: &str = "POST /auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n";

/// A server that waits for a second where its settings say so, and else for longer than any test.
async fn server(database: &Database, settings: &[(&str, &str)]) -> Server {
    let patient = [
        ("SCRIP_HEAD_MAX_S", "3600"),
        ("SCRIP_IDLE_MAX_S", "3600"),
        ("SCRIP_BODY_MAX_S", "3600"),
        ("SCRIP_CLIENT_WINDOW_S", "3600"),
        ("SCRIP_CLIENT_BYTES_PER_S_MIN", "500"),
    ];
    let server = Server::on(&database.url, &database::url("SCRIP_TEST_REDIS_URL"), &database.name);
    server.start_with(&[&patient, settings].concat()).await
}

#[tokio::test]
async fn a_head_that_never_ends_is_given_up() {
    let database = Database::new().await;
    let server = server(&database, &[("SCRIP_HEAD_MAX_S", "1")]).await;
    let (mut first, mut kept) = (Socket::open(&server).await, Socket::open(&server).await);
    assert_eq!(kept.get("/health/live").await.unwrap().status, 200);
    first.send("GET /health/live HTTP/1.1\r\nHost: x\r\nX-More: ").await;
    kept.send("GET /health/live HTTP/1.1\r\n").await;
    first.expect_end().await;
    kept.expect_end().await;
    let mut whole = Socket::open(&server).await;
    assert_eq!(whole.get("/health/live").await.unwrap().status, 200);
}

#[tokio::test]
async fn an_idle_connection_is_closed() {
    let database = Database::new().await;
    let server = server(&database, &[("SCRIP_IDLE_MAX_S", "1")]).await;
    let (mut silent, mut kept) = (Socket::open(&server).await, Socket::open(&server).await);
    for _ in 0..2 {
        assert_eq!(kept.get("/health/live").await.unwrap().status, 200);
    }
    silent.expect_end().await;
    kept.expect_end().await;
}

#[tokio::test]
async fn a_body_that_never_comes_is_answered() {
    let database = Database::new().await;
    let server = server(&database, &[("SCRIP_CLIENT_WINDOW_S", "1")]).await;
    let mut socket = Socket::open(&server).await;
    socket.send(&format!("{LOGIN}Content-Length: 100\r\n\r\n{{")).await;
    let answer = socket.answer().await.unwrap();
    assert_eq!(answer.status, 408, "{answer:?}");
    assert!(answer.head.contains("connection: close"), "{answer:?}");
    let problem: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(problem["type"], "/docs/problems/too-slow");
    socket.expect_end().await;
}

#[tokio::test]
async fn a_body_that_comes_steadily_has_an_end_too() {
    let database = Database::new().await;
    let settings = [("SCRIP_BODY_MAX_S", "2"), ("SCRIP_CLIENT_WINDOW_S", "1")];
    let server = server(&database, &settings).await;
    let mut socket = Socket::open(&server).await;
    socket.send(&format!("{LOGIN}Transfer-Encoding: chunked\r\n\r\n")).await;
    let answer = loop {
        tokio::select! {
            answer = socket.0.readable() => {
                answer.unwrap();
                break socket.answer().await.unwrap();
            }
            () = tokio::time::sleep(std::time::Duration::from_millis(100)) => {}
        }
        socket.send(&format!("64\r\n{}\r\n", " ".repeat(100))).await;
    };
    assert_eq!(answer.status, 408, "{answer:?}");
}

#[tokio::test]
async fn a_body_that_is_slow_and_whole_is_read() {
    let database = Database::new().await;
    let server = server(&database, &[]).await;
    let mut socket = Socket::open(&server).await;
    let body = r#"{"username": "nobody", "password": "none"}"#;
    socket.send(&format!("{LOGIN}Content-Length: {}\r\n\r\n{}", body.len(), &body[..10])).await;
    becomes("the body is waited for", async || metrics(&server).await.contains("http_requests_in_flight 0"))
        .await;
    socket.send(&body[10..]).await;
    assert_eq!(socket.answer().await.unwrap().status, 401);
    assert_eq!(socket.get("/health/live").await.unwrap().status, 200);
}

async fn metrics(server: &Server) -> String {
    let answer = Socket::open(server).await.get("/metrics").await.unwrap();
    String::from_utf8(answer.body).unwrap()
}

#[tokio::test]
async fn a_client_that_takes_no_answer_is_given_up() {
    let database = Database::new().await;
    let server = server(&database, &[("SCRIP_CLIENT_WINDOW_S", "1")]).await;
    let mut socket = Socket::narrow(&server).await;
    socket.send(&"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n".repeat(50)).await;
    becomes("it is given up", async || metrics(&server).await.contains(r#"for="answer""#)).await;
}
