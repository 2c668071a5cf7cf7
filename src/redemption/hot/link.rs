//! The one connection that vends go over: pipelined by nature, watched, and made again when it breaks.

use super::scripts;
use crate::config::Config;
use deadpool_redis::redis::{
    AsyncConnectionConfig, Client, ConnectionInfo, InfoDict, IntoConnectionInfo, RedisResult,
    aio::MultiplexedConnection, cmd,
};
use secrecy::ExposeSecret;
use std::{sync::RwLock, time::Duration};
use tokio::sync::Notify;

/// Between two attempts to connect, and between two looks at whether Redis is still there.
const PAUSE: Duration = Duration::from_millis(250);

/// A connection that comes and goes.
#[derive(Debug)]
pub(super) struct Link {
    client: Client,
    info: ConnectionInfo,
    timeout: Duration,
    connection: RwLock<Option<MultiplexedConnection>>,
    suspected: Notify,
}

impl Link {
    pub(super) fn new(config: &Config) -> RedisResult<Self> {
        let info = config.redis_url.expose_secret().into_connection_info()?;
        Ok(Self {
            client: Client::open(info.clone())?,
            info,
            timeout: Duration::from_millis(config.redis_timeout_ms),
            connection: RwLock::new(None),
            suspected: Notify::new(),
        })
    }

    pub(super) fn info(&self) -> ConnectionInfo {
        self.info.clone()
    }

    pub(super) fn connection(&self) -> Option<MultiplexedConnection> {
        self.connection.read().map_or(None, |connection| connection.clone())
    }

    pub(super) fn is_up(&self) -> bool {
        self.connection.read().is_ok_and(|connection| connection.is_some())
    }

    /// Someone was let down: nobody else is to try before this connection has been looked at.
    pub(super) fn suspect(&self) {
        self.publish(None);
        self.suspected.notify_one();
    }

    fn publish(&self, connection: Option<MultiplexedConnection>) {
        if let Ok(mut slot) = self.connection.write() {
            *slot = connection;
        }
    }

    pub(super) async fn supervise<F: Future<Output = ()>>(
        &self,
        arrived: impl Fn(String) -> F,
        gone: impl Fn(),
    ) {
        loop {
            match self.connect().await {
                Ok((connection, run_id)) => {
                    tracing::info!(redis.run_id = run_id, "redis is there");
                    arrived(run_id).await;
                    self.publish(Some(connection.clone()));
                    self.watch(connection).await;
                    self.publish(None);
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
    async fn connect(&self) -> RedisResult<(MultiplexedConnection, String)> {
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
        Ok((connection, info.get("run_id").unwrap_or_default()))
    }

    /// Returns when the connection is no good any more.
    async fn watch(&self, mut connection: MultiplexedConnection) {
        loop {
            tokio::select! {
                () = self.suspected.notified() => return,
                () = tokio::time::sleep(PAUSE) => {}
            }
            if cmd("PING").exec_async(&mut connection).await.is_err() {
                return;
            }
        }
    }
}
