//! The days that are asked for, as they came in a query.

use crate::{
    error::{Error, Result},
    http::list::ListParams,
    time::Moment,
};
use chrono::{DateTime, NaiveDate};

/// Days of the calendar, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    /// The first.
    pub first: NaiveDate,
    /// The last.
    pub last: NaiveDate,
}

impl Span {
    /// Takes `startDate` and `endDate` out of the parameters of a query.
    pub(super) fn take(params: &mut ListParams) -> Result<Self> {
        let first = required("/startDate", params.take("startDate")?)?;
        let last = required("/endDate", params.take("endDate")?)?;
        if last < first {
            return Err(Error::malformed("/endDate", "is before the first day"));
        }
        Ok(Self { first, last })
    }
}

fn required(pointer: &'static str, text: Option<String>) -> Result<NaiveDate> {
    let text = text.ok_or_else(|| Error::malformed(pointer, "is required"))?;
    day(&text).ok_or_else(|| Error::malformed(pointer, "must be a date or a time (RFC 3339)"))
}

/// The day that a date or a time names: that which it shows itself, whatever its offset.
fn day(text: &str) -> Option<NaiveDate> {
    match Moment::parse(text, chrono_tz::UTC)? {
        Moment::Date(day) => Some(day),
        Moment::Instant(at) => {
            let shown = DateTime::parse_from_rfc3339(text).map(|shown| shown.date_naive());
            Some(shown.unwrap_or_else(|_| at.date_naive()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_the_one_that_was_written() {
        let cases = [
            ("2026-03-01", Some("2026-03-01")),
            ("2026-03-01T23:30:00-05:00", Some("2026-03-01")),
            ("2026-03-01T00:30:00+02:00", Some("2026-03-01")),
            ("2026-03-01 23:59:59", Some("2026-03-01")),
            ("2026-02-29", None),
            ("soon", None),
            ("-0001-01-01", None),
        ];
        for (text, expected) in cases {
            assert_eq!(day(text), expected.map(|day| day.parse().unwrap()), "{text}");
        }
    }
}
