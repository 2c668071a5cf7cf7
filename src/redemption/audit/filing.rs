//! Filing the log: from sheets, which are quick to write, to entries that are found by their voucher.
//!
//! Whoever reads the log sees both (the view `voucher_log_entry`). A sheet is filed and taken away in one
//! transaction: a server that dies in between has filed all of it or nothing.

use crate::{app::App, crash, error::Result, lull::Lull, transaction};
use sqlx::PgPool;

/// Entries in one transaction, about: few, so that nobody who vends waits long for a core.
const ENTRIES: i32 = 100;

/// Files sheets until the server stops, at quiet moments where there are some.
pub async fn keep(app: App) {
    let mut lull = Lull::new();
    while lull.came(&app).await {
        match file(&app.db).await {
            Ok(0) => lull.nothing_left(),
            Ok(_) => {}
            Err(error) => {
                tracing::warn!(error = %error, "the voucher log is filed later");
                lull.nothing_left();
            }
        }
    }
}

/// Files the oldest sheets; says how many. It is none where another server is at them.
pub async fn file(db: &PgPool) -> Result<u32> {
    const ANY: &str = "SELECT EXISTS (SELECT FROM voucher_log_sheet)";
    if !sqlx::query_scalar(ANY).fetch_one(db).await? {
        return Ok(0);
    }
    let mut tx = transaction::begin(db).await?;
    let filed: i32 =
        sqlx::query_scalar("SELECT file_voucher_log($1)").bind(ENTRIES).fetch_one(&mut *tx).await?;
    crash::point("log-filed");
    tx.commit().await?;
    Ok(filed.unsigned_abs())
}
