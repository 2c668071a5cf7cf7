//! What a user is made from, and how one changes: pure.

use crate::{
    campaigns::terms::{Checks, NAME_MAX},
    error::Result,
    http::extract::present,
    identity::{
        look::{self, spelled},
        recovery::check_address,
    },
};
use serde::Deserialize;
use utoipa::ToSchema;

/// A user to be created.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct UserDraft {
    /// What it logs in with; nobody else's whom the caller reaches, and not for a while after: names are never
    /// given twice. Where somebody elsewhere had it before, the user logs in with its e-mail address.
    #[schema(min_length = 1, max_length = 200, examples("ann"))]
    pub username: String,
    /// Where it gets its mail, the one for its first password to begin with. An address that belongs to an
    /// account elsewhere is claimed in vain: who reads its mail is told so, and nobody else.
    #[schema(max_length = 254, examples("ann@example.com"))]
    pub email: String,
    /// The group that it is to belong to: the caller's, or one below.
    pub user_group: i64,
    /// What it is addressed in.
    pub language: i64,
}

/// What can change about a user: what is absent stays.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct UserPatch {
    /// What it logs in with.
    #[serde(deserialize_with = "present")]
    #[schema(value_type = String, min_length = 1, max_length = 200, examples("ann"))]
    pub username: Option<String>,
    /// Where it gets its mail. A new address has to be confirmed, and the old one is told.
    #[serde(deserialize_with = "present")]
    #[schema(value_type = String, max_length = 254, examples("ann@example.com"))]
    pub email: Option<String>,
    /// The group that it belongs to: the caller's, or one below.
    #[serde(deserialize_with = "present")]
    #[schema(value_type = i64)]
    pub user_group: Option<i64>,
    /// What it is addressed in.
    #[serde(deserialize_with = "present")]
    #[schema(value_type = i64)]
    pub language: Option<i64>,
}

/// What is stored of a user, as far as this changes it.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Stored {
    /// What it logs in with.
    pub username: String,
    /// Its address.
    pub email: String,
    /// Its group.
    pub user_group: i64,
    /// Its language.
    pub language: i64,
    /// Whether it has a password.
    #[sqlx(default)]
    pub activated: bool,
    /// `true` once somebody has shown that the address is theirs.
    #[sqlx(default)]
    pub confirmed: bool,
}

impl UserDraft {
    /// Checks the draft by itself, without looking at what is there.
    pub fn check(self) -> Result<Stored> {
        let stored = Stored {
            username: spelled(&self.username),
            email: self.email.trim().to_owned(),
            user_group: self.user_group,
            language: self.language,
            activated: false,
            confirmed: false,
        };
        check_name(&stored)?;
        check_address(&stored.email)?;
        Ok(stored)
    }
}

impl UserPatch {
    /// What `before` becomes.
    pub fn apply(self, before: &Stored) -> Result<Stored> {
        let (named, addressed) = (self.username.is_some(), self.email.is_some());
        let trimmed = |text: Option<String>, old: &str| text.as_deref().map_or(old, str::trim).to_owned();
        let email = trimmed(self.email, &before.email);
        // A name that is an address which was never confirmed is no more than a claim, and goes with it.
        let is_claim = !before.confirmed && before.username.eq_ignore_ascii_case(&before.email);
        let username = if is_claim && !named { &email } else { &before.username };
        let after = Stored {
            username: self.username.map_or_else(|| username.clone(), |name| renamed(&name, before)),
            email,
            user_group: self.user_group.unwrap_or(before.user_group),
            language: self.language.unwrap_or(before.language),
            activated: before.activated,
            confirmed: before.confirmed,
        };
        if addressed && after.email != before.email {
            check_address(&after.email)?;
        }
        // A name that is the old address stays as it is.
        if after.username != before.username || named && is_claim {
            check_name(&after)?;
        }
        Ok(after)
    }
}

impl Stored {
    /// Whether it has another address than `before`, and not only in other letters.
    pub fn moved_from(&self, before: &Self) -> bool {
        !self.email.eq_ignore_ascii_case(&before.email)
    }
}

fn check_name(user: &Stored) -> Result<()> {
    let mut checks = Checks::default();
    checks.name("/username", &user.username);
    if let Some(flaw) = look::flaw(&user.username) {
        checks.wrong("/username", flaw);
    }
    // Or whoever took another's address for a name would be in its way when it logs in by that.
    if user.username.contains('@') && !user.username.eq_ignore_ascii_case(&user.email) {
        checks.wrong("/username", "with an @ must be the user's own e-mail address");
    }
    checks.done()
}

/// A name in its one spelling; one that is as it was before stays.
fn renamed(name: &str, before: &Stored) -> String {
    if name.trim() == before.username { before.username.clone() } else { spelled(name) }
}

/// The longest user name, in characters.
const _: () = assert!(NAME_MAX == 200, "the documents above say so");

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::extract::parse;

    fn stored() -> Stored {
        Stored {
            username: "ann".to_owned(),
            email: "ann@example.com".to_owned(),
            user_group: 2,
            language: 1,
            activated: true,
            confirmed: true,
        }
    }

    fn refused(username: &str, email: &str) -> Option<String> {
        let draft =
            UserDraft { username: username.to_owned(), email: email.to_owned(), user_group: 2, language: 1 };
        let problem = draft.check().err()?.problem();
        assert_eq!(problem.status, 422);
        Some(problem.errors[0].pointer.to_string())
    }

    #[test]
    fn a_draft_is_refused_where_it_is_wrong() {
        for name in [
            "",
            "  ",
            "a\0b",
            "a\nb",
            "ann\u{202e}",
            "a\u{200b}nn",
            "a\u{ad}nn",
            "\u{430}nn",
            "bob@example.com",
            &"x".repeat(201),
        ] {
            assert_eq!(refused(name, "ann@example.com").as_deref(), Some("/username"), "{name:?}");
        }
        assert_eq!(refused("ann", "nowhere").as_deref(), Some("/email"));
        for name in ["ann", "Ann Jansen", "ANN@example.com", "安娜", " ann "] {
            assert_eq!(refused(name, "ann@example.com"), None, "{name}");
        }
    }

    #[test]
    fn a_patch_changes_what_it_names_and_checks_no_more() {
        let before = Stored { username: "old@example.com".to_owned(), ..stored() };
        let patch = |body: &str| parse::<UserPatch>(body.as_bytes()).unwrap().apply(&before);
        assert_eq!(patch("{}").unwrap(), before);
        let after = patch(r#"{"email":"new@example.com","username":"old@example.com"}"#).unwrap();
        assert!(after.moved_from(&before) && after.username == before.username);
        let same = patch(r#"{"email":"ANN@example.com"}"#).unwrap();
        assert!(!same.moved_from(&before) && same != before);
        assert!(patch(r#"{"username":"bob@example.com"}"#).is_err());
        // What was never confirmed is given up with the address.
        let claim = Stored {
            username: "Old@example.com".to_owned(),
            email: "old@example.com".to_owned(),
            confirmed: false,
            ..stored()
        };
        let patch = |body: &str| parse::<UserPatch>(body.as_bytes()).unwrap().apply(&claim);
        assert_eq!(patch(r#"{"email":"new@example.com"}"#).unwrap().username, "new@example.com");
        assert!(patch(r#"{"email":"new@example.com","username":"Old@example.com"}"#).is_err());
        assert_eq!(patch(r#"{"username":"ann"}"#).unwrap().username, "ann");
        assert!(parse::<UserPatch>(br#"{"username":null}"#).is_err());
    }
}
