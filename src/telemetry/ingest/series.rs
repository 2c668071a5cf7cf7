//! Series of a machine's own numbers: a machine that begins to count again starts another one.
//!
//! A machine can say which series a number is of. One that does not is found out: a number that is taken, by
//! something that happened later than all that is kept of the series, begins another. What is sent again is
//! known by being the same, in whatever series; what is neither contradicts what is kept.

use crate::telemetry::sender::Numbering;
use chrono::{DateTime, TimeDelta, Utc};

/// What begins another series happened by so much later than the latest: clocks that are put right by seconds
/// begin none.
const GAP: TimeDelta = TimeDelta::minutes(1);

/// Something that is kept under a number.
pub(super) trait Kept {
    /// The series of its number.
    fn series(&self) -> i64;

    /// When it happened.
    fn occurred_at(&self) -> DateTime<Utc>;
}

/// What an item with a number is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It is kept already: at this place.
    Known(usize),
    /// It is new, in this series.
    New(i64),
    /// Something else is kept there, which differs in this field.
    Contradicts(&'static str),
}

/// What an item says of itself.
#[derive(Clone, Copy, Debug)]
pub(super) struct Said {
    /// The series of its number.
    pub(super) series: Option<i64>,
    /// When it happened.
    pub(super) at: DateTime<Utc>,
}

/// Tells what an item is, given what is kept under its number in all series; `contradiction` names the field
/// in which one of these differs from it. `newest` is when the latest happened that is kept of the running
/// series.
pub(super) fn place<K: Kept>(
    numbering: &mut Numbering,
    newest: &mut Option<DateTime<Utc>>,
    kept: &[K],
    said: Said,
    contradiction: impl Fn(&K) -> Option<&'static str>,
) -> Fate {
    if let Some(same) = kept.iter().position(|kept| contradiction(kept).is_none()) {
        return Fate::Known(same);
    }
    if let Some(series) = said.series {
        let taken = kept.iter().find(|kept| kept.series() == series);
        return taken.and_then(&contradiction).map_or(Fate::New(series), Fate::Contradicts);
    }
    let series = numbering.at(said.at);
    let is_taken = |kept: &&K| kept.series() == series || kept.series() <= 0 && kept.occurred_at() == said.at;
    if let Some(field) = kept.iter().find(is_taken).and_then(&contradiction) {
        if newest.is_none_or(|newest| said.at <= newest + GAP) {
            return Fate::Contradicts(field);
        }
        *numbering = Numbering { series: numbering.series - 1, from: *newest };
        *newest = Some(said.at);
        return Fate::New(numbering.series);
    }
    *newest = (*newest).max(Some(said.at));
    Fate::New(series)
}

impl Numbering {
    /// The series that was running at that time, as far as is remembered.
    pub(super) fn at(self, at: DateTime<Utc>) -> i64 {
        let is_of_last = self.from.is_some_and(|from| at <= from);
        if is_of_last { self.series + 1 } else { self.series }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[derive(Clone, Copy, Debug)]
    struct Sold {
        number: i64,
        series: i64,
        at: DateTime<Utc>,
        price: i64,
    }

    impl Kept for Sold {
        fn series(&self) -> i64 {
            self.series
        }

        fn occurred_at(&self) -> DateTime<Utc> {
            self.at
        }
    }

    #[derive(Default)]
    struct Book {
        numbering: Numbering,
        newest: Option<DateTime<Utc>>,
        kept: Vec<Sold>,
    }

    fn at(minute: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_780_000_000 + minute * 60, 0).unwrap()
    }

    impl Book {
        fn take(&mut self, number: i64, minute: i64, price: i64, series: Option<i64>) -> Fate {
            let at = at(minute);
            let known: Vec<Sold> = self.kept.iter().filter(|kept| kept.number == number).copied().collect();
            let fate = place(&mut self.numbering, &mut self.newest, &known, Said { series, at }, |kept| {
                if kept.at == at { (kept.price != price).then_some("/price") } else { Some("/occurredAt") }
            });
            if let Fate::New(series) = fate {
                self.kept.push(Sold { number, series, at, price });
            }
            fate
        }
    }

    #[test]
    fn a_number_that_is_taken_later_on_begins_another_series() {
        let mut book = Book::default();
        for number in 1..4 {
            assert_eq!(book.take(number, number, 50, None), Fate::New(0));
        }
        assert_eq!(book.take(1, 1, 50, None), Fate::Known(0));
        assert_eq!(book.take(2, 2, 60, None), Fate::Contradicts("/price"));
        // It is no later than the latest that is kept, or by no more than a clock is put right by.
        assert_eq!(book.take(1, 3, 50, None), Fate::Contradicts("/occurredAt"));
        assert_eq!(book.take(1, 4, 50, None), Fate::Contradicts("/occurredAt"));
        // The last comes first.
        assert_eq!(book.take(2, 101, 50, None), Fate::New(-1));
        assert_eq!(book.take(1, 100, 50, None), Fate::New(-1));
        // What is sent again is known in both, what contradicts contradicts in both.
        assert_eq!(
            (book.take(1, 1, 50, None), book.take(1, 100, 50, None)),
            (Fate::Known(0), Fate::Known(1))
        );
        assert_eq!(book.take(3, 3, 60, None), Fate::Contradicts("/price"));
        assert_eq!(book.take(3, 2, 50, None), Fate::Contradicts("/occurredAt"));
        assert_eq!(book.take(3, 102, 50, None), Fate::New(-1));
        // What was under way when it began is of the series before.
        assert_eq!(book.take(4, 3, 50, None), Fate::New(0));
    }

    #[test]
    fn a_machine_can_say_its_series() {
        let mut book = Book::default();
        assert_eq!(book.take(1, 5, 50, Some(7)), Fate::New(7));
        // Even if its clock goes back.
        assert_eq!(book.take(1, 1, 50, Some(8)), Fate::New(8));
        assert_eq!(book.take(1, 9, 50, Some(8)), Fate::Contradicts("/occurredAt"));
        assert_eq!(
            (book.take(1, 5, 50, Some(7)), book.take(1, 5, 50, None)),
            (Fate::Known(0), Fate::Known(0))
        );
        assert_eq!(book.take(1, 9, 50, None), Fate::New(0));
        assert_eq!(book.numbering.series, 0);
    }

    proptest! {
        #[test]
        fn nothing_is_lost_and_nothing_is_there_twice(
            series in prop::collection::vec(1..8_i64, 1..5),
            again in prop::collection::vec(any::<prop::sample::Index>(), 0..20),
        ) {
            // Every series begins at 1 again, some minutes after the last of the one before.
            let mut sent = Vec::new();
            let mut minute = 0;
            for length in series {
                minute += 5;
                for number in 1..=length {
                    minute += 1;
                    sent.push((number, minute));
                }
            }
            let mut book = Book::default();
            for (place, (number, minute)) in sent.iter().enumerate() {
                prop_assert!(matches!(book.take(*number, *minute, 50, None), Fate::New(_)));
                for (number, minute) in again.iter().map(|index| index.get(&sent[..=place])) {
                    prop_assert!(matches!(book.take(*number, *minute, 50, None), Fate::Known(_)));
                }
            }
            prop_assert_eq!(book.kept.len(), sent.len());
        }
    }
}
