//! Further counts and amounts, for whoever looks at a machine: nothing is worked out from them.

use super::{Segment, element::number};

/// Tag, element, name, whether it is money.
const LEDGER: &[(&str, usize, &str, bool)] = &[
    ("VA1", 5, "discountValue", true),
    ("VA1", 6, "discountNumber", false),
    ("VA2", 1, "testValue", true),
    ("VA2", 2, "testNumber", false),
    ("CA3", 5, "cashIn", true),
    ("CA3", 6, "cashToBox", true),
    ("CA3", 7, "cashToTubes", true),
    ("CA3", 10, "billsIn", true),
    ("CA4", 3, "cashDispensed", true),
    ("CA4", 4, "cashDispensedByHand", true),
    ("CA7", 2, "cashDiscountValue", true),
    ("CA7", 4, "cashDiscountNumber", false),
    ("CA8", 2, "cashOverpaid", true),
    ("CA10", 2, "tubesFilled", true),
    ("CA15", 1, "tubesContents", true),
    ("DA3", 1, "cashless1Debited", true),
    ("DA4", 1, "cashless1Credited", true),
    ("DA5", 3, "cashless1DiscountValue", true),
    ("DA5", 4, "cashless1DiscountNumber", false),
    ("TA2", 5, "valueTokenValue", true),
    ("TA2", 6, "valueTokenNumber", false),
    ("EA3", 9, "reads", false),
    ("EA3", 10, "resets", false),
    ("EA7", 2, "powerOutages", false),
];

/// What a segment says of them. An odd one is left out.
pub(super) fn entries(segment: &Segment) -> impl Iterator<Item = (&'static str, (i64, bool))> {
    LEDGER.iter().filter(|(tag, ..)| *tag == segment.tag).filter_map(|(_, at, name, is_money)| {
        let entry = number(segment.text(*at)).ok().flatten()?;
        Some((*name, (entry, *is_money)))
    })
}
