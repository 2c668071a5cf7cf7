//! Budgets of failed look-ups: what keeps codes from being guessed.
//!
//! Only failures count. A device that has used up its budget is turned away before a code is looked up,
//! so that a lucky guess is no better than another, unless it proves to know the code (see `proof`). A
//! voucher itself is never shut, or strangers could shut it.
//!
//! A key has a budget for each device that it spoke for within the last hour. By default that is as much
//! as the device has itself, so that no device is turned away for the guesses of another.
//!
//! Device ids that name no machine have a budget of their own for each key. Once it is used up, more of them are
//! turned away; machines that there are never are.

use super::rules::Device;
use crate::{
    config::Config,
    error::{Error, Result},
    http::caller::Who,
};
use governor::{DefaultKeyedRateLimiter, Quota, clock::Clock as _, clock::DefaultClock};
use quick_cache::sync::Cache;
use std::{
    collections::HashMap,
    hash::Hash,
    num::NonZeroU32,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

/// Keys that a budget remembers before it forgets those that are full again.
const KEYS_BEFORE_CLEANING: usize = 10_000;

/// A device counts this long for a key that spoke for it.
const SPOKEN_FOR: Duration = Duration::from_hours(1);

/// A device that is spoken for all the time is noted this often.
const NOTED_EVERY: Duration = Duration::from_mins(5);

/// Pairs of key and device of which it is at hand that they need not be noted.
const NOTED_MAX: usize = 100_000;

/// The budgets of this process.
#[derive(Debug)]
pub struct Guesses {
    devices: Budget<i64>,
    keys: KeyBudget,
    unknown_devices: Budget<Who>,
}

impl Guesses {
    /// As configured.
    pub fn new(config: &Config) -> Self {
        Self {
            devices: Budget::new("failed look-ups of this device", config.guesses_per_device_per_minute),
            keys: KeyBudget::new("failed look-ups with this key", config.guesses_per_key_per_minute),
            unknown_devices: Budget::new(
                "device ids with this key that name no machine",
                config.guesses_per_key_per_minute,
            ),
        }
    }

    /// Turns away (429) those whose budget is used up.
    pub fn admit(&self, who: Who, device: &Device) -> Result<()> {
        let now = Instant::now();
        self.keys.note(who, device.machine, now);
        self.devices.shut.admit(&device.machine, now)?;
        self.keys.shut.admit(&who, now)
    }

    /// Counts a failed look-up; 429 if that was one too many.
    pub fn failed(&self, who: Who, device: &Device) -> Result<()> {
        metrics::counter!("scrip_failed_lookups_total").increment(1);
        let now = Instant::now();
        self.devices.spend(device.machine, now)?;
        self.keys.spend(who, now)
    }

    /// Counts a device id that names no machine of the caller's; 429 if that was one too many.
    pub fn unknown_device(&self, who: Who) -> Result<()> {
        metrics::counter!("scrip_failed_lookups_total").increment(1);
        self.unknown_devices.spend(who, Instant::now())
    }
}

/// Those who are turned away, until when.
#[derive(Debug)]
struct Shut<K> {
    what: &'static str,
    until: Mutex<HashMap<K, Instant>>,
    /// Their number, so that the usual case costs no lock.
    len: AtomicUsize,
}

impl<K: Hash + Eq> Shut<K> {
    fn new(what: &'static str) -> Self {
        Self { what, until: Mutex::default(), len: AtomicUsize::new(0) }
    }

    fn admit(&self, key: &K, now: Instant) -> Result<()> {
        if self.len.load(Ordering::Relaxed) == 0 {
            return Ok(());
        }
        let mut shut = locked(&self.until);
        match shut.get(key).copied() {
            Some(until) if until > now => Err(self.refusal(until - now)),
            Some(_) => {
                shut.remove(key);
                self.len.store(shut.len(), Ordering::Relaxed);
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// Turns one away for so long.
    fn put(&self, key: K, wait: Duration, now: Instant) -> Result<()> {
        let mut shut = locked(&self.until);
        shut.retain(|_, until| *until > now);
        shut.insert(key, now + wait);
        self.len.store(shut.len(), Ordering::Relaxed);
        Err(self.refusal(wait))
    }

    fn refusal(&self, wait: Duration) -> Error {
        metrics::counter!("scrip_lookups_turned_away_total").increment(1);
        Error::TooMany { what: self.what, retry_after_s: wait.as_secs() + 1 }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A budget for each key, refilled evenly.
#[derive(Debug)]
struct Budget<K: Hash + Eq + Clone> {
    limiter: DefaultKeyedRateLimiter<K>,
    shut: Shut<K>,
}

impl<K: Hash + Eq + Clone> Budget<K> {
    fn new(what: &'static str, per_minute: u32) -> Self {
        let quota = Quota::per_minute(NonZeroU32::new(per_minute).unwrap_or(NonZeroU32::MIN));
        Self { limiter: DefaultKeyedRateLimiter::keyed(quota), shut: Shut::new(what) }
    }

    fn spend(&self, key: K, now: Instant) -> Result<()> {
        if self.limiter.len() > KEYS_BEFORE_CLEANING {
            self.limiter.retain_recent();
        }
        let Err(exceeded) = self.limiter.check_key(&key) else { return Ok(()) };
        self.shut.put(key, exceeded.wait_time_from(DefaultClock::default().now()), now)
    }
}

/// A budget for each API key or account that grows with the devices that it speaks for. A key of one device
/// has none besides that device's.
#[derive(Debug)]
struct KeyBudget {
    per_device_per_minute: f64,
    /// The last time that a pair was noted in `keys`, so that the usual case costs no lock.
    noted: Cache<(Who, i64), Instant>,
    keys: Mutex<HashMap<Who, Spoken>>,
    shut: Shut<Who>,
}

/// One key's devices, and what it has spent.
#[derive(Debug)]
struct Spoken {
    devices: HashMap<i64, Instant>,
    /// Failures that are not made up for yet.
    spent: f64,
    spent_at: Instant,
}

impl KeyBudget {
    fn new(what: &'static str, per_device_per_minute: u32) -> Self {
        Self {
            per_device_per_minute: f64::from(per_device_per_minute.max(1)),
            noted: Cache::new(NOTED_MAX),
            keys: Mutex::default(),
            shut: Shut::new(what),
        }
    }

    /// Notes that a key speaks for a device.
    fn note(&self, who: Who, machine: i64, now: Instant) {
        if is_of_one_device(who)
            || self.noted.get(&(who, machine)).is_some_and(|at| now.duration_since(at) < NOTED_EVERY)
        {
            return;
        }
        self.noted.insert((who, machine), now);
        let mut keys = locked(&self.keys);
        if keys.len() > KEYS_BEFORE_CLEANING && !keys.contains_key(&who) {
            keys.retain(|_, spoken| spoken.devices_at(now) > 0);
        }
        let new = || Spoken { devices: HashMap::new(), spent: 0.0, spent_at: now };
        keys.entry(who).or_insert_with(new).devices.insert(machine, now);
    }

    fn spend(&self, who: Who, now: Instant) -> Result<()> {
        let mut keys = locked(&self.keys);
        let Some(spoken) = keys.get_mut(&who) else { return Ok(()) };
        let budget = self.per_device_per_minute * spoken.devices_at(now).max(1) as f64;
        let refilled = now.duration_since(spoken.spent_at).as_secs_f64() / 60.0 * budget;
        let spent = (spoken.spent - refilled).max(0.0) + 1.0;
        if spent <= budget {
            (spoken.spent, spoken.spent_at) = (spent, now);
            return Ok(());
        }
        drop(keys);
        self.shut.put(who, Duration::from_secs_f64((spent - budget) / budget * 60.0), now)
    }
}

const fn is_of_one_device(who: Who) -> bool {
    matches!(who, Who::Key { machine: Some(_), .. })
}

impl Spoken {
    /// Counts the devices that the key spoke for within the last hour.
    fn devices_at(&mut self, now: Instant) -> usize {
        self.devices.retain(|_, at| now.duration_since(*at) < SPOKEN_FOR + NOTED_EVERY);
        self.devices.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redemption::rules::tests::device;

    const WHO: Who = Who::Account(1);

    fn at(machine: i64) -> Device {
        Device { machine, ..device() }
    }

    #[test]
    fn a_used_up_budget_shuts_out_that_device_and_no_other() {
        let config = Config { guesses_per_device_per_minute: 3, ..Config::default() };
        let guesses = Guesses::new(&config);
        for _ in 0..3 {
            assert!(guesses.admit(WHO, &device()).is_ok());
            assert!(guesses.failed(WHO, &device()).is_ok());
        }
        assert!(matches!(guesses.failed(WHO, &device()), Err(Error::TooMany { retry_after_s: 1..=21, .. })));
        assert!(guesses.admit(WHO, &device()).is_err());
        assert!(guesses.admit(WHO, &at(8)).is_ok());
    }

    #[test]
    fn unknown_devices_cost_a_key_its_own_budget_alone() {
        let guesses = Guesses::new(&Config { guesses_per_key_per_minute: 3, ..Config::default() });
        for _ in 0..3 {
            assert!(guesses.unknown_device(WHO).is_ok());
        }
        assert!(matches!(guesses.unknown_device(WHO), Err(Error::TooMany { retry_after_s: 1..=21, .. })));
        assert!(guesses.unknown_device(Who::Account(2)).is_ok());
        assert!(guesses.admit(WHO, &device()).is_ok() && guesses.failed(WHO, &device()).is_ok());
    }

    #[test]
    fn devices_that_guess_leave_the_others_of_their_key_alone() {
        let guesses = Guesses::new(&Config::default());
        for machine in 0..20 {
            while guesses.admit(WHO, &at(machine)).is_ok() {
                let _ = guesses.failed(WHO, &at(machine));
            }
        }
        let good = at(99);
        assert!(guesses.admit(WHO, &good).is_ok());
        assert!(guesses.failed(WHO, &good).is_ok(), "it may be wrong as often as any");
    }

    #[test]
    fn a_key_is_budgeted_by_the_devices_of_the_last_hour() {
        let budget = KeyBudget::new("guesses", 3);
        let start = Instant::now();
        let failures = |now| (0..100).filter(|_| budget.spend(WHO, now).is_ok()).count();
        for machine in 0..4 {
            budget.note(WHO, machine, start);
        }
        assert_eq!(failures(start), 12);
        assert!(budget.shut.admit(&WHO, start).is_err());
        let other = Who::Key { id: 1, machine: None };
        assert!(budget.shut.admit(&other, start).is_ok());

        // An hour later it speaks for one of them still.
        let later = start + SPOKEN_FOR + NOTED_EVERY;
        budget.note(WHO, 3, later);
        assert!(budget.shut.admit(&WHO, later).is_ok());
        assert_eq!(failures(later), 3);
        assert_eq!(failures(later + Duration::from_secs(40)), 2, "it is refilled evenly");
    }
}
