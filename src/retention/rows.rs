//! Rows that are deleted: where people logged in from, log-ins that have ended, mails that never left, answers that
//! nobody will ask for again.

use super::since;
use crate::{config::Config, error::Result, idempotency};
use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgPool;

/// Rows that are deleted in one step.
const BATCH: i64 = 1_000;

/// Deletes some of what is too old; false if there was nothing.
pub(super) async fn delete(db: &PgPool, config: &Config, now: DateTime<Utc>) -> Result<bool> {
    const ADDRESSES: &str = "
        DELETE FROM login_address WHERE ctid = ANY (ARRAY(
            SELECT ctid FROM login_address WHERE last_at <= $1 LIMIT $2 FOR UPDATE SKIP LOCKED))";
    const MAILS: &str = "
        DELETE FROM mail WHERE ctid = ANY (ARRAY(
            SELECT ctid FROM mail WHERE created_at <= $1 LIMIT $2 FOR UPDATE SKIP LOCKED))";
    const TOKENS: &str = "
        DELETE FROM refresh_token WHERE ctid = ANY (ARRAY(
            SELECT ctid FROM refresh_token WHERE expires_at <= $1 LIMIT $2 FOR UPDATE SKIP LOCKED))";
    const SESSIONS: &str = "
        DELETE FROM ended_session WHERE ctid = ANY (ARRAY(
            SELECT ctid FROM ended_session WHERE ended_at <= $1 LIMIT $2 FOR UPDATE SKIP LOCKED))";
    const KEYS: &str = "
        DELETE FROM idempotency_key WHERE ctid = ANY (ARRAY(
            SELECT ctid FROM idempotency_key WHERE created_at <= $1 LIMIT $2 FOR UPDATE SKIP LOCKED))";
    // A token that is spent betrays who uses it again, for as long as a session can last.
    let session = TimeDelta::seconds(config.session_max_s as i64);
    let access = TimeDelta::seconds(config.access_token_s.max(config.link_s) as i64);
    let old = [
        (ADDRESSES, since(config.login_addresses_keep_days, now)),
        (MAILS, since(config.mails_keep_days, now)),
        (TOKENS, now.checked_sub_signed(session)),
        (SESSIONS, now.checked_sub_signed(access)),
        (KEYS, now.checked_sub_signed(idempotency::KEPT)),
    ];
    let mut deleted = 0;
    for (sql, before) in old {
        if let Some(before) = before {
            deleted += sqlx::query(sql).bind(before).bind(BATCH).execute(db).await?.rows_affected();
        }
    }
    Ok(deleted > 0)
}
