//! Mails that are still to be sent, in Postgres.

use super::{
    bulletin::Bulletin,
    letter::Letter,
    pace::{Cause, Pace},
};
use crate::{
    error::Result,
    jobs::{self, Kind},
};
use chrono::{DateTime, Utc};
use sqlx::{Connection, PgConnection, types::Json};

/// A mail that is to be sent, and whom it is about as that is now.
#[derive(Debug, sqlx::FromRow)]
pub struct Mail {
    /// Its id.
    pub id: i64,
    /// Which letter.
    pub letter: Letter,
    /// The address that it was meant for.
    pub recipient: String,
    /// When it was asked for.
    pub created_at: DateTime<Utc>,
    /// The account that it is about, if anyone has it.
    pub account: Option<i64>,
    /// That account's name.
    pub username: Option<String>,
    /// Its address now.
    pub email: Option<String>,
    /// Its language, as ISO 639.
    pub language: Option<String>,
    /// Whether it may log in at all, its group aside.
    pub enabled: bool,
    /// Whether it has a password.
    pub activated: bool,
    /// The name of another account, which has confirmed this address.
    pub holder: Option<String>,
    /// What it says, if it is about no account.
    pub content: Option<Json<Bulletin>>,
}

/// Puts a mail about `account` in the outbox, within the caller's transaction.
pub async fn put(
    connection: &mut PgConnection,
    letter: Letter,
    account: i64,
    recipient: &str,
    pace: &Pace,
    now: DateTime<Utc>,
) -> Result<()> {
    const SQL: &str = "
        INSERT INTO mail (letter, recipient, account, created_at) VALUES ($1, $2, $3, $4)
        RETURNING id, (SELECT user_group FROM account WHERE id = $3)";
    let put = sqlx::query_as(SQL).bind(letter).bind(recipient).bind(account).bind(now);
    let (mail, group): (i64, i64) = put.fetch_one(&mut *connection).await?;
    let due = pace.due(Cause::Group(group), now);
    jobs::enqueue(connection, Kind::SendMail, mail, group, 1, due).await?;
    Ok(())
}

/// Puts a letter in the outbox for the account that has this address. Where there is none the same is written
/// and taken back within the transaction: asking takes the same steps either way, and nobody's mail waits behind
/// those of strangers.
pub async fn put_reset(
    connection: &mut PgConnection,
    address: &str,
    pace: &Pace,
    now: DateTime<Utc>,
) -> Result<()> {
    const GROUPS: &str = "
        SELECT min(id), (SELECT user_group FROM account WHERE lower(email) = lower($1)
                         ORDER BY disabled_at IS NULL DESC, email_confirmed DESC, id LIMIT 1) FROM user_group";
    const MAIL: &str = "INSERT INTO mail (letter, recipient, created_at) VALUES ($1, $2, $3) RETURNING id";
    let groups = sqlx::query_as(GROUPS).bind(address).fetch_one(&mut *connection).await?;
    let (any, owner): (Option<i64>, Option<i64>) = groups;
    let Some(group) = owner.or(any) else { return Ok(()) };
    let due = if owner.is_some() { pace.due(Cause::Stranger, now) } else { now };
    let mut put = connection.begin().await?;
    let mail = sqlx::query_scalar(MAIL).bind(Letter::Reset).bind(address).bind(now);
    let mail: i64 = mail.fetch_one(&mut *put).await?;
    jobs::enqueue(&mut put, Kind::SendMail, mail, group, 1, due).await?;
    match owner {
        Some(_) => put.commit().await?,
        None => put.rollback().await?,
    }
    Ok(())
}

/// Puts a mail in the outbox that says this to an address, on behalf of a user group.
pub async fn put_bulletin(
    connection: &mut PgConnection,
    letter: Letter,
    recipient: &str,
    bulletin: &Bulletin,
    group: i64,
    now: DateTime<Utc>,
) -> Result<()> {
    const SQL: &str = "
        INSERT INTO mail (letter, recipient, content, created_at) VALUES ($1, $2, $3, $4) RETURNING id";
    let put = sqlx::query_scalar(SQL).bind(letter).bind(recipient).bind(Json(bulletin)).bind(now);
    let mail = put.fetch_one(&mut *connection).await?;
    jobs::enqueue(connection, Kind::SendAlert, mail, group, 1, now).await?;
    Ok(())
}

/// The mail of this id, if it is still to be sent.
pub async fn find(connection: &mut PgConnection, id: i64) -> Result<Option<Mail>> {
    const SQL: &str = "
        SELECT m.id, m.letter, m.recipient, m.created_at, a.id AS account, a.username, a.email, l.language,
               a.id IS NOT NULL AND a.disabled_at IS NULL AS enabled, a.password_hash IS NOT NULL AS activated, m.content,
               (SELECT h.username FROM account h
                WHERE lower(h.email) = lower(m.recipient) AND h.email_confirmed AND h.disabled_at IS NULL
                  AND h.id <> a.id) AS holder
        FROM mail m
        LEFT JOIN account a ON a.id = m.account
            OR (m.account IS NULL AND m.content IS NULL AND lower(a.email) = lower(m.recipient))
        LEFT JOIN language l ON l.id = a.language
        WHERE m.id = $1
        ORDER BY a.disabled_at IS NULL DESC, a.email_confirmed DESC, a.id LIMIT 1";
    Ok(sqlx::query_as(SQL).bind(id).fetch_optional(connection).await?)
}

/// Takes a mail out: it was sent, or never will be.
pub async fn remove(connection: &mut PgConnection, id: i64) -> Result<()> {
    sqlx::query("DELETE FROM mail WHERE id = $1").bind(id).execute(connection).await?;
    Ok(())
}
