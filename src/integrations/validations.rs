//! Puts validated vouchers aside for integrations, together with their entries in the voucher log.
//!
//! Not by a trigger: one on the log would have Postgres write its rows one by one, whether anybody
//! listens or not.

use crate::redemption::audit::{Action, Logged};
use serde_json::{Value, json, value::RawValue};
use sqlx::PgConnection;
use std::time::{Duration, Instant};

/// For so long it is believed that somebody listens, or that nobody does.
const BELIEVED: Duration = Duration::from_secs(1);

/// Whether anybody listens, as far as is known.
#[derive(Debug, Default)]
pub struct Audience {
    known: Option<(bool, Instant)>,
}

impl Audience {
    /// Asks now and then: an integration hears of validations a second after it was told to listen.
    pub async fn listens(&mut self, db: &mut PgConnection) -> Result<bool, sqlx::Error> {
        const SQL: &str = "
            SELECT EXISTS (SELECT FROM integration
                           WHERE active AND url IS NOT NULL AND 'voucher.validated' = ANY(events))";
        if let Some((listens, asked)) = self.known
            && asked.elapsed() < BELIEVED
        {
            return Ok(listens);
        }
        let listens = sqlx::query_scalar(SQL).fetch_one(db).await?;
        self.known = Some((listens, Instant::now()));
        Ok(listens)
    }
}

/// Puts aside what was granted of these.
pub async fn put_aside(db: &mut PgConnection, batch: &[Logged]) -> Result<(), sqlx::Error> {
    const SQL: &str = "
        INSERT INTO delivery (integration, event, lane, machine, facts, occurred_at)
        SELECT l.integration, l.event, (a.facts->>'machine')::bigint, (a.facts->>'machine')::bigint, a.facts, a.at
        FROM unnest($1::bigint[], $2::jsonb[], $3::timestamptz[]) WITH ORDINALITY AS a(user_group, facts, at, number)
        JOIN listener l ON l.user_group = a.user_group AND l.event = 'voucher.validated'
        ORDER BY a.number";
    let granted: Vec<&Logged> =
        batch.iter().filter(|entry| entry.action == Action::Validate && entry.success).collect();
    if granted.is_empty() {
        return Ok(());
    }
    let insert = sqlx::query(SQL)
        .bind(granted.iter().map(|entry| entry.group).collect::<Vec<_>>())
        .bind(granted.iter().map(|entry| facts(entry)).collect::<Vec<_>>())
        .bind(granted.iter().map(|entry| entry.at).collect::<Vec<_>>());
    insert.execute(db).await?;
    Ok(())
}

/// What is kept of a validation: by the time that it is told, the voucher has changed.
fn facts(entry: &Logged) -> Value {
    let answer: Option<Box<RawValue>> = serde_json::from_str(&entry.response).ok();
    json!({
        // From what it is: a batch that is written twice, for want of an answer, says the same twice.
        "id": format!("voucher-validated-{}-{}-{}", entry.voucher, entry.machine, entry.at.timestamp_micros()),
        "voucher": entry.voucher,
        "machine": entry.machine,
        "deviceId": entry.device_id(),
        "location": entry.location,
        "currency": entry.currency,
        "answer": answer,
    })
}
