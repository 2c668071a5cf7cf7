//! The author of a change: noted once for a request, a job or a command, and told to Postgres with every `BEGIN`.
//!
//! Triggers (migration `0002`) write what changed into `activity`, with the author that the transaction was begun
//! for. A handler has nothing to do for it: the router's layer opens the scope, the [`Caller`] of the request puts
//! its name into it, and [`transaction::begin`] reads it. The four verbs of vouchers change nothing that is noted and
//! have no scope.
//!
//! [`Caller`]: crate::http::Caller
//! [`transaction::begin`]: crate::transaction::begin

use crate::identity::access::{Grant, Who};
use serde::Serialize;
use std::{borrow::Cow, cell::RefCell, net::IpAddr};

tokio::task_local! {
    static AUTHOR: RefCell<Author>;
}

/// The author of changes, as far as it is known. Postgres reads it as JSON.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Author {
    /// A job or a command. It comes first: a trigger tells programs by how the text begins.
    #[serde(skip_serializing_if = "Option::is_none")]
    system: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    account: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<i64>,
    /// The account that answers for the key.
    #[serde(skip_serializing_if = "Option::is_none")]
    behalf: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    group: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<IpAddr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    operation: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

impl Author {
    /// The author of a request, before it is known who calls.
    pub fn of_request(address: Option<IpAddr>, request: &str, operation: String) -> Self {
        Self { address, request: Some(request.to_owned()), operation: Some(operation), ..Self::default() }
    }

    /// Adds why the change is made, in the words of who makes it.
    #[must_use]
    pub fn because(self, reason: Option<String>) -> Self {
        Self { reason, ..self }
    }

    /// Runs `work` with this author.
    pub async fn scope<F: Future>(self, work: F) -> F::Output {
        AUTHOR.scope(RefCell::new(self), work).await
    }

    /// The account or the key that acts.
    pub fn who(&self) -> (Option<i64>, Option<i64>) {
        (self.account, self.key)
    }

    /// The address that the request came from.
    pub fn address(&self) -> Option<IpAddr> {
        self.address
    }
}

/// Runs `work` as a job or a command of this name.
pub async fn system<F: Future>(name: &'static str, work: F) -> F::Output {
    Author { system: Some(name), ..Author::default() }.scope(work).await
}

/// Notes who calls, in the scope of a request. Without a scope there is nothing to note.
pub fn is_caller(grant: &Grant) {
    note(|author| {
        (author.account, author.key) = match grant.who {
            Who::Account(id) => (Some(id), None),
            Who::Key { id, .. } => (None, Some(id)),
        };
        author.behalf = grant.owner;
        author.group = Some(grant.group);
    });
}

/// Notes that an account acts for itself, as one does who sets a password with the token of a mail.
pub fn is_account(account: i64, group: i64) {
    note(|author| (author.account, author.group) = (Some(account), Some(group)));
}

fn note(change: impl FnOnce(&mut Author)) {
    let _ = AUTHOR.try_with(|author| change(&mut author.borrow_mut()));
}

/// Returns the author of what is done here, if there is a scope.
pub fn current() -> Option<Author> {
    AUTHOR.try_with(|author| author.borrow().clone()).ok()
}

/// Returns the statement that begins a transaction for the author of what is done here.
pub fn begin_statement() -> Cow<'static, str> {
    let Some(author) = current() else { return "BEGIN".into() };
    // A map of plain values always has a text.
    let author = serde_json::to_string(&author).unwrap_or_default();
    // Quotes are doubled, and an escape begins with a letter: whatever a client has sent stays text, with any setting
    // of `standard_conforming_strings`.
    let author = author.replace('\\', "\\\\").replace('\'', "''");
    format!("BEGIN; SET LOCAL scrip.author = E'{author}'").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_author_is_told_with_the_beginning_of_a_transaction() {
        assert_eq!(begin_statement(), "BEGIN");
        let generation = system("job generate_vouchers", async { begin_statement() }).await;
        assert_eq!(generation, r#"BEGIN; SET LOCAL scrip.author = E'{"system":"job generate_vouchers"}'"#);
    }

    #[tokio::test]
    async fn what_a_client_sends_stays_text() {
        let author = Author::of_request(None, "it's \\", "PUT /x".to_owned());
        let statement = author.because(Some("\\'; DROP TABLE x; --".to_owned())).scope(async {
            is_account(7, 1);
            begin_statement()
        });
        assert_eq!(
            statement.await,
            r#"BEGIN; SET LOCAL scrip.author = E'{"account":7,"group":1,"request":"it''s \\\\","operation":"PUT /x","reason":"\\\\''; DROP TABLE x; --"}'"#
        );
    }
}
