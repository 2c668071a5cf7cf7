//! A sheet of the log: many entries, one row in Postgres.

use super::Logged;
use sqlx::PgConnection;
use std::borrow::Cow;

/// Writes the entries, the first of which has the number `first`, in one statement.
pub(super) async fn write(db: &mut PgConnection, first: i64, entries: &[Logged]) -> Result<(), sqlx::Error> {
    const INSERT: &str = "
        INSERT INTO voucher_log_sheet (size, first, voucher, action, success, requester, location, request, response,
                                       currency, created_at, written_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)";
    sqlx::query(INSERT)
        .bind(entries.len() as i32)
        .bind(first)
        .bind(entries.iter().map(|entry| entry.voucher).collect::<Vec<_>>())
        .bind(entries.iter().map(|entry| entry.action.word()).collect::<Vec<_>>())
        .bind(entries.iter().map(|entry| entry.success).collect::<Vec<_>>())
        .bind(entries.iter().map(|entry| text(&entry.requester)).collect::<Vec<_>>())
        .bind(entries.iter().map(|entry| entry.location).collect::<Vec<_>>())
        .bind(entries.iter().map(|entry| text(&entry.request)).collect::<Vec<_>>())
        .bind(entries.iter().map(|entry| text(&entry.response)).collect::<Vec<_>>())
        .bind(entries.iter().map(|entry| &*entry.currency).collect::<Vec<_>>())
        .bind(entries.iter().map(|entry| entry.at).collect::<Vec<_>>())
        .bind(entries.iter().map(Logged::written_at).collect::<Vec<_>>())
        .execute(db)
        .await?;
    Ok(())
}

/// Without NUL, which Postgres has no place for in a text.
fn text(value: &str) -> Cow<'_, str> {
    if value.contains('\0') { Cow::Owned(value.replace('\0', "")) } else { Cow::Borrowed(value) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_loses_its_nuls_only() {
        assert_eq!(text("a\u{0}b\tc\\"), "ab\tc\\");
        assert!(matches!(text("as it came"), Cow::Borrowed("as it came")));
    }
}
