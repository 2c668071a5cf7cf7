//! Events for those who guard the system: one structured line of the log each, with the target `security`.
//!
//! A line says what happened, to which account or key and from which address; the request's id and its operation
//! stand in the span. It never holds a code, a password, a token, or a name that somebody typed.

use crate::{author, identity::access::Who};
use std::net::IpAddr;
use tracing::field::display;

/// An event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A session was opened with a password.
    LoggedIn,
    /// A name and a password did not go together.
    LogInFailed,
    /// A session was ended by its user.
    LoggedOut,
    /// A refresh token came that was spent: its family was ended.
    TokenReplayed,
    /// A mail for a new password was asked for.
    ResetAsked,
    /// A password was set with the token of a mail.
    PasswordSet,
    /// A change of an e-mail address was taken back.
    AddressRestored,
    /// A user was made.
    UserCreated,
    /// The name, address or group of a user was changed.
    UserChanged,
    /// A user was switched off.
    UserDeleted,
    /// A group, or what it allows, was made, changed or switched off.
    GroupChanged,
    /// A key was made.
    KeyCreated,
    /// A key was revoked.
    KeyRevoked,
    /// A key came that has expired.
    ExpiredKeyUsed,
    /// A key came that was revoked.
    RevokedKeyUsed,
    /// Something was tried too often.
    BudgetUsedUp,
    /// A caller was refused what it may not do.
    Refused,
}

impl Event {
    const fn word(self) -> &'static str {
        match self {
            Self::LoggedIn => "logged_in",
            Self::LogInFailed => "log_in_failed",
            Self::LoggedOut => "logged_out",
            Self::TokenReplayed => "token_replayed",
            Self::ResetAsked => "reset_asked",
            Self::PasswordSet => "password_set",
            Self::AddressRestored => "address_restored",
            Self::UserCreated => "user_created",
            Self::UserChanged => "user_changed",
            Self::UserDeleted => "user_deleted",
            Self::GroupChanged => "group_changed",
            Self::KeyCreated => "key_created",
            Self::KeyRevoked => "key_revoked",
            Self::ExpiredKeyUsed => "expired_key_used",
            Self::RevokedKeyUsed => "revoked_key_used",
            Self::BudgetUsedUp => "budget_used_up",
            Self::Refused => "refused",
        }
    }

    /// Returns `true` if it may be the trace of an attack.
    const fn is_suspicious(self) -> bool {
        matches!(
            self,
            Self::LogInFailed
                | Self::TokenReplayed
                | Self::AddressRestored
                | Self::ExpiredKeyUsed
                | Self::RevokedKeyUsed
                | Self::BudgetUsedUp
                | Self::Refused
        )
    }
}

/// Writes down an event. Account, key and address are those of the request where they are not given; `about` says in
/// words or by a number what it was about.
pub fn note(event: Event, who: Option<Who>, address: Option<IpAddr>, about: &str) {
    let author = author::current();
    let (account, key) = match who {
        Some(Who::Account(id)) => (Some(id), None),
        Some(Who::Key { id, .. }) => (None, Some(id)),
        None => author.as_ref().map(author::Author::who).unwrap_or_default(),
    };
    let address = address.or(author.and_then(|author| author.address())).map(display);
    let event_word = event.word();
    if event.is_suspicious() {
        tracing::warn!(target: "security", event = event_word, account, key, address, about, "security event");
    } else {
        tracing::info!(target: "security", event = event_word, account, key, address, about, "security event");
    }
}
