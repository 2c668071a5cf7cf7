//! Locks given while Redis is away: in the voucher's row, where they wait for it to come back.

use crate::redemption::voucher::{Facts, Lock};
use chrono::{DateTime, Utc};
use sqlx::PgPool;
use uuid::Uuid;

/// Takes or renews a lock; `false` if another's is in force or the facts have changed.
pub async fn hold(db: &PgPool, facts: &Facts, lock: Lock, now: DateTime<Utc>) -> Result<bool, sqlx::Error> {
    let done = sqlx::query(
        "UPDATE voucher SET lock_owner = $2, locked_till = $3, revision = revision + 1 \
         WHERE id = $1 AND version = $5 AND (locked_till IS NULL OR locked_till <= $4 OR lock_owner = $2)",
    )
    .bind(facts.id)
    .bind(lock.owner)
    .bind(lock.till)
    .bind(now)
    .bind(i64::from(facts.version))
    .execute(db)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Gives a lock back; whether there was one in force.
pub async fn release(
    db: &PgPool,
    voucher: Uuid,
    machine: i64,
    now: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query(
        "UPDATE voucher v SET lock_owner = NULL, locked_till = NULL, revision = v.revision + 1 \
         FROM (SELECT id, locked_till FROM voucher WHERE id = $1 FOR UPDATE) was \
         WHERE v.id = was.id AND v.lock_owner = $2 AND was.locked_till > $3",
    )
    .bind(voucher)
    .bind(machine)
    .bind(now)
    .execute(db)
    .await?;
    Ok(done.rows_affected() == 1)
}
