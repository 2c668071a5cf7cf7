//! The terms of a voucher: its own, its campaign's, and those in force.

use super::voucher::Kind;
use crate::time::Frequency;
use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

/// What a voucher is worth, how often and until when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    /// How it is spent.
    pub kind: Kind,
    /// Cents: off one purchase, or on the balance at the start of each period.
    pub value: i64,
    /// Redemptions in one period; `None` is as many as one likes.
    pub limit: Option<i64>,
    /// When counters and balance start again.
    pub reset: Frequency,
    /// Where days begin.
    pub zone: Tz,
    /// Not before.
    #[serde(with = "chrono::serde::ts_milliseconds_option")]
    pub starts_at: Option<DateTime<Utc>>,
    /// The first instant at which it no longer holds.
    #[serde(with = "chrono::serde::ts_milliseconds_option")]
    pub expires_at: Option<DateTime<Utc>>,
}

impl Terms {
    /// Returns `true` if locking one makes sense: something of it can be used up.
    pub fn can_run_out(&self) -> bool {
        self.kind == Kind::Gift || self.limit.is_some()
    }

    /// The balance that a period starts with; `None` where there is none.
    pub fn initial_balance(&self) -> Option<i64> {
        (self.kind == Kind::Gift).then_some(self.value)
    }
}

/// A voucher's own terms. It takes from its campaign what is `None` here.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnTerms {
    /// How it is spent.
    pub kind: Option<Kind>,
    /// Cents.
    pub value: Option<i64>,
    /// Redemptions in one period.
    pub limit: Option<i64>,
    /// When counters and balance start again.
    pub reset: Option<Frequency>,
    /// Where days begin.
    pub zone: Option<Tz>,
    /// Not before.
    #[serde(with = "chrono::serde::ts_milliseconds_option")]
    pub starts_at: Option<DateTime<Utc>>,
    /// The first instant at which it no longer holds.
    #[serde(with = "chrono::serde::ts_milliseconds_option")]
    pub expires_at: Option<DateTime<Utc>>,
}

impl OwnTerms {
    /// Returns the terms in force. No voucher outlives its campaign: the earlier end holds.
    pub fn over(&self, campaign: &Terms) -> Terms {
        let expires_at = [self.expires_at, campaign.expires_at].into_iter().flatten().min();
        Terms {
            kind: self.kind.unwrap_or(campaign.kind),
            value: self.value.unwrap_or(campaign.value),
            limit: self.limit.or(campaign.limit),
            reset: self.reset.unwrap_or(campaign.reset),
            zone: self.zone.unwrap_or(campaign.zone),
            starts_at: self.starts_at.or(campaign.starts_at),
            expires_at,
        }
    }
}
