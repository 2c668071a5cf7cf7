//! Refresh tokens: one log-in is a family of them, in which each is used once and replaced by the next.
//!
//! The next token is derived from the one before, so that the same token gets the same successor: an answer
//! that was lost is given again until the successor is used, and for some seconds more, since two tabs of
//! a browser may refresh at a time. A token that comes later than that, or that was revoked, is in
//! two hands, and one of them stole it: the whole family ends, and its access tokens with it.
//!
//! Whatever changes a family first locks its account, so that what it has read stays true.

use super::{access::Who, groups, secrets};
use crate::{
    app::App,
    error::{Error, Result},
    security::{self, Event},
    transaction,
};
use chrono::{DateTime, Duration, Utc};
use serde::Serialize;
use sqlx::{PgConnection, PgTransaction};
use utoipa::ToSchema;
use uuid::Uuid;

/// One answer for every refresh token that is not good, so that it tells nothing.
const REFUSED: Error = Error::Unauthorized("the refresh token is not good, or no longer: log in again");

/// Those who refresh at a time get the same successor for so long, in seconds.
const SAME_SUCCESSOR_S: i64 = 10;

/// What a client gets for logging in, and for refreshing.
#[derive(Serialize, ToSchema)]
pub struct Session {
    /// Goes with each request, as `Authorization: Bearer …`; a JWT.
    pub access_token: String,
    /// Gets another pair when the access token has expired; good once.
    pub refresh_token: String,
}

/// A refresh token as it is stored.
#[derive(sqlx::FromRow)]
struct Stored {
    family: Uuid,
    account: i64,
    user_group: i64,
    /// The account's.
    enabled: bool,
    /// The account's.
    generation: i64,
    /// The account's.
    password_expires: Option<DateTime<Utc>>,
    /// The family's.
    began_at: DateTime<Utc>,
    expires_at: DateTime<Utc>,
    revoked_at: Option<DateTime<Utc>>,
    used_at: Option<DateTime<Utc>>,
    successor: Option<Vec<u8>>,
    successor_used: bool,
}

/// What is to be done with a token that was presented.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    /// Its turn: the next one is due.
    Rotate,
    /// Its successor got lost, or was asked for twice at a time: the same one is due.
    Repeat,
    /// It should not be in anybody's hands any more.
    Replay,
    /// Too old, whoever has it.
    Expired,
}

impl Stored {
    fn verdict(&self, now: DateTime<Utc>) -> Verdict {
        let is_recent = self.used_at.is_some_and(|used| now - used <= Duration::seconds(SAME_SUCCESSOR_S));
        if self.revoked_at.is_some() || (self.successor_used && !is_recent) {
            Verdict::Replay
        } else if self.expires_at <= now {
            Verdict::Expired
        } else if self.successor.is_some() {
            Verdict::Repeat
        } else {
            Verdict::Rotate
        }
    }
}

/// Begins a family for `account`, which has just shown the password that it had in this generation;
/// None if its sessions were ended meanwhile, by a new password perhaps.
pub async fn open(app: &App, account: i64, generation: i64) -> Result<Option<Session>> {
    let mut tx = transaction::begin(&app.db).await?;
    let now_in = lock(&mut tx, account).await?;
    if now_in != generation {
        return Ok(None);
    }
    let session = open_within(app, &mut tx, account, generation).await?;
    tx.commit().await?;
    Ok(Some(session))
}

/// Locks an account for the caller's transaction, and says which generation of sessions it has.
pub async fn lock(tx: &mut PgConnection, account: i64) -> Result<i64> {
    const SQL: &str = "SELECT session_generation FROM account WHERE id = $1 FOR NO KEY UPDATE";
    Ok(sqlx::query_scalar(SQL).bind(account).fetch_one(tx).await?)
}

/// Begins a family for an account that the caller has locked, and takes its expired ones away.
pub async fn open_within(app: &App, tx: &mut PgConnection, account: i64, generation: i64) -> Result<Session> {
    let now = app.clock.now();
    sqlx::query("DELETE FROM refresh_token WHERE account = $1 AND expires_at <= $2")
        .bind(account)
        .bind(now)
        .execute(&mut *tx)
        .await?;
    let life = Duration::seconds(app.config.access_token_s.max(app.config.link_s) as i64);
    sqlx::query("DELETE FROM ended_session WHERE account = $1 AND ended_at <= $2")
        .bind(account)
        .bind(now - life)
        .execute(&mut *tx)
        .await?;
    let family = Uuid::now_v7();
    let refresh_token = secrets::fresh();
    store(app, tx, &refresh_token, account, family, now).await?;
    Ok(Session { access_token: app.tokens.issue(account, generation, family, now)?, refresh_token })
}

/// Ends every session of `account`, whose row the caller has locked: refresh tokens with this
/// transaction, and access tokens as soon as servers hear of it. Answers the generation that follows.
pub async fn end_all(tx: &mut PgConnection, account: i64, now: DateTime<Utc>) -> Result<i64> {
    const TOKENS: &str = "UPDATE refresh_token SET revoked_at = $2 WHERE account = $1 AND revoked_at IS NULL";
    const GENERATION: &str = "
        UPDATE account SET session_generation = session_generation + 1 WHERE id = $1
        RETURNING session_generation";
    sqlx::query(TOKENS).bind(account).bind(now).execute(&mut *tx).await?;
    Ok(sqlx::query_scalar(GENERATION).bind(account).fetch_one(tx).await?)
}

/// Forgets the log-ins of an account that the caller has locked, and where they came from.
pub async fn forget_all(tx: &mut PgConnection, account: i64) -> Result<()> {
    for sql in [
        "DELETE FROM refresh_token WHERE account = $1",
        "DELETE FROM ended_session WHERE account = $1",
        "DELETE FROM login_address WHERE account = $1",
    ] {
        sqlx::query(sql).bind(account).execute(&mut *tx).await?;
    }
    Ok(())
}

/// Exchanges a refresh token for a new session of the same family.
pub async fn renew(app: &App, refresh_token: &str) -> Result<Session> {
    let now = app.clock.now();
    let hash = secrets::digest(refresh_token);
    let next = app.tokens.successor(refresh_token);
    let next_hash = secrets::digest(&next);
    let mut tx = transaction::begin(&app.db).await?;
    let stored = find_locked(&mut tx, hash).await?.ok_or(REFUSED)?;
    let verdict = stored.verdict(now);
    match verdict {
        Verdict::Expired => return Err(REFUSED),
        Verdict::Replay => return replay(app, tx, &stored, now).await,
        Verdict::Repeat | Verdict::Rotate => {}
    }
    let has_expired = stored.password_expires.is_some_and(|expires| expires <= now);
    if !stored.enabled || has_expired || groups::allowed(&mut *tx, stored.user_group).await?.is_none() {
        return Err(REFUSED);
    }
    if stored.successor.as_deref() != Some(next_hash.as_slice()) {
        // The first time, or with another secret than the first time.
        sqlx::query("UPDATE refresh_token SET revoked_at = $2 WHERE hash = $1")
            .bind(&stored.successor)
            .bind(now)
            .execute(&mut *tx)
            .await?;
        store(app, &mut tx, &next, stored.account, stored.family, stored.began_at).await?;
        sqlx::query(
            "UPDATE refresh_token SET successor = $2, used_at = COALESCE(used_at, $3) WHERE hash = $1",
        )
        .bind(&hash[..])
        .bind(&next_hash[..])
        .bind(now)
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
    }
    let access_token = app.tokens.issue(stored.account, stored.generation, stored.family, now)?;
    Ok(Session { access_token, refresh_token: next })
}

/// Ends the family of a refresh token, its access tokens included; one that is unknown has ended already.
pub async fn close(app: &App, refresh_token: &str) -> Result<()> {
    let mut tx = transaction::begin(&app.db).await?;
    if let Some(stored) = find_locked(&mut tx, secrets::digest(refresh_token)).await? {
        revoke(&mut tx, &stored, app.clock.now()).await?;
        tx.commit().await?;
        app.access.on_notice("account", stored.account);
        security::note(Event::LoggedOut, Some(Who::Account(stored.account)), None, "");
    }
    Ok(())
}

/// Locks the account of a token, then reads the token: what it was before the lock may have changed.
async fn find_locked(tx: &mut PgConnection, hash: [u8; 32]) -> Result<Option<Stored>> {
    sqlx::query(
        "SELECT FROM account WHERE id = (SELECT account FROM refresh_token WHERE hash = $1) FOR NO KEY UPDATE",
    )
    .bind(&hash[..])
    .execute(&mut *tx)
    .await?;
    Ok(sqlx::query_as(
        "SELECT t.family, t.account, a.user_group, a.disabled_at IS NULL AS enabled, a.session_generation AS generation,
                a.password_expires, t.began_at, t.expires_at, t.revoked_at, t.used_at, t.successor,
                next.successor IS NOT NULL AS successor_used
         FROM refresh_token t JOIN account a ON a.id = t.account
         LEFT JOIN refresh_token next ON next.hash = t.successor
         WHERE t.hash = $1",
    )
    .bind(&hash[..])
    .fetch_optional(tx)
    .await?)
}

/// Stores a new token of a family that began `began_at`: it is good for its time, but no longer than a session may last.
async fn store(
    app: &App,
    tx: &mut PgConnection,
    token: &str,
    account: i64,
    family: Uuid,
    began_at: DateTime<Utc>,
) -> Result<()> {
    let now = app.clock.now();
    let expires_at = now + Duration::seconds(app.config.refresh_token_s as i64);
    let ends_at = began_at + Duration::seconds(app.config.session_max_s as i64);
    sqlx::query(
        "INSERT INTO refresh_token (hash, family, account, created_at, began_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(&secrets::digest(token)[..])
    .bind(family)
    .bind(account)
    .bind(now)
    .bind(began_at)
    .bind(expires_at.min(ends_at))
    .execute(tx)
    .await?;
    Ok(())
}

/// Ends a family that somebody else has a part of. Once it has ended there is nothing more to tell.
async fn replay(
    app: &App,
    mut tx: PgTransaction<'_>,
    stored: &Stored,
    now: DateTime<Utc>,
) -> Result<Session> {
    let revoked = revoke(&mut tx, stored, now).await?;
    tx.commit().await?;
    app.access.on_notice("account", stored.account);
    if revoked > 0 {
        let about = format!("family {}", stored.family);
        security::note(Event::TokenReplayed, Some(Who::Account(stored.account)), None, &about);
    }
    Err(REFUSED)
}

/// Revokes what is left of a token's family, its access tokens too. Returns the number of refresh tokens that it had.
async fn revoke(tx: &mut PgConnection, stored: &Stored, now: DateTime<Utc>) -> Result<u64> {
    const TOKENS: &str = "UPDATE refresh_token SET revoked_at = $2 WHERE family = $1 AND revoked_at IS NULL";
    const FAMILY: &str = "
        INSERT INTO ended_session (family, account, ended_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING";
    let tokens = sqlx::query(TOKENS).bind(stored.family).bind(now).execute(&mut *tx).await?;
    sqlx::query(FAMILY).bind(stored.family).bind(stored.account).bind(now).execute(tx).await?;
    Ok(tokens.rows_affected())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_twice_is_judged_by_its_successor() {
        let now: DateTime<Utc> = "2026-06-01T12:00:00Z".parse().unwrap();
        let later = now + Duration::seconds(1);
        let long_ago = now - Duration::seconds(SAME_SUCCESSOR_S + 1);
        let stored = |expires_at, revoked: bool, used_at: Option<DateTime<Utc>>, successor_used| Stored {
            family: Uuid::nil(),
            account: 1,
            user_group: 1,
            enabled: true,
            generation: 0,
            password_expires: None,
            began_at: long_ago,
            expires_at,
            revoked_at: revoked.then_some(now),
            used_at,
            successor: used_at.map(|_| Vec::new()),
            successor_used,
        };
        let cases = [
            (stored(later, false, None, false), Verdict::Rotate),
            (stored(later, false, Some(now), false), Verdict::Repeat),
            (stored(later, false, Some(long_ago), false), Verdict::Repeat),
            (stored(later, false, Some(now), true), Verdict::Repeat),
            (stored(later, false, Some(long_ago), true), Verdict::Replay),
            (stored(later, true, None, false), Verdict::Replay),
            (stored(later, true, Some(now), true), Verdict::Replay),
            (stored(now, false, None, false), Verdict::Expired),
            (stored(now, false, Some(now), true), Verdict::Expired),
            (stored(now, false, Some(long_ago), true), Verdict::Replay),
        ];
        for (stored, verdict) in cases {
            assert_eq!(stored.verdict(now), verdict);
        }
    }
}
