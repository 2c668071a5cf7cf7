//! Mails that tell what began and what ended at machines, to people who need no account.

use super::{
    greeting::{shown, unlinked},
    letter::{Language, Letter, Written, fill},
};
use crate::error::Result;
use minijinja::{Value, context};
use serde::{Deserialize, Serialize};

/// What such a mail says, kept as it was when it was asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bulletin {
    /// Whom it addresses.
    pub name: String,
    /// In which language, as ISO 639.
    pub language: String,
    /// How much happened in all.
    pub total: usize,
    /// The first of it.
    pub lines: Vec<Line>,
    /// Lines that were left out.
    pub more: usize,
}

/// Something that happened somewhere.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// What.
    pub what: String,
    /// At which machine, and where that stands.
    pub place: String,
    /// When at first, by the clock there.
    pub when: String,
    /// How often.
    pub times: usize,
}

impl Bulletin {
    /// Writes it as a letter.
    pub fn write(&self, letter: Letter, server: &str) -> Result<Written> {
        let lines: Vec<Line> = self.lines.iter().map(Line::on_one_line).collect();
        let listing: Vec<String> = lines.iter().map(Line::told).collect();
        let listing = listing.join("\n");
        let lines: Vec<Value> = lines.iter().map(Line::facts).collect();
        let Self { name, total, more, .. } = self;
        let facts = context! { name => shown(name, ""), server, total, more, lines, listing };
        fill(letter, Language::of(&self.language), facts)
    }
}

impl Line {
    /// Machines and people name things; whatever they put in, it stays in its place.
    fn on_one_line(&self) -> Self {
        let Self { what, place, when, times } = self;
        Self {
            what: unlinked(&one_line(what)),
            place: unlinked(&one_line(place)),
            when: when.clone(),
            times: *times,
        }
    }

    fn facts(&self) -> Value {
        let Self { what, place, when, times } = self;
        context! { what, place, when, times }
    }

    fn told(&self) -> String {
        let Self { what, place, when, times } = self;
        let often = if *times > 1 { format!(" ({times}×)") } else { String::new() };
        format!("- {what} – {place} – {when}{often}")
    }
}

fn one_line(text: &str) -> String {
    let blank = |c: char| if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') { ' ' } else { c };
    text.chars().map(blank).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(what: &str, times: usize) -> Line {
        Line {
            what: what.to_owned(),
            place: "Coffee, Centraal".to_owned(),
            when: "2026-06-01 14:00 CEST".to_owned(),
            times,
        }
    }

    fn bulletin(language: &str, lines: Vec<Line>, more: usize) -> Bulletin {
        let total = lines.iter().map(|line| line.times).sum::<usize>() + more;
        Bulletin { name: "Ann".to_owned(), language: language.to_owned(), total, lines, more }
    }

    #[test]
    fn one_alert_says_in_its_subject_what_and_where() {
        let mut subjects = std::collections::BTreeSet::new();
        for language in ["en", "nl", "de", "fr"] {
            for letter in [Letter::Alert, Letter::Recovery] {
                let written =
                    bulletin(language, vec![line("Water: empty", 1)], 0).write(letter, "https://s").unwrap();
                assert!(written.subject.ends_with("Water: empty, Coffee, Centraal"), "{}", written.subject);
                for part in ["Ann", "2026-06-01 14:00 CEST", "https://s"] {
                    assert!(written.text.contains(part), "{language} {letter:?}: {}", written.text);
                }
                assert!(
                    written.html.contains("<td") && written.html.contains(&format!("lang=\"{language}\""))
                );
                assert!(!written.text.contains("{{") && !written.html.contains("{{"));
                subjects.insert(written.subject);
            }
        }
        assert_eq!(subjects.len(), 8, "{subjects:?}");
    }

    #[test]
    fn a_storm_is_counted_and_cut_short() {
        let mut subjects = std::collections::BTreeSet::new();
        for language in ["en", "nl", "de", "fr"] {
            for letter in [Letter::Alert, Letter::Recovery] {
                let storm = bulletin(language, vec![line("Jam", 3), line("Door", 1)], 37);
                let written = storm.write(letter, "https://s").unwrap();
                assert!(written.subject.contains("41"), "{}", written.subject);
                assert!(written.text.contains("(3×)") && written.text.contains("37"), "{}", written.text);
                assert_eq!(written.html.matches("<tr").count(), 2, "{}", written.html);
                subjects.insert(written.subject);
            }
        }
        assert_eq!(subjects.len(), 8, "{subjects:?}");
    }

    #[test]
    fn what_machines_say_stays_text_in_its_place() {
        let nasty = bulletin("en", vec![line("a\r\n\r\nBcc: all\u{2028}<b>", 1)], 0);
        let written = nasty.write(Letter::Alert, "https://s").unwrap();
        assert!(!written.subject.contains(['\r', '\n']) && written.subject.contains("Bcc: all <b>"));
        assert!(!written.html.contains("<b>"));
    }
}
