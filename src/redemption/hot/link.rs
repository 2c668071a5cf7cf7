//! The connections that vends go over: pipelined by nature, watched, and made again when one breaks.

use super::scripts;
use crate::config::Config;
use deadpool_redis::redis::{
    AsyncConnectionConfig, Client, ConnectionInfo, InfoDict, IntoConnectionInfo, RedisResult,
    aio::MultiplexedConnection, cmd,
};
use secrecy::ExposeSecret;
use std::{
    sync::{
        RwLock,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::sync::Notify;

/// Between two attempts to connect, and between two looks at whether Redis is still there.
const PAUSE: Duration = Duration::from_millis(250);

/// Connections that come and go, all of them together.
#[derive(Debug)]
pub(super) struct Link {
    client: Client,
    info: ConnectionInfo,
    timeout: Duration,
    connections: RwLock<Box<[MultiplexedConnection]>>,
    connections_max: usize,
    turn: AtomicUsize,
    suspected: Notify,
}

impl Link {
    pub(super) fn new(config: &Config) -> RedisResult<Self> {
        let info = config.redis_url.expose_secret().into_connection_info()?;
        Ok(Self {
            client: Client::open(info.clone())?,
            info,
            timeout: Duration::from_millis(config.redis_timeout_ms),
            connections: RwLock::default(),
            connections_max: config.redis_connections.max(1),
            turn: AtomicUsize::new(0),
            suspected: Notify::new(),
        })
    }

    pub(super) fn info(&self) -> ConnectionInfo {
        self.info.clone()
    }

    /// One of the connections, each in its turn.
    pub(super) fn connection(&self) -> Option<MultiplexedConnection> {
        let connections = self.connections.read().ok()?;
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        connections.get(turn.checked_rem(connections.len())?).cloned()
    }

    pub(super) fn is_up(&self) -> bool {
        self.connections.read().is_ok_and(|connections| !connections.is_empty())
    }

    /// Someone was let down: nobody else is to try before the connections have been looked at.
    pub(super) fn suspect(&self) {
        self.publish(Box::default());
        self.suspected.notify_one();
    }

    fn publish(&self, connections: Box<[MultiplexedConnection]>) {
        if let Ok(mut slot) = self.connections.write() {
            *slot = connections;
        }
    }

    pub(super) async fn supervise<F: Future<Output = ()>>(
        &self,
        arrived: impl Fn(String) -> F,
        gone: impl Fn(),
    ) {
        loop {
            match self.connect().await {
                Ok((connections, run_id)) => {
                    tracing::info!(redis.run_id = run_id, "redis is there");
                    arrived(run_id).await;
                    self.publish(connections.clone());
                    self.watch(connections).await;
                    self.publish(Box::default());
                    tracing::warn!("redis is away; vouchers are checked in postgres alone");
                    gone();
                }
                Err(error) => {
                    tracing::debug!(error = %error, "redis does not answer");
                    gone();
                }
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Connects, sees that it is a server that can be written to, and hands it the scripts.
    async fn connect(&self) -> RedisResult<(Box<[MultiplexedConnection]>, String)> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(self.timeout))
            .set_response_timeout(Some(self.timeout));
        let mut connection = self.client.get_multiplexed_async_connection_with_config(&config).await?;
        let info: InfoDict = cmd("INFO").query_async(&mut connection).await?;
        if info.get::<String>("role").is_some_and(|role| role != "master") {
            return Err((deadpool_redis::redis::ErrorKind::Client, "this Redis is a replica").into());
        }
        for script in scripts::all() {
            script.install(&mut connection).await?;
        }
        let mut connections = vec![connection];
        while connections.len() < self.connections_max {
            connections.push(self.client.get_multiplexed_async_connection_with_config(&config).await?);
        }
        Ok((connections.into(), info.get("run_id").unwrap_or_default()))
    }

    /// Returns when one of the connections is no good any more.
    async fn watch(&self, mut connections: Box<[MultiplexedConnection]>) {
        loop {
            tokio::select! {
                () = self.suspected.notified() => return,
                () = tokio::time::sleep(PAUSE) => {}
            }
            for connection in &mut connections {
                if cmd("PING").exec_async(connection).await.is_err() {
                    return;
                }
            }
        }
    }
}
