//! Undo a redemption after a failed vend: exactly once, for ever.

use super::{
    code::Code,
    find,
    journal::{
        idempotency_keys,
        rollback::{Undone, undo},
    },
    rules::Device,
};
use crate::{app::App, crash, error::Result};
use uuid::Uuid;

/// A rollback that is committed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RolledBack {
    /// Which voucher.
    pub voucher: Uuid,
    /// Its code as printed.
    pub code: String,
    /// A discount's value; a gift's balance after it was given back.
    pub voucher_value: i64,
    /// ISO 4217.
    pub currency: String,
    /// Whether it was done now, not before.
    pub first: bool,
}

/// Undoes what this device redeemed with this code for this order. `None` if it redeemed nothing so.
pub async fn rollback(
    app: &App,
    device: &Device,
    requester: &str,
    code: &Code,
    order_id: &str,
    reason: Option<&str>,
) -> Result<Option<RolledBack>> {
    let keys = idempotency_keys(code, device.machine, order_id);
    match undo(&app.vends, keys, device, requester, reason, app.clock.now()).await? {
        Undone::Nothing => Ok(None),
        Undone::Undone { voucher, code: printed, voucher_value, currency, first, is_sure } => {
            crash::point("rollback-committed");
            if first {
                find::reload(app, code).await;
            }
            if !is_sure {
                app.barrier.pass().await?;
            }
            let code = printed.unwrap_or_else(|| code.upper().to_owned());
            Ok(Some(RolledBack { voucher, code, voucher_value, currency, first }))
        }
    }
}
