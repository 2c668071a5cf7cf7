//! Rows as their readers are shown them.

use crate::error::Result;
use serde::Serialize;
use sqlx::{FromRow, postgres::PgRow};

/// Turns rows into the items of a list, some at a time: what they need beside themselves is looked up for all of
/// them together.
pub trait Show: Send + Sync + 'static {
    /// An item.
    type Shown: Serialize + Send + Sync;

    /// Turns some rows into as many items.
    fn show(&self, rows: Vec<PgRow>) -> impl Future<Output = Result<Vec<Self::Shown>>> + Send;
}

impl<F, T> Show for F
where
    F: Fn(&PgRow) -> Result<T> + Send + Sync + 'static,
    T: Serialize + Send + Sync,
{
    type Shown = T;

    async fn show(&self, rows: Vec<PgRow>) -> Result<Vec<T>> {
        rows.iter().map(self).collect()
    }
}

/// Returns a row as `T`, which is shown as it is.
pub fn rows<T: for<'r> FromRow<'r, PgRow>>(row: &PgRow) -> Result<T> {
    Ok(T::from_row(row)?)
}
