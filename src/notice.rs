//! What Postgres tells every server: that something which it keeps in memory has changed.
//!
//! Triggers send `noun:id` on the channel `scrip`. A server that has not been listening for a while
//! forgets everything, since it cannot know what it missed.
//!
//! A client that was answered must find its change in force. Before such an answer a server sends itself a
//! notice and waits for it ([`catch_up`]): Postgres delivers notices in the order of commits.

use crate::{
    app::App,
    error::{Error, Result, Store},
    postgres::{self, CONNECT_WITHIN, limited, silent},
    redemption::{epoch, hot::Away},
    transaction,
};
use sqlx::{Acquire, postgres::PgListener};
use std::{
    io,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};
use tokio::sync::watch;
use uuid::Uuid;

/// Between two attempts to listen, and between two looks for codes that nobody took out of Redis.
const PAUSE: Duration = Duration::from_millis(500);

/// After so long without a notice, Postgres is asked whether it is still there.
const QUIET: Duration = Duration::from_secs(1);

/// Codes taken out of Redis in one go.
const SWEEP: i64 = 500;

/// The longest wait for a server's own notice, before it forgets everything instead.
const PATIENCE: Duration = Duration::from_secs(1);

/// The notices that a server sends to itself.
#[derive(Debug)]
pub struct Progress {
    /// Tells its own from those of others.
    server: Uuid,
    sent: AtomicU64,
    /// The last one that was heard, and everything before it.
    heard: watch::Sender<u64>,
}

impl Default for Progress {
    fn default() -> Self {
        Self { server: Uuid::new_v4(), sent: AtomicU64::new(0), heard: watch::Sender::new(0) }
    }
}

impl Progress {
    /// Takes note of a notice `server/number`.
    fn hear(&self, id: &str) {
        if let Some((server, number)) = id.split_once('/')
            && server.parse() == Ok(self.server)
        {
            self.reach(number.parse().unwrap_or_default());
        }
    }

    fn reach(&self, number: u64) {
        self.heard.send_if_modified(|heard| {
            let is_news = number > *heard;
            *heard = number.max(*heard);
            is_news
        });
    }
}

/// Returns once this server has heeded every change that was committed before: in its memory, and in
/// what Redis holds.
pub async fn catch_up(app: &App) {
    // The commit needs no flush: nothing is lost with it.
    const SEND: &str = "SELECT set_config('synchronous_commit', 'off', true), pg_notify('scrip', $1)";
    let number = app.notices.sent.fetch_add(1, Ordering::SeqCst) + 1;
    let notice = format!("seen:{}/{number}", app.notices.server);
    let heard = async {
        sqlx::query(SEND).bind(notice).execute(&app.db).await?;
        let mut heard = app.notices.heard.subscribe();
        heard.wait_for(|heard| *heard >= number).await.map(drop).map_err(|_| sqlx::Error::WorkerCrashed)
    };
    if !matches!(tokio::time::timeout(PATIENCE, heard).await, Ok(Ok(()))) {
        tracing::warn!("the server does not hear its own notices: everything in memory is forgotten");
        if sweep_all(app).await.is_err() {
            app.hot.distrust();
        }
        forget_everything(app);
    }
}

/// Listens until the server stops.
pub async fn listen(app: App) {
    loop {
        tokio::select! {
            ended = hear(&app) => if let Err(error) = ended {
                tracing::warn!(error = %error, "cannot listen to postgres");
            },
            () = app.stop.cancelled() => return,
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn hear(app: &App) -> Result<(), sqlx::Error> {
    let cut = app.liveness.until_cut();
    tokio::select! {
        ended = hear_over_one_connection(app) => ended,
        () = cut => Err(silent()),
    }
}

async fn hear_over_one_connection(app: &App) -> Result<(), sqlx::Error> {
    // A pool of its own: a listener gives its connection back only once Postgres has answered, if ever.
    let pool = postgres::pool(&app.config, 1, &app.postgres_options, &app.liveness);
    let mut listener = limited(CONNECT_WITHIN, PgListener::connect_with(&pool)).await?;
    // It would listen again over whatever connection the pool has left, to a Postgres that is dying, say.
    listener.eager_reconnect(false);
    limited(QUIET, listener.listen("scrip")).await?;
    let its_connection = listener.acquire().await?;
    limited(QUIET, epoch::compare_lineage(app, its_connection)).await?;
    // Notices up to here may be lost. They came after their commits, which are heeded now.
    let sent = app.notices.sent.load(Ordering::SeqCst);
    match sweep_all(app).await {
        Ok(()) => {}
        Err(Error::Unavailable { store: Store::Redis }) => app.hot.distrust(),
        Err(_) => return Err(sqlx::Error::WorkerCrashed),
    }
    forget_everything(app);
    app.notices.reach(sent);
    app.stores.listening();
    let _ = epoch::read(app).await;
    loop {
        let Ok(heard) = tokio::time::timeout(QUIET, listener.try_recv()).await else {
            // Nothing to hear, or nobody there: a connection that died silently would stay quiet for ever.
            limited(QUIET, sqlx::query("SELECT 'listening'").execute(&mut listener)).await?;
            continue;
        };
        match heard? {
            Some(notification) => {
                if let Some((noun, id)) = notification.payload().split_once(':') {
                    heed(app, noun, id).await;
                }
            }
            // What is said from here on is lost: it is forgotten once there is someone to ask.
            None => return Err(io::Error::from(io::ErrorKind::ConnectionReset).into()),
        }
    }
}

fn forget_everything(app: &App) {
    app.near.clear();
    app.access.clear();
    app.waiting.wake_all();
    app.jobs_due.ring();
    app.alerts_due.notify_one();
}

async fn heed(app: &App, noun: &str, id: &str) {
    app.near.on_notice(noun, id);
    app.access.on_notice(noun, id.parse().unwrap_or_default());
    match noun {
        "seen" => app.notices.hear(id),
        "epoch" => app.hot.set_epoch(id.parse().unwrap_or_default()),
        "code" => evict_or_distrust(app, id).await,
        "command" => app.waiting.wake(id.parse().unwrap_or_default()),
        "job" => app.jobs_due.ring(),
        "alert" => app.alerts_due.notify_one(),
        _ => {}
    }
}

/// Takes out of Redis what changed in Postgres while nobody was there to do it. Any server may.
pub async fn sweep(app: App) {
    loop {
        let swept = if app.hot.is_up() { sweep_once(&app).await.unwrap_or(0) } else { 0 };
        let pause = if swept == SWEEP { Duration::ZERO } else { PAUSE };
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = app.stop.cancelled() => return,
        }
    }
}

/// Takes all of them out before it returns. Fails if Redis or Postgres does not answer.
pub async fn sweep_all(app: &App) -> Result<()> {
    while sweep_once(app).await? == SWEEP {}
    // Those that another server is at.
    let codes: Vec<String> =
        sqlx::query_scalar("SELECT DISTINCT key FROM stale_code").fetch_all(&app.db).await?;
    evict(app, &codes).await
}

async fn sweep_once(app: &App) -> Result<i64> {
    let mut tx = transaction::begin(&app.db).await?;
    let codes: Vec<String> = sqlx::query_scalar(
        "DELETE FROM stale_code WHERE id IN (SELECT id FROM stale_code ORDER BY id LIMIT $1 FOR UPDATE SKIP LOCKED) \
         RETURNING key",
    )
    .bind(SWEEP)
    .fetch_all(&mut *tx)
    .await?;
    evict(app, &codes).await?;
    tx.commit().await?;
    Ok(codes.len() as i64)
}

/// Takes a code out of Redis. If that fails, the copies there cannot be trusted: they are swept before Redis
/// is used again.
async fn evict_or_distrust(app: &App, code: &str) {
    if evict(app, &[code.to_owned()]).await.is_err() {
        app.hot.distrust();
    }
}

async fn evict(app: &App, codes: &[String]) -> Result<()> {
    let evicted = app.hot.evict(codes, app.clock.now()).await;
    evicted.map_err(|Away| Error::Unavailable { store: Store::Redis })
}
