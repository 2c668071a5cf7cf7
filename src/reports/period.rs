//! The periods of reports: from when until when, in the time that clocks at the place show.
//!
//! A bound that is *fixed* is such a time: `2023-01-07 23:59:59`, or a day. A *relative* one is worked out
//! from the period's `referenceDate`, taken as the clock was read that it was written from, or from the
//! present in UTC where there is none. One rule holds for its day:
//!
//! **A number above 0 stands for itself, 0 for the reference's own, one below 0 for so many before that.**
//!
//! | of 2019-03-11 | is |
//! |---|---|
//! | `year: 0, month: 1, day: 1` | 2019-01-01 |
//! | `year: 0, month: 0, day: 0` | 2019-03-11 |
//! | `year: -1, month: 0, day: 0` | 2018-03-11 |
//! | `year: 0, month: -3, day: 31` | 2018-12-31 |
//! | `year: 0, month: -1, day: 31` | 2019-02-28 |
//! | `year: 0, month: 0, day: -11` | 2019-02-28 |
//! | `week: 0, day: 1` | 2019-03-11, a Monday |
//! | `week: -1, day: 7` | 2019-03-10 |
//! | `year: -1, week: 53` | 2018-12-24, the start of the last week |
//!
//! - Years stand for themselves from 1970 on; up to 99 they are so many before, whatever their sign.
//! - Months before January are those of the year before. A day that its month lacks is the month's last;
//!   days are counted back after that, across months.
//! - A week is one of ISO 8601, and `year` then that of its weeks: 53 is the last, also where there are 52.
//!   `day` is the day of the week, 1 for Monday to 7. A week and a month do not go together; a week of 0 beside a
//!   month is none, and `day` is the month's.
//! - `null` is not this unit. What is finer than all that is given takes the period in as a whole: the
//!   first month, day or hour where it starts, the last where it ends. What is coarser is the reference's
//!   own, and so is the day where there is no year, month, week or day at all.
//! - `hour`, `minute` and `second` are always those of the clock.
//!
//! Both bounds belong to the period, to the second.

use crate::resource::{FieldType, Text, Whole};
use chrono::{DateTime, Datelike, Days, Months, NaiveDate, NaiveDateTime, NaiveTime, Timelike, Weekday};
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{Error as _, MapAccess, Visitor, value::MapAccessDeserializer},
};
use std::fmt;
use utoipa::openapi::{
    ObjectBuilder, Schema,
    schema::{AdditionalProperties, SchemaType, Type},
};

/// How bounds are shown.
pub const SHOWN: &str = "%Y-%m-%d %H:%M:%S";

/// What periods of fixed bounds say that they are.
const FIXED: &str = "fixed date";

/// The longest text of a time: one with an offset and fractions of seconds.
const TEXT_MAX: usize = 40;

/// A period as it was asked for.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(try_from = "Sent")]
pub struct Period(Sent);

/// Its fields.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Sent {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reference_date: Option<Civil>,
    start_date: Bound,
    end_date: Bound,
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    kind: Option<Text<50>>,
}

/// A period as it came out: inclusive on both sides, to the second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// Its first second.
    pub start: NaiveDateTime,
    /// Its last second.
    pub end: NaiveDateTime,
}

impl TryFrom<Sent> for Period {
    type Error = &'static str;

    fn try_from(sent: Sent) -> Result<Self, Self::Error> {
        let fixed =
            [&sent.start_date, &sent.end_date].into_iter().all(|bound| matches!(bound, Bound::Fixed(_)));
        if !fixed && sent.kind.as_ref().is_some_and(|kind| kind.0 == FIXED) {
            return Err("is of the type `fixed date`, and so are its bounds to be");
        }
        let period = Self(sent);
        // What depends on the present can only be told then.
        if fixed || period.0.reference_date.is_some() {
            period.resolve(NaiveDateTime::default())?;
        }
        Ok(period)
    }
}

impl Period {
    /// What it comes out as at `present`, unless it ends before it starts.
    pub fn resolve(&self, present: NaiveDateTime) -> Result<Span, &'static str> {
        let reference = self.0.reference_date.as_ref().map_or(present.date(), |civil| civil.day);
        let start = self.0.start_date.at(Side::Start, reference);
        let end = self.0.end_date.at(Side::End, reference);
        if end < start { Err("ends before it starts") } else { Ok(Span { start, end }) }
    }
}

/// A time that a clock on a wall shows; a whole day without one.
#[derive(Clone, Debug)]
struct Civil {
    text: String,
    day: NaiveDate,
    time: Option<NaiveTime>,
}

impl Civil {
    /// Reads `2019-03-11 23:59:59`, `2019-03-11`, or an instant as its own clock shows it.
    fn read(text: &str) -> Option<Self> {
        if text.len() > TEXT_MAX || !text.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
            return None;
        }
        let at = DateTime::parse_from_rfc3339(text).map(|instant| instant.naive_local());
        let at = at.or_else(|_| NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S%.f"));
        let at = at.or_else(|_| NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f"));
        let (day, time) = match at {
            Ok(at) => (at.date(), Some(at.time().with_nanosecond(0)?)),
            Err(_) => (NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?, None),
        };
        (1970..=9998).contains(&day.year()).then(|| Self { text: text.to_owned(), day, time })
    }
}

const NO_TIME: &str = "must be a time like 2019-03-11 23:59:59, from 1970 to 9998";

impl<'de> Deserialize<'de> for Civil {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::read(&String::deserialize(deserializer)?).ok_or_else(|| D::Error::custom(NO_TIME))
    }
}

impl Serialize for Civil {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

/// Which end of a period a bound is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Start,
    End,
}

impl Side {
    /// The first or the last, where it is not said which.
    fn choose<T>(self, first: T, last: T) -> T {
        if self == Self::Start { first } else { last }
    }
}

/// Where a period starts or ends.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
enum Bound {
    Fixed(Civil),
    Relative(Parts),
}

impl Bound {
    fn at(&self, side: Side, reference: NaiveDate) -> NaiveDateTime {
        let midnight = side.choose(NaiveTime::MIN, END_OF_DAY);
        match self {
            Self::Fixed(civil) => civil.day.and_time(civil.time.unwrap_or(midnight)),
            Self::Relative(parts) => parts.day(side, reference).and_time(parts.time(midnight)),
        }
    }
}

/// The last second of a day.
const END_OF_DAY: NaiveTime = match NaiveTime::from_hms_opt(23, 59, 59) {
    Some(time) => time,
    None => NaiveTime::MIN,
};

impl<'de> Deserialize<'de> for Bound {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;

        impl<'de> Visitor<'de> for Either {
            type Value = Bound;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a time, or an object of year, month, day, week, hour, minute and second")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Bound, E> {
                Civil::read(text).map(Bound::Fixed).ok_or_else(|| E::custom(NO_TIME))
            }

            fn visit_map<A: MapAccess<'de>>(self, parts: A) -> Result<Bound, A::Error> {
                let parts = Parts::deserialize(MapAccessDeserializer::new(parts))?;
                parts.flaw().map_or(Ok(Bound::Relative(parts)), |flaw| Err(A::Error::custom(flaw)))
            }
        }

        deserializer.deserialize_any(Either)
    }
}

/// What a relative bound is made of.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Parts {
    year: Option<Whole<-99, 9998>>,
    month: Option<Whole<-1200, 12>>,
    day: Option<Whole<-3660, 31>>,
    week: Option<Whole<-520, 53>>,
    hour: Option<Whole<0, 23>>,
    minute: Option<Whole<0, 59>>,
    second: Option<Whole<0, 59>>,
}

impl Parts {
    /// What is wrong with the parts together.
    fn flaw(&self) -> Option<&'static str> {
        if self.year.is_some_and(|year| (100..1970).contains(&year.0)) {
            return Some("has a year that is neither one from 1970 on nor one of up to 99 before");
        }
        self.week()?;
        if self.month.is_some() {
            return Some("has a week and a month, which do not go together");
        }
        self.day.filter(|day| day.0 > 7).map(|_| "has a day that its week lacks: 1 is Monday, 7 is Sunday")
    }

    /// The week that is meant: 0 beside a month says as little as none.
    fn week(&self) -> Option<i64> {
        self.week.map(|week| week.0).filter(|week| *week != 0 || self.month.is_none())
    }

    fn day(&self, side: Side, reference: NaiveDate) -> NaiveDate {
        match self.week() {
            Some(week) => self.day_of_week(week, side, reference),
            None => self.day_of_month(side, reference),
        }
    }

    /// The year that is meant, of the calendar or of weeks.
    fn year(&self, own: i32) -> i32 {
        match self.year {
            Some(year) if year.0 >= 1970 => year.0 as i32,
            Some(back) => own - back.0.abs() as i32,
            None => own,
        }
    }

    fn day_of_month(&self, side: Side, reference: NaiveDate) -> NaiveDate {
        let is_whole_year = self.year.is_some() && self.day.is_none();
        let year = first_of_month(self.year(reference.year()), 1);
        let first = match self.month {
            Some(month) if month.0 > 0 => year + Months::new(month.0 as u32 - 1),
            Some(back) => year + Months::new(reference.month0()) - Months::new(back.0.unsigned_abs() as u32),
            None if is_whole_year => year + Months::new(side.choose(0, 11)),
            None => year + Months::new(reference.month0()),
        };
        let lasts = u32::from(first.num_days_in_month());
        let nth = |day: u32| first + Days::new(u64::from(day.min(lasts)) - 1);
        match self.day {
            Some(day) if day.0 > 0 => nth(day.0 as u32),
            Some(back) => nth(reference.day()) - Days::new(back.0.unsigned_abs()),
            None if self.year.is_none() && self.month.is_none() => nth(reference.day()),
            None => nth(side.choose(1, lasts)),
        }
    }

    fn day_of_week(&self, week: i64, side: Side, reference: NaiveDate) -> NaiveDate {
        let own = reference.iso_week();
        let year = self.year(own.year());
        let monday = match week {
            1.. => monday_of(year, week as u32),
            _ => monday_of(year, own.week()) - Days::new(7 * week.unsigned_abs()),
        };
        let weekday = u64::from(reference.weekday().num_days_from_monday());
        match self.day {
            Some(day) if day.0 > 0 => monday + Days::new(day.0 as u64 - 1),
            Some(back) => monday + Days::new(weekday) - Days::new(back.0.unsigned_abs()),
            None => monday + Days::new(side.choose(0, 6)),
        }
    }

    fn time(&self, otherwise: NaiveTime) -> NaiveTime {
        let hour = self.hour.map_or(otherwise.hour(), |hour| hour.0 as u32);
        let minute = self.minute.map_or(otherwise.minute(), |minute| minute.0 as u32);
        let second = self.second.map_or(otherwise.second(), |second| second.0 as u32);
        NaiveTime::from_hms_opt(hour, minute, second).unwrap_or(otherwise)
    }
}

fn first_of_month(year: i32, month: u32) -> NaiveDate {
    NaiveDate::from_ymd_opt(year, month, 1).unwrap_or_default()
}

/// The Monday of a week, or of the last one where the year has none of this number.
fn monday_of(year: i32, week: u32) -> NaiveDate {
    let monday = |week| NaiveDate::from_isoywd_opt(year, week, Weekday::Mon);
    monday(week).or_else(|| monday(52)).unwrap_or_default()
}

impl FieldType for Period {
    type Shown = sqlx::types::Json<Self>;
    const KIND: Option<crate::http::list::Kind> = None;

    fn takes() -> Schema {
        schema()
    }
}

/// A period in the document.
pub fn schema() -> Schema {
    let optional = |doc: &str| {
        ObjectBuilder::new()
            .schema_type(SchemaType::from_iter([Type::String, Type::Null]))
            .description(Some(doc))
    };
    let object = || {
        ObjectBuilder::new()
            .schema_type(Type::Object)
            .additional_properties(Some(AdditionalProperties::FreeForm(false)))
    };
    let bound = |doc: &str| {
        let either = SchemaType::from_iter([Type::String, Type::Object]);
        let units = ["year", "month", "day", "week", "hour", "minute", "second"];
        let unit = Schema::from(
            ObjectBuilder::new().schema_type(SchemaType::from_iter([Type::Integer, Type::Null])),
        );
        let units = units
            .into_iter()
            .fold(object().schema_type(either), |parts, name| parts.property(name, unit.clone()));
        units.description(Some(doc))
    };
    let example = serde_json::json!({
        "referenceDate": "2019-03-11T11:40:43+01:00",
        "startDate": {"year": 0, "month": 1, "day": 1, "week": null, "hour": 0, "minute": 0, "second": 0},
        "endDate": {"year": 0, "month": 0, "day": 0, "week": null, "hour": 23, "minute": 59, "second": 59},
    });
    object()
        .description(Some(
            "In the time that clocks at the place show, inclusive to the second. A bound is a time, or parts: \
             above 0 a number stands for itself, 0 for the reference's own, below 0 for so many before that; \
             `null` is not this unit. A day that its month lacks is the month's last; weeks are those of ISO 8601.",
        ))
        .property("referenceDate", optional("What parts are counted from: its own clock's time; the present without it."))
        .property("startDate", bound("The first second."))
        .property("endDate", bound("The last second."))
        .property("type", optional("What it is: `fixed date` has times as bounds."))
        .required("startDate")
        .required("endDate")
        .examples([example])
        .into()
}

#[cfg(test)]
#[path = "period_tests.rs"]
mod tests;
