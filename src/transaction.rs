//! Transactions that are begun whole or not at all.

use crate::error::{Error, Result};
use sqlx::{PgPool, Postgres, Transaction};

/// Begins a transaction. Use this, not [`PgPool::begin`].
///
/// A handler is dropped wherever it waits when its client goes away. Dropped while it waits for the
/// answer to `BEGIN`, sqlx 0.9 does not take that back: the connection returns to the pool with a
/// transaction open that nobody will ever commit, and what the next user of it writes is lost. Here
/// a task of its own waits for that answer; if nobody wants the transaction any more then, dropping
/// it rolls it back.
pub async fn begin(db: &PgPool) -> Result<Transaction<'static, Postgres>> {
    let db = db.clone();
    #[expect(clippy::disallowed_methods, reason = "this is the one that everyone else asks")]
    let begun = tokio::spawn(async move { db.begin().await });
    Ok(begun.await.map_err(Error::fault)??)
}
