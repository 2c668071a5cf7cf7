//! The handles that every part shares.

use crate::{
    config::Config,
    error::{Error, Result},
    identity::{access::Access, tokens::Tokens},
    time::Clock,
};
use secrecy::ExposeSecret;
use sqlx::{
    PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use std::{ops::Deref, str::FromStr, sync::Arc, time::Duration};
use tokio::sync::Notify;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// A running Scrip; cheap to clone.
#[derive(Clone, Debug)]
pub struct App(Arc<Parts>);

/// What a running Scrip is made of.
#[derive(Debug)]
pub struct Parts {
    /// What the operator has set.
    pub config: Config,
    /// The present.
    pub clock: Clock,
    /// Postgres, the source of truth.
    pub db: PgPool,
    /// Who may do what, kept in memory.
    pub access: Access,
    /// Makes and reads access tokens.
    pub tokens: Tokens,
    /// Wakes the worker when a job was enqueued.
    pub jobs_due: Notify,
    /// Cancelled when the server is to stop.
    pub stop: CancellationToken,
    /// The tasks to wait for then.
    pub tasks: TaskTracker,
}

impl Deref for App {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

/// Runs what the schema is made by.
pub static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!();

impl App {
    /// Puts the parts together and starts what runs beside requests.
    pub async fn start(config: Config, clock: Clock) -> Result<Self> {
        let db = database(&config)?;
        let tokens = Tokens::new(config.signing_secret().map_err(Error::fault)?, config.access_token_s);
        Ok(Self(Arc::new(Parts {
            clock,
            db,
            access: Access::default(),
            tokens,
            jobs_due: Notify::new(),
            stop: CancellationToken::new(),
            tasks: TaskTracker::new(),
            config,
        })))
    }
}

/// The pool, which connects when it is first asked to: a server starts while Postgres is away.
pub fn database(config: &Config) -> Result<PgPool> {
    let options = PgConnectOptions::from_str(config.database_url.expose_secret())
        .map_err(Error::fault)?
        .application_name("scrip")
        .options([("TimeZone", "UTC"), ("idle_in_transaction_session_timeout", "30000")]);
    Ok(PgPoolOptions::new()
        .max_connections(config.database_connections)
        .acquire_timeout(Duration::from_millis(config.database_wait_ms))
        .test_before_acquire(false)
        .connect_lazy_with(options))
}
