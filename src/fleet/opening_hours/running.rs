//! Time that runs only while machines are open.

use super::{DAY_S, OpeningHours, WEEK_S};
use chrono::{DateTime, Datelike, Duration, Offset, Timelike, Utc};

impl OpeningHours {
    /// When the machine will have been open for so long since `from`; None if that is not before `horizon`.
    pub fn after_open(
        &self,
        from: DateTime<Utc>,
        timer: Duration,
        horizon: DateTime<Utc>,
    ) -> Option<DateTime<Utc>> {
        if self.spans.is_empty() {
            return from.checked_add_signed(timer).filter(|end| *end < horizon);
        }
        let (mut at, mut left) = (from, timer);
        while at < horizon {
            let end = self.unchanged_until(at);
            if self.are_on(at) {
                if end - at >= left {
                    return Some(at + left).filter(|end| *end < horizon);
                }
                left -= end - at;
            }
            at = end;
        }
        None
    }

    /// An instant later than `at` before which the machine neither opens nor closes.
    fn unchanged_until(&self, at: DateTime<Utc>) -> DateTime<Utc> {
        let civil = at.with_timezone(&self.zone).naive_local();
        let second = civil.weekday().num_days_from_monday() * DAY_S + civil.num_seconds_from_midnight();
        let bounds = self.spans.iter().flat_map(|span| [span.begins(), span.begins() + span.lasts()]);
        let ahead = bounds.map(|bound| (bound + WEEK_S - second - 1) % WEEK_S + 1);
        let seconds = ahead.min().unwrap_or(DAY_S).min(DAY_S);
        let whole = DateTime::from_timestamp(at.timestamp(), 0).unwrap_or(at);
        let end = whole + Duration::seconds(seconds.into());
        // Until then the clock on the wall may be set: whatever it says from there on is another matter.
        let offset = |at: DateTime<Utc>| at.with_timezone(&self.zone).offset().fix();
        if offset(end) == offset(at) {
            return end;
        }
        let (mut before, mut after) = (0, i64::from(seconds));
        while after - before > 1 {
            let middle = i64::midpoint(before, after);
            if offset(whole + Duration::seconds(middle)) == offset(at) {
                before = middle;
            } else {
                after = middle;
            }
        }
        whole + Duration::seconds(after)
    }
}

#[cfg(test)]
mod tests {
    use super::super::Span;
    use super::*;
    use chrono::NaiveTime;
    use chrono_tz::{Europe::Amsterdam, Tz};
    use proptest::prelude::*;

    fn instant(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn daily(start: &str, end: &str) -> OpeningHours {
        let span = |day| Span { day, start_time: start.parse().unwrap(), end_time: end.parse().unwrap() };
        OpeningHours { spans: (1..=7).map(span).collect(), zone: Amsterdam }
    }

    fn after(hours: &OpeningHours, from: &str, minutes: i64) -> Option<DateTime<Utc>> {
        let from = instant(from);
        hours.after_open(from, Duration::minutes(minutes), from + Duration::days(30))
    }

    #[test]
    fn a_timer_stands_still_overnight() {
        let hours = daily("09:00:00", "17:00:00");
        // 16:00 on the wall, and an hour is left of the day.
        let from = "2026-06-01T14:00:00Z";
        assert_eq!(after(&hours, from, 59), Some(instant("2026-06-01T14:59:00Z")));
        assert_eq!(after(&hours, from, 61), Some(instant("2026-06-02T07:01:00Z")));
        assert_eq!(after(&hours, "2026-06-01T20:00:00Z", 1), Some(instant("2026-06-02T07:01:00Z")));
        assert_eq!(after(&hours, from, 31 * 8 * 60), None, "beyond the horizon");
        let always = OpeningHours { spans: Vec::new(), zone: Amsterdam };
        assert_eq!(after(&always, from, 600), Some(instant("2026-06-02T00:00:00Z")));
    }

    #[test]
    fn an_hour_that_comes_twice_counts_twice_and_one_that_is_left_out_not_at_all() {
        let night = daily("01:00:00", "04:00:00");
        // Four hours on 25 October 2026, two on 29 March.
        assert_eq!(after(&night, "2026-10-24T20:00:00Z", 240), Some(instant("2026-10-25T03:00:00Z")));
        assert_eq!(after(&night, "2026-03-28T20:00:00Z", 120), Some(instant("2026-03-29T02:00:00Z")));
        let missing = daily("02:15:00", "02:45:00");
        assert_eq!(after(&missing, "2026-03-28T20:00:00Z", 1), Some(instant("2026-03-30T00:16:00Z")));
    }

    prop_compose! {
        fn any_span()(day in 1i16..=7, start in 0..DAY_S, end in 0..DAY_S) -> Span {
            let time = |second| NaiveTime::from_num_seconds_from_midnight_opt(second, 0).unwrap();
            Span { day, start_time: time(start), end_time: time(end) }
        }
    }

    proptest! {
        #[test]
        fn it_neither_opens_nor_closes_in_between(
            spans in prop::collection::vec(any_span(), 1..4), at in 1_700_000_000i64..1_900_000_000,
            zone in prop::sample::select(&chrono_tz::TZ_VARIANTS[..]), part in 0.0f64..1.0,
        ) {
            let zone: Tz = zone;
            let hours = OpeningHours { spans, zone };
            let at = DateTime::from_timestamp(at, 250_000_000).unwrap();
            let end = hours.unchanged_until(at);
            prop_assert!(end > at && end - at <= Duration::days(1));
            let between = at + Duration::milliseconds(((end - at).num_milliseconds() as f64 * part) as i64);
            prop_assert!(between >= end || hours.are_on(between) == hours.are_on(at));
        }
    }
}
