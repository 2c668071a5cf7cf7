//! The currency that a report counts in.

use super::format::Reading;
use iso_currency::Currency;

/// The currency that a report says, by its letters or else by its number.
pub(super) fn said(reading: &Reading) -> Option<String> {
    currency(&reading.currency).or_else(|| currency(&reading.currency_number))
}

/// What is to be told of the currency of a report of a machine with this one, if anything is.
pub(super) fn note(reading: &Reading, machines_currency: &str) -> Option<String> {
    match said(reading) {
        Some(said) if said != machines_currency => {
            Some(format!("the report counts in {said}, and the machine takes {machines_currency}"))
        }
        Some(_) => None,
        None => {
            let said =
                [&reading.currency, &reading.currency_number].into_iter().find(|said| !said.is_empty())?;
            Some(format!(
                "{said:?} names no currency for certain: the machine's, {machines_currency}, counts"
            ))
        }
    }
}

/// A currency that people pay in: by its letters, by its number, or by its number behind a 1, as coin
/// changers have it. Behind a 0 stands the dialling code of a country on old gear, where it may look like a
/// currency's number.
fn currency(said: &str) -> Option<String> {
    let number = match said.len() {
        3 => said,
        4 => said.strip_prefix('1')?,
        _ => return None,
    };
    let by_number = || {
        let is_dialling_code = said.starts_with('0');
        number.parse().ok().filter(|_| !is_dialling_code).and_then(Currency::from_numeric)
    };
    let known = Currency::from_code(&said.to_ascii_uppercase()).or_else(by_number)?;
    // What is for tests, metals and funds is no money that a machine takes.
    (known.exponent().is_some() && !known.is_fund()).then(|| known.code().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn currencies_come_in_three_ways() {
        for said in ["EUR", "eur", "978", "1978"] {
            assert_eq!(currency(said).as_deref(), Some("EUR"), "{said}");
        }
        for said in ["", "49", "0049", "ZZZ", "1000", "\u{20ac}", "039", "050", "036"] {
            assert_eq!(currency(said), None, "{said}");
        }
        for said in ["XTS", "xxx", "963", "999", "1999", "XAU", "XDR", "CHE", "USN", "997"] {
            assert_eq!(currency(said), None, "{said}");
        }
    }

    #[test]
    fn letters_count_before_numbers_and_doubts_are_told() {
        let of = |letters: &str, number: &str| {
            let reading = Reading {
                currency: letters.to_owned(),
                currency_number: number.to_owned(),
                ..Reading::default()
            };
            (said(&reading).unwrap_or_else(|| "EUR".to_owned()), note(&reading, "EUR").is_some())
        };
        assert_eq!(of("USD", "978"), ("USD".to_owned(), true));
        assert_eq!(of("XTS", "978"), ("EUR".to_owned(), false));
        assert_eq!(of("xxx", ""), ("EUR".to_owned(), true));
        assert_eq!(of("", "039"), ("EUR".to_owned(), true));
        assert_eq!(of("", ""), ("EUR".to_owned(), false));
    }
}
