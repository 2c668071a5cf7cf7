//! Users in Postgres.

use super::{
    reach,
    user::{Stored, UserDraft, UserPatch},
};
use crate::{
    app::App,
    error::{Error, Result, violates},
    http::{Caller, Created, Json},
    idempotency::Creation,
    identity::{keys, look::look, recovery, sessions},
    mail::{letter::Letter, outbox},
    security::{self, Event},
    transaction,
};
use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use sqlx::PgConnection;

const NOT_FOUND: Error = Error::NotFound("user");

/// Creates a user, together with the mail that lets it choose a password.
pub(super) async fn create(
    app: &App,
    caller: &Caller,
    draft: UserDraft,
) -> Result<(StatusCode, Json<Created>)> {
    let new = draft.check()?;
    let now = app.clock.now();
    let mut tx = Creation::begin(&app.db, now).await?;
    check_group(&mut tx, caller, new.user_group).await?;
    check_language(&mut tx, caller, new.language).await?;
    check_free(&mut tx, Some(caller.group()), 0, Some(&new.username), Some(&new.email)).await?;
    check_look(&mut tx, Some(caller.group()), None, &new.username).await?;
    let id = insert(&mut tx, &new, now).await?;
    // A refusal before this costs nothing of it.
    app.strangers.spend(caller.group())?;
    outbox::put(&mut tx, Letter::Activation, id, &new.email, &app.mail_pace, now).await?;
    let created = tx.commit(StatusCode::CREATED, Created { id }).await?;
    security::note(Event::UserCreated, None, None, &format!("user {id}"));
    Ok(created)
}

/// Inserts a user without a password.
pub(super) async fn insert(tx: &mut PgConnection, new: &Stored, now: DateTime<Utc>) -> Result<i64> {
    const SQL: &str = "
        INSERT INTO account (username, email, user_group, language, created_at, updated_at, look)
        VALUES ($1, $2, $3, $4, $5, $5, $6) RETURNING id";
    sqlx::query_scalar(SQL)
        .bind(&new.username)
        .bind(&new.email)
        .bind(new.user_group)
        .bind(new.language)
        .bind(now)
        .bind(look(&new.username))
        .fetch_one(tx)
        .await
        .map_err(explained)
}

/// Refuses (422) a name that looks like that of another user than `id`, whom the groups from `within` down have: all, if it
/// is absent. Others' users are none of the caller's business.
pub(super) async fn check_look(
    tx: &mut PgConnection,
    within: Option<i64>,
    id: Option<i64>,
    name: &str,
) -> Result<()> {
    const SQL: &str = "
        SELECT EXISTS (SELECT FROM account WHERE look = $1 AND id IS DISTINCT FROM $2 AND lower(username) <> lower($4)
            AND ($3::bigint IS NULL OR user_group IN (SELECT descendant FROM user_group_tree WHERE ancestor = $3)))";
    let look = look(name);
    if sqlx::query_scalar(SQL).bind(look).bind(id).bind(within).bind(name).fetch_one(tx).await? {
        return Err(Error::invalid("/username", "looks like one that is taken"));
    }
    Ok(())
}

/// Changes a user. Whoever has another address confirms that anew, and every mail that went to the
/// old one is void.
pub(super) async fn update(app: &App, caller: &Caller, id: i64, patch: UserPatch) -> Result<()> {
    const SQL: &str = "
        UPDATE account SET username = $2, email = $3, user_group = $4, language = $5, updated_at = $6,
            email_confirmed = email_confirmed AND NOT $7, look = CASE WHEN username = $2 THEN look ELSE $8 END
        WHERE id = $1";
    let now = app.clock.now();
    let mut tx = transaction::begin(&app.db).await?;
    let before = lock(&mut tx, caller, id).await?;
    reach::may_steer(&mut tx, caller, before.user_group).await?;
    let after = patch.apply(&before)?;
    if after.user_group != before.user_group {
        check_group(&mut tx, caller, after.user_group).await?;
    }
    if after.language != before.language {
        check_language(&mut tx, caller, after.language).await?;
    }
    let is_renamed = after.username.to_lowercase() != before.username.to_lowercase();
    let name = is_renamed.then_some(after.username.as_str());
    let address = after.moved_from(&before).then_some(after.email.as_str());
    check_free(&mut tx, Some(caller.group()), id, name, address).await?;
    if after.username != before.username {
        check_look(&mut tx, Some(caller.group()), Some(id), &after.username).await?;
    }
    sqlx::query(SQL)
        .bind(id)
        .bind(&after.username)
        .bind(&after.email)
        .bind(after.user_group)
        .bind(after.language)
        .bind(now)
        .bind(after.moved_from(&before))
        .bind(look(&after.username))
        .execute(&mut *tx)
        .await
        .map_err(explained)?;
    if after.user_group != before.user_group {
        keys::expect_within_reach(&mut tx, id).await?;
    }
    if after.moved_from(&before) {
        app.strangers.spend(caller.group())?;
        tell_of_move(&mut tx, app, id, &before, &after).await?;
    }
    tx.commit().await?;
    app.access.on_notice("account", id);
    if after != before {
        security::note(Event::UserChanged, None, None, &format!("user {id}"));
    }
    Ok(())
}

/// Switches a user off: its sessions end, and it is not shown any more. Its keys end too, unless another user is to
/// answer for them.
pub(super) async fn delete(app: &App, caller: &Caller, id: i64, heir: Option<i64>) -> Result<()> {
    const SQL: &str = "UPDATE account SET disabled_at = $2, updated_at = $2 WHERE id = $1";
    if caller.account() == Some(id) {
        return Err(Error::Conflict("you can't delete yourself".into()));
    }
    let now = app.clock.now();
    let mut tx = transaction::begin(&app.db).await?;
    if let Some(heir) = heir {
        // In order, so that two who hand over to each other do not wait for each other.
        let both = sqlx::query("SELECT FROM account WHERE id = ANY ($1) ORDER BY id FOR NO KEY UPDATE");
        both.bind([id, heir]).execute(&mut *tx).await?;
    }
    let before = lock(&mut tx, caller, id).await?;
    reach::may_steer(&mut tx, caller, before.user_group).await?;
    let keys = match heir {
        None => keys::end_of(&mut tx, id, now).await?,
        Some(heir) => hand_over(&mut tx, caller, id, heir).await?,
    };
    sqlx::query(SQL).bind(id).bind(now).execute(&mut *tx).await?;
    sessions::end_all(&mut tx, id, now).await?;
    recovery::void_all(&mut tx, id).await?;
    tx.commit().await?;
    app.access.on_notice("account", id);
    if heir.is_none() {
        keys::forget(app, &keys);
    }
    security::note(Event::UserDeleted, None, None, &format!("user {id}"));
    Ok(())
}

/// Has another user that the caller reaches answer for the keys of one.
pub(super) async fn hand_over(
    tx: &mut PgConnection,
    caller: &Caller,
    id: i64,
    heir: i64,
) -> Result<Vec<i64>> {
    let refused = |why: &'static str| Error::invalid("/handOverTo", why);
    if heir == id {
        return Err(refused("is the user that is deleted"));
    }
    match lock(tx, caller, heir).await {
        Ok(_) => {}
        Err(Error::NotFound(_)) => return Err(refused("is not a user that you may change")),
        Err(error) => return Err(error),
    }
    keys::hand_over(tx, id, heir)
        .await?
        .ok_or_else(|| refused("is in a group that the keys are not of, nor below"))
}

/// A user that the caller reaches, locked for its transaction.
async fn lock(connection: &mut PgConnection, caller: &Caller, id: i64) -> Result<Stored> {
    const SQL: &str = "
        SELECT username, email, user_group, language, password_hash IS NOT NULL AS activated,
               email_confirmed AS confirmed
        FROM account WHERE id = $2 AND disabled_at IS NULL
          AND user_group IN (SELECT descendant FROM user_group_tree WHERE ancestor = $1)
        FOR NO KEY UPDATE";
    sqlx::query_as(SQL).bind(caller.group()).bind(id).fetch_optional(connection).await?.ok_or(NOT_FOUND)
}

async fn tell_of_move(
    connection: &mut PgConnection,
    app: &App,
    id: i64,
    before: &Stored,
    after: &Stored,
) -> Result<()> {
    let (pace, now) = (&app.mail_pace, app.clock.now());
    recovery::void_all(connection, id).await?;
    if !before.activated {
        // Nobody has shown that the old address is theirs: there is nobody to tell.
        return outbox::put(connection, Letter::Activation, id, &after.email, pace, now).await;
    }
    outbox::put(connection, Letter::Confirmation, id, &after.email, pace, now).await?;
    outbox::put(connection, Letter::AddressChanged, id, &before.email, pace, now).await
}

async fn check_group(connection: &mut PgConnection, caller: &Caller, group: i64) -> Result<()> {
    match reach::open_group(connection, caller, group).await? {
        Some(theirs) if theirs.within(caller.grant.permissions) => Ok(()),
        Some(_) => Err(Error::invalid("/userGroup", "allows more than you may do yourself")),
        None => Err(Error::invalid("/userGroup", "is not your group or one below it")),
    }
}

/// A caller sees the languages of its own group, of those below it and of those above it.
async fn check_language(connection: &mut PgConnection, caller: &Caller, language: i64) -> Result<()> {
    const SQL: &str = "
        SELECT EXISTS (SELECT FROM language WHERE id = $2 AND user_group IN (
            SELECT descendant FROM user_group_tree WHERE ancestor = $1
            UNION ALL SELECT ancestor FROM user_group_tree WHERE descendant = $1))";
    if sqlx::query_scalar(SQL).bind(caller.group()).bind(language).fetch_one(connection).await? {
        Ok(())
    } else {
        Err(unknown_language())
    }
}

fn unknown_language() -> Error {
    Error::invalid("/language", "is not a language that you see")
}

/// Refuses (422) a new name or address that another user than `id` has, whom the groups from `within` down have: all, if
/// it is absent. Who has an account elsewhere is none of a caller's business: there, a name or an address is taken as if it
/// were free.
pub(super) async fn check_free(
    connection: &mut PgConnection,
    within: Option<i64>,
    id: i64,
    name: Option<&str>,
    address: Option<&str>,
) -> Result<()> {
    // Of two who ask for the same at a time, one waits here. In order, so that they do not wait for each other.
    const ONE_AT_A_TIME: &str = "
        SELECT pg_advisory_xact_lock(key)
        FROM (SELECT DISTINCT hashtextextended(lower(text), 0) AS key FROM unnest($1::text[]) text
              WHERE text IS NOT NULL ORDER BY key) keys";
    const TAKEN: &str = "
        SELECT COALESCE(bool_or(lower(username) = lower($3)), false), COALESCE(bool_or(lower(email) = lower($4)), false)
        FROM account
        WHERE (lower(username) = lower($3) OR lower(email) = lower($4)) AND id <> $2
          AND ($1::bigint IS NULL OR user_group IN (SELECT descendant FROM user_group_tree WHERE ancestor = $1))";
    sqlx::query(ONE_AT_A_TIME).bind([name, address]).execute(&mut *connection).await?;
    let taken = sqlx::query_as(TAKEN).bind(within).bind(id).bind(name).bind(address);
    match taken.fetch_one(connection).await? {
        (true, _) => Err(Error::invalid("/username", "is taken")),
        (_, true) => Err(Error::invalid("/email", "is taken")),
        (false, false) => Ok(()),
    }
}

/// Says which field a statement failed for.
fn explained(error: sqlx::Error) -> Error {
    if violates(&error, "account_language_fkey") { unknown_language() } else { error.into() }
}
