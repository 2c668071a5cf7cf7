//! Tests of [`super`]: what is folded, what stays, and that no number changes its price.

use super::*;
use chrono::DateTime;
use proptest::prelude::*;

const NAMES: [&str; 4] = ["Espresso", "Espresso Vanilla", "Tea", "Oat milk"];

fn product(plu: i64, name: &str, price: i64) -> Product {
    Product {
        id: plu + 1_000_000,
        name: name.to_owned(),
        machine: 1,
        plu,
        price,
        report_name: None,
        barcode: None,
        remote_price: None,
        type_: None,
        vatrate: None,
        ledger: None,
        subledger: None,
        created_at: DateTime::UNIX_EPOCH,
        updated_at: DateTime::UNIX_EPOCH,
    }
}

fn steps(flavour: i64, extra: i64) -> Steps {
    Steps::read(Some(flavour), Some(extra)).unwrap()
}

fn fresh(products: &[Product]) -> Split {
    split(products.to_vec(), &Prices::new(), &Prices::new(), steps(100, 1000))
}

fn plus(products: &[Product]) -> Vec<i64> {
    products.iter().map(|product| product.plu).collect()
}

fn part(plu: i64, name: &str, price: i64) -> Part {
    Part { plu, name: name.to_owned(), report_name: None, price }
}

fn coffee() -> Vec<Product> {
    vec![
        product(5, "Espresso", 100),
        product(6, "Cappuccino", 140),
        product(105, "Espresso Vanilla", 130),
        product(106, "Cappuccino Vanilla", 170),
        product(2005, "Espresso + Oat milk", 120),
        product(2105, "Espresso Vanilla Oat milk", 150),
        product(42, "Crisps", 150),
    ]
}

#[test]
fn composed_products_become_flavours_and_extras() {
    let split = fresh(&coffee());
    assert_eq!(plus(&split.base), [5, 6, 42]);
    assert_eq!(plus(&split.folded), [105, 106, 2005, 2105]);
    assert_eq!(split.flavours, [part(1, "Vanilla", 30)]);
    assert_eq!(split.extras, [part(2, "Oat milk", 20)]);
}

#[test]
fn without_a_step_there_are_no_parts_of_its_kind() {
    let none = (Prices::new(), Prices::new());
    let split_by = |flavour, extra| split(coffee(), &none.0, &none.1, Steps::read(flavour, extra).unwrap());
    let whole = split_by(None, None);
    assert!(whole.base.len() == coffee().len() && whole.flavours.is_empty() && whole.extras.is_empty());
    let extras = split_by(None, Some(1000));
    assert_eq!((plus(&extras.folded), extras.flavours.len()), (vec![2005, 2105], 0));
    // Without extras, 2005 is the espresso with flavour 20.
    let flavours = split_by(Some(100), None);
    assert_eq!(flavours.flavours.iter().map(|part| part.plu).collect::<Vec<_>>(), [1, 20, 21]);
}

#[test]
fn products_without_their_base_stay() {
    let split = fresh(&[product(105, "Espresso Vanilla", 130), product(1006, "Tea with milk", 90)]);
    assert!(split.folded.is_empty() && split.flavours.is_empty() && split.extras.is_empty());
}

#[test]
fn a_flavour_has_one_price_or_is_none() {
    let mut products = coffee();
    products[3].price += 1;
    let split = fresh(&products);
    assert_eq!(plus(&split.folded), [2005]);
    assert!(split.flavours.is_empty());
    let cheaper = fresh(&[product(5, "Espresso", 100), product(105, "Decaf", 90)]);
    assert!(cheaper.folded.is_empty(), "nothing costs less than nothing");
}

#[test]
fn a_bargain_of_both_stays_a_product_of_its_own() {
    let mut products = coffee();
    products[5].price = 145;
    let split = fresh(&products);
    assert_eq!(plus(&split.base), [5, 6, 2105, 42]);
    assert_eq!((split.flavours.len(), split.extras.len()), (1, 1));
}

#[test]
fn both_at_once_is_folded_only_if_each_is_known_alone() {
    let products =
        [product(5, "Espresso", 100), product(1005, "Espresso Milk", 110), product(1105, "All", 150)];
    assert_eq!(plus(&fresh(&products).folded), [1005]);
    let known = Prices::from([(1, 40)]);
    let split = split(products.to_vec(), &known, &Prices::new(), steps(100, 1000));
    assert_eq!(plus(&split.folded), [1005, 1105]);
    assert!(split.flavours.is_empty(), "it is there already");
}

#[test]
fn what_the_machine_has_already_is_not_contradicted() {
    for (price, folded) in [(30, vec![105, 106, 2005, 2105]), (31, vec![2005])] {
        let known = Prices::from([(1, price)]);
        let split = split(coffee(), &known, &Prices::new(), steps(100, 1000));
        assert_eq!(plus(&split.folded), folded);
        assert!(split.flavours.is_empty());
    }
    // The number 0 is no flavour, whatever somebody calls so.
    let zero = Prices::from([(0, 7)]);
    assert_eq!(plus(&split(coffee(), &zero, &zero, steps(100, 1000)).base), [5, 6, 42]);
}

#[test]
fn a_product_with_something_of_its_own_stays() {
    let changes: [fn(&mut Product); 6] = [
        |product| product.barcode = Some("4006381333931".to_owned()),
        |product| product.type_ = Some("drink".to_owned()),
        |product| product.vatrate = Some(900),
        |product| product.ledger = Some("8000".to_owned()),
        |product| product.subledger = Some("1".to_owned()),
        |product| product.remote_price = Some(1),
    ];
    for (number, change) in changes.into_iter().enumerate() {
        let mut products = coffee();
        change(&mut products[2]);
        assert_eq!(plus(&fresh(&products).base), [5, 6, 105, 42], "{number}");
        // Of its base's, it is nothing of its own.
        change(&mut products[0]);
        let stays = fresh(&products).base.iter().any(|product| product.plu == 105);
        assert_eq!(stays, products[2].remote_price.is_some(), "{number}");
    }
    let mut products = coffee();
    (products[0].remote_price, products[2].remote_price) = (Some(90), Some(120));
    assert_eq!(plus(&fresh(&products).base), [5, 6, 42], "the surcharge is the same");
}

#[test]
fn a_part_is_called_what_names_say_beside_their_base() {
    let cases = [
        ("Espresso Vanilla", "Espresso", Some("Vanilla")),
        ("ESPRESSO - vanilla", "Espresso", Some("vanilla")),
        ("Espresso (Vanilla)", "Espresso", Some("Vanilla")),
        ("Espresso Vanilla (bio)", "Espresso", Some("Vanilla (bio)")),
        ("Vanilla Espresso", "Espresso", Some("Vanilla")),
        ("Espressomacchiato", "Espresso", None),
        ("Espresso", "Espresso", None),
        ("Espresso +", "Espresso", None),
        ("Thé à la menthe", "Thé", Some("à la menthe")),
        ("é", "e", None),
        ("Vanilla", "", None),
    ];
    for (name, base, expected) in cases {
        assert_eq!(rest(name, base), expected, "{name} of {base}");
    }
}

#[test]
fn the_name_comes_from_where_it_is_shared() {
    let mut products = coffee();
    products[2].name = "Vanilla dream".to_owned();
    products[3].report_name = Some("Cappu/vanilla".to_owned());
    products[1].report_name = Some("Cappu".to_owned());
    let found = fresh(&products).flavours;
    assert_eq!(found, [Part { report_name: Some("vanilla".to_owned()), ..part(1, "Vanilla", 30) }]);
    products[3].name = "House special".to_owned();
    assert_eq!(fresh(&products).flavours, [part(1, "Vanilla dream", 30)]);
}

/// Few numbers and few prices, so that much is composed and much agrees.
fn assortment() -> impl Strategy<Value = Vec<Product>> {
    let one = (0i64..=2, 0i64..=3, 0i64..=3, 0usize..NAMES.len(), 0i64..=2, prop::bool::weighted(0.1));
    prop::collection::vec(one, 0..40).prop_map(|drawn| {
        let mut products = BTreeMap::new();
        for (base, small, large, name, noise, has_barcode) in drawn {
            let plu = base + small * 4 + large * 16;
            let price = 100 + base * 7 + small * 3 + large * 5 + i64::from(noise == 2);
            let mut product = product(plu, NAMES[name], price);
            product.barcode = has_barcode.then(|| plu.to_string());
            products.insert(plu, product);
        }
        products.into_values().collect()
    })
}

/// What every number costs: a product of its own goes before a combination.
fn prices(base: &[Product], flavours: &Prices, extras: &Prices, steps: (i64, i64)) -> Prices {
    let mut prices = Prices::new();
    for product in base {
        for (flavour, more) in flavours {
            for (extra, still_more) in extras {
                let plu = product.plu + flavour * steps.0 + extra * steps.1;
                prices.insert(plu, product.price + more + still_more);
            }
        }
    }
    prices.extend(base.iter().map(|product| (product.plu, product.price)));
    prices
}

proptest! {
    #[test]
    fn no_number_changes_its_price_and_nothing_vanishes(
        products in assortment(),
        known in prop::collection::btree_map(1i64..=3, 0i64..=6, 0..=1),
        flavours_first: bool,
    ) {
        let steps_given = if flavours_first { (4, 16) } else { (16, 4) };
        let steps = steps(steps_given.0, steps_given.1);
        let none = Prices::new();
        let done = split(products.clone(), &known, &none, steps);

        let mut all = plus(&done.base);
        all.extend(plus(&done.folded));
        all.sort_unstable();
        prop_assert_eq!(all, plus(&products), "each is a base or is folded");

        let (flavours, extras) = (with_none(&known, &done.flavours), with_none(&none, &done.extras));
        // Only products below the smaller step are composed any further.
        let simple: Vec<Product> = done.base.iter().filter(|product| product.plu < 4).cloned().collect();
        let mut after = prices(&simple, &flavours, &extras, steps_given);
        after.extend(done.base.iter().map(|product| (product.plu, product.price)));
        for product in &products {
            prop_assert_eq!(after.get(&product.plu), Some(&product.price), "PLU {}", product.plu);
        }

        for part in &done.flavours {
            prop_assert!(!known.contains_key(&part.plu) && (0..=PRICE_MAX).contains(&part.price));
            let used = done.folded.iter().any(|product| steps.digits(product.plu).flavour == part.plu);
            prop_assert!(used, "a flavour that nothing has");
        }

        let again = split(done.base.clone(), &flavours, &extras, steps);
        prop_assert!(again.folded.is_empty() && again.flavours.is_empty() && again.extras.is_empty());
        prop_assert_eq!(plus(&again.base), plus(&done.base));
    }

    #[test]
    fn the_order_of_products_does_not_matter(products in assortment(), seed in 0usize..40) {
        let mut turned = products.clone();
        turned.rotate_left(seed.checked_rem(products.len()).unwrap_or(0));
        let (one, other) = (fresh(&products), fresh(&turned));
        prop_assert_eq!((one.flavours, one.extras), (other.flavours, other.extras));
        let mut base = plus(&other.base);
        base.sort_unstable();
        prop_assert_eq!(plus(&one.base), base);
    }

    #[test]
    fn what_was_composed_is_split_into_what_it_was_composed_of(
        bases in prop::collection::btree_map(0i64..100, 0i64..500, 1..6),
        flavours in prop::collection::btree_map(1i64..=9, 0i64..90, 0..4),
        extras in prop::collection::btree_map(1i64..=20, 0i64..90, 0..4),
    ) {
        let bases: Vec<Product> = bases.into_iter().map(|(plu, price)| product(plu, "Base", price)).collect();
        let (all_flavours, all_extras) = (with_none(&flavours, &[]), with_none(&extras, &[]));
        let composed = prices(&bases, &all_flavours, &all_extras, (100, 1000));
        let products: Vec<Product> =
            composed.into_iter().map(|(plu, price)| product(plu, &format!("Base {plu}"), price)).collect();
        let done = fresh(&products);
        let pairs = |parts: &[Part]| parts.iter().map(|part| (part.plu, part.price)).collect::<Prices>();
        prop_assert_eq!(plus(&done.base), plus(&bases));
        prop_assert_eq!((pairs(&done.flavours), pairs(&done.extras)), (flavours, extras));
    }
}
