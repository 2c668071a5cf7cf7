//! What elements are: counts and amounts, days and times.

use chrono::{NaiveDate, NaiveDateTime, NaiveTime};

/// Digits of a count: the format knows 8, and some gear has more.
const DIGITS_MAX: usize = 12;

/// A count or an amount; none where the element is empty.
pub(super) fn number(text: &str) -> Result<Option<i64>, String> {
    if text.is_empty() {
        return Ok(None);
    }
    if text.len() > DIGITS_MAX || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        let seen: String = text.chars().take(20).collect();
        return Err(format!("{seen:?} is not a number of at most {DIGITS_MAX} digits"));
    }
    Ok(text.parse().ok())
}

/// A day and a time; midnight where there is a day alone. 24:00 is the end of the day. Gear whose clock was
/// never set sends zeros.
pub(super) fn moment(day: &str, time: &str) -> Option<NaiveDateTime> {
    let day = match day.len() {
        _ if !day.is_ascii() => None,
        6 => NaiveDate::from_ymd_opt(
            2000 + digits(&day[..2])?,
            digits(&day[2..4])? as u32,
            digits(&day[4..])? as u32,
        ),
        8 => {
            NaiveDate::from_ymd_opt(digits(&day[..4])?, digits(&day[4..6])? as u32, digits(&day[6..])? as u32)
        }
        _ => None,
    }?;
    let part = |at: usize| time.get(at..at + 2).map_or(Some(0), digits).map(|part| part as u32);
    let (hour, minute, second) = (part(0)?, part(2)?, part(4)?);
    if (hour, minute, second) == (24, 0, 0) {
        return Some(day.succ_opt()?.and_time(NaiveTime::MIN));
    }
    Some(day.and_time(NaiveTime::from_hms_opt(hour, minute, second).unwrap_or_default()))
}

fn digits(text: &str) -> Option<i32> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_digits() {
        assert_eq!(number(""), Ok(None));
        assert_eq!(number("00012"), Ok(Some(12)));
        for wrong in ["-1", "+1", "1.5", "x", "1234567890123", "\u{663}"] {
            assert!(number(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn days_and_times_have_two_lengths() {
        let at = |day, time| moment(day, time).map(|at| at.to_string());
        assert_eq!(at("261124", "1705").as_deref(), Some("2026-11-24 17:05:00"));
        assert_eq!(at("20261124", "170509").as_deref(), Some("2026-11-24 17:05:09"));
        assert_eq!(at("20261124", "").as_deref(), Some("2026-11-24 00:00:00"));
        for wrong in [
            ("000000", "0000"),
            ("", "1705"),
            ("26112", ""),
            ("261324", ""),
            ("26 124", ""),
            ("a\u{e9}\u{e9}b", ""),
        ] {
            assert_eq!(at(wrong.0, wrong.1), None, "{wrong:?}");
        }
        assert_eq!(at("261124", "2400").as_deref(), Some("2026-11-25 00:00:00"));
        assert_eq!(at("20261231", "240000").as_deref(), Some("2027-01-01 00:00:00"));
        assert_eq!(at("261124", "2401").as_deref(), Some("2026-11-24 00:00:00"));
        assert_eq!(at("261124", "9999").as_deref(), Some("2026-11-24 00:00:00"));
        assert_eq!(at("261124", "ab"), None);
    }
}
