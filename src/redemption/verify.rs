//! Recomputes balances and counters from the journal, and says what differs: in Postgres, and in
//! what Redis holds.

use super::journal::truth;
use crate::{app::App, error::Result};
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
    /// Copies with reservations that are not settled yet: no fault, whoever asks next settles them.
    pub unsettled: u64,
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
            for row in truth::vouchers(&app.db, key).await? {
                let Some(copy) = copies.iter().find(|copy| copy.id == row.voucher.facts.id) else { continue };
                compared += 1;
                if copy.revision > row.revision {
                    // The row was read later: it can only be behind if Postgres went back in time.
                    report.differences.push(Difference {
                        voucher: copy.id,
                        what: "revision in Redis".to_owned(),
                        expected: row.revision,
                        found: copy.revision,
                    });
                    continue;
                }
                if copy.pending > 0 {
                    report.unsettled += 1;
                    continue;
                }
                let terms = row.voucher.terms();
                let (expected, found) = (row.voucher.state.at(terms, now), copy.state.at(terms, now));
                let pairs = [
                    ("redemption count in Redis", expected.count, found.count),
                    ("balance in Redis", expected.balance, found.balance),
                ];
                let differ = pairs.into_iter().filter(|(_, expected, found)| expected != found);
                report.differences.extend(differ.map(|(what, expected, found)| Difference {
                    voucher: copy.id,
                    what: what.to_owned(),
                    expected,
                    found,
                }));
            }
        }
    }
    report.copies = Some(compared);
    Ok(())
}
