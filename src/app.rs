//! The handles that every part shares.

use crate::{
    config::Config,
    coupons::{print, shop::PrintShop},
    error::{Error, Result, Store},
    fleet::image::workshop::Workshop,
    gateway::commands::waiting::Waiting,
    identity::{access::Access, login::Attempts, passwords::Passwords, tokens::Tokens},
    integrations::delivery::courier::Courier,
    jobs::worker::Bell,
    mail::post::Post,
    notice,
    redemption::{
        audit::Audit, epoch, facts::Near, guesses::Guesses, hot::Hot, journal::Journal, reconcile::Reconcile,
    },
    seal::Keyring,
    stores::{self, Stores},
    time::Clock,
};
use secrecy::ExposeSecret;
use sqlx::{
    ConnectOptions, PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use std::{ops::Deref, str::FromStr, sync::Arc, time::Duration};
use tokio::sync::Notify;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// The longest wait before a new connection to Redis is used, while changed codes are taken out there.
const SWEEP_TIMEOUT: Duration = Duration::from_millis(500);

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
    /// Which stores answer.
    pub stores: Stores,
    /// Redis: what changes with every vend, and can be lost.
    pub hot: Hot,
    /// Where redemptions become true.
    pub journal: Journal,
    /// What rarely changes, kept in memory.
    pub near: Near,
    /// Codes to be put right in Redis.
    pub reconcile: Reconcile,
    /// The log of what devices asked.
    pub audit: Audit,
    /// Budgets of failed look-ups.
    pub guesses: Guesses,
    /// Rung when there may be a job to do.
    pub jobs_due: Bell,
    /// Rung when there may be an alert.
    pub alerts_due: Notify,
    /// This server's progress through the notices of Postgres.
    pub notices: notice::Progress,
    /// Who may do what, kept in memory.
    pub access: Access,
    /// Makes and reads access tokens.
    pub tokens: Tokens,
    /// Hashes and checks passwords.
    pub passwords: Passwords,
    /// How often one name may try to log in.
    pub attempts: Attempts,
    /// How often one address may be sent a mail for a new password.
    pub resets: Attempts,
    /// How mails leave.
    pub post: Post,
    /// Carries deliveries to integrations.
    pub courier: Courier,
    /// Decodes and encodes images.
    pub images: Workshop,
    /// Prints coupons.
    pub print_shop: PrintShop,
    /// Opens and seals what has to be kept secret at rest.
    pub keyring: Keyring,
    /// Gateways that wait for commands.
    pub waiting: Waiting,
    /// Cancelled when no more requests are taken: those that only wait are to be answered.
    pub closing: CancellationToken,
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
    pub fn start(config: Config, clock: Clock) -> Result<Self> {
        let options = connect_options(&config)?;
        let db = database(&config)?;
        let stop = CancellationToken::new();
        let tasks = TaskTracker::new();
        let stores = Stores::unasked(clock.now());
        let tokens = Tokens::new(config.signing_secret().map_err(Error::fault)?, config.access_token_s);
        let post = Post::new(&config).map_err(Error::fault)?;
        let print_shop = PrintShop::new(&config)?;
        let (journal, lanes) = Journal::new(&config, &options, &db, &stop);
        let (audit, audit_writer) = Audit::new(db.clone(), config.audit_queue_max, stop.clone());
        let (reconcile, backlog, committed) = Reconcile::new();
        for lane in lanes {
            tasks.spawn(lane);
        }
        tasks.spawn(audit_writer);
        let app = Self(Arc::new(Parts {
            clock,
            hot: Hot::new(&config).map_err(Error::fault)?,
            journal,
            near: Near::new(config.near_vouchers_max),
            reconcile,
            audit,
            guesses: Guesses::new(&config),
            jobs_due: Bell::default(),
            alerts_due: Notify::new(),
            db,
            stores,
            notices: notice::Progress::default(),
            access: Access::default(),
            tokens,
            passwords: Passwords::new(&config)?,
            attempts: Attempts::to_log_in(config.logins_per_minute),
            resets: Attempts::to_reset(config.resets_per_hour),
            post,
            courier: Courier::new(&config),
            images: Workshop::new(&config),
            print_shop,
            keyring: Keyring::new(&config)?,
            waiting: Waiting::default(),
            closing: stop.child_token(),
            stop,
            tasks,
            config,
        }));
        app.tasks.spawn(stores::probe_postgres(app.clone()));
        app.tasks.spawn(watch_redis(app.clone()));
        app.tasks.spawn(notice::listen(app.clone()));
        app.tasks.spawn(notice::sweep(app.clone()));
        app.tasks.spawn(backlog.run(app.clone()));
        app.tasks.spawn(committed.run(app.clone()));
        app.tasks.spawn(remember_keys(app.clone()));
        app.tasks.spawn(print::drop_old(app.clone()));
        Ok(app)
    }

    /// Waits until both stores are connected to, for tests and tools; `false` if that takes too long.
    pub async fn ready(&self, within: Duration) -> bool {
        let both = async {
            while !(self.hot.is_up() && self.journal.is_ready()) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(within, both).await.is_ok()
    }
}

async fn watch_redis(app: App) {
    let arrived = |run_id| {
        let app = app.clone();
        async move {
            epoch::arrived(&app, run_id).await;
            // Takes out the codes that changed while this server could not tell Redis.
            let swept = tokio::time::timeout(SWEEP_TIMEOUT, notice::sweep_all(&app)).await;
            if !matches!(swept, Ok(Ok(()))) {
                tracing::debug!("codes that changed are taken out of redis later");
            }
            app.stores.back(Store::Redis);
        }
    };
    let gone = || app.stores.away(Store::Redis, app.clock.now());
    tokio::select! {
        () = app.hot.supervise(arrived, gone) => {}
        () = app.stop.cancelled() => {}
    }
}

/// Writes down now and then when API keys were last used.
async fn remember_keys(app: App) {
    let mut stopping = false;
    while !stopping {
        tokio::select! {
            () = tokio::time::sleep(Duration::from_secs(10)) => {}
            () = app.stop.cancelled() => stopping = true,
        }
        if let Err(error) = app.access.flush_last_used(&app.db).await {
            tracing::debug!(error = %error, "the last use of keys is written later");
        }
    }
}

fn connect_options(config: &Config) -> Result<PgConnectOptions> {
    Ok(PgConnectOptions::from_str(config.database_url.expose_secret())
        .map_err(Error::fault)?
        .application_name("scrip")
        .options([
            ("TimeZone", "UTC"),
            ("idle_in_transaction_session_timeout", "30000"),
            ("lock_timeout", "2000"),
            // Statements are short or read sums: compiling one is a good part of its time.
            ("jit", "off"),
            // What reports sort and group of a large fleet fits into memory.
            ("work_mem", "16MB"),
        ])
        // Statements of the hot path are many and known; whoever waits too long is told so.
        .disable_statement_logging())
}

/// The pool, which connects when it is first asked to: a server starts while Postgres is away.
pub fn database(config: &Config) -> Result<PgPool> {
    Ok(PgPoolOptions::new()
        .max_connections(config.database_connections)
        .acquire_timeout(Duration::from_millis(config.database_wait_ms))
        .acquire_slow_threshold(Duration::from_millis(config.database_wait_ms))
        .test_before_acquire(false)
        .connect_lazy_with(connect_options(config)?))
}
