//! What a run leaves behind: payments that are not booked, and sheets of the voucher log that are not filed.
//! Whatever is measured next would pay for it.

use crate::Result;
use sqlx::{Connection, PgConnection};
use std::time::Duration;
use tokio::time::sleep;

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(20);

/// Waits until the server has done all that it put off.
pub(crate) async fn over() -> Result<()> {
    const LEFT: &str =
        "SELECT EXISTS (SELECT FROM voucher_payment) OR EXISTS (SELECT FROM voucher_log_sheet)";
    let mut db = PgConnection::connect(&std::env::var("DATABASE_URL")?).await?;
    while sqlx::query_scalar(LEFT).fetch_one(&mut db).await? {
        sleep(PAUSE).await;
    }
    Ok(db.close().await?)
}
