//! The handles that every part shares.

use crate::{
    config::Config,
    coupons::{print, shop::PrintShop},
    error::{Error, Result, Store},
    fleet::image::workshop::Workshop,
    gateway::commands::waiting::Waiting,
    identity::{
        access::Access,
        login::{Logins, Resets},
        passwords::Passwords,
        tokens::Tokens,
    },
    integrations::delivery::courier::Courier,
    jobs::worker::Bell,
    mail::{pace::Pace, post::Post, strangers::Strangers},
    notice,
    offload::Offload,
    postgres::{self, Liveness, barrier::Barrier, reads::Reads},
    redemption::{
        audit::Audit, epoch, facts::Near, guesses::Guesses, hot::Hot, journal::Journal, reconcile::Reconcile,
    },
    seal::Keyring,
    stores::Stores,
    time::Clock,
};
use sqlx::{PgPool, postgres::PgConnectOptions};
use std::{ops::Deref, sync::Arc, time::Duration};
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
    /// Connections for what vends look up that no memory holds: whatever else goes on, they find one there.
    pub vends: PgPool,
    /// Connections for what people look up.
    pub reads: Reads,
    /// How Postgres is reached, for those who need a connection of their own.
    pub postgres_options: PgConnectOptions,
    /// Whether Postgres is worth waiting for.
    pub liveness: Arc<Liveness>,
    /// The proof that what was read is on a synchronous standby.
    pub barrier: Barrier,
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
    /// Budgets of failed log-ins.
    pub logins: Logins,
    /// How often one address may be sent a mail for a new password.
    pub resets: Resets,
    /// How often one client may have such mails sent.
    pub reset_clients: Resets,
    /// How fast mails leave that people cause to addresses of their choice.
    pub mail_pace: Pace,
    /// How many mails a user group may have sent to addresses that nobody has confirmed.
    pub strangers: Strangers,
    /// How mails leave.
    pub post: Post,
    /// Carries deliveries to integrations.
    pub courier: Courier,
    /// Does work of a size that callers choose, off the threads that answer requests.
    pub offload: Offload,
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

impl App {
    /// Puts the parts together and starts what runs beside requests.
    pub fn start(config: Config, clock: Clock) -> Result<Self> {
        let options = postgres::setup::options(&config).map_err(Error::fault)?;
        let liveness = Arc::new(Liveness::default());
        let db = postgres::pool(&config, config.database_connections, &options, &liveness);
        let stop = CancellationToken::new();
        let (barrier, proving) = Barrier::new(options.clone(), Arc::clone(&liveness), stop.clone());
        let tasks = TaskTracker::new();
        let stores = Stores::unasked(clock.now());
        let tokens = Tokens::new(&config.signing_secrets().map_err(Error::fault)?, config.access_token_s)?;
        let post = Post::new(&config).map_err(Error::fault)?;
        let print_shop = PrintShop::new(&config)?;
        let (journal, lanes) = Journal::new(&config, &options, &db, &liveness, &stop);
        let (audit, audit_writer) =
            Audit::new(db.clone(), Arc::clone(&liveness), config.audit_queue_max, stop.clone());
        let (reconcile, backlog, committed) = Reconcile::new();
        for lane in lanes {
            tasks.spawn(lane);
        }
        tasks.spawn(audit_writer);
        tasks.spawn(proving);
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
            vends: postgres::pool(&config, config.vend_connections, &options, &liveness),
            reads: Reads::new(&config, &options, &liveness),
            db,
            postgres_options: options,
            liveness,
            barrier,
            stores,
            notices: notice::Progress::default(),
            access: Access::default(),
            tokens,
            passwords: Passwords::new(&config)?,
            logins: Logins::new(&config),
            resets: Resets::of_address(config.resets_per_hour),
            reset_clients: Resets::of_client(config.resets_per_client_per_minute),
            mail_pace: Pace::new(config.reset_mails_per_minute, config.group_mails_per_minute),
            strangers: Strangers::new(config.mails_to_strangers_per_hour),
            post,
            courier: Courier::new(&config),
            offload: Offload::default(),
            images: Workshop::new(&config),
            print_shop,
            keyring: Keyring::new(&config)?,
            waiting: Waiting::default(),
            closing: stop.child_token(),
            stop,
            tasks,
            config,
        }));
        app.tasks.spawn(postgres::probe(app.clone()));
        app.tasks.spawn(watch_redis(app.clone()));
        app.tasks.spawn(notice::listen(app.clone()));
        app.keep_up(notice::sweep);
        app.tasks.spawn(backlog.run(app.clone()));
        app.tasks.spawn(committed.run(app.clone()));
        app.tasks.spawn(remember_keys(app.clone()));
        app.keep_up(print::drop_old);
        Ok(app)
    }

    /// Starts what goes on until the server stops; and starts it again whenever connections to Postgres were
    /// given up, since it may be waiting for one.
    pub fn keep_up<F>(&self, task: impl Fn(Self) -> F + Send + 'static)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let app = self.clone();
        self.tasks.spawn(async move {
            while app.liveness.unless_cut(task(app.clone())).await.is_none() && !app.stop.is_cancelled() {}
        });
    }

    /// Has everybody give up the connections to Postgres that there are.
    pub fn give_up_postgres(&self) {
        self.liveness.cut();
        for pool in [&self.db, &self.vends, self.reads.pool()] {
            while let Some(idle) = pool.try_acquire() {
                // Not given back, nor closed in an orderly way: nobody would answer.
                drop(idle.detach());
            }
        }
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
    let gone = || {
        app.stores.away(Store::Redis, app.clock.now());
    };
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
        if let Err(error) = app.liveness.while_up(app.access.flush_last_used(&app.db)).await {
            tracing::debug!(error = %error, "the last use of keys is written later");
        }
    }
}

/// The pool for tools that need no server around it.
pub fn database(config: &Config) -> Result<PgPool, String> {
    let options = postgres::setup::options(config)?;
    Ok(postgres::pool(config, config.database_connections, &options, &Arc::default()))
}
