//! A server whose questions to its stores are counted.

use crate::faults::proxy::socket_of;
use scrip::{app::App, config::Config};
use secrecy::{ExposeSecret, SecretString};
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, UnixStream},
    task::JoinHandle,
};

/// How often each store was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Asked {
    /// Round trips to Postgres.
    pub postgres: u64,
    /// Commands to Redis.
    pub redis: u64,
}

/// Counts what passes on its way to two stores.
#[derive(Debug)]
pub struct Tally {
    postgres: Arc<AtomicU64>,
    redis: Arc<AtomicU64>,
    accepting: [JoinHandle<()>; 2],
}

impl Tally {
    /// Starts a server beside `like`, on the same stores, with one connection to Postgres for what it is asked and so
    /// many guesses a minute.
    pub async fn server(like: &App, guesses: u32) -> (App, Self) {
        let postgres = Arc::new(AtomicU64::new(0));
        let redis = Arc::new(AtomicU64::new(0));
        let socket = socket_of(like.config.database_url.expose_secret());
        let (port, to_postgres) = listen(socket, round_trips, &postgres).await;
        let (_, name) = like
            .config
            .database_url
            .expose_secret()
            .split_once('?')
            .map_or(("", ""), |(url, _)| url.rsplit_once('/').unwrap());
        let database_url = format!("postgres://scrip@127.0.0.1:{port}/{name}?sslmode=disable");
        let socket = like.config.redis_url.expose_secret().strip_prefix("redis+unix://").unwrap().to_owned();
        let (port, to_redis) = listen(socket, commands, &redis).await;
        let config = Config {
            database_url: SecretString::from(database_url),
            redis_url: SecretString::from(format!("redis://127.0.0.1:{port}")),
            database_connections: 1,
            guesses_per_device_per_minute: guesses,
            guesses_per_key_per_minute: guesses,
            ..like.config.clone()
        };
        let app = App::start(config, like.clock.clone()).unwrap();
        assert!(app.ready(std::time::Duration::from_secs(5)).await, "a store does not answer");
        (app, Self { postgres, redis, accepting: [to_postgres, to_redis] })
    }

    /// The requests so far.
    pub fn asked(&self) -> Asked {
        Asked { postgres: self.postgres.load(Ordering::SeqCst), redis: self.redis.load(Ordering::SeqCst) }
    }
}

impl Drop for Tally {
    fn drop(&mut self) {
        self.accepting.iter().for_each(JoinHandle::abort);
    }
}

/// Takes whole messages off what was sent, and returns how many of them count.
type Count = fn(&mut Vec<u8>, &mut bool) -> u64;

async fn listen(socket: String, count: Count, counted: &Arc<AtomicU64>) -> (u16, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let counted = Arc::clone(counted);
    let accepting = tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let server = UnixStream::connect(&socket).await.unwrap();
            let counted = Arc::clone(&counted);
            tokio::spawn(async move {
                let ((mut asks, mut hears), (mut says, mut told)) =
                    (client.into_split(), server.into_split());
                let back = tokio::io::copy(&mut says, &mut hears);
                let (mut pending, mut started, mut chunk) = (Vec::new(), false, vec![0; 1 << 16]);
                let forth = async {
                    while let Ok(length @ 1..) = asks.read(&mut chunk).await {
                        pending.extend_from_slice(&chunk[..length]);
                        counted.fetch_add(count(&mut pending, &mut started), Ordering::SeqCst);
                        if told.write_all(&chunk[..length]).await.is_err() {
                            return;
                        }
                    }
                };
                tokio::select! { _ = back => {} () = forth => {} }
            });
        }
    });
    (port, accepting)
}

/// Counts the messages after which Postgres is waited for: Sync and Query. The first message has no type.
fn round_trips(pending: &mut Vec<u8>, started: &mut bool) -> u64 {
    let mut trips = 0;
    loop {
        let head = usize::from(*started);
        let Some(length) = pending.get(head..head + 4) else { return trips };
        let length = head + u32::from_be_bytes(length.try_into().unwrap()) as usize;
        if pending.len() < length {
            return trips;
        }
        trips += u64::from(*started && matches!(pending[0], b'S' | b'Q'));
        *started = true;
        pending.drain(..length);
    }
}

/// Counts commands, but for those that only look whether Redis is there.
fn commands(pending: &mut Vec<u8>, _: &mut bool) -> u64 {
    let mut count = 0;
    while let Some((length, name)) = command(pending) {
        count += u64::from(name != b"PING");
        pending.drain(..length);
    }
    count
}

/// The first command, if all of it is there: its length and its name.
fn command(bytes: &[u8]) -> Option<(usize, Vec<u8>)> {
    let line = |at: usize| {
        let end = at + bytes.get(at..)?.windows(2).position(|pair| pair == b"\r\n")?;
        let number: usize = std::str::from_utf8(&bytes[at + 1..end]).unwrap().parse().unwrap();
        Some((number, end + 2))
    };
    let (parts, mut at) = line(0)?;
    let mut name = Vec::new();
    for part in 0..parts {
        let (length, begins) = line(at)?;
        let text = bytes.get(begins..begins + length)?;
        if part == 0 {
            name = text.to_ascii_uppercase();
        }
        at = begins + length + 2;
    }
    (bytes.len() >= at).then_some((at, name))
}
