//! When counters start again, as the rows of vouchers and campaigns say.

use super::{campaign::Campaign, terms::zone};
use crate::{
    redemption::period::{Calendar, History, Schedule},
    time::Frequency,
};
use chrono::{DateTime, Utc};

/// The columns of [`ScheduleColumns`].
macro_rules! schedule {
    () => {
        "CASE WHEN v.inherits THEN NULL ELSE v.reset_frequency END AS own_reset,
         CASE WHEN v.inherits THEN NULL ELSE v.time_zone END AS own_zone, v.terms_since,
         c.reset_frequency AS campaign_reset, c.time_zone AS campaign_zone, c.calendar_since, c.former_calendars"
    };
}

pub(super) use schedule;

/// The terms that decide when a voucher's counters start again.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct ScheduleColumns {
    /// How often by the voucher's own terms.
    pub own_reset: Option<Frequency>,
    /// Where days begin by the voucher's own terms.
    pub own_zone: Option<String>,
    /// When those last changed.
    pub terms_since: Option<DateTime<Utc>>,
    /// How often by the campaign's terms.
    pub campaign_reset: Frequency,
    /// Where days begin by the campaign's terms.
    pub campaign_zone: String,
    /// The campaign's calendars before.
    #[sqlx(flatten)]
    pub history: History,
}

impl ScheduleColumns {
    /// The last reset at or before `now`; see [`Schedule::last_reset`].
    pub fn last_reset(&self, now: DateTime<Utc>) -> DateTime<Utc> {
        let schedule = Schedule {
            own_reset: self.own_reset,
            own_zone: self.own_zone.as_deref().map(zone),
            terms_since: self.terms_since.unwrap_or_default(),
            calendar: Calendar { reset: self.campaign_reset, zone: zone(&self.campaign_zone) },
            history: &self.history,
        };
        schedule.last_reset(now)
    }
}

impl Campaign {
    /// When the counters of its vouchers start again.
    pub(super) fn calendar(&self) -> Calendar {
        Calendar { reset: self.reset_frequency, zone: zone(&self.time_zone) }
    }

    /// The campaign as it is at `now`: nothing has to run for a reset, so this works out the last.
    #[must_use]
    pub fn as_of(mut self, now: DateTime<Utc>) -> Self {
        let schedule = Schedule {
            own_reset: None,
            own_zone: None,
            terms_since: self.created_at,
            calendar: self.calendar(),
            history: &self.history,
        };
        let last_reset = schedule.last_reset(now);
        self.last_reset_at = (last_reset > self.created_at).then_some(last_reset);
        self
    }
}
