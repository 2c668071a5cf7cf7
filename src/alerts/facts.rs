//! What is so at a machine, read for one observer.

use super::{
    observer::{Observed, Pattern, span},
    verdict::{Facts, Terms},
};
use crate::{
    error::Result,
    fleet::{opening_hours, payments::PaymentMethod},
};
use chrono::{DateTime, Utc};
use sqlx::PgConnection;

/// What happened while a machine was closed is read too, before it is left out; no more than this of it all.
const MATCHES_MAX: i64 = 100_000;

/// A watch with its observer's terms.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Watch {
    /// The observer.
    pub alert_observer: i64,
    /// The machine.
    pub machine: i64,
    /// Whether it fires.
    pub firing: bool,
    /// Since when the machine is looked at.
    pub watched_since: DateTime<Utc>,
    #[sqlx(rename = "type")]
    observed: Observed,
    #[sqlx(rename = "observer")]
    pattern: Pattern,
    timer: i64,
    timer_type: i64,
    error: Option<i64>,
    occurs: Option<i64>,
    payment_method: Option<PaymentMethod>,
    opening_hours: bool,
}

/// What a [`Watch`] is read from, as `w` and `o`.
macro_rules! watches {
    ($rest:literal) => {
        concat!(
            "SELECT w.alert_observer, w.machine, w.firing, w.watched_since, o.type, o.observer, o.timer, o.timer_type, ",
            "o.error, o.occurs, o.payment_method, o.opening_hours ",
            "FROM alert_watch w JOIN alert_observer o ON o.id = w.alert_observer ",
            $rest
        )
    };
}
pub(super) use watches;

/// Where what is looked for is found: `$1` is the machine, `$2` the error, `$3` the way of paying. What a
/// statement has no use for is never given.
macro_rules! matching {
    ($columns:literal, $self:expr, $rest:literal) => {
        match ($self.observed, $self.payment_method) {
            (Observed::Event, _) => concat!(
                "SELECT ",
                $columns,
                " FROM machine_log_ever WHERE machine = $1 AND ($2::bigint IS NULL OR error_identity = $2) ",
                "AND $3::text IS NULL AND ",
                $rest
            ),
            (Observed::Transaction, None) => concat!(
                "SELECT ",
                $columns,
                " FROM revenue_transaction_ever WHERE machine = $1 AND $2::bigint IS NULL ",
                "AND $3::text IS NULL AND ",
                $rest
            ),
            // Money that is given back, and what reports leave out, is no business.
            (Observed::Transaction, Some(_)) => concat!(
                "SELECT ",
                $columns,
                " FROM payment_transaction_ever WHERE machine = $1 AND $2::bigint IS NULL ",
                "AND method = $3 AND price >= 0 AND quantity > 0 AND NOT exclude AND ",
                $rest
            ),
        }
    };
}

impl Watch {
    /// What is looked out for.
    pub fn terms(&self) -> Terms {
        Terms {
            pattern: self.pattern,
            timer: span(self.timer, self.timer_type),
            occurs: usize::try_from(self.occurs.unwrap_or(1)).unwrap_or(usize::MAX),
        }
    }

    /// What is so at the machine now.
    pub async fn facts(&self, connection: &mut PgConnection, now: DateTime<Utc>) -> Result<Facts> {
        let hours = if self.opening_hours {
            Some(opening_hours::effective(&mut *connection, self.machine).await?)
        } else {
            None
        };
        let since = self.watched_since;
        let mut facts = Facts { now, hours, since, matches: Vec::new(), open: None, ahead: None };
        if self.pattern == Pattern::NonResolution {
            facts.open = self.open_since(connection).await?;
            return Ok(facts);
        }
        let Terms { timer, occurs, .. } = self.terms();
        let begins = now - timer;
        let (after, limit) = match (self.pattern, &facts.hours) {
            (Pattern::Occurrence, None) => (begins, i64::try_from(occurs).unwrap_or(MATCHES_MAX)),
            (Pattern::Occurrence, Some(_)) => (begins, MATCHES_MAX),
            // The timer has run out before, whatever happened before it began.
            (_, None) => (since.max(begins), 1),
            (_, Some(_)) => (since, 1),
        };
        facts.matches = self.matches(connection, after, now, limit).await?;
        facts.ahead = self.ahead(connection, now).await?;
        Ok(facts)
    }

    /// When what it fires for happened; None where it fires because nothing did.
    pub fn cause(&self, facts: &Facts) -> Option<DateTime<Utc>> {
        match self.pattern {
            Pattern::Occurrence => facts.counted().next(),
            Pattern::NonResolution => facts.open,
            Pattern::NonOccurrence => None,
        }
    }

    /// When it happened within a time, the latest first.
    async fn matches(
        &self,
        connection: &mut PgConnection,
        after: DateTime<Utc>,
        until: DateTime<Utc>,
        limit: i64,
    ) -> Result<Vec<DateTime<Utc>>> {
        let sql = matching!(
            "occurred_at",
            self,
            "occurred_at > $4 AND occurred_at <= $5 ORDER BY occurred_at DESC LIMIT $6"
        );
        let matches = sqlx::query_scalar(sql).bind(self.machine).bind(self.error).bind(self.payment_method);
        Ok(matches.bind(after).bind(until).bind(limit).fetch_all(connection).await?)
    }

    /// When it happens next, by a clock that is ahead.
    async fn ahead(
        &self,
        connection: &mut PgConnection,
        now: DateTime<Utc>,
    ) -> Result<Option<DateTime<Utc>>> {
        let sql = matching!("min(occurred_at)", self, "occurred_at > $4");
        let ahead = sqlx::query_scalar(sql).bind(self.machine).bind(self.error).bind(self.payment_method);
        Ok(ahead.bind(now).fetch_one(connection).await?)
    }

    /// Since when the longest of what is open has been so, however long ago.
    async fn open_since(&self, connection: &mut PgConnection) -> Result<Option<DateTime<Utc>>> {
        const SQL: &str = "
            SELECT min(occurred_at) FROM machine_log_ever
            WHERE machine = $1 AND ($2::bigint IS NULL OR error_identity = $2) AND resolved_at IS NULL AND type > 1";
        const UNPAID: &str = "
            SELECT min(occurred_at) FROM revenue_transaction_ever
            WHERE machine = $1 AND num_payment_transactions = 0 AND price > 0";
        if self.observed == Observed::Transaction {
            return Ok(sqlx::query_scalar(UNPAID).bind(self.machine).fetch_one(connection).await?);
        }
        Ok(sqlx::query_scalar(SQL).bind(self.machine).bind(self.error).fetch_one(connection).await?)
    }

    /// What the event of this instant is called: by its identity, or else by its code.
    pub async fn word(&self, connection: &mut PgConnection, at: DateTime<Utc>) -> Result<Option<String>> {
        const SQL: &str = "
            SELECT COALESCE(e.error, l.code) FROM machine_log_ever l LEFT JOIN error_identity e ON e.id = l.error_identity
            WHERE l.machine = $1 AND l.occurred_at = $2 AND ($3::bigint IS NULL OR l.error_identity = $3)
              AND ($4 OR (l.resolved_at IS NULL AND l.type > 1))
            ORDER BY l.id DESC LIMIT 1";
        if self.observed != Observed::Event {
            return Ok(None);
        }
        let whatever = self.pattern != Pattern::NonResolution;
        let word = sqlx::query_scalar(SQL).bind(self.machine).bind(at).bind(self.error).bind(whatever);
        Ok(word.fetch_optional(connection).await?)
    }
}
