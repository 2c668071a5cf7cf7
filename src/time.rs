//! The clock, and civil time: when a voucher expires and where its counting period begins.
//!
//! All instants are UTC; a zone comes in only here.

use chrono::{
    DateTime, Datelike, Days, Duration, NaiveDate, NaiveDateTime, NaiveTime, SecondsFormat, TimeZone, Utc,
};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize, Serializer};
use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};
use utoipa::ToSchema;

/// Something that may be an instant.
pub trait MaybeInstant {
    /// The instant, if it is one.
    fn instant(&self) -> Option<DateTime<Utc>>;
}

impl MaybeInstant for DateTime<Utc> {
    fn instant(&self) -> Option<Self> {
        Some(*self)
    }
}

impl MaybeInstant for Option<DateTime<Utc>> {
    fn instant(&self) -> Self {
        *self
    }
}

/// Shows an instant in a field of the published reference: whole seconds, rounded down.
pub fn seconds<S: Serializer>(at: &impl MaybeInstant, serializer: S) -> Result<S::Ok, S::Error> {
    at.instant().map(|at| at.to_rfc3339_opts(SecondsFormat::Secs, true)).serialize(serializer)
}

/// Shows an instant in any other field: milliseconds, rounded down.
pub fn milliseconds<S: Serializer>(at: &impl MaybeInstant, serializer: S) -> Result<S::Ok, S::Error> {
    at.instant().map(|at| at.to_rfc3339_opts(SecondsFormat::Millis, true)).serialize(serializer)
}

/// The only source of the present. Tests hold one that they move.
#[derive(Clone, Debug, Default)]
pub struct Clock {
    /// Milliseconds that this clock is ahead of the machine's.
    ahead_ms: Arc<AtomicI64>,
    /// Milliseconds since 1970 at which it stands still; 0 if it runs.
    stopped_ms: Arc<AtomicI64>,
}

impl Clock {
    /// A clock that stands still until it is moved.
    pub fn stopped_at(instant: DateTime<Utc>) -> Self {
        let clock = Self::default();
        clock.stopped_ms.store(instant.timestamp_millis(), Ordering::SeqCst);
        clock
    }

    /// Now, in whole milliseconds: what Redis and Postgres can both hold.
    pub fn now(&self) -> DateTime<Utc> {
        let stopped = self.stopped_ms.load(Ordering::Relaxed);
        if stopped != 0 {
            return from_millis(stopped);
        }
        #[expect(clippy::disallowed_methods, reason = "this is the clock that everyone else asks")]
        let now = Utc::now().timestamp_millis();
        from_millis(now + self.ahead_ms.load(Ordering::Relaxed))
    }

    /// Moves the clock, for tests.
    pub fn advance(&self, by: Duration) {
        let by = by.num_milliseconds();
        let stopped = self.stopped_ms.load(Ordering::SeqCst);
        if stopped == 0 {
            self.ahead_ms.fetch_add(by, Ordering::SeqCst);
        } else {
            self.stopped_ms.store(stopped + by, Ordering::SeqCst);
        }
    }
}

/// The instant `millis` milliseconds after 1970, clamped to what chrono can hold.
pub fn from_millis(millis: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(millis).unwrap_or(if millis < 0 {
        DateTime::<Utc>::MIN_UTC
    } else {
        DateTime::<Utc>::MAX_UTC
    })
}

/// How often a voucher's counters (and a gift's balance) start again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema, sqlx::Type)]
#[serde(rename_all = "lowercase")]
#[sqlx(type_name = "text", rename_all = "lowercase")]
pub enum Frequency {
    /// At midnight.
    Day,
    /// On Monday (ISO 8601).
    Week,
    /// On the first.
    Month,
    /// Not at all.
    #[default]
    Never,
}

impl Frequency {
    /// Start of the period that `now` is in; 1970 for a voucher that never resets.
    pub fn period_start(self, zone: Tz, now: DateTime<Utc>) -> DateTime<Utc> {
        let today = now.with_timezone(&zone).date_naive();
        let first = match self {
            Self::Day => today,
            Self::Week => today - Days::new(u64::from(today.weekday().num_days_from_monday())),
            Self::Month => today.with_day(1).unwrap_or(today),
            Self::Never => return DateTime::UNIX_EPOCH,
        };
        start_of_day(first, zone)
    }
}

/// The first instant of a civil day: later than midnight where clocks are set forward then.
pub fn start_of_day(day: NaiveDate, zone: Tz) -> DateTime<Utc> {
    earliest(day.and_time(NaiveTime::MIN), zone)
}

/// The instant of a civil time: the first of two, or the end of the gap that swallowed it.
pub fn earliest(civil: NaiveDateTime, zone: Tz) -> DateTime<Utc> {
    let at = |civil: NaiveDateTime| zone.from_local_datetime(&civil).earliest();
    if let Some(instant) = at(civil) {
        return instant.with_timezone(&Utc);
    }
    // The longest gap is the day that Samoa left out. To the minute, then back to the second.
    let past_gap = (1..=25 * 60).map(|minutes| civil + Duration::minutes(minutes)).find(|&c| at(c).is_some());
    past_gap
        .and_then(|end| {
            (0..60).map(|seconds| end - Duration::seconds(seconds)).take_while(|&c| at(c).is_some()).last()
        })
        .and_then(at)
        .map_or(civil.and_utc(), |instant| instant.with_timezone(&Utc))
}

/// A moment that a client gave: a civil date, or an instant with its offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// A day in the zone of whatever it belongs to.
    Date(NaiveDate),
    /// An instant.
    Instant(DateTime<Utc>),
}

impl Moment {
    /// Reads `2027-12-31`, an RFC 3339 instant, or a civil time without an offset (taken in `zone`).
    pub fn parse(text: &str, zone: Tz) -> Option<Self> {
        Self::spell(text, zone).map(|(moment, _)| moment)
    }

    /// Reads the same, and returns the one spelling of it that is stored: a date as it is; an instant with its
    /// offset, to the second or to the fraction that it has; a civil time without an offset likewise.
    pub fn spell(text: &str, zone: Tz) -> Option<(Self, String)> {
        // Years have four digits, months and days two, and nothing stands before them.
        let shape = text.bytes().take(10).map(|byte| if byte.is_ascii_digit() { b'0' } else { byte });
        if !shape.eq(*b"0000-00-00") {
            return None;
        }
        let (moment, spelling) = if let Ok(date) = NaiveDate::parse_from_str(text, "%Y-%m-%d") {
            (Self::Date(date), date.to_string())
        } else if let Ok(at) = DateTime::parse_from_rfc3339(text) {
            (Self::Instant(at.to_utc()), at.to_rfc3339_opts(SecondsFormat::AutoSi, true))
        } else {
            let civil = NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f")
                .or_else(|_| NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S%.f"))
                .ok()?;
            (Self::Instant(earliest(civil, zone)), civil.format("%Y-%m-%dT%H:%M:%S%.f").to_string())
        };
        let date = match moment {
            Self::Date(date) => date,
            Self::Instant(at) => at.date_naive(),
        };
        in_range(date).then_some((moment, spelling))
    }

    /// The first instant at which something that expires on this moment has expired: a date is inclusive.
    pub fn expires_at(self, zone: Tz) -> DateTime<Utc> {
        match self {
            Self::Date(date) => start_of_day(date + Days::new(1), zone),
            Self::Instant(at) => at,
        }
    }

    /// The first instant at which something that starts on this moment has started.
    pub fn starts_at(self, zone: Tz) -> DateTime<Utc> {
        match self {
            Self::Date(date) => start_of_day(date, zone),
            Self::Instant(at) => at,
        }
    }
}

/// Years that every store and every calendar computation can hold.
fn in_range(date: NaiveDate) -> bool {
    (1970..=9998).contains(&date.year())
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono_tz::{Africa::Cairo, America::New_York, America::Sao_Paulo, Europe::Amsterdam};
    use proptest::prelude::*;

    fn utc(text: &str) -> DateTime<Utc> {
        DateTime::parse_from_rfc3339(text).unwrap().with_timezone(&Utc)
    }

    #[test]
    fn a_period_starts_at_local_midnight_on_both_sides_of_a_clock_change() {
        let cases = [
            (Frequency::Day, Amsterdam, "2026-03-29T20:00:00Z", "2026-03-28T23:00:00Z"),
            (Frequency::Day, Amsterdam, "2026-03-29T22:00:00Z", "2026-03-29T22:00:00Z"),
            (Frequency::Day, New_York, "2026-11-01T12:00:00Z", "2026-11-01T04:00:00Z"),
            (Frequency::Day, New_York, "2026-11-02T05:00:00Z", "2026-11-02T05:00:00Z"),
            (Frequency::Week, Amsterdam, "2026-11-24T10:00:00Z", "2026-11-22T23:00:00Z"),
            (Frequency::Month, Amsterdam, "2026-11-24T10:00:00Z", "2026-10-31T23:00:00Z"),
            (Frequency::Never, Amsterdam, "2026-11-24T10:00:00Z", "1970-01-01T00:00:00Z"),
        ];
        for (frequency, zone, now, start) in cases {
            assert_eq!(frequency.period_start(zone, utc(now)), utc(start), "{frequency:?} {zone} {now}");
        }
    }

    #[test]
    fn a_day_without_midnight_starts_when_the_gap_ends() {
        let sao_paulo = NaiveDate::from_ymd_opt(2018, 11, 4).unwrap();
        assert_eq!(start_of_day(sao_paulo, Sao_Paulo), utc("2018-11-04T03:00:00Z"));
        let cairo = NaiveDate::from_ymd_opt(2026, 4, 24).unwrap();
        assert_eq!(start_of_day(cairo, Cairo), utc("2026-04-23T22:00:00Z"));
    }

    #[test]
    fn a_date_expires_with_its_day_in_its_zone() {
        let date = Moment::parse("2026-12-31", Amsterdam).unwrap();
        assert_eq!(date.expires_at(Amsterdam), utc("2026-12-31T23:00:00Z"));
        assert_eq!(date.expires_at(New_York), utc("2027-01-01T05:00:00Z"));
        assert_eq!(date.starts_at(Amsterdam), utc("2026-12-30T23:00:00Z"));
        let instant = Moment::parse("2026-12-31T12:00:00+01:00", Amsterdam).unwrap();
        assert_eq!(instant.expires_at(New_York), utc("2026-12-31T11:00:00Z"));
        assert_eq!(Moment::parse("2026-02-29", Amsterdam), None);
        assert_eq!(Moment::parse("soon", Amsterdam), None);
        assert_eq!(Moment::parse("99999-01-01", Amsterdam), None);
    }

    #[test]
    fn a_moment_has_one_spelling() {
        let cases = [
            ("2027-09-01", Some("2027-09-01")),
            ("2027-09-01T10:00:00Z", Some("2027-09-01T10:00:00Z")),
            ("2027-09-01t10:00:00z", Some("2027-09-01T10:00:00Z")),
            ("2027-09-01T10:00:00+00:00", Some("2027-09-01T10:00:00Z")),
            ("2027-09-01T10:00:00.000+02:00", Some("2027-09-01T10:00:00+02:00")),
            ("2027-09-01T10:00:00.5Z", Some("2027-09-01T10:00:00.500Z")),
            ("2027-09-01 10:00:00", Some("2027-09-01T10:00:00")),
            ("2027-09-01T10:00:00.000", Some("2027-09-01T10:00:00")),
            ("2027-9-1", None),
            ("2027-09-1", None),
            (" 2027-09-01", None),
            ("2027-09-01 ", None),
            ("+2027-09-01", None),
            ("2027-09-01T1:00:00", Some("2027-09-01T01:00:00")),
            ("2027-09- 1", None),
        ];
        for (text, spelling) in cases {
            let spelled = Moment::spell(text, Amsterdam);
            assert_eq!(spelled.as_ref().map(|(_, spelling)| spelling.as_str()), spelling, "{text:?}");
            if let Some((moment, spelling)) = spelled {
                assert_eq!(Moment::spell(&spelling, Amsterdam), Some((moment, spelling)), "{text:?}");
            }
        }
    }

    proptest! {
        #[test]
        fn a_period_contains_its_instant_and_starts_as_a_new_day(
            secs in 0i64..4_000_000_000,
            zone in prop::sample::select(&chrono_tz::TZ_VARIANTS[..]),
            frequency in prop::sample::select(vec![Frequency::Day, Frequency::Week, Frequency::Month]),
        ) {
            let now = DateTime::from_timestamp(secs, 0).unwrap();
            let start = frequency.period_start(zone, now);
            prop_assert!(start <= now);
            prop_assert_eq!(frequency.period_start(zone, start), start);
            let eve = start - Duration::seconds(1);
            prop_assert!(frequency.period_start(zone, eve) < start);
        }
    }
}
