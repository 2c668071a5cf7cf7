//! Proofs that a device knows a code, which no guess can give: it holds the voucher locked, or has redeemed
//! the order. A device with a proof is answered, however often it guessed wrong.

use super::{
    code::Code,
    find,
    hot::Found,
    journal::{idempotency_keys, truth},
    rules::Device,
};
use crate::{app::App, error::Result};

/// Returns `true` if the device holds a voucher of this code locked. Postgres is asked in any case, so
/// that the time this takes does not tell whether there is such a code.
pub(super) async fn holds(app: &App, device: &Device, code: &Code) -> Result<bool> {
    let now = app.clock.now();
    let found = app.hot.read(code.key()).await;
    let mut rows = truth::vouchers(&app.vends, code.key()).await?;
    // Others' vouchers of this code are not loaded for a stranger, who could tell by the time that it takes.
    rows.retain(|row| find::is_for(device, code, row));
    let copies = match found {
        // Copies that were evicted still have their locks, which a load brings back.
        Ok(Found { copies, evictions }) if copies.is_empty() && !rows.is_empty() => {
            let loaded = find::load_key(app, code.key(), false, Some(evictions), |_| true).await?;
            rows = loaded.0;
            rows.retain(|row| find::is_for(device, code, row));
            loaded.1
        }
        found => found.unwrap_or_default().copies,
    };
    let is_held = |row: &truth::Row| {
        let id = row.voucher.facts.id;
        let in_redis = copies.iter().find(|copy| copy.id == id).and_then(|copy| copy.state.lock);
        let locks = [row.voucher.state.lock, in_redis];
        locks.into_iter().flatten().any(|lock| lock.owner == device.machine && lock.till > now)
    };
    Ok(rows.iter().any(is_held))
}

/// Returns `true` if the device has redeemed this order with this code, rolled back or not.
pub(super) async fn has_redeemed(app: &App, device: &Device, code: &Code, order_id: &str) -> Result<bool> {
    let keys = idempotency_keys(code, device.machine, order_id);
    Ok(truth::redemption(&app.vends, keys).await?.is_some())
}
