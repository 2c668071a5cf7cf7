//! Setting a password with the token of a mail: to activate an account, or because the old one is lost.
//!
//! A token is made when its mail is sent. There is one a purpose, so a new one takes the place of the
//! last, and using it deletes it: of several who use it at a time, one finds it there.

use super::{access::Who, groups, password_rules, passwords, secrets, sessions, sessions::Session};
use crate::{
    app::App,
    author,
    config::Config,
    error::{Error, Result, violates},
    mail::outbox,
    security::{self, Event},
    transaction,
};
use chrono::{DateTime, Duration, Utc};
use secrecy::{ExposeSecret, SecretString};
use sqlx::PgConnection;
use std::net::IpAddr;

/// The longest e-mail address that there can be, in bytes.
const ADDRESS_MAX_BYTES: usize = 254;

/// What a token is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, sqlx::Type)]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum Purpose {
    /// To set the first password, or to confirm another address.
    Activation,
    /// To replace a password that is lost.
    Reset,
    /// To take a change of the address back, with another password.
    Restore,
}

impl Purpose {
    /// As a word in a link.
    const fn word(self) -> &'static str {
        match self {
            Self::Activation => "activate",
            Self::Reset => "reset",
            Self::Restore => "restore",
        }
    }

    /// The address of the page where a token is used.
    pub fn link(self, config: &Config, token: &str) -> String {
        format!("{}/account/{}#{token}", config.public_url.trim_end_matches('/'), self.word())
    }

    /// How long a token is good, in seconds.
    pub const fn life_s(self, config: &Config) -> u64 {
        match self {
            Self::Activation => config.activation_token_s,
            Self::Reset => config.reset_token_s,
            Self::Restore => config.address_restore_s,
        }
    }
}

/// Whose a token is.
#[derive(sqlx::FromRow)]
struct Holder {
    id: i64,
    username: String,
    email: String,
    user_group: i64,
    /// The address that is to be the account's again.
    former: Option<String>,
}

/// Makes a token for an account, in the place of the last for the same purpose.
pub async fn issue(
    connection: &mut PgConnection,
    account: i64,
    purpose: Purpose,
    config: &Config,
    now: DateTime<Utc>,
) -> Result<String> {
    const SQL: &str = "
        INSERT INTO account_token (account, purpose, hash, expires_at) VALUES ($1, $2, $3, $4)
        ON CONFLICT (account, purpose) DO UPDATE SET hash = EXCLUDED.hash, expires_at = EXCLUDED.expires_at";
    let token = secrets::fresh();
    sqlx::query(SQL)
        .bind(account)
        .bind(purpose)
        .bind(&secrets::digest(&token)[..])
        .bind(now + Duration::seconds(purpose.life_s(config) as i64))
        .execute(connection)
        .await?;
    Ok(token)
}

/// Makes a token with which a change of an account's address can be taken back: it brings `address` back. Returns
/// None if there is one for another address already. The first is what counts: whoever takes an account over could
/// change its address once more.
pub async fn issue_restore(
    connection: &mut PgConnection,
    account: i64,
    address: &str,
    config: &Config,
    now: DateTime<Utc>,
) -> Result<Option<String>> {
    const SQL: &str = "
        INSERT INTO account_token AS old (account, purpose, hash, expires_at, address) VALUES ($1, 'restore', $2, $3, $4)
        ON CONFLICT (account, purpose) DO UPDATE
        SET hash = EXCLUDED.hash, expires_at = EXCLUDED.expires_at, address = EXCLUDED.address
        WHERE old.address = EXCLUDED.address OR old.expires_at <= $5";
    let token = secrets::fresh();
    let issued = sqlx::query(SQL)
        .bind(account)
        .bind(&secrets::digest(&token)[..])
        .bind(now + Duration::seconds(Purpose::Restore.life_s(config) as i64))
        .bind(address)
        .bind(now)
        .execute(connection)
        .await?;
    Ok((issued.rows_affected() == 1).then_some(token))
}

/// Makes every token of an account void, as when its address changes; but for the one that takes that back.
pub async fn void_all(connection: &mut PgConnection, account: i64) -> Result<()> {
    const SQL: &str = "DELETE FROM account_token WHERE account = $1 AND purpose <> 'restore'";
    sqlx::query(SQL).bind(account).execute(connection).await?;
    Ok(())
}

/// Has a mail sent to whoever has this address, if anyone has. Nothing here depends on that.
pub async fn forgot(app: &App, address: &str, from: Option<IpAddr>) -> Result<()> {
    let address = address.trim();
    check_address(address)?;
    let used_up = |_: &Error| security::note(Event::BudgetUsedUp, None, None, "resets");
    if let Some(client) = passwords::network(from) {
        app.reset_clients.spend(&client.to_string()).inspect_err(used_up)?;
    }
    app.resets.spend(address).inspect_err(used_up)?;
    security::note(Event::ResetAsked, None, None, "");
    let mut tx = transaction::begin(&app.db).await?;
    outbox::put_reset(&mut tx, address, &app.mail_pace, app.clock.now()).await?;
    tx.commit().await?;
    Ok(())
}

/// Checks that something may be an e-mail address, for `/email`.
pub fn check_address(address: &str) -> Result<()> {
    if address.len() <= ADDRESS_MAX_BYTES && address.is_ascii() && address.parse::<lettre::Address>().is_ok()
    {
        Ok(())
    } else {
        Err(Error::invalid("/email", "must be an e-mail address, as name@example.com"))
    }
}

/// Sets a password with a token, ends every session that there was, and opens one.
pub async fn set_password(
    app: &App,
    purpose: Purpose,
    token: &SecretString,
    password: SecretString,
    from: Option<IpAddr>,
) -> Result<Session> {
    password_rules::check(password.expose_secret())?;
    let hash = secrets::digest(token.expose_secret());
    let turn = app.passwords.turn(from).await?;
    let holder = find_holder(app, purpose, hash).await?.ok_or_else(refused)?;
    let email = holder.former.as_ref().unwrap_or(&holder.email);
    password_rules::check_for(password.expose_secret(), &holder.username, email)?;
    let password_hash = app.passwords.hash(turn, password).await?;
    let now = app.clock.now();
    author::is_account(holder.id, holder.user_group);
    let mut tx = transaction::begin(&app.db).await?;
    sessions::lock(&mut tx, holder.id).await?;
    if !take(&mut tx, purpose, hash, now).await? {
        return Err(refused());
    }
    // The token came by mail to the address that the account has, or is given back, or from the operator: a change of
    // the address voids all others.
    let set = sqlx::query(
        "UPDATE account SET password_hash = $2, password_expires = NULL, email_confirmed = true, updated_at = $3,
             email = COALESCE($4, email)
         WHERE id = $1 AND disabled_at IS NULL",
    );
    let set = set.bind(holder.id).bind(password_hash).bind(now).bind(&holder.former);
    let set = set.execute(&mut *tx).await.map_err(taken)?;
    if set.rows_affected() == 0 || groups::allowed(&mut *tx, holder.user_group).await?.is_none() {
        return Err(refused());
    }
    void_all(&mut tx, holder.id).await?;
    let generation = sessions::end_all(&mut tx, holder.id, now).await?;
    let session = sessions::open_within(app, &mut tx, holder.id, generation).await?;
    tx.commit().await?;
    app.access.on_notice("account", holder.id);
    let event = if purpose == Purpose::Restore { Event::AddressRestored } else { Event::PasswordSet };
    security::note(event, Some(Who::Account(holder.id)), None, purpose.word());
    Ok(session)
}

/// One answer for every token that is not good, whatever is wrong with it or with its account.
fn refused() -> Error {
    Error::invalid("/token", "is not good, or no longer: have another mail sent")
}

/// Tells someone who has shown that the address is theirs that another account of theirs has it.
fn taken(error: sqlx::Error) -> Error {
    if violates(&error, "account_email_confirmed") {
        Error::Conflict("you have an account with this e-mail address already: log in with that one".into())
    } else {
        error.into()
    }
}

async fn find_holder(app: &App, purpose: Purpose, hash: [u8; 32]) -> Result<Option<Holder>> {
    const SQL: &str = "
        SELECT a.id, a.username, a.email, a.user_group, t.address AS former FROM account_token t JOIN account a ON a.id = t.account
        WHERE t.hash = $1 AND t.purpose = $2 AND t.expires_at > $3";
    let found = sqlx::query_as(SQL).bind(&hash[..]).bind(purpose).bind(app.clock.now());
    Ok(found.fetch_optional(&app.db).await?)
}

/// Takes a token that is still good; false if it is not there any more.
async fn take(
    connection: &mut PgConnection,
    purpose: Purpose,
    hash: [u8; 32],
    now: DateTime<Utc>,
) -> Result<bool> {
    const SQL: &str = "DELETE FROM account_token WHERE hash = $1 AND purpose = $2 AND expires_at > $3";
    let taken = sqlx::query(SQL).bind(&hash[..]).bind(purpose).bind(now).execute(connection).await?;
    Ok(taken.rows_affected() == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_told_from_what_is_none() {
        for good in ["ann@example.com", "ann.b+c@mail.example.co.uk", "a@localhost"] {
            assert!(check_address(good).is_ok(), "{good}");
        }
        let long = format!("{}@example.com", "a".repeat(250));
        for bad in [
            "",
            "ann",
            "@",
            "ann@",
            "@example.com",
            "a b@example.com",
            "ann@example.com\0",
            "ann@example.com\nBcc: all@example.com",
            "Ann <ann@example.com>",
            "ann@exämple.com",
            "\u{202e}a@b.c",
            &long,
        ] {
            assert!(check_address(bad).is_err(), "{bad:?}");
        }
    }
}
