//! The name that a mail addresses someone by. Others may have chosen it, and its reader may never have heard of
//! this server: so it must not advertise.

/// The most characters of a name in a mail.
const CHARS_MAX: usize = 60;

/// The most words: more are a sentence.
const WORDS_MAX: usize = 5;

/// A name as mails to `address` show it; empty where they greet without one. A name is letters, digits and what
/// joins them; a dot within it is parted from what follows, so that no mail program makes a link of it.
pub(super) fn shown(name: &str, address: &str) -> String {
    if name.eq_ignore_ascii_case(address) {
        return name.to_owned();
    }
    let joins = |character: char| " .-_'’·,()&".contains(character);
    let is_plain = name.chars().all(|character| {
        character.is_alphanumeric()
            || unicode_normalization::char::is_combining_mark(character)
            || joins(character)
    });
    if !is_plain || name.chars().count() > CHARS_MAX || name.split_whitespace().count() > WORDS_MAX {
        return String::new();
    }
    unlinked(name)
}

/// A text that somebody typed, in which no mail program finds an address: what follows a dot, a colon or an @ is
/// parted from it. Decimals stay.
pub(super) fn unlinked(text: &str) -> String {
    let mut parted = String::with_capacity(text.len());
    let mut before = ' ';
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        parted.push(character);
        let next = characters.peek().copied().unwrap_or(' ');
        let joins = match character {
            '.' => next.is_alphanumeric() && !(before.is_ascii_digit() && next.is_ascii_digit()),
            ':' => next == '/' || next.is_alphabetic(),
            '@' => next.is_alphanumeric(),
            _ => false,
        };
        if joins {
            parted.push(' ');
        }
        before = character;
    }
    parted
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn people_are_called_by_their_names() {
        for name in
            ["ann", "Ann Jansen-de Vries", "O’Neill & Co", "安娜", "Иван Петров", "vm_filler 2", "क्षमा"]
        {
            assert_eq!(shown(name, "ann@example.com"), name);
        }
        assert_eq!(shown("a.jansen", "ann@example.com"), "a. jansen");
        assert_eq!(shown("Ann@example.com", "ann@EXAMPLE.com"), "Ann@example.com", "it is the reader's own");
    }

    #[test]
    fn a_name_does_not_advertise() {
        for name in [
            "Your account is locked - unlock at evil.example/unlock",
            "https://evil.example",
            "bob@evil.example",
            "mailto:bob",
            "a\nb",
            "a\u{2028}b",
            "you have won one million euros today",
            "evil\u{ff0e}example",
            &"x".repeat(61),
        ] {
            assert_eq!(shown(name, "ann@example.com"), "", "{name}");
        }
        assert_eq!(shown("www.evil.example", "ann@example.com"), "www. evil. example");
        let bait = "Unlock at https://evil.example/x or bob@evil.example, 2.5 l, 10:30";
        assert_eq!(unlinked(bait), "Unlock at https: //evil. example/x or bob@ evil. example, 2.5 l, 10:30");
    }

    proptest! {
        #[test]
        fn nothing_in_a_greeting_becomes_a_link(name in "[a-c./:@ -]{0,30}|\\PC{0,80}") {
            let shown = shown(&name, "ann@example.com");
            prop_assert!(!shown.contains(['/', ':', '@', '<', '\n', '\r']) && shown.chars().count() <= 2 * CHARS_MAX);
            let characters: Vec<char> = shown.chars().collect();
            let links = characters.windows(3).any(|part| {
                part[0].is_alphabetic() && part[1] == '.' && part[2].is_alphanumeric()
            });
            prop_assert!(!links, "{shown}");
        }
    }
}
