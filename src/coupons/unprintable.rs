//! Characters that no font has: refused in what is stored, so that no coupon is printed with boxes.
//!
//! Some were stored before, or with other fonts. They are printed as boxes, and told of in the notes.

use super::{
    lettering::{Family, Typesetter},
    shop::PrintShop,
    wording,
};
use crate::{
    campaigns::{
        lines::Lines,
        style::{Locale, Style},
        terms::{TEXT_MAX, ValueType},
    },
    error::{Error, Issue, Result},
    text,
};
use chrono_tz::Tz;
use std::sync::Arc;

impl PrintShop {
    /// Refuses lines with characters that no font has, and styles that would have some printed. What is
    /// wrong with a line otherwise is not looked for here.
    pub fn check_printable(&self, lines: &Lines) -> Result<()> {
        let mut setter = None;
        let mut issues = Vec::new();
        for (pointer, text) in lines.texts {
            let text = text.filter(|text| !text.is_ascii());
            if let Some(text) =
                text.filter(|text| text.chars().count() <= TEXT_MAX && text::flaw(text).is_none())
            {
                let missing = self.missing(&mut setter, text);
                if !missing.is_empty() {
                    issues.push(Issue::at(pointer, format!("has characters that no font has: {missing}")));
                }
            }
        }
        let (pointer, style) = lines.style;
        if let Some(locale) = style.and_then(|style| Style::read(style).ok()).and_then(|style| style.locale) {
            let missing = self.missing(&mut setter, &said_in(locale));
            if !missing.is_empty() {
                let detail = format!("is written in characters that no font has: {missing}");
                issues.push(Issue::at(format!("{pointer}/locale"), detail));
            }
        }
        if issues.is_empty() { Ok(()) } else { Err(Error::Invalid(issues)) }
    }

    /// The characters of a text that no font has.
    fn missing(&self, setter: &mut Option<Typesetter>, text: &str) -> String {
        let setter = setter.get_or_insert_with(|| Typesetter::new(Arc::clone(self.typefaces())));
        setter.missing(text, Family::Sans).into_iter().collect()
    }
}

/// The texts that coupons have by themselves in a language: amounts, and dates of every month.
fn said_in(locale: Locale) -> String {
    let months = (1..=12).map(|month| format!("2026-{month:02}-28"));
    let moments = months.chain(["2026-12-31T11:30:00Z".to_owned()]);
    let expiries = moments.filter_map(|moment| wording::expiry(&moment, Tz::UTC, locale));
    let worth = wording::value(ValueType::Cents, 123_456_789, "EUR", locale);
    expiries.chain([worth]).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn complaints(lines: &Lines) -> Vec<(String, String)> {
        let shop = PrintShop::new(&Config::default()).unwrap();
        let Err(error) = shop.check_printable(lines) else { return Vec::new() };
        let issues = error.problem().errors;
        issues.into_iter().map(|issue| (issue.pointer.into(), issue.detail.into())).collect()
    }

    fn lines<'a>(texts: [Option<&'a str>; 4], style: Option<&'a str>) -> Lines<'a> {
        let pointers = ["/1", "/2", "/3", "/4"];
        Lines { texts: std::array::from_fn(|at| (pointers[at], texts[at])), style: ("/style", style) }
    }

    #[test]
    fn each_line_that_no_font_prints_is_named_with_its_characters() {
        let found =
            complaints(&lines([Some("Koffie ☕ 100 %"), Some("咖啡 & 茶"), None, Some("ສະບາຍ")], None));
        let pointers: Vec<_> = found.iter().map(|(pointer, _)| pointer.as_str()).collect();
        assert_eq!(pointers, ["/2", "/4"]);
        assert_eq!(found[0].1, "has characters that no font has: 咖啡茶");
    }

    #[test]
    fn a_style_is_refused_for_a_language_that_no_font_has() {
        for (locale, printable) in
            [("nl-NL", true), ("ka", true), ("th-TH", true), ("hy", true), ("ja", false)]
        {
            let style = format!(r#"{{"locale":"{locale}"}}"#);
            let found = complaints(&lines([None; 4], Some(&style)));
            assert_eq!(found.is_empty(), printable, "{locale}: {found:?}");
            assert!(found.iter().all(|(pointer, _)| pointer == "/style/locale"));
        }
    }

    #[test]
    fn what_stands_there_already_stays() {
        let style = Some(r#"{"locale":"ja"}"#);
        let stored = lines([Some("咖啡"), None, Some("茶"), None], style);
        let found = complaints(&lines([Some("咖啡"), Some("茶"), None, None], style).besides(&stored));
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].0, "/2");
    }
}
