//! Users as the operator of the installation makes them at its command line: the first one of all, and help
//! for who can't get in any more. An operator has the database, so nobody's permissions are asked.

use super::{erasure, group::check_name, user::UserDraft, user_store};
use crate::{
    config::Config,
    error::{Error, Result},
    identity::{
        groups, password_rules,
        passwords::Passwords,
        recovery::{self, Purpose},
        sessions,
    },
    transaction,
};
use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};
use sqlx::{PgConnection, PgPool};

/// Languages of a new installation: those that mails are written in. The first is the default.
const LANGUAGES: [(&str, &str, &str); 4] = [
    ("English", "en", "en-GB"),
    ("Nederlands", "nl", "nl-NL"),
    ("Deutsch", "de", "de-DE"),
    ("Français", "fr", "fr-FR"),
];

/// The name of the first group, where the operator gives none.
const FIRST_GROUP: &str = "Main";

/// A user as the operator describes one.
#[derive(Clone, Debug)]
pub struct NewUser {
    /// The user name.
    pub username: String,
    /// The e-mail address.
    pub email: String,
    /// The name or the id of the group; the first group's name on an empty installation.
    pub group: Option<String>,
    /// The language as ISO 639 code or locale; the first that the group sees if absent.
    pub language: Option<String>,
}

/// An account that the operator named.
#[derive(sqlx::FromRow)]
struct Account {
    id: i64,
    username: String,
    email: String,
    user_group: i64,
    activated: bool,
    enabled: bool,
}

/// Adds a user, and the first group and its languages if there is no group yet. Returns the link to choose a
/// password with, or `None` if a password was given.
pub async fn add(
    db: &PgPool,
    config: &Config,
    user: NewUser,
    password: Option<SecretString>,
    now: DateTime<Utc>,
) -> Result<Option<String>> {
    let draft = UserDraft { username: user.username, email: user.email, user_group: 0, language: 0 };
    let mut new = draft.check()?;
    let hash = hashed(config, password, &new.username, &new.email).await?;
    let mut tx = transaction::begin(db).await?;
    // As everyone who changes the tree of groups does: two operators at a time make one first group.
    sqlx::query("LOCK TABLE user_group IN SHARE ROW EXCLUSIVE MODE").execute(&mut *tx).await?;
    new.user_group = group(&mut tx, user.group.as_deref(), now).await?;
    new.language = language(&mut tx, new.user_group, user.language.as_deref()).await?;
    user_store::check_free(&mut tx, None, 0, Some(&new.username), Some(&new.email)).await?;
    user_store::check_look(&mut tx, None, None, &new.username).await?;
    let id = user_store::insert(&mut tx, &new, now).await?;
    let link = let_in(&mut tx, config, id, Purpose::Activation, hash, now).await?;
    tx.commit().await?;
    Ok(link)
}

/// Ends the sessions of a user and sets the password. Returns the link to choose one with, or `None` if a
/// password was given.
pub async fn reset_password(
    db: &PgPool,
    config: &Config,
    name: &str,
    password: Option<SecretString>,
    now: DateTime<Utc>,
) -> Result<Option<String>> {
    let mut tx = transaction::begin(db).await?;
    let account = find(&mut tx, name).await?;
    if !account.enabled || groups::allowed(&mut *tx, account.user_group).await?.is_none() {
        return Err(Error::Conflict("this user, or its user group, is deleted or disabled".into()));
    }
    tx.rollback().await?;
    let hash = hashed(config, password, &account.username, &account.email).await?;
    let purpose = if account.activated { Purpose::Reset } else { Purpose::Activation };
    let mut tx = transaction::begin(db).await?;
    sessions::lock(&mut tx, account.id).await?;
    sessions::end_all(&mut tx, account.id, now).await?;
    recovery::void_all(&mut tx, account.id).await?;
    let link = let_in(&mut tx, config, account.id, purpose, hash, now).await?;
    tx.commit().await?;
    Ok(link)
}

/// Erases a user, deleted ones too.
pub async fn erase(db: &PgPool, name: &str, now: DateTime<Utc>) -> Result<()> {
    let mut tx = transaction::begin(db).await?;
    let account = find(&mut tx, name).await?;
    erasure::erase(&mut tx, account.id, None, now).await?;
    tx.commit().await?;
    Ok(())
}

/// The account of a user name or, if nobody has it, of an e-mail address.
pub(super) async fn find_id(connection: &mut PgConnection, name: &str) -> Result<i64> {
    Ok(find(connection, name).await?.id)
}

async fn find(connection: &mut PgConnection, name: &str) -> Result<Account> {
    const SQL: &str = "
        SELECT id, username, email, user_group, password_hash IS NOT NULL AS activated, disabled_at IS NULL AS enabled
        FROM account WHERE lower(username) = lower($1) OR lower(email) = lower($1)
        ORDER BY lower(username) = lower($1) DESC, disabled_at IS NULL DESC, email_confirmed DESC, id LIMIT 2";
    let name = name.trim();
    let mut found: Vec<Account> = sqlx::query_as(SQL).bind(name).fetch_all(connection).await?;
    let is_called = |account: &Account| account.enabled && account.username.eq_ignore_ascii_case(name);
    if found.len() == 2 && found.iter().all(is_called) {
        // Groups that do not know of each other may have one each.
        return Err(Error::Conflict("several users have this name: give the e-mail address".into()));
    }
    found.truncate(1);
    found.pop().ok_or(Error::NotFound("user"))
}

async fn hashed(
    config: &Config,
    password: Option<SecretString>,
    username: &str,
    email: &str,
) -> Result<Option<String>> {
    let Some(password) = password else { return Ok(None) };
    password_rules::check(password.expose_secret())?;
    password_rules::check_for(password.expose_secret(), username, email)?;
    let passwords = Passwords::new(config)?;
    let turn = passwords.turn(None).await?;
    passwords.hash(turn, password).await.map(Some)
}

/// Stores the hash of a password, or makes a link to choose one with.
async fn let_in(
    tx: &mut PgConnection,
    config: &Config,
    account: i64,
    purpose: Purpose,
    hash: Option<String>,
    now: DateTime<Utc>,
) -> Result<Option<String>> {
    const SQL: &str = "
        UPDATE account SET password_hash = $2, password_expires = NULL, updated_at = $3 WHERE id = $1";
    let Some(hash) = hash else {
        let token = recovery::issue(tx, account, purpose, config, now).await?;
        return Ok(Some(purpose.link(config, &token)));
    };
    sqlx::query(SQL).bind(account).bind(hash).bind(now).execute(tx).await?;
    Ok(None)
}

/// The group that the operator means: made here if it is to be the first.
async fn group(tx: &mut PgConnection, named: Option<&str>, now: DateTime<Utc>) -> Result<i64> {
    let is_first: bool =
        sqlx::query_scalar("SELECT NOT EXISTS (SELECT FROM user_group)").fetch_one(&mut *tx).await?;
    if is_first {
        return first_group(tx, named.unwrap_or(FIRST_GROUP), now).await;
    }
    let Some(named) = named else {
        return Err(Error::invalid(
            "/userGroup",
            "is needed: there are groups already (name one, or give its id)",
        ));
    };
    let ids: Vec<i64> = sqlx::query_scalar(
        "SELECT id FROM user_group
         WHERE NOT deleted AND disabled_at IS NULL AND (name = $1 OR id::text = $1) ORDER BY id::text = $1 DESC",
    )
    .bind(named.trim())
    .fetch_all(tx)
    .await?;
    match ids[..] {
        [] => Err(Error::invalid("/userGroup", "is no group that there is")),
        [id] => Ok(id),
        [id, ..] if id.to_string() == named.trim() => Ok(id),
        _ => Err(Error::invalid("/userGroup", "is the name of several groups: give the id of one")),
    }
}

async fn first_group(tx: &mut PgConnection, name: &str, now: DateTime<Utc>) -> Result<i64> {
    check_name(name)?;
    let group: i64 = sqlx::query_scalar(
        "INSERT INTO user_group (name, created_at, updated_at) VALUES ($1, $2, $2) RETURNING id",
    )
    .bind(name.trim())
    .bind(now)
    .fetch_one(&mut *tx)
    .await?;
    for (name, code, locale) in LANGUAGES {
        sqlx::query(
            "INSERT INTO language (user_group, name, language, locale, created_at, updated_at)
             VALUES ($1, $2, $3, $4, $5, $5)",
        )
        .bind(group)
        .bind(name)
        .bind(code)
        .bind(locale)
        .bind(now)
        .execute(&mut *tx)
        .await?;
    }
    Ok(group)
}

/// The language of this code or locale that a group sees: its own before those of the groups above it.
async fn language(tx: &mut PgConnection, group: i64, named: Option<&str>) -> Result<i64> {
    const SQL: &str = "
        SELECT l.id FROM language l JOIN user_group_tree t ON t.ancestor = l.user_group
        WHERE t.descendant = $1 AND ($2 IS NULL OR lower($2) IN (lower(l.language), lower(l.locale)))
        ORDER BY t.depth, l.id LIMIT 1";
    let found = sqlx::query_scalar(SQL).bind(group).bind(named.map(str::trim)).fetch_optional(tx).await?;
    found.ok_or(Error::invalid("/language", "is no language that the group has"))
}
