//! Holds the sums against the rows that they are sums of, says what differs, and mends it if asked to.
//!
//! Rows and sums change in the same transaction, so one statement sees both as they belong together,
//! whoever writes meanwhile. Mending goes machine by machine, with its presence locked as everyone who
//! writes rows for it does.

use super::booking;
use crate::{error::Result, transaction};
use chrono::NaiveDateTime;
use futures_util::TryStreamExt;
use serde::Serialize;
use serde_json::Value;
use sqlx::{PgPool, prelude::FromRow};
use std::collections::BTreeSet;

/// Differences that are shown of each kind of sums; the rest are counted.
const SHOWN_MAX: usize = 1_000;

/// Sums, and the statements that look at them.
struct Sums {
    /// What they are sums of.
    of: &'static str,
    /// How many there are.
    count: &'static str,
    /// Those that are not as the rows come to.
    compare: &'static str,
    /// Takes away those of a machine.
    forget: &'static str,
    /// Adds them up anew.
    add_up: &'static str,
}

/// The statements for a table of sums and the view that counts anew.
macro_rules! sums {
    ($of:literal, $total:literal, $keys:literal) => {
        Sums {
            of: $of,
            count: concat!("SELECT count(*) FROM ", $of, "_rollup"),
            compare: concat!(
                "SELECT sums.machine, to_jsonb(key) AS key, jsonb_build_array(found_quantity, found_total) AS found,
                    jsonb_build_array(expected_quantity, expected_total) AS expected
                 FROM (SELECT ", $keys, ",
                        COALESCE(r.quantity, 0) AS found_quantity, COALESCE(r.", $total, ", 0) AS found_total,
                        COALESCE(c.quantity, 0) AS expected_quantity, COALESCE(c.", $total, ", 0) AS expected_total
                    FROM ", $of, "_rollup r FULL JOIN ", $of, "_recount c USING (", $keys, ")) AS sums,
                    LATERAL (SELECT ", $keys, ") AS key
                 WHERE (found_quantity <> expected_quantity OR found_total <> expected_total) AND sums.starts >= $1
                 ORDER BY 1, 2"
            ),
            forget: concat!("DELETE FROM ", $of, "_rollup WHERE machine = $1 AND starts >= $2"),
            add_up: concat!(
                "INSERT INTO ", $of, "_rollup (", $keys, ", quantity, ", $total, ")
                 SELECT ", $keys, ", quantity, ", $total, " FROM ", $of, "_recount WHERE machine = $1 AND starts >= $2"
            ),
        }
    };
}

const ALL: [Sums; 3] = [
    sums!("sales", "revenue", "machine, grain, starts, location, user_group, shift, product, name, currency"),
    sums!(
        "payments",
        "revenue",
        "machine, grain, starts, location, user_group, shift, method, type, report_group, currency"
    ),
    sums!("events", "duration", "machine, grain, starts, location, user_group, code, error_identity, type"),
];

/// A sum that is not what its rows come to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, FromRow)]
pub struct Difference {
    /// Sums of what.
    #[sqlx(skip)]
    pub of: &'static str,
    #[serde(skip)]
    machine: i64,
    /// Which sum.
    pub key: Value,
    /// How many, and how much, by the rows.
    pub expected: Value,
    /// As it stands.
    pub found: Value,
}

/// What was looked at, and what was found.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Report {
    /// Sums compared with their rows.
    pub sums: i64,
    /// How many differed.
    pub differing: usize,
    /// The first of them.
    pub differences: Vec<Difference>,
    /// Machines whose sums were made right.
    pub mended_machines: usize,
}

/// Compares all sums with their rows; with `mend`, makes right what differs.
pub async fn recount(db: &PgPool, mend: bool) -> Result<Report> {
    let since = counted_since(db).await?;
    let mut report = Report::default();
    let mut machines = BTreeSet::new();
    for sums in &ALL {
        report.sums += sqlx::query_scalar::<_, i64>(sums.count).fetch_one(db).await?;
        let mut differences = sqlx::query_as::<_, Difference>(sums.compare).bind(since).fetch(db);
        let mut shown = 0;
        while let Some(difference) = differences.try_next().await? {
            machines.insert(difference.machine);
            report.differing += 1;
            shown += 1;
            if shown <= SHOWN_MAX {
                report.differences.push(Difference { of: sums.of, ..difference });
            }
        }
    }
    if mend {
        for machine in &machines {
            make_right(db, *machine, since).await?;
        }
        report.mended_machines = machines.len();
    }
    Ok(report)
}

/// The first hour whose rows are all there still: sums of months that were dropped have nothing to be held against.
/// In the month after those, the clock of a place may lie on the other side of the end.
async fn counted_since(db: &PgPool) -> Result<NaiveDateTime> {
    const SQL: &str = "
        SELECT COALESCE(max(since) + interval '1 month', timestamp '0001-01-01')
        FROM retention WHERE data LIKE '%\\_archive'";
    Ok(sqlx::query_scalar(SQL).fetch_one(db).await?)
}

/// Adds a machine's sums up anew, while nobody writes rows for it.
async fn make_right(db: &PgPool, machine: i64, since: NaiveDateTime) -> Result<()> {
    const PRESENCE: &str = "
        INSERT INTO machine_presence AS p (machine) SELECT id FROM machine WHERE id = $1
        ON CONFLICT (machine) DO UPDATE SET seen_at = p.seen_at";
    let mut tx = transaction::begin(db).await?;
    // Payments of a machine that is gone have no presence to lock: only booking writes those.
    booking::halt(&mut tx).await?;
    sqlx::query(PRESENCE).bind(machine).execute(&mut *tx).await?;
    for sums in &ALL {
        sqlx::query(sums.forget).bind(machine).bind(since).execute(&mut *tx).await?;
        sqlx::query(sums.add_up).bind(machine).bind(since).execute(&mut *tx).await?;
    }
    tx.commit().await?;
    Ok(())
}
