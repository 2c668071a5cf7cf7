//! How many get in at once, and from where.

use super::socket::Socket;
use crate::{
    app::TestApp,
    database::{self, Database},
    pair::becomes,
    server::Server,
};
use futures_util::future::select_all;

/// A request whose body is not there: with a length, and one letter of it.
const UNFINISHED: &str = "POST /auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n\
                          Content-Length: 42\r\n\r\n{";
const REST: &str = r#""username": "nobody", "password": "none"}"#;

async fn server(settings: &[(&str, &str)]) -> (Database, Server) {
    let database = Database::new().await;
    let server = Server::on(&database.url, &database::url("SCRIP_TEST_REDIS_URL"), &database.name);
    let server = server.start_with(settings).await;
    (database, server)
}

/// One request with an unfinished body more than an address may have: one is refused; those that wait.
async fn fill(server: &Server, address: &str, most: usize) -> Vec<Socket> {
    let mut waiting = Vec::new();
    for _ in 0..=most {
        let mut socket = Socket::from(server, address).await;
        socket.send(UNFINISHED).await;
        waiting.push(socket);
    }
    let (_, refused, _) = select_all(waiting.iter().map(|socket| Box::pin(socket.0.readable()))).await;
    assert_eq!(waiting.swap_remove(refused).answer().await.unwrap().status, 503);
    waiting
}

#[tokio::test]
async fn who_watches_is_answered_when_nobody_else_is() {
    let test = TestApp::builder().config(|config| config.requests_max = 0).build().await;
    for path in ["/health/live", "/v1/health/live", "/metrics"] {
        assert_eq!(test.anyone().get(path).await.status, 200, "{path}");
    }
    assert_eq!(test.anyone().get("/docs/problems/busy").await.expect(503)["type"], "/docs/problems/busy");
}

#[tokio::test]
async fn bodies_that_do_not_come_take_no_place_of_a_request() {
    let settings = [
        ("SCRIP_REQUESTS_MAX", "2"),
        ("SCRIP_BODIES_MAX", "20"),
        ("SCRIP_ADDRESS_SHARE_PERCENT", "100"),
        // A request has a place until its body is found missing: one at a time.
        ("SCRIP_WORKER_THREADS", "1"),
    ];
    let (_database, server) = server(&settings).await;
    let mut waiting = Vec::new();
    for _ in 0..10 {
        let mut socket = Socket::open(&server).await;
        socket.send(UNFINISHED).await;
        waiting.push(socket);
    }
    becomes("they wait elsewhere", async || {
        Socket::open(&server).await.get("/docs/problems/busy").await.unwrap().status == 200
    })
    .await;
    for mut socket in waiting {
        socket.send(REST).await;
        assert_eq!(socket.answer().await.unwrap().status, 401);
    }
}

#[tokio::test]
async fn an_address_can_fill_its_share_of_a_room_and_no_more() {
    let settings = [("SCRIP_BODIES_MAX", "8"), ("SCRIP_ADDRESS_SHARE_PERCENT", "50")];
    let (_database, server) = server(&settings).await;
    let mine = fill(&server, "127.0.0.1", 4).await;
    let mut other = Socket::from(&server, "127.0.0.2").await;
    other.send(UNFINISHED).await;
    other.send(REST).await;
    assert_eq!(other.answer().await.unwrap().status, 401);
    for mut socket in mine {
        socket.send(REST).await;
        assert_eq!(socket.answer().await.unwrap().status, 401);
    }
    // What was given back can be had again.
    fill(&server, "127.0.0.1", 4).await;
}

#[tokio::test]
async fn a_trusted_proxy_brings_many_addresses() {
    let settings = [
        ("SCRIP_BODIES_MAX", "8"),
        ("SCRIP_ADDRESS_SHARE_PERCENT", "25"),
        ("SCRIP_TRUSTED_PROXIES", "127.0.0.1"),
    ];
    let (_database, server) = server(&settings).await;
    let mut waiting = Vec::new();
    for number in 0..6 {
        let mut socket = Socket::open(&server).await;
        let from = format!("Host: x\r\nX-Forwarded-For: 192.0.2.{}\r\n", number / 2);
        socket.send(&UNFINISHED.replace("Host: x\r\n", &from)).await;
        waiting.push(socket);
    }
    for mut socket in waiting {
        socket.send(REST).await;
        assert_eq!(socket.answer().await.unwrap().status, 401);
    }
}

#[tokio::test]
async fn an_address_has_its_share_of_connections() {
    let settings = [("SCRIP_CONNECTIONS_MAX", "10"), ("SCRIP_ADDRESS_SHARE_PERCENT", "30")];
    let (_database, server) = server(&settings).await;
    let mut open = Vec::new();
    for _ in 0..3 {
        let mut socket = Socket::from(&server, "127.0.0.2").await;
        assert_eq!(socket.get("/health/live").await.unwrap().status, 200);
        open.push(socket);
    }
    Socket::from(&server, "127.0.0.2").await.expect_end().await;
    let mut other = Socket::from(&server, "127.0.0.3").await;
    assert_eq!(other.get("/health/live").await.unwrap().status, 200);
    drop(open.pop());
    becomes("its place is free", async || {
        Socket::from(&server, "127.0.0.2").await.get("/health/live").await.is_some()
    })
    .await;
}

#[tokio::test]
async fn the_limit_on_open_files_is_raised_and_said_to_be_low() {
    let database = Database::new().await;
    let server = Server::on(&database.url, &database::url("SCRIP_TEST_REDIS_URL"), &database.name);
    let server = server.with_files(256, 1_024).start_with(&[]).await;
    let log = server.log();
    assert!(log.contains("limit=1024") && log.contains("requests_max=4096"), "{log}");
    // More than the limit that it was started with: of each connection one is the server's.
    let mut open = Vec::new();
    for number in 0..300 {
        let mut socket = Socket::from(&server, &format!("127.0.1.{}", number % 3 + 1)).await;
        assert_eq!(socket.get("/health/live").await.unwrap().status, 200);
        open.push(socket);
    }
}
