//! What Postgres tells every server: that something which it keeps in memory has changed.
//!
//! Triggers send `noun:id` on the channel `scrip`. A server that has not been listening for a while
//! forgets everything, since it cannot know what it missed.

use crate::{
    app::App,
    config::Config,
    error::Result,
    postgres::{self, CONNECT_WITHIN, limited, silent},
    redemption::epoch,
    transaction,
};
use sqlx::{Acquire, postgres::PgListener};
use std::{io, time::Duration};

/// Between two attempts to listen, and between two looks for codes that nobody took out of Redis.
const PAUSE: Duration = Duration::from_millis(500);

/// After so long without a notice, Postgres is asked whether it is still there.
const QUIET: Duration = Duration::from_secs(1);

/// Codes taken out of Redis in one go.
const SWEEP: i64 = 500;

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
    let alone = Config { database_connections: 1, ..app.config.clone() };
    let pool = postgres::pool(&alone, &app.postgres_options, &app.liveness);
    let mut listener = limited(CONNECT_WITHIN, PgListener::connect_with(&pool)).await?;
    // It would listen again over whatever connection the pool has left, to a Postgres that is dying, say.
    listener.eager_reconnect(false);
    limited(QUIET, listener.listen("scrip")).await?;
    let its_connection = listener.acquire().await?;
    limited(QUIET, epoch::compare_lineage(app, its_connection)).await?;
    forget_everything(app);
    app.stores.listening();
    let _ = epoch::read(app).await;
    loop {
        let Ok(heard) = tokio::time::timeout(QUIET, listener.try_recv()).await else {
            // Nothing to hear, or nobody there: a connection that died silently would stay quiet for ever.
            limited(QUIET, sqlx::query("SELECT 1").execute(&mut listener)).await?;
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
        "epoch" => app.hot.set_epoch(id.parse().unwrap_or_default()),
        "code" => {
            let _ = app.hot.evict(&[id.to_owned()], app.clock.now()).await;
        }
        "command" => app.waiting.wake(id.parse().unwrap_or_default()),
        "job" => app.jobs_due.ring(),
        "alert" => app.alerts_due.notify_one(),
        _ => {}
    }
}

/// Takes out of Redis what changed in Postgres while nobody was there to do it. Any server may.
pub async fn sweep(app: App) {
    loop {
        let swept = sweep_once(&app).await.unwrap_or(0);
        let pause = if swept == SWEEP { Duration::ZERO } else { PAUSE };
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = app.stop.cancelled() => return,
        }
    }
}

async fn sweep_once(app: &App) -> Result<i64> {
    if !app.hot.is_up() {
        return Ok(0);
    }
    let mut tx = transaction::begin(&app.db).await?;
    let codes: Vec<String> = sqlx::query_scalar(
        "DELETE FROM stale_code WHERE id IN (SELECT id FROM stale_code ORDER BY id LIMIT $1 FOR UPDATE SKIP LOCKED) \
         RETURNING key",
    )
    .bind(SWEEP)
    .fetch_all(&mut *tx)
    .await?;
    if !codes.is_empty() && app.hot.evict(&codes, app.clock.now()).await.is_ok() {
        tx.commit().await?;
    }
    Ok(codes.len() as i64)
}
