//! Amounts of money: decimals by their currency, everything else by the locale.

use super::{NO_BREAK, is};
use crate::campaigns::{style::Locale, terms::ValueType};
use iso_currency::Currency;
use pure_rust_locales::locale_match;

/// Where CLDR and the people of a place write amounts otherwise than glibc, whose data is used for
/// all others. The first that fits counts.
const CORRECTIONS: &[(&str, Manner)] = &[
    ("ar-DZ", Manner::new(",", ".", Side::BehindSpace)),
    ("ar-LB", Manner::new(",", ".", Side::BehindSpace)),
    ("ar-LY", Manner::new(",", ".", Side::BehindSpace)),
    ("ar-MA", Manner::new(",", ".", Side::BehindSpace)),
    ("ar-TN", Manner::new(",", ".", Side::BehindSpace)),
    ("ar", Manner::new(".", ",", Side::BehindSpace)),
    ("da", Manner::new(",", ".", Side::BehindSpace)),
    ("el", Manner::new(",", ".", Side::BehindSpace)),
    ("fa", Manner::new(".", ",", Side::BehindSpace)),
    ("he", Manner::new(".", ",", Side::BehindSpace)),
    ("hu", Manner::new(",", NO_BREAK, Side::BehindSpace)),
    ("hy", Manner::new(",", NO_BREAK, Side::BehindSpace)),
    ("id", Manner::new(",", ".", Side::BeforeSpace)),
    ("it-IT", Manner::new(",", ".", Side::BehindSpace)),
    ("ka", Manner::new(",", NO_BREAK, Side::BehindSpace)),
    ("lt", Manner::new(",", NO_BREAK, Side::BehindSpace)),
    ("lv", Manner::new(",", NO_BREAK, Side::BehindSpace)),
    ("nb", Manner::new(",", NO_BREAK, Side::BehindSpace)),
    ("nn", Manner::new(",", NO_BREAK, Side::BehindSpace)),
    ("ro", Manner::new(",", ".", Side::BehindSpace)),
    ("th", Manner::new(".", ",", Side::Before)),
    ("tr", Manner::new(",", ".", Side::Before)),
    ("vi", Manner::new(",", ".", Side::BehindSpace)),
];

/// Symbols that are known beyond where their currency is paid with.
const SYMBOLS: &[(&str, &str)] = &[
    ("AUD", "A$"),
    ("BRL", "R$"),
    ("CAD", "CA$"),
    ("CNY", "CN¥"),
    ("EUR", "€"),
    ("GBP", "£"),
    ("HKD", "HK$"),
    ("ILS", "₪"),
    ("INR", "₹"),
    ("KRW", "₩"),
    ("MXN", "MX$"),
    ("NZD", "NZ$"),
    ("TWD", "NT$"),
    ("VND", "₫"),
];

/// Currencies whose coins of less than 1 are out of use: whole amounts are written without decimals
/// (CLDR's digits for cash).
const WITHOUT_COINS: &[&str] = &[
    "AFN", "ALL", "AMD", "COP", "CRC", "CZK", "HUF", "IDR", "IQD", "IRR", "KPW", "LAK", "LBP", "MGA", "MMK",
    "MNT", "NOK", "PKR", "RSD", "SEK", "SOS", "SYP", "TWD", "TZS", "UZS", "YER",
];

/// On which side of the number a currency stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Before,
    BeforeSpace,
    Behind,
    BehindSpace,
}

/// How amounts are written somewhere.
#[derive(Clone, Copy, Debug)]
struct Manner {
    decimal: &'static str,
    thousands: &'static str,
    /// Digits of each group, from the right; the last goes on.
    groups: &'static [i64],
    side: Side,
}

impl Manner {
    const fn new(decimal: &'static str, thousands: &'static str, side: Side) -> Self {
        Self { decimal, thousands, groups: &[3], side }
    }

    fn of(locale: Locale) -> Self {
        if let Some((_, manner)) = CORRECTIONS.iter().find(|(key, _)| is(locale, key)) {
            return *manner;
        }
        let locale = locale.0;
        let precedes = locale_match!(locale => LC_MONETARY::P_CS_PRECEDES) == 1;
        let spaced = locale_match!(locale => LC_MONETARY::P_SEP_BY_SPACE) >= 1;
        let decimal = locale_match!(locale => LC_MONETARY::MON_DECIMAL_POINT);
        Self {
            decimal: if decimal.is_empty() { "." } else { decimal },
            thousands: locale_match!(locale => LC_MONETARY::MON_THOUSANDS_SEP),
            groups: locale_match!(locale => LC_MONETARY::MON_GROUPING),
            side: match (precedes, spaced) {
                (true, false) => Side::Before,
                (true, true) => Side::BeforeSpace,
                (false, false) => Side::Behind,
                (false, true) => Side::BehindSpace,
            },
        }
    }

    /// A whole number with its digits in groups.
    fn grouped(&self, number: u64) -> String {
        let digits = number.to_string();
        let mut sizes = self.groups.iter().copied();
        let mut size = sizes.next().unwrap_or(-1);
        let mut parts = Vec::new();
        let mut rest = digits.as_str();
        while let Ok(length) = usize::try_from(size)
            && (1..rest.len()).contains(&length)
        {
            let (left, part) = rest.split_at(rest.len() - length);
            parts.push(part);
            rest = left;
            size = sizes.next().unwrap_or(size);
        }
        parts.push(rest);
        parts.reverse();
        parts.join(self.thousands)
    }
}

/// An amount in minor units of a currency (ISO 4217), as it is written in `locale`.
pub fn value(unit: ValueType, amount: i64, currency: &str, locale: Locale) -> String {
    let ValueType::Cents = unit;
    let manner = Manner::of(locale);
    let number = number(amount, currency, &manner);
    let symbol = symbol(currency, locale);
    // Letters never touch digits: `CHF 5`, where `$5` stands together.
    let is_letter = |c: Option<char>| c.is_some_and(char::is_alphabetic);
    match manner.side {
        Side::Before if is_letter(symbol.chars().next_back()) => format!("{symbol}{NO_BREAK}{number}"),
        Side::Behind if is_letter(symbol.chars().next()) => format!("{number}{NO_BREAK}{symbol}"),
        Side::Before => format!("{symbol}{number}"),
        Side::BeforeSpace => format!("{symbol}{NO_BREAK}{number}"),
        Side::Behind => format!("{number}{symbol}"),
        Side::BehindSpace => format!("{number}{NO_BREAK}{symbol}"),
    }
}

/// Digits of a currency's minor unit: none for what ISO 4217 lists and is no money, like gold; as most
/// have, for a code that it does not list.
fn decimals(currency: &str) -> u16 {
    Currency::from_code(currency).map_or(2, |currency| currency.exponent().unwrap_or(0))
}

fn number(amount: i64, currency: &str, manner: &Manner) -> String {
    let decimals = decimals(currency);
    let one = 10u64.pow(u32::from(decimals));
    let (whole, rest) = (amount.unsigned_abs() / one, amount.unsigned_abs() % one);
    let sign = if amount < 0 { "-" } else { "" };
    let whole = manner.grouped(whole);
    if decimals == 0 || (rest == 0 && WITHOUT_COINS.contains(&currency)) {
        return format!("{sign}{whole}");
    }
    format!("{sign}{whole}{}{rest:0width$}", manner.decimal, width = usize::from(decimals))
}

/// A currency as it is called where `locale` is spoken.
fn symbol(currency: &str, locale: Locale) -> &str {
    let locale = locale.0;
    let home = locale_match!(locale => LC_MONETARY::INT_CURR_SYMBOL).trim_end();
    let own = match locale_match!(locale => LC_MONETARY::CURRENCY_SYMBOL) {
        // As wide as a Chinese character, and in few other fonts.
        "￥" => "¥",
        "Lei" => "lei",
        symbol => symbol,
    };
    match currency {
        _ if currency == home && !own.is_empty() => own,
        // Where others are paid with, a bare symbol would be read as theirs.
        "USD" if own.contains('$') => "US$",
        "USD" => "$",
        "JPY" if own != "¥" => "¥",
        _ => SYMBOLS.iter().find(|(code, _)| *code == currency).map_or(currency, |(_, symbol)| symbol),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// With spaces that can be told apart: `_` does not break, `˽` is a narrow one.
    fn shown(tag: &str, amount: i64, currency: &str) -> String {
        let text = value(ValueType::Cents, amount, currency, tag.parse().unwrap());
        text.replace('\u{a0}', "_").replace('\u{202f}', "˽")
    }

    #[test]
    fn amounts_are_written_as_people_write_them() {
        for (tag, amount, currency, expected) in [
            ("nl-NL", 150, "EUR", "€_1,50"),
            ("nl-BE", 123_456_789, "EUR", "€_1.234.567,89"),
            ("de-DE", 150, "EUR", "1,50_€"),
            ("de-AT", 150, "EUR", "€_1,50"),
            ("de-CH", 123_450, "CHF", "CHF_1’234.50"),
            ("fr-FR", 123_450, "EUR", "1˽234,50_€"),
            ("it-IT", 150, "EUR", "1,50_€"),
            ("es-ES", 150, "EUR", "1,50_€"),
            ("el-GR", 150, "EUR", "1,50_€"),
            ("fi-FI", 150, "EUR", "1,50_€"),
            ("pt-BR", 123_450, "BRL", "R$_1.234,50"),
            ("en-US", 150, "USD", "$1.50"),
            ("en-US", 150, "EUR", "€1.50"),
            ("en-GB", 5, "GBP", "£0.05"),
            ("en-GB", 150, "CHF", "CHF_1.50"),
            ("en-AU", 150, "USD", "US$1.50"),
            ("en-IN", 123_456_789, "INR", "₹12,34,567.89"),
            ("hy-AM", 150_000, "AMD", "1_500_֏"),
            ("hy-AM", 150_050, "AMD", "1_500,50_֏"),
            ("ru-RU", 150_000, "AMD", "1˽500_AMD"),
            ("ru-RU", 150_050, "RUB", "1˽500,50_₽"),
            ("uk-UA", 1_050, "UAH", "10,50_грн."),
            ("ka-GE", 150, "GEL", "1,50_₾"),
            ("cs-CZ", 5_000, "CZK", "50_Kč"),
            ("pl-PL", 5_000, "PLN", "50,00_zł"),
            ("ro-RO", 150, "RON", "1,50_lei"),
            ("hu-HU", 150_000, "HUF", "1_500_Ft"),
            ("sv-SE", 5_000, "SEK", "50_kr"),
            ("da-DK", 5_000, "DKK", "50,00_kr."),
            ("nb-NO", 5_050, "NOK", "50,50_kr"),
            ("tr-TR", 150, "TRY", "₺1,50"),
            ("he-IL", 150, "ILS", "1.50_₪"),
            ("ar-AE", 150, "AED", "1.50_د.إ."),
            ("ar-EG", 150, "AED", "1.50_AED"),
            ("ja-JP", 1_500, "JPY", "¥1,500"),
            ("zh-CN", 150, "CNY", "¥1.50"),
            ("zh-CN", 150, "JPY", "JPY_150"),
            ("ko-KR", 1_500, "KRW", "₩1,500"),
            ("en", 1_500, "KWD", "KWD_1.500"),
            ("en", 150, "ZZZ", "ZZZ_1.50"),
            ("en", 0, "EUR", "€0.00"),
        ] {
            assert_eq!(shown(tag, amount, currency), expected, "{tag}");
        }
    }

    /// The decimals of the table that machines' currencies are looked up in.
    #[test]
    fn a_currency_has_the_decimals_that_the_database_has_for_it() {
        let rows = include_str!("../../../migrations/0004_currencies.sql");
        let mut compared = 0;
        for row in rows.lines().filter_map(|row| row.trim().strip_prefix('(')) {
            let code = row.split('\'').nth(1).unwrap();
            let exponent = row.rsplit(", ").next().unwrap().trim_end_matches([')', ',', ';']);
            assert_eq!(decimals(code).to_string(), exponent, "{code}");
            compared += 1;
        }
        assert!(compared > 150, "{compared}");
    }

    proptest! {
        #[test]
        fn every_digit_of_every_amount_is_there(amount: i64, tag in prop::sample::select(vec![
            "nl", "en-IN", "hy", "ar-SA", "de-CH", "fa", "sr-Latn", "dz", "yue",
        ])) {
            let text = value(ValueType::Cents, amount, "EUR", tag.parse().unwrap());
            let digits: String = text.chars().filter(char::is_ascii_digit).collect();
            prop_assert_eq!(digits.parse::<u64>().unwrap(), amount.unsigned_abs(), "{}", text);
        }
    }
}
