//! Mails to addresses whose owners have confirmed nothing: what a user group may have sent of them.
//!
//! Without it, users with `user.write` could have this server write to anybody, as often as they like.

use crate::error::{Error, Result};
use governor::{
    DefaultKeyedRateLimiter, Quota, RateLimiter,
    clock::{Clock, DefaultClock},
};
use std::{fmt, num::NonZeroU32};

/// Budgets of such mails, by user group. Each server counts its own.
pub struct Strangers(DefaultKeyedRateLimiter<i64>);

impl Strangers {
    /// `per_hour` mails for each group, at once or spread out.
    pub fn new(per_hour: u32) -> Self {
        Self(RateLimiter::keyed(Quota::per_hour(NonZeroU32::new(per_hour).unwrap_or(NonZeroU32::MIN))))
    }

    /// Takes one mail from the budget of `group`. Fails with 429 if it is used up.
    pub fn spend(&self, group: i64) -> Result<()> {
        self.0.check_key(&group).map_err(|refused| Error::TooMany {
            what: "mails to addresses that nobody has confirmed",
            retry_after_s: refused.wait_time_from(DefaultClock::default().now()).as_secs() + 1,
        })
    }
}

impl fmt::Debug for Strangers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Strangers").field("groups", &self.0.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_group_has_its_own_budget() {
        let strangers = Strangers::new(2);
        for _ in 0..2 {
            strangers.spend(1).unwrap();
        }
        assert!(matches!(strangers.spend(1), Err(Error::TooMany { retry_after_s: 1_700..=1_801, .. })));
        strangers.spend(2).unwrap();
    }
}
