//! What was sold between two reads: the difference of their counters.

use super::counters::{CEILING, Counted, Counters, Selection};
use std::collections::{BTreeMap, BTreeSet};

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
    /// Selections that began to count vends anew in between; none stands for the machine's own totals.
    pub set_back: BTreeSet<Option<String>>,
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
        if let Some(why) = after.breaks_with(before) {
            sold.notes.push(why);
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
        self.lines.values().map(|amount| amount.number).fold(0, i64::saturating_add)
    }

    /// What was paid for them.
    pub fn value(&self) -> i64 {
        self.lines.values().map(|amount| amount.value).fold(0, i64::saturating_add)
    }

    /// What was given away, or what was not.
    fn told(&self, is_free: bool) -> Amount {
        let lines = self.lines.iter().filter(|(line, _)| (line.paid == Paid::Free) == is_free);
        lines.fold(Amount::default(), |sum, (_, amount)| Amount {
            number: sum.number.saturating_add(amount.number),
            value: sum.value.saturating_add(amount.value),
            discount: sum.discount.saturating_add(amount.discount),
        })
    }
}

impl Between<'_> {
    /// How far a counter of vends went on, and whether it was set back; `price` helps where amounts are not
    /// counted.
    fn advance(&self, before: Counted, after: Counted, price: Option<i64>) -> Option<(Amount, bool)> {
        let (number, anew) = match went(before.number?, after.number?, CEILING) {
            Went::On(number) => (number, false),
            Went::Anew(number) => (number, true),
        };
        let by_price = number.saturating_mul(price.unwrap_or(0));
        let value = match (before.value, after.value) {
            _ if number == 0 => 0,
            // A machine that counts vends alone says 0 for what they brought.
            (_, None) | (None, Some(_)) | (Some(0), Some(0)) => by_price,
            (Some(_), Some(0)) if anew => by_price,
            (Some(_), Some(after)) if anew => after,
            (Some(before), Some(after)) => match went(before, after, self.ceiling) {
                Went::On(value) => value,
                Went::Anew(_) => by_price,
            },
        };
        Some((Amount { number, value, discount: 0 }, anew))
    }

    /// The same of a counter by which vends are told: a selection's, or the machine's own.
    fn follow(
        &mut self,
        what: &str,
        selection: Option<&str>,
        before: Counted,
        after: Counted,
        price: Option<i64>,
    ) -> Option<Amount> {
        let (amount, anew) = self.advance(before, after, price)?;
        if anew {
            self.sold.set_back.insert(selection.map(str::to_owned));
            self.note_set_back(what);
        }
        Some(amount)
    }

    fn note_set_back(&mut self, what: &str) {
        self.sold.notes.push(format!("{what} was set back: what counts is what it shows now"));
    }

    fn selections(&mut self) {
        let mut new = Vec::new();
        for (name, after) in &self.after.products {
            match self.before.products.get(name) {
                Some(before) => self.selection(name, before, after),
                None => new.push((name, after)),
            }
        }
        // A product that was not there before counts from 0, if the machine's total of paid vends bears it
        // out. If not, the reads before were cut off, and its count is of long ago.
        let total = match (self.before.paid.number, self.after.paid.number) {
            (Some(before), Some(after)) if after >= before => after - before,
            _ => 0,
        };
        let mut left = total - self.sold.told(false).number;
        for (name, after) in new {
            let number = after.paid.number.unwrap_or(0);
            let mut before = after.clone();
            if number <= left {
                left -= number;
                let nothing = Counted { number: Some(0), value: Some(0) };
                (before.paid, before.discounted) = (nothing, nothing);
                before.parts.clear();
            }
            self.selection(name, &before, after);
        }
    }

    fn selection(&mut self, name: &str, before: &Selection, after: &Selection) {
        let what = format!("the counter of {name:?}");
        let line = |paid| Line { selection: Some(name.to_owned()), paid };
        if let Some(mut paid) = self.follow(&what, Some(name), before.paid, after.paid, after.price) {
            paid.discount = self.discount(before, after);
            let lines = self.parts(before, after, paid);
            self.sold.lines.extend(lines.into_iter().map(|(paid, amount)| (line(paid), amount)));
        }
        let what = format!("the counter of free vends of {name:?}");
        if let Some(free) = self.follow(&what, Some(name), before.free, after.free, after.price)
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
    fn parts(&self, before: &Selection, after: &Selection, whole: Amount) -> Vec<(Paid, Amount)> {
        if whole.number == 0 {
            return Vec::new();
        }
        let mut parts: BTreeMap<Paid, Amount> = BTreeMap::new();
        for part in &after.parts {
            let same = before.parts.iter().find(|b| b.device == part.device && b.list == part.list);
            let from = same.map_or(Counted { number: Some(0), value: Some(0) }, |same| same.count);
            if let Some((amount, _)) = self.advance(from, part.count, after.price)
                && amount.number > 0
            {
                parts.insert(Paid::With(part.device.clone(), part.list), amount);
            }
        }
        if parts.values().map(|part| part.number).fold(0, i64::saturating_add) != whole.number {
            return vec![(Paid::Somehow, whole)];
        }
        let mut parts: Vec<_> = parts.into_iter().collect();
        if let Some((_, first)) = parts.first_mut() {
            first.discount = whole.discount;
        }
        parts
    }

    /// The machine's totals: of vends that no selection tells, and how all was paid.
    fn totals(&mut self) {
        let (before, after) = (self.before, self.after);
        let is_silent = |of: fn(&Selection) -> Counted| {
            let tells_none = |counters: &Counters| counters.products.values().all(|s| of(s).number.is_none());
            tells_none(before) || tells_none(after)
        };
        if is_silent(|selection| selection.paid)
            && let Some(whole) = self.follow("the counter of paid vends", None, before.paid, after.paid, None)
        {
            let told = self.sold.told(false);
            let (number, value) = (whole.number - told.number, (whole.value - told.value).max(0));
            self.nobodys(Paid::Somehow, Amount { number, value, discount: 0 });
        }
        if is_silent(|selection| selection.free)
            && let Some(whole) = self.follow("the counter of free vends", None, before.free, after.free, None)
        {
            let told = self.sold.told(true);
            let (number, discount) = (whole.number - told.number, (whole.value - told.discount).max(0));
            self.nobodys(Paid::Free, Amount { number, value: 0, discount });
        }
        for (means, after) in &after.means {
            let from = before.means.get(means).copied().unwrap_or_default();
            if let Some((amount, anew)) = self.advance(from, *after, None) {
                if anew {
                    self.note_set_back(&format!("the counter of {means}"));
                }
                self.sold.means.insert(means.clone(), amount);
            }
        }
    }

    /// Vends of which nobody knows the selection.
    fn nobodys(&mut self, paid: Paid, amount: Amount) {
        if amount.number > 0 {
            self.sold.lines.insert(Line { selection: None, paid }, amount);
        }
    }
}
