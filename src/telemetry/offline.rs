//! Machines that were not heard of for too long: an alarm that ends with their next sign of life.

use super::record::hot_and_archived;
use crate::{app::App, error::Result, fleet::machine::OFFLINE, transaction};
use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgConnection;
use std::time::Duration;

/// How often machines are looked for that have fallen silent.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Machines in one transaction at most.
const BATCH_MAX: i64 = 500;

/// Looks for silent machines until the server stops.
///
/// Not before this server has been there as long as a machine may be silent: where it was away itself,
/// no machine could be heard.
pub async fn watch(app: App) {
    let started = app.clock.now();
    loop {
        tokio::select! {
            () = tokio::time::sleep(LOOK_EVERY) => {}
            () = app.stop.cancelled() => return,
        }
        if app.clock.now() - started < patience(&app) {
            continue;
        }
        match notice(&app).await {
            Ok(0) => {}
            Ok(machines) => tracing::info!(machines, "machines have fallen silent"),
            Err(error) => tracing::warn!(error = %error, "silent machines are looked for later"),
        }
    }
}

fn patience(app: &App) -> TimeDelta {
    TimeDelta::try_seconds(app.config.heartbeat_s as i64).unwrap_or(TimeDelta::MAX)
}

/// Writes down which machines have fallen silent, each once, whoever else looks; says how many.
pub async fn notice(app: &App) -> Result<u64> {
    const SQL: &str = "
        WITH silent AS MATERIALIZED (
            SELECT p.machine FROM machine_presence p JOIN machine m ON m.id = p.machine
            WHERE m.active AND p.offline_since IS NULL AND p.seen_at < $1
            ORDER BY p.machine LIMIT $3 FOR NO KEY UPDATE OF p SKIP LOCKED
        ),
        noted AS (
            INSERT INTO machine_log (machine, location, user_group, time_zone, occurred_at, created_at, updated_at,
                code, type, error_identity)
            SELECT m.id, m.location, m.user_group, l.time_zone, $2, $2, $2, $4, 3, e.error_identity
            FROM silent s JOIN machine m ON m.id = s.machine JOIN location l ON l.id = m.location
                JOIN machine_model k ON k.id = m.machine_model
                LEFT JOIN error_code e ON e.error_profile = k.error_profile AND e.code = $4
            RETURNING machine, id
        )
        UPDATE machine_presence p SET offline_since = $2, last_log = noted.id, logged_at = $2
        FROM noted WHERE p.machine = noted.machine";
    let now = app.clock.now();
    let Some(heard_before) = now.checked_sub_signed(patience(app)) else { return Ok(0) };
    let mut silent = 0;
    loop {
        let mut tx = transaction::begin(&app.db).await?;
        let noted = sqlx::query(SQL).bind(heard_before).bind(now).bind(BATCH_MAX).bind(OFFLINE);
        let noted = noted.execute(&mut *tx).await?.rows_affected();
        tx.commit().await?;
        silent += noted;
        if noted < BATCH_MAX as u64 {
            return Ok(silent);
        }
    }
}

/// Ends it: the machine was heard of. The caller holds its row of presence.
pub(super) async fn back(
    db: &mut PgConnection,
    machine: i64,
    since: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<()> {
    const RESOLVE: [&str; 2] = hot_and_archived!(
        "UPDATE ",
        "machine_log",
        " SET resolved_at = $4, updated_at = $4, duration = GREATEST(extract(epoch FROM $4::timestamptz - $3::timestamptz)::bigint, 0)
          WHERE machine = $1 AND code = $2 AND occurred_at = $3 AND resolved_at IS NULL AND remote IS NULL"
    );
    const PRESENCE: &str = "UPDATE machine_presence SET offline_since = NULL WHERE machine = $1";
    for sql in RESOLVE {
        sqlx::query(sql).bind(machine).bind(OFFLINE).bind(since).bind(now).execute(&mut *db).await?;
    }
    sqlx::query(PRESENCE).bind(machine).execute(db).await?;
    Ok(())
}
