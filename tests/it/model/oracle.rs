//! What the answers should be, worked out the plain way: civil dates, one thing after another.

use super::steps::{Edit, Seed};
use chrono::{DateTime, Datelike, Days, NaiveDate, NaiveTime, TimeZone, Utc};
use chrono_tz::Tz;
use std::{cmp::Reverse, collections::HashMap};

/// An answer, in the words of the API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// The code (or the order) means nothing here.
    NotFound,
    /// The same order with another body.
    Conflict,
    /// 422.
    Invalid,
    /// Done, or not for a reason: which voucher, cents off, value, and until when it is locked.
    Answer { voucher: usize, reason: Option<&'static str>, off: i64, value: i64, till: Option<DateTime<Utc>> },
    /// Whether a lock was given back.
    Released(bool),
    /// Undone: which voucher, and its value.
    Undone { voucher: usize, value: i64 },
}

/// A voucher.
#[derive(Clone, Debug)]
pub struct Voucher {
    /// Its terms.
    pub seed: Seed,
    zone: Tz,
    /// Its first day.
    pub starts: Option<NaiveDate>,
    /// Its last day.
    pub expires: Option<NaiveDate>,
    /// Whether it is switched on.
    pub on: bool,
    /// Whether its campaign is.
    pub campaign_on: bool,
    /// Whether it has terms of its own.
    pub parted: bool,
    /// The civil date by which the terms in force call the period.
    period: NaiveDate,
    /// How many periods there were before this one.
    resets: u32,
    /// Redemptions in this period.
    pub count: i64,
    /// Cents given in this period.
    pub spent: i64,
    /// Cents left of a gift.
    pub balance: i64,
    /// Redemptions ever.
    pub total_count: i64,
    /// Cents given ever.
    pub total_spent: i64,
    lock: Option<(usize, DateTime<Utc>)>,
}

/// A redemption, for ever.
#[derive(Clone, Debug)]
struct Receipt {
    asked: (i64, Option<i64>),
    voucher: usize,
    resets: u32,
    off: i64,
    value: i64,
    undone: Option<i64>,
}

/// Everything there is to know.
#[derive(Clone, Debug)]
pub struct Oracle {
    /// The present.
    pub now: DateTime<Utc>,
    /// Oldest first.
    pub vouchers: Vec<Voucher>,
    orders: HashMap<(usize, u8), Receipt>,
}

impl Voucher {
    fn today(&self, now: DateTime<Utc>) -> NaiveDate {
        now.with_timezone(&self.zone).date_naive()
    }

    /// Its period, by the civil date that it began on.
    fn period_at(&self, now: DateTime<Utc>) -> NaiveDate {
        let today = self.today(now);
        match self.seed.reset {
            "day" => today,
            "week" => today - Days::new(u64::from(today.weekday().num_days_from_monday())),
            "month" => today.with_day(1).unwrap(),
            _ => NaiveDate::MIN,
        }
    }

    fn reset_if_due(&mut self, now: DateTime<Utc>) {
        let period = self.period_at(now);
        if self.period < period {
            (self.period, self.count, self.spent) = (period, 0, 0);
            self.resets += 1;
            self.balance = if self.seed.gift { self.seed.value } else { 0 };
        }
        self.lock = self.lock.filter(|(_, till)| *till > now);
    }

    /// The instant that a list of vouchers is ordered by.
    fn expires_at(&self) -> DateTime<Utc> {
        let midnight = |date: NaiveDate| {
            self.zone.from_local_datetime(&(date + Days::new(1)).and_time(NaiveTime::MIN)).unwrap().to_utc()
        };
        self.expires.map_or(DateTime::<Utc>::MAX_UTC, midnight)
    }

    fn value(&self) -> i64 {
        if self.seed.gift { self.balance } else { self.seed.value }
    }

    /// The first reason why not, for a device that wants `take` of a gift; to redeem it, or only to know.
    fn refusal(&self, device: usize, take: i64, redeems: bool, now: DateTime<Utc>) -> Option<&'static str> {
        let today = self.today(now);
        // A machine that holds it since it was good may still redeem it.
        let carried = redeems && self.lock.is_some_and(|(owner, _)| owner == device);
        let reasons = [
            (!self.campaign_on, "campaign_inactive"),
            (!self.on, "voucher_inactive"),
            (self.starts.is_some_and(|date| today < date), "not_started"),
            (self.expires.is_some_and(|date| today > date) && !carried, "expired"),
            (self.seed.limit.is_some_and(|limit| self.count >= limit), "redemption_limit_reached"),
            (self.seed.gift && (self.balance == 0 || take > self.balance), "insufficient_balance"),
            (self.lock.is_some_and(|(owner, _)| owner != device), "locked"),
        ];
        reasons.into_iter().find(|(holds, _)| *holds).map(|(_, reason)| reason)
    }

    fn locked_till(&self, reason: Option<&str>) -> Option<DateTime<Utc>> {
        self.lock.filter(|_| reason == Some("locked")).map(|(_, till)| till)
    }
}

impl Oracle {
    /// A world at its beginning.
    pub fn new(seeds: &[Seed], now: DateTime<Utc>) -> Self {
        let vouchers = seeds.iter().map(|seed| {
            let zone: Tz = seed.zone.parse().unwrap();
            let today = now.with_timezone(&zone).date_naive();
            let mut voucher = Voucher {
                zone,
                starts: seed.tomorrow.then(|| today + Days::new(1)),
                expires: seed.expires.map(|days| today + Days::new(days as u64)),
                on: true,
                campaign_on: true,
                parted: !seed.inherits,
                period: NaiveDate::MIN,
                resets: 0,
                count: 0,
                spent: 0,
                balance: if seed.gift { seed.value } else { 0 },
                total_count: 0,
                total_spent: 0,
                lock: None,
                seed: seed.clone(),
            };
            voucher.reset_if_due(now);
            voucher
        });
        Self { now, vouchers: vouchers.collect(), orders: HashMap::new() }
    }

    /// A day so far from today, where a voucher is.
    pub fn date(&self, voucher: usize, days: i64) -> NaiveDate {
        self.vouchers[voucher].today(self.now) + chrono::Duration::days(days)
    }

    /// Lets time pass: resets what is due and drops locks that are over.
    pub fn pass(&mut self, seconds: i64) {
        self.now += chrono::Duration::seconds(seconds);
        let now = self.now;
        self.vouchers.iter_mut().for_each(|voucher| voucher.reset_if_due(now));
    }

    /// Nobody holds anything any more.
    pub fn lose_locks(&mut self) {
        self.vouchers.iter_mut().for_each(|voucher| voucher.lock = None);
    }

    /// Machines 0 and 1 are of group a, machine 2 of a1 below it; a campaign is of root, a or a1.
    fn in_scope(&self, voucher: usize, device: usize) -> bool {
        self.vouchers[voucher].seed.group < 2 || device == 2
    }

    fn meant(&self, device: usize, take: i64, redeems: bool) -> Option<usize> {
        (0..self.vouchers.len()).filter(|&at| self.in_scope(at, device)).min_by_key(|&at| {
            let voucher = &self.vouchers[at];
            let usable = voucher.refusal(device, take, redeems, self.now).is_none();
            (Reverse(usable), voucher.expires_at(), at)
        })
    }

    /// `validate`, perhaps with a lock of so many seconds.
    pub fn validate(&mut self, device: usize, lock: Option<i64>, demand: Option<i64>) -> Said {
        let Some(at) = self.meant(device, 0, false) else { return Said::NotFound };
        let now = self.now;
        let voucher = &mut self.vouchers[at];
        let reason = voucher.refusal(device, 0, false, now);
        if let Some(seconds) = lock
            && reason.is_none()
            && (voucher.seed.gift || voucher.seed.limit.is_some())
        {
            voucher.lock = Some((device, now + chrono::Duration::seconds(seconds.min(300))));
        }
        let off = match (reason, voucher.seed.gift) {
            (Some(_), _) => 0,
            (None, true) => demand.unwrap_or(voucher.balance).min(voucher.balance),
            (None, false) => voucher.seed.value,
        };
        Said::Answer { voucher: at, reason, off, value: voucher.value(), till: voucher.locked_till(reason) }
    }

    /// `redeem`.
    pub fn redeem(&mut self, device: usize, order: u8, amount: i64, demand: Option<i64>) -> Said {
        if let Some(receipt) = self.orders.get(&(device, order)) {
            return match receipt.undone {
                _ if receipt.asked != (amount, demand) => Said::Conflict,
                Some(value) => said(receipt.voucher, Some("rolled_back"), 0, value),
                None => said(receipt.voucher, None, receipt.off, receipt.value),
            };
        }
        let Some(at) = self.meant(device, demand.unwrap_or(0), true) else { return Said::NotFound };
        let now = self.now;
        let voucher = &mut self.vouchers[at];
        if voucher.seed.gift && demand.is_none() {
            return Said::Invalid;
        }
        let take = demand.unwrap_or(0);
        if let Some(reason) = voucher.refusal(device, take, true, now) {
            let till = voucher.locked_till(Some(reason));
            return Said::Answer { voucher: at, reason: Some(reason), off: 0, value: voucher.value(), till };
        }
        let off = if voucher.seed.gift { take } else { voucher.seed.value.min(amount) };
        voucher.balance -= if voucher.seed.gift { off } else { 0 };
        voucher.count += 1;
        voucher.spent += off;
        voucher.total_count += 1;
        voucher.total_spent += off;
        voucher.lock = None;
        let (resets, value) = (voucher.resets, voucher.value());
        let receipt = Receipt { asked: (amount, demand), voucher: at, resets, off, value, undone: None };
        self.orders.insert((device, order), receipt);
        said(at, None, off, value)
    }

    /// `release`.
    pub fn release(&mut self, device: usize) -> Said {
        let mine: Vec<usize> = (0..self.vouchers.len()).filter(|&at| self.in_scope(at, device)).collect();
        if mine.is_empty() {
            return Said::NotFound;
        }
        let held =
            mine.into_iter().find(|&at| self.vouchers[at].lock.is_some_and(|(owner, _)| owner == device));
        if let Some(at) = held {
            self.vouchers[at].lock = None;
        }
        Said::Released(held.is_some())
    }

    /// `rollback`.
    pub fn roll_back(&mut self, device: usize, order: u8) -> Said {
        let Some(receipt) = self.orders.get_mut(&(device, order)) else { return Said::NotFound };
        let voucher = &mut self.vouchers[receipt.voucher];
        if receipt.undone.is_none() {
            voucher.total_count -= 1;
            voucher.total_spent -= receipt.off;
            if voucher.resets == receipt.resets {
                voucher.count -= 1;
                voucher.spent -= receipt.off;
                voucher.balance += if voucher.seed.gift { receipt.off } else { 0 };
            }
            receipt.undone = Some(if voucher.seed.gift { voucher.balance } else { receipt.value });
        }
        Said::Undone { voucher: receipt.voucher, value: receipt.undone.unwrap() }
    }

    /// Whether the change is allowed.
    pub fn revalue(&mut self, at: usize, value: i64) -> bool {
        let voucher = &mut self.vouchers[at];
        if voucher.seed.gift {
            if value < voucher.spent {
                return false;
            }
            voucher.balance = value - voucher.spent;
        }
        voucher.seed.value = value;
        voucher.parted = true;
        true
    }

    /// Returns `true` if the change is allowed. What was used in the running period stays used.
    pub fn edit(&mut self, at: usize, edit: &Edit) -> bool {
        let now = self.now;
        let voucher = &mut self.vouchers[at];
        let mut new = voucher.seed.clone();
        if voucher.parted {
            new.gift = edit.gift.unwrap_or(new.gift);
            new.value = edit.value.unwrap_or(new.value);
        }
        new.limit = edit.limit(new.limit);
        new.reset = edit.reset.unwrap_or(new.reset);
        new.zone = edit.zone.unwrap_or(new.zone);
        let retyped = new.gift != voucher.seed.gift && voucher.total_count > 0;
        if retyped || (new.gift && new.value < voucher.spent) {
            return false;
        }
        voucher.balance = if new.gift { new.value - voucher.spent } else { 0 };
        voucher.zone = new.zone.parse().unwrap();
        voucher.seed = new;
        voucher.period = voucher.period_at(now);
        true
    }

    /// Whether the change is allowed: a new end may lie neither in the past nor before the start.
    pub fn expire(&mut self, at: usize, date: Option<NaiveDate>) -> bool {
        let now = self.now;
        let voucher = &mut self.vouchers[at];
        let today = voucher.today(now);
        let allowed = date.is_none_or(|date| {
            (date >= today || voucher.expires == Some(date))
                && voucher.starts.is_none_or(|start| date >= start)
        });
        if allowed {
            voucher.expires = date;
            voucher.parted = true;
        }
        allowed
    }
}

fn said(voucher: usize, reason: Option<&'static str>, off: i64, value: i64) -> Said {
    Said::Answer { voucher, reason, off, value, till: None }
}
