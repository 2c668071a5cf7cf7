//! Looks up what is kept under a machine's own numbers.
//!
//! There are years of rows, month by month. What is sent again says when it happened, so the months
//! around that are looked at first, and all others only for what is not there. Of a machine that has begun to
//! count again there may be several under one number, anywhere.

use crate::{error::Result, telemetry::sender::Sender};
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

/// What is kept under numbers, by its number.
pub(super) type ByNumber<K> = HashMap<i64, Vec<K>>;

/// Where to look for what is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Where {
    /// Around the time that is said, and elsewhere for what is not there.
    Around,
    /// In all months.
    Everywhere,
}

impl Where {
    /// Where to look for items of a machine, given whether one of them says another series or no time.
    pub(super) fn of(sender: &Sender, is_odd: bool) -> Self {
        if is_odd || sender.has_begun_again() { Self::Everywhere } else { Self::Around }
    }
}

/// What is kept under numbers that are said to be of certain times.
pub(super) async fn known<K: Numbered>(
    db: &mut PgConnection,
    machine: i64,
    place: Where,
    said: impl Iterator<Item = (i64, DateTime<Utc>)>,
) -> Result<ByNumber<K>> {
    let (mut remotes, instants): (Vec<i64>, Vec<DateTime<Utc>>) = said.unzip();
    let (Some(first), Some(last)) = (instants.iter().min(), instants.iter().max()) else {
        return Ok(HashMap::new());
    };
    let mut known: ByNumber<K> = HashMap::new();
    if place == Where::Around {
        let around = sqlx::query_as(K::AROUND).bind(machine).bind(&remotes);
        let around: Vec<K> = around.bind(*first - AROUND).bind(*last + AROUND).fetch_all(&mut *db).await?;
        add(&mut known, around);
        remotes.retain(|remote| !known.contains_key(remote));
    }
    if !remotes.is_empty() {
        let others: Vec<K> = sqlx::query_as(K::EVER).bind(machine).bind(remotes).fetch_all(db).await?;
        add(&mut known, others);
    }
    Ok(known)
}

fn add<K: Numbered>(known: &mut ByNumber<K>, found: Vec<K>) {
    for one in found {
        known.entry(one.remote()).or_default().push(one);
    }
}

/// When the latest happened that has a number of the machine's running series, by these statements.
pub(super) async fn newest(
    db: &mut PgConnection,
    sender: &Sender,
    of: &[&'static str],
) -> Result<Option<DateTime<Utc>>> {
    let mut newest = None;
    for sql in of {
        let latest = sqlx::query_scalar(*sql).bind(sender.machine).bind(sender.numbering.from);
        newest = newest.max(latest.fetch_optional(&mut *db).await?);
    }
    Ok(newest)
}

/// The statement for one kind, over a table with its archive. Payments and events are held against sales too:
/// of these there are most.
macro_rules! newest_of {
    ($table:literal) => {
        concat!(
            "SELECT occurred_at FROM ",
            $table,
            " WHERE machine = $1 AND ($2::timestamptz IS NULL OR occurred_at > $2)
                AND remote IS NOT NULL AND series <= 0 ORDER BY occurred_at DESC LIMIT 1"
        )
    };
}
pub(super) use newest_of;
