//! The job that sends one mail.
//!
//! First, in one transaction, it is found out whether the mail is still wanted, and the hash of a new
//! token is stored: whatever token an attempt before this one has sent is void then. Then the mail is
//! sent, and then, in another transaction, taken out of the outbox. Whoever is killed in between
//! leaves a mail that is sent again, with a token that is good.

use super::{
    greeting,
    letter::{Facts, Language, Letter},
    outbox::{self, Mail},
    post::{Delivery, Envelope},
};
use crate::{
    app::App,
    config::Config,
    error::Result,
    identity::{
        groups,
        recovery::{self, Purpose},
    },
    jobs::{Claim, Ran},
    transaction,
};
use chrono::{DateTime, Duration, Utc};
use sqlx::PgConnection;

/// What is to be done with a mail.
enum Prepared {
    /// Send it.
    Ready(Envelope),
    /// Nobody waits for it (any more).
    Moot,
    /// The job is no longer this worker's.
    Lost,
}

/// Sends the mail that is the job's subject.
pub async fn run(app: &App, claim: &Claim) -> Result<Ran> {
    let envelope = match prepare(app, claim).await? {
        Prepared::Ready(envelope) => envelope,
        Prepared::Moot => return finish(app, claim).await,
        Prepared::Lost => return Ok(Ran::Lost),
    };
    match app.post.send(envelope).await? {
        Delivery::Sent => tracing::info!(mail = claim.subject, "mail sent"),
        Delivery::Refused(reason) => tracing::warn!(mail = claim.subject, reason, "mail can't be sent"),
    }
    finish(app, claim).await
}

async fn prepare(app: &App, claim: &Claim) -> Result<Prepared> {
    let now = app.clock.now();
    let mut tx = transaction::begin(&app.db).await?;
    if claim.lock(&mut tx).await?.is_none() {
        return Ok(Prepared::Lost);
    }
    let Some(mail) = outbox::find(&mut tx, claim.subject).await? else { return Ok(Prepared::Moot) };
    if let Some(content) = &mail.content {
        let letter = content.write(mail.letter, &app.config.public_url)?;
        return Ok(Prepared::Ready(Envelope {
            mail: mail.id,
            to: mail.recipient,
            letter,
            link: String::new(),
        }));
    }
    let Some(order) = order(&mail, &app.config, now) else { return Ok(Prepared::Moot) };
    let is_told_anyway = order.letter == Letter::AddressChanged;
    if order.purpose.is_some() && !is_told_anyway && !may_log_in(&mut tx, order.account).await? {
        return Ok(Prepared::Moot);
    }
    let token = match order.purpose {
        Some(Purpose::Restore) => {
            recovery::issue_restore(&mut tx, order.account, &order.to, &app.config, now).await?
        }
        Some(purpose) => Some(recovery::issue(&mut tx, order.account, purpose, &app.config, now).await?),
        None => None,
    };
    let link = match (order.purpose, token) {
        (Some(purpose), Some(token)) => purpose.link(&app.config, &token),
        _ => String::new(),
    };
    tx.commit().await?;
    let facts = Facts {
        name: &greeting::shown(&order.name, &order.to),
        server: &app.config.public_url,
        link: &link,
        good_for_s: order.purpose.map_or(0, |purpose| purpose.life_s(&app.config)),
        address: &order.address,
    };
    let letter = order.letter.write(order.language, &facts)?;
    Ok(Prepared::Ready(Envelope { mail: mail.id, to: order.to, letter, link }))
}

/// Whether the groups of an account let it log in.
async fn may_log_in(connection: &mut PgConnection, account: i64) -> Result<bool> {
    let group = sqlx::query_scalar("SELECT user_group FROM account WHERE id = $1")
        .bind(account)
        .fetch_one(&mut *connection)
        .await?;
    Ok(groups::allowed(connection, group).await?.is_some())
}

async fn finish(app: &App, claim: &Claim) -> Result<Ran> {
    let mut tx = transaction::begin(&app.db).await?;
    if claim.lock(&mut tx).await?.is_none() {
        return Ok(Ran::Lost);
    }
    outbox::remove(&mut tx, claim.subject).await?;
    claim.dismiss(&mut tx).await?;
    tx.commit().await?;
    Ok(Ran::Done)
}

/// A mail that is wanted: what to send to whom.
#[derive(Debug, PartialEq, Eq)]
struct Order {
    letter: Letter,
    purpose: Option<Purpose>,
    account: i64,
    name: String,
    to: String,
    address: String,
    language: Language,
}

/// What is to be sent for a mail as things are now; None if nobody waits for it any more: there is no
/// such user, it has another address by now, or it has waited longer than its link would last.
fn order(mail: &Mail, config: &Config, now: DateTime<Utc>) -> Option<Order> {
    let (account, name, address) = (mail.account?, mail.username.clone()?, mail.email.clone()?);
    let language = Language::of(mail.language.as_deref().unwrap_or_default());
    let order = |letter, purpose, to| Order {
        letter,
        purpose,
        account,
        name,
        to,
        address: address.clone(),
        language,
    };
    if mail.letter == Letter::AddressChanged {
        let purpose = mail.enabled.then_some(Purpose::Restore);
        return Some(order(mail.letter, purpose, mail.recipient.clone()));
    }
    if !mail.enabled || address.to_lowercase() != mail.recipient.to_lowercase() {
        return None;
    }
    let (letter, purpose) = match mail.letter {
        Letter::Reset if mail.activated => (Letter::Reset, Purpose::Reset),
        // Whose first link came to nothing gets it again by asking for a new password.
        Letter::Reset => (Letter::Activation, Purpose::Activation),
        letter => (letter, Purpose::Activation),
    };
    if purpose == Purpose::Activation
        && let Some(holder) = &mail.holder
    {
        let exists = order(Letter::AccountExists, None, address.clone());
        return Some(Order { name: holder.clone(), ..exists });
    }
    let waited = now - mail.created_at;
    if purpose == Purpose::Reset && waited >= Duration::seconds(purpose.life_s(config) as i64) {
        return None;
    }
    Some(order(letter, Some(purpose), address.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mail(letter: Letter) -> Mail {
        Mail {
            id: 1,
            letter,
            recipient: "ANN@example.com".to_owned(),
            created_at: now(),
            account: Some(7),
            username: Some("ann".to_owned()),
            email: Some("ann@example.com".to_owned()),
            language: Some("nl".to_owned()),
            enabled: true,
            activated: true,
            holder: None,
            content: None,
        }
    }

    fn now() -> DateTime<Utc> {
        "2026-06-01T12:00:00Z".parse().unwrap()
    }

    fn sent(mail: &Mail, after_s: i64) -> Option<(Letter, Option<Purpose>, String)> {
        let order = order(mail, &Config::default(), now() + Duration::seconds(after_s))?;
        Some((order.letter, order.purpose, order.to))
    }

    #[test]
    fn a_letter_goes_to_the_address_that_the_account_has() {
        let to = "ann@example.com".to_owned();
        let reset = (Letter::Reset, Some(Purpose::Reset), to.clone());
        let activation = (Letter::Activation, Some(Purpose::Activation), to);
        assert_eq!(sent(&mail(Letter::Reset), 0), Some(reset));
        assert_eq!(sent(&mail(Letter::Activation), 0), Some(activation.clone()));
        let never = Mail { activated: false, ..mail(Letter::Reset) };
        assert_eq!(sent(&never, 0), Some(activation), "who was never activated is activated");
    }

    #[test]
    fn an_address_that_another_account_has_confirmed_is_told_so_without_a_link() {
        let to = "ann@example.com".to_owned();
        for letter in [Letter::Activation, Letter::Confirmation] {
            let claimed = Mail { holder: Some("anna".to_owned()), activated: false, ..mail(letter) };
            assert_eq!(sent(&claimed, 0), Some((Letter::AccountExists, None, to.clone())));
        }
    }

    #[test]
    fn what_nobody_waits_for_is_not_sent() {
        let moved = |letter| Mail { email: Some("other@example.com".to_owned()), ..mail(letter) };
        let disabled = |letter| Mail { enabled: false, ..mail(letter) };
        let nobody = |letter| Mail { account: None, username: None, email: None, ..mail(letter) };
        for letter in [Letter::Activation, Letter::Confirmation, Letter::Reset] {
            for mail in [moved(letter), disabled(letter), nobody(letter)] {
                assert_eq!(sent(&mail, 0), None, "{mail:?}");
            }
        }
        assert!(sent(&mail(Letter::Reset), 3_599).is_some());
        assert_eq!(sent(&mail(Letter::Reset), 3_600), None, "a reset is wanted at once or not at all");
        assert!(sent(&mail(Letter::Activation), 86_400).is_some());
    }

    #[test]
    fn the_old_address_is_told_whatever_has_become_of_the_account() {
        let changed = Mail {
            email: Some("new@example.com".to_owned()),
            enabled: false,
            ..mail(Letter::AddressChanged)
        };
        let told = (Letter::AddressChanged, None, "ANN@example.com".to_owned());
        assert_eq!(sent(&changed, 86_400), Some(told));
    }
}
