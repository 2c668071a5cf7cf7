//! Looks at watches: at those of machines that something arrived of, and at those that are due.
//!
//! A watch is a row. Whoever looks at it holds its lock, and others pass it by; so any number of servers share
//! the work. A watch that stays what it is only gets its next due time, many in one transaction. One that
//! changes does so in a transaction of its own, with the note of what is to be told. That one first locks the
//! machine's presence, as all do that bring rows of the machine, and reads again: what had arrived by then is
//! seen, and what arrives later finds the watch as it is now.

use super::{
    digest,
    facts::{Watch, watches},
    verdict::{Facts, judge},
};
use crate::{app::App, crash, error::Result, mail::letter::Letter, transaction};
use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgConnection;
use std::time::Duration;

/// How long anything waits where no notice wakes the scheduler.
const POLL: Duration = Duration::from_secs(1);

/// Looks handed over, and watches looked at, in one transaction.
const BATCH: i64 = 200;

/// A watch that can't be looked at is looked at again after this.
const PAUSE: TimeDelta = TimeDelta::minutes(1);

/// Looks at what there is to look at until the server stops.
pub async fn run(app: App) {
    while !app.stop.is_cancelled() {
        if let Err(error) = tick(&app).await {
            tracing::warn!(error = %error, "alerts are looked at later");
        }
        tokio::select! {
            () = app.alerts_due.notified() => {}
            () = tokio::time::sleep(POLL) => {}
            () = app.stop.cancelled() => {}
        }
    }
}

/// Does all that there is to do now; what was noted is told whatever became of the rest.
pub async fn tick(app: &App) -> Result<()> {
    let looked = look_at_all(app).await;
    digest::send_all(app).await?;
    looked
}

/// Looks at all that is due. A long backlog keeps no mail waiting.
async fn look_at_all(app: &App) -> Result<()> {
    while hand_over(app).await? == BATCH {}
    while !app.stop.is_cancelled() {
        let (seen, changed) = look(app).await?;
        for watch in changed {
            let (observer, machine) = (watch.alert_observer, watch.machine);
            if let Err(error) = change(app, &watch).await {
                tracing::warn!(observer, machine, error = %error, "an alert is looked at later");
                put_off(app, &watch).await?;
            }
        }
        if seen < BATCH {
            break;
        }
        digest::send_all(app).await?;
    }
    Ok(())
}

/// Makes the watches due of machines that something arrived of; says how many times something did.
async fn hand_over(app: &App) -> Result<i64> {
    // In order, so that two servers do not wait for each other. Due now, not before all that is due already:
    // machines that send without end keep nobody else's timers waiting.
    const SQL: &str = "
        WITH taken AS (
            DELETE FROM alert_look WHERE id IN (
                SELECT id FROM alert_look ORDER BY id LIMIT $1 FOR UPDATE SKIP LOCKED
            ) RETURNING machine, type
        ), locked AS (
            SELECT w.alert_observer, w.machine FROM alert_watch w JOIN alert_observer o ON o.id = w.alert_observer
            WHERE (w.machine, o.type) IN (SELECT machine, type FROM taken)
            ORDER BY w.alert_observer, w.machine FOR UPDATE OF w
        ), due AS (
            UPDATE alert_watch w SET due_at = LEAST(w.due_at, $2) FROM locked l
            WHERE w.alert_observer = l.alert_observer AND w.machine = l.machine
        )
        SELECT count(*) FROM taken";
    Ok(sqlx::query_scalar(SQL).bind(BATCH).bind(app.clock.now()).fetch_one(&app.db).await?)
}

/// Looks at a batch of watches that are due, puts off those that stay what they are, and returns how many it
/// saw and which of them change.
async fn look(app: &App) -> Result<(i64, Vec<Watch>)> {
    const DUE: &str = watches!("WHERE w.due_at <= $1 ORDER BY w.due_at LIMIT $2 FOR UPDATE OF w SKIP LOCKED");
    const PUT_OFF: &str = "
        UPDATE alert_watch w SET due_at = n.due_at
        FROM unnest($1::bigint[], $2::bigint[], $3::timestamptz[]) AS n(alert_observer, machine, due_at)
        WHERE w.alert_observer = n.alert_observer AND w.machine = n.machine";
    let now = app.clock.now();
    let mut tx = transaction::begin(&app.db).await?;
    let due: Vec<Watch> = sqlx::query_as(DUE).bind(now).bind(BATCH).fetch_all(&mut *tx).await?;
    let seen = due.len() as i64;
    let mut changed = Vec::new();
    let (mut observers, mut machines, mut dues) = (Vec::new(), Vec::new(), Vec::new());
    for watch in due {
        let facts = watch.facts(&mut tx, now).await?;
        let verdict = judge(watch.terms(), &facts);
        if verdict.firing == watch.firing {
            observers.push(watch.alert_observer);
            machines.push(watch.machine);
            dues.push(verdict.due);
        } else {
            changed.push(watch);
        }
    }
    let put_off = sqlx::query(PUT_OFF).bind(observers).bind(machines).bind(dues);
    put_off.execute(&mut *tx).await?;
    tx.commit().await?;
    Ok((seen, changed))
}

/// Looks at a watch once more, with nobody bringing anything of its machine meanwhile, and changes it.
async fn change(app: &App, seen: &Watch) -> Result<()> {
    const STILL: &str = "
        INSERT INTO machine_presence (machine) SELECT id FROM machine WHERE id = $1
        ON CONFLICT (machine) DO UPDATE SET machine = excluded.machine";
    const AGAIN: &str = watches!(
        "WHERE w.alert_observer = $1 AND w.machine = $2 AND w.due_at <= $3 FOR UPDATE OF w SKIP LOCKED \
         FOR KEY SHARE OF o SKIP LOCKED"
    );
    const CHANGE: &str =
        "UPDATE alert_watch SET firing = $3, due_at = $4 WHERE alert_observer = $1 AND machine = $2";
    let now = app.clock.now();
    let mut tx = transaction::begin(&app.db).await?;
    sqlx::query(STILL).bind(seen.machine).execute(&mut *tx).await?;
    let again = sqlx::query_as(AGAIN).bind(seen.alert_observer).bind(seen.machine).bind(now);
    // Another server has it, or has done it.
    let Some(watch) = again.fetch_optional(&mut *tx).await? else { return Ok(()) };
    let watch: Watch = watch;
    let facts = watch.facts(&mut tx, now).await?;
    let verdict = judge(watch.terms(), &facts);
    let change = sqlx::query(CHANGE).bind(watch.alert_observer).bind(watch.machine);
    change.bind(verdict.firing).bind(verdict.due).execute(&mut *tx).await?;
    if verdict.firing != watch.firing {
        note(&mut tx, &watch, &facts, verdict.firing).await?;
    }
    crash::point("alert-before-commit");
    tx.commit().await?;
    crash::point("alert-after-commit");
    Ok(())
}

/// Notes what began or ended, as it is called now.
async fn note(connection: &mut PgConnection, watch: &Watch, facts: &Facts, firing: bool) -> Result<()> {
    const SQL: &str = "
        INSERT INTO alert_notice (alert_group, alert_observer, machine, letter, machine_name, location_name, time_zone,
                                  error, at, noted_at)
        SELECT o.alert_group, o.id, m.id, $3, m.name, l.name, l.time_zone,
               COALESCE((SELECT error FROM error_identity WHERE id = o.error), $4), $5, $6
        FROM alert_observer o, machine m JOIN location l ON l.id = m.location WHERE o.id = $1 AND m.id = $2";
    let cause = if firing { watch.cause(facts) } else { None };
    let (letter, error) = match cause {
        Some(at) => (Letter::Alert, watch.word(connection, at).await?),
        None if firing => (Letter::Alert, None),
        None => (Letter::Recovery, None),
    };
    let at: DateTime<Utc> = cause.unwrap_or(facts.now);
    let noted = sqlx::query(SQL).bind(watch.alert_observer).bind(watch.machine).bind(letter);
    noted.bind(error).bind(at).bind(facts.now).execute(connection).await?;
    Ok(())
}

/// Keeps a watch that can't be looked at from being in the way of others.
async fn put_off(app: &App, watch: &Watch) -> Result<()> {
    const SQL: &str =
        "UPDATE alert_watch SET due_at = $3 WHERE alert_observer = $1 AND machine = $2 AND due_at <= $4";
    let now = app.clock.now();
    let put_off = sqlx::query(SQL).bind(watch.alert_observer).bind(watch.machine);
    put_off.bind(now + PAUSE).bind(now).execute(&app.db).await?;
    Ok(())
}
