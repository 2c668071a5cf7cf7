//! Time frames as spans of the clock on the wall: pure.

use super::criteria::{Period, TimeFrame};
use crate::time::Moment;
use chrono::{
    DateTime, Datelike, Days, Duration, Months, NaiveDate, NaiveDateTime, NaiveTime, Timelike, Utc,
};
use chrono_tz::Tz;

/// The most hours that a frame can lie earlier: ten years.
pub const HOURS_MAX: i64 = 87_600;

/// What the clock on the wall shows in a frame, without the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// From here.
    pub starts: NaiveDateTime,
    /// Until here.
    pub ends: NaiveDateTime,
}

/// How fine the rows must be from which something is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Grain {
    /// Each by itself.
    One,
    /// By the hour.
    Hour,
    /// By the day.
    Day,
    /// By the month.
    Month,
}

impl Span {
    fn of_days(first: NaiveDate, end: NaiveDate) -> Self {
        Self { starts: first.and_time(NaiveTime::MIN), ends: end.and_time(NaiveTime::MIN) }
    }

    /// The coarsest rows of which each lies wholly inside or outside.
    pub fn grain(self) -> Grain {
        of(self.starts).min(of(self.ends))
    }

    /// Whether it is longer than so many days.
    pub fn exceeds(self, days: i64) -> bool {
        self.ends - self.starts > Duration::days(days)
    }
}

/// The coarsest rows that a moment lies between.
fn of(moment: NaiveDateTime) -> Grain {
    match (moment.time() == NaiveTime::MIN, moment.day()) {
        (true, 1) => Grain::Month,
        (true, _) => Grain::Day,
        _ if moment.minute() == 0 && moment.second() == 0 && moment.nanosecond() == 0 => Grain::Hour,
        _ => Grain::One,
    }
}

impl TimeFrame {
    /// Hours that it lies earlier.
    fn earlier(&self) -> Duration {
        Duration::hours(self.hours_to_sub.unwrap_or(0).clamp(0, HOURS_MAX))
    }

    /// What the clocks of `zone` show in it, when it is `now`; None of a fixed one that is not given.
    pub fn span(&self, zone: Tz, now: DateTime<Utc>) -> Option<Span> {
        if self.period == Period::Fixed {
            let starts = civil(self.start_at.as_deref()?, zone, 0)?;
            let ends = civil(self.end_at.as_deref()?, zone, 1)?;
            return Some(Span { starts: starts - self.earlier(), ends: ends - self.earlier() });
        }
        relative(self.period, now.with_timezone(&zone).naive_local() - self.earlier())
    }
}

/// What a clock on the wall shows at a moment; at a date, when so many days have passed.
fn civil(text: &str, zone: Tz, days: u64) -> Option<NaiveDateTime> {
    Some(match Moment::parse(text, zone)? {
        Moment::Date(date) => (date + Days::new(days)).and_time(NaiveTime::MIN),
        Moment::Instant(at) => at.with_timezone(&zone).naive_local(),
    })
}

/// The span of a period when a clock on the wall shows `now`.
fn relative(period: Period, now: NaiveDateTime) -> Option<Span> {
    let today = now.date();
    let day = Days::new(1);
    let week = Days::new(7);
    let monday = today - Days::new(u64::from(today.weekday().num_days_from_monday()));
    let month = today.with_day(1)?;
    let year = month.with_month(1)?;
    Some(match period {
        Period::Today => Span::of_days(today, today + day),
        Period::Yesterday => Span::of_days(today - day, today),
        Period::Last7Days => Span::of_days(today - Days::new(6), today + day),
        Period::Last30Days => Span::of_days(today - Days::new(29), today + day),
        Period::Last12Months => Span::of_days(month - Months::new(11), month + Months::new(1)),
        Period::ThisWeek => Span::of_days(monday, monday + week),
        Period::LastWeek => Span::of_days(monday - week, monday),
        Period::ThisMonth => Span::of_days(month, month + Months::new(1)),
        Period::LastMonth => Span::of_days(month - Months::new(1), month),
        Period::ThisYear => Span::of_days(year, year + Months::new(12)),
        Period::LastYear => Span::of_days(year - Months::new(12), year),
        Period::Last24Hours => {
            let hour = today.and_hms_opt(now.hour(), 0, 0)?;
            Span { starts: hour - Duration::hours(23), ends: hour + Duration::hours(1) }
        }
        Period::Fixed => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono_tz::{America::New_York, Europe::Amsterdam};
    use proptest::prelude::*;

    fn frame(period: Period) -> TimeFrame {
        TimeFrame {
            period,
            view_type: None,
            start_at: None,
            end_at: None,
            hours_to_sub: None,
            column: None,
            description: None,
        }
    }

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn shown(frame: &TimeFrame, zone: Tz, now: &str) -> (String, String) {
        let span = frame.span(zone, at(now)).unwrap();
        (span.starts.to_string(), span.ends.to_string())
    }

    fn pair(starts: &str, ends: &str) -> (String, String) {
        (starts.to_owned(), ends.to_owned())
    }

    #[test]
    fn periods_are_those_of_the_place() {
        // A Tuesday; in New York it is still the month before.
        let now = "2026-12-01T03:30:00Z";
        let cases = [
            (Period::Today, Amsterdam, "2026-12-01 00:00:00", "2026-12-02 00:00:00", Grain::Day),
            (Period::Today, New_York, "2026-11-30 00:00:00", "2026-12-01 00:00:00", Grain::Day),
            (Period::Yesterday, New_York, "2026-11-29 00:00:00", "2026-11-30 00:00:00", Grain::Day),
            (Period::Last24Hours, New_York, "2026-11-29 23:00:00", "2026-11-30 23:00:00", Grain::Hour),
            (Period::Last7Days, Amsterdam, "2026-11-25 00:00:00", "2026-12-02 00:00:00", Grain::Day),
            (Period::Last30Days, Amsterdam, "2026-11-02 00:00:00", "2026-12-02 00:00:00", Grain::Day),
            (Period::Last12Months, Amsterdam, "2026-01-01 00:00:00", "2027-01-01 00:00:00", Grain::Month),
            (Period::ThisWeek, Amsterdam, "2026-11-30 00:00:00", "2026-12-07 00:00:00", Grain::Day),
            (Period::LastWeek, Amsterdam, "2026-11-23 00:00:00", "2026-11-30 00:00:00", Grain::Day),
            (Period::ThisMonth, Amsterdam, "2026-12-01 00:00:00", "2027-01-01 00:00:00", Grain::Month),
            (Period::ThisMonth, New_York, "2026-11-01 00:00:00", "2026-12-01 00:00:00", Grain::Month),
            (Period::LastMonth, Amsterdam, "2026-11-01 00:00:00", "2026-12-01 00:00:00", Grain::Month),
            (Period::ThisYear, Amsterdam, "2026-01-01 00:00:00", "2027-01-01 00:00:00", Grain::Month),
            (Period::LastYear, Amsterdam, "2025-01-01 00:00:00", "2026-01-01 00:00:00", Grain::Month),
        ];
        for (period, zone, starts, ends, grain) in cases {
            assert_eq!(shown(&frame(period), zone, now), pair(starts, ends), "{period:?} {zone}");
            assert_eq!(frame(period).span(zone, at(now)).unwrap().grain(), grain, "{period:?} {zone}");
        }
    }

    #[test]
    fn a_fixed_one_takes_dates_clocks_and_instants() {
        let fixed = |starts: &str, ends: &str, hours| TimeFrame {
            start_at: Some(starts.to_owned()),
            end_at: Some(ends.to_owned()),
            hours_to_sub: Some(hours),
            ..frame(Period::Fixed)
        };
        let now = "2026-12-01T03:30:00Z";
        let dates = fixed("2026-03-01", "2026-03-31", 0);
        assert_eq!(shown(&dates, New_York, now), pair("2026-03-01 00:00:00", "2026-04-01 00:00:00"));
        let march = dates.span(New_York, at(now)).unwrap();
        assert!(march.exceeds(30) && !march.exceeds(31));
        let clock = fixed("2026-03-01 06:00:00", "2026-03-02T06:00:00", 6);
        assert_eq!(shown(&clock, New_York, now), pair("2026-03-01 00:00:00", "2026-03-02 00:00:00"));
        let instants = fixed("2026-03-01T00:00:00Z", "2026-03-01T06:30:00+01:00", 0);
        assert_eq!(shown(&instants, New_York, now), pair("2026-02-28 19:00:00", "2026-03-01 00:30:00"));
        assert_eq!(instants.span(New_York, at(now)).map(Span::grain), Some(Grain::One));
        assert_eq!(fixed("soon", "2026-03-31", 0).span(New_York, at(now)), None);
        assert_eq!(frame(Period::Fixed).span(New_York, at(now)), None);
    }

    proptest! {
        #[test]
        fn periods_fit_together(
            seconds in 0i64..4_000_000_000,
            zone in prop::sample::select(&chrono_tz::TZ_VARIANTS[..]),
        ) {
            let now = DateTime::from_timestamp(seconds, 0).unwrap();
            let span = |period| frame(period).span(zone, now).unwrap();
            let here = now.with_timezone(&zone).naive_local();
            for &period in Period::ALL.iter().filter(|period| **period != Period::Fixed) {
                prop_assert!(span(period).starts < span(period).ends, "{period:?}");
            }
            for (last, this) in [
                (Period::Yesterday, Period::Today),
                (Period::LastWeek, Period::ThisWeek),
                (Period::LastMonth, Period::ThisMonth),
                (Period::LastYear, Period::ThisYear),
            ] {
                prop_assert_eq!(span(last).ends, span(this).starts);
                prop_assert!(span(this).starts <= here && here < span(this).ends);
            }
            let earlier = TimeFrame { hours_to_sub: Some(24), ..frame(Period::Today) };
            prop_assert_eq!(earlier.span(zone, now).unwrap(), span(Period::Yesterday));
        }
    }
}
