//! Setting a password with the token of a mail: to activate an account, or because the old one is lost.
//!
//! A token is made when its mail is sent. There is one a purpose, so a new one takes the place of the
//! last, and using it deletes it: of several who use it at a time, one finds it there.

use super::{groups, password_rules, secrets, sessions, sessions::Session};
use crate::{
    app::App,
    config::Config,
    error::{Error, Result},
    mail::outbox,
    transaction,
};
use chrono::{DateTime, Duration, Utc};
use secrecy::{ExposeSecret, SecretString};
use sqlx::PgConnection;

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
}

impl Purpose {
    /// As a word in a link.
    const fn word(self) -> &'static str {
        match self {
            Self::Activation => "activate",
            Self::Reset => "reset",
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

/// Makes every token of an account void, as when its address changes.
pub async fn void_all(connection: &mut PgConnection, account: i64) -> Result<()> {
    sqlx::query("DELETE FROM account_token WHERE account = $1").bind(account).execute(connection).await?;
    Ok(())
}

/// Has a mail sent to whoever has this address, if anyone has. Nothing here depends on that.
pub async fn forgot(app: &App, address: &str) -> Result<()> {
    let address = address.trim();
    check_address(address)?;
    app.resets.spend(address)?;
    let mut tx = transaction::begin(&app.db).await?;
    outbox::put_reset(&mut tx, address, app.clock.now()).await?;
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
) -> Result<Session> {
    password_rules::check(password.expose_secret())?;
    let hash = secrets::digest(token.expose_secret());
    let holder = find_holder(app, purpose, hash).await?.ok_or_else(refused)?;
    password_rules::check_for(password.expose_secret(), &holder.username, &holder.email)?;
    let password_hash = app.passwords.hash(password).await?;
    let now = app.clock.now();
    let mut tx = transaction::begin(&app.db).await?;
    sessions::lock(&mut tx, holder.id).await?;
    if !take(&mut tx, purpose, hash, now).await? {
        return Err(refused());
    }
    // The token came by mail to the address that the account has, or from the operator: a change of it voids tokens.
    let set = sqlx::query(
        "UPDATE account SET password_hash = $2, password_expires = NULL, email_confirmed = true, updated_at = $3
         WHERE id = $1 AND disabled_at IS NULL",
    );
    let set = set.bind(holder.id).bind(password_hash).bind(now).execute(&mut *tx).await?;
    if set.rows_affected() == 0 || groups::allowed(&mut *tx, holder.user_group).await?.is_none() {
        return Err(refused());
    }
    void_all(&mut tx, holder.id).await?;
    let generation = sessions::end_all(&mut tx, holder.id, now).await?;
    let session = sessions::open_within(app, &mut tx, holder.id, generation).await?;
    tx.commit().await?;
    app.access.on_notice("account", holder.id);
    Ok(session)
}

/// One answer for every token that is not good, whatever is wrong with it or with its account.
fn refused() -> Error {
    Error::invalid("/token", "is not good, or no longer: have another mail sent")
}

async fn find_holder(app: &App, purpose: Purpose, hash: [u8; 32]) -> Result<Option<Holder>> {
    const SQL: &str = "
        SELECT a.id, a.username, a.email, a.user_group FROM account_token t JOIN account a ON a.id = t.account
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
