//! Which stores answer, as this server sees it: what `/health/ready` says.

use crate::{error::Store, time::from_millis};
use chrono::{DateTime, Utc};
use serde::Serialize;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU8, Ordering};
use utoipa::ToSchema;

/// Why Postgres counts as away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum Reason {
    /// No connection can be made.
    Unreachable,
    /// It takes connections, or has them, and does not answer.
    Silent,
    /// It is a standby, or set to be read only.
    ReadOnly,
    /// What answers is a pooler that this server cannot work with.
    Unfit,
}

/// Since when each store has been away, if it is.
#[derive(Debug)]
pub struct Stores {
    postgres: Absence,
    redis: Absence,
    /// Of the absence of Postgres.
    reason: AtomicU8,
    /// Whether the server is told to stop.
    leaving: AtomicBool,
    /// Whether this server has begun to hear what Postgres tells all of them.
    listening: AtomicBool,
}

/// Milliseconds since 1970 of the first miss; 0 while there is none, and below 0 until the store has
/// been asked for the first time: it counts as away from then on, but nobody has missed it yet.
#[derive(Debug)]
struct Absence(AtomicI64);

impl Stores {
    /// Of a server that starts now and has asked neither store yet.
    pub fn unasked(now: DateTime<Utc>) -> Self {
        let unasked = || Absence(AtomicI64::new(-now.timestamp_millis()));
        Self {
            postgres: unasked(),
            redis: unasked(),
            reason: AtomicU8::new(Reason::Unreachable as u8),
            leaving: AtomicBool::new(false),
            listening: AtomicBool::new(false),
        }
    }

    fn of(&self, store: Store) -> &AtomicI64 {
        match store {
            Store::Postgres => &self.postgres.0,
            Store::Redis => &self.redis.0,
        }
    }

    /// A store did not answer; the first to say so sets the time. Returns whether this is the first.
    pub fn away(&self, store: Store, now: DateTime<Utc>) -> bool {
        let first = self.of(store).fetch_update(Ordering::Relaxed, Ordering::Relaxed, |since| match since {
            0 => Some(now.timestamp_millis()),
            unasked if unasked < 0 => Some(-unasked),
            _ => None,
        });
        if first.is_ok() {
            tracing::warn!(?store, "a store is away");
        }
        first.is_ok()
    }

    /// Postgres cannot be worked with. Returns whether that is new, or new for this reason.
    pub fn postgres_away(&self, reason: Reason, now: DateTime<Utc>) -> bool {
        let other = self.reason.swap(reason as u8, Ordering::Relaxed) != reason as u8;
        self.away(Store::Postgres, now) || other
    }

    /// Why Postgres is away, if it is.
    pub fn reason(&self) -> Option<Reason> {
        let reasons = [Reason::Unreachable, Reason::Silent, Reason::ReadOnly, Reason::Unfit];
        let reason = reasons.into_iter().find(|reason| *reason as u8 == self.reason.load(Ordering::Relaxed));
        reason.filter(|_| self.since(Store::Postgres).is_some())
    }

    /// Postgres can be worked with. Ready is who keeps what it learns: a server forgets all of it when it
    /// begins to listen.
    pub fn postgres_answered(&self) {
        if self.listening.load(Ordering::Relaxed) {
            self.back(Store::Postgres);
        }
    }

    /// The server is told to stop: balancers are to look elsewhere.
    pub fn leave(&self) {
        self.leaving.store(true, Ordering::Relaxed);
    }

    /// Returns `true` if the server is told to stop.
    pub fn is_leaving(&self) -> bool {
        self.leaving.load(Ordering::Relaxed)
    }

    /// A store has answered.
    pub fn back(&self, store: Store) {
        // Said after every answer, so it reads before it writes.
        let store_away = self.of(store);
        if store_away.load(Ordering::Relaxed) != 0 && store_away.swap(0, Ordering::Relaxed) > 0 {
            tracing::info!(?store, "a store is back");
        }
    }

    /// This server hears the notices of Postgres, and has forgotten what it knew before.
    pub fn listening(&self) {
        self.listening.store(true, Ordering::Relaxed);
        self.back(Store::Postgres);
    }

    /// Since when a store has been away (from the start, until it has answered); `None` while it answers.
    pub fn since(&self, store: Store) -> Option<DateTime<Utc>> {
        match self.of(store).load(Ordering::Relaxed) {
            0 => None,
            millis => Some(from_millis(millis.abs())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_is_away_from_the_first_miss_until_it_answers() {
        let stores = Stores::unasked(from_millis(500));
        stores.back(Store::Redis);
        assert_eq!(stores.since(Store::Redis), None);
        stores.away(Store::Redis, from_millis(1_000));
        stores.away(Store::Redis, from_millis(2_000));
        assert_eq!(stores.since(Store::Redis), Some(from_millis(1_000)));
        stores.back(Store::Redis);
        assert_eq!(stores.since(Store::Redis), None);
    }

    #[test]
    fn a_store_is_away_from_the_start_until_it_answers() {
        let stores = Stores::unasked(from_millis(500));
        assert_eq!(stores.since(Store::Redis), Some(from_millis(500)));
        stores.away(Store::Postgres, from_millis(1_000));
        assert_eq!(stores.since(Store::Postgres), Some(from_millis(500)));
        stores.back(Store::Postgres);
        assert_eq!(stores.since(Store::Postgres), None);
    }

    #[test]
    fn an_absence_has_a_reason_and_a_new_one_is_news() {
        let stores = Stores::unasked(from_millis(500));
        assert_eq!(stores.reason(), Some(Reason::Unreachable));
        assert!(stores.postgres_away(Reason::Silent, from_millis(1_000)));
        assert!(!stores.postgres_away(Reason::Silent, from_millis(2_000)));
        assert!(stores.postgres_away(Reason::ReadOnly, from_millis(3_000)));
        assert_eq!(stores.reason(), Some(Reason::ReadOnly));
        stores.postgres_answered();
        assert!(stores.reason().is_some(), "it has not begun to listen");
        stores.listening();
        assert_eq!(stores.reason(), None);
        assert!(stores.postgres_away(Reason::ReadOnly, from_millis(4_000)));
    }
}
