//! What becomes of a delivery after an attempt: a table of decisions, without I/O.

use chrono::{DateTime, Utc};
use std::time::Duration;

/// The longest wait between two attempts at one delivery.
const BACKOFF_MAX: Duration = Duration::from_hours(1);

/// Failures in a row, whatever of, after which an endpoint is left alone for a while.
pub const FAILURES_MAX: i64 = 10;

/// The longest and the shortest time that an endpoint is left alone for at once.
const PAUSE_MAX: Duration = Duration::from_mins(5);
const PAUSE_MIN: Duration = Duration::from_secs(1);

/// What an endpoint says that wants no more, ever: it is gone.
const GONE: u16 = 410;

/// What it says that wants to be left alone for now: too many requests, unavailable.
const BUSY: [u16; 2] = [429, 503];

/// How an integration wants to be dealt with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Policy {
    /// Retries of one delivery before it counts as failed.
    pub max_retries: i64,
    /// Seconds before the first retry.
    pub retry_throttle: i64,
    /// Whether a failed delivery stops all that follow.
    pub stop_on_failure: bool,
}

/// How an attempt went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// The status of the answer, if there was one.
    pub status: Option<u16>,
    /// How long the endpoint asks to be left alone.
    pub retry_after: Option<Duration>,
    /// What happened, in a few words.
    pub message: String,
    /// The beginning of what it answered.
    pub details: Option<String>,
}

/// What becomes of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The endpoint has it.
    Delivered,
    /// Once more, after so long.
    Retry(Duration),
    /// Never mind; the next one.
    GiveUp,
    /// It waits, and everything else with it, until somebody has looked into it.
    Stop,
}

impl Attempt {
    /// Whether the endpoint has taken what it was sent.
    pub fn is_acknowledged(&self) -> bool {
        self.status.is_some_and(|status| (200..300).contains(&status))
    }

    /// Decides; `attempts` counts this one too, and `chance` from 0 to 1 keeps retries apart.
    pub fn verdict(&self, policy: Policy, attempts: i64, chance: f64) -> Verdict {
        if self.is_acknowledged() {
            Verdict::Delivered
        } else if self.status == Some(GONE) {
            Verdict::Stop
        } else if attempts <= policy.max_retries {
            let asked_for = self.retry_after.unwrap_or_default().min(BACKOFF_MAX);
            Verdict::Retry(backoff(policy.retry_throttle, attempts, chance).max(asked_for))
        } else if policy.stop_on_failure {
            Verdict::Stop
        } else {
            Verdict::GiveUp
        }
    }

    /// How long the endpoint is left alone altogether, if it is; `failures` in a row include this one.
    pub fn pause(&self, policy: Policy, failures: i64, chance: f64) -> Option<Duration> {
        let busy = self.status.is_some_and(|status| BUSY.contains(&status));
        let asked_for = self.retry_after.filter(|_| busy).map(|asked| asked.min(BACKOFF_MAX));
        let broken = (failures >= FAILURES_MAX).then(|| {
            backoff(policy.retry_throttle, failures - FAILURES_MAX + 1, chance).clamp(PAUSE_MIN, PAUSE_MAX)
        });
        asked_for.max(broken)
    }
}

/// The wait after so many attempts: twice as long each time, and up to a quarter more by chance.
fn backoff(first_s: i64, attempts: i64, chance: f64) -> Duration {
    let doublings = attempts.saturating_sub(1).clamp(0, 20) as u32;
    let wait = Duration::from_secs(first_s.max(0) as u64).saturating_mul(1 << doublings);
    wait.mul_f64(1.0 + chance.clamp(0.0, 1.0) / 4.0).min(BACKOFF_MAX)
}

/// How long `Retry-After` asks to wait: in seconds, or until a date.
pub fn retry_after(value: &str, now: DateTime<Utc>) -> Option<Duration> {
    let value = value.trim();
    if let Ok(seconds) = value.parse::<u64>() {
        return Some(Duration::from_secs(seconds).min(BACKOFF_MAX));
    }
    (DateTime::parse_from_rfc2822(value).ok()?.to_utc() - now).to_std().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const POLICY: Policy = Policy { max_retries: 3, retry_throttle: 10, stop_on_failure: false };

    fn answer(status: u16) -> Attempt {
        Attempt { status: Some(status), retry_after: None, message: String::new(), details: None }
    }

    fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_delivery_is_retried_further_and_further_apart_and_then_given_up() {
        let failed = answer(500);
        let verdicts: Vec<_> = (1..=4).map(|attempts| failed.verdict(POLICY, attempts, 0.0)).collect();
        let expected = [Verdict::Retry(s(10)), Verdict::Retry(s(20)), Verdict::Retry(s(40)), Verdict::GiveUp];
        assert_eq!(verdicts, expected);
        let strict = Policy { stop_on_failure: true, ..POLICY };
        assert_eq!(failed.verdict(strict, 4, 0.0), Verdict::Stop);
        assert_eq!(failed.verdict(Policy { max_retries: 0, ..strict }, 1, 0.0), Verdict::Stop);
        assert_eq!(failed.verdict(POLICY, 1, 1.0), Verdict::Retry(Duration::from_millis(12_500)));
        let nobody = Attempt { status: None, ..failed };
        assert_eq!(nobody.verdict(POLICY, 1, 0.0), Verdict::Retry(s(10)));
    }

    #[test]
    fn only_what_says_that_it_has_it_has_it() {
        for status in [200, 202, 204, 299] {
            assert_eq!(answer(status).verdict(POLICY, 9, 0.0), Verdict::Delivered, "{status}");
        }
        for status in [100, 199, 301, 302, 400, 404, 500] {
            assert_eq!(answer(status).verdict(POLICY, 1, 0.0), Verdict::Retry(s(10)), "{status}");
        }
        assert_eq!(answer(410).verdict(POLICY, 1, 0.0), Verdict::Stop, "who is gone is not asked again");
    }

    #[test]
    fn an_endpoint_that_asks_for_it_or_only_fails_is_left_alone() {
        let busy = Attempt { retry_after: Some(s(90)), ..answer(503) };
        assert_eq!(busy.verdict(POLICY, 1, 0.0), Verdict::Retry(s(90)));
        assert_eq!(busy.pause(POLICY, 1, 0.0), Some(s(90)));
        let asks_without_need = Attempt { retry_after: Some(s(90)), ..answer(400) };
        assert_eq!(asks_without_need.pause(POLICY, 1, 0.0), None);
        assert_eq!(answer(500).pause(POLICY, 9, 0.0), None);
        let pauses: Vec<_> =
            (10..=16).filter_map(|failures| answer(500).pause(POLICY, failures, 0.0)).collect();
        assert_eq!(pauses, [s(10), s(20), s(40), s(80), s(160), s(300), s(300)]);
        let hasty = Policy { retry_throttle: 0, ..POLICY };
        assert_eq!(answer(500).pause(hasty, 10, 0.0), Some(s(1)));
    }

    #[test]
    fn retry_after_is_a_number_or_a_date() {
        let now = "2026-06-01T12:00:00Z".parse().unwrap();
        for (value, expected) in [
            ("120", Some(s(120))),
            (" 0 ", Some(s(0))),
            ("999999999999", Some(s(3600))),
            ("Mon, 01 Jun 2026 12:00:30 GMT", Some(s(30))),
            ("Mon, 01 Jun 2026 11:00:00 GMT", None),
            ("soon", None),
            ("-5", None),
        ] {
            assert_eq!(retry_after(value, now), expected, "{value}");
        }
    }

    proptest! {
        #[test]
        fn waits_are_never_shorter_than_asked_nor_longer_than_an_hour(
            first in 0i64..4_000, attempts in 1i64..200, failures in 0i64..1_000, chance in 0.0..1.0f64,
        ) {
            let policy = Policy { max_retries: 1_000, retry_throttle: first, stop_on_failure: true };
            let Verdict::Retry(wait) = answer(500).verdict(policy, attempts, chance) else {
                panic!("it has retries left");
            };
            prop_assert!(wait >= s(first as u64).min(BACKOFF_MAX) && wait <= BACKOFF_MAX);
            if let Some(pause) = answer(500).pause(policy, failures, chance) {
                prop_assert!(failures >= FAILURES_MAX && (PAUSE_MIN..=PAUSE_MAX).contains(&pause));
            }
        }
    }
}
