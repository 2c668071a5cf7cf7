//! When counters and balances start again: pure, and the only rule of it. `lua/lib/claim.lua` and
//! `journal/batch.sql` are told what it says; `last_reset` in Postgres says the same to lists.
//!
//! A period is named by the moment at which it began: the reset, or the voucher's creation. No edit changes
//! that moment, so an edit of terms is no reset, and a rollback finds the period of its redemption.

use crate::time::Frequency;
use chrono::{DateTime, Duration, Utc};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};
use std::iter;

/// Calendars that a campaign remembers. Only a voucher that nobody looked at during so many edits could
/// miss a reset that was due before them.
const FORMER_MAX: usize = 50;

/// No period is longer.
const PERIOD_MAX: Duration = Duration::days(32);

/// When counters start again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Calendar {
    /// How often.
    pub reset: Frequency,
    /// Where days begin.
    pub zone: Tz,
}

/// A calendar that was in force until the next one was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Former {
    /// The calendar.
    #[serde(flatten)]
    pub calendar: Calendar,
    /// Since when it was in force.
    pub since: DateTime<Utc>,
}

/// The calendars that a campaign has had.
#[derive(Clone, Debug, Default, PartialEq, Eq, sqlx::FromRow)]
pub struct History {
    /// Since when the present calendar is in force; 1970 for the first.
    #[sqlx(rename = "calendar_since")]
    pub since: DateTime<Utc>,
    /// Those before it, the last one first.
    #[sqlx(rename = "former_calendars", json)]
    pub former: Vec<Former>,
}

impl History {
    /// The history once `ended` has been replaced at `now`.
    #[must_use]
    pub fn after(&self, ended: Calendar, now: DateTime<Utc>) -> Self {
        let ended = Former { calendar: ended, since: self.since };
        let mut former = Vec::with_capacity(self.former.len() + 1);
        let mut end = now;
        for one in iter::once(&ended).chain(&self.former).take(FORMER_MAX) {
            former.push(*one);
            // It reset every voucher, so that none depends on what was before it.
            if one.calendar.reset != Frequency::Never && end - one.since >= PERIOD_MAX {
                break;
            }
            end = one.since;
        }
        Self { since: now, former }
    }
}

/// The terms that decide when a voucher's counters start again.
#[derive(Clone, Copy, Debug)]
pub struct Schedule<'a> {
    /// How often by its own terms; without it, as its campaign says.
    pub own_reset: Option<Frequency>,
    /// Where days begin by its own terms; without it, where its campaign says.
    pub own_zone: Option<Tz>,
    /// When its own terms last changed; 1970 if they never did.
    pub terms_since: DateTime<Utc>,
    /// Its campaign's calendar.
    pub calendar: Calendar,
    /// The calendars that its campaign had before.
    pub history: &'a History,
}

impl Schedule<'_> {
    /// The last reset at or before `now`: the last start of a day, week or month by the calendar that was in
    /// force then. 1970 if there was none since the voucher's own terms changed; its counters show those
    /// before.
    pub fn last_reset(&self, now: DateTime<Utc>) -> DateTime<Utc> {
        let present = Former { calendar: self.calendar, since: self.history.since };
        let mut end = now;
        for Former { calendar, since } in iter::once(&present).chain(&self.history.former) {
            if end <= self.terms_since {
                break;
            }
            let reset = self.own_reset.unwrap_or(calendar.reset);
            let start = reset.period_start(self.own_zone.unwrap_or(calendar.zone), end);
            if start > self.terms_since.max(*since) {
                return start;
            }
            end = end.min(*since);
        }
        DateTime::UNIX_EPOCH
    }
}

/// Counters of a period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tally {
    /// When the period began.
    pub period: DateTime<Utc>,
    /// Redemptions in it.
    pub count: i64,
    /// Cents that they took off.
    pub amount: i64,
    /// Cents left; 0 for a discount.
    pub balance: i64,
}

impl Tally {
    /// The tally after the last reset, where it does not show that one yet; `initial` is the balance that a
    /// period starts with.
    #[must_use]
    pub fn after(self, last_reset: DateTime<Utc>, initial: i64) -> Self {
        if self.period < last_reset {
            Self { period: last_reset, count: 0, amount: 0, balance: initial }
        } else {
            self
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono_tz::{America::New_York, Europe::Amsterdam};
    use proptest::{collection::vec, prelude::*, sample::select};

    fn at(text: &str) -> DateTime<Utc> {
        DateTime::parse_from_rfc3339(text).unwrap().to_utc()
    }

    fn calendar(reset: Frequency) -> Calendar {
        Calendar { reset, zone: Amsterdam }
    }

    fn last_reset(calendar: Calendar, history: &History, now: &str) -> DateTime<Utc> {
        let terms_since = DateTime::UNIX_EPOCH;
        Schedule { own_reset: None, own_zone: None, terms_since, calendar, history }.last_reset(at(now))
    }

    #[test]
    fn a_new_calendar_resets_at_its_first_start_after_the_edit() {
        let edited = History::default().after(calendar(Frequency::Never), at("2026-06-10T10:00:00Z"));
        let month = calendar(Frequency::Month);
        assert_eq!(last_reset(month, &edited, "2026-06-30T21:59:59Z"), DateTime::UNIX_EPOCH);
        assert_eq!(last_reset(month, &edited, "2026-06-30T22:00:00Z"), at("2026-06-30T22:00:00Z"));
    }

    #[test]
    fn a_reset_before_the_edit_has_happened_whoever_looks_when() {
        let edited = History::default().after(calendar(Frequency::Day), at("2026-06-10T10:00:00Z"));
        let midnight = at("2026-06-09T22:00:00Z");
        for reset in [Frequency::Never, Frequency::Month, Frequency::Week] {
            assert_eq!(last_reset(calendar(reset), &edited, "2026-06-12T10:00:00Z"), midnight, "{reset:?}");
        }
        let on_the_dot = History::default().after(calendar(Frequency::Day), midnight);
        assert_eq!(last_reset(calendar(Frequency::Never), &on_the_dot, "2026-06-12T10:00:00Z"), midnight);
        assert_eq!(last_reset(calendar(Frequency::Day), &on_the_dot, "2026-06-10T10:00:00Z"), midnight);
    }

    #[test]
    fn what_was_due_by_terms_of_before_is_not_asked_of_own_terms() {
        let history = History::default();
        let schedule = Schedule {
            own_reset: Some(Frequency::Month),
            own_zone: Some(New_York),
            terms_since: at("2026-06-10T10:00:00Z"),
            calendar: calendar(Frequency::Day),
            history: &history,
        };
        assert_eq!(schedule.last_reset(at("2026-07-01T03:59:59Z")), DateTime::UNIX_EPOCH);
        assert_eq!(schedule.last_reset(at("2026-07-01T04:00:00Z")), at("2026-07-01T04:00:00Z"));
    }

    #[test]
    fn a_history_ends_with_a_calendar_that_reset_everything() {
        let mut history = History::default();
        for (reset, date) in [
            (Frequency::Never, "2026-01-10T10:00:00Z"),
            (Frequency::Day, "2026-03-10T10:00:00Z"),
            (Frequency::Never, "2026-06-10T10:00:00Z"),
            (Frequency::Week, "2026-06-20T10:00:00Z"),
        ] {
            history = history.after(calendar(reset), at(date));
        }
        let resets: Vec<_> = history.former.iter().map(|former| former.calendar.reset).collect();
        assert_eq!(resets, [Frequency::Week, Frequency::Never, Frequency::Day]);
        for days in 0..200 {
            history = history.after(calendar(Frequency::Never), history.since + Duration::hours(days));
        }
        assert_eq!(history.former.len(), FORMER_MAX);
    }

    prop_compose! {
        fn edits()(
            of in vec((1i64..40 * 86_400, select(vec![Frequency::Day, Frequency::Week, Frequency::Month, Frequency::Never]),
                select(vec![Amsterdam, New_York])), 1..6),
        ) -> Vec<(i64, Calendar)> {
            of.into_iter().map(|(seconds, reset, zone)| (seconds, Calendar { reset, zone })).collect()
        }
    }

    proptest! {
        #[test]
        fn looking_once_shows_what_looking_every_hour_shows(
            edits in edits(), own_reset in prop::option::weighted(0.3, select(vec![Frequency::Day, Frequency::Month])),
            own_zone in prop::option::weighted(0.3, Just(New_York)), amended in 0i64..90 * 86_400,
        ) {
            let start = at("2026-03-01T09:30:00Z");
            let amended = start + Duration::seconds(amended);
            let mut history = History::default();
            let (mut now, mut present) = (start, edits[0].1);
            let mut unwatched = Tally { period: start, count: 1, amount: 1, balance: 0 };
            let (mut watched, mut expected, mut terms_since) = (unwatched, start, DateTime::UNIX_EPOCH);
            for (seconds, next) in edits {
                let end = now + Duration::seconds(seconds);
                while now < end {
                    let before = now;
                    now = (now + Duration::hours(1)).min(end);
                    if (before + Duration::milliseconds(1)..now).contains(&amended) {
                        now = amended;
                    }
                    let schedule =
                        Schedule { own_reset, own_zone, terms_since, calendar: present, history: &history };
                    let last_reset = schedule.last_reset(now);
                    watched = watched.after(last_reset, 0);
                    let reset = own_reset.unwrap_or(present.reset);
                    let begun = |at| reset.period_start(own_zone.unwrap_or(present.zone), at);
                    if begun(before) < begun(now) {
                        expected = begun(now);
                    }
                    prop_assert_eq!(watched.period, expected, "at {}", now);
                    prop_assert_eq!(unwatched.after(last_reset, 0), watched, "at {}", now);
                    if now == amended {
                        unwatched = watched;
                        terms_since = now;
                    }
                }
                if next != present {
                    history = history.after(present, now);
                    present = next;
                }
            }
        }
    }
}
