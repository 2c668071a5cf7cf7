//! API keys of devices and integrations: shown once, scoped, revoked at once.

use super::{access::KEY_PREFIX, permission::Permission, secrets};
use crate::{
    app::App,
    error::{Error, Result, violates},
    http::Caller,
    text,
};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
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
}

/// A key that was created.
#[derive(Serialize, ToSchema)]
pub struct CreatedKey {
    /// Its id.
    pub id: i64,
    /// The key itself. It is not stored and never shown again.
    #[schema(examples("scrip_8s4pZpY0zVvXnM1e3wqT6yUoKcRbGdHjLfA2iN5xQ7E"))]
    pub key: String,
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
    pub last_used_at: Option<DateTime<Utc>>,
    /// When it was created.
    pub created_at: DateTime<Utc>,
}

/// Creates a key that acts for the caller's group, within what the caller may do.
pub async fn create(app: &App, caller: &Caller, draft: KeyDraft) -> Result<CreatedKey> {
    let name = draft.name.trim();
    if name.is_empty() || name.chars().count() > NAME_MAX_CHARS {
        return Err(Error::invalid("/name", format!("must be 1 to {NAME_MAX_CHARS} characters on one line")));
    }
    if let Some(flaw) = text::flaw(name) {
        return Err(Error::invalid("/name", flaw));
    }
    let scopes = scopes(caller, draft.scopes, draft.machine.is_some())?;
    if !within_reach(app, caller, draft.machine).await? {
        return Err(unknown_machine());
    }
    let (key, digest) = fresh();
    let id = sqlx::query_scalar(
        "INSERT INTO api_key (user_group, name, machine, scopes, hash, created_by, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING id",
    )
    .bind(caller.group())
    .bind(name)
    .bind(draft.machine)
    .bind(scopes.iter().map(Permission::to_string).collect::<Vec<_>>())
    .bind(&digest[..])
    .bind(caller.account())
    .bind(app.clock.now())
    .fetch_one(&app.db)
    .await
    .map_err(
        |error| if violates(&error, "api_key_machine_fkey") { unknown_machine() } else { error.into() },
    )?;
    Ok(CreatedKey { id, key })
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

/// The keys of the caller's group and those below, by id.
pub async fn list(app: &App, caller: &Caller, limit: i64, skip: i64) -> Result<Vec<ApiKey>> {
    Ok(sqlx::query_as(
        "SELECT id, name, machine, scopes, last_used_at, created_at FROM api_key
         WHERE revoked_at IS NULL AND user_group IN (SELECT descendant FROM user_group_tree WHERE ancestor = $1)
         ORDER BY id LIMIT $2 OFFSET $3",
    )
    .bind(caller.group())
    .bind(limit)
    .bind(skip)
    .fetch_all(&app.db)
    .await?)
}

/// Revokes a key: here at once, on other servers with the notice that Postgres sends.
pub async fn revoke(app: &App, caller: &Caller, id: i64) -> Result<()> {
    let done = sqlx::query(
        "UPDATE api_key SET revoked_at = $3
         WHERE id = $2 AND revoked_at IS NULL
           AND user_group IN (SELECT descendant FROM user_group_tree WHERE ancestor = $1)",
    )
    .bind(caller.group())
    .bind(id)
    .bind(app.clock.now())
    .execute(&app.db)
    .await?;
    if done.rows_affected() == 0 {
        return Err(Error::NotFound("API key"));
    }
    app.access.on_notice("key", id);
    Ok(())
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
        None if caller.0.allows(Permission::VoucherRedeem) => vec![Permission::VoucherRedeem],
        None => return Err(Error::invalid("/scopes", "is required: you may not redeem vouchers yourself")),
    };
    let mut scopes = Vec::new();
    for (index, scope) in asked.into_iter().enumerate() {
        if !caller.0.allows(scope) {
            return Err(Error::invalid(format!("/scopes/{index}"), "is more than you may do yourself"));
        }
        if !scopes.contains(&scope) {
            scopes.push(scope);
        }
    }
    Ok(scopes)
}

/// Whether the caller may have a key for this machine (or for all of them, where none is named).
async fn within_reach(app: &App, caller: &Caller, machine: Option<i64>) -> Result<bool> {
    if let Some(own) = caller.machine() {
        return Ok(machine == Some(own));
    }
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
