//! Budgets of failed look-ups: what keeps codes from being guessed.
//!
//! Only failures count. Whoever has used up a budget is turned away before anything is looked up,
//! so that a lucky guess is no better than another; a voucher itself is never shut, or strangers
//! could shut it.

use super::rules::Device;
use crate::{
    config::Config,
    error::{Error, Result},
    http::caller::Who,
};
use governor::{DefaultKeyedRateLimiter, Quota, clock::Clock as _, clock::DefaultClock};
use std::{
    collections::HashMap,
    hash::Hash,
    num::NonZeroU32,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

/// Keys that a budget remembers before it forgets those that are full again.
const KEYS_BEFORE_CLEANING: usize = 10_000;

/// The budgets of this process.
#[derive(Debug)]
pub struct Guesses {
    devices: Budget<i64>,
    keys: Budget<Who>,
    groups: Budget<i64>,
}

impl Guesses {
    /// As configured.
    pub fn new(config: &Config) -> Self {
        Self {
            devices: Budget::new("failed look-ups of this device", config.guesses_per_device_per_minute),
            keys: Budget::new("failed look-ups with this key", config.guesses_per_key_per_minute),
            groups: Budget::new("failed look-ups of this user group", config.guesses_per_group_per_minute),
        }
    }

    /// Turns away (429) those whose budget is used up.
    pub fn admit(&self, who: Who, device: &Device) -> Result<()> {
        self.devices.admit(&device.machine)?;
        self.keys.admit(&who)?;
        device.groups.first().map_or(Ok(()), |group| self.groups.admit(group))
    }

    /// Counts a failed look-up; 429 if that was one too many.
    pub fn failed(&self, who: Who, device: &Device) -> Result<()> {
        metrics::counter!("scrip_failed_lookups_total").increment(1);
        let spent = [
            self.devices.spend(device.machine),
            self.keys.spend(who),
            device.groups.first().map_or(Ok(()), |&group| self.groups.spend(group)),
        ];
        spent.into_iter().collect()
    }
}

/// A budget for each key, refilled evenly.
#[derive(Debug)]
struct Budget<K: Hash + Eq + Clone> {
    what: &'static str,
    limiter: DefaultKeyedRateLimiter<K>,
    /// Who is shut out, until when.
    shut: Mutex<HashMap<K, Instant>>,
    /// Its size, so that the usual case costs no lock.
    shut_len: AtomicUsize,
}

impl<K: Hash + Eq + Clone> Budget<K> {
    fn new(what: &'static str, per_minute: u32) -> Self {
        let quota = Quota::per_minute(NonZeroU32::new(per_minute).unwrap_or(NonZeroU32::MIN));
        Self {
            what,
            limiter: DefaultKeyedRateLimiter::keyed(quota),
            shut: Mutex::new(HashMap::new()),
            shut_len: AtomicUsize::new(0),
        }
    }

    fn admit(&self, key: &K) -> Result<()> {
        if self.shut_len.load(Ordering::Relaxed) == 0 {
            return Ok(());
        }
        let now = Instant::now();
        let mut shut = self.shut.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        match shut.get(key).copied() {
            Some(until) if until > now => Err(self.refusal(until - now)),
            Some(_) => {
                shut.remove(key);
                self.shut_len.store(shut.len(), Ordering::Relaxed);
                Ok(())
            }
            None => Ok(()),
        }
    }

    fn spend(&self, key: K) -> Result<()> {
        if self.limiter.len() > KEYS_BEFORE_CLEANING {
            self.limiter.retain_recent();
        }
        let Err(exceeded) = self.limiter.check_key(&key) else { return Ok(()) };
        let wait = exceeded.wait_time_from(DefaultClock::default().now());
        let now = Instant::now();
        let mut shut = self.shut.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        shut.retain(|_, until| *until > now);
        shut.insert(key, now + wait);
        self.shut_len.store(shut.len(), Ordering::Relaxed);
        Err(self.refusal(wait))
    }

    fn refusal(&self, wait: Duration) -> Error {
        metrics::counter!("scrip_lookups_turned_away_total").increment(1);
        Error::TooMany { what: self.what, retry_after_s: wait.as_secs() + 1 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redemption::rules::tests::device;

    #[test]
    fn a_used_up_budget_shuts_out_that_device_and_no_other() {
        let config = Config { guesses_per_device_per_minute: 3, ..Config::default() };
        let guesses = Guesses::new(&config);
        let who = Who::Account(1);
        for _ in 0..3 {
            assert!(guesses.admit(who, &device()).is_ok());
            assert!(guesses.failed(who, &device()).is_ok());
        }
        assert!(matches!(guesses.failed(who, &device()), Err(Error::TooMany { retry_after_s: 1..=21, .. })));
        assert!(guesses.admit(who, &device()).is_err());
        let neighbour = Device { machine: 8, ..device() };
        assert!(guesses.admit(who, &neighbour).is_ok());
    }

    #[test]
    fn many_devices_of_one_group_share_its_budget() {
        let config = Config {
            guesses_per_group_per_minute: 5,
            guesses_per_key_per_minute: 1_000,
            ..Config::default()
        };
        let guesses = Guesses::new(&config);
        let failures = (0..10)
            .filter(|&machine| guesses.failed(Who::Account(1), &Device { machine, ..device() }).is_ok());
        assert_eq!(failures.count(), 5);
    }
}
