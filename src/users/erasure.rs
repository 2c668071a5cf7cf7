//! Erasing a person: what is known of a user is taken away, and the row stays for what refers to it.
//!
//! The journal and the sales name no user, and are not touched.

use super::{reach, user_store};
use crate::{
    app::App,
    error::{Error, Result},
    http::Caller,
    identity::{keys, recovery, sessions},
    transaction,
};
use chrono::{DateTime, Utc};
use sqlx::{PgConnection, types::Uuid};

/// Erases a user that the caller reaches, deleted ones too. Its API keys end, unless another user is to answer for them.
pub(super) async fn erase_within_reach(app: &App, caller: &Caller, id: i64, heir: Option<i64>) -> Result<()> {
    const SQL: &str = "
        SELECT user_group FROM account WHERE id = $2
          AND user_group IN (SELECT descendant FROM user_group_tree WHERE ancestor = $1)
        FOR NO KEY UPDATE";
    if caller.account() == Some(id) {
        return Err(Error::Conflict("you can't delete yourself".into()));
    }
    let mut tx = transaction::begin(&app.db).await?;
    let found = sqlx::query_scalar(SQL).bind(caller.group()).bind(id).fetch_optional(&mut *tx).await?;
    let group = found.ok_or(Error::NotFound("user"))?;
    reach::may_steer(&mut tx, caller, group).await?;
    if let Some(heir) = heir {
        user_store::hand_over(&mut tx, caller, id, heir).await?;
    }
    erase(&mut tx, id, Some(caller.group()), app.clock.now()).await?;
    tx.commit().await?;
    app.access.on_notice("account", id);
    Ok(())
}

/// Erases a user. Entries of the address among the recipients of alerts go with it: those of the groups from
/// `within` down, or all.
pub(super) async fn erase(
    tx: &mut PgConnection,
    account: i64,
    within: Option<i64>,
    now: DateTime<Utc>,
) -> Result<()> {
    const SQL: &str = "
        UPDATE account SET username = $2, look = NULL, email = $2 || '@erased.invalid', password_hash = NULL,
            email_confirmed = false, password_expires = NULL, disabled_at = COALESCE(disabled_at, $3), updated_at = $3
        WHERE id = $1";
    const RECIPIENTS: &str = "
        DELETE FROM alert_recipient WHERE lower(email) = lower($1)
          AND ($2::bigint IS NULL OR user_group IN (SELECT descendant FROM user_group_tree WHERE ancestor = $2))";
    sessions::lock(tx, account).await?;
    let (name, address): (String, String) =
        sqlx::query_as("SELECT username, email FROM account WHERE id = $1")
            .bind(account)
            .fetch_one(&mut *tx)
            .await?;
    keys::end_of(tx, account, now).await?;
    sessions::end_all(tx, account, now).await?;
    sessions::forget_all(tx, account).await?;
    recovery::void_all(tx, account).await?;
    sqlx::query("DELETE FROM mail WHERE account = $1 OR lower(recipient) = lower($2)")
        .bind(account)
        .bind(&address)
        .execute(&mut *tx)
        .await?;
    sqlx::query(RECIPIENTS).bind(&address).bind(within).execute(&mut *tx).await?;
    // Nobody else sees them, and their names are the person's own words.
    sqlx::query("DELETE FROM dashboard WHERE account = $1").bind(account).execute(&mut *tx).await?;
    sqlx::query("DELETE FROM idempotency_key WHERE account = $1").bind(account).execute(&mut *tx).await?;
    let nobody = format!("erased-{}", Uuid::new_v4());
    sqlx::query(SQL).bind(account).bind(nobody).bind(now).execute(&mut *tx).await?;
    // Last, because what is changed here may be recorded too.
    let record = sqlx::query("SELECT erase_from_activity($1, $2, $3)").bind(account).bind(name).bind(address);
    record.execute(tx).await?;
    Ok(())
}
