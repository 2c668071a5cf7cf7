//! Transactions that are begun whole or not at all.

use crate::{
    author,
    error::{Error, Result},
    postgres::limited,
};
use sqlx::{AssertSqlSafe, PgPool, Postgres, Transaction, error::DatabaseError};
use std::time::Duration;

/// A transaction that takes longer to begin never will: its connection leads nowhere.
const BEGUN_WITHIN: Duration = Duration::from_secs(10);

/// What Postgres says of a statement that took too long.
const CANCELLED: &str = "57014";

/// Begins a transaction. Use this, not [`PgPool::begin`]: it tells Postgres who makes the change, in the same round
/// trip.
///
/// A handler is dropped wherever it waits when its client goes away. Dropped while it waits for the
/// answer to `BEGIN`, sqlx 0.9 does not take that back: the connection returns to the pool with a
/// transaction open that nobody will ever commit, and what the next user of it writes is lost. Here
/// a task of its own waits for that answer; if nobody wants the transaction any more then, dropping
/// it rolls it back.
pub async fn begin(db: &PgPool) -> Result<Transaction<'static, Postgres>> {
    let db = db.clone();
    // Of the author nothing gets into the statement but a quoted literal.
    let statement = AssertSqlSafe(author::begin_statement().into_owned());
    #[expect(clippy::disallowed_methods, reason = "this is the one that everyone else asks")]
    let begun = tokio::spawn(async move { limited(BEGUN_WITHIN, db.begin_with(statement)).await });
    Ok(begun.await.map_err(Error::fault)??)
}

/// Begins one that only looks, at one state of everything.
pub async fn snapshot(db: &PgPool) -> Result<Transaction<'static, Postgres>> {
    let mut tx = begin(db).await?;
    sqlx::query("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY").execute(&mut *tx).await?;
    Ok(tx)
}

/// The same for so many seconds a statement at most: others want to work with Postgres too.
pub async fn look(db: &PgPool, patience_s: u32) -> Result<Transaction<'static, Postgres>> {
    let mut tx = snapshot(db).await?;
    let patience = sqlx::query("SELECT set_config('statement_timeout', $1, true)");
    patience.bind(format!("{patience_s}s")).execute(&mut *tx).await?;
    Ok(tx)
}

/// Says that what stands at `pointer` asks for too much, if that is why the statement failed.
pub fn too_long(error: sqlx::Error, pointer: &'static str) -> Error {
    if was_too_long(&error) {
        return Error::invalid(
            pointer,
            "takes too long to be worked out: narrow the conditions or the period",
        );
    }
    error.into()
}

/// Returns `true` if a statement failed because it took too long.
pub fn was_too_long(error: &sqlx::Error) -> bool {
    error.as_database_error().and_then(DatabaseError::code).is_some_and(|code| code == CANCELLED)
}
