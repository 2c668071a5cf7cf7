//! The epoch of what Redis holds: raised, it makes every copy worthless at once.

use crate::{
    app::App,
    error::{Error, Result, Store},
};
use sqlx::PgPool;
use std::time::Duration;

/// How long the first attempt may keep a new connection from being used.
const FIRST_WAIT: Duration = Duration::from_millis(500);

/// Between two attempts while Postgres is away.
const PAUSE: Duration = Duration::from_millis(500);

/// Reads the installation's epoch.
pub async fn read(app: &App) -> Result<()> {
    let epoch: i64 = sqlx::query_scalar("SELECT epoch FROM hot_epoch").fetch_one(&app.db).await?;
    app.hot.set_epoch(epoch as u32);
    Ok(())
}

/// Declares everything in Redis worthless, on all servers: it is loaded again as it is asked for.
pub async fn raise(app: &App) -> Result<()> {
    app.hot.set_epoch(raise_in(&app.db).await?);
    Ok(())
}

/// [`raise`], for those without a server.
pub async fn raise_in(db: &PgPool) -> Result<u32> {
    let epoch: i64 =
        sqlx::query_scalar("UPDATE hot_epoch SET epoch = epoch + 1 RETURNING epoch").fetch_one(db).await?;
    Ok(epoch as u32)
}

/// A Redis has been connected to. One that is not the one that the copies were made in (it was
/// restarted, replaced, restored) may hold old or no copies: then the epoch is raised.
pub async fn arrived(app: &App, run_id: String) {
    let known = tokio::time::timeout(FIRST_WAIT, compare(app, &run_id)).await;
    if matches!(known, Ok(Ok(()))) {
        return;
    }
    // Postgres is away: what is there is all there is. Find out as soon as it is back.
    let app = app.clone();
    app.tasks.clone().spawn(async move {
        while compare(&app, &run_id).await.is_err() {
            tokio::select! {
                () = tokio::time::sleep(PAUSE) => {}
                () = app.stop.cancelled() => return,
            }
        }
    });
}

async fn compare(app: &App, run_id: &str) -> Result<()> {
    let raised: Option<i64> = sqlx::query_scalar(
        "UPDATE hot_epoch SET epoch = epoch + 1, run_id = $1 WHERE run_id IS DISTINCT FROM $1 RETURNING epoch",
    )
    .bind(run_id)
    .fetch_optional(&app.db)
    .await
    .map_err(|_| Error::Unavailable { store: Store::Postgres })?;
    match raised {
        Some(epoch) => {
            tracing::warn!(
                redis.epoch = epoch,
                "this Redis is new: vouchers are loaded again as they are asked for"
            );
            metrics::counter!("scrip_redis_epochs_total").increment(1);
            app.hot.set_epoch(epoch as u32);
            Ok(())
        }
        None => read(app).await,
    }
}
