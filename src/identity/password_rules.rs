//! What a password has to be: long, and not what everyone tries first. Pure.

use crate::error::{Error, Result};

/// The fewest characters.
pub const CHARS_MIN: usize = 12;

/// The most bytes: more only keeps the server busy.
pub const BYTES_MAX: usize = 1024;

/// Passwords that are tried first, one a line, of those that are long enough.
const COMMON: &str = include_str!("common_passwords.txt");

/// Checks a new password, whoever it is for.
pub fn check(password: &str) -> Result<()> {
    if password.chars().count() < CHARS_MIN {
        return refuse("must have at least 12 characters");
    }
    if password.len() > BYTES_MAX {
        return refuse("must have at most 1024 bytes");
    }
    let lower = password.to_lowercase();
    let bare = lower.trim();
    let mut letters = bare.chars();
    let first = letters.next();
    if letters.all(|letter| Some(letter) == first) || COMMON.lines().any(|common| common == bare) {
        return refuse("is one of the most common passwords");
    }
    Ok(())
}

/// Checks a new password for the user with this name and address.
pub fn check_for(password: &str, username: &str, email: &str) -> Result<()> {
    let password = password.trim().to_lowercase();
    if [username, email].iter().any(|own| own.to_lowercase() == password) {
        return refuse("must not be the user name or the e-mail address");
    }
    Ok(())
}

fn refuse(detail: &'static str) -> Result<()> {
    Err(Error::invalid("/password", detail))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn refused(password: &str) -> bool {
        check(password).and_then(|()| check_for(password, "annabel.jansen", "annabel@example.com")).is_err()
    }

    #[test]
    fn short_common_and_own_words_are_refused() {
        for bad in [
            "",
            "elevenchars",
            "éééééé",
            "annabel.jansen",
            "ANNABEL@example.com",
            "Password1234",
            "123456789012",
            "aaaaaaaaaaaaaaaa",
            "            ",
            " qwertyuiop123 ",
            &"x1".repeat(513),
        ] {
            assert!(refused(bad), "{bad}");
        }
        for good in ["twelve chars", "correct horse battery staple", "ééééééééééèè", &"x1".repeat(512)]
        {
            assert!(!refused(good), "{good}");
        }
    }

    #[test]
    fn the_list_holds_only_what_the_length_does_not_refuse() {
        let mut before = "";
        for line in COMMON.lines() {
            assert!(line.chars().count() >= CHARS_MIN && line == line.to_lowercase(), "{line}");
            assert!(before < line, "{line} is not in its place");
            before = line;
        }
    }

    proptest! {
        #[test]
        fn anything_is_judged_by_length_unless_it_is_known(password in "\\PC{0,40}") {
            let long = password.chars().count() >= CHARS_MIN;
            prop_assert!(long || refused(&password));
        }
    }
}
