//! Times that machines' clocks show, and those that can't be: one rule for whatever way they come in.

use chrono::{DateTime, TimeDelta, Utc};

/// A machine's clock may be ahead by so much: more is a clock that is wrong.
pub(super) const AHEAD_MAX: TimeDelta = TimeDelta::hours(24);

/// Nothing comes in as late as this: it is a clock that was never set, and began where it was made.
const BEHIND_MAX: TimeDelta = TimeDelta::days(5 * 365);

/// Why the time of something that happened can't be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flaw {
    /// The clock was never set.
    Unset,
    /// It is ahead.
    Ahead,
}

/// The fault of a time at which something is said to have happened.
pub(super) fn flaw(at: DateTime<Utc>, now: DateTime<Utc>) -> Option<Flaw> {
    if now - at > BEHIND_MAX {
        Some(Flaw::Unset)
    } else if at - now > AHEAD_MAX {
        Some(Flaw::Ahead)
    } else {
        None
    }
}

impl Flaw {
    /// The same in words.
    pub(super) fn said(self) -> &'static str {
        match self {
            Self::Unset => "is more than five years ago: the machine's clock was never set",
            Self::Ahead => "is in the future",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_is_believed_within_reason() {
        let now = "2026-11-24T12:00:00Z".parse().unwrap();
        let flaw = |at: &str| flaw(at.parse().unwrap(), now);
        for unset in
            ["1970-01-01T00:00:00Z", "2000-01-01T00:05:00Z", "2010-01-01T00:00:00Z", "2021-11-24T12:00:00Z"]
        {
            assert_eq!(flaw(unset), Some(Flaw::Unset), "{unset}");
        }
        for fine in ["2021-11-26T00:00:00Z", "2024-02-29T00:00:00Z", "2026-11-25T12:00:00Z"] {
            assert_eq!(flaw(fine), None, "{fine}");
        }
        assert_eq!(flaw("2026-11-25T12:00:01Z"), Some(Flaw::Ahead));
    }
}
