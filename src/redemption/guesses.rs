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

use super::{hot::Hot, rules::Device};
use crate::{
    budget::{Budgets, Try},
    config::Config,
    error::Result,
    http::caller::Who,
};
use chrono::{DateTime, Utc};
use quick_cache::sync::Cache;
use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// Keys of several devices that are remembered before those are forgotten that spoke for none lately.
const KEYS_BEFORE_CLEANING: usize = 10_000;

/// A device counts this long for a key that spoke for it.
const SPOKEN_FOR: Duration = Duration::from_hours(1);

/// A device that is spoken for all the time is noted this often.
const NOTED_EVERY: Duration = Duration::from_mins(5);

/// Pairs of key and device of which it is at hand that they need not be noted.
const NOTED_MAX: usize = 100_000;

/// The budgets of devices, and of API keys and accounts that speak for several.
#[derive(Debug)]
pub struct Guesses {
    devices: Budgets<i64>,
    keys: Budgets<Who>,
    unknown_devices: Budgets<Who>,
    /// The last time that a pair was noted in `spoken_for`, so that the usual case costs no lock.
    noted: Cache<(Who, i64), Instant>,
    /// When each key last spoke for which devices.
    spoken_for: Mutex<HashMap<Who, HashMap<i64, Instant>>>,
}

/// A look-up under way. Dropped, it has found something.
#[derive(Debug)]
pub struct Lookup<'a> {
    device: Try<'a, i64>,
    /// A key of one device has no budget besides that device's.
    key: Option<Try<'a, Who>>,
}

impl Guesses {
    /// As configured.
    pub fn new(config: &Config) -> Self {
        let (device, key) = (config.guesses_per_device_per_minute, config.guesses_per_key_per_minute);
        Self {
            devices: Budgets::new("device", "failed look-ups of this device", device),
            keys: Budgets::new("key", "failed look-ups with this key", key),
            unknown_devices: Budgets::new(
                "unknown-device",
                "device ids with this key that name no machine",
                key,
            ),
            noted: Cache::new(NOTED_MAX),
            spoken_for: Mutex::default(),
        }
    }

    /// Takes a place for a look-up in both budgets. Fails with 429 if one is used up.
    pub async fn take(&self, who: Who, device: &Device) -> Result<Lookup<'_>> {
        let of_one_device = matches!(who, Who::Key { machine: Some(_), .. });
        if !of_one_device {
            self.note(who, device.machine, Instant::now());
        }
        Ok(Lookup {
            device: self.devices.take(device.machine).await?,
            key: if of_one_device { None } else { Some(self.keys.take(who).await?) },
        })
    }

    /// Counts a device id that names no machine of the caller's. Fails with 429 if that was one too many.
    pub async fn unknown_device(&self, who: Who, hot: &Hot, now: DateTime<Utc>) -> Result<()> {
        metrics::counter!("scrip_failed_lookups_total").increment(1);
        self.unknown_devices.take_now(who)?.failed(hot, now).await
    }

    /// Notes that a key speaks for a device, and gives it a budget for all that it spoke for within the last hour.
    fn note(&self, who: Who, machine: i64, now: Instant) {
        if self.noted.get(&(who, machine)).is_some_and(|at| now.duration_since(at) < NOTED_EVERY) {
            return;
        }
        self.noted.insert((who, machine), now);
        let mut spoken_for = self.spoken_for();
        if spoken_for.len() > KEYS_BEFORE_CLEANING {
            spoken_for.retain(|who, devices| {
                let speaks = count(devices, now) > 0;
                if !speaks {
                    self.keys.forget(who);
                }
                speaks
            });
        }
        let devices = spoken_for.entry(who).or_default();
        devices.insert(machine, now);
        let count = count(devices, now);
        self.keys.set(who, self.keys.per_minute() * count as f64, now);
    }

    fn spoken_for(&self) -> MutexGuard<'_, HashMap<Who, HashMap<i64, Instant>>> {
        self.spoken_for.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lookup<'_> {
    /// Counts a failed look-up. Fails with 429 if that was one too many.
    pub async fn failed(self, hot: &Hot, now: DateTime<Utc>) -> Result<()> {
        metrics::counter!("scrip_failed_lookups_total").increment(1);
        self.device.failed(hot, now).await?;
        match self.key {
            Some(key) => key.failed(hot, now).await,
            None => Ok(()),
        }
    }
}

/// Counts the devices of a key that it spoke for within the last hour, and forgets the others.
fn count(devices: &mut HashMap<i64, Instant>, now: Instant) -> usize {
    devices.retain(|_, at| now.duration_since(*at) < SPOKEN_FOR + NOTED_EVERY);
    devices.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{error::Error, redemption::rules::tests::device};

    const WHO: Who = Who::Account(1);

    fn at(machine: i64) -> Device {
        Device { machine, ..device() }
    }

    /// A Redis that is not connected to: each server goes by its own count.
    fn away() -> Hot {
        Hot::new(&Config::default()).unwrap()
    }

    async fn fail(guesses: &Guesses, who: Who, machine: i64) -> Result<()> {
        let lookup = guesses.take(who, &at(machine)).await?;
        lookup.failed(&away(), DateTime::UNIX_EPOCH).await
    }

    #[tokio::test]
    async fn a_used_up_budget_shuts_out_that_device_and_no_other() {
        let config = Config { guesses_per_device_per_minute: 3, ..Config::default() };
        let guesses = Guesses::new(&config);
        for _ in 0..3 {
            fail(&guesses, WHO, 7).await.unwrap();
        }
        let refused = guesses.take(WHO, &at(7)).await;
        assert!(matches!(refused, Err(Error::TooMany { retry_after_s: 1..=21, .. })));
        assert!(guesses.take(WHO, &at(8)).await.is_ok());
    }

    #[tokio::test]
    async fn unknown_devices_cost_a_key_its_own_budget_alone() {
        let guesses = Guesses::new(&Config { guesses_per_key_per_minute: 3, ..Config::default() });
        for _ in 0..3 {
            guesses.unknown_device(WHO, &away(), DateTime::UNIX_EPOCH).await.unwrap();
        }
        let refused = guesses.unknown_device(WHO, &away(), DateTime::UNIX_EPOCH).await;
        assert!(matches!(refused, Err(Error::TooMany { retry_after_s: 1..=21, .. })));
        guesses.unknown_device(Who::Account(2), &away(), DateTime::UNIX_EPOCH).await.unwrap();
        fail(&guesses, WHO, 7).await.unwrap();
    }

    #[tokio::test]
    async fn devices_that_guess_leave_the_others_of_their_key_alone() {
        let guesses = Guesses::new(&Config::default());
        for machine in 0..20 {
            while fail(&guesses, WHO, machine).await.is_ok() {}
        }
        assert!(fail(&guesses, WHO, 99).await.is_ok(), "it may be wrong as often as any");
    }

    #[tokio::test]
    async fn a_key_is_budgeted_by_the_devices_of_the_last_hour() {
        let config = Config { guesses_per_key_per_minute: 3, ..Config::default() };
        let guesses = Guesses::new(&config);
        let budget = || {
            let mut taken = Vec::new();
            while let Ok(tried) = guesses.keys.take_now(WHO) {
                taken.push(tried);
            }
            taken.len()
        };
        let start = Instant::now();
        for machine in 0..4 {
            guesses.note(WHO, machine, start);
        }
        assert_eq!(budget(), 12);
        let later = start + SPOKEN_FOR + NOTED_EVERY;
        guesses.note(WHO, 3, later);
        assert_eq!(budget(), 3, "an hour later it speaks for one of them still");
        guesses.note(Who::Key { id: 1, machine: None }, 3, later);
        assert_eq!(budget(), 3, "another key's devices are its own");
    }
}
