//! The one connection that vends go over: pipelined by nature, watched, and made again when it breaks.

use super::{
    pipeline::{Answer, Failure, Pipeline},
    resp::Reply,
    scripts,
};
use crate::config::Config;
use deadpool_redis::redis::{ConnectionAddr, ConnectionInfo, IntoConnectionInfo};
use secrecy::ExposeSecret;
use std::{
    io,
    sync::{Arc, RwLock},
    time::Duration,
};
use tokio::{
    net::{TcpStream, UnixStream},
    sync::Notify,
};

/// Between two attempts to connect, and between two looks at whether Redis is still there.
const PAUSE: Duration = Duration::from_millis(250);

/// Between two looks at whether a server that cannot be worked with has been replaced.
const UNFIT_PAUSE: Duration = Duration::from_secs(10);

/// The fault of a node of a cluster, and the remedy.
const CLUSTER: &str = "a node of a Redis Cluster, which holds a part of the vouchers alone: this server needs one Redis \
                       (cluster-enabled no), with or without replicas";

/// The fault of a Sentinel, and the remedy.
const SENTINEL: &str = "a Sentinel, which holds no data: this server needs the address of the primary that it watches, \
                        or of a proxy that leads there";

/// A connection that comes and goes.
#[derive(Debug)]
pub(super) struct Link {
    info: ConnectionInfo,
    timeout: Duration,
    connection: RwLock<Option<Arc<Pipeline>>>,
    suspected: Notify,
}

impl Link {
    pub(super) fn new(config: &Config) -> Result<Self, String> {
        let url = config.redis_url.expose_secret();
        if url.starts_with("rediss:") {
            return Err(
                "REDIS_URL asks for TLS (rediss), which this build does not speak to Redis: use redis:// on \
                        a network that you trust, or a tunnel beside the server"
                    .to_owned(),
            );
        }
        Ok(Self {
            info: url.into_connection_info().map_err(|error| format!("REDIS_URL: {error}"))?,
            timeout: Duration::from_millis(config.redis_timeout_ms),
            connection: RwLock::new(None),
            suspected: Notify::new(),
        })
    }

    pub(super) fn info(&self) -> ConnectionInfo {
        self.info.clone()
    }

    pub(super) fn connection(&self) -> Option<Arc<Pipeline>> {
        self.connection.read().map_or(None, |connection| connection.clone())
    }

    pub(super) fn is_up(&self) -> bool {
        self.connection.read().is_ok_and(|connection| connection.is_some())
    }

    /// Someone was let down: nobody else is to try before this connection has been looked at. All who
    /// waited for it come here; a connection that was made since is none of their business.
    pub(super) fn suspect(&self, connection: &Arc<Pipeline>) {
        if let Ok(mut slot) = self.connection.write()
            && slot.as_ref().is_some_and(|current| Arc::ptr_eq(current, connection))
        {
            *slot = None;
            self.suspected.notify_one();
        }
    }

    fn publish(&self, connection: Option<Arc<Pipeline>>) {
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
                    self.publish(Some(Arc::clone(&connection)));
                    self.watch(connection).await;
                    self.publish(None);
                    tracing::warn!("redis is away; vouchers are checked in postgres alone");
                    gone();
                }
                Err(error @ Failure::Unfit(_)) => {
                    tracing::error!(error = %error, "this Redis cannot be used; vouchers are checked in postgres alone");
                    gone();
                    tokio::time::sleep(UNFIT_PAUSE).await;
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
    pub(super) async fn connect(&self) -> Result<(Arc<Pipeline>, String), Failure> {
        let opened = tokio::time::timeout(self.timeout, self.open()).await;
        let connection = opened.map_err(io::Error::from)??;
        let settings = self.info.redis_settings();
        if let Some(password) = settings.password() {
            let credentials = settings.username().into_iter().chain([password]);
            order(&connection, ["AUTH"].into_iter().chain(credentials)).await?;
        }
        if settings.db() != 0 {
            order(&connection, ["SELECT", &settings.db().to_string()].into_iter()).await?;
        }
        let answer = order(&connection, ["INFO"].into_iter()).await?;
        let Reply::Bytes(info) = answer.reply() else {
            return Err(io::Error::from(io::ErrorKind::InvalidData).into());
        };
        let info = String::from_utf8_lossy(info);
        let told = |name| info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        match told("redis_mode") {
            Some("cluster") => return Err(Failure::Unfit(CLUSTER)),
            Some("sentinel") => return Err(Failure::Unfit(SENTINEL)),
            _ => {}
        }
        if told("role").is_some_and(|role| role != "master") {
            return Err(Failure::Refused("this Redis is a replica".to_owned()));
        }
        for script in scripts::all() {
            script.install(&connection).await?;
        }
        Ok((Arc::new(connection), told("run_id").unwrap_or_default().to_owned()))
    }

    async fn open(&self) -> io::Result<Pipeline> {
        match self.info.addr() {
            ConnectionAddr::Unix(path) => {
                let (reader, writer) = UnixStream::connect(path).await?.into_split();
                Ok(Pipeline::over(reader, writer, self.timeout))
            }
            ConnectionAddr::Tcp(host, port) => {
                let socket = TcpStream::connect((host.as_str(), *port)).await?;
                socket.set_nodelay(true)?;
                let (reader, writer) = socket.into_split();
                Ok(Pipeline::over(reader, writer, self.timeout))
            }
            _ => Err(io::Error::new(io::ErrorKind::Unsupported, "TLS is not built in")),
        }
    }

    /// Returns when the connection is no good any more.
    async fn watch(&self, connection: Arc<Pipeline>) {
        loop {
            tokio::select! {
                () = self.suspected.notified() => return,
                () = tokio::time::sleep(PAUSE) => {}
            }
            if order(&connection, ["PING"].into_iter()).await.is_err() {
                return;
            }
        }
    }
}

/// A command that is all words.
async fn order(connection: &Pipeline, words: impl Iterator<Item = &str> + Clone) -> Result<Answer, Failure> {
    connection.ask(words.map(str::as_bytes)).await
}
