//! Looks up what is kept under a machine's own numbers.
//!
//! There are years of rows, month by month. What is sent again says when it happened, so the months
//! around that are looked at first, and all others only for what is not there.

use crate::error::Result;
use chrono::{DateTime, TimeDelta, Utc};
use sqlx::{FromRow, PgConnection, postgres::PgRow};
use std::collections::HashMap;

/// Something that is kept under a number of the machine's own.
pub(super) trait Numbered: for<'r> FromRow<'r, PgRow> + Send + Unpin {
    /// What asks for those of a machine (`$1`) with these numbers (`$2`).
    const EVER: &'static str;

    /// The same, of a time (`$3` to `$4`).
    const AROUND: &'static str;

    /// The number.
    fn remote(&self) -> i64;
}

/// Makes both statements of one, and says that a row has its number in a field.
macro_rules! numbered {
    ($Known:ty, $sql:literal) => {
        impl Numbered for $Known {
            const EVER: &'static str = concat!($sql, " WHERE machine = $1 AND remote = ANY($2)");
            const AROUND: &'static str =
                concat!($sql, " WHERE machine = $1 AND remote = ANY($2) AND occurred_at BETWEEN $3 AND $4");

            fn remote(&self) -> i64 {
                self.remote
            }
        }
    };
}
pub(super) use numbered;

/// What belongs together may be written down with times that differ by so much.
const AROUND: TimeDelta = TimeDelta::days(1);

/// What is kept under numbers that are said to be of certain times, by its number.
pub(super) async fn known<K: Numbered>(
    db: &mut PgConnection,
    machine: i64,
    said: impl Iterator<Item = (i64, DateTime<Utc>)>,
) -> Result<HashMap<i64, K>> {
    let (mut remotes, instants): (Vec<i64>, Vec<DateTime<Utc>>) = said.unzip();
    let (Some(first), Some(last)) = (instants.iter().min(), instants.iter().max()) else {
        return Ok(HashMap::new());
    };
    let around = sqlx::query_as(K::AROUND).bind(machine).bind(&remotes);
    let around: Vec<K> = around.bind(*first - AROUND).bind(*last + AROUND).fetch_all(&mut *db).await?;
    let mut known: HashMap<i64, K> = around.into_iter().map(|one| (one.remote(), one)).collect();
    remotes.retain(|remote| !known.contains_key(remote));
    if !remotes.is_empty() {
        let others: Vec<K> = sqlx::query_as(K::EVER).bind(machine).bind(remotes).fetch_all(db).await?;
        known.extend(others.into_iter().map(|one| (one.remote(), one)));
    }
    Ok(known)
}
