//! Which product a machine means.

use super::store::Product;

/// The product that a machine calls so: by the number in it, or by its name.
pub(super) fn product<'a>(
    products: &'a [Product],
    selection: &str,
    said: Option<&str>,
) -> Option<&'a Product> {
    let digits = selection.trim_matches(|letter: char| !letter.is_ascii_digit());
    let number: Option<i64> = digits.parse().ok();
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
        let found = |selection, said| product(&products, selection, said).map(|product| product.id);
        assert_eq!(found("11", None), Some(1));
        assert_eq!(found("A012", None), Some(2));
        assert_eq!(found("water", None), Some(2));
        assert_eq!(found("B9", Some("CAF\u{c9} 12")), Some(3));
        assert_eq!(found("99999999999999999999", Some("Tea")), None);
        assert_eq!(found("1-1", None), None);
    }
}
