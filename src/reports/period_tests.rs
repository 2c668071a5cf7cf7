//! What periods come out as.

use super::*;
use crate::error::Error;
use crate::http::extract::parse;
use proptest::prelude::*;
use serde_json::{Value, json};

fn resolved(period: &Value) -> (String, String) {
    let period: Period = parse(period.to_string().as_bytes()).unwrap();
    let span = period.resolve(NaiveDateTime::default()).unwrap();
    (span.start.format(SHOWN).to_string(), span.end.format(SHOWN).to_string())
}

/// The bounds of a period of whole days that starts and ends with these parts.
fn days(reference: &str, start: &Value, end: &Value) -> (String, String) {
    let (start, end) = resolved(&json!({"referenceDate": reference, "startDate": start, "endDate": end}));
    let (start, end) = (start.strip_suffix(" 00:00:00").unwrap(), end.strip_suffix(" 23:59:59").unwrap());
    (start.to_owned(), end.to_owned())
}

fn day(reference: &str, parts: &Value) -> String {
    let (start, end) = days(reference, parts, parts);
    assert_eq!(start, end, "{parts}");
    start
}

#[test]
fn the_examples_come_out_as_they_are_documented() {
    let mut period = json!({
        "referenceDate": "2019-03-11T11:40:43+01:00",
        "startDate": {"year": 0, "month": 1, "day": 1, "week": null, "hour": 0, "minute": 0, "second": 0},
        "endDate": {"year": 0, "month": 0, "day": 0, "week": null, "hour": 23, "minute": 59, "second": 59},
    });
    assert_eq!(resolved(&period), ("2019-01-01 00:00:00".into(), "2019-03-11 23:59:59".into()));
    for year in [-1, 1, 2018] {
        period["startDate"]["year"] = json!(year);
        period["endDate"]["year"] = json!(year);
        assert_eq!(resolved(&period), ("2018-01-01 00:00:00".into(), "2018-03-11 23:59:59".into()));
    }
    let fixed =
        json!({"startDate": "2023-01-01 00:00:00", "endDate": "2023-01-07 23:59:59.9", "type": "fixed date"});
    assert_eq!(resolved(&fixed), ("2023-01-01 00:00:00".into(), "2023-01-07 23:59:59".into()));
    let mixed = json!({"referenceDate": "2023-01-20 12:18:46", "startDate": "2023-01-01T06:30:00", "endDate": {"hour": 9}});
    assert_eq!(resolved(&mixed), ("2023-01-01 06:30:00".into(), "2023-01-20 09:59:59".into()));
}

#[test]
fn a_day_is_what_its_parts_say() {
    let cases = [
        ("2019-03-11", json!({"year": 0, "month": -3, "day": 31}), "2018-12-31"),
        ("2019-03-11", json!({"year": 0, "month": -1, "day": 31}), "2019-02-28"),
        ("2019-03-11", json!({"year": 0, "month": 0, "day": -11}), "2019-02-28"),
        ("2019-03-11", json!({"day": -1}), "2019-03-10"),
        ("2019-03-11", json!({}), "2019-03-11"),
        ("2019-03-11", json!({"month": -14, "day": 0}), "2018-01-11"),
        ("2020-02-29", json!({"year": -1, "month": 0, "day": 0}), "2019-02-28"),
        ("2019-03-31", json!({"month": -1, "day": 0}), "2019-02-28"),
        ("2019-03-11", json!({"week": 0, "day": 1}), "2019-03-11"),
        ("2019-03-13", json!({"week": -1, "day": 7}), "2019-03-10"),
        ("2019-03-13", json!({"week": 0, "day": 0}), "2019-03-13"),
        ("2019-03-13", json!({"month": 0, "week": 0, "day": 31}), "2019-03-31"),
        ("2019-03-13", json!({"year": 0, "month": 1, "week": 0, "day": 1}), "2019-01-01"),
        ("2019-03-13", json!({"month": -1, "week": null, "day": 0}), "2019-02-13"),
        ("2019-03-13", json!({"week": 0, "day": -3}), "2019-03-10"),
        ("2019-03-13", json!({"week": 1, "day": 1}), "2018-12-31"),
        ("2019-03-13", json!({"year": -1, "week": 53, "day": 1}), "2018-12-24"),
        ("2021-01-02", json!({"year": 0, "week": 0, "day": 4}), "2020-12-31"),
        ("2021-01-02", json!({"year": -1, "week": 0, "day": 4}), "2019-12-26"),
    ];
    for (reference, parts, expected) in cases {
        assert_eq!(day(reference, &parts), expected, "{reference} {parts}");
    }
}

#[test]
fn what_is_not_given_takes_the_whole_in() {
    let cases = [
        (json!({"year": -1}), "2018-01-01", "2018-12-31"),
        (json!({"month": -1}), "2019-02-01", "2019-02-28"),
        (json!({"year": 2024, "month": 2}), "2024-02-01", "2024-02-29"),
        (json!({"week": -1}), "2019-03-04", "2019-03-10"),
        (json!({"year": 2020, "week": 53}), "2020-12-28", "2021-01-03"),
    ];
    for (parts, start, end) in cases {
        assert_eq!(days("2019-03-11", &parts, &parts), (start.into(), end.into()), "{parts}");
    }
}

#[test]
fn a_bad_period_is_refused_where_it_is_wrong() {
    let bound = json!({"year": 0, "month": 0, "day": 0});
    let cases = [
        (json!({"startDate": bound}), "/endDate"),
        (json!({"startDate": {"year": "0"}, "endDate": bound}), "/startDate/year"),
        (json!({"startDate": {"month": 13}, "endDate": bound}), "/startDate/month"),
        (json!({"startDate": {"fortnight": 1}, "endDate": bound}), "/startDate/fortnight"),
        (json!({"startDate": {"year": 1066}, "endDate": bound}), "/startDate"),
        (json!({"startDate": bound, "endDate": {"week": 1, "month": 1}}), "/endDate"),
        (json!({"startDate": bound, "endDate": {"week": 1, "day": 8}}), "/endDate"),
        (json!({"startDate": bound, "endDate": "2019-02-29 00:00:00"}), "/endDate"),
        (json!({"startDate": bound, "endDate": "99999-01-01 00:00:00"}), "/endDate"),
        (json!({"startDate": bound, "endDate": 7}), "/endDate"),
        (json!({"startDate": bound, "endDate": [2019, 1, 1]}), "/endDate"),
        (json!({"startDate": bound, "endDate": bound, "referenceDate": "now"}), "/referenceDate"),
        (json!({"startDate": bound, "endDate": bound, "type": "fixed date"}), ""),
        (json!({"startDate": "2019-01-02", "endDate": "2019-01-01"}), ""),
        (json!({"startDate": bound, "endDate": bound, "until": 1}), "/until"),
    ];
    for (period, pointer) in cases {
        let error = parse::<Period>(period.to_string().as_bytes()).unwrap_err();
        assert!(matches!(error, Error::Invalid(_)), "{period}: {error}");
        assert_eq!(error.problem().errors[0].pointer, pointer, "{period}");
    }
}

#[test]
fn a_period_is_kept_as_it_was_sent() {
    for period in [
        json!({"startDate": "2023-01-01 00:00:00", "endDate": "2023-01-07", "type": "fixed date"}),
        json!({"referenceDate": "2019-03-11T11:40:43+01:00",
               "startDate": {"year": 0, "month": null, "day": null, "week": -1, "hour": null, "minute": null, "second": null},
               "endDate": "2019-03-11 00:00:00"}),
    ] {
        let read: Period = parse(period.to_string().as_bytes()).unwrap();
        assert_eq!(serde_json::to_value(&read).unwrap(), period);
    }
}

prop_compose! {
    fn parts()(
        year in prop::option::of(prop_oneof![-99i64..100, 1970i64..9999]),
        month in prop::option::of(-1200i64..13),
        day in prop::option::of(-3660i64..32),
        week in prop::option::of(-520i64..54),
        time in (prop::option::of(0i64..24), prop::option::of(0i64..60), prop::option::of(0i64..60)),
    ) -> Value {
        let (month, day) = match week {
            Some(_) => (None, day.map(|day| day.min(7))),
            None => (month, day),
        };
        json!({"year": year, "month": month, "day": day, "week": week,
               "hour": time.0, "minute": time.1, "second": time.2})
    }
}

proptest! {
    #[test]
    fn every_period_comes_out_or_ends_before_it_starts(
        reference in (0i32..2_900_000).prop_map(|day| NaiveDate::default() + chrono::Duration::days(i64::from(day))),
        start in parts(),
        end in parts(),
    ) {
        let period = json!({"referenceDate": reference.to_string(), "startDate": start, "endDate": end});
        match serde_json::from_value::<Period>(period) {
            Ok(period) => {
                let span = period.resolve(NaiveDateTime::default()).unwrap();
                prop_assert!(span.start <= span.end);
                // As Postgres and the next reader can take it.
                let shown = span.end.format(SHOWN).to_string();
                prop_assert_eq!(NaiveDateTime::parse_from_str(&shown, SHOWN).unwrap(), span.end);
            }
            Err(error) => prop_assert!(error.to_string().contains("ends before it starts"), "{}", error),
        }
    }

    #[test]
    fn one_bound_for_both_ends_is_a_period(reference in 0i64..20_000, parts in parts()) {
        let reference = NaiveDate::default() + chrono::Duration::days(reference);
        let period = json!({"referenceDate": reference.to_string(), "startDate": parts, "endDate": parts});
        prop_assert!(serde_json::from_value::<Period>(period).is_ok());
    }
}
