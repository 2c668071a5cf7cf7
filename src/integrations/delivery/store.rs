//! The statements of deliveries: who has a turn, what is next, and what has become of it.

use super::policy::{Attempt, Policy};
use crate::{app::App, error::Result, integrations::integration::Event, transaction};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;
use sqlx::{PgConnection, PgPool};
use std::time::Duration;
use uuid::Uuid;

/// Lanes that one look brings, and deliveries of each.
const LANES_MAX: i64 = 64;
const OF_A_LANE_MAX: i64 = 16;

/// An integration in the hands of one server, for a turn.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Turn {
    /// Which one.
    pub id: i64,
    /// Whose it is.
    pub user_group: i64,
    /// Where it is.
    pub url: String,
    /// Sealed; what deliveries to it are signed with.
    pub secret: Option<Vec<u8>>,
    /// Sealed; the one before it, if deliveries are signed with it still.
    pub secret_previous: Option<Vec<u8>>,
    /// Milliseconds between two deliveries.
    pub throttle: i64,
    /// How it wants to be dealt with.
    #[sqlx(flatten)]
    pub policy: Policy,
    /// Deliveries in a row that came to nothing before this turn.
    pub failures: i64,
    /// After which lane the last turn ended.
    pub last_lane: i64,
    /// Names this turn, and no other.
    worker: Uuid,
}

/// Something that an integration is to be told.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Delivery {
    /// Its id.
    pub id: i64,
    /// What is delivered in order.
    pub lane: i64,
    /// The event.
    pub event: Event,
    /// To which sale.
    pub revenue_transaction: Option<i64>,
    /// Or to what else.
    pub facts: Option<sqlx::types::Json<Value>>,
    /// When.
    pub occurred_at: DateTime<Utc>,
    /// Attempts so far.
    pub attempts: i64,
}

/// Gives this server a turn with the integration that has waited longest and has something to be told. One user
/// group's have half of the turns at most, or those whose endpoints say nothing would take all of them.
///
/// Nothing renews a turn: it is over long before another server may take one.
pub async fn claim(app: &App) -> Result<Option<Turn>> {
    // Not EXISTS, for which Postgres would read a whole backlog to join it.
    const SQL: &str = "
        UPDATE integration SET worker = $2, leased_until = $3, state = 'running'
        WHERE id = (
            SELECT i.id FROM integration i
            WHERE i.active AND i.url IS NOT NULL AND i.state <> 'failed'
                AND (i.paused_until IS NULL OR i.paused_until <= $1)
                AND (i.leased_until IS NULL OR i.leased_until <= $1)
                AND (i.attempted_at IS NULL OR i.attempted_at <= $1 - i.throttle * interval '1 ms')
                AND (SELECT true FROM delivery d WHERE d.integration = i.id AND d.state = 'waiting'
                     AND NOT EXISTS (SELECT FROM delivery b WHERE b.integration = i.id AND b.lane = d.lane
                                     AND b.state = 'waiting' AND b.due_at > $1)
                     LIMIT 1)
                AND (SELECT count(*) FROM integration o WHERE o.user_group = i.user_group AND o.leased_until > $1) < $4
            ORDER BY i.attempted_at NULLS FIRST, i.id LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED
        )
        RETURNING id, user_group, url, secret,
            CASE WHEN secret_previous_until > $1 THEN secret_previous END AS secret_previous, throttle,
            max_retries, retry_throttle, stop_on_failure, failures, last_lane, worker";
    let now = app.clock.now();
    let lease = 2 * app.config.integration_turn_s + app.config.integration_timeout_s;
    let share = app.config.integration_parallel_max.max(1).div_ceil(2) as i64;
    let claim =
        sqlx::query_as(SQL).bind(now).bind(Uuid::now_v7()).bind(now + TimeDelta::seconds(lease as i64));
    let claim = claim.bind(share);
    Ok(claim.fetch_optional(&app.db).await?)
}

/// What comes next in the lanes behind `lane` that are not waiting for a retry, each in its order.
pub async fn next(app: &App, integration: i64, lane: i64) -> Result<Vec<Delivery>> {
    // From lane to lane by the index, so that a long backlog of one is not read to find the others.
    const SQL: &str = "
        WITH RECURSIVE lanes AS (
            (SELECT lane FROM delivery WHERE integration = $1 AND state = 'waiting' AND lane > $2 ORDER BY lane LIMIT 1)
            UNION ALL
            SELECT (SELECT d.lane FROM delivery d
                    WHERE d.integration = $1 AND d.state = 'waiting' AND d.lane > lanes.lane ORDER BY d.lane LIMIT 1)
            FROM lanes WHERE lanes.lane IS NOT NULL
        )
        SELECT d.id, d.lane, d.event, d.revenue_transaction, d.facts, d.occurred_at, d.attempts
        FROM (
            SELECT lane FROM lanes WHERE lane IS NOT NULL AND NOT EXISTS (
                SELECT FROM delivery b
                WHERE b.integration = $1 AND b.lane = lanes.lane AND b.state = 'waiting' AND b.due_at > $3)
            LIMIT $4
        ) l, LATERAL (
            SELECT * FROM delivery w WHERE w.integration = $1 AND w.state = 'waiting' AND w.lane = l.lane
            ORDER BY w.id LIMIT $5
        ) d
        ORDER BY d.lane, d.id";
    let next = sqlx::query_as(SQL).bind(integration).bind(lane).bind(app.clock.now());
    Ok(next.bind(LANES_MAX).bind(OF_A_LANE_MAX).persistent(false).fetch_all(&app.db).await?)
}

impl Turn {
    /// Notes that a delivery has arrived; an endpoint that had failed before is well again then.
    pub async fn delivered(
        &self,
        app: &App,
        delivery: i64,
        attempt: &Attempt,
        recovered: bool,
    ) -> Result<()> {
        // What another lane has paused or stopped in this very turn stays so.
        const WELL: &str = "
            UPDATE integration SET failures = 0, paused_until = NULL, problem = NULL
            WHERE id = $1 AND failures > 0 AND state = 'running'";
        let mut db = app.db.acquire().await?;
        // By itself: what was acknowledged does not hang on who holds the integration.
        settle(&mut db, delivery, Some("delivered"), attempt, None, app.clock.now()).await?;
        if recovered {
            sqlx::query(WELL).bind(self.id).execute(&mut *db).await?;
        }
        Ok(())
    }

    /// Notes that there is nothing to deliver.
    pub async fn void(&self, app: &App, delivery: i64, attempt: &Attempt) -> Result<()> {
        let mut db = app.db.acquire().await?;
        settle(&mut db, delivery, Some("failed"), attempt, None, app.clock.now()).await
    }

    /// Notes that it has not arrived, and returns how many in a row have not: `state` is what it is now, if not waiting, and `wait` until when its lane waits.
    pub async fn failed(
        &self,
        app: &App,
        delivery: i64,
        attempt: &Attempt,
        state: Option<&'static str>,
        wait: Option<Duration>,
    ) -> Result<i64> {
        const COUNT: &str = "UPDATE integration SET failures = failures + 1 WHERE id = $1 RETURNING failures";
        let now = app.clock.now();
        let mut tx = transaction::begin(&app.db).await?;
        // The integration first, as those do who restart or delete it.
        let failures: Option<i64> = sqlx::query_scalar(COUNT).bind(self.id).fetch_optional(&mut *tx).await?;
        settle(&mut tx, delivery, state, attempt, wait.map(|wait| now + wait), now).await?;
        tx.commit().await?;
        Ok(failures.unwrap_or_default())
    }

    /// Leaves the endpoint alone for a while.
    pub async fn pause(&self, app: &App, pause: Duration, problem: &str) -> Result<()> {
        const SQL: &str = "
            UPDATE integration SET state = 'paused', paused_until = GREATEST(paused_until, $3), problem = $4
            WHERE id = $1 AND worker = $2 AND state <> 'failed'";
        let pause =
            sqlx::query(SQL).bind(self.id).bind(self.worker).bind(app.clock.now() + pause).bind(problem);
        pause.execute(&app.db).await?;
        Ok(())
    }

    /// Delivers no more until somebody says so.
    pub async fn stop(&self, app: &App, problem: &str) -> Result<()> {
        const SQL: &str =
            "UPDATE integration SET state = 'failed', problem = $3 WHERE id = $1 AND worker = $2";
        sqlx::query(SQL).bind(self.id).bind(self.worker).bind(problem).execute(&app.db).await?;
        Ok(())
    }

    /// Ends the turn; the next one begins behind `lane`.
    pub async fn end(&self, app: &App, lane: i64) -> Result<()> {
        const SQL: &str = "
            UPDATE integration SET worker = NULL, leased_until = NULL, attempted_at = $3, last_lane = $4,
                state = CASE state WHEN 'running' THEN 'idle' ELSE state END
            WHERE id = $1 AND worker = $2";
        let end = sqlx::query(SQL).bind(self.id).bind(self.worker).bind(app.clock.now()).bind(lane);
        end.execute(&app.db).await?;
        Ok(())
    }
}

/// Notes how an attempt went. Whoever made it: what was acknowledged was.
async fn settle(
    db: &mut PgConnection,
    delivery: i64,
    state: Option<&'static str>,
    attempt: &Attempt,
    due_at: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
) -> Result<()> {
    const SQL: &str = "
        UPDATE delivery SET state = COALESCE($2, state), attempts = attempts + 1, due_at = $3, message = $4, details = $5,
            updated_at = $6
        WHERE id = $1 AND state = 'waiting'";
    let settle = sqlx::query(SQL).bind(delivery).bind(state).bind(due_at);
    settle.bind(&attempt.message).bind(&attempt.details).bind(now).execute(db).await?;
    Ok(())
}

/// Begins anew with an integration that had failed or was paused, and with what waits for a retry.
pub async fn restart(db: &mut PgConnection, integration: i64) -> Result<()> {
    const WELL: &str = "
        UPDATE integration SET failures = 0, paused_until = NULL, problem = NULL,
            state = CASE WHEN state IN ('failed', 'paused') THEN 'idle' ELSE state END
        WHERE id = $1";
    const DUE: &str = "
        UPDATE delivery SET due_at = NULL, attempts = 0 WHERE integration = $1 AND state = 'waiting' AND attempts > 0";
    sqlx::query(WELL).bind(integration).execute(&mut *db).await?;
    sqlx::query(DUE).bind(integration).execute(db).await?;
    Ok(())
}

/// Forgets some of the oldest deliveries, if they are from before `keep`; false if there may be more.
pub async fn forget(db: &PgPool, keep: DateTime<Utc>) -> Result<bool> {
    const OLDEST: i64 = 5_000;
    const SQL: &str = "
        WITH oldest AS (SELECT id, created_at, state FROM delivery ORDER BY id LIMIT $2),
        gone AS (
            DELETE FROM delivery d USING oldest o WHERE o.id = d.id AND o.created_at < $1 RETURNING d.state
        )
        SELECT count(*), count(*) FILTER (WHERE state = 'waiting') FROM gone";
    let (gone, waiting): (i64, i64) = sqlx::query_as(SQL).bind(keep).bind(OLDEST).fetch_one(db).await?;
    if waiting > 0 {
        tracing::warn!(deliveries = waiting, "what could not be delivered for too long is given up");
    }
    Ok(gone < OLDEST)
}
