//! Retention of data that is kept for a time only: personal and bulky data that the operator lets go of after so many days or
//! months. Small steps at quiet moments; the journal of redemptions and the sums of reports are never touched.

mod clear;
mod rows;

use crate::{app::App, config::Config, error::Result, lull::Lull, transaction};
use chrono::{DateTime, Days, Months, NaiveDate, Utc};
use sqlx::PgPool;
use std::time::Duration;

/// Between two looks whether something has become too old.
const LOOK_EVERY: Duration = Duration::from_hours(1);

/// Lets go of what is too old until the server stops.
pub async fn keep(app: App) {
    let mut lull = Lull::new();
    while lull.came(&app).await {
        match step(&app.db, &app.config, app.clock.now()).await {
            Ok(true) => continue,
            Ok(false) => {}
            Err(error) => tracing::warn!(error = %error, "old data is let go of later"),
        }
        lull.nothing_left();
        tokio::select! {
            () = tokio::time::sleep(LOOK_EVERY) => {}
            () = app.stop.cancelled() => return,
        }
    }
}

/// Takes one small step of what there is to do; false if there is nothing.
pub async fn step(db: &PgPool, config: &Config, now: DateTime<Utc>) -> Result<bool> {
    Ok(rows::delete(db, config, now).await?
        || clear::clear(db, &clear::SALE_TOKENS, since(config.sale_tokens_keep_days, now)).await?
        || clear::clear(db, &clear::EVENT_DATA, since(config.event_data_keep_days, now)).await?
        || drop_month(db, &["voucher_log"], first(config.voucher_log_keep_months, now)).await?
        || drop_month(db, ARCHIVES, first(config.archive_keep_months, now)).await?)
}

/// Archives of what machines sent.
const ARCHIVES: &[&str] =
    &["revenue_transaction_archive", "payment_transaction_archive", "machine_log_archive"];

/// The instant from which on what is kept for so many days is kept; `None` if all is.
fn since(keep_days: u32, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    if keep_days == 0 { None } else { now.checked_sub_days(Days::new(keep_days.into())) }
}

/// A day of the first month that is kept whole; `None` if all are.
fn first(keep_months: u32, now: DateTime<Utc>) -> Option<NaiveDate> {
    if keep_months == 0 { None } else { now.date_naive().checked_sub_months(Months::new(keep_months)) }
}

/// Drops the oldest month of the first table that has one to drop; false if none has.
async fn drop_month(db: &PgPool, tables: &[&str], keep: Option<NaiveDate>) -> Result<bool> {
    let Some(keep) = keep else { return Ok(false) };
    for table in tables {
        let mut tx = transaction::begin(db).await?;
        let dropped = sqlx::query_scalar("SELECT drop_month($1, $2)").bind(table).bind(keep);
        if dropped.fetch_one(&mut *tx).await? {
            tx.commit().await?;
            tracing::info!(table, %keep, "a month that is older is dropped");
            return Ok(true);
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_too_old_where_all_is_kept() {
        let now: DateTime<Utc> = "2026-03-31T12:00:00Z".parse().unwrap();
        assert_eq!((since(0, now), first(0, now)), (None, None));
        assert_eq!(since(1, now), Some("2026-03-30T12:00:00Z".parse().unwrap()));
        assert_eq!(first(1, now), NaiveDate::from_ymd_opt(2026, 2, 28));
        assert_eq!((since(u32::MAX, now), first(u32::MAX, now)), (None, None), "longer than there is time");
    }
}
