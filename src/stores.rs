//! Which stores answer, as this server sees it: what `/health/ready` says.

use crate::{
    app::App,
    error::Store,
    time::{Clock, from_millis},
};
use chrono::{DateTime, Utc};
use std::{
    sync::atomic::{AtomicBool, AtomicI64, Ordering},
    time::Duration,
};

/// How often Postgres is asked whether it is there.
const PROBE_EVERY: Duration = Duration::from_millis(500);

/// An answer that takes longer counts as none.
const PROBE_TIMEOUT: Duration = Duration::from_secs(1);

/// Since when each store has been away, if it is.
#[derive(Debug)]
pub struct Stores {
    postgres: Absence,
    redis: Absence,
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
        Self { postgres: unasked(), redis: unasked(), listening: AtomicBool::new(false) }
    }

    fn of(&self, store: Store) -> &AtomicI64 {
        match store {
            Store::Postgres => &self.postgres.0,
            Store::Redis => &self.redis.0,
        }
    }

    /// A store did not answer; the first to say so sets the time.
    pub fn away(&self, store: Store, now: DateTime<Utc>) {
        let first = self.of(store).fetch_update(Ordering::Relaxed, Ordering::Relaxed, |since| match since {
            0 => Some(now.timestamp_millis()),
            unasked if unasked < 0 => Some(-unasked),
            _ => None,
        });
        if first.is_ok() {
            tracing::warn!(?store, "a store is away");
        }
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

    /// Notes what came of asking a store.
    fn note(&self, store: Store, answered: bool, clock: &Clock) {
        if answered {
            self.back(store);
        } else {
            self.away(store, clock.now());
        }
    }
}

/// Asks Postgres now and then, until the server stops.
pub async fn probe_postgres(app: App) {
    let mut ticks = tokio::time::interval(PROBE_EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    while app.stop.run_until_cancelled(ticks.tick()).await.is_some() {
        let answer = tokio::time::timeout(PROBE_TIMEOUT, sqlx::query("SELECT 1").execute(&app.db)).await;
        // A pool that is busy has no connection to spare, which says nothing about Postgres.
        if answer.is_err()
            && app.db.num_idle() == 0
            && app.stores.since(Store::Postgres).is_none()
            && app.db.size() > 0
        {
            continue;
        }
        let answered = matches!(answer, Ok(Ok(_)));
        // Ready is who keeps what it learns: a server forgets all of it when it begins to listen.
        if !answered || app.stores.listening.load(Ordering::Relaxed) {
            app.stores.note(Store::Postgres, answered, &app.clock);
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
}
