//! Text that people enter and others read, on screens and on paper: what must not be in it.
//!
//! Refused is what can only deceive or break: characters that nobody sees and that turn the text
//! around them, break lines or pile up over them. What real texts need stays: joiners of Persian and
//! emoji, the marks U+200E and U+200F of Arabic and Hebrew, fonts' own characters.

use unicode_normalization::char::is_combining_mark;

/// Combining marks that one character can carry: more than any script needs.
const MARKS_MAX: usize = 8;

/// What is wrong with a text of one line, if anything is.
pub fn flaw(text: &str) -> Option<&'static str> {
    text.chars()
        .find_map(flaw_of)
        .or_else(|| is_piled_up(text).then_some("must not have more than 8 combining marks on one character"))
}

/// What is wrong with a text that may have several lines.
pub fn flaw_of_lines(text: &str) -> Option<&'static str> {
    flaw(&text.replace(['\n', '\r', '\t'], " "))
}

fn flaw_of(character: char) -> Option<&'static str> {
    match character {
        c if c.is_control() => Some("must not contain control characters"),
        '\u{2028}' | '\u{2029}' => Some("must not contain U+2028 or U+2029, which break lines"),
        // Embeddings, overrides and isolates outlive the text that they are in; U+206A to U+206F are
        // deprecated switches of the same kind.
        '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{206f}' => {
            Some("must not contain characters that turn text around: U+202A to U+202E, U+2066 to U+206F")
        }
        // Unicode's noncharacters are for use within programs.
        c if ('\u{fdd0}'..='\u{fdef}').contains(&c) || u32::from(c) & 0xFFFE == 0xFFFE => {
            Some("must not contain code points that are no characters")
        }
        _ => None,
    }
}

/// Whether marks are piled upon one character, whatever invisible stands between them.
fn is_piled_up(text: &str) -> bool {
    let mut marks = 0;
    for character in text.chars() {
        if is_combining_mark(character) {
            marks += 1;
        } else if !matches!(character, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2060}'..='\u{2064}' | '\u{feff}')
        {
            marks = 0;
        }
        if marks > MARKS_MAX {
            return true;
        }
    }
    false
}

/// True for characters that nobody sees: those that Unicode has ignored by default, and U+2800, a blank of Braille.
pub const fn is_ignorable(character: char) -> bool {
    matches!(character,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}'
        | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fff8}' | '\u{1bca0}'..='\u{1bca3}'
        | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn texts_of_all_scripts_are_good() {
        for text in [
            "",
            "Gratis koffie ☕ – één per dag",
            "Անվճար սուրճ",
            "قهوة مجانيّة\u{200f} 1",
            "می\u{200c}خواهم",
            "קָפֶה חִנָּם\u{200e}",
            "बिना मूल्य क\u{94d}\u{200d}ष",
            "กาแฟฟรี ที่นี่",
            "བསྒྲུབས",
            "👩\u{200d}👩\u{200d}👧\u{fe0f} 🏴\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e007f}",
            "Z\u{351}\u{36b}\u{343}\u{32a}\u{302}\u{36b}\u{33d}\u{34f}a",
            "\u{e000}\u{f8ff}",
        ] {
            assert_eq!(flaw(text), None, "{text}");
        }
    }

    #[test]
    fn what_deceives_or_breaks_is_refused() {
        for (text, word) in [
            ("a\u{0}", "control"),
            ("a\n", "control"),
            ("\u{7f}", "control"),
            ("\u{85}", "control"),
            ("\u{9b}31m", "control"),
            ("a\u{2028}b", "break"),
            ("a\u{2029}", "break"),
            ("\u{202e}05 €", "turn"),
            ("\u{202a}\u{202c}", "turn"),
            ("\u{2066}a\u{2069}", "turn"),
            ("\u{206a}", "turn"),
            ("\u{fdd0}", "no characters"),
            ("\u{ffff}", "no characters"),
            ("\u{10fffe}", "no characters"),
            (&format!("a{}", "\u{301}".repeat(9)), "marks"),
            (&format!("a{}", "\u{301}\u{200d}".repeat(9)), "marks"),
        ] {
            assert!(flaw(text).is_some_and(|flaw| flaw.contains(word)), "{text:?}");
        }
        assert_eq!(flaw_of_lines("a\r\n\tb"), None);
        assert!(flaw_of_lines("a\u{b}b").is_some() && flaw_of_lines("a\u{2028}b").is_some());
    }

    proptest! {
        #[test]
        fn a_flaw_stays_whatever_is_around_it(
            before in "\\PC{0,20}", after in "\\PC{0,20}",
            bad in prop::sample::select(vec!['\0', '\u{202d}', '\u{2067}', '\u{2029}', '\u{1fffe}']),
        ) {
            let text = format!("{before}{bad}{after}");
            prop_assert!(flaw(&text).is_some());
        }
    }
}
