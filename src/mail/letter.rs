//! What a mail says, in the language of whom it is for: pure.

use crate::error::{Error, Result};
use minijinja::{Environment, Value, context};
use serde::{Deserialize, Serialize};

/// What around a letter's paragraphs makes it a page.
const LAYOUT: &str = include_str!("../../templates/mail/letter.html");

/// Which letter a mail is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, sqlx::Type)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum Letter {
    /// To a new user: choose a password.
    Activation,
    /// To a user's new address: choose a password, so that it counts as confirmed.
    Confirmation,
    /// To someone who has lost the password: choose another.
    Reset,
    /// To a user's old address: it is no longer used, unless the user takes that back.
    AddressChanged,
    /// To the address of a user, in the place of another's activation: it is taken.
    AccountExists,
    /// To who is told of alerts: what began.
    Alert,
    /// To the same: what ended.
    Recovery,
}

/// A language that mails are written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// For all who speak none of the others, too.
    English,
    /// Nederlands.
    Dutch,
    /// Deutsch.
    German,
    /// Français.
    French,
}

/// What is different in each letter.
#[derive(Debug)]
pub struct Facts<'a> {
    /// The user's name; empty to greet without one.
    pub name: &'a str,
    /// Where the account is.
    pub server: &'a str,
    /// Where to choose a password; empty in a letter that only tells something.
    pub link: &'a str,
    /// How long the link is good, in seconds.
    pub good_for_s: u64,
    /// The account's present address.
    pub address: &'a str,
}

/// A letter that is written.
#[derive(Debug, PartialEq, Eq)]
pub struct Written {
    /// Its subject.
    pub subject: String,
    /// As plain text.
    pub text: String,
    /// The same as a page.
    pub html: String,
}

impl Language {
    /// The language of an ISO 639 code or a locale.
    pub fn of(code: &str) -> Self {
        let code = code.split(['-', '_']).next().unwrap_or_default();
        match code.to_ascii_lowercase().as_str() {
            "nl" => Self::Dutch,
            "de" => Self::German,
            "fr" => Self::French,
            _ => Self::English,
        }
    }

    /// Its ISO 639 code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::Dutch => "nl",
            Self::German => "de",
            Self::French => "fr",
        }
    }

    /// One and several days, hours and minutes.
    const fn spans(self) -> [[&'static str; 2]; 3] {
        match self {
            Self::English => [["day", "days"], ["hour", "hours"], ["minute", "minutes"]],
            Self::Dutch => [["dag", "dagen"], ["uur", "uur"], ["minuut", "minuten"]],
            Self::German => [["Tag", "Tage"], ["Stunde", "Stunden"], ["Minute", "Minuten"]],
            Self::French => [["jour", "jours"], ["heure", "heures"], ["minute", "minutes"]],
        }
    }

    /// A span of time in the largest unit that fits it, rounded down: a link may last a little
    /// longer than its letter says.
    fn span(self, seconds: u64) -> String {
        let [days, hours, minutes] = self.spans();
        let (count, words) = match seconds {
            172_800.. => (seconds / 86_400, days),
            3_600.. => (seconds / 3_600, hours),
            _ => ((seconds / 60).max(1), minutes),
        };
        format!("{count} {}", words[usize::from(count != 1)])
    }
}

impl Letter {
    /// The template: the subject in the first line, then paragraphs.
    const fn template(self, language: Language) -> &'static str {
        macro_rules! in_language {
            ($file:literal) => {
                match language {
                    Language::English => include_str!(concat!("../../templates/mail/en/", $file)),
                    Language::Dutch => include_str!(concat!("../../templates/mail/nl/", $file)),
                    Language::German => include_str!(concat!("../../templates/mail/de/", $file)),
                    Language::French => include_str!(concat!("../../templates/mail/fr/", $file)),
                }
            };
        }
        match self {
            Self::Activation => in_language!("activation.txt"),
            Self::Confirmation => in_language!("confirmation.txt"),
            Self::Reset => in_language!("reset.txt"),
            Self::AddressChanged => in_language!("address_changed.txt"),
            Self::AccountExists => in_language!("account_exists.txt"),
            Self::Alert => in_language!("alert.txt"),
            Self::Recovery => in_language!("recovery.txt"),
        }
    }

    /// Writes the letter.
    pub fn write(self, language: Language, facts: &Facts<'_>) -> Result<Written> {
        let good_for = language.span(facts.good_for_s);
        let Facts { name, server, link, address, .. } = *facts;
        fill(self, language, context! { name, server, link, address, good_for })
    }
}

/// Fills the template of a letter. A paragraph that is the link leads there in the page; one that is the
/// listing of what happened is a table of its lines.
pub(super) fn fill(letter: Letter, language: Language, facts: Value) -> Result<Written> {
    let environment = Environment::new();
    let template = letter.template(language);
    let filled = environment.render_named_str("letter.txt", template, &facts).map_err(Error::fault)?;
    let (subject, text) = filled.split_once("\n\n").unwrap_or(("", &filled));
    let (subject, text) = (subject.to_owned(), text.to_owned());
    let paragraphs: Vec<_> = text.split("\n\n").map(|paragraph| Value::from(paragraph.trim())).collect();
    let page = context! { language => language.code(), subject => subject.clone(), paragraphs, ..facts };
    let html = environment.render_named_str("letter.html", LAYOUT, page).map_err(Error::fault)?;
    Ok(Written { subject, text, html })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LETTERS: [Letter; 5] = [
        Letter::Activation,
        Letter::Confirmation,
        Letter::Reset,
        Letter::AddressChanged,
        Letter::AccountExists,
    ];
    const LANGUAGES: [Language; 4] = [Language::English, Language::Dutch, Language::German, Language::French];

    fn facts(name: &str) -> Facts<'_> {
        Facts {
            name,
            server: "https://scrip.example",
            link: "https://scrip.example/account/reset#abc_-",
            good_for_s: 3_600,
            address: "new@example.com",
        }
    }

    #[test]
    fn every_letter_is_there_in_every_language_and_says_what_it_has_to() {
        let mut subjects = std::collections::BTreeSet::new();
        for language in LANGUAGES {
            for letter in LETTERS {
                let facts = facts("Ann");
                let written = letter.write(language, &facts).unwrap();
                let needed = match letter {
                    Letter::AddressChanged | Letter::AccountExists => facts.address,
                    _ => facts.link,
                };
                assert!(written.text.lines().any(|line| line.contains(needed)), "{letter:?} {language:?}");
                assert!(written.text.contains("Ann") && written.text.contains(facts.server));
                assert!(!written.subject.is_empty() && !written.subject.contains('\n'));
                assert!(written.html.contains(&format!("lang=\"{}\"", language.code())));
                assert!(!written.text.contains("{{") && !written.html.contains("{{"));
                subjects.insert(written.subject);
            }
        }
        assert_eq!(subjects.len(), 20, "{subjects:?}");
    }

    #[test]
    fn the_link_stands_alone_in_the_text_and_leads_somewhere_in_the_page() {
        let written = Letter::Reset.write(Language::Dutch, &facts("Ann")).unwrap();
        assert!(written.text.lines().any(|line| line == facts("").link));
        let page = written.html.replace("&#x2f;", "/");
        assert!(page.contains(&format!("href=\"{}\"", facts("").link)), "{page}");
        assert!(written.text.contains("1 uur lang"));
    }

    #[test]
    fn a_name_is_text_in_a_page() {
        let written = Letter::Activation.write(Language::English, &facts("<b>Ann</b>")).unwrap();
        assert!(written.text.contains("Hello <b>Ann</b>,"));
        assert!(!written.html.contains("<b>") && written.html.contains("&lt;b&gt;Ann"), "{}", written.html);
    }

    #[test]
    fn a_language_is_known_by_code_or_locale_and_english_otherwise() {
        let of = |code| Language::of(code).code();
        assert_eq!([of("nl"), of("DE"), of("fr-BE"), of("de_AT")], ["nl", "de", "fr", "de"]);
        assert_eq!([of("en-GB"), of("pl"), of(""), of("nld")], ["en"; 4]);
    }

    #[test]
    fn spans_are_told_in_the_largest_unit_that_fits() {
        let told = |seconds| Language::English.span(seconds);
        assert_eq!(told(604_800), "7 days");
        assert_eq!(told(86_400), "24 hours");
        assert_eq!(told(3_600), "1 hour");
        assert_eq!(told(5_400), "1 hour");
        assert_eq!(told(1_200), "20 minutes");
        assert_eq!(told(1), "1 minute");
        assert_eq!(Language::German.span(604_800), "7 Tage");
    }
}
