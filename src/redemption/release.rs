//! Give a lock back.

use super::{
    code::Code,
    find,
    journal::{locks, truth},
    rules::Device,
    voucher::{Ask, Voucher, choose},
};
use crate::{app::App, error::Result};

/// The answer to a release.
#[derive(Clone, Debug)]
pub struct Released {
    /// The voucher that was held; the one that the code means here, if none was.
    pub voucher: Voucher,
    /// Whether a lock of this device ended.
    pub released: bool,
}

/// Gives back this device's lock on whichever voucher of that code it holds.
/// `None` if the code means nothing to this device.
pub async fn release(app: &App, device: &Device, code: &Code) -> Result<Option<Released>> {
    let now = app.clock.now();
    let rows = find::named(truth::vouchers(&app.vends, code.key()).await?, code);
    let vouchers: Vec<Voucher> = rows
        .into_iter()
        .map(|row| row.voucher)
        .filter(|voucher| device.belongs_below(voucher.campaign.group))
        .collect();
    for voucher in &vouchers {
        let id = voucher.facts.id;
        // The lock is in one of the two, or in both after an outage.
        let in_redis = app.hot.release(code.key(), id, device.machine, now).await.unwrap_or(false);
        let in_row = voucher.state.lock.is_some_and(|lock| lock.owner == device.machine)
            && locks::release(&app.vends, id, device.machine, now).await?;
        if in_redis || in_row {
            return Ok(Some(Released { voucher: voucher.clone(), released: true }));
        }
    }
    let meant = choose(&vouchers, device, Ask::Validate { demand: None }, now);
    Ok(meant.map(|voucher| Released { voucher: voucher.clone(), released: false }))
}
