//! Columns that are emptied while their rows stay.

use crate::{error::Result, transaction};
use chrono::{DateTime, Utc};
use sqlx::{AssertSqlSafe, PgPool};

/// Rows that are looked at in one step.
const BATCH: i64 = 1_000;

/// A column of what is kept by month and has an archive.
pub(super) struct Column {
    /// Names it in `retention`.
    data: &'static str,
    table: &'static str,
    name: &'static str,
}

/// Who bought: a key, a chip, an app.
pub(super) const SALE_TOKENS: Column =
    Column { data: "sale_tokens", table: "revenue_transaction", name: "token" };

/// Details that machines gave of an event.
pub(super) const EVENT_DATA: Column = Column { data: "event_data", table: "machine_log", name: "extra_data" };

/// Empties a column in rows that were received before `since`, some of them at a time; false if there are none.
///
/// Rows are gone through in the order of their ids, which is the order of their arrival: what came late is
/// met where it came, and nothing is looked at twice.
pub(super) async fn clear(db: &PgPool, column: &Column, since: Option<DateTime<Utc>>) -> Result<bool> {
    const LOCK: &str = "SELECT through FROM retention WHERE data = $1 FOR UPDATE SKIP LOCKED";
    let Some(since) = since else { return Ok(false) };
    let Column { data, table, name } = column;
    sqlx::query("INSERT INTO retention (data) VALUES ($1) ON CONFLICT DO NOTHING")
        .bind(data)
        .execute(db)
        .await?;
    let mut tx = transaction::begin(db).await?;
    // None where another server is at it.
    let locked: Option<i64> = sqlx::query_scalar(LOCK).bind(data).fetch_optional(&mut *tx).await?;
    let Some(through) = locked else { return Ok(false) };
    let due = format!(
        "SELECT max(id) FROM (
            SELECT id, bool_and(created_at < $2) OVER (ORDER BY id) AS is_due FROM (
                (SELECT id, created_at FROM {table} WHERE id > $1 ORDER BY id LIMIT $3)
                UNION ALL (SELECT id, created_at FROM {table}_archive WHERE id > $1 ORDER BY id LIMIT $3)
            ) AS both_of_them ORDER BY id LIMIT $3
         ) AS next WHERE is_due"
    );
    let due = sqlx::query_scalar(AssertSqlSafe(due)).bind(through).bind(since).bind(BATCH);
    let due: Option<i64> = due.fetch_one(&mut *tx).await?;
    let Some(due) = due else { return Ok(false) };
    for table in [(*table).to_owned(), format!("{table}_archive")] {
        let empty =
            format!("UPDATE {table} SET {name} = NULL WHERE id > $1 AND id <= $2 AND {name} IS NOT NULL");
        sqlx::query(AssertSqlSafe(empty)).bind(through).bind(due).execute(&mut *tx).await?;
    }
    let note = sqlx::query("UPDATE retention SET through = $2 WHERE data = $1").bind(data).bind(due);
    note.execute(&mut *tx).await?;
    tx.commit().await?;
    Ok(true)
}
