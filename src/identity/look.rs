//! The looks of user names: a name that passes for another would let its owner pass for somebody else.

use crate::{campaigns::terms::NAME_MAX, error::Result, text::is_ignorable, transaction};
use sqlx::PgPool;
use unicode_normalization::UnicodeNormalization;
use unicode_security::{
    MixedScript, RestrictionLevel, RestrictionLevelDetection, confusable_detection::skeleton,
};

/// Names that are looked at in one transaction.
const BATCH: i64 = 1_000;

/// The longest name that can be one, in bytes: each character has at most 4.
const BYTES_MAX: usize = 4 * NAME_MAX;

/// The one spelling (NFKC) of a name: full-width letters become plain ones. What is too long for a name stays as it is.
pub fn spelled(name: &str) -> String {
    if name.len() > BYTES_MAX {
        return name.to_owned();
    }
    name.nfkc().collect::<String>().trim().to_owned()
}

/// Returns the look of a name (the skeleton of UTS #39), in any letters.
pub fn look(name: &str) -> String {
    let plain: String =
        spelled(name).to_lowercase().chars().filter(|&character| !is_ignorable(character)).collect();
    // The prototype of a digit may be a capital.
    skeleton(&plain).collect::<String>().to_lowercase()
}

/// Returns the fault of a name that could pass for another, if it has one.
pub fn flaw(name: &str) -> Option<&'static str> {
    if name.chars().any(is_ignorable) {
        return Some("must not contain characters that nobody sees");
    }
    let mut words =
        name.split(|character: char| !character.is_alphanumeric()).filter(|word| !word.is_empty());
    words
        .any(|word| {
            !word.is_single_script() && !word.check_restriction_level(RestrictionLevel::HighlyRestrictive)
        })
        .then_some("must not mix letters of several scripts in one word")
}

/// Notes the look of the names that have none yet.
pub async fn give_looks(db: &PgPool) -> Result<()> {
    const NEXT: &str = "
        SELECT id, username FROM account WHERE id > $1 AND look IS NULL AND username NOT LIKE 'erased-%'
        ORDER BY id LIMIT $2";
    const NOTE: &str = "UPDATE account SET look = $2 WHERE id = $1";
    let mut last = 0;
    loop {
        let mut tx = transaction::begin(db).await?;
        let names: Vec<(i64, String)> =
            sqlx::query_as(NEXT).bind(last).bind(BATCH).fetch_all(&mut *tx).await?;
        let Some(&(newest, _)) = names.last() else { return Ok(()) };
        last = newest;
        for (id, name) in names {
            sqlx::query(NOTE).bind(id).bind(look(&name)).execute(&mut *tx).await?;
        }
        tx.commit().await?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_looks_alike_has_one_look() {
        for (name, other) in [
            ("demo", "DEMO"),
            ("demo", "d\u{435}m\u{43e}"),
            ("demo", "\u{ff44}\u{ff45}\u{ff4d}\u{ff4f}"),
            ("demo", "de\u{ad}mo"),
            ("demo", "de\u{200b}mo"),
            ("coco", "\u{441}\u{43e}\u{441}\u{43e}"),
            ("anna1", "annal"),
            ("bob0", "bobO"),
        ] {
            assert_eq!(look(name), look(other), "{name} {other}");
        }
        for (name, other) in [("ann", "anna"), ("jose", "josé"), ("иван", "ivan")] {
            assert_ne!(look(name), look(other), "{name} {other}");
        }
    }

    #[test]
    fn names_of_the_world_are_good_and_mixed_ones_are_not() {
        for name in [
            "Ann Jansen",
            "j.jansen-2",
            "安娜",
            "山田Taro",
            "Иван Петров",
            "Anna Иванова",
            "محمد",
            "אנה",
            "ann@example.com",
            "Łukasz",
            "Dvořák",
            "क्षमा",
            "김민준",
            "Σωκράτης",
            "R2-D2 ☕",
        ] {
            assert_eq!(flaw(&spelled(name)), None, "{name}");
        }
        for (name, word) in [
            ("d\u{435}mo", "scripts"),
            ("\u{430}nn jansen", "scripts"),
            ("de\u{ad}mo", "nobody"),
            ("ann\u{200d}", "nobody"),
            ("ann\u{e0041}", "nobody"),
        ] {
            assert!(flaw(name).is_some_and(|flaw| flaw.contains(word)), "{name:?}");
        }
    }
}
