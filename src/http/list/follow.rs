//! How far a list can be read by ascending id without passing over a row that is not committed yet.
//!
//! Ids are drawn before their rows are committed, so a row can appear behind one that a client has been
//! shown. Transactions announce that they draw ids (see migration `0001`); [`Horizon::of`] asks for the
//! announcements before a page is read, and rows beyond them are shown once those transactions have ended.

use crate::ids;
use chrono::{DateTime, Utc};
use sqlx::{PgExecutor, PgPool, Postgres, QueryBuilder};
use std::time::{Duration, Instant};
use uuid::Uuid;

/// How the ids of a list come about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ids {
    /// From the sequence of this table, if it has one.
    Sequence(&'static str),
    /// By [`ids::draw`] for this table.
    Time(&'static str),
    /// Of the voucher log: microseconds of the server's clock, written down a moment later.
    Log,
}

/// How long a page waits for transactions that are under way. Beyond that it ends before their rows.
const PATIENCE: Duration = Duration::from_secs(1);

/// Between two looks at what is under way.
const PAUSE: Duration = Duration::from_millis(20);

/// How late an entry of the log can be written down under the time at which it was asked: see
/// [`crate::redemption::audit::LATE`]. The rest allows for clocks of servers that differ.
const LOG_DELAY: Duration = Duration::from_millis(1_500);

/// The first id of which rows may be missing, as a number or a time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Horizon {
    ids: Ids,
    /// Every row before this is there.
    settled: i64,
    /// What `settled` has to reach for all rows that a client can know of.
    wanted: i64,
    /// By the server's clock, when it was first asked.
    now: DateTime<Utc>,
    since: Instant,
}

impl Horizon {
    /// Asks Postgres; `None` where ids are not drawn at all.
    pub(super) async fn of(db: &PgPool, ids: Ids, now: DateTime<Utc>) -> Result<Option<Self>, sqlx::Error> {
        let mut horizon = Self { ids, settled: 0, wanted: 0, now, since: Instant::now() };
        let Some((settled, wanted)) = horizon.ask(db).await? else { return Ok(None) };
        (horizon.settled, horizon.wanted) = (settled, wanted);
        Ok(Some(horizon))
    }

    async fn ask(&self, db: impl PgExecutor<'_>) -> Result<Option<(i64, i64)>, sqlx::Error> {
        const SEQUENCE: &str = "SELECT settled + 1, drawn + 1
            FROM settled_ids(pg_get_serial_sequence($1, 'id')::regclass)";
        const TIME: &str = "SELECT settled, drawn FROM settled_times($1::regclass)";
        const LOG: &str = "SELECT floor(extract(epoch FROM log_written_for()) * 1000)::bigint";
        let both = match self.ids {
            Ids::Sequence(table) => sqlx::query_as(SEQUENCE).bind(table).fetch_one(db).await?,
            Ids::Time(table) => sqlx::query_as(TIME).bind(table).fetch_one(db).await?,
            Ids::Log => {
                let written_for: i64 = sqlx::query_scalar(LOG).fetch_one(db).await?;
                let delay = LOG_DELAY.as_millis() as i64 + written_for;
                let now = self.now.timestamp_millis();
                let settled = now + self.since.elapsed().as_millis() as i64 - delay;
                (Some(settled * 1_000), Some((now + 1) * 1_000))
            }
        };
        let (settled, wanted): (Option<i64>, Option<i64>) = both;
        Ok(settled.zip(wanted))
    }

    /// Returns `true` if a row lies beyond it.
    pub(super) fn is_before(&self, id: &str) -> bool {
        match self.ids {
            Ids::Time(_) => id.parse().is_ok_and(|id: Uuid| id >= ids::least(self.settled)),
            Ids::Sequence(_) | Ids::Log => id.parse().is_ok_and(|id: i64| id >= self.settled),
        }
    }

    /// Returns `true` if rows beyond it have ids that were given to them, not drawn: nothing was under way when it was
    /// asked, and nothing has been drawn since.
    pub(super) async fn is_quiet(&self, db: impl PgExecutor<'_>) -> Result<bool, sqlx::Error> {
        let was = (self.settled, self.wanted);
        Ok(matches!(self.ids, Ids::Sequence(_)) && was.0 == was.1 && self.ask(db).await? == Some(was))
    }

    /// Waits until it has come as far as is wanted, or for as long as a page may take.
    pub(super) async fn wait(&mut self, db: &PgPool) -> Result<(), sqlx::Error> {
        let patience = if self.ids == Ids::Log { LOG_DELAY + PATIENCE } else { PATIENCE };
        while self.settled < self.wanted && self.since.elapsed() < patience {
            // The log's moves with time, so that it is known how much of it is missing.
            let missing = Duration::from_micros((self.wanted - self.settled).unsigned_abs());
            tokio::time::sleep(if self.ids == Ids::Log { missing.clamp(PAUSE, LOG_DELAY) } else { PAUSE })
                .await;
            let Some((settled, _)) = self.ask(db).await? else { return Ok(()) };
            self.settled = settled;
        }
        Ok(())
    }

    /// Leaves out what lies beyond it.
    pub(super) fn push(&self, sql: &mut QueryBuilder<Postgres>, id: &'static str) {
        sql.push(" AND ").push(id).push(" < ");
        match self.ids {
            Ids::Time(_) => sql.push_bind(ids::least(self.settled)),
            Ids::Sequence(_) | Ids::Log => sql.push_bind(self.settled),
        };
    }
}
