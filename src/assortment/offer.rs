//! What a machine is to sell, as a client says it: pure.

use super::product::{Barcode, Plu, Price};
use crate::{
    error::{Error, Issue, Result},
    resource::Name,
};
use serde::Deserialize;
use std::collections::HashSet;
use utoipa::ToSchema;

/// Products that a machine can be given at a time.
pub const OFFERS_MAX: usize = 5_000;

/// Repeated numbers that a refusal names.
const ISSUES_SHOWN: usize = 100;

/// A product that a machine is to sell.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schema(as = ProductOffer)]
pub struct Offer {
    /// The number under which the machine sells it; each stands for one product.
    #[schema(value_type = i64, minimum = 0, maximum = 2_147_483_647, examples(5))]
    pub plu: Plu,
    /// What people call it.
    #[schema(value_type = String, min_length = 1, max_length = 200, examples("Espresso"))]
    pub name: Name,
    /// What reports call it.
    #[serde(default)]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 200)]
    pub report_name: Option<Name>,
    /// What it costs, in minor units.
    #[schema(value_type = i64, minimum = 0, maximum = 1_000_000_000, examples(150))]
    pub price: Price,
    /// What is printed on it.
    #[serde(default)]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 64, examples("4006381333931"))]
    pub barcode: Option<Barcode>,
}

/// Checks a whole assortment: that it has its limits, and no number stands for two products.
pub fn check(offers: &[Offer]) -> Result<()> {
    if offers.len() > OFFERS_MAX {
        return Err(Error::invalid("", format!("must have at most {OFFERS_MAX} products")));
    }
    let mut numbers = HashSet::new();
    let repeated = offers.iter().enumerate().filter(|(_, offer)| !numbers.insert(offer.plu.0));
    let issues: Vec<Issue> = repeated
        .take(ISSUES_SHOWN)
        .map(|(index, _)| Issue::at(format!("/{index}/plu"), "is the number of another product above"))
        .collect();
    if issues.is_empty() { Ok(()) } else { Err(Error::Invalid(issues)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::extract::parse;

    fn complaints(body: &str) -> Vec<String> {
        match parse::<Vec<Offer>>(body.as_bytes()).and_then(|offers| check(&offers)) {
            Ok(()) => Vec::new(),
            Err(Error::Invalid(issues)) => {
                issues.into_iter().map(|issue| issue.pointer.into_owned()).collect()
            }
            Err(error) => panic!("{error}"),
        }
    }

    #[test]
    fn an_assortment_is_refused_where_it_is_wrong() {
        let good = r#"{"plu":1,"name":"Tea","price":90}"#;
        let cases = [
            (r#"{"name":"Tea","price":90}"#, "/1/plu"),
            (r#"{"plu":-1,"name":"Tea","price":90}"#, "/1/plu"),
            (r#"{"plu":2147483648,"name":"Tea","price":90}"#, "/1/plu"),
            (r#"{"plu":1,"name":"Tea","price":90}"#, "/1/plu"),
            (r#"{"plu":2,"name":" ","price":90}"#, "/1/name"),
            (r#"{"plu":2,"name":"a\u0000b","price":90}"#, "/1/name"),
            (r#"{"plu":2,"name":"Tea","price":0.9}"#, "/1/price"),
            (r#"{"plu":2,"name":"Tea","price":"90"}"#, "/1/price"),
            (r#"{"plu":2,"name":"Tea","price":1000000001}"#, "/1/price"),
            (r#"{"plu":2,"name":"Tea","price":90,"barcode":4006381333931}"#, "/1/barcode"),
            (r#"{"plu":2,"name":"Tea","price":90,"reportName":"a\u0007"}"#, "/1/reportName"),
            (r#"{"plu":2,"name":"Tea","price":90,"id":7}"#, "/1/id"),
        ];
        for (bad, pointer) in cases {
            assert_eq!(complaints(&format!("[{good},{bad}]")), [pointer], "{bad}");
        }
        assert!(complaints("[]").is_empty(), "a machine may be emptied");
        assert!(complaints(r#"[{"plu":2.0,"name":"Tea","price":90.0}]"#).is_empty());
        assert!(complaints(r#"[{"plu":0,"name":"Tea","price":0,"reportName":null}]"#).is_empty());
    }

    #[test]
    fn an_assortment_has_its_limits() {
        let offers = |count: usize| {
            let all: Vec<String> =
                (0..count).map(|plu| format!(r#"{{"plu":{plu},"name":"Tea","price":1}}"#)).collect();
            complaints(&format!("[{}]", all.join(",")))
        };
        assert!(offers(OFFERS_MAX).is_empty());
        assert_eq!(offers(OFFERS_MAX + 1), [""]);
        assert_eq!(
            complaints(&format!(r#"[{{"plu":1,"name":"{}","price":1}}]"#, "ü".repeat(201))),
            ["/0/name"]
        );
    }
}
