//! When machines sell.
//!
//! Opening hours can be set for a machine and for what stands above it: its machine groups, its
//! location, and the groups of that location. Whatever is set last holds:
//!
//! - Setting the hours of something takes away those of everything below it: of the machines in a
//!   machine group or at a location, and of the locations and their machines in a location group.
//! - A machine that has hours of its own since then keeps to these.
//! - One without keeps to the newest that is set for anything above it. Groups and locations cross, so
//!   neither of them comes before the other.
//! - Where nothing is set, a machine is always open.
//!
//! Spans are civil times in the zone of the machine's location. On the day on which clocks are set
//! forward, an hour of a span may not exist; on the day on which they are set back, it lasts twice as long.

mod http;
mod running;
mod store;

pub(super) use http::routes;
pub use store::effective;

use super::{
    location::{Location, LocationGroup},
    machine::{Machine, MachineGroup},
};
use crate::{
    error::{Error, Issue, Result},
    resource::{Resource, Spec},
};
use chrono::{DateTime, Datelike, NaiveTime, Timelike, Utc};
use chrono_tz::Tz;
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{
        self, IntoDeserializer,
        value::{self, StrDeserializer},
    },
};
use utoipa::ToSchema;

/// Spans that one thing can have: one for every hour of the week.
const SPANS_MAX: usize = 7 * 24;

const DAY_S: u32 = 24 * 3600;
const WEEK_S: u32 = 7 * DAY_S;

/// A span of the week in which machines sell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema, sqlx::FromRow)]
#[serde(rename_all = "camelCase")]
#[schema(as = OpeningHours)]
pub struct Span {
    /// The day on which it starts: 1 is Monday, 7 is Sunday (ISO 8601).
    #[schema(minimum = 1, maximum = 7, examples(1))]
    pub day: i16,
    /// The first second in it, as `HH:MM:SS` or `HH:MM`.
    #[schema(value_type = String, pattern = "^([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9])?$", examples("09:15:00"))]
    pub start_time: NaiveTime,
    /// The first second after it. One before `startTime` is on the next day; the same is 24 hours later.
    #[schema(value_type = String, pattern = "^([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9])?$", examples("10:00:00"))]
    pub end_time: NaiveTime,
}

fn time_of_day<'de, D: Deserializer<'de>>(deserializer: D) -> Result<NaiveTime, D::Error> {
    let text = String::deserialize(deserializer)?;
    let format = match text.len() {
        5 => "%H:%M",
        8 => "%H:%M:%S",
        _ => "",
    };
    NaiveTime::parse_from_str(&text, format)
        .ok()
        // chrono reads a leap second, and spaces for leading zeros.
        .filter(|time| time.nanosecond() == 0 && !text.contains(' '))
        .ok_or_else(|| de::Error::custom("must be a time of day, like 09:15:00"))
}

impl Span {
    /// Where in the week it starts, in seconds.
    fn begins(self) -> u32 {
        u32::from(self.day.unsigned_abs().saturating_sub(1)) * DAY_S
            + self.start_time.num_seconds_from_midnight()
    }

    fn lasts(self) -> u32 {
        let (start, end) =
            (self.start_time.num_seconds_from_midnight(), self.end_time.num_seconds_from_midnight());
        if end > start { end - start } else { DAY_S - start + end }
    }

    /// Whether a second of the week is in it. Sunday's may reach into Monday.
    fn holds(self, second: u32) -> bool {
        (second + WEEK_S - self.begins()) % WEEK_S < self.lasts()
    }

    fn overlaps(self, other: Self) -> bool {
        self.holds(other.begins()) || other.holds(self.begins())
    }
}

/// Refuses spans that there can't be, or that overlap.
fn check(spans: &[Span]) -> Result<()> {
    if spans.len() > SPANS_MAX {
        return Err(Error::invalid("", format!("must have at most {SPANS_MAX} spans")));
    }
    let mut issues = Vec::new();
    for (index, span) in spans.iter().enumerate() {
        if !(1..=7).contains(&span.day) {
            issues.push(Issue::at(format!("/{index}/day"), "must be 1 (Monday) to 7 (Sunday)"));
        }
    }
    if issues.is_empty() {
        for (index, span) in spans.iter().enumerate() {
            if let Some(other) = spans[..index].iter().position(|other| span.overlaps(*other)) {
                issues.push(Issue::at(format!("/{index}"), format!("overlaps with /{other}")));
            }
        }
    }
    if issues.is_empty() { Ok(()) } else { Err(Error::Invalid(issues)) }
}

/// Whether something with these opening hours is open in this zone at this instant; it always is without any.
pub fn is_open(spans: &[Span], zone: Tz, at: DateTime<Utc>) -> bool {
    let civil = at.with_timezone(&zone).naive_local();
    let second = civil.weekday().num_days_from_monday() * DAY_S + civil.num_seconds_from_midnight();
    spans.is_empty() || spans.iter().any(|span| span.holds(second))
}

/// What holds for a machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpeningHours {
    /// When it is open; always if there are none.
    pub spans: Vec<Span>,
    /// Whose time they are in.
    pub zone: Tz,
}

impl OpeningHours {
    /// Whether the machine is open at this instant.
    pub fn are_on(&self, at: DateTime<Utc>) -> bool {
        is_open(&self.spans, self.zone, at)
    }
}

/// A span that is in force, with what it is set for.
#[derive(Clone, Copy, Debug, Serialize, ToSchema, sqlx::FromRow)]
#[schema(as = OpeningHoursInForce)]
struct InForce {
    #[serde(flatten)]
    #[sqlx(flatten)]
    span: Span,
    /// The resource that it is set for: the machine itself, or one above it.
    #[sqlx(flatten)]
    from: Source,
}

/// Something that opening hours are set for.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema, sqlx::FromRow)]
#[serde(deny_unknown_fields)]
#[schema(as = OpeningHoursSource)]
struct Source {
    /// Its kind.
    resource: Level,
    /// Its id.
    id: i64,
}

/// A span as it is sent: one that was read can be sent back.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schema(as = OpeningHoursDraft)]
struct Sent {
    /// The day on which it starts: 1 is Monday, 7 is Sunday (ISO 8601).
    #[schema(minimum = 1, maximum = 7, examples(1))]
    day: i16,
    /// The first second in it, as `HH:MM:SS` or `HH:MM`.
    #[serde(deserialize_with = "time_of_day")]
    #[schema(value_type = String, pattern = "^([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9])?$", examples("09:15:00"))]
    start_time: NaiveTime,
    /// The first second after it. One before `startTime` is on the next day; the same is 24 hours later.
    #[serde(deserialize_with = "time_of_day")]
    #[schema(value_type = String, pattern = "^([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9])?$", examples("10:00:00"))]
    end_time: NaiveTime,
    /// The resource that it was set for, as a read shows it. A change sets it for the path's resource.
    #[serde(default, rename = "from")]
    #[schema(value_type = Option<Source>)]
    _from: Option<Source>,
}

impl From<Sent> for Span {
    fn from(sent: Sent) -> Self {
        Self { day: sent.day, start_time: sent.start_time, end_time: sent.end_time }
    }
}

/// What opening hours can be set for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema, sqlx::Type)]
#[serde(rename_all = "lowercase")]
#[sqlx(type_name = "text", rename_all = "lowercase")]
enum Level {
    /// One machine.
    Machine,
    /// The machines of a group.
    MachineGroup,
    /// The machines at a location.
    Location,
    /// The machines at the locations of a group.
    LocationGroup,
}

impl Level {
    /// The one that paths call so.
    fn named(name: &str) -> Option<Self> {
        let name: StrDeserializer<'_, value::Error> = name.into_deserializer();
        Self::deserialize(name).ok()
    }

    /// How it is declared. The column of `opening_hours` that points at it is called like its table.
    fn spec(self) -> &'static Spec {
        match self {
            Self::Machine => Machine::spec(),
            Self::MachineGroup => MachineGroup::spec(),
            Self::Location => Location::spec(),
            Self::LocationGroup => LocationGroup::spec(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::{Days, Duration, NaiveDate, Weekday};
    use chrono_tz::Europe::Amsterdam;
    use proptest::prelude::*;

    fn span(day: i16, start: &str, end: &str) -> Span {
        Span { day, start_time: start.parse().unwrap(), end_time: end.parse().unwrap() }
    }

    fn open(spans: &[Span], at: &str) -> bool {
        is_open(spans, Amsterdam, at.parse().unwrap())
    }

    fn complaint(spans: &[Span]) -> Option<String> {
        let Err(Error::Invalid(issues)) = check(spans) else { return None };
        Some(issues[0].pointer.to_string())
    }

    #[test]
    fn a_machine_sells_from_the_first_second_to_the_last() {
        // A Monday in winter, one hour ahead of UTC.
        let spans = [span(1, "09:15:00", "10:00:00"), span(1, "13:00:00", "17:30:00")];
        for (at, is) in [
            ("2026-11-23T08:14:59Z", false),
            ("2026-11-23T08:15:00Z", true),
            ("2026-11-23T08:59:59Z", true),
            ("2026-11-23T09:00:00Z", false),
            ("2026-11-23T16:29:59Z", true),
            ("2026-11-24T08:30:00Z", false),
        ] {
            assert_eq!(open(&spans, at), is, "{at}");
        }
        assert!(open(&[], "2026-11-24T08:30:00Z"), "always, where nothing is set");
    }

    #[test]
    fn a_span_can_reach_over_midnight_and_over_the_week_s_end() {
        let sunday = [span(7, "22:00:00", "02:00:00")];
        assert!(open(&sunday, "2026-11-22T21:00:00Z") && open(&sunday, "2026-11-23T00:59:59Z"));
        assert!(!open(&sunday, "2026-11-23T01:00:00Z") && !open(&sunday, "2026-11-22T00:30:00Z"));
        let whole = [span(3, "00:00:00", "00:00:00")];
        assert!(open(&whole, "2026-11-24T23:00:00Z") && open(&whole, "2026-11-25T22:59:59Z"));
        assert!(!open(&whole, "2026-11-25T23:00:00Z") && !open(&whole, "2026-11-24T22:59:59Z"));
    }

    #[test]
    fn a_clock_change_takes_an_hour_away_or_gives_it_twice() {
        let night = [span(7, "02:00:00", "03:00:00")];
        let minutes = |from: &str| {
            let from: DateTime<Utc> = from.parse().unwrap();
            let minutes = (0..24 * 60).map(|minute| from + Duration::minutes(minute));
            minutes.filter(|&at| is_open(&night, Amsterdam, at)).count()
        };
        assert_eq!(minutes("2026-03-28T23:00:00Z"), 0);
        assert_eq!(minutes("2026-10-24T22:00:00Z"), 120);
        assert_eq!(minutes("2026-11-21T23:00:00Z"), 60);
    }

    #[test]
    fn spans_that_overlap_or_are_on_no_day_are_refused() {
        let monday = span(1, "09:00:00", "12:00:00");
        assert_eq!(
            complaint(&[monday, span(1, "12:00:00", "13:00:00"), span(2, "09:00:00", "12:00:00")]),
            None
        );
        assert_eq!(complaint(&[monday, span(2, "09:00:00", "12:00:00"), monday]).as_deref(), Some("/2"));
        assert_eq!(complaint(&[monday, span(7, "20:00:00", "09:00:01")]).as_deref(), Some("/1"));
        assert_eq!(complaint(&[monday, span(7, "20:00:00", "09:00:00")]), None);
        assert_eq!(complaint(&[span(2, "00:00:00", "00:00:00"), monday]), None);
        assert_eq!(complaint(&[span(7, "10:00:00", "10:00:00"), monday]).as_deref(), Some("/1"));
        for day in [0, 8, -1, i16::MIN, i16::MAX] {
            assert_eq!(complaint(&[monday, span(day, "09:00:00", "12:00:00")]).as_deref(), Some("/1/day"));
        }
        assert_eq!(complaint(&vec![monday; SPANS_MAX + 1]).as_deref(), Some(""));
    }

    #[test]
    fn a_time_of_day_is_read_as_it_is_written() {
        let read = |time: &str| {
            let json = format!(r#"{{"day":1,"startTime":{time:?},"endTime":"10:00:00"}}"#);
            serde_json::from_str::<Sent>(&json).map(|span| span.start_time.to_string()).ok()
        };
        assert_eq!(read("09:15:00").as_deref(), Some("09:15:00"));
        assert_eq!(read("09:15").as_deref(), Some("09:15:00"));
        for bad in
            ["", "9:15", " 9:15", "09:15:60", "24:00", "24:00:00", "09:15:0", "09:15Z", "+9:15:00", "٠٩:١٥"]
        {
            assert_eq!(read(bad), None, "{bad}");
        }
    }

    prop_compose! {
        fn any_span()(day in 1i16..=7, start in 0..DAY_S, end in 0..DAY_S, whole in prop::bool::weighted(0.1)) -> Span {
            let time = |second| NaiveTime::from_num_seconds_from_midnight_opt(second, 0).unwrap();
            Span { day, start_time: time(start), end_time: time(if whole { start } else { end }) }
        }
    }

    /// The same, said with dates: the clock on the wall is within a span that began today or yesterday.
    fn is_within(span: Span, zone: Tz, at: DateTime<Utc>) -> bool {
        let wall = at.with_timezone(&zone).naive_local();
        let starts_on = |date: NaiveDate| date.weekday() == Weekday::try_from(span.day as u8 - 1).unwrap();
        [wall.date(), wall.date() - Days::new(1)].into_iter().filter(|&date| starts_on(date)).any(|date| {
            let last_day = date + Days::new(u64::from(span.end_time <= span.start_time));
            (date.and_time(span.start_time)..last_day.and_time(span.end_time)).contains(&wall)
        })
    }

    proptest! {
        #[test]
        fn a_span_is_where_the_calendar_has_it(
            spans in prop::collection::vec(any_span(), 1..4),
            second in 0i64..4_000_000_000,
            zone in prop::sample::select(&chrono_tz::TZ_VARIANTS[..]),
        ) {
            let at = DateTime::from_timestamp(second, 0).unwrap();
            let expected = spans.iter().any(|span| is_within(*span, zone, at));
            prop_assert_eq!(is_open(&spans, zone, at), expected);
        }

        #[test]
        fn spans_overlap_where_they_share_a_second(one in any_span(), other in any_span()) {
            let shared = (0..WEEK_S).step_by(60).any(|second| one.holds(second) && other.holds(second));
            prop_assert!(!shared || one.overlaps(other));
            prop_assert_eq!(one.overlaps(other), other.overlaps(one));
            if one.overlaps(other) {
                prop_assert!([one, other].iter().any(|span| one.holds(span.begins()) && other.holds(span.begins())));
            }
        }

        #[test]
        fn both_passes_of_an_hour_that_comes_twice_are_alike(
            spans in prop::collection::vec(any_span(), 1..4), second in 0i64..3600, year in 2000i32..2037,
        ) {
            // The last Sunday of October, 00:00 UTC, is 02:00 in Amsterdam, and an hour later again.
            let october = NaiveDate::from_ymd_opt(year, 10, 31).unwrap();
            let sunday = october - Days::new(u64::from(october.weekday().num_days_from_sunday()));
            let first = sunday.and_time(NaiveTime::MIN).and_utc() + Duration::seconds(second);
            let again = first + Duration::hours(1);
            prop_assert_eq!(first.with_timezone(&Amsterdam).time(), again.with_timezone(&Amsterdam).time());
            prop_assert_eq!(is_open(&spans, Amsterdam, first), is_open(&spans, Amsterdam, again));
        }
    }
}
