//! Whether an observer fires at a machine, and when that may change by itself: pure.
//!
//! What counts is when things happened, not when they were heard of. What arrives late takes its place in
//! the past, and fires only if the observer's terms hold now: nothing is said of what is over.
//!
//! - Occurrence: it happened often enough within the timer that ends now.
//! - Non-resolution: something of it has been open for as long as the timer.
//! - Non-occurrence: it has not happened for as long as the timer, since it last did or since the machine is
//!   looked at.
//!
//! Where opening hours matter, what happens while the machine is closed is not counted, and the timers of the
//! latter two stand still: a machine that is closed for a night does not fire for selling nothing.

use super::observer::Pattern;
use crate::fleet::opening_hours::OpeningHours;
use chrono::{DateTime, Duration, Utc};

/// Whatever is worked out is looked at again after this, should something have been missed.
pub const RECHECK: Duration = Duration::days(1);

/// What is looked out for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// Which way.
    pub pattern: Pattern,
    /// How long.
    pub timer: Duration,
    /// How often, of an occurrence.
    pub occurs: usize,
}

/// What is so at a machine.
#[derive(Clone, Debug)]
pub struct Facts {
    /// The present.
    pub now: DateTime<Utc>,
    /// When it is open, if that matters.
    pub hours: Option<OpeningHours>,
    /// Since when it is looked at.
    pub since: DateTime<Utc>,
    /// When it happened, the latest first: as far as the timer reaches back, but no later than now.
    pub matches: Vec<DateTime<Utc>>,
    /// Since when the longest of it has been open.
    pub open: Option<DateTime<Utc>>,
    /// When it happens next: some clocks are ahead.
    pub ahead: Option<DateTime<Utc>>,
}

impl Facts {
    /// What counts of what happened, the latest first.
    pub fn counted(&self) -> impl Iterator<Item = DateTime<Utc>> + '_ {
        let is_open = |at: &DateTime<Utc>| self.hours.as_ref().is_none_or(|hours| hours.are_on(*at));
        self.matches.iter().copied().filter(is_open)
    }
}

/// What follows from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Whether the observer fires.
    pub firing: bool,
    /// When that may be another, if nothing else happens; always later than now.
    pub due: DateTime<Utc>,
}

/// What the facts amount to.
pub fn judge(terms: Terms, facts: &Facts) -> Verdict {
    let (firing, changes) = match terms.pattern {
        Pattern::Occurrence => occurrence(terms, facts),
        Pattern::NonResolution => match facts.open {
            Some(since) => lapse(facts, since, terms.timer),
            None => (false, None),
        },
        Pattern::NonOccurrence => {
            let since = facts.matches.first().map_or(facts.since, |last| facts.since.max(*last));
            let (firing, changes) = lapse(facts, since, terms.timer);
            (firing, changes.or(facts.ahead))
        }
    };
    let recheck = facts.now + RECHECK;
    Verdict { firing, due: changes.map_or(recheck, |at| at.min(recheck)) }
}

/// Of so many the earliest is the one that the rest hangs on: when the timer leaves it behind, they are too few.
fn occurrence(terms: Terms, facts: &Facts) -> (bool, Option<DateTime<Utc>>) {
    let begins = facts.now - terms.timer;
    let mut counted = facts.counted().filter(|at| *at > begins && *at <= facts.now);
    match counted.nth(terms.occurs.saturating_sub(1)) {
        Some(earliest) => (true, Some(earliest + terms.timer)),
        None => (false, facts.ahead),
    }
}

/// Whether the timer has run out since then, or when it will.
fn lapse(facts: &Facts, since: DateTime<Utc>, timer: Duration) -> (bool, Option<DateTime<Utc>>) {
    let end = match &facts.hours {
        Some(hours) => hours.after_open(since, timer, facts.now + RECHECK),
        None => since.checked_add_signed(timer),
    };
    match end {
        Some(end) if end <= facts.now => (true, None),
        end => (false, end),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PATTERNS: [Pattern; 3] = [Pattern::Occurrence, Pattern::NonResolution, Pattern::NonOccurrence];

    fn minute(minute: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_780_000_000 + minute * 60, 0).unwrap()
    }

    fn terms(pattern: Pattern, timer: i64, occurs: usize) -> Terms {
        Terms { pattern, timer: Duration::minutes(timer), occurs }
    }

    /// The facts at a minute, of what ever happens and of what is open for good.
    fn at(now: i64, happens: &[i64], open: Option<i64>) -> Facts {
        let mut matches: Vec<_> = happens.iter().filter(|at| **at <= now).map(|at| minute(*at)).collect();
        matches.sort_unstable_by(|one, other| other.cmp(one));
        Facts {
            now: minute(now),
            hours: None,
            since: minute(0),
            matches,
            open: open.map(minute),
            ahead: happens.iter().filter(|at| **at > now).min().map(|at| minute(*at)),
        }
    }

    fn fires(pattern: Pattern, timer: i64, occurs: usize, facts: &Facts) -> bool {
        judge(terms(pattern, timer, occurs), facts).firing
    }

    #[test]
    fn an_occurrence_holds_while_enough_of_it_is_within_the_timer() {
        let fires = |now| fires(Pattern::Occurrence, 10, 2, &at(now, &[3, 5], None));
        assert_eq!([4, 5, 12, 13, 50].map(fires), [false, true, true, false, false]);
    }

    #[test]
    fn what_is_late_fires_only_if_it_is_not_over() {
        assert!(!fires(Pattern::Occurrence, 10, 1, &at(500, &[100], None)));
        assert!(fires(Pattern::NonResolution, 10, 1, &at(500, &[], Some(100))));
        assert!(!fires(Pattern::NonOccurrence, 10, 1, &at(500, &[100, 495], None)));
    }

    #[test]
    fn a_timer_runs_from_what_happened_last_or_from_the_beginning() {
        let fires = |now, happens: &[i64]| fires(Pattern::NonOccurrence, 10, 1, &at(now, happens, None));
        assert_eq!([9, 10].map(|now| fires(now, &[])), [false, true]);
        assert_eq!([15, 16].map(|now| fires(now, &[-30, 6])), [false, true]);
    }

    #[test]
    fn a_timer_beyond_all_time_never_runs_out() {
        let endless = Terms { timer: Duration::MAX, ..terms(Pattern::NonOccurrence, 1, 1) };
        let verdict = judge(endless, &at(9, &[], None));
        assert_eq!(verdict, Verdict { firing: false, due: minute(9) + RECHECK });
    }

    proptest! {
        /// Until it is due, a verdict stays what it is; so nobody has to look in between.
        #[test]
        fn nothing_changes_before_it_is_due(
            pattern in prop::sample::select(&PATTERNS[..]), timer in 1i64..200, occurs in 1usize..4,
            happens in prop::collection::vec(-300i64..600, 0..6), open in prop::option::of(-300i64..300),
            now in 0i64..300, later in 1i64..400,
        ) {
            let terms = terms(pattern, timer, occurs);
            let verdict = judge(terms, &at(now, &happens, open));
            prop_assert!(verdict.due > minute(now));
            let next = judge(terms, &at(now + later, &happens, open));
            if minute(now + later) < verdict.due {
                prop_assert_eq!(next.firing, verdict.firing);
            }
        }

        /// The same, said by counting minutes.
        #[test]
        fn a_verdict_is_what_counting_says(
            pattern in prop::sample::select(&PATTERNS[..]), timer in 1i64..200, occurs in 1usize..4,
            happens in prop::collection::vec(-300i64..600, 0..6), open in prop::option::of(-300i64..300),
            now in 0i64..300,
        ) {
            let counted = match pattern {
                Pattern::Occurrence => {
                    happens.iter().filter(|at| **at <= now && now - **at < timer).count() >= occurs
                }
                Pattern::NonResolution => open.is_some_and(|since| now - since >= timer),
                Pattern::NonOccurrence => {
                    now >= timer && !happens.iter().any(|&at| at <= now && now - at < timer)
                }
            };
            prop_assert_eq!(fires(pattern, timer, occurs, &at(now, &happens, open)), counted);
        }
    }
}
