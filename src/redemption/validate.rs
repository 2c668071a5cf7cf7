//! May it be used here and now, and for how much? With a lock: hold it for this device.

use super::{
    code::Code,
    demand::Demand,
    find::{self, Meant},
    hot::Admission,
    journal::locks,
    rules::Device,
    voucher::{Ask, Lock, Refusal, Voucher, amount_off},
};
use crate::{app::App, error::Result};
use chrono::{DateTime, Duration, Utc};

/// How often a voucher may change under our hands before we go by what we last saw.
const ATTEMPTS: usize = 4;

/// The answer to a validation.
#[derive(Clone, Debug)]
pub struct Validated {
    /// The voucher that the code means here, as it is now.
    pub voucher: Voucher,
    /// Cents that it would take off, or why it may not be used.
    pub verdict: Result<i64, Refusal>,
    /// When it was asked.
    pub at: DateTime<Utc>,
}

/// Validates; `lock` holds the voucher for so long, where anything of it can run out.
/// `None` if the code means nothing to this device.
pub async fn validate(
    app: &App,
    device: &Device,
    code: &Code,
    demand: &Demand,
    lock: Option<Duration>,
) -> Result<Option<Validated>> {
    let ask = Ask::Validate { demand: demand.cents() };
    let mut last = None;
    for _ in 0..ATTEMPTS {
        let at = app.clock.now();
        if let Some(lock) = lock
            && let Some(voucher) = find::at_hand(app, device, code)
            && demand.check(voucher.terms().kind).is_ok()
            && is_lockable(&voucher, device, ask, at)
            && let Some(validated) = hold(app, device, code, voucher, ask, at, at + lock).await
        {
            return Ok(Some(validated));
        }
        let Some(Meant { voucher, in_redis, .. }) = find::meant(app, device, code, ask, at).await? else {
            return Ok(None);
        };
        demand.check(voucher.terms().kind)?;
        let verdict = voucher.verdict(device, ask, at);
        let validated = Validated { voucher, verdict, at };
        let Some(lock) = lock.filter(|_| verdict.is_ok() && validated.voucher.terms().can_run_out()) else {
            return Ok(Some(validated));
        };
        let voucher = validated.voucher.clone();
        if !in_redis || !app.hot.is_up() {
            let lock = Lock { owner: device.machine, till: at + lock };
            if locks::hold(&app.vends, &voucher.facts, lock, at).await? {
                // A Redis that comes back learns of it.
                drop(app.reconcile.watch(code.key()));
                return Ok(Some(validated));
            }
        } else if let Some(validated) = hold(app, device, code, voucher, ask, at, at + lock).await {
            return Ok(Some(validated));
        }
        last = Some(validated);
    }
    Ok(last.map(|validated| Validated {
        // Whoever keeps changing it has it.
        verdict: Err(Refusal::Locked { till: validated.at + Duration::seconds(1) }),
        ..validated
    }))
}

/// Whether only the counters, the balance or another's lock can stand in the way.
fn is_lockable(voucher: &Voucher, device: &Device, ask: Ask<'_>, at: DateTime<Utc>) -> bool {
    voucher.standing(at).is_ok() && voucher.admits(device, ask).is_ok() && voucher.terms().can_run_out()
}

/// Takes or renews the lock in Redis. `None` if it has to be looked at again.
async fn hold(
    app: &App,
    device: &Device,
    code: &Code,
    voucher: Voucher,
    ask: Ask<'_>,
    at: DateTime<Utc>,
    till: DateTime<Utc>,
) -> Option<Validated> {
    // Without a cent left there is nothing to hold.
    match app.hot.lock(code.key(), find::claim(&voucher, device, 1, at), till).await {
        Ok(Admission::Granted(copy)) => {
            let verdict = Ok(amount_off(voucher.terms(), &copy.state, ask));
            Some(Validated { voucher: voucher.with_state(copy.state), verdict, at })
        }
        Ok(Admission::Refused(refusal, copy)) => {
            if find::stale(app, std::slice::from_ref(&copy), at) {
                return find::load(app, code, true).await.err().map(|_| Validated {
                    voucher: voucher.with_state(copy.state),
                    verdict: Err(refusal),
                    at,
                });
            }
            Some(Validated { voucher: voucher.with_state(copy.state), verdict: Err(refusal), at })
        }
        Ok(Admission::Missing | Admission::Changed) | Err(_) => {
            app.near.forget_code(code.key());
            None
        }
    }
}
