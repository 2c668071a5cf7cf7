//! Rollbacks in Postgres: a second entry that undoes the first, exactly once.

use super::truth::{self, Redemption};
use crate::{
    error::Result,
    postgres::warnings::hearing,
    redemption::{
        rules::Device,
        voucher::{Kind, Voucher},
    },
    transaction,
};
use chrono::{DateTime, Utc};
use sqlx::PgPool;
use uuid::Uuid;

/// What became of a rollback.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Undone {
    /// Nothing was redeemed under this key.
    Nothing,
    /// It is undone: now, or long ago.
    Undone {
        /// Which voucher.
        voucher: Uuid,
        /// Its code, if it is still there.
        code: Option<String>,
        /// A discount's value; a gift's balance after it was given back.
        voucher_value: i64,
        /// ISO 4217.
        currency: String,
        /// Whether this call did it.
        first: bool,
        /// Whether it is where its commit has to be; not if it was only read, or warned of.
        is_sure: bool,
    },
}

/// Undoes the redemption under the first of `keys` that there is one under. It gives back to the period that it was redeemed in: after a
/// reset only the totals change.
pub async fn undo(
    db: &PgPool,
    keys: [Uuid; 2],
    device: &Device,
    requester: &str,
    reason: Option<&str>,
    now: DateTime<Utc>,
) -> Result<Undone> {
    let mut tx = transaction::begin(db).await?;
    let Some(redemption) = truth::redemption(&mut *tx, keys).await? else { return Ok(Undone::Nothing) };
    // Two at once queue up here; the second then finds the first one's entry.
    let row = truth::voucher_for_update(&mut tx, redemption.voucher).await?;
    let Some(redemption) = truth::redemption(&mut *tx, keys).await? else { return Ok(Undone::Nothing) };
    let undone = |voucher_value, first, is_sure| Undone::Undone {
        voucher: redemption.voucher,
        code: redemption.code.clone(),
        voucher_value,
        currency: redemption.currency.clone(),
        first,
        is_sure,
    };
    if let Some(voucher_value) = redemption.rolled_back_to {
        return Ok(undone(voucher_value, false, false));
    }
    debug_assert!(row.is_some(), "a redeemed voucher is never deleted");
    let voucher_value =
        row.map_or(redemption.voucher_value, |row| value_after(&row.voucher, &redemption, now));
    // The code is left in stale_code: whatever becomes of this server now, some server takes the copy
    // that still counts the redemption out of Redis.
    sqlx::query(
        "WITH given_back AS (UPDATE voucher SET \
            redemption_count = redemption_count - CASE WHEN period_start = $2 THEN 1 ELSE 0 END, \
            amount_redeemed = amount_redeemed - CASE WHEN period_start = $2 THEN $3 ELSE 0 END, \
            balance = balance + CASE WHEN period_start = $2 THEN $3 ELSE 0 END, \
            total_redemption_count = total_redemption_count - 1, \
            total_amount_redeemed = total_amount_redeemed - $3, \
            revision = revision + 1 \
         WHERE id = $1 RETURNING key) \
         INSERT INTO stale_code (key) SELECT key FROM given_back",
    )
    .bind(redemption.voucher)
    .bind(redemption.period_start)
    .bind(redemption.amount_off)
    .execute(&mut *tx)
    .await?;
    sqlx::query(
        "WITH undone AS ( \
            INSERT INTO redemption_rollback (redemption, voucher, campaign, machine, location, requester, order_id, \
                                             amount_off, voucher_value, currency, reason, occurred_at) \
            SELECT id, voucher, campaign, machine, $2, $3, order_id, amount_off, $4, currency, $5, $6 \
            FROM redemption WHERE id = $1 \
            RETURNING redemption, machine, location, amount_off, currency, occurred_at) \
         INSERT INTO voucher_payment (machine, location, price, quantity, currency, redemption, occurred_at) \
         SELECT machine, location, -amount_off, -1, currency, redemption, occurred_at FROM undone",
    )
    .bind(redemption.id)
    .bind(device.location)
    .bind(requester)
    .bind(voucher_value)
    .bind(reason)
    .bind(now)
    .execute(&mut *tx)
    .await?;
    let (committed, warned) = hearing(tx.commit()).await;
    committed?;
    Ok(undone(voucher_value, true, !warned))
}

/// A discount's value as it was redeemed; a gift's balance once the redemption is undone. A reset that
/// is due counts as done, although the row does not show it yet.
fn value_after(voucher: &Voucher, redemption: &Redemption, now: DateTime<Utc>) -> i64 {
    if voucher.terms().kind == Kind::Discount {
        return redemption.voucher_value;
    }
    let state = voucher.state_at(now);
    let given_back = if state.period == redemption.period_start { redemption.amount_off } else { 0 };
    state.balance + given_back
}
