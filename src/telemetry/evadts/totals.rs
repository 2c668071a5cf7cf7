//! The machine's totals, held against what its selections tell: of vends and of means of payment.

use super::{
    counters::{Counted, Counters, Selection},
    sold::{Amount, Between, Line, Paid, Went, plus, went},
};

impl Between<'_> {
    /// Returns `true` if no selection tells such vends.
    fn is_silent(&self, of: fn(&Selection) -> Counted) -> bool {
        let tells_none = |counters: &Counters| counters.products.values().all(|s| of(s).number.is_none());
        tells_none(self.before) && !self.after.since_reset || tells_none(self.after)
    }

    /// Free vends that no selection tells.
    pub(super) fn free_total(&mut self) {
        let (before, after) = (self.before.free, self.after.free);
        if self.is_silent(|selection| selection.free)
            && let Some(whole) = self.follow("the counter of free vends", None, before, after, None)
        {
            let told = self.sold.told(true);
            let (number, discount) = (whole.number - told.number, (whole.value - told.discount).max(0));
            self.nobodys(Paid::Free, Amount { number, value: 0, discount });
        }
    }

    /// How far the means of payment went on together, and whether one of them was set back.
    fn means(&mut self) -> Option<(Amount, bool)> {
        let mut sum = None;
        for (means, after) in &self.after.means {
            let from = self.before.means.get(means).copied().unwrap_or_default();
            let from =
                if self.after.since_reset && from == Counted::default() { Counted::ZERO } else { from };
            let Some((amount, anew)) = self.tally(from, *after) else {
                self.note_worth(&format!("{means} comes"), from, *after);
                continue;
            };
            if anew {
                self.note_set_back(&format!("the counter of {means}"));
            }
            self.sold.means.insert(means.clone(), amount);
            let (so_far, was_anew) = sum.unwrap_or_default();
            sum = Some((plus(so_far, amount), was_anew || anew));
        }
        sum
    }

    /// The machine's totals: they tell what no selection does, and no more was sold than they bear out.
    pub(super) fn totals(&mut self) {
        let (before, after) = (self.before.paid, self.after.paid);
        let means = self.means();
        let steady_means = means.filter(|(_, anew)| !anew).map(|(amount, _)| amount);
        let is_old = self.after.is_total_old;
        let mut total = self.tally(before, after).filter(|_| !is_old);
        // A machine may count vends alone here, and what they brought by means of payment.
        let has_value = self.is_valued(before, after);
        let valued = |total: Amount| match steady_means {
            Some(means) if !has_value && means.number == total.number => {
                Amount { value: means.value, ..total }
            }
            _ => total,
        };
        total = total.map(|(amount, anew)| (valued(amount), anew));
        if self.is_silent(Selection::vended) {
            self.sell_total(total, means);
        } else if let Some((total, false)) = total
            && after.number != Some(0)
            && self.sold.set_back.is_empty()
        {
            self.hold(total, steady_means, has_value);
        } else if let Some((_, true)) = total {
            self.note_set_back("the counter of paid vends");
        }
        let sums =
            [("the total of paid vends comes", total, has_value), ("all means of payment come", means, true)];
        for (what, amount, has_value) in sums {
            if let Some((amount, _)) = amount {
                self.note_difference(what, amount, has_value);
            }
        }
        if total.is_none() && !is_old {
            self.note_worth("the total of paid vends comes", before, after);
        }
        let worth = |counters: &Counters| Counted { number: None, value: counters.ever_taken };
        self.note_worth("all that was ever taken comes", worth(self.before), worth(self.after));
    }

    /// How far a total went on, also without a vend.
    fn tally(&self, before: Counted, after: Counted) -> Option<(Amount, bool)> {
        let (amount, anew) = self.advance(before, after, None)?;
        let before = if self.is_reset { Counted::ZERO } else { before };
        let value = match before.value.zip(after.value) {
            Some((before, after)) if amount.number == 0 => match went(before, after, self.ceiling) {
                Went::On(value) => value,
                Went::Anew(_) => 0,
            },
            _ => amount.value,
        };
        Some((Amount { value, ..amount }, anew))
    }

    /// Notes what a counter of worth alone took, if that is not what is sold.
    fn note_worth(&mut self, what: &str, before: Counted, after: Counted) {
        let Some((before, after)) = before.value.zip(after.value) else { return };
        let (Went::On(taken) | Went::Anew(taken)) = went(before, after, self.ceiling);
        let sold = self.sold.told(false).value;
        if taken != sold {
            let (taken, sold) = (self.after.said(taken), self.after.said(sold));
            self.sold.notes.push(format!("{what} to {taken}, the sales to {sold}"));
        }
    }

    /// Returns `true` if the worth of vends is counted: a machine that counts vends alone says 0 for it.
    fn is_valued(&self, before: Counted, after: Counted) -> bool {
        let before = if self.is_reset { Counted::ZERO } else { before };
        let values = before.value.zip(after.value).filter(|values| *values != (0, 0));
        values.is_some_and(|(before, after)| matches!(went(before, after, self.ceiling), Went::On(_)))
    }

    /// Sells what is counted for the whole machine alone.
    fn sell_total(&mut self, total: Option<(Amount, bool)>, means: Option<(Amount, bool)>) {
        let what = if total.is_some() { "the counter of paid vends" } else { "a counter of payments" };
        let Some((whole, anew)) = total.or(means) else { return };
        if anew {
            self.sold.set_back.insert(None);
            self.note_set_back(what);
        }
        let told = self.sold.told(false);
        let (number, value) = (whole.number - told.number, (whole.value - told.value).max(0));
        self.nobodys(Paid::Somehow, Amount { number, value, discount: 0 });
    }

    /// Holds the total against the selections. What it has beyond them was sold of nobody's selection; what
    /// they have beyond it is not believed, unless the means of payment say the same as they.
    fn hold(&mut self, total: Amount, means: Option<Amount>, has_value: bool) {
        let told = self.sold.told(false);
        // Where the total tells no worth, the selections' own prices do.
        let by_price = || told.value.saturating_mul(total.number.min(told.number)) / told.number.max(1);
        let total = if has_value || total.value > 0 { total } else { Amount { value: by_price(), ..total } };
        let (number, value) = (total.number - told.number, total.value - told.value);
        let is_seconded = means.is_some_and(|means| (means.number, means.value) == (told.number, told.value));
        let has_more = number > 0 && value >= 0 && (has_value || value > 0);
        let claims_more = number < 0 || value < 0;
        // What is not sold is noted, as is a worth without a vend.
        if is_seconded {
            return;
        }
        if has_more {
            self.nobodys(Paid::Somehow, Amount { number, value, discount: 0 });
        } else if claims_more {
            let claim = format!("{} vends for {}", told.number, self.after.said(told.value));
            self.sold
                .notes
                .push(format!("the selections tell of {claim}, which the total does not bear out"));
            if number == 0 {
                return self.revalue(told.value, total.value);
            }
            self.sold.lines.retain(|line, _| line.paid == Paid::Free);
            self.nobodys(Paid::Somehow, Amount { discount: 0, ..total });
        }
    }

    /// Has sales that agree with the total in number come to its worth: at the prices that are asked, if these
    /// do, and else each to its share.
    fn revalue(&mut self, told: i64, worth: i64) {
        let after = self.after;
        let price = |line: &Line| after.products.get(line.selection.as_ref()?)?.price;
        let paid = |line: &Line| line.paid != Paid::Free;
        let asked =
            self.sold.lines.iter().filter(|(line, _)| paid(line)).try_fold(0_i64, |sum, (line, amount)| {
                Some(sum.saturating_add(amount.number.saturating_mul(price(line)?)))
            });
        let mut left = worth;
        for (line, amount) in self.sold.lines.iter_mut().filter(|(line, _)| paid(line)) {
            let share = i128::from(amount.value) * i128::from(worth) / i128::from(told.max(1));
            let by_price = price(line).filter(|_| asked == Some(worth)).map(|price| amount.number * price);
            amount.value = by_price.unwrap_or_else(|| i64::try_from(share).unwrap_or(0));
            left -= amount.value;
        }
        if let Some((_, first)) = self.sold.lines.iter_mut().find(|(line, _)| paid(line)) {
            first.value += left;
        }
    }

    /// Notes a sum that is not what is sold.
    fn note_difference(&mut self, what: &str, amount: Amount, has_value: bool) {
        let sold = self.sold.told(false);
        if amount.number == sold.number && (amount.value == sold.value || !has_value) {
            return;
        }
        let (value, sold_value) = (self.after.said(amount.value), self.after.said(sold.value));
        self.sold.notes.push(format!(
            "{what} to {} vends for {value}, the sales to {} for {sold_value}",
            amount.number, sold.number
        ));
    }

    /// Vends of which nobody knows the selection.
    fn nobodys(&mut self, paid: Paid, amount: Amount) {
        if amount.number > 0 {
            self.sold.lines.insert(Line { selection: None, paid }, amount);
        }
    }
}
