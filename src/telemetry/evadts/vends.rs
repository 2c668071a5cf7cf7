//! One sale a vend: what was sold between two reads, taken apart.

use super::sold::{Amount, Paid, Sold};
use crate::fleet::payments::PaymentMethod;

/// Vends that are believed at most between two reads.
pub(super) const VENDS_MAX: i64 = 20_000;

/// What one vend can bring at most, in minor units.
const PRICE_MAX: i64 = 1_000_000_000;

/// One vend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vend {
    /// The machine's word for the product.
    pub selection: Option<String>,
    /// What was paid.
    pub price: i64,
    /// What it costs.
    pub original_price: i64,
    /// The number of the price list.
    pub list: Option<i64>,
    /// How it was paid; none where the machine does not say.
    pub method: Option<PaymentMethod>,
}

/// What is left of a means of payment to be given to vends.
struct Purse {
    method: PaymentMethod,
    number: i64,
    value: i64,
}

/// The vends of what was sold; none, and why, if it is more than anybody sells.
pub fn vends(sold: &Sold) -> Result<Vec<Vend>, String> {
    let number = sold.number();
    if number > VENDS_MAX {
        return Err(format!(
            "{number} vends since the read before are not believed: at most {VENDS_MAX} are"
        ));
    }
    let too_dear =
        |amount: &Amount| amount.value.saturating_add(amount.discount) / amount.number.max(1) > PRICE_MAX;
    if let Some((line, _)) = sold.lines.iter().find(|(_, amount)| too_dear(amount)) {
        let what = line.selection.as_deref().unwrap_or("a vend");
        return Err(format!("what was paid for {what:?} is not believed: more than {PRICE_MAX} each"));
    }
    let mut purses: Vec<Purse> =
        sold.means.iter().filter_map(|(device, amount)| purse(device, *amount)).collect();
    let mut vends = Vec::with_capacity(number as usize);
    for (line, amount) in &sold.lines {
        let (method, list) = match &line.paid {
            Paid::Free => (Some(PaymentMethod::Virtual), None),
            Paid::Somehow => (None, None),
            Paid::With(device, list) => (method(device), *list),
        };
        if let Paid::With(..) = line.paid
            && let Some(purse) = purses.iter_mut().find(|purse| Some(purse.method) == method)
        {
            purse.number -= amount.number;
            purse.value -= amount.value;
        }
        let prices = spread(amount.value, amount.number).zip(spread(amount.discount, amount.number));
        vends.extend(prices.map(|(price, discount)| Vend {
            selection: line.selection.clone(),
            price,
            original_price: price + discount,
            list,
            method,
        }));
    }
    let mut unpaid: Vec<&mut Vend> = vends.iter_mut().filter(|vend| vend.method.is_none()).collect();
    // The dearest first, each to the means that has most left for a vend: so the sums come out as they were counted.
    unpaid.sort_by_key(|vend| -vend.price);
    for vend in unpaid {
        let fullest =
            purses.iter_mut().filter(|purse| purse.number > 0).max_by_key(|p| (p.value / p.number, p.number));
        let Some(purse) = fullest else { break };
        purse.number -= 1;
        purse.value -= vend.price;
        vend.method = Some(purse.method);
    }
    Ok(vends)
}

fn purse(device: &str, amount: Amount) -> Option<Purse> {
    Some(Purse { method: method(device)?, number: amount.number, value: amount.value })
}

/// What a device takes.
fn method(device: &str) -> Option<PaymentMethod> {
    match device {
        "CA" => Some(PaymentMethod::Cash),
        "TA" => Some(PaymentMethod::Token),
        _ if device.starts_with('D') => Some(PaymentMethod::Card),
        _ => None,
    }
}

/// An amount in so many parts that differ by one at most.
fn spread(amount: i64, parts: i64) -> impl Iterator<Item = i64> {
    let (each, rest) = if parts > 0 { (amount / parts, amount % parts) } else { (0, 0) };
    (0..parts).map(move |part| each + i64::from(part < rest))
}

#[cfg(test)]
mod tests {
    use super::{super::sold::Line, *};
    use proptest::prelude::*;

    fn line(selection: &str, paid: Paid) -> Line {
        Line { selection: Some(selection.to_owned()), paid }
    }

    fn amount(number: i64, value: i64) -> Amount {
        Amount { number, value, discount: 0 }
    }

    fn by(vends: &[Vend], method: Option<PaymentMethod>) -> (usize, i64) {
        let of: Vec<i64> = vends.iter().filter(|vend| vend.method == method).map(|vend| vend.price).collect();
        (of.len(), of.iter().sum())
    }

    #[test]
    fn payments_come_out_as_they_were_counted() {
        let mut sold = Sold::default();
        sold.lines.insert(line("11", Paid::Somehow), amount(4, 601));
        sold.lines.insert(line("12", Paid::Somehow), amount(2, 500));
        sold.lines.insert(line("13", Paid::With("DA".into(), Some(1))), amount(2, 300));
        sold.lines.insert(line("13", Paid::Free), Amount { discount: 150, ..amount(1, 0) });
        sold.means.insert("CA".into(), amount(4, 700));
        sold.means.insert("DA".into(), amount(3, 550));
        let vends = vends(&sold).unwrap();
        assert_eq!(by(&vends, Some(PaymentMethod::Card)), (3, 550));
        assert_eq!(by(&vends, Some(PaymentMethod::Cash)), (4, 701));
        // One is counted by no means of payment.
        assert_eq!(by(&vends, None), (1, 150));
        let free = vends.iter().find(|vend| vend.method == Some(PaymentMethod::Virtual)).unwrap();
        assert_eq!((free.price, free.original_price), (0, 150));
        assert_eq!(vends.iter().filter(|vend| vend.list == Some(1)).count(), 2);
    }

    #[test]
    fn more_than_anybody_sells_is_not_believed() {
        let sold = |number, value| Sold {
            lines: [(line("11", Paid::Somehow), amount(number, value))].into(),
            ..Sold::default()
        };
        assert_eq!(vends(&sold(VENDS_MAX, 0)).unwrap().len() as i64, VENDS_MAX);
        assert!(vends(&sold(VENDS_MAX + 1, 0)).is_err());
        assert!(vends(&sold(1, PRICE_MAX + 1)).is_err());
        let mut endless = sold(1, i64::MAX);
        endless.lines.insert(line("12", Paid::Free), Amount { discount: i64::MAX, ..amount(i64::MAX, 1) });
        assert_eq!((endless.number(), endless.value()), (i64::MAX, i64::MAX));
        assert!(vends(&endless).is_err());
        endless.lines.insert(line("12", Paid::Free), Amount { discount: i64::MAX, ..amount(1, 1) });
        assert!(vends(&endless).is_err());
    }

    proptest! {
        #[test]
        fn nothing_is_lost_in_parts(
            lines in proptest::collection::vec((0..50_i64, 0..10_000_i64), 1..6),
            means in proptest::collection::vec((0..50_i64, 0..10_000_i64), 0..4),
        ) {
            let mut sold = Sold::default();
            for (at, (number, value)) in lines.iter().enumerate() {
                sold.lines.insert(line(&at.to_string(), Paid::Somehow), amount(*number, if *number == 0 { 0 } else { *value }));
            }
            for ((number, value), device) in means.iter().zip(["CA", "DA", "DB", "TA"]) {
                sold.means.insert(device.to_owned(), amount(*number, *value));
            }
            let vends = vends(&sold).unwrap();
            prop_assert_eq!(vends.len() as i64, sold.number());
            prop_assert_eq!(vends.iter().map(|vend| vend.price).sum::<i64>(), sold.value());
            let paid = vends.iter().filter(|vend| vend.method.is_some()).count() as i64;
            prop_assert_eq!(paid, sold.number().min(means.iter().map(|means| means.0).sum()));
        }
    }
}
