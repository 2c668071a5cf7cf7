//! Months of what is kept by month: made ahead of time, found for what came late, and handed over to the
//! archive when they are old.

use crate::{app::App, error::Result};
use chrono::{Months, NaiveDate};
use sqlx::{AssertSqlSafe, PgPool};
use std::time::Duration;

/// What is kept by month, by which instant, and whether it has an archive.
const TABLES: [(&str, &str, bool); 4] = [
    ("voucher_log", "created_at", false),
    ("revenue_transaction", "occurred_at", true),
    ("payment_transaction", "occurred_at", true),
    ("machine_log", "occurred_at", true),
];

/// Months that are there ahead of time, this one included.
const MONTHS_AHEAD: i32 = 4;

/// Between two looks. Until then, rows of a month that has no place wait with the rest of its table.
const LOOK_EVERY: Duration = Duration::from_mins(1);

/// Looks after the months until the server stops.
pub async fn keep(app: App) {
    loop {
        let today = app.clock.now().date_naive();
        if let Err(error) = look_after(&app.db, today, app.config.archive_after_months).await {
            // As it waits for whoever writes, it may have to give way to them.
            tracing::warn!(error = %error, "months are looked after later");
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK_EVERY) => {}
            () = app.stop.cancelled() => return,
        }
    }
}

/// Does whatever there is to do on a day. Looking is cheap; doing locks the table for a moment. One that
/// is held up does not hold up the others.
pub async fn look_after(db: &PgPool, today: NaiveDate, archive_after_months: u32) -> Result<()> {
    let keep = today.checked_sub_months(Months::new(archive_after_months));
    let keep = keep.filter(|_| archive_after_months > 0);
    let mut result = Ok(());
    for (table, by, has_archive) in TABLES {
        let one = look_after_one(db, table, by, today, keep.filter(|_| has_archive)).await;
        result = result.and(one);
    }
    result
}

async fn look_after_one(
    db: &PgPool,
    table: &'static str,
    by: &'static str,
    today: NaiveDate,
    keep: Option<NaiveDate>,
) -> Result<()> {
    const MISSING: &str = "
        SELECT EXISTS (SELECT FROM generate_series(0, $3 - 1) AS n
            WHERE to_regclass(month_of($1, (date_trunc('month', $2::date) + make_interval(months => n))
                AT TIME ZONE 'UTC')) IS NULL)";
    const OLD: &str = "
        SELECT EXISTS (SELECT FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
            WHERE i.inhparent = $1::regclass AND c.relname ~ '_\\d{4}_\\d{2}$'
                AND to_date(right(c.relname, 7), 'YYYY_MM') < date_trunc('month', $2::date))";
    let missing = sqlx::query_scalar(MISSING).bind(table).bind(today).bind(MONTHS_AHEAD);
    if missing.fetch_one(db).await? {
        let make = sqlx::query("SELECT make_months($1, $2, $3, $4)").bind(table).bind(by);
        make.bind(today).bind(MONTHS_AHEAD).execute(db).await?;
    }
    let in_the_rest = AssertSqlSafe(format!("SELECT EXISTS (SELECT FROM {table}_rest)"));
    if sqlx::query_scalar(in_the_rest).fetch_one(db).await? {
        sqlx::query("SELECT settle_rest($1, $2)").bind(table).bind(by).execute(db).await?;
    }
    if let Some(keep) = keep
        && sqlx::query_scalar(OLD).bind(table).bind(keep).fetch_one(db).await?
    {
        sqlx::query("SELECT archive_months($1, $2)").bind(table).bind(keep).execute(db).await?;
    }
    Ok(())
}
