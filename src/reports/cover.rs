//! How a period is answered from sums: months, then days, then the rows themselves, up to the next coarser
//! bound from either end. That may lie within the period or beyond: where a month is nearly full it is taken
//! whole, and what is too much of it is taken away again.

use super::period::Span;
use chrono::{Datelike, Days, Duration, Months, NaiveDate, NaiveDateTime, NaiveTime};
use sqlx::{Postgres, postgres::PgArguments, query::Query};

/// From when until before when, in the time of the place; none where there is nothing. What goes back in
/// time is taken away.
pub type Stretch = Option<(NaiveDateTime, NaiveDateTime)>;

/// Sums that a report can be made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grain {
    /// By month and by day.
    Month,
    /// By day, where months do not tell apart what the report does.
    Day,
}

/// The parts of a period: together they have each instant of it once, and no other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cover {
    /// Whole months.
    pub months: Stretch,
    /// Whole days.
    pub days: [Stretch; 2],
    /// What is left.
    pub rows: [Stretch; 2],
}

impl Cover {
    /// Takes a period apart.
    pub fn of(span: Span, grain: Grain) -> Self {
        let (start, end) = (span.start, span.end + Duration::seconds(1));
        let (days, rows) = split(start, end, nearest_day);
        let Some((first, last)) = days else { return Self { months: None, days: [None; 2], rows } };
        if grain == Grain::Day {
            return Self { months: None, days: [days, None], rows };
        }
        let (months, days) = split(first, last, nearest_month);
        Self { months, days, rows }
    }

    /// Gives a statement the parts, two parameters each: months, days, rows.
    pub fn bind<'q>(&self, query: Query<'q, Postgres, PgArguments>) -> Query<'q, Postgres, PgArguments> {
        let stretches = [self.months].into_iter().chain(self.days).chain(self.rows);
        stretches.fold(query, |query, stretch| {
            query.bind(stretch.map(|(from, _)| from)).bind(stretch.map(|(_, until)| until))
        })
    }
}

/// Takes out the middle between the nearest bounds, if that leaves less to be read, and what leads there from
/// both ends.
fn split(
    start: NaiveDateTime,
    end: NaiveDateTime,
    nearest: fn(NaiveDateTime) -> NaiveDateTime,
) -> (Stretch, [Stretch; 2]) {
    let stretch = |from, until| (from != until).then_some((from, until));
    let (first, last) = (nearest(start), nearest(end));
    if (first - start).abs() + (last - end).abs() < end - start && first < last {
        (Some((first, last)), [stretch(start, first), stretch(last, end)])
    } else {
        (None, [stretch(start, end), None])
    }
}

fn midnight(day: NaiveDate) -> NaiveDateTime {
    day.and_time(NaiveTime::MIN)
}

/// The nearer of two bounds around an instant.
fn nearer(at: NaiveDateTime, before: NaiveDateTime, after: NaiveDateTime) -> NaiveDateTime {
    if at - before <= after - at { before } else { after }
}

fn nearest_day(at: NaiveDateTime) -> NaiveDateTime {
    let today = midnight(at.date());
    nearer(at, today, today + Days::new(1))
}

fn nearest_month(at: NaiveDateTime) -> NaiveDateTime {
    let month = midnight(at.date().with_day(1).unwrap_or(at.date()));
    nearer(at, month, month + Months::new(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(text: &str) -> NaiveDateTime {
        NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S").unwrap()
    }

    fn cover(start: &str, end: &str) -> Cover {
        Cover::of(Span { start: at(start), end: at(end) }, Grain::Month)
    }

    fn stretch(from: &str, until: &str) -> (NaiveDateTime, NaiveDateTime) {
        (at(from), at(until))
    }

    #[test]
    fn whole_days_and_months_need_no_rows() {
        let year = cover("2019-01-01 00:00:00", "2019-03-11 23:59:59");
        assert_eq!(year.months, Some(stretch("2019-01-01 00:00:00", "2019-03-01 00:00:00")));
        assert_eq!(year.days, [None, Some(stretch("2019-03-01 00:00:00", "2019-03-12 00:00:00"))]);
        assert_eq!(year.rows, [None; 2]);
    }

    #[test]
    fn what_is_nearly_whole_is_taken_whole_less_the_rest() {
        let ragged = cover("2019-01-30 13:00:00", "2019-03-28 09:59:59");
        assert_eq!(ragged.months, Some(stretch("2019-02-01 00:00:00", "2019-04-01 00:00:00")));
        assert_eq!(ragged.days[0], Some(stretch("2019-01-31 00:00:00", "2019-02-01 00:00:00")));
        assert_eq!(ragged.days[1], Some(stretch("2019-04-01 00:00:00", "2019-03-28 00:00:00")));
        assert_eq!(ragged.rows[0], Some(stretch("2019-01-30 13:00:00", "2019-01-31 00:00:00")));
        assert_eq!(ragged.rows[1], Some(stretch("2019-03-28 00:00:00", "2019-03-28 10:00:00")));
        let late = cover("2019-01-30 11:00:00", "2019-02-28 13:59:59");
        assert_eq!(late.months, Some(stretch("2019-02-01 00:00:00", "2019-03-01 00:00:00")));
        assert_eq!(late.rows[0], Some(stretch("2019-01-30 11:00:00", "2019-01-30 00:00:00")));
        assert_eq!(late.rows[1], Some(stretch("2019-03-01 00:00:00", "2019-02-28 14:00:00")));
    }

    #[test]
    fn what_is_short_is_taken_as_it_is() {
        let hours = cover("2019-01-30 12:00:00", "2019-01-30 21:59:59");
        assert_eq!(hours.rows, [Some(stretch("2019-01-30 12:00:00", "2019-01-30 22:00:00")), None]);
        let days = cover("2019-01-10 00:00:00", "2019-01-19 23:59:59");
        assert_eq!((days.months, days.rows), (None, [None; 2]));
        assert_eq!(days.days, [Some(stretch("2019-01-10 00:00:00", "2019-01-20 00:00:00")), None]);
    }

    proptest! {
        #[test]
        fn each_second_of_a_period_counts_once_and_no_other_at_all(
            start in 0i64..200_000_000,
            lasts in prop_oneof![0i64..200_000, 0i64..100_000_000],
            aligned in any::<(bool, bool)>(),
            by_days in any::<bool>(),
            probes in prop::collection::vec(-200_000i64..100_200_000, 40),
        ) {
            let day = 86_400;
            let start = if aligned.0 { start / day * day } else { start };
            let end = start + lasts;
            let end = if aligned.1 { end / day * day + day - 1 } else { end };
            let at = |seconds| NaiveDateTime::default() + Duration::seconds(seconds);
            let grain = if by_days { Grain::Day } else { Grain::Month };
            let cover = Cover::of(Span { start: at(start), end: at(end) }, grain);
            let edges = [start - 1, start, end, end + 1].into_iter();
            for second in edges.chain(probes.into_iter().map(|probe| start + probe)) {
                let parts = [cover.months].into_iter().chain(cover.days).chain(cover.rows).flatten();
                // The last fraction of a second belongs to it.
                let moment = at(second) + Duration::milliseconds(999);
                let counted: i32 = parts
                    .map(|(from, until)| {
                        i32::from((from..until).contains(&moment)) - i32::from((until..from).contains(&moment))
                    })
                    .sum();
                prop_assert_eq!(counted, i32::from((start..=end).contains(&second)));
            }
            for (from, until) in cover.days.into_iter().flatten() {
                prop_assert_eq!((from.time(), until.time()), (NaiveTime::MIN, NaiveTime::MIN));
                prop_assert!(by_days || (until - from).num_days().abs() < 40);
            }
            if let Some((from, until)) = cover.months {
                prop_assert_eq!((from.day(), until.day()), (1, 1));
                prop_assert!(from < until);
            }
            let left: i64 =
                cover.rows.into_iter().flatten().map(|(from, until)| (until - from).num_seconds().abs()).sum();
            prop_assert!(left <= day);
        }
    }
}
