//! Recomputes balances and counters from the journal, and says what differs: in Postgres, and in
//! what Redis holds.

use super::{
    hot::Copy,
    journal::truth::{self, Row},
};
use crate::{app::App, error::Result};
use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::prelude::FromRow;
use uuid::Uuid;

/// Codes looked at in one go.
const CHUNK: i64 = 500;

/// Something that is not as the journal says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, FromRow)]
pub struct Difference {
    /// Of which voucher.
    pub voucher: Uuid,
    /// What of it, and where.
    pub what: String,
    /// By the journal (for Redis: by the voucher's row).
    pub expected: i64,
    /// As it stands.
    pub found: i64,
}

/// What was looked at, and what was found.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Report {
    /// Vouchers compared with the journal.
    pub vouchers: i64,
    /// Entries in the journal, rollbacks included.
    pub entries: i64,
    /// Copies in Redis compared with their rows; `None` if Redis did not answer.
    pub copies: Option<u64>,
    /// Vouchers whose copies have reservations that are not settled yet: no fault, whoever asks next settles them.
    pub unsettled: Vec<Uuid>,
    /// What is wrong.
    pub differences: Vec<Difference>,
}

/// Looks at everything. Meant for a quiet hour: on a busy server Redis is ahead of what is read here.
pub async fn verify(app: &App) -> Result<Report> {
    let mut report = Report {
        vouchers: sqlx::query_scalar("SELECT count(*) FROM voucher").fetch_one(&app.db).await?,
        entries: sqlx::query_scalar(
            "SELECT (SELECT count(*) FROM redemption) + (SELECT count(*) FROM redemption_rollback)",
        )
        .fetch_one(&app.db)
        .await?,
        ..Report::default()
    };
    report.differences = sqlx::query_as(include_str!("verify.sql")).fetch_all(&app.db).await?;
    compare_redis(app, &mut report).await?;
    Ok(report)
}

async fn compare_redis(app: &App, report: &mut Report) -> Result<()> {
    let mut last = String::new();
    let mut compared = 0;
    loop {
        let codes: Vec<String> =
            sqlx::query_scalar("SELECT DISTINCT key FROM voucher WHERE key > $1 ORDER BY key LIMIT $2")
                .bind(&last)
                .bind(CHUNK)
                .fetch_all(&app.db)
                .await?;
        let Some(end) = codes.last() else { break };
        last.clone_from(end);
        let keys: Vec<&str> = codes.iter().map(String::as_str).collect();
        let Ok(survey) = app.hot.survey(&keys).await else { return Ok(()) };
        for (key, copies) in keys.into_iter().zip(survey) {
            if copies.is_empty() {
                continue;
            }
            let now = app.clock.now();
            let rows = truth::vouchers(&app.db, key).await?;
            for row in &rows {
                let voucher = row.voucher.facts.id;
                if let Some(copy) = copies.iter().find(|copy| copy.id == voucher) {
                    compared += 1;
                    compare_copy(row, copy, now, report);
                } else {
                    report.differ(voucher, "copy in Redis beside others of its code", 1, 0);
                }
            }
            let is_known = |copy: &&Copy| rows.iter().any(|row| row.voucher.facts.id == copy.id);
            for foreign in copies.iter().filter(|copy| !is_known(copy)) {
                report.differ(foreign.id, "copy in Redis under a code that is not its own", 0, 1);
            }
        }
    }
    report.copies = Some(compared);
    Ok(())
}

/// Compares a copy with its row.
fn compare_copy(row: &Row, copy: &Copy, now: DateTime<Utc>, report: &mut Report) {
    let facts = &row.voucher.facts;
    if copy.revision > row.revision {
        // The row was read later: it can only be behind if Postgres went back in time.
        return report.differ(copy.id, "revision in Redis", row.revision, copy.revision);
    }
    let Some(found) = copy.facts() else {
        return report.differ(copy.id, "copy in Redis that cannot be read", 0, 1);
    };
    report.differ(copy.id, "version in Redis", facts.version.into(), copy.version.into());
    report.differ(copy.id, "another code in Redis", 0, (found.code != facts.code).into());
    let terms_differ = found.version == facts.version && found.code == facts.code && found != *facts;
    report.differ(copy.id, "other terms in Redis", 0, terms_differ.into());
    if copy.pending > 0 {
        return report.unsettled.push(copy.id);
    }
    let expected = row.voucher.state_at(now);
    let mut voucher = row.voucher.clone();
    voucher.state = copy.state;
    let found = voucher.state_at(now);
    report.differ(copy.id, "redemption count in Redis", expected.count, found.count);
    report.differ(copy.id, "balance in Redis", expected.balance, found.balance);
}

impl Report {
    /// Notes what is not as expected.
    fn differ(&mut self, voucher: Uuid, what: &str, expected: i64, found: i64) {
        if expected != found {
            self.differences.push(Difference { voucher, what: what.to_owned(), expected, found });
        }
    }
}
