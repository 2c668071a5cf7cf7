//! The products that a machine means by its selections.

use super::{counters::Selection, store::Product};
use std::collections::{BTreeMap, HashMap};

/// Finds the products of a machine's selections: by the number in them, or by their names. A number that
/// several selections have, like A1 and B1, tells only for that which is nothing but this number.
pub(super) fn by_selection<'a>(
    products: &'a [Product],
    selections: &BTreeMap<String, Selection>,
) -> HashMap<String, &'a Product> {
    let mut sharing: HashMap<i64, usize> = HashMap::new();
    for number in selections.keys().filter_map(|selection| number_in(selection)) {
        *sharing.entry(number).or_default() += 1;
    }
    let found = selections.iter().filter_map(|(selection, said)| {
        let is_bare = selection.bytes().all(|byte| byte.is_ascii_digit());
        let is_own = |number: &i64| is_bare || sharing.get(number) == Some(&1);
        let number = number_in(selection).filter(is_own);
        Some((selection.clone(), product(products, number, selection, said.name.as_deref())?))
    });
    found.collect()
}

/// The only number in the name of a selection.
fn number_in(selection: &str) -> Option<i64> {
    selection.trim_matches(|letter: char| !letter.is_ascii_digit()).parse().ok()
}

fn product<'a>(
    products: &'a [Product],
    number: Option<i64>,
    selection: &str,
    said: Option<&str>,
) -> Option<&'a Product> {
    let by_number = products.iter().find(|product| Some(product.plu) == number);
    let by_name = || {
        let is_it = |product: &&Product| {
            let same = |name: &str| name.to_lowercase() == product.name.to_lowercase();
            same(selection) || said.is_some_and(same)
        };
        products.iter().find(is_it)
    };
    by_number.or_else(by_name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_are_found_by_number_or_by_name() {
        let of = |id, plu, name: &str| Product {
            id,
            plu,
            name: name.to_owned(),
            report_name: None,
            barcode: None,
            remote_price: None,
        };
        let products = [of(1, 11, "Cola"), of(2, 12, "Water"), of(3, 7, "Caf\u{e9} 12")];
        let selections = |named: &[(&str, Option<&str>)]| -> BTreeMap<String, Selection> {
            let selection =
                |said: Option<&str>| Selection { name: said.map(str::to_owned), ..Selection::default() };
            named.iter().map(|(name, said)| ((*name).to_owned(), selection(*said))).collect()
        };
        let found = |selection: &str, said| {
            let one = selections(&[(selection, said)]);
            by_selection(&products, &one).get(selection).map(|product| product.id)
        };
        assert_eq!(found("11", None), Some(1));
        assert_eq!(found("A012", None), Some(2));
        assert_eq!(found("water", None), Some(2));
        assert_eq!(found("B9", Some("CAF\u{c9} 12")), Some(3));
        assert_eq!(found("99999999999999999999", Some("Tea")), None);
        assert_eq!(found("1-1", None), None);

        // A letter tells apart what has the same number.
        let rows = selections(&[("A11", None), ("B11", Some("Water")), ("C12", None)]);
        let found = by_selection(&products, &rows);
        assert_eq!((found.get("A11").map(|p| p.id), found["B11"].id, found["C12"].id), (None, 2, 2));
        let bare = selections(&[("A11", None), ("11", None)]);
        assert_eq!(
            by_selection(&products, &bare).into_iter().map(|(s, p)| (s, p.id)).collect::<Vec<_>>(),
            [("11".to_owned(), 1)]
        );
    }
}
