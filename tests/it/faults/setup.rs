//! A set-up that can never work is refused at start, with what to do.

use super::proxy::socket_of;
use crate::{database::Database, pair::becomes, server::Server};
use deadpool_redis::redis::{Client, cmd};
use std::{
    collections::HashMap,
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream, UnixStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
};

/// That the server ends by itself as one does that was set up wrong, and says what is to be done.
async fn assert_refused(database_url: &str, redis_url: &str, more: &[(&str, &str)], says: &[&str]) {
    let (said, code) = Server::refuses(database_url, redis_url, more).await;
    assert_eq!(code, Some(2), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
    assert!(said.starts_with("scrip: ") && !said.contains("went wrong on our side"), "{said}");
    for what in says {
        assert!(said.contains(what), "{what}: {said}");
    }
}

fn redis_url() -> String {
    crate::database::url("SCRIP_TEST_REDIS_URL")
}

#[tokio::test]
async fn urls_that_ask_for_what_this_build_lacks() {
    let database = Database::new().await;
    for (option, says) in [
        ("sslmode=require", ["DATABASE_URL", "sslmode=disable"]),
        ("target_session_attrs=any", ["target_session_attrs", "read-write"]),
        ("host=a,b", ["several hosts", "HAProxy"]),
    ] {
        let url = format!("{}&{option}", database.url);
        assert_refused(&url, &redis_url(), &[], &says).await;
    }
    assert_refused(&database.url, "rediss://localhost", &[], &["REDIS_URL", "redis://"]).await;
    let prefix = [("SCRIP_REDIS_PREFIX", "{x}")];
    assert_refused(&database.url, &redis_url(), &prefix, &["SCRIP_REDIS_PREFIX", "{ or }"]).await;
}

#[tokio::test]
async fn a_url_that_asks_for_a_primary_is_understood() {
    let database = Database::new().await;
    let url = format!("{}&target_session_attrs=read-write", database.url);
    let server = Server::on(&url, &redis_url(), &database.name).start_with(&[]).await;
    becomes("it serves", async || {
        server.get("/health/ready", "").await.is_some_and(|(status, _)| status == 200)
    })
    .await;
    assert!(!server.log().contains("unrecognized"), "{}", server.log());
}

/// A Redis that is a node of a cluster; killed when it is dropped.
struct ClusterNode {
    process: Child,
    url: String,
    _directory: TempDir,
}

impl ClusterNode {
    async fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let socket = directory.path().join("redis.sock");
        // A node wants a port for the others even if it is never met: any will do.
        let port = 10_000 + rand::random_range(0..10_000_u16);
        let process = Command::new("redis-server")
            .args(["--cluster-enabled", "yes", "--save", "", "--appendonly", "no", "--bind", "127.0.0.1"])
            .args(["--port", &port.to_string(), "--dir"])
            .arg(directory.path())
            .arg("--unixsocket")
            .arg(&socket)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let node = Self { process, url: format!("redis+unix://{}", socket.display()), _directory: directory };
        becomes("the node answers", async || {
            let client = Client::open(node.url.as_str()).unwrap();
            match client.get_multiplexed_async_connection().await {
                Ok(mut redis) => cmd("PING").exec_async(&mut redis).await.is_ok(),
                Err(_) => false,
            }
        })
        .await;
        node
    }
}

impl Drop for ClusterNode {
    fn drop(&mut self) {
        let _already_gone = self.process.kill();
        let _collected = self.process.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_of_a_redis_cluster() {
    let database = Database::new().await;
    let node = ClusterNode::start().await;
    assert_refused(&database.url, &node.url, &[], &["REDIS_URL", "Redis Cluster", "one Redis"]).await;
}

/// Shares connections to Postgres between clients, one transaction at a time, as `PgBouncer` does with
/// `pool_mode=transaction`; that one would have to be installed where tests run.
struct Pooler {
    url: String,
    accepting: tokio::task::JoinHandle<()>,
}

impl Drop for Pooler {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// Connections to Postgres that no client is using; the last one given back is the next one taken.
#[derive(Default)]
struct Shared {
    idle: Mutex<Vec<UnixStream>>,
    /// The answer of Postgres to a start-up message.
    greetings: Mutex<HashMap<Vec<u8>, Vec<u8>>>,
}

impl Pooler {
    async fn start(database_url: &str) -> Self {
        let (address, _) = database_url.split_once('?').unwrap();
        let (_, name) = address.rsplit_once('/').unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!(
            "postgres://scrip@127.0.0.1:{}/{name}?sslmode=disable",
            listener.local_addr().unwrap().port()
        );
        let (socket, shared) = (socket_of(database_url), Arc::new(Shared::default()));
        let accepting = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (socket, shared) = (socket.clone(), Arc::clone(&shared));
                tokio::spawn(async move { serve(client, &socket, &shared).await });
            }
        });
        Self { url, accepting }
    }
}

/// A message of the protocol, from its first byte to its last; a start-up has no type.
async fn message(from: &mut (impl AsyncReadExt + Unpin), has_type: bool) -> Option<Vec<u8>> {
    let mut head = vec![0; 4 + usize::from(has_type)];
    from.read_exact(&mut head).await.ok()?;
    let length = u32::from_be_bytes(head[head.len() - 4..].try_into().unwrap()) as usize;
    let mut message = head;
    let body_at = message.len();
    message.resize(body_at + length - 4, 0);
    from.read_exact(&mut message[body_at..]).await.ok()?;
    Some(message)
}

async fn serve(client: TcpStream, socket: &str, shared: &Shared) -> Option<()> {
    let (mut asks, mut told): (OwnedReadHalf, OwnedWriteHalf) = client.into_split();
    let startup = message(&mut asks, false).await?;
    let known = shared.greetings.lock().unwrap().get(&startup).cloned();
    let greeting = if let Some(greeting) = known {
        greeting
    } else {
        let (server, greeting) = open(socket, &startup).await?;
        shared.idle.lock().unwrap().push(server);
        shared.greetings.lock().unwrap().insert(startup.clone(), greeting.clone());
        greeting
    };
    told.write_all(&greeting).await.ok()?;
    loop {
        let mut asked = message(&mut asks, true).await?;
        if asked[0] == b'X' {
            return Some(());
        }
        let idle = shared.idle.lock().unwrap().pop();
        let mut server = match idle {
            Some(server) => server,
            None => open(socket, &startup).await?.0,
        };
        // This client's until its transaction ends.
        loop {
            server.write_all(&asked).await.ok()?;
            // An answer comes to a simple query and to a Sync.
            if matches!(asked[0], b'Q' | b'S') {
                let status = loop {
                    let said = message(&mut server, true).await?;
                    told.write_all(&said).await.ok()?;
                    if said[0] == b'Z' {
                        break said[5];
                    }
                };
                if status == b'I' {
                    shared.idle.lock().unwrap().push(server);
                    break;
                }
            }
            asked = message(&mut asks, true).await?;
        }
    }
}

/// A connection to Postgres, and its greeting.
async fn open(socket: &str, startup: &[u8]) -> Option<(UnixStream, Vec<u8>)> {
    let mut server = UnixStream::connect(socket).await.ok()?;
    server.write_all(startup).await.ok()?;
    let mut greeting = Vec::new();
    loop {
        let said = message(&mut server, true).await?;
        greeting.extend(&said);
        match said[0] {
            b'Z' => return Some((server, greeting)),
            b'E' => return None,
            _ => {}
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pooler_that_shares_connections_between_transactions() {
    let database = Database::new().await;
    let pooler = Pooler::start(&database.url).await;
    let says = ["DATABASE_URL", "connection pooler", "pool_mode=session"];
    assert_refused(&pooler.url, &redis_url(), &[], &says).await;
}
