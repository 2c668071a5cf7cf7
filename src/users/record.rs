//! A person's data: what is kept of a user, for who asks for it.
//!
//! References to accounts are found in the catalogue of Postgres, so that a new table is in it too.

use super::operator::find_id;
use crate::{error::Result, transaction};
use serde_json::{Map, Value, json};
use sqlx::{AssertSqlSafe, PgConnection, PgPool};

/// A column that refers to an account.
#[derive(sqlx::FromRow)]
struct Reference {
    /// The table, quoted.
    table: String,
    /// The column, quoted.
    column: String,
    /// The columns of the table that may be shown, quoted. Hashes and sealed secrets may not.
    shown: Vec<String>,
    /// True if the rows belong to the account; else it only made them, and they say more of others.
    owned: bool,
}

/// Reads all that is kept of the user of this user name or e-mail address, as JSON.
pub async fn read(db: &PgPool, name: &str) -> Result<Value> {
    const ACCOUNT: &str = "SELECT to_jsonb(a) - 'password_hash' FROM account a WHERE id = $1";
    const MAILS: &str = "
        SELECT COALESCE(jsonb_agg(to_jsonb(m) ORDER BY m.id), '[]') FROM mail m, account a
        WHERE a.id = $1 AND m.account IS NULL AND lower(m.recipient) = lower(a.email)";
    const RECIPIENTS: &str = "
        SELECT COALESCE(jsonb_agg(to_jsonb(r) ORDER BY r.id), '[]') FROM alert_recipient r, account a
        WHERE a.id = $1 AND lower(r.email) = lower(a.email)";
    let mut tx = transaction::begin(db).await?;
    let id = find_id(&mut tx, name).await?;
    let mut record = Map::new();
    for (what, sql) in [("account", ACCOUNT), ("mailsToAddress", MAILS), ("alertRecipients", RECIPIENTS)] {
        record.insert(what.to_owned(), sqlx::query_scalar(sql).bind(id).fetch_one(&mut *tx).await?);
    }
    for reference in references(&mut tx).await? {
        let rows = reference.rows(&mut tx, id).await?;
        let name = format!("{}.{}", reference.table, reference.column);
        record.insert(name, rows);
    }
    Ok(Value::Object(record))
}

/// Finds what refers to accounts.
async fn references(connection: &mut PgConnection) -> Result<Vec<Reference>> {
    const SQL: &str = "
        SELECT c.conrelid::regclass::text AS \"table\", quote_ident(a.attname) AS \"column\",
            ARRAY(SELECT quote_ident(s.attname) FROM pg_attribute s WHERE s.attrelid = c.conrelid AND s.attnum > 0
                  AND NOT s.attisdropped AND s.atttypid <> 'bytea'::regtype ORDER BY s.attnum) AS shown,
            a.attname = 'account' AS owned
        FROM pg_constraint c JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = c.conkey[1]
        WHERE c.contype = 'f' AND c.confrelid = 'account'::regclass AND c.conparentid = 0
        ORDER BY 1, 2";
    Ok(sqlx::query_as(SQL).fetch_all(connection).await?)
}

impl Reference {
    async fn rows(&self, connection: &mut PgConnection, account: i64) -> Result<Value> {
        let kept = |column: &&String| self.owned || matches!(column.as_str(), "id" | "created_at");
        let columns: Vec<&str> = self.shown.iter().filter(kept).map(String::as_str).collect();
        let sql = format!(
            "SELECT to_jsonb(of_account) FROM (SELECT {} FROM {} WHERE {} = $1) AS of_account",
            columns.join(", "),
            self.table,
            self.column
        );
        let rows: Vec<Value> =
            sqlx::query_scalar(AssertSqlSafe(sql)).bind(account).fetch_all(connection).await?;
        Ok(json!(rows))
    }
}
