//! Postgres as servers reach it: which connections are made, that they lead to a primary, and when they
//! are given up.
//!
//! A host that is gone says nothing: no answer comes, and no error. sqlx waits for ever then, and the kernel
//! for a quarter of an hour. [`probe`] finds out, and [`Liveness`] has everybody who waits give up.

pub mod barrier;
mod liveness;
mod probe;
pub mod reads;
pub mod roles;
pub mod schema;
pub mod setup;
pub mod warnings;

pub use liveness::{Liveness, Replication};
pub use probe::probe;

use crate::config::Config;
use sqlx::{
    ConnectOptions, Connection, PgConnection, PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use std::{io, sync::Arc, time::Duration};
use tokio::time::{sleep, timeout};

/// A connection that takes longer to make is given up.
pub const CONNECT_WITHIN: Duration = Duration::from_secs(2);

/// A connection that is given back has this long to be done with what it was left with.
const DONE_WITHIN: Duration = Duration::from_secs(10);

/// How long a request that met a standby waits before it connects again.
const STANDBY_PAUSE: Duration = Duration::from_millis(500);

/// A pool of so many connections, which connects when it is first asked to: a server starts while Postgres is away.
pub fn pool(
    config: &Config,
    connections: u32,
    options: &PgConnectOptions,
    liveness: &Arc<Liveness>,
) -> PgPool {
    let wait = Duration::from_millis(config.database_wait_ms.min(config.redeem_deadline_ms));
    let liveness = Arc::clone(liveness);
    PgPoolOptions::new()
        .max_connections(connections.max(1))
        .acquire_timeout(wait)
        .acquire_slow_threshold(wait)
        .test_before_acquire(false)
        .after_connect(|connection, _| {
            Box::pin(async move {
                let checked = check_primary(connection).await;
                if checked.is_err() {
                    // The pool would connect again at once.
                    sleep(STANDBY_PAUSE).await;
                }
                checked
            })
        })
        .after_release(move |connection, its| {
            let liveness = Arc::clone(&liveness);
            Box::pin(async move {
                if liveness.is_cut(its.age) {
                    return Err(silent());
                }
                // sqlx pings what it takes back, without a limit: now and then that is found out before.
                if !liveness.was_just_heard() {
                    limited(DONE_WITHIN, connection.ping()).await?;
                    liveness.heard();
                }
                Ok(true)
            })
        })
        .connect_lazy_with(options.clone())
}

/// Makes one connection outside the pool, to a primary.
pub async fn connect(options: &PgConnectOptions) -> Result<PgConnection, sqlx::Error> {
    let connecting = async {
        let mut connection = options.connect().await?;
        check_primary(&mut connection).await?;
        Ok(connection)
    };
    limited(CONNECT_WITHIN, connecting).await
}

/// Fails unless this Postgres can be written to.
async fn check_primary(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    if probe::condition(connection).await?.read_only {
        return Err(io::Error::other("this Postgres takes no writes: it is a standby, or read-only").into());
    }
    Ok(())
}

/// Waits so long, and then takes it that no answer will come.
pub async fn limited<T>(
    limit: Duration,
    asked: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, sqlx::Error> {
    timeout(limit, asked).await.unwrap_or_else(|_| Err(silent()))
}

/// The error of who waited in vain.
pub fn silent() -> sqlx::Error {
    io::Error::new(io::ErrorKind::TimedOut, "postgres says nothing").into()
}
