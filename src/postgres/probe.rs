//! Asks Postgres all the time whether it is there, over a connection of its own: a pool that is busy says
//! nothing about Postgres, and Postgres that says nothing keeps a pool busy.

use super::setup;
use crate::{app::App, redemption::epoch, stores::Reason};
use sqlx::{ConnectOptions, PgConnection, prelude::FromRow};
use std::{pin::pin, time::Duration};
use tokio::time::timeout;

/// How often it is asked.
const EVERY: Duration = Duration::from_millis(500);

/// An answer that takes longer counts as none.
const ANSWER_WITHIN: Duration = Duration::from_secs(1);

/// After so long without an answer every connection is given up, unless a redemption has less.
const SILENCE_MAX: Duration = Duration::from_secs(3);

/// How a Postgres is.
#[derive(Clone, Copy, Debug, FromRow)]
pub(super) struct Condition {
    /// It is a standby, or set to be read only.
    pub(super) read_only: bool,
    /// Commits wait for a standby.
    replicates: bool,
    /// How far its write-ahead log is, in bytes; `None` on a standby.
    position: Option<i64>,
}

/// Asks how a Postgres is.
pub(super) async fn condition(connection: &mut PgConnection) -> Result<Condition, sqlx::Error> {
    const SQL: &str = "
        SELECT pg_is_in_recovery() OR current_setting('transaction_read_only')::boolean AS read_only,
               current_setting('synchronous_standby_names') <> ''
                   AND current_setting('synchronous_commit') IN ('remote_write', 'on', 'remote_apply') AS replicates,
               CASE WHEN NOT pg_is_in_recovery()
                    THEN pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::bigint END AS position";
    sqlx::query_as(SQL).fetch_one(connection).await
}

/// Asks until the server stops.
pub async fn probe(app: App) {
    let mut ticks = tokio::time::interval(EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let (mut kept, mut is_fit) = (None, false);
    while app.stop.run_until_cancelled(ticks.tick()).await.is_some() {
        let looking = look(&app, &mut kept, &mut is_fit);
        match app.stop.run_until_cancelled(looking).await {
            None => return,
            Some(Ok(())) => app.stores.postgres_answered(),
            Some(Err(reason)) => {
                let was_up = app.stores.postgres_away(reason, app.clock.now());
                if reason == Reason::Silent || was_up && reason == Reason::ReadOnly {
                    app.give_up_postgres();
                }
            }
        }
    }
}

/// Looks once, over the connection that was kept or a new one.
async fn look(app: &App, kept: &mut Option<PgConnection>, is_fit: &mut bool) -> Result<(), Reason> {
    let silence = SILENCE_MAX.min(Duration::from_millis(app.config.redeem_deadline_ms));
    let away = |error: sqlx::Error| {
        tracing::debug!(%error, "postgres cannot be reached");
        Reason::Unreachable
    };
    if !*is_fit {
        *is_fit = setup::check(&app.postgres_options).await.map_err(|unfit| {
            tracing::error!("{unfit}");
            Reason::Unfit
        })?;
    }
    let (mut connection, is_new) = if let Some(connection) = kept.take() {
        (connection, false)
    } else {
        let connected = timeout(silence, app.postgres_options.connect()).await;
        (connected.map_err(|_| Reason::Silent)?.map_err(away)?, true)
    };
    let answer = {
        let mut asked = pin!(async {
            let condition = condition(&mut connection).await?;
            if is_new && !condition.read_only {
                epoch::compare_lineage(app, &mut connection).await?;
            }
            Ok::<_, sqlx::Error>(condition)
        });
        if let Ok(answer) = timeout(ANSWER_WITHIN.min(silence), &mut asked).await {
            answer
        } else {
            // Ready says so at once; a machine that is only busy is waited for.
            app.stores.postgres_away(Reason::Silent, app.clock.now());
            let late = timeout(silence.saturating_sub(ANSWER_WITHIN), asked).await;
            late.map_err(|_| Reason::Silent)?
        }
    };
    let condition = answer.map_err(away)?;
    *kept = Some(connection);
    app.liveness.set_replicates(condition.replicates);
    if condition.read_only {
        return Err(Reason::ReadOnly);
    }
    if condition.position.is_some_and(|position| !app.liveness.is_ahead(position)) {
        epoch::went_back(app);
    }
    Ok(())
}
