//! What is kept of every read: a machine's counters, in minor units of its currency.

use super::{
    currency,
    format::{Count, Product, Reading, Since},
};
use iso_currency::Currency;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// A counter has eight digits, and starts again behind them.
pub(super) const CEILING: i64 = 100_000_000;

/// How many, and for how much. Not every machine counts both.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = AuditCount)]
pub struct Counted {
    /// How often.
    pub number: Option<i64>,
    /// Minor units.
    pub value: Option<i64>,
}

/// What was sold of a selection by one means of payment and at one price list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = AuditPart)]
pub struct Part {
    /// `CA` for cash, `DA` for the first cashless device, and so on.
    pub device: String,
    /// The number of the price list.
    pub list: Option<i64>,
    /// How much.
    pub count: Counted,
}

/// The counters of one selection.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default)]
#[schema(as = AuditSelection)]
pub struct Selection {
    /// What the machine asks for it.
    pub price: Option<i64>,
    /// What the machine calls it.
    pub name: Option<String>,
    /// How many fit in.
    pub capacity: Option<i64>,
    /// How many are in.
    pub level: Option<i64>,
    /// Paid vends since the machine was set up.
    pub paid: Counted,
    /// Those of them that were discounted, and by how much.
    pub discounted: Counted,
    /// Test vends.
    pub test: Counted,
    /// Free vends.
    pub free: Counted,
    /// Vends that were paid in several ways, and the cash in them.
    pub mixed: Counted,
    /// The paid vends by means of payment.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<Part>,
    /// Prices by price list, with the vends at each.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub lists: BTreeMap<i64, Counted>,
    /// Since when it is sold out, by the machine's clock.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sold_out: Option<chrono::NaiveDateTime>,
    /// How often it was asked for since.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub missed: Option<i64>,
}

/// How often an event has happened, and whether it lasts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = AuditEvent)]
pub struct Happening {
    /// Since the machine was set up.
    pub count: Option<i64>,
    /// Whether it lasts.
    pub active: bool,
}

/// The counters of a machine at one time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default)]
#[schema(as = AuditCounters)]
pub struct Counters {
    /// The machine's serial number, as it says.
    pub serial: String,
    /// Its model.
    pub model: String,
    /// The number that its owner gave it.
    pub asset: String,
    /// ISO 4217.
    pub currency: String,
    /// The amount behind which amounts start again at 0.
    pub ceiling: i64,
    /// Paid vends.
    pub paid: Counted,
    /// Free vends.
    pub free: Counted,
    /// Paid vends by means of payment.
    pub means: BTreeMap<String, Counted>,
    /// By selection.
    pub products: BTreeMap<String, Selection>,
    /// Events by code.
    pub events: BTreeMap<String, Happening>,
    /// Coins in the tubes: how many, by what one is worth.
    pub tubes: BTreeMap<i64, i64>,
    /// Further counts and amounts.
    pub ledger: BTreeMap<String, i64>,
    /// Whether all counters count since the machine was last read with a reset: it has no others.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub since_reset: bool,
    /// How often it was read so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resets: Option<i64>,
    /// What it has taken since it was set up, where all else is counted since a reset.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ever_taken: Option<i64>,
    /// Whether the total of paid vends is that of the read before, since this one says none.
    #[serde(skip)]
    #[schema(ignore)]
    pub is_total_old: bool,
}

impl Selection {
    /// Paid vends: where there is no counter of them, those by means of payment together.
    pub fn vended(&self) -> Counted {
        if self.paid.number.is_some() || self.parts.is_empty() {
            return self.paid;
        }
        self.parts.iter().map(|part| part.count).fold(Counted::ZERO, |sum, count| {
            let add = |one: Option<i64>, other: Option<i64>| Some(one?.saturating_add(other?));
            Counted { number: add(sum.number, count.number), value: add(sum.value, count.value) }
        })
    }
}

impl Counted {
    /// None yet.
    pub const ZERO: Self = Self { number: Some(0), value: Some(0) };
}

/// Turns the amounts of a report into minor units.
#[derive(Clone, Copy)]
struct Scale {
    up: i64,
    down: i64,
}

impl Scale {
    fn of(decimals: u8, currency: &str) -> Self {
        let exponent = Currency::from_code(currency).and_then(Currency::exponent).unwrap_or(2);
        let shift = i32::from(exponent) - i32::from(decimals);
        let factor = 10_i64.pow(shift.unsigned_abs());
        if shift < 0 { Self { up: 1, down: factor } } else { Self { up: factor, down: 1 } }
    }

    fn amount(self, amount: i64) -> i64 {
        amount.saturating_mul(self.up) / self.down
    }

    fn count(self, count: Count) -> Counted {
        Counted { number: count.number, value: count.value.map(|value| self.amount(value)) }
    }

    fn selection(self, product: &Product) -> Selection {
        let part = |part: &super::format::Part| Part {
            device: part.device.clone(),
            list: part.list,
            count: self.count(part.count),
        };
        let list = |(list, (price, number)): (&i64, &(Option<i64>, Option<i64>))| {
            (*list, self.count(Count { number: *number, value: *price }))
        };
        Selection {
            price: product.price.map(|price| self.amount(price)),
            name: product.name.clone(),
            capacity: product.capacity,
            level: product.level,
            paid: self.count(product.paid),
            discounted: self.count(product.discounted),
            test: self.count(product.test),
            free: self.count(product.free),
            mixed: self.count(product.mixed),
            parts: product.parts.iter().map(part).collect(),
            lists: product.lists.iter().map(list).collect(),
            sold_out: product.sold_out,
            missed: product.missed,
        }
    }
}

impl Counters {
    /// The counters of a report of a machine with this currency, which holds where the report has none.
    pub fn of(reading: &Reading, machines_currency: &str) -> Self {
        let currency = currency::said(reading).unwrap_or_else(|| machines_currency.to_owned());
        let scale = Scale::of(reading.decimals, &currency);
        let ledger = |(name, (entry, is_money)): (&&str, &(i64, bool))| {
            ((*name).to_owned(), if *is_money { scale.amount(*entry) } else { *entry })
        };
        let mut events: BTreeMap<String, Happening> = BTreeMap::new();
        for state in &reading.states {
            let happening = Happening { count: state.count, active: state.active };
            events.insert(state.code.clone(), happening);
        }
        Self {
            serial: reading.serial.clone(),
            model: reading.model.clone(),
            asset: reading.asset.clone(),
            ceiling: scale.amount(CEILING),
            paid: scale.count(reading.paid),
            free: scale.count(reading.free),
            means: reading
                .means
                .iter()
                .map(|(means, count)| ((*means).to_owned(), scale.count(*count)))
                .collect(),
            products: reading
                .products
                .iter()
                .map(|(name, product)| (name.clone(), scale.selection(product)))
                .collect(),
            events,
            tubes: reading.tubes.iter().map(|tube| (scale.amount(tube.coin), tube.coins)).collect(),
            ledger: reading.ledger.iter().map(ledger).collect(),
            since_reset: reading.since == Since::Reset,
            resets: reading.resets,
            ever_taken: reading.ever_taken.map(|taken| scale.amount(taken)),
            is_total_old: false,
            currency,
        }
    }

    /// An amount of it, for people.
    pub fn said(&self, amount: i64) -> String {
        let exponent = Currency::from_code(&self.currency).and_then(Currency::exponent).unwrap_or(2);
        let unit = 10_u64.pow(exponent.into());
        let (whole, part) = (amount.unsigned_abs() / unit, amount.unsigned_abs() % unit);
        let sign = if amount < 0 { "-" } else { "" };
        let digits = usize::from(exponent);
        let part = if digits == 0 { String::new() } else { format!(".{part:0digits$}") };
        format!("{sign}{whole}{part} {}", self.currency)
    }

    /// Returns `true` if the total of paid vends is that of all selections, in number and in value.
    pub fn adds_up(&self) -> bool {
        let sum = self.products.values().map(Selection::vended).try_fold((0_i64, 0_i64), |sum, count| {
            Some((sum.0.saturating_add(count.number?), sum.1.saturating_add(count.value?)))
        });
        sum.is_some() && sum == self.paid.number.zip(self.paid.value)
    }

    /// Vends since the machine was set up, as far as it says.
    pub fn vends(&self) -> i64 {
        let numbers = self.products.values().filter_map(|selection| selection.vended().number);
        numbers.fold(0, i64::saturating_add).max(self.paid.number.unwrap_or(0))
    }

    /// Why these don't go on from those before, if they can't.
    pub fn breaks_with(&self, before: &Self) -> Option<String> {
        if self.is_of_another(before) {
            let (was, is) = (&before.serial, &self.serial);
            return Some(format!(
                "the serial number was {was:?}, and is {is:?}: another machine begins to count"
            ));
        }
        let (was, is) = (&before.currency, &self.currency);
        if was != is {
            return Some(format!("the currency was {was}, and is {is}: the machine begins to count again"));
        }
        let now = if self.since_reset { "since its last reset alone" } else { "since it was set up" };
        let has_changed = before.since_reset != self.since_reset && before.vends() > 0;
        has_changed.then(|| format!("the machine now counts {now}: it begins to count again"))
    }

    /// Returns `true` if another serial number is said than before.
    pub fn is_of_another(&self, before: &Self) -> bool {
        let (was, is) = (&before.serial, &self.serial);
        !was.is_empty() && !is.is_empty() && was != is
    }

    /// Takes over what this report leaves out from the one before it: a report may have been cut off, and
    /// what it lacks is counted on with the next. Events stand behind the counters: where there are none,
    /// and no end of the report either, those that last are taken to do so still.
    pub fn carry(&mut self, before: &Self, ended: bool) {
        if self.breaks_with(before).is_some() {
            return;
        }
        // Since the last reset nothing may have been sold of what is not named.
        if !self.since_reset {
            self.carry_counts(before);
        }
        let is_silent = !ended && self.events.is_empty();
        for (code, then) in &before.events {
            let active = is_silent && then.active;
            self.events.entry(code.clone()).or_insert(Happening { active, ..*then });
        }
    }

    fn carry_counts(&mut self, before: &Self) {
        let or = |count: &mut Counted, before: Counted| {
            if *count == Counted::default() {
                *count = before;
            }
        };
        self.is_total_old = self.paid == Counted::default();
        or(&mut self.paid, before.paid);
        or(&mut self.free, before.free);
        for (means, count) in &before.means {
            self.means.entry(means.clone()).or_insert(*count);
        }
        for (name, selection) in &before.products {
            let own = self.products.entry(name.clone()).or_insert_with(|| selection.clone());
            or(&mut own.paid, selection.paid);
            or(&mut own.free, selection.free);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_said_in_major_units() {
        let said = |currency: &str, amount| {
            Counters { currency: currency.into(), ..Counters::default() }.said(amount)
        };
        assert_eq!(said("EUR", 650), "6.50 EUR");
        assert_eq!(said("EUR", -5), "-0.05 EUR");
        assert_eq!((said("JPY", 650), said("KWD", 1)), ("650 JPY".to_owned(), "0.001 KWD".to_owned()));
    }

    #[test]
    fn what_was_cut_off_is_as_it_was() {
        let count = |number| Counted { number: Some(number), value: None };
        let cola = |number| [("11".to_owned(), Selection { paid: count(number), ..Selection::default() })];
        let before = Counters {
            serial: "1".into(),
            paid: count(9),
            products: cola(9).into(),
            events: [("EOA".to_owned(), Happening { count: Some(3), active: true })].into(),
            ..Counters::default()
        };
        let carried = |counters: &Counters, ended| {
            let mut counters = counters.clone();
            counters.carry(&before, ended);
            counters
        };
        let cut = Counters { paid: count(12), ..Counters::default() };
        let on = carried(&cut, false);
        assert_eq!((on.paid, &on.products, &on.events), (count(12), &before.products, &before.events));
        assert_eq!(on.vends(), 12);
        // It tells that nothing lasts, by its end or by other events.
        let other = [("EGS".to_owned(), Happening { count: Some(1), active: false })];
        let told = Counters { events: other.into(), ..cut.clone() };
        for over in [carried(&cut, true), carried(&told, false)] {
            assert_eq!(over.events["EOA"], Happening { count: Some(3), active: false });
        }
        // Nothing is taken over from another machine, or in another currency.
        for another in
            [Counters { serial: "2".into(), ..cut.clone() }, Counters { currency: "USD".into(), ..cut }]
        {
            assert_eq!(carried(&another, false), another);
        }
    }

    #[test]
    fn amounts_become_minor_units() {
        let of = |decimals, currency: &str| {
            let count = Count { number: Some(3), value: Some(1234) };
            let reading =
                Reading { decimals, currency: currency.to_owned(), paid: count, ..Reading::default() };
            let counters = Counters::of(&reading, "EUR");
            (counters.paid.value.unwrap(), counters.ceiling, counters.currency)
        };
        assert_eq!(of(2, ""), (1234, 100_000_000, "EUR".to_owned()));
        assert_eq!(of(1, "USD"), (12340, 1_000_000_000, "USD".to_owned()));
        assert_eq!(of(3, "978"), (123, 10_000_000, "EUR".to_owned()));
        assert_eq!(of(2, "JPY"), (12, 1_000_000, "JPY".to_owned()));
        assert_eq!(of(0, "KWD"), (1_234_000, 100_000_000_000, "KWD".to_owned()));
    }
}
