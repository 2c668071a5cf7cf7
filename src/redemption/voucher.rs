//! A voucher's terms and state, and what may be done with it: pure, time passed in.

pub use super::terms::{OwnTerms, Terms};

use super::{
    period::{Calendar, History, Schedule, Tally},
    rules::{self, Device, Products, Rule},
};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::{cmp::Reverse, sync::Arc};
use utoipa::ToSchema;
use uuid::Uuid;

/// How a voucher is spent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema, sqlx::Type)]
#[serde(rename_all = "lowercase")]
#[schema(as = VoucherType)]
#[sqlx(type_name = "text", rename_all = "lowercase")]
pub enum Kind {
    /// Cents off one purchase.
    Discount,
    /// A balance that is spent down.
    Gift,
}

/// What a campaign's vouchers are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema, sqlx::Type)]
#[serde(rename_all = "lowercase")]
#[sqlx(type_name = "text", rename_all = "lowercase")]
pub enum CampaignType {
    /// Cents off one purchase.
    #[default]
    Discount,
    /// Balances that are spent down.
    Gift,
    /// Each voucher brings its own type, value and limits.
    Dynamic,
}

impl CampaignType {
    /// As it stands in JSON and in Postgres.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Discount => "discount",
            Self::Gift => "gift",
            Self::Dynamic => "dynamic",
        }
    }

    /// Returns `true` if a voucher of the campaign can be of this kind.
    pub const fn has(self, kind: Kind) -> bool {
        matches!(
            (self, kind),
            (Self::Dynamic, _) | (Self::Discount, Kind::Discount) | (Self::Gift, Kind::Gift)
        )
    }
}

/// What rarely changes about a campaign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Campaign {
    /// Its id.
    pub id: i64,
    /// The user group that it belongs to.
    pub group: i64,
    /// What its vouchers are.
    pub kind: CampaignType,
    /// Whether it is switched on.
    pub active: bool,
    /// Counts changes of any of this.
    pub version: i64,
    /// ISO 4217.
    pub currency: Box<str>,
    /// What vouchers follow that have no terms of their own.
    pub terms: Terms,
    /// The calendars that it had before.
    pub history: History,
    /// Conditions on all its vouchers.
    pub rules: Vec<Rule>,
}

/// What rarely changes about a voucher.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// Its id.
    pub id: Uuid,
    /// Its code as printed.
    pub code: Box<str>,
    /// Whether the code was made by us.
    pub generated: bool,
    /// Its campaign's id.
    pub campaign: i64,
    /// Counts changes of any of this.
    pub version: u32,
    /// Whether it is switched on.
    pub active: bool,
    /// When it was made.
    #[serde(with = "chrono::serde::ts_milliseconds")]
    pub created_at: DateTime<Utc>,
    /// Its own terms; the rest are its campaign's.
    pub own: OwnTerms,
    /// When they last changed; 1970 if they never did.
    #[serde(with = "chrono::serde::ts_milliseconds")]
    pub terms_since: DateTime<Utc>,
    /// Conditions besides the campaign's.
    pub rules: Vec<Rule>,
}

/// A device's hold on a voucher.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lock {
    /// The machine whose it is.
    pub owner: i64,
    /// The first instant at which it is over.
    pub till: DateTime<Utc>,
}

/// What changes with every vend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct State {
    /// When the period began that the rest is about.
    pub period: DateTime<Utc>,
    /// Redemptions in it.
    pub count: i64,
    /// Cents left; 0 for a discount.
    pub balance: i64,
    /// Who holds it, if anyone.
    pub lock: Option<Lock>,
}

impl State {
    /// The state at `now`: after the last reset, and without a lock that is over.
    fn after(self, last_reset: DateTime<Utc>, initial: i64, now: DateTime<Utc>) -> Self {
        let Self { period, count, balance, lock } = self;
        let Tally { period, count, balance, .. } =
            Tally { period, count, amount: 0, balance }.after(last_reset, initial);
        Self { period, count, balance, lock: lock.filter(|lock| lock.till > now) }
    }
}

/// Why a voucher may not be used, in order of precedence: the first that holds is the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The campaign is switched off, or still being made.
    CampaignInactive,
    /// The voucher is switched off.
    VoucherInactive,
    /// Too early.
    NotStarted,
    /// Too late.
    Expired,
    /// Used as often as it may be in this period.
    RedemptionLimitReached,
    /// The balance does not cover what is asked.
    InsufficientBalance,
    /// Another device holds it.
    Locked {
        /// Until then, at the latest.
        till: DateTime<Utc>,
    },
    /// Not at this machine.
    RuleNotMet,
    /// Not in what this machine is paid in.
    CurrencyMismatch,
    /// Not for these products.
    ProductNotAllowed,
    /// This very order was redeemed and rolled back.
    RolledBack,
}

impl Refusal {
    /// The `reason` that clients read.
    pub const fn word(self) -> &'static str {
        match self {
            Self::CampaignInactive => "campaign_inactive",
            Self::VoucherInactive => "voucher_inactive",
            Self::NotStarted => "not_started",
            Self::Expired => "expired",
            Self::RedemptionLimitReached => "redemption_limit_reached",
            Self::InsufficientBalance => "insufficient_balance",
            Self::Locked { .. } => "locked",
            Self::RuleNotMet => "rule_not_met",
            Self::CurrencyMismatch => "currency_mismatch",
            Self::ProductNotAllowed => "product_not_allowed",
            Self::RolledBack => "rolled_back",
        }
    }
}

/// What a device wants of a voucher.
#[derive(Clone, Copy, Debug)]
pub enum Ask<'a> {
    /// Would it be good, and for how much? `demand` caps a gift's answer.
    Validate {
        /// Cents.
        demand: Option<i64>,
    },
    /// Spend it.
    Redeem {
        /// What the purchase costs, in cents.
        order_amount: i64,
        /// What a gift is to pay of it, in cents.
        demand: i64,
        /// PLUs of what is bought, where the order says.
        products: &'a [&'a str],
    },
}

/// A voucher as someone knows it: from Redis, or from Postgres.
#[derive(Clone, Debug)]
pub struct Voucher {
    /// Its campaign.
    pub campaign: Arc<Campaign>,
    /// What rarely changes.
    pub facts: Arc<Facts>,
    /// What changes with every vend.
    pub state: State,
    /// The terms in force.
    terms: Terms,
}

impl Voucher {
    /// Puts one together.
    pub fn new(campaign: Arc<Campaign>, facts: Arc<Facts>, state: State) -> Self {
        let terms = facts.own.over(&campaign.terms);
        Self { campaign, facts, state, terms }
    }

    /// The same in another state.
    #[must_use]
    pub fn with_state(self, state: State) -> Self {
        Self { state, ..self }
    }

    /// The terms in force.
    pub fn terms(&self) -> &Terms {
        &self.terms
    }

    /// The last reset at or before `now`; see [`Schedule::last_reset`].
    pub fn last_reset(&self, now: DateTime<Utc>) -> DateTime<Utc> {
        let (own, inherited) = (&self.facts.own, &self.campaign.terms);
        let schedule = Schedule {
            own_reset: own.reset,
            own_zone: own.zone,
            terms_since: self.facts.terms_since,
            calendar: Calendar { reset: inherited.reset, zone: inherited.zone },
            history: &self.campaign.history,
        };
        schedule.last_reset(now)
    }

    /// Its state at `now`: after a reset that is due, and without a lock that is over.
    pub fn state_at(&self, now: DateTime<Utc>) -> State {
        let initial = self.terms().initial_balance().unwrap_or(0);
        self.state.after(self.last_reset(now), initial, now)
    }

    /// What `validate` calls its value: a discount's value, a gift's balance.
    pub fn value(&self, now: DateTime<Utc>) -> i64 {
        let terms = self.terms();
        match terms.kind {
            Kind::Discount => terms.value,
            Kind::Gift => self.state_at(now).balance,
        }
    }

    /// The products it may pay for.
    pub fn products(&self) -> Products {
        Products::of(&self.campaign.rules).and(Products::of(&self.facts.rules))
    }

    /// The part of the verdict that no vend changes and that comes before the counters.
    pub fn standing(&self, now: DateTime<Utc>) -> Result<(), Refusal> {
        let terms = self.terms();
        if !self.campaign.active {
            Err(Refusal::CampaignInactive)
        } else if !self.facts.active {
            Err(Refusal::VoucherInactive)
        } else if terms.starts_at.is_some_and(|at| now < at) {
            Err(Refusal::NotStarted)
        } else if terms.expires_at.is_some_and(|at| now >= at) {
            Err(Refusal::Expired)
        } else {
            Ok(())
        }
    }

    /// The part that comes after the lock.
    pub fn admits(&self, device: &Device, ask: Ask<'_>) -> Result<(), Refusal> {
        let holds = |rules| rules::hold(rules, device, self.campaign.group);
        if !holds(&self.campaign.rules) || !holds(&self.facts.rules) {
            return Err(Refusal::RuleNotMet);
        }
        if self.campaign.currency != device.currency {
            return Err(Refusal::CurrencyMismatch);
        }
        if let Ask::Redeem { products, .. } = ask
            && !products.is_empty()
        {
            let allowed = self.products();
            if !products.iter().all(|product| allowed.allow(product)) {
                return Err(Refusal::ProductNotAllowed);
            }
        }
        Ok(())
    }

    /// Returns `true` if a lock that the device was granted in time carries its redemption past the end
    /// of the voucher's span. It carries no validation: else it could be renewed for ever.
    fn is_carried(&self, device: &Device, ask: Ask<'_>, now: DateTime<Utc>) -> bool {
        let held = |lock: Lock| lock.owner == device.machine && now < lock.till;
        matches!(ask, Ask::Redeem { .. }) && self.state.lock.is_some_and(held)
    }

    /// Cents that the ask would take off, or the first reason why not.
    pub fn verdict(&self, device: &Device, ask: Ask<'_>, now: DateTime<Utc>) -> Result<i64, Refusal> {
        match self.standing(now) {
            Err(Refusal::Expired) if self.is_carried(device, ask, now) => {}
            standing => standing?,
        }
        let terms = self.terms();
        let state = self.state_at(now);
        if terms.limit.is_some_and(|limit| state.count >= limit) {
            return Err(Refusal::RedemptionLimitReached);
        }
        let amount_off = amount_off(terms, &state, ask);
        if terms.kind == Kind::Gift && (state.balance == 0 || amount_off > state.balance) {
            return Err(Refusal::InsufficientBalance);
        }
        if let Some(lock) = state.lock
            && lock.owner != device.machine
        {
            return Err(Refusal::Locked { till: lock.till });
        }
        self.admits(device, ask)?;
        Ok(amount_off)
    }
}

/// Cents that an ask is about.
pub fn amount_off(terms: &Terms, state: &State, ask: Ask<'_>) -> i64 {
    match (terms.kind, ask) {
        (Kind::Discount, Ask::Validate { .. }) => terms.value,
        (Kind::Discount, Ask::Redeem { order_amount, .. }) => terms.value.min(order_amount),
        (Kind::Gift, Ask::Validate { demand }) => {
            demand.map_or(state.balance, |demand| demand.min(state.balance))
        }
        (Kind::Gift, Ask::Redeem { demand, .. }) => demand,
    }
}

/// The voucher that a code means for a device, of all that share the code: of those whose campaign
/// is for its user group, a usable one before an unusable one, then the first to expire, then the oldest.
pub fn choose<'a>(
    vouchers: impl IntoIterator<Item = &'a Voucher>,
    device: &Device,
    ask: Ask<'_>,
    now: DateTime<Utc>,
) -> Option<&'a Voucher> {
    candidates(vouchers, device)
        .min_by_key(|voucher| (Reverse(voucher.verdict(device, ask, now).is_ok()), seniority(voucher)))
}

/// The voucher that [`choose`] takes if all are usable, or none.
pub fn first<'a>(vouchers: impl IntoIterator<Item = &'a Voucher>, device: &Device) -> Option<&'a Voucher> {
    candidates(vouchers, device).min_by_key(|voucher| seniority(voucher))
}

fn candidates<'a>(
    vouchers: impl IntoIterator<Item = &'a Voucher>,
    device: &Device,
) -> impl Iterator<Item = &'a Voucher> {
    vouchers.into_iter().filter(|voucher| device.belongs_below(voucher.campaign.group))
}

/// What orders vouchers of the same code: the first to expire, then the oldest.
fn seniority(voucher: &Voucher) -> impl Ord + use<> {
    let expires_at = voucher.terms().expires_at.unwrap_or(DateTime::<Utc>::MAX_UTC);
    (expires_at, voucher.facts.created_at, voucher.facts.id)
}

#[cfg(test)]
#[path = "voucher_tests.rs"]
mod tests;
