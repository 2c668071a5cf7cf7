//! Codes: how they are made, and how what a scanner or a person typed finds them again.

use rand::{CryptoRng, RngExt};
use std::fmt;
use unicode_normalization::UnicodeNormalization;

/// What generated bodies are made of: no 0/O, no 1/I/L. A prime number of characters, which is
/// what lets one check character catch every wrong character and every swap of neighbours.
const ALPHABET: &[u8; 31] = b"23456789ABCDEFGHJKMNPQRSTUVWXYZ";

/// Random characters of a body at least, whatever the campaign's size: 31¹¹ ≈ 2.5 · 10¹⁶.
const BODY_RANDOM_MIN: u32 = 11;

/// One guess in this many may hit a voucher at most.
const GUESSES_PER_HIT: f64 = 1e9;

/// The longest code that is looked up or stored, in bytes.
pub const CODE_MAX_BYTES: usize = 80;

/// The longest prefix, in characters.
const PREFIX_MAX: usize = 5;

/// The longest text that may compose to such a code, in bytes.
const DECOMPOSED_MAX_BYTES: usize = 4 * CODE_MAX_BYTES;

/// The prefix of generated codes where none is asked for.
pub const PREFIX_DEFAULT: &str = "00000";

/// A code as it is looked up: in its [normal form](normal), and with look-alikes folded.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Code {
    upper: String,
    key: String,
}

/// The one form in which codes are compared (`voucher.form`): upper case in NFC, so that neither the case nor
/// the way in which a keyboard puts letters together matters, and `straße` is `STRASSE`.
pub fn normal(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_uppercase();
    }
    let composed: String = text.nfc().collect();
    // By way of lower case: a capital sharp s is its own upper case, and only its lower case is SS.
    composed.to_lowercase().to_uppercase().nfc().collect()
}

/// An own code as it is kept: composed (NFC), otherwise as it was given.
pub fn kept(text: &str) -> String {
    text.nfc().collect()
}

/// Returns `true` if a spreadsheet would take an own code for a formula, or a reader would not see where it begins.
pub fn begins_badly(text: &str) -> bool {
    // The wide forms of these signs count as the signs.
    text.nfkc().next().is_some_and(|first| matches!(first, '=' | '+' | '-' | '@') || first.is_whitespace())
}

impl Code {
    /// Reads what was scanned or typed: case and surrounding space do not matter.
    /// `None` if no code can look like that.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        // Decomposed it may be longer than it is stored.
        if text.is_empty() || text.len() > DECOMPOSED_MAX_BYTES || text.chars().any(char::is_control) {
            return None;
        }
        if text.len() > CODE_MAX_BYTES && text.nfc().map(char::len_utf8).sum::<usize>() > CODE_MAX_BYTES {
            return None;
        }
        let upper = normal(text);
        let key = fold(&upper);
        Some(Self { upper, key })
    }

    /// What vouchers are indexed by (`voucher.key`): equal for codes that a person could mix up.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// In the normal form: what one request and its repetition share.
    pub fn upper(&self) -> &str {
        &self.upper
    }

    /// The form that all spellings share which find a voucher with this code, and no other code has: the key of
    /// a generated code, an own code in upper case. What has the form of a generated code counts as one, so that
    /// no spelling has two identities where an own code is the copy of a generated one.
    pub fn identity(&self, generated: bool) -> &str {
        if generated || looks_generated(&self.key) { &self.key } else { &self.upper }
    }

    /// Whether this is the code of a voucher with `stored` code: a generated one forgives
    /// look-alikes, an own one stands as it is.
    pub fn names(&self, stored: &str, generated: bool) -> bool {
        if !stored.is_ascii() {
            let stored = normal(stored);
            return if generated { fold(&stored) == self.key } else { stored == self.upper };
        }
        let upper = stored.bytes().map(|byte| byte.to_ascii_uppercase());
        if generated { upper.map(fold_byte).eq(self.key.bytes()) } else { upper.eq(self.upper.bytes()) }
    }
}

impl fmt::Display for Code {
    /// For logs: never the whole code.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown: String = self.upper.chars().take(3).collect();
        write!(f, "{shown}…")
    }
}

/// O reads as 0, I and L as 1.
fn fold(upper: &str) -> String {
    upper.chars().map(|c| if c.is_ascii() { char::from(fold_byte(c as u8)) } else { c }).collect()
}

const fn fold_byte(upper: u8) -> u8 {
    match upper {
        b'O' => b'0',
        b'I' | b'L' => b'1',
        byte => byte,
    }
}

/// Returns `true` if a key is that of a code as [`generate`] makes it, its check character included.
fn looks_generated(key: &str) -> bool {
    let Some((prefix, body)) = key.split_once('-') else { return false };
    (1..=PREFIX_MAX).contains(&prefix.len())
        && prefix.bytes().all(|byte| byte.is_ascii_alphanumeric())
        && body.len() > BODY_RANDOM_MIN as usize
        && body.bytes().all(|byte| ALPHABET.contains(&byte))
        && is_intact(key)
}

/// Random characters that a body needs so that one guess hits one of `vouchers` codes with a
/// probability under 10⁻⁹. The check character is not one of them: a guesser computes it too.
fn random_chars(vouchers: u64) -> u32 {
    let needed = (vouchers.max(1) as f64 * GUESSES_PER_HIT).log(ALPHABET.len() as f64).ceil();
    BODY_RANDOM_MIN.max(needed as u32 + 1)
}

/// Makes a code `PREFIX-BODY` for a campaign of `vouchers`; the body's last character checks the rest.
pub fn generate(prefix: &str, vouchers: u64, rng: &mut impl CryptoRng) -> String {
    let chars = random_chars(vouchers) as usize;
    let mut code = String::with_capacity(prefix.len() + chars + 2);
    code.push_str(prefix);
    code.push('-');
    for _ in 0..chars {
        code.push(char::from(ALPHABET[rng.random_range(0..ALPHABET.len())]));
    }
    code.push(check_char(&code));
    code
}

/// Whether `code` ends in its own check character; look-alikes and case are forgiven first.
pub fn is_intact(code: &str) -> bool {
    let folded = fold(&code.trim().to_uppercase());
    match folded.char_indices().next_back() {
        Some((at, last)) => check_char(&folded[..at]) == last,
        None => false,
    }
}

/// Weighted sum over all characters before it, modulo 31.
fn check_char(code: &str) -> char {
    let upper = fold(&code.to_uppercase());
    let characters = upper.bytes().filter(u8::is_ascii_alphanumeric);
    let sum: usize = characters.zip(1..).map(|(byte, place)| weight(place) * value(byte)).sum();
    char::from(ALPHABET[sum % ALPHABET.len()])
}

/// Never 0 modulo 31, and never the same for neighbours.
const fn weight(place: usize) -> usize {
    place % 30 + 1
}

fn value(byte: u8) -> usize {
    ALPHABET.iter().position(|&letter| letter == byte).unwrap_or(usize::from(byte))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::{collection::vec, prelude::*};
    use rand::{SeedableRng, rngs::StdRng};

    #[test]
    fn a_guess_hits_less_than_once_in_a_billion() {
        for vouchers in [1, 1_000, 1_000_000, 100_000_000, 1_000_000_000_000] {
            let space = (ALPHABET.len() as f64).powi(random_chars(vouchers) as i32);
            assert!(vouchers as f64 / space < 1e-9, "{vouchers}");
        }
    }

    #[test]
    fn lookalikes_find_generated_codes_and_only_those() {
        let code = Code::parse("  oOo0o-abcd ").unwrap();
        assert!(code.names("00000-ABCD", true));
        assert!(!code.names("00000-ABCD", false));
        assert!(code.names("OoO0O-abcd", false));
        assert_eq!(Code::parse("COLA").unwrap().key(), Code::parse("C01A").unwrap().key());
        assert_eq!(Code::parse("   "), None);
        assert_eq!(Code::parse("a\u{0}b"), None);
    }

    #[test]
    fn own_codes_that_look_alike_have_identities_of_their_own() {
        let identity = |typed: &str| Code::parse(typed).unwrap().identity(false).to_owned();
        assert_eq!(identity(" cola"), "COLA");
        assert_eq!(identity("C0LA"), "C0LA");
        assert_eq!(identity("COLA-SUMMERBREEZES"), "COLA-SUMMERBREEZES");
        assert_eq!(identity("O-23456789ABC"), "O-23456789ABC", "too short to be generated");
    }

    #[test]
    fn every_spelling_of_a_code_has_one_form() {
        let same = [
            &["Caf\u{e9}", "Cafe\u{301}", "CAF\u{c9}", "CAFE\u{301}"][..],
            &["Stra\u{df}e", "STRASSE", "strasse", "STRA\u{1e9e}E"],
            &["\u{fb01}x", "FIX", "fix"],
            &["\u{3c3}\u{3c2}", "\u{3a3}\u{3a3}", "\u{3c3}\u{3c3}"],
            &["\u{212a}", "k", "K"],
            &["\u{130}", "i\u{307}", "I\u{307}"],
        ];
        for spellings in same {
            for text in spellings {
                let code = Code::parse(text).unwrap();
                for stored in spellings {
                    assert!(code.names(stored, false) && code.names(stored, true), "{text} {stored}");
                }
            }
        }
        let apart = [("Cafe", "Caf\u{e9}"), ("o", "0"), ("\u{b2}", "2")];
        for (one, other) in apart {
            assert!(!Code::parse(one).unwrap().names(other, false), "{one} {other}");
        }
    }

    #[test]
    fn a_code_is_as_long_as_it_is_stored() {
        let composed = "\u{e9}".repeat(40);
        let decomposed: String = composed.nfd().collect();
        assert_eq!(Code::parse(&decomposed), Code::parse(&composed));
        assert!(Code::parse(&composed).is_some());
        assert_eq!(Code::parse(&"\u{e9}".repeat(41)), None);
        assert_eq!(Code::parse(&"e\u{301}".repeat(41)), None);
        assert_eq!(Code::parse(&"a".repeat(81)), None);
    }

    #[test]
    fn an_own_code_begins_with_what_is_seen_and_no_formula() {
        for bad in ["=1", "+1", "-1", "@x", " x", "\u{a0}x", "\u{ff1d}1", "\u{3000}x"] {
            assert!(begins_badly(bad), "{bad:?}");
        }
        for good in ["x=1", "1-1", "\u{e9}", "#1", ""] {
            assert!(!begins_badly(good), "{good:?}");
        }
    }

    #[test]
    fn a_log_line_never_holds_the_code() {
        assert_eq!(Code::parse("00000-23456789ABC").unwrap().to_string(), "000…");
    }

    proptest! {
        #[test]
        fn the_normal_form_is_of_itself_and_of_all_cases_and_compositions(text in "\\PC{1,6}") {
            let form = normal(&text);
            prop_assert_eq!(&normal(&form), &form);
            prop_assert_eq!(&normal(&kept(&text)), &form);
            prop_assert_eq!(&normal(&text.nfd().collect::<String>()), &form);
            prop_assert_eq!(&normal(&text.to_lowercase()), &form);
            prop_assert_eq!(&normal(&text.to_uppercase()), &form);
        }

        #[test]
        fn a_code_is_told_byte_by_byte_as_it_is_as_text(
            typed in "[0OoIiLl1Aa\u{df}\u{e9}-]{1,6}", stored in "[0OoIiLl1Aa\u{df}\u{e9}-]{1,6}", generated: bool,
        ) {
            let code = Code::parse(&typed).unwrap();
            let (ours, theirs) = (normal(&typed), normal(&stored));
            let same = if generated { fold(&ours) == fold(&theirs) } else { ours == theirs };
            prop_assert_eq!(code.names(&stored, generated), same);
        }

        #[test]
        fn a_generated_code_has_one_identity_in_every_spelling(
            seed: u64, prefix in "[0OoIiLl1a-zA-Z]{1,5}", spelling in vec(0usize..3, 40), generated: bool,
        ) {
            let printed = generate(&prefix, 1_000, &mut StdRng::seed_from_u64(seed));
            let spelled: String = printed.chars().zip(&spelling).map(|(c, &nth)| match c.to_ascii_uppercase() {
                '0' | 'O' => ['0', 'O', 'o'][nth],
                '1' | 'I' | 'L' => ['1', 'i', 'L'][nth],
                other if nth == 0 => other.to_ascii_lowercase(),
                other => other,
            }).collect();
            let [printed, spelled] = [printed, format!(" {spelled} ")].map(|code| Code::parse(&code).unwrap());
            prop_assert_eq!(spelled.identity(generated), printed.identity(true));
        }

        #[test]
        fn the_check_character_catches_a_wrong_character_and_a_swap(
            seed: u64, prefix in "[a-zA-Z0-9]{1,5}", at in 0usize..12, other in 0usize..31,
        ) {
            let code = generate(&prefix, 1_000, &mut StdRng::seed_from_u64(seed));
            prop_assert!(is_intact(&code));
            prop_assert!(is_intact(&code.to_lowercase()));
            let body = prefix.len() + 1;
            let mut wrong = code.clone().into_bytes();
            wrong[body + at] = ALPHABET[other];
            let wrong = String::from_utf8(wrong).unwrap();
            prop_assert_eq!(is_intact(&wrong), wrong == code);
            if at > 0 {
                let mut swapped = code.clone().into_bytes();
                swapped.swap(body + at - 1, body + at);
                let swapped = String::from_utf8(swapped).unwrap();
                prop_assert_eq!(is_intact(&swapped), swapped == code);
            }
        }
    }
}
