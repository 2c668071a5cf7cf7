//! What was sold between two reads: the difference of their counters.

use super::counters::{CEILING, Counted, Counters, Selection};
use std::collections::BTreeMap;

/// What was sold alike.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Line {
    /// The machine's word for the product; none where it only counts vends.
    pub selection: Option<String>,
    /// How it was paid.
    pub paid: Paid,
}

/// How something was paid.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Paid {
    /// Not at all.
    Free,
    /// In some way: which ones there were, the machine's totals say.
    Somehow,
    /// With this device and at this price list.
    With(String, Option<i64>),
}

/// How much of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Amount {
    /// Vends.
    pub number: i64,
    /// What was paid for them.
    pub value: i64,
    /// By how much that was less than they cost.
    pub discount: i64,
}

/// What was sold between two reads.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sold {
    /// By product and payment.
    pub lines: BTreeMap<Line, Amount>,
    /// By means of payment, of the whole machine.
    pub means: BTreeMap<String, Amount>,
    /// Whether some counter started anew in between.
    pub anew: bool,
    /// What is odd about it.
    pub notes: Vec<String>,
}

/// How a counter went on.
enum Went {
    /// By so many.
    On(i64),
    /// It was set back, and has come so far since.
    Anew(i64),
}

/// A counter that goes down near its end has begun again; any other one was set back.
fn went(before: i64, after: i64, ceiling: i64) -> Went {
    if after >= before {
        Went::On(after - before)
    } else if (ceiling - ceiling / 10..ceiling).contains(&before) && after < ceiling / 10 {
        Went::On(after + ceiling - before)
    } else {
        Went::Anew(after)
    }
}

/// Two reads of one machine.
struct Between<'a> {
    before: &'a Counters,
    after: &'a Counters,
    /// Behind which amounts begin again.
    ceiling: i64,
    sold: Sold,
}

impl Sold {
    /// What was sold from one read to the next.
    pub fn between(before: &Counters, after: &Counters) -> Self {
        let mut sold = Self::default();
        if !before.serial.is_empty() && !after.serial.is_empty() && before.serial != after.serial {
            let change = format!("the serial number was {:?}, and is {:?}", before.serial, after.serial);
            sold.notes.push(format!("{change}: another machine begins to count"));
            return sold;
        }
        if before.currency != after.currency {
            let change = format!("the currency was {}, and is {}", before.currency, after.currency);
            sold.notes.push(format!("{change}: the machine begins to count again"));
            return sold;
        }
        // Amounts with other decimals start again elsewhere: none is taken to have done so then.
        let ceiling = if before.ceiling == after.ceiling { after.ceiling } else { 0 };
        let mut between = Between { before, after, ceiling, sold };
        between.selections();
        between.totals();
        between.sold
    }

    /// How many vends it is.
    pub fn number(&self) -> i64 {
        self.lines.values().map(|amount| amount.number).sum()
    }

    /// What was paid for them.
    pub fn value(&self) -> i64 {
        self.lines.values().map(|amount| amount.value).sum()
    }
}

impl Between<'_> {
    /// How far a counter of vends went on; `price` helps where amounts are not counted.
    fn advance(&mut self, what: &str, before: Counted, after: Counted, price: Option<i64>) -> Option<Amount> {
        let (number, anew) = match went(before.number?, after.number?, CEILING) {
            Went::On(number) => (number, false),
            Went::Anew(number) => (number, true),
        };
        if anew {
            self.sold.anew = true;
            self.sold.notes.push(format!("{what} was set back: what counts is what it shows now"));
        }
        let by_price = number.saturating_mul(price.unwrap_or(0));
        let value = match (before.value, after.value) {
            _ if number == 0 => 0,
            // A machine that counts vends alone says 0 for what they brought.
            (_, None | Some(0)) | (None, Some(_)) => by_price,
            (Some(_), Some(after)) if anew => after,
            (Some(before), Some(after)) => match went(before, after, self.ceiling) {
                Went::On(value) => value,
                Went::Anew(_) => by_price,
            },
        };
        Some(Amount { number, value, discount: 0 })
    }

    fn selections(&mut self) {
        let mut new = Vec::new();
        for (name, after) in &self.after.products {
            match self.before.products.get(name) {
                Some(before) => self.selection(name, before, after),
                None => new.push((name, after)),
            }
        }
        // A product that was not there before counts from 0, if the machine's total bears it out. If not,
        // the reads before were cut off, and its count is of long ago.
        let total = match (self.before.paid.number, self.after.paid.number) {
            (Some(before), Some(after)) if after >= before => after - before,
            _ => 0,
        };
        let mut left = total - self.sold.number();
        for (name, after) in new {
            let number = after.paid.number.unwrap_or(0);
            let mut before = after.clone();
            if number <= left {
                left -= number;
                before.paid = Counted { number: Some(0), value: Some(0) };
            }
            self.selection(name, &before, after);
        }
    }

    fn selection(&mut self, name: &str, before: &Selection, after: &Selection) {
        let what = format!("the counter of {name:?}");
        let line = |paid| Line { selection: Some(name.to_owned()), paid };
        if let Some(mut paid) = self.advance(&what, before.paid, after.paid, after.price) {
            paid.discount = self.discount(before, after);
            let lines = self.parts(before, after, paid);
            self.sold.lines.extend(lines.into_iter().map(|(paid, amount)| (line(paid), amount)));
        }
        let what = format!("the counter of free vends of {name:?}");
        if let Some(free) = self.advance(&what, before.free, after.free, after.price)
            && free.number > 0
        {
            self.sold.lines.insert(line(Paid::Free), Amount { value: 0, discount: free.value, ..free });
        }
    }

    fn discount(&self, before: &Selection, after: &Selection) -> i64 {
        let values = before.discounted.value.zip(after.discounted.value);
        values.map_or(0, |(before, after)| match went(before, after, self.ceiling) {
            Went::On(discount) | Went::Anew(discount) => discount,
        })
    }

    /// What was sold of a selection by means of payment, if that adds up.
    fn parts(&mut self, before: &Selection, after: &Selection, whole: Amount) -> Vec<(Paid, Amount)> {
        if whole.number == 0 {
            return Vec::new();
        }
        let notes = self.sold.notes.len();
        let mut parts: BTreeMap<Paid, Amount> = BTreeMap::new();
        for part in &after.parts {
            let same = before.parts.iter().find(|b| b.device == part.device && b.list == part.list);
            let from = same.map_or(Counted { number: Some(0), value: Some(0) }, |same| same.count);
            if let Some(amount) = self.advance("", from, part.count, after.price)
                && amount.number > 0
            {
                parts.insert(Paid::With(part.device.clone(), part.list), amount);
            }
        }
        // That of the whole says it all.
        self.sold.notes.truncate(notes);
        if parts.values().map(|part| part.number).sum::<i64>() != whole.number {
            return vec![(Paid::Somehow, whole)];
        }
        let mut parts: Vec<_> = parts.into_iter().collect();
        if let Some((_, first)) = parts.first_mut() {
            first.discount = whole.discount;
        }
        parts
    }

    /// The machine's totals: for machines that don't count by product, and how all was paid.
    fn totals(&mut self) {
        let (before, after) = (self.before, self.after);
        let nobody = |paid| Line { selection: None, paid };
        if after.products.values().all(|selection| selection.paid.number.is_none())
            && let Some(paid) = self.advance("the counter of paid vends", before.paid, after.paid, None)
            && paid.number > 0
        {
            self.sold.lines.insert(nobody(Paid::Somehow), paid);
        }
        if after.products.values().all(|selection| selection.free.number.is_none())
            && let Some(free) = self.advance("the counter of free vends", before.free, after.free, None)
            && free.number > 0
        {
            let amount = Amount { value: 0, discount: free.value, ..free };
            self.sold.lines.insert(nobody(Paid::Free), amount);
        }
        for (means, after) in &after.means {
            let from = before.means.get(means).copied().unwrap_or_default();
            if let Some(amount) = self.advance(&format!("the counter of {means}"), from, *after, None) {
                self.sold.means.insert(means.clone(), amount);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn counted(number: i64, value: i64) -> Counted {
        Counted { number: Some(number), value: Some(value) }
    }

    /// A machine that sells two products and has counted so far.
    fn counters(cola: (i64, i64), water: (i64, i64)) -> Counters {
        let selection = |(number, value)| Selection {
            price: Some(150),
            paid: counted(number, value),
            ..Selection::default()
        };
        let products = [("11".to_owned(), selection(cola)), ("12".to_owned(), selection(water))];
        let paid = counted(cola.0 + water.0, cola.1 + water.1);
        Counters {
            ceiling: CEILING,
            currency: "EUR".into(),
            paid,
            products: products.into(),
            ..Counters::default()
        }
    }

    fn sold(before: &Counters, after: &Counters) -> Vec<(String, i64, i64)> {
        let lines = Sold::between(before, after).lines;
        lines
            .into_iter()
            .map(|(line, amount)| (line.selection.unwrap_or_default(), amount.number, amount.value))
            .collect()
    }

    #[test]
    fn what_counters_went_on_by_was_sold() {
        let before = counters((10, 1500), (5, 500));
        assert_eq!(sold(&before, &counters((13, 1950), (5, 500))), [("11".to_owned(), 3, 450)]);
        assert_eq!(sold(&before, &before), []);
        // Prices are counted where amounts are not.
        let mut vends = counters((12, 0), (5, 0));
        assert_eq!(sold(&counters((10, 0), (5, 0)), &vends), [("11".to_owned(), 2, 300)]);
        vends.products.get_mut("11").unwrap().paid.value = None;
        assert_eq!(sold(&before, &vends), [("11".to_owned(), 2, 300)]);
    }

    #[test]
    fn counters_begin_again_behind_eight_digits() {
        let before = counters((99_999_998, 99_999_900), (0, 0));
        let after = Sold::between(&before, &counters((1, 350), (0, 0)));
        assert_eq!((after.number(), after.value(), after.anew), (3, 450, false));
    }

    #[test]
    fn counters_that_were_set_back_count_for_what_they_show() {
        let sold = Sold::between(&counters((10, 1500), (5, 500)), &counters((2, 300), (6, 600)));
        assert_eq!((sold.number(), sold.value(), sold.anew), (3, 400, true));
        assert!(sold.notes.iter().any(|note| note.contains("\"11\"")), "{:?}", sold.notes);
        let another = |serial: &str| Counters { serial: serial.into(), ..counters((10, 1500), (5, 500)) };
        let other = Counters { serial: "2".into(), ..counters((99, 9900), (5, 500)) };
        assert_eq!(Sold::between(&another("1"), &other).number(), 0);
        assert_eq!(Sold::between(&another(""), &other).number(), 89);
        let dollars = Counters { currency: "USD".into(), ..counters((99, 9900), (5, 500)) };
        assert_eq!(Sold::between(&another(""), &dollars).lines.len(), 0);
    }

    #[test]
    fn a_product_that_is_new_counts_if_the_total_bears_it_out() {
        let mut before = counters((10, 1500), (5, 500));
        before.products.remove("12");
        let mut after = counters((12, 1800), (4, 400));
        after.paid = counted(15 + 2 + 4, 0);
        assert_eq!(sold(&before, &after), [("11".to_owned(), 2, 300), ("12".to_owned(), 4, 400)]);
        // Cut off before: it has counted for years.
        after.paid = counted(15 + 3, 0);
        assert_eq!(sold(&before, &after), [("11".to_owned(), 2, 300)]);
    }

    #[test]
    fn payments_are_told_apart_where_that_adds_up() {
        let part = |device: &str, number, value| super::super::counters::Part {
            device: device.to_owned(),
            list: Some(0),
            count: counted(number, value),
        };
        let mut before = counters((10, 1500), (0, 0));
        let mut after = counters((13, 1800), (0, 0));
        before.products.get_mut("11").unwrap().parts = vec![part("CA", 10, 1500)];
        after.products.get_mut("11").unwrap().parts = vec![part("CA", 12, 1700), part("DA", 1, 100)];
        let lines = |sold: Sold| {
            sold.lines.into_iter().map(|(line, amount)| (line.paid, amount.value)).collect::<Vec<_>>()
        };
        let with = |device: &str| Paid::With(device.to_owned(), Some(0));
        assert_eq!(lines(Sold::between(&before, &after)), [(with("CA"), 200), (with("DA"), 100)]);
        after.products.get_mut("11").unwrap().parts.pop();
        assert_eq!(lines(Sold::between(&before, &after)), [(Paid::Somehow, 300)]);
    }

    #[test]
    fn machines_that_count_vends_alone_are_counted_too() {
        let total = |number, value, free| Counters {
            paid: counted(number, value),
            free: counted(free, 0),
            ceiling: CEILING,
            ..Counters::default()
        };
        let sold = Sold::between(&total(10, 1000, 1), &total(12, 1300, 2));
        let lines: Vec<_> =
            sold.lines.iter().map(|(line, amount)| (&line.paid, amount.number, amount.value)).collect();
        assert_eq!(lines, [(&Paid::Free, 1, 0), (&Paid::Somehow, 2, 300)]);
    }

    proptest! {
        #[test]
        fn reads_in_between_change_nothing(vends in proptest::collection::vec((0..9_i64, 0..9_i64), 1..20)) {
            let mut at = [counters((0, 0), (99_999_950, 99_990_000))].to_vec();
            let (mut cola, mut water) = (0, 99_999_950);
            for (more_cola, more_water) in &vends {
                cola += more_cola;
                water += more_water;
                let begun_again = water % CEILING;
                at.push(counters((cola, cola * 150), (begun_again, (99_990_000 + (water - 99_999_950) * 100) % CEILING)));
            }
            let steps: Vec<Sold> = at.windows(2).map(|pair| Sold::between(&pair[0], &pair[1])).collect();
            let whole = Sold::between(&at[0], &at[at.len() - 1]);
            prop_assert_eq!(steps.iter().map(Sold::number).sum::<i64>(), whole.number());
            prop_assert_eq!(steps.iter().map(Sold::value).sum::<i64>(), whole.value());
            let sum: (i64, i64) = vends.iter().fold((0, 0), |sum, more| (sum.0 + more.0, sum.1 + more.1));
            prop_assert_eq!(whole.number(), sum.0 + sum.1);
            prop_assert_eq!(whole.value(), sum.0 * 150 + sum.1 * 100);
        }
    }
}
