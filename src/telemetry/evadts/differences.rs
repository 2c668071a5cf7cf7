//! What was sold between two reads, as it comes out of their counters.

use super::{
    counters::{CEILING, Counted, Counters, Part, Selection},
    sold::{Amount, Line, Paid, Sold},
};
use proptest::prelude::*;
use std::collections::BTreeMap;

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
    assert_eq!((after.number(), after.value(), after.set_back.is_empty()), (3, 450, true));
    // It may be read at 0 exactly.
    let after = Sold::between(&before, &counters((99_999_999, 0), (0, 0)));
    assert_eq!((after.number(), after.value()), (1, 100));
}

#[test]
fn counters_that_were_set_back_count_for_what_they_show() {
    let sold = Sold::between(&counters((10, 1500), (5, 500)), &counters((2, 300), (6, 600)));
    assert_eq!((sold.number(), sold.value()), (3, 400));
    assert_eq!(sold.set_back, [Some("11".to_owned())].into());
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
    // Free vends are none of that total.
    for (counters, free) in [(&mut before, 0), (&mut after, 7)] {
        counters.products.get_mut("11").unwrap().free = counted(free, 0);
    }
    assert_eq!(sold(&before, &after).last(), Some(&("12".to_owned(), 4, 400)));
    // All that it counts is new: how it was paid, and what was taken off.
    let water = after.products.get_mut("12").unwrap();
    water.discounted = counted(1, 50);
    water.parts = vec![Part { device: "DA".into(), list: Some(1), count: counted(4, 400) }];
    let of_water = Line { selection: Some("12".into()), paid: Paid::With("DA".into(), Some(1)) };
    let amount = Amount { number: 4, value: 400, discount: 50 };
    assert_eq!(Sold::between(&before, &after).lines.get(&of_water), Some(&amount));
    for counters in [&mut before, &mut after] {
        counters.products.get_mut("11").unwrap().free = Counted::default();
    }
    // Cut off before: it has counted for years.
    after.paid = counted(15 + 3, 0);
    assert_eq!(sold(&before, &after), [("11".to_owned(), 2, 300)]);
}

#[test]
fn payments_are_told_apart_where_that_adds_up() {
    let part = |device: &str, number, value| Part {
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
    // A card reader that is swapped counts from 0: that sets nothing else back.
    let with_card = |number, value| {
        let mut counters = after.clone();
        counters.means.insert("DA".into(), counted(number, value));
        counters.products.get_mut("11").unwrap().parts[1].count = counted(number, value);
        counters
    };
    let swapped = Sold::between(&with_card(50, 5000), &with_card(2, 200));
    assert_eq!((swapped.number(), swapped.set_back.len(), swapped.means["DA"].number), (0, 0, 2));
    assert!(swapped.notes[0].contains("DA was set back"), "{:?}", swapped.notes);
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

#[test]
fn totals_tell_what_selections_do_not() {
    let of = |sold: Sold| {
        let lines = sold.lines.into_iter();
        lines.map(|(line, amount)| (line.selection, amount.number, amount.value)).collect::<Vec<_>>()
    };
    let after = counters((60, 9000), (2, 200));
    let total =
        |number, value| Counters { paid: counted(number, value), products: BTreeMap::new(), ..after.clone() };
    // Cut off before its products: one that is new is borne out, the rest is nobody's.
    let rest = [(None, 3, 450), (Some("12".to_owned()), 2, 200)];
    assert_eq!(of(Sold::between(&total(57, 8550), &after)), rest);
    // Cut off behind.
    assert_eq!(of(Sold::between(&after, &total(63, 9500))), [(None, 1, 300)]);
    let anew = Sold::between(&after, &total(4, 500));
    assert_eq!((of(anew.clone()), anew.set_back), (vec![(None, 4, 500)], [None].into()));
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
