//! What people read of what machines sent: rows, sums and shifts.

mod rows;
mod shifts;
mod sums;

use crate::app::TestApp;

/// Runs statements as they are.
async fn run(test: &TestApp, sql: &'static str) {
    sqlx::raw_sql(sql).execute(&test.app.db).await.unwrap();
}
