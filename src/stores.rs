//! Which stores answer, as this server sees it: what `/health/ready` says.

use crate::{
    app::App,
    error::Store,
    time::{Clock, from_millis},
};
use chrono::{DateTime, Utc};
use std::{
    sync::atomic::{AtomicI64, Ordering},
    time::Duration,
};

/// How often Postgres is asked whether it is there.
const PROBE_EVERY: Duration = Duration::from_millis(500);

/// An answer that takes longer counts as none.
const PROBE_TIMEOUT: Duration = Duration::from_secs(1);

/// Since when each store has been away, if it is.
#[derive(Debug, Default)]
pub struct Stores {
    postgres: Absence,
    redis: Absence,
}

/// Milliseconds since 1970 of the first miss; 0 while there is none.
#[derive(Debug, Default)]
struct Absence(AtomicI64);

impl Stores {
    fn of(&self, store: Store) -> &AtomicI64 {
        match store {
            Store::Postgres => &self.postgres.0,
            Store::Redis => &self.redis.0,
        }
    }

    /// A store did not answer; the first to say so sets the time.
    pub fn away(&self, store: Store, now: DateTime<Utc>) {
        let first =
            self.of(store).compare_exchange(0, now.timestamp_millis(), Ordering::Relaxed, Ordering::Relaxed);
        if first.is_ok() {
            tracing::warn!(?store, "a store is away");
        }
    }

    /// A store has answered.
    pub fn back(&self, store: Store) {
        // Said after every answer, so it reads before it writes.
        let store_away = self.of(store);
        if store_away.load(Ordering::Relaxed) != 0 && store_away.swap(0, Ordering::Relaxed) != 0 {
            tracing::info!(?store, "a store is back");
        }
    }

    /// Since when a store has been away; `None` while it answers.
    pub fn since(&self, store: Store) -> Option<DateTime<Utc>> {
        match self.of(store).load(Ordering::Relaxed) {
            0 => None,
            millis => Some(from_millis(millis)),
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
        app.stores.note(Store::Postgres, matches!(answer, Ok(Ok(_))), &app.clock);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_is_away_from_the_first_miss_until_it_answers() {
        let stores = Stores::default();
        stores.away(Store::Redis, from_millis(1_000));
        stores.away(Store::Redis, from_millis(2_000));
        assert_eq!(stores.since(Store::Redis), Some(from_millis(1_000)));
        assert_eq!(stores.since(Store::Postgres), None);
        stores.back(Store::Redis);
        assert_eq!(stores.since(Store::Redis), None);
    }
}
