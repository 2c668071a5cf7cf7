//! Budgets of failures: how often in a minute someone may be wrong about a secret.
//!
//! A try takes a place in the budget before it is made, and gives it back if it was right. So no more
//! tries are under way at a time than may still fail, and a lucky one among many is no better than
//! another. Servers add up through Redis what was spent; with Redis away each goes by its own count.

use crate::{
    error::{Error, Result},
    redemption::hot::Hot,
};
use chrono::{DateTime, Utc};
use dashmap::{DashMap, Entry};
use foldhash::fast::RandomState;
use std::{
    fmt,
    hash::Hash,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::sync::{Notify, futures::OwnedNotified};

/// After so many failures, budgets that are whole again are forgotten.
const FAILURES_BETWEEN_SWEEPS: u32 = 1_024;

/// Budgets of one kind, each with its key.
pub struct Budgets<K> {
    /// Names them in Redis.
    name: &'static str,
    /// Names what is budgeted, for who is told that it is used up.
    what: &'static str,
    per_minute: f64,
    /// Those that are not whole, or have tries under way. Hashed fast: every vend is a try.
    states: DashMap<K, State, RandomState>,
    failures: AtomicU32,
}

#[derive(Debug)]
struct State {
    /// Failures that there may be at once, and as many are made up for in a minute.
    capacity: f64,
    /// Failures that were not made up for at some moment. Without any, no clock has to be read.
    spent: Option<(f64, Instant)>,
    under_way: u32,
    /// Tells those who wait for a place, once anyone does.
    freed: Option<Arc<Notify>>,
}

impl State {
    fn new(capacity: f64) -> Self {
        Self { capacity, spent: None, under_way: 0, freed: None }
    }

    /// The failures that are not made up for.
    fn spent(&mut self, now: impl FnOnce() -> Instant) -> f64 {
        let Some((spent, at)) = self.spent else { return 0.0 };
        let now = now();
        let refilled = now.saturating_duration_since(at).as_secs_f64() / 60.0 * self.capacity;
        self.spend(spent - refilled, now)
    }

    /// Notes how many failures are not made up for.
    fn spend(&mut self, spent: f64, now: Instant) -> f64 {
        self.spent = (spent > 0.0).then_some((spent, now));
        spent.max(0.0)
    }

    fn is_whole(&self) -> bool {
        self.spent.is_none() && self.under_way == 0
    }

    /// The time until one more failure is affordable after so many, if none is now.
    fn wait(&self, spent: f64) -> Option<Duration> {
        // Seconds are rounded: what is whole but for a millionth is whole.
        let lacking = spent + 1.0 - self.capacity - 1e-6;
        (lacking > 0.0).then(|| Duration::from_secs_f64(lacking / self.capacity * 60.0))
    }
}

/// The answer to who wants to try.
enum Place {
    Taken,
    UsedUp(Duration),
    /// As many tries are under way as may still fail: one of them ends first.
    Full(OwnedNotified),
}

impl<K: Hash + Eq + Clone + fmt::Display> Budgets<K> {
    /// `per_minute` failures for each key, at once or spread out; at least one.
    pub fn new(name: &'static str, what: &'static str, per_minute: u32) -> Self {
        let per_minute = f64::from(per_minute.max(1));
        Self { name, what, per_minute, states: DashMap::default(), failures: AtomicU32::new(0) }
    }

    /// The failures a minute of a key that was given no budget of its own.
    pub fn per_minute(&self) -> f64 {
        self.per_minute
    }

    /// Gives a key a budget of its own. It is kept until [`Self::forget`].
    pub fn set(&self, key: K, per_minute: f64, now: Instant) {
        let mut state = self.states.entry(key).or_insert_with(|| State::new(per_minute));
        state.spent(|| now);
        state.capacity = per_minute;
    }

    /// Forgets the budget of a key, unless it is in use.
    pub fn forget(&self, key: &K) {
        self.states.remove_if(key, |_, state| state.is_whole());
    }

    /// Takes a place for a try, as soon as there is one. Fails with 429 if the budget is used up.
    pub async fn take(&self, key: K) -> Result<Try<'_, K>> {
        loop {
            match self.place(&key, Instant::now) {
                Place::Taken => return Ok(Try { budgets: self, key: Some(key) }),
                Place::UsedUp(wait) => return Err(self.refusal(wait)),
                Place::Full(freed) => freed.await,
            }
        }
    }

    /// Takes a place for a try. Fails with 429 if the budget is used up, or would be if all tries under way failed.
    pub fn take_now(&self, key: K) -> Result<Try<'_, K>> {
        match self.place(&key, Instant::now) {
            Place::Taken => Ok(Try { budgets: self, key: Some(key) }),
            Place::UsedUp(wait) => Err(self.refusal(wait)),
            Place::Full(_) => Err(self.refusal(Duration::ZERO)),
        }
    }

    fn place(&self, key: &K, now: impl FnOnce() -> Instant) -> Place {
        let mut state = self.states.entry(key.clone()).or_insert_with(|| State::new(self.per_minute));
        let spent = state.spent(now);
        if let Some(wait) = state.wait(spent) {
            return Place::UsedUp(wait);
        }
        if f64::from(state.under_way + 1) + spent > state.capacity + 1e-6 {
            // Made while the state is locked, so that no end of a try is missed.
            return Place::Full(Arc::clone(state.freed.get_or_insert_default()).notified_owned());
        }
        state.under_way += 1;
        Place::Taken
    }

    /// Ends a try. Returns the wait that it has led to, if the budget is exceeded now.
    fn end(&self, key: K, failure: Option<f64>, now: impl Fn() -> Instant) -> Option<Duration> {
        let Entry::Occupied(mut entry) = self.states.entry(key) else { return None };
        let state = entry.get_mut();
        let mut spent = state.spent(&now);
        state.under_way = state.under_way.saturating_sub(1);
        if let Some(spent_in_all) = failure {
            spent = state.spend((spent + 1.0).max(spent_in_all), now());
        }
        if let Some(freed) = &state.freed {
            freed.notify_waiters();
        }
        let exceeded = (spent > state.capacity + 1e-6).then(|| state.wait(spent)).flatten();
        if state.is_whole() && state.capacity.to_bits() == self.per_minute.to_bits() {
            entry.remove();
        }
        exceeded
    }

    fn sweep(&self, now: Instant) {
        if self.failures.fetch_add(1, Ordering::Relaxed) % FAILURES_BETWEEN_SWEEPS + 1
            == FAILURES_BETWEEN_SWEEPS
        {
            self.states.retain(|_, state| {
                state.spent(|| now);
                !state.is_whole() || state.capacity.to_bits() != self.per_minute.to_bits()
            });
        }
    }

    fn refusal(&self, wait: Duration) -> Error {
        metrics::counter!("scrip_budget_refusals_total", "budget" => self.name).increment(1);
        Error::TooMany { what: self.what, retry_after_s: wait.as_secs() + 1 }
    }
}

/// A try under way. Dropped, it was right.
#[derive(Debug)]
#[must_use = "a try that is dropped gives its place back"]
pub struct Try<'a, K: Hash + Eq + Clone + fmt::Display> {
    budgets: &'a Budgets<K>,
    key: Option<K>,
}

impl<K: Hash + Eq + Clone + fmt::Display> Try<'_, K> {
    /// Counts a failure, here and for all servers. Fails with 429 if that was one too many.
    pub async fn failed(mut self, hot: &Hot, now: DateTime<Utc>) -> Result<()> {
        let Some(key) = self.key.clone() else { return Ok(()) };
        let budgets = self.budgets;
        let capacity = budgets.states.get(&key).map_or(budgets.per_minute, |state| state.capacity);
        // The place is held until Redis has answered: the next try knows of the failures of all servers.
        let in_all = hot.spend(budgets.name, &key, capacity, now).await.unwrap_or(0.0);
        self.key = None;
        let now = Instant::now();
        let exceeded = budgets.end(key, Some(in_all), || now);
        budgets.sweep(now);
        exceeded.map_or(Ok(()), |wait| Err(budgets.refusal(wait)))
    }
}

impl<K: Hash + Eq + Clone + fmt::Display> Drop for Try<'_, K> {
    fn drop(&mut self) {
        if let Some(key) = self.key.take() {
            self.budgets.end(key, None, Instant::now);
        }
    }
}

impl<K: Hash + Eq> fmt::Debug for Budgets<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Budgets")
            .field("name", &self.name)
            .field("keys", &self.states.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;
    use proptest::prelude::*;

    fn budgets(per_minute: u32) -> Budgets<i64> {
        Budgets::new("test", "failures of the tests", per_minute)
    }

    /// Ends a try as a failure, as far as this server knows.
    fn fail(budgets: &Budgets<i64>, mut tried: Try<'_, i64>, now: Instant) -> Option<Duration> {
        budgets.end(tried.key.take().unwrap(), Some(0.0), || now)
    }

    #[test]
    fn tries_that_are_right_cost_nothing_and_leave_nothing() {
        let budgets = budgets(2);
        for _ in 0..10 {
            drop(budgets.take_now(1).unwrap());
        }
        assert!(budgets.states.is_empty());
    }

    #[test]
    fn a_used_up_budget_is_refilled_evenly_and_is_nobody_elses() {
        let budgets = budgets(3);
        for _ in 0..3 {
            let tried = budgets.take_now(1).unwrap();
            assert!(fail(&budgets, tried, Instant::now()).is_none());
        }
        assert!(matches!(budgets.take_now(1), Err(Error::TooMany { retry_after_s: 20..=21, .. })));
        drop(budgets.take_now(2).unwrap());
        let later = Instant::now() + Duration::from_secs(21);
        assert!(matches!(budgets.place(&1, || later), Place::Taken));
        assert!(matches!(budgets.place(&1, || later), Place::Full(_)));
    }

    #[test]
    fn no_more_tries_are_under_way_than_may_fail() {
        let budgets = budgets(3);
        let first = budgets.take_now(1).unwrap();
        assert!(fail(&budgets, first, Instant::now()).is_none());
        let (second, third) = (budgets.take_now(1).unwrap(), budgets.take_now(1).unwrap());
        assert!(budgets.take_now(1).is_err());
        let mut waiting = Box::pin(budgets.take(1));
        assert!((&mut waiting).now_or_never().is_none());
        drop(second);
        let fourth = (&mut waiting).now_or_never().expect("there is room").unwrap();

        // A try that waits while the last of the budget is spent is turned away.
        let mut waiting = Box::pin(budgets.take(1));
        assert!((&mut waiting).now_or_never().is_none());
        assert!(fail(&budgets, third, Instant::now()).is_none());
        assert!(fail(&budgets, fourth, Instant::now()).is_none());
        assert!(matches!(waiting.now_or_never(), Some(Err(Error::TooMany { .. }))));
    }

    #[test]
    fn a_key_keeps_the_budget_that_it_was_given() {
        let budgets = budgets(1);
        budgets.set(1, 5.0, Instant::now());
        let tries: Vec<_> = (0..5).map(|_| budgets.take_now(1).unwrap()).collect();
        assert!(budgets.take_now(1).is_err());
        drop(tries);
        assert!(budgets.states.contains_key(&1));
        budgets.forget(&1);
        assert!(budgets.states.is_empty());
    }

    #[test]
    fn what_other_servers_count_is_spent_here_too() {
        let budgets = budgets(10);
        let mut tried = budgets.take_now(1).unwrap();
        let exceeded = budgets.end(tried.key.take().unwrap(), Some(11.0), Instant::now);
        assert!(exceeded.is_some_and(|wait| wait <= Duration::from_secs(12)));
        assert!(budgets.take_now(1).is_err());
    }

    proptest! {
        /// Whatever is tried when and ends how: failures never exceed the budget and what was refilled.
        #[test]
        fn failures_stay_within_the_budget(
            steps in prop::collection::vec((0u64..5_000, 0usize..4, any::<bool>()), 1..200),
        ) {
            let budgets = budgets(6);
            let start = Instant::now();
            let (mut now, mut failures, mut tries) = (start, 0.0, Vec::new());
            for (wait_ms, end, fails) in steps {
                now += Duration::from_millis(wait_ms);
                if matches!(budgets.place(&1, || now), Place::Taken) {
                    tries.push(());
                }
                for () in tries.drain(..end.min(tries.len())) {
                    budgets.end(1, fails.then_some(0.0), || now);
                    failures += f64::from(u8::from(fails));
                }
                let refilled = (now - start).as_secs_f64() / 10.0;
                prop_assert!(failures + tries.len() as f64 <= 6.0 + refilled + 1e-3);
            }
        }
    }
}
