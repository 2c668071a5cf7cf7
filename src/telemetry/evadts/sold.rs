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
pub(super) enum Went {
    /// By so many.
    On(i64),
    /// It was set back, and has come so far since.
    Anew(i64),
}

/// A counter that goes down near its end has begun again; any other one was set back.
pub(super) fn went(before: i64, after: i64, ceiling: i64) -> Went {
    if after >= before {
        Went::On(after - before)
    } else if (ceiling - ceiling / 10..ceiling).contains(&before) && after < ceiling / 10 {
        Went::On(after + ceiling - before)
    } else {
        Went::Anew(after)
    }
}

/// Two reads of one machine.
pub(super) struct Between<'a> {
    pub(super) before: &'a Counters,
    pub(super) after: &'a Counters,
    /// Behind which amounts begin again.
    pub(super) ceiling: i64,
    /// Whether all counters were reset in between: each counts from 0.
    pub(super) is_reset: bool,
    pub(super) sold: Sold,
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
        let mut between = Between { before, after, ceiling, is_reset: false, sold };
        between.resets();
        between.selections();
        between.free_total();
        between.totals();
        between.sold
    }

    /// Has a total that the report does not say go on by what its selections tell, so that the next one which
    /// does is not taken for more.
    pub fn add_to_old_total(&self, counters: &mut Counters) {
        if counters.is_total_old && !counters.since_reset {
            let told = self.told(false);
            let paid = &mut counters.paid;
            paid.number = paid.number.map(|number| number.saturating_add(told.number));
            paid.value = paid.value.map(|value| value.saturating_add(told.value));
        }
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
    pub(super) fn told(&self, is_free: bool) -> Amount {
        let lines = self.lines.iter().filter(|(line, _)| (line.paid == Paid::Free) == is_free);
        lines.fold(Amount::default(), |sum, (_, amount)| plus(sum, *amount))
    }
}

impl Between<'_> {
    /// How far a counter of vends went on, and whether it was set back; `price` helps where amounts are not
    /// counted.
    pub(super) fn advance(
        &self,
        before: Counted,
        after: Counted,
        price: Option<i64>,
    ) -> Option<(Amount, bool)> {
        let before = if self.is_reset { Counted::ZERO } else { before };
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
    pub(super) fn follow(
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

    /// Notes what a counter took without a vend to sell it with.
    fn note_worth_alone(&mut self, what: &str, before: Counted, after: Counted, paid: Amount) {
        let values = before.value.zip(after.value).filter(|_| paid.number == 0);
        if let Some((before, after)) = values.filter(|(before, after)| after > before) {
            let value = self.after.said(after - before);
            self.sold.notes.push(format!("{what} went on by {value} without a vend: nothing is sold for it"));
        }
    }

    pub(super) fn note_set_back(&mut self, what: &str) {
        self.sold.notes.push(format!("{what} was set back: what counts is what it shows now"));
    }

    /// Finds out how often counters were reset in between that count since their last reset alone.
    fn resets(&mut self) {
        if !self.after.since_reset {
            return;
        }
        let missing = match (self.before.resets, self.after.resets) {
            (Some(before), Some(after)) if before == after => return,
            (Some(before), Some(after)) if before + 1 == after => {
                self.is_reset = true;
                return;
            }
            (Some(_), Some(_)) => {
                self.is_reset = true;
                "reads with a reset in between are missing"
            }
            _ => "the machine does not say how often it was read with a reset",
        };
        let why = "what was sold before the last of them and was not read is not known";
        self.sold.notes.push(format!("it counts since its last reset alone, and {missing}: {why}"));
    }

    fn selections(&mut self) {
        let after = self.after;
        let mut new = Vec::new();
        for (name, selection) in &after.products {
            match self.before.products.get(name) {
                Some(before) => self.selection(name, before, selection),
                None if after.since_reset => self.selection(name, &unsold(selection), selection),
                None => new.push((name, selection)),
            }
        }
        // A product that was not there before counts from 0, if the machine's total of paid vends bears it
        // out. If not, the reads before were cut off, and its count is of long ago.
        let total = self.before.paid.number.zip(after.paid.number);
        let total = total.filter(|(before, after)| after >= before).map(|(before, after)| after - before);
        let mut left = total.unwrap_or(0) - self.sold.told(false).number;
        for (name, selection) in new {
            let count = selection.vended();
            let number = count.number.unwrap_or(0);
            if number <= left {
                left -= number;
                self.selection(name, &unsold(selection), selection);
            } else if total.is_none() && number > 0 {
                let value = after.said(count.value.unwrap_or(0));
                self.sold.notes.push(format!(
                    "{name:?} is new and shows {number} vends for {value}: no total tells when they were"
                ));
            }
        }
    }

    fn selection(&mut self, name: &str, before: &Selection, after: &Selection) {
        let what = format!("the counter of {name:?}");
        let line = |paid| Line { selection: Some(name.to_owned()), paid };
        if let Some(mut paid) = self.follow(&what, Some(name), before.vended(), after.vended(), after.price) {
            self.note_worth_alone(&what, before.vended(), after.vended(), paid);
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
            let from = same.map_or(Counted::ZERO, |same| same.count);
            if let Some((amount, _)) = self.advance(from, part.count, after.price)
                && amount.number > 0
            {
                parts.insert(Paid::With(part.device.clone(), part.list), amount);
            }
        }
        let sum = |of: fn(&Amount) -> i64| parts.values().map(of).fold(0, i64::saturating_add);
        if (sum(|part| part.number), sum(|part| part.value)) != (whole.number, whole.value) {
            return vec![(Paid::Somehow, whole)];
        }
        let mut parts: Vec<_> = parts.into_iter().collect();
        if let Some((_, first)) = parts.first_mut() {
            first.discount = whole.discount;
        }
        parts
    }
}

/// The same selection before anything of it was sold.
fn unsold(selection: &Selection) -> Selection {
    let nothing = Counted::ZERO;
    let selection = selection.clone();
    Selection { paid: nothing, discounted: nothing, parts: Vec::new(), ..selection }
}

pub(super) fn plus(one: Amount, other: Amount) -> Amount {
    Amount {
        number: one.number.saturating_add(other.number),
        value: one.value.saturating_add(other.value),
        discount: one.discount.saturating_add(other.discount),
    }
}
