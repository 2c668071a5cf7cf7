//! API keys of devices and integrations: shown once, scoped, revoked at once.
//!
//! An account answers for each: who made it, or who answers for the key that made it. A key ends with the account that
//! answers for it, and with the key that it was made by.

use super::{access::KEY_PREFIX, permission::Permission, secrets};
use crate::{
    app::App,
    error::{Error, Result, violates},
    http::{
        Caller, Json,
        list::{Column, Ids, Kind, Listing},
    },
    idempotency::Creation,
    identity::access::Who,
    security::{self, Event},
    text, transaction,
};
use axum::http::StatusCode;
use chrono::{DateTime, Duration, Utc};
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use utoipa::ToSchema;

/// Characters that a name can have.
const NAME_MAX_CHARS: usize = 200;

/// A key to be created.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct KeyDraft {
    /// What people know it by.
    #[schema(min_length = 1, max_length = 200, examples("Coffee corner, 3rd floor"))]
    pub name: String,
    /// The one machine that it is to speak for.
    pub machine: Option<i64>,
    /// What it is to be allowed, of what the caller is. A machine's key may redeem vouchers where
    /// nothing else is said.
    #[schema(min_items = 1)]
    pub scopes: Option<Vec<Permission>>,
    /// Until when it is to be good. Without it: for as long as this server, and the key that makes it, allow.
    pub expires_at: Option<DateTime<Utc>>,
}

/// A key that was created.
#[derive(Serialize, ToSchema)]
pub struct CreatedKey {
    /// Its id.
    pub id: i64,
    /// The key itself. It is not stored and never shown again: an answer that is given again for the same
    /// `Idempotency-Key` has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, required = false, examples("scrip_8s4pZpY0zVvXnM1e3wqT6yUoKcRbGdHjLfA2iN5xQ7E"))]
    pub key: Option<String>,
}

/// A key, without the key itself.
#[derive(Debug, Serialize, ToSchema, sqlx::FromRow)]
#[serde(rename_all = "camelCase")]
pub struct ApiKey {
    /// Its id.
    pub id: i64,
    /// What people know it by.
    pub name: String,
    /// The one machine that it speaks for; any of its group's, or below, without one.
    pub machine: Option<i64>,
    /// What it is allowed, as far as its group is.
    #[schema(value_type = Vec<Permission>)]
    pub scopes: Vec<String>,
    /// When it was last used, to within some seconds.
    #[serde(serialize_with = "crate::time::milliseconds")]
    pub last_used_at: Option<DateTime<Utc>>,
    /// The address from which it was last used.
    pub last_used_from: Option<String>,
    /// Until when it is good.
    #[serde(serialize_with = "crate::time::milliseconds")]
    pub expires_at: Option<DateTime<Utc>>,
    /// The user who answers for it: it ends with that user.
    pub owner: Option<i64>,
    /// The user who made it.
    pub created_by: Option<i64>,
    /// The key that made it: it ends with that key.
    pub parent: Option<i64>,
    /// When it was created.
    #[serde(serialize_with = "crate::time::milliseconds")]
    pub created_at: DateTime<Utc>,
}

/// Keys as [`ApiKey`], and what they can be filtered and sorted by.
pub static KEYS: Listing = Listing {
    select: "k.id, k.name, k.machine, k.scopes, k.last_used_at, host(k.last_used_from) AS last_used_from, k.expires_at,
        k.owner, k.created_by, k.parent, k.created_at",
    from: "api_key k",
    ids: Ids::Sequence("api_key"),
    order: None,
    columns: &[
        Column::new("id", "k.id", Kind::Int),
        Column::new("name", "k.name", Kind::Text),
        Column::new("machine", "k.machine", Kind::Int),
        Column::new("lastUsedAt", "k.last_used_at", Kind::Instant),
        Column::new("lastUsedFrom", "host(k.last_used_from)", Kind::Text),
        Column::new("expiresAt", "k.expires_at", Kind::Instant),
        Column::new("owner", "k.owner", Kind::Int),
        Column::new("createdBy", "k.created_by", Kind::Int),
        Column::new("parent", "k.parent", Kind::Int),
        Column::new("createdAt", "k.created_at", Kind::Instant),
    ],
};

/// Creates a key that acts for the caller's group, within what the caller may do.
pub async fn create(app: &App, caller: &Caller, draft: KeyDraft) -> Result<(StatusCode, Json<CreatedKey>)> {
    let name = draft.name.trim();
    if name.is_empty() || name.chars().count() > NAME_MAX_CHARS {
        return Err(Error::invalid("/name", format!("must be 1 to {NAME_MAX_CHARS} characters on one line")));
    }
    if let Some(flaw) = text::flaw(name) {
        return Err(Error::invalid("/name", flaw));
    }
    let scopes = scopes(caller, draft.scopes, draft.machine.is_some())?;
    let expires_at = end(app, caller, draft.expires_at)?;
    if !within_reach(app, caller, draft.machine).await? {
        return Err(unknown_machine());
    }
    let (key, digest) = fresh();
    let (parent, owner) = match caller.grant.who {
        Who::Account(id) => (None, Some(id)),
        Who::Key { id, .. } => (Some(id), caller.grant.owner),
    };
    let now = app.clock.now();
    let mut tx = Creation::begin(&app.db, now).await?;
    hold_maker(&mut tx, caller.grant.who).await?;
    let id: i64 = sqlx::query_scalar(
        "INSERT INTO api_key (user_group, name, machine, scopes, hash, created_by, created_at, owner, parent, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) RETURNING id",
    )
    .bind(caller.group())
    .bind(name)
    .bind(draft.machine)
    .bind(scopes.iter().map(Permission::to_string).collect::<Vec<_>>())
    .bind(&digest[..])
    .bind(caller.account())
    .bind(now)
    .bind(owner)
    .bind(parent)
    .bind(expires_at)
    .fetch_one(&mut *tx)
    .await
    .map_err(
        |error| if violates(&error, "api_key_machine_fkey") { unknown_machine() } else { error.into() },
    )?;
    let key = CreatedKey { id, key: Some(key) };
    let lasting = CreatedKey { id, key: None };
    let created = tx.commit_secret(StatusCode::CREATED, key, lasting).await?;
    security::note(Event::KeyCreated, None, None, &format!("key {id}"));
    Ok(created)
}

/// Keeps the account or the key that makes a key from being ended meanwhile: what it makes would outlive it.
async fn hold_maker(tx: &mut PgConnection, who: Who) -> Result<()> {
    let (sql, id) = match who {
        Who::Account(id) => ("SELECT FROM account WHERE id = $1 AND disabled_at IS NULL FOR SHARE", id),
        Who::Key { id, .. } => ("SELECT FROM api_key WHERE id = $1 AND revoked_at IS NULL FOR SHARE", id),
    };
    let held = sqlx::query(sql).bind(id).fetch_optional(tx).await?;
    held.map(drop).ok_or(Error::Unauthorized("the token is not good, or no longer"))
}

/// Until when a new key is good: as was asked for, and no longer than this server and the caller's own key allow.
fn end(app: &App, caller: &Caller, asked: Option<DateTime<Utc>>) -> Result<Option<DateTime<Utc>>> {
    let now = app.clock.now();
    let days = i64::from(app.config.api_key_days_max);
    let latest =
        [(days > 0).then(|| now + Duration::days(days)), caller.grant.expires_at].into_iter().flatten().min();
    match (asked, latest) {
        (Some(asked), _) if asked <= now => Err(Error::invalid("/expiresAt", "must be in the future")),
        (Some(asked), Some(latest)) if asked > latest => {
            Err(Error::invalid("/expiresAt", format!("must be at most {}", latest.to_rfc3339())))
        }
        (asked, latest) => Ok(asked.or(latest)),
    }
}

/// A new key, and what is stored of it.
pub fn fresh() -> (String, [u8; 32]) {
    let key = format!("{KEY_PREFIX}{}", secrets::fresh());
    let digest = digest(&key);
    (key, digest)
}

/// What is stored of a key, and looked up by.
pub fn digest(key: &str) -> [u8; 32] {
    secrets::digest(key)
}

/// Revokes a key and all that go back to it: here at once, on other servers with the notice that Postgres sends.
pub async fn revoke(app: &App, caller: &Caller, id: i64) -> Result<()> {
    const FIND: &str = "
        SELECT FROM api_key WHERE id = $2 AND revoked_at IS NULL
          AND user_group IN (SELECT descendant FROM user_group_tree WHERE ancestor = $1)";
    let mut tx = transaction::begin(&app.db).await?;
    let found = sqlx::query(FIND).bind(caller.group()).bind(id).fetch_optional(&mut *tx).await?;
    found.ok_or(Error::NotFound("API key"))?;
    let ended = end_lines(&mut tx, &[id], app.clock.now()).await?;
    tx.commit().await?;
    forget(app, &ended);
    Ok(())
}

/// Ends every key that an account answers for, and all that go back to them. The caller has locked the account.
/// Returns them, to be forgotten after the commit.
pub async fn end_of(tx: &mut PgConnection, account: i64, now: DateTime<Utc>) -> Result<Vec<i64>> {
    const OWN: &str = "SELECT id FROM api_key WHERE owner = $1 AND revoked_at IS NULL";
    let own: Vec<i64> = sqlx::query_scalar(OWN).bind(account).fetch_all(&mut *tx).await?;
    end_lines(tx, &own, now).await
}

/// Ends keys and all that go back to them, in the order of their ids; returns those that it has ended.
async fn end_lines(tx: &mut PgConnection, first: &[i64], now: DateTime<Utc>) -> Result<Vec<i64>> {
    const END: &str = "
        WITH line AS (
            SELECT k.id FROM api_key k
            WHERE k.revoked_at IS NULL AND k.id IN (SELECT api_key_line(first) FROM unnest($1::bigint[]) first)
            ORDER BY k.id FOR NO KEY UPDATE)
        UPDATE api_key k SET revoked_at = $2 FROM line WHERE k.id = line.id RETURNING k.id";
    let mut ended = Vec::new();
    loop {
        let these: Vec<i64> = sqlx::query_scalar(END).bind(first).bind(now).fetch_all(&mut *tx).await?;
        // One that was just being made is seen once its maker is locked: another look finds it.
        if these.is_empty() {
            return Ok(ended);
        }
        ended.extend(these);
    }
}

/// Has another account answer for the keys of one. Returns None, and changes nothing, if a key acts for a group that
/// is not the heir's or below it.
pub async fn hand_over(tx: &mut PgConnection, account: i64, heir: i64) -> Result<Option<Vec<i64>>> {
    const SQL: &str = "UPDATE api_key SET owner = $2 WHERE owner = $1 AND revoked_at IS NULL RETURNING id";
    if out_of_reach(tx, account, heir).await? > 0 {
        return Ok(None);
    }
    Ok(Some(sqlx::query_scalar(SQL).bind(account).bind(heir).fetch_all(tx).await?))
}

/// Counts the keys of an account that act for a group that is not `heir`'s or below it.
async fn out_of_reach(tx: &mut PgConnection, account: i64, heir: i64) -> Result<i64> {
    const SQL: &str = "
        SELECT count(*) FROM api_key WHERE owner = $1 AND revoked_at IS NULL AND user_group NOT IN (
            SELECT t.descendant FROM user_group_tree t JOIN account a ON a.user_group = t.ancestor WHERE a.id = $2)";
    Ok(sqlx::query_scalar(SQL).bind(account).bind(heir).fetch_one(tx).await?)
}

/// Refuses (409) to leave an account, which was put into another group, with keys that act for groups above that.
pub async fn expect_within_reach(tx: &mut PgConnection, account: i64) -> Result<()> {
    match out_of_reach(tx, account, account).await? {
        0 => Ok(()),
        keys => Err(Error::Conflict(
            format!("it answers for {keys} API keys of its group: hand them over or revoke them first")
                .into(),
        )),
    }
}

/// Drops keys that were ended or handed over from this server's memory.
pub fn forget(app: &App, keys: &[i64]) {
    for &id in keys {
        app.access.on_notice("key", id);
        security::note(Event::KeyRevoked, None, None, &format!("key {id}"));
    }
}

/// The scopes that are asked for, each once and none that the caller itself lacks.
fn scopes(caller: &Caller, asked: Option<Vec<Permission>>, for_machine: bool) -> Result<Vec<Permission>> {
    let asked = match asked {
        Some(scopes) if scopes.is_empty() => {
            return Err(Error::invalid("/scopes", "must name at least one permission"));
        }
        Some(scopes) => scopes,
        None if !for_machine => {
            return Err(Error::invalid("/scopes", "is required for a key without a machine"));
        }
        None if caller.grant.allows(Permission::VoucherRedeem) => vec![Permission::VoucherRedeem],
        None => return Err(Error::invalid("/scopes", "is required: you may not redeem vouchers yourself")),
    };
    let mut scopes = Vec::new();
    for (index, scope) in asked.into_iter().enumerate() {
        if for_machine && !Permission::OF_ONE_MACHINE.contains(&scope) {
            return Err(Error::invalid(
                format!("/scopes/{index}"),
                "is nothing that a key of one machine can have",
            ));
        }
        if !caller.grant.allows(scope) {
            return Err(Error::invalid(format!("/scopes/{index}"), "is more than you may do yourself"));
        }
        if !scopes.contains(&scope) {
            scopes.push(scope);
        }
    }
    Ok(scopes)
}

/// Returns `true` if the caller may have a key for this machine (or for all of them, where none is named). A key of one machine
/// makes none.
async fn within_reach(app: &App, caller: &Caller, machine: Option<i64>) -> Result<bool> {
    let Some(machine) = machine else { return Ok(true) };
    Ok(sqlx::query_scalar(
        "SELECT EXISTS (SELECT FROM machine WHERE id = $2
           AND user_group IN (SELECT descendant FROM user_group_tree WHERE ancestor = $1))",
    )
    .bind(caller.group())
    .bind(machine)
    .fetch_one(&app.db)
    .await?)
}

fn unknown_machine() -> Error {
    Error::invalid("/machine", "is not a machine that you may give a key to")
}
