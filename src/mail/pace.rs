//! How fast mails leave that people cause to addresses of their choice: a burst at once, the rest in a row.
//!
//! Each server counts its own. What comes too fast is sent later, not refused: the answer to someone who asks
//! for a mail must not tell whether one will be sent.

use chrono::{DateTime, TimeDelta, Utc};
use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

/// The mails of this time leave at once.
const BURST: TimeDelta = TimeDelta::minutes(1);

/// Scopes with mails to come, above which those without are forgotten.
const KEPT_MAX: usize = 1_024;

/// The cause of a mail, which is held to a pace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Cause {
    /// Anyone who asks for a new password.
    Stranger,
    /// The people of a user group, who enter addresses of others.
    Group(i64),
}

/// The pace of mails.
#[derive(Debug)]
pub struct Pace {
    strangers: TimeDelta,
    group: TimeDelta,
    /// When the next mail could leave, had there been no burst.
    next: Mutex<HashMap<Cause, DateTime<Utc>>>,
}

impl Pace {
    /// So many mails a minute for requests of strangers together, and for each user group.
    pub fn new(strangers_per_minute: u32, group_per_minute: u32) -> Self {
        let interval = |per_minute: u32| BURST / per_minute.clamp(1, 60_000) as i32;
        Self {
            strangers: interval(strangers_per_minute),
            group: interval(group_per_minute),
            next: Mutex::default(),
        }
    }

    /// Counts a mail, and says when it is to leave.
    pub fn due(&self, cause: Cause, now: DateTime<Utc>) -> DateTime<Utc> {
        let interval = match cause {
            Cause::Stranger => self.strangers,
            Cause::Group(_) => self.group,
        };
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        if next.len() >= KEPT_MAX {
            next.retain(|_, next| *next > now);
        }
        let next = next.entry(cause).or_insert(now);
        *next = (*next).max(now) + interval;
        (*next - BURST).max(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_leaves_at_once_and_the_rest_in_a_row() {
        let pace = Pace::new(3, 60);
        let now = "2026-06-01T12:00:00Z".parse().unwrap();
        let waits = |cause: Cause, count: usize, now| -> Vec<i64> {
            (0..count).map(|_| (pace.due(cause, now) - now).num_seconds()).collect()
        };
        assert_eq!(waits(Cause::Stranger, 5, now), [0, 0, 0, 20, 40]);
        assert!(waits(Cause::Group(1), 60, now).iter().all(|wait| *wait == 0), "each has its own");
        assert_eq!(waits(Cause::Group(1), 2, now), [1, 2]);
        assert_eq!(waits(Cause::Stranger, 2, now + TimeDelta::hours(1)), [0, 0]);
    }
}
