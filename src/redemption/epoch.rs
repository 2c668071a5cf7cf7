//! The epoch of what Redis holds: raised, it makes every copy worthless at once.

use crate::{
    app::App,
    error::{Error, Result, Store, postgres_is_away},
};
use sqlx::{PgConnection, PgPool};
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
    app.hot.set_epoch(raise_in(&app.db, app.hot.epoch()).await?);
    Ok(())
}

/// [`raise`], for those without a server; above `known` in any case.
pub async fn raise_in(db: &PgPool, known: u32) -> Result<u32> {
    let raised = sqlx::query_scalar("UPDATE hot_epoch SET epoch = next_epoch(epoch, $1) RETURNING epoch");
    let epoch: i64 = raised.bind(i64::from(known)).fetch_one(db).await?;
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
    until_done(app, move |app| {
        let run_id = run_id.clone();
        async move { compare(&app, &run_id).await }
    });
}

/// A connection to Postgres was made. Copies that were made from another history of it may be of what never
/// was, and newer than what is: then the epoch is raised, here at once and for all servers as soon as may be.
pub async fn compare_lineage(app: &App, connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    const SQL: &str = "
        SELECT lineage IS NOT DISTINCT FROM postgres_lineage() AS is_known, epoch, next_epoch(epoch, $1)
        FROM hot_epoch";
    let compared = sqlx::query_as(SQL).bind(i64::from(app.hot.epoch())).fetch_one(connection);
    let (is_known, epoch, next): (bool, i64, i64) = match compared.await {
        Ok(compared) => compared,
        Err(error) if postgres_is_away(&error) => return Err(error),
        Err(error) => {
            // A schema of before, say: no reason to stay away.
            tracing::warn!(%error, "the history of this Postgres is not known");
            return Ok(());
        }
    };
    app.hot.set_epoch(if is_known { epoch } else { next } as u32);
    if !is_known {
        tracing::warn!(redis.epoch = next, "this Postgres has another history: vouchers are loaded again");
        until_done(app, |app| async move { note_lineage(&app).await });
    }
    Ok(())
}

/// The log of Postgres is not as far as it was: everything in Redis may be of what never was.
pub fn went_back(app: &App) {
    tracing::warn!("this Postgres went back in time: vouchers are loaded again");
    app.hot.set_epoch(app.hot.epoch() + 1);
    until_done(app, |app| async move { raise(&app).await });
}

async fn note_lineage(app: &App) -> Result<()> {
    let raised: Option<i64> = sqlx::query_scalar(
        "UPDATE hot_epoch SET epoch = next_epoch(epoch, $1), lineage = postgres_lineage() \
         WHERE lineage IS DISTINCT FROM postgres_lineage() RETURNING epoch",
    )
    .bind(i64::from(app.hot.epoch()))
    .fetch_optional(&app.db)
    .await?;
    match raised {
        Some(epoch) => {
            metrics::counter!("scrip_redis_epochs_total").increment(1);
            app.hot.set_epoch(epoch as u32);
            Ok(())
        }
        None => read(app).await,
    }
}

/// Tries in the background until it works or the server stops.
fn until_done<F: Future<Output = Result<()>> + Send>(app: &App, attempt: impl Fn(App) -> F + Send + 'static) {
    let app = app.clone();
    app.tasks.clone().spawn(async move {
        while app.liveness.while_up(attempt(app.clone())).await.is_err() {
            tokio::select! {
                () = tokio::time::sleep(PAUSE) => {}
                () = app.stop.cancelled() => return,
            }
        }
    });
}

async fn compare(app: &App, run_id: &str) -> Result<()> {
    let raised: Option<i64> = sqlx::query_scalar(
        "UPDATE hot_epoch SET epoch = next_epoch(epoch, $2), run_id = $1 \
         WHERE run_id IS DISTINCT FROM $1 RETURNING epoch",
    )
    .bind(run_id)
    .bind(i64::from(app.hot.epoch()))
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
