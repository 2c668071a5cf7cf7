//! Splits products with composed numbers into base products, flavours and extras: pure.
//!
//! With steps of 100 and 1000, a product 105 that costs 30 more than product 5 is product 5 with
//! flavour 1, which costs 30; 2105 is the same with extra 2. A product is folded into its parts only
//! if those say all that it says:
//!
//! - there is its base product;
//! - its price is exactly that of its parts. What a flavour costs is what every product with it, and
//!   without an extra, costs more than its base; where they disagree, or it costs less, it is none.
//!   A flavour that the machine has already costs what it costs. Extras likewise;
//! - it has no barcode, type, rate or ledger of its own, which no flavour could take over.
//!
//! Every other product stays as it is, also where its number could be composed: a product of its own
//! goes before a combination. So each number sells at the price that it had, and splitting what was
//! split changes nothing.

use super::{
    plu::{Digits, Steps},
    product::{PRICE_MAX, Product},
};
use std::collections::{BTreeMap, HashMap, HashSet};

/// What the flavours, or the extras, of a machine cost, by their numbers.
pub type Prices = BTreeMap<i64, i64>;

/// A flavour or an extra that the machine does not have yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Its number.
    pub plu: i64,
    /// What people call it.
    pub name: String,
    /// What reports call it.
    pub report_name: Option<String>,
    /// What it costs on top of the product, in minor units.
    pub price: i64,
}

/// What becomes of a machine's products.
#[derive(Clone, Debug)]
pub struct Split {
    /// Those that stay, as they were.
    pub base: Vec<Product>,
    /// Those that go, since their parts say the same.
    pub folded: Vec<Product>,
    /// Flavours to be added, by number.
    pub flavours: Vec<Part>,
    /// Extras to be added, by number.
    pub extras: Vec<Part>,
}

/// Splits `products`, whose numbers are distinct, of a machine that has these flavours and extras.
pub fn split(products: Vec<Product>, flavours: &Prices, extras: &Prices, steps: Steps) -> Split {
    let by_plu: HashMap<i64, &Product> = products.iter().map(|product| (product.plu, product)).collect();
    let composed: Vec<Composed<'_>> = products
        .iter()
        .filter_map(|product| {
            let digits = steps.digits(product.plu);
            let base = by_plu.get(&digits.base).filter(|base| base.plu != product.plu)?;
            Some(Composed { product, base, digits })
        })
        .collect();
    let new_flavours = parts(&composed, flavours, |digits| (digits.extra == 0).then_some(digits.flavour));
    let new_extras = parts(&composed, extras, |digits| (digits.flavour == 0).then_some(digits.extra));
    let flavour_prices = with_none(flavours, &new_flavours);
    let extra_prices = with_none(extras, &new_extras);
    let folded: HashSet<i64> = composed
        .iter()
        .filter(|composed| {
            let flavour = flavour_prices.get(&composed.digits.flavour);
            let price = flavour.zip(extra_prices.get(&composed.digits.extra));
            price.is_some_and(|(flavour, extra)| composed.surcharge() == flavour + extra)
                && composed.is_plain()
        })
        .map(|composed| composed.product.plu)
        .collect();
    let (folded, base) = products.into_iter().partition(|product| folded.contains(&product.plu));
    Split { base, folded, flavours: new_flavours, extras: new_extras }
}

/// A product whose number is composed, with the base product that it then is.
struct Composed<'a> {
    product: &'a Product,
    base: &'a Product,
    digits: Digits,
}

impl Composed<'_> {
    /// What it costs on top of its base.
    fn surcharge(&self) -> i64 {
        self.product.price - self.base.price
    }

    /// Whether name and price are all that it has beside its base.
    fn is_plain(&self) -> bool {
        let (product, base) = (self.product, self.base);
        let remote = base.remote_price.map(|price| price.saturating_add(self.surcharge()));
        adds_nothing(product.barcode.as_ref(), base.barcode.as_ref())
            && adds_nothing(product.type_.as_ref(), base.type_.as_ref())
            && adds_nothing(product.vatrate.as_ref(), base.vatrate.as_ref())
            && adds_nothing(product.ledger.as_ref(), base.ledger.as_ref())
            && adds_nothing(product.subledger.as_ref(), base.subledger.as_ref())
            && adds_nothing(product.remote_price.as_ref(), remote.as_ref())
    }

    /// What its name says beside its base's, where they share it.
    fn rest(&self) -> Option<&str> {
        rest(&self.product.name, &self.base.name)
    }
}

fn adds_nothing<T: PartialEq>(own: Option<&T>, of_base: Option<&T>) -> bool {
    own.is_none() || own == of_base
}

/// The parts of one kind that are not known yet; `single` tells the number of one that stands alone.
fn parts(composed: &[Composed<'_>], known: &Prices, single: fn(Digits) -> Option<i64>) -> Vec<Part> {
    let mut examples: BTreeMap<i64, Vec<&Composed<'_>>> = BTreeMap::new();
    for one in composed {
        if let Some(plu) = single(one.digits).filter(|plu| !known.contains_key(plu)) {
            examples.entry(plu).or_default().push(one);
        }
    }
    examples.into_iter().filter_map(|(plu, examples)| part(plu, &examples)).collect()
}

/// The part that all examples agree on, named after the one whose name tells most of it.
fn part(plu: i64, examples: &[&Composed<'_>]) -> Option<Part> {
    let price = examples.first()?.surcharge();
    if !(0..=PRICE_MAX).contains(&price) || examples.iter().any(|one| one.surcharge() != price) {
        return None;
    }
    let plain = examples.iter().filter(|one| one.is_plain());
    let named = plain.min_by_key(|one| (one.rest().is_none(), one.digits.base))?;
    let name = named.rest().unwrap_or(&named.product.name).to_owned();
    let report_name = named.product.report_name.as_deref().map(|name| {
        let base = named.base.report_name.as_deref().unwrap_or_default();
        rest(name, base).unwrap_or(name).to_owned()
    });
    Some(Part { plu, name, report_name, price })
}

/// All prices of one kind, that of none at all included.
fn with_none(known: &Prices, new: &[Part]) -> Prices {
    let mut prices = known.clone();
    prices.extend(new.iter().map(|part| (part.plu, part.price)));
    prices.insert(0, 0);
    prices
}

/// What `name` says beside `base`, if it begins or ends with that: `Vanilla` of `Espresso (Vanilla)`.
fn rest<'a>(name: &'a str, base: &str) -> Option<&'a str> {
    let is_part = |c: char| c.is_alphanumeric();
    let after = || {
        let (head, rest) = name.split_at_checked(base.len())?;
        (head.eq_ignore_ascii_case(base) && !rest.starts_with(is_part)).then_some(rest)
    };
    let before = || {
        let (rest, tail) = name.split_at_checked(name.len().checked_sub(base.len())?)?;
        (tail.eq_ignore_ascii_case(base) && !rest.ends_with(is_part)).then_some(rest)
    };
    if base.is_empty() {
        return None;
    }
    let rest = after().or_else(before)?;
    let rest = rest.trim_matches(|c: char| c.is_whitespace() || "+-–—,;:/&|".contains(c));
    let inside = rest.strip_prefix('(').and_then(|rest| rest.strip_suffix(')'));
    Some(inside.unwrap_or(rest).trim()).filter(|rest| !rest.is_empty())
}

#[cfg(test)]
#[path = "split_tests.rs"]
mod tests;
