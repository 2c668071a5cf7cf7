//! What rarely changes, kept in memory: devices, campaigns, and the facts of vouchers that were asked
//! for lately. Postgres says when something has changed; see [`crate::notice`].

use super::{
    journal::truth,
    rules::Device,
    voucher::{Campaign, Facts},
};
use crate::{
    error::Result,
    fleet::device_id::{DeviceId, Scope},
};
use quick_cache::{Equivalent, sync::Cache};
use sqlx::PgPool;
use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicU64, Ordering},
};

/// Devices kept in memory: more than any fleet that one installation has been heard of.
const DEVICES_MAX: usize = 500_000;

/// Campaigns kept in memory.
const CAMPAIGNS_MAX: usize = 100_000;

/// The facts of all vouchers of one code.
pub type Shared = Arc<[Arc<Facts>]>;

/// A device id in the one spelling that it is kept under, and where it was looked for.
#[derive(Debug, PartialEq, Eq, Hash)]
struct DeviceKey {
    scope: Scope,
    id: Box<str>,
}

/// The same, to look it up.
#[derive(Hash)]
struct DeviceName<'a> {
    scope: Scope,
    id: &'a str,
}

impl Equivalent<DeviceKey> for DeviceName<'_> {
    fn equivalent(&self, key: &DeviceKey) -> bool {
        self.scope == key.scope && *self.id == *key.id
    }
}

/// The near-cache.
#[derive(Debug)]
pub struct Near {
    devices: Cache<DeviceKey, Arc<Device>>,
    campaigns: Cache<i64, Arc<Campaign>>,
    vouchers: Cache<Box<str>, Shared>,
    /// Counts notices about codes, and about anything else: what was read before one is not kept after it.
    code_notices: AtomicU64,
    other_notices: AtomicU64,
    /// Held while something is kept or forgotten, so that no notice comes between the look at the counts
    /// and what is kept by them.
    changing: Mutex<()>,
}

/// The numbers of notices at some moment: see [`Near::mark`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    codes: u64,
    others: u64,
}

impl Near {
    /// `vouchers_max` is how many codes are kept.
    pub fn new(vouchers_max: usize) -> Self {
        Self {
            devices: Cache::new(DEVICES_MAX),
            campaigns: Cache::new(CAMPAIGNS_MAX),
            vouchers: Cache::new(vouchers_max.max(1)),
            code_notices: AtomicU64::new(0),
            other_notices: AtomicU64::new(0),
            changing: Mutex::new(()),
        }
    }

    fn change(&self) -> MutexGuard<'_, ()> {
        self.changing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// To be taken before something is read that is to be kept.
    pub fn mark(&self) -> Mark {
        Mark {
            codes: self.code_notices.load(Ordering::SeqCst),
            others: self.other_notices.load(Ordering::SeqCst),
        }
    }

    /// Whether nothing has changed since `mark`, so that what was read since may be kept.
    pub fn is_current(&self, mark: Mark) -> bool {
        self.mark() == mark
    }

    /// The same for what no code has a say in: a device or a campaign. Codes change all day.
    fn is_current_but_for_codes(&self, mark: Mark) -> bool {
        self.mark().others == mark.others
    }

    /// Finds the machine that a device id names for a caller. Ids that name none are not kept.
    pub async fn device(
        &self,
        db: &PgPool,
        scope: Scope,
        device_id: DeviceId<'_>,
    ) -> Result<Option<Arc<Device>>> {
        let id = device_id.key();
        if let Some(device) = self.devices.get(&DeviceName { scope, id: &id }) {
            return Ok(Some(device));
        }
        let mark = self.mark();
        let Some(named) = truth::device(db, scope, device_id).await? else { return Ok(None) };
        let device = Arc::new(named.device);
        let _changing = self.change();
        if named.is_unique && self.is_current_but_for_codes(mark) {
            self.devices.insert(DeviceKey { scope, id: id.into() }, Arc::clone(&device));
        }
        Ok(Some(device))
    }

    /// A campaign; `None` if it is gone.
    pub async fn campaign(&self, db: &PgPool, id: i64) -> Result<Option<Arc<Campaign>>> {
        if let Some(campaign) = self.campaigns.get(&id) {
            return Ok(Some(campaign));
        }
        let mark = self.mark();
        let Some(campaign) = truth::campaign(db, id).await?.map(Arc::new) else { return Ok(None) };
        self.keep_campaign(&campaign, mark);
        Ok(Some(campaign))
    }

    /// A campaign, if it is at hand.
    pub fn campaign_at_hand(&self, id: i64) -> Option<Arc<Campaign>> {
        self.campaigns.get(&id)
    }

    /// Keeps what was read of a campaign after `mark`.
    pub fn keep_campaign(&self, campaign: &Arc<Campaign>, mark: Mark) {
        let _changing = self.change();
        if self.is_current_but_for_codes(mark) {
            self.campaigns.insert(campaign.id, Arc::clone(campaign));
        }
    }

    /// The facts of a code's vouchers, if they are at hand.
    pub fn vouchers(&self, key: &str) -> Option<Shared> {
        self.vouchers.get(key)
    }

    /// Keeps what was read of a code's vouchers after `mark`.
    pub fn keep_vouchers(&self, key: &str, facts: Shared, mark: Mark) {
        let _changing = self.change();
        if self.is_current(mark) {
            self.vouchers.insert(key.into(), facts);
        }
    }

    /// Forgets a code.
    pub fn forget_code(&self, key: &str) {
        self.vouchers.remove(key);
    }

    /// Forgets a campaign.
    pub fn forget_campaign(&self, id: i64) {
        self.campaigns.remove(&id);
    }

    /// Forgets what a notice of Postgres is about.
    pub fn on_notice(&self, noun: &str, id: &str) {
        if !["code", "campaign", "machine", "location", "group"].contains(&noun) {
            return;
        }
        let notices = if noun == "code" { &self.code_notices } else { &self.other_notices };
        let _changing = self.change();
        notices.fetch_add(1, Ordering::SeqCst);
        let number: i64 = id.parse().unwrap_or_default();
        match noun {
            "code" => self.forget_code(id),
            "campaign" => self.forget_campaign(number),
            // A gateway's number may have become that of a machine which is found before.
            "machine" => self.devices.retain(|key, device| {
                device.machine != number && key.id.eq_ignore_ascii_case(&device.hostname)
            }),
            "location" => self.devices.retain(|_, device| device.location != number),
            // A device knows its groups up to the root: what is told of a group is told of all below it.
            _ => self.devices.retain(|_, device| !device.groups.contains(&number)),
        }
    }

    /// Forgets everything: notices may have been missed.
    pub fn clear(&self) {
        let _changing = self.change();
        self.code_notices.fetch_add(1, Ordering::SeqCst);
        self.other_notices.fetch_add(1, Ordering::SeqCst);
        self.devices.clear();
        self.campaigns.clear();
        self.vouchers.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCOPE: Scope = Scope { group: 1, machine: None };

    #[test]
    fn a_notice_about_a_group_forgets_machines_below_it_alone() {
        let near = Near::new(10);
        for (machine, groups) in [(1, vec![1]), (2, vec![2, 1]), (3, vec![3, 2, 1]), (4, vec![4, 1])] {
            let device = Device {
                machine,
                hostname: machine.to_string(),
                groups,
                location: 1,
                location_external_ref: None,
                location_external_ref_group: 1,
                location_groups: Vec::new(),
                machine_groups: Vec::new(),
                machine_type: 1,
                currency: "EUR".into(),
            };
            let id = device.hostname.as_str().into();
            near.devices.insert(DeviceKey { scope: SCOPE, id }, Arc::new(device));
        }
        near.on_notice("group", "2");
        let is_kept = |machine: &i32| {
            near.devices.get(&DeviceName { scope: SCOPE, id: &machine.to_string() }).is_some()
        };
        let kept: Vec<i32> = (1..=4).filter(is_kept).collect();
        assert_eq!(kept, [1, 4]);
        near.on_notice("group", "1");
        assert!(near.devices.is_empty());
    }

    #[test]
    fn a_notice_about_a_code_keeps_no_campaign_out() {
        let near = Near::new(10);
        let none = || Shared::from([]);
        let mark = near.mark();
        near.on_notice("code", "A");
        assert!(near.is_current_but_for_codes(mark) && !near.is_current(mark));
        near.keep_vouchers("B", none(), mark);
        assert!(near.vouchers("B").is_none());

        let mark = near.mark();
        near.keep_vouchers("B", none(), mark);
        assert!(near.vouchers("B").is_some());
        near.on_notice("machine", "1");
        assert!(!near.is_current_but_for_codes(mark) && !near.is_current(mark));
        near.clear();
        assert!(near.vouchers("B").is_none());
    }
}
