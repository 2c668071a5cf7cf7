//! Gives own codes of before their normal form, and with it the key that look-up finds them by.
//!
//! `scrip migrate` does so after the schema: what two spellings have in common is for Rust to say, since each
//! collation of Postgres has an answer of its own. Codes that are made from now on have theirs from the start.

use crate::{
    error::{Error, Result, violates},
    redemption::{code::Code, journal::idempotency_key},
    transaction,
};
use sqlx::{PgConnection, PgPool, prelude::FromRow};
use uuid::Uuid;

/// Vouchers that are read in one go.
const CHUNK: i64 = 500;

/// A voucher whose code has no form yet.
#[derive(FromRow)]
struct Formless {
    id: Uuid,
    code: String,
    key: String,
}

/// Gives each its form; returns how many have one now that had none. Two vouchers of a campaign whose codes turn
/// out to be the same stay as they are, the second without a form: look-up decides between them as it does
/// between campaigns.
pub async fn give_forms(db: &PgPool) -> Result<u64> {
    const FORMLESS: &str = "
        SELECT id, code, key FROM voucher WHERE NOT generated AND form IS NULL AND id > $1 ORDER BY id LIMIT $2";
    let (mut last, mut given) = (Uuid::nil(), 0);
    loop {
        let chunk: Vec<Formless> = sqlx::query_as(FORMLESS).bind(last).bind(CHUNK).fetch_all(db).await?;
        let Some(end) = chunk.last() else { return Ok(given) };
        last = end.id;
        for voucher in &chunk {
            let Some(code) = Code::parse(&voucher.code) else { continue };
            match give_form(db, voucher, &code).await {
                Ok(()) => given += 1,
                Err(Refused::SameCode) => {
                    tracing::warn!(voucher = %voucher.id, "another voucher of its campaign has the same code");
                }
                Err(Refused::Other(error)) => return Err(error),
            }
        }
    }
}

/// Why a voucher was not given a form.
enum Refused {
    SameCode,
    Other(Error),
}

impl From<sqlx::Error> for Refused {
    fn from(error: sqlx::Error) -> Self {
        if violates(&error, "voucher_code") { Self::SameCode } else { Self::Other(error.into()) }
    }
}

async fn give_form(db: &PgPool, voucher: &Formless, code: &Code) -> Result<(), Refused> {
    const FORM: &str = "UPDATE voucher SET form = $2, key = $3 WHERE id = $1";
    let mut tx = transaction::begin(db).await.map_err(Refused::Other)?;
    if voucher.key != code.key() {
        rename_redemptions(&mut tx, voucher, code).await?;
    }
    sqlx::query(FORM).bind(voucher.id).bind(code.upper()).bind(code.key()).execute(&mut *tx).await?;
    Ok(tx.commit().await?)
}

/// Gives redemptions of a voucher, and what refers to them, the ids that follow from its new key: the same order
/// is then found again, and the log finds all of them.
async fn rename_redemptions(
    db: &mut PgConnection,
    voucher: &Formless,
    code: &Code,
) -> Result<(), sqlx::Error> {
    const KNOWN: &str = "SELECT id, machine, order_id FROM redemptions_of($1, $2)";
    const RENAME: [&str; 10] = [
        "ALTER TABLE redemption DISABLE TRIGGER redemption_append_only",
        "ALTER TABLE redemption_rollback DISABLE TRIGGER redemption_rollback_append_only",
        "UPDATE redemption r SET id = renamed.new FROM renamed WHERE r.id = renamed.old",
        "UPDATE redemption_rollback b SET redemption = renamed.new FROM renamed WHERE b.redemption = renamed.old",
        "UPDATE voucher_payment p SET redemption = renamed.new FROM renamed WHERE p.redemption = renamed.old",
        "UPDATE payment_transaction p SET redemption = renamed.new FROM renamed WHERE p.redemption = renamed.old",
        "UPDATE payment_transaction_archive p SET redemption = renamed.new FROM renamed
         WHERE p.redemption = renamed.old",
        "UPDATE delivery d SET facts = jsonb_set(d.facts, '{redemption}', to_jsonb(renamed.new)) FROM renamed
         WHERE d.facts->>'redemption' = renamed.old::text",
        "ALTER TABLE redemption ENABLE TRIGGER redemption_append_only",
        "ALTER TABLE redemption_rollback ENABLE TRIGGER redemption_rollback_append_only",
    ];
    let known: Vec<(Uuid, i64, String)> =
        sqlx::query_as(KNOWN).bind(voucher.id).bind(&voucher.key).fetch_all(&mut *db).await?;
    if known.is_empty() {
        return Ok(());
    }
    let new: Vec<Uuid> =
        known.iter().map(|(_, machine, order_id)| idempotency_key(code, false, *machine, order_id)).collect();
    let old: Vec<Uuid> = known.iter().map(|(id, ..)| *id).collect();
    sqlx::query("CREATE TEMP TABLE renamed (old uuid, new uuid) ON COMMIT DROP").execute(&mut *db).await?;
    let list = sqlx::query("INSERT INTO renamed SELECT * FROM unnest($1::uuid[], $2::uuid[])");
    list.bind(old).bind(new).execute(&mut *db).await?;
    for statement in RENAME {
        sqlx::query(statement).execute(&mut *db).await?;
    }
    Ok(())
}
