//! What a run has measured.

use crate::{
    cpu::Usage,
    scenario::{Outcome, Verb},
    spread::Spread,
};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, time::Duration};

/// Counts and latencies while they are gathered.
pub(crate) struct Tally {
    latencies: Spread,
    lateness: Spread,
    outcomes: [u64; Outcome::COUNT],
    meant: u64,
    denied: u64,
    failed: u64,
}

impl Tally {
    pub(crate) fn new() -> Self {
        Self {
            latencies: Spread::new(),
            lateness: Spread::new(),
            outcomes: [0; Outcome::COUNT],
            meant: 0,
            denied: 0,
            failed: 0,
        }
    }

    /// Counts the answer that settled a request.
    pub(crate) fn settle(&mut self, verb: Verb, outcome: Outcome, latency: Duration) {
        self.outcomes[outcome as usize] += 1;
        if outcome.is_meant(verb) {
            self.meant += 1;
            self.latencies.add(micros(latency));
        } else if outcome.is_verdict() {
            self.denied += 1;
        } else {
            self.failed += 1;
        }
    }

    /// Counts an attempt that is made again.
    pub(crate) fn retry(&mut self, outcome: Outcome) {
        self.outcomes[outcome as usize] += 1;
    }

    pub(crate) fn late(&mut self, by: Duration) {
        self.lateness.add(micros(by));
    }

    pub(crate) fn measured(&self, what: Conditions, elapsed: Duration, usage: &Usage) -> Measured {
        let quantile = |q| self.latencies.quantile(q);
        let count = |outcome: Outcome| self.outcomes[outcome as usize];
        let answered = self.outcomes.iter().sum::<u64>() - count(Outcome::Broken);
        let cores = |used: Duration| round(used.as_secs_f64() / elapsed.as_secs_f64());
        let per_request = |used: &Duration| round(used.as_secs_f64() * 1e6 / answered.max(1) as f64);
        Measured {
            what,
            seconds: round(elapsed.as_secs_f64()),
            rps: round(self.meant as f64 / elapsed.as_secs_f64()),
            p50_us: quantile(0.5),
            p99_us: quantile(0.99),
            p999_us: quantile(0.999),
            max_us: self.latencies.max(),
            as_meant: self.meant,
            refused: count(Outcome::Refused),
            not_found: count(Outcome::Missed),
            throttled: count(Outcome::Throttled),
            unavailable: count(Outcome::Unavailable),
            broken: count(Outcome::Broken),
            wrong: count(Outcome::Wrong),
            denied: self.denied,
            failed: self.failed,
            cpu_us_per_request: usage
                .named
                .iter()
                .map(|(name, used)| (name.clone(), per_request(used)))
                .collect(),
            later_us_per_request: BTreeMap::new(),
            foreign_cores: cores(usage.foreign),
            stolen_cores: cores(usage.stolen),
            pacing_p99_us: (!self.lateness.is_empty()).then(|| self.lateness.quantile(0.99)),
            spoilt: false,
        }
    }
}

/// What was measured, and how.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Conditions {
    pub(crate) label: String,
    pub(crate) connections: usize,
    /// Requests a second; none: as many as are answered.
    pub(crate) rate: Option<f64>,
}

/// The line that a run prints.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Measured {
    #[serde(flatten)]
    pub(crate) what: Conditions,
    pub(crate) seconds: f64,
    /// Answers a second that came as they were meant to; latencies are of these.
    pub(crate) rps: f64,
    pub(crate) p50_us: u64,
    pub(crate) p99_us: u64,
    pub(crate) p999_us: u64,
    pub(crate) max_us: u64,
    pub(crate) as_meant: u64,
    pub(crate) refused: u64,
    pub(crate) not_found: u64,
    pub(crate) throttled: u64,
    pub(crate) unavailable: u64,
    pub(crate) broken: u64,
    pub(crate) wrong: u64,
    /// Verdicts that should have been another: a good voucher refused or not found, a bad one taken.
    pub(crate) denied: u64,
    /// Requests that got no verdict.
    pub(crate) failed: u64,
    pub(crate) cpu_us_per_request: BTreeMap<String, f64>,
    /// What was put off until after the run.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) later_us_per_request: BTreeMap<String, f64>,
    /// Cores that anyone else kept busy meanwhile.
    pub(crate) foreign_cores: f64,
    /// Cores that the host kept from this machine meanwhile.
    pub(crate) stolen_cores: f64,
    /// How late this program itself was, at a fixed rate.
    pub(crate) pacing_p99_us: Option<u64>,
    /// Too much went on beside this run for its numbers to mean anything.
    pub(crate) spoilt: bool,
}

impl Measured {
    /// Adds what was done after the run for all requests, of which these are a `share`.
    pub(crate) fn note_later(&mut self, usage: &Usage, share: f64) {
        let requests = (self.as_meant + self.denied + self.failed).max(1) as f64 / share;
        let per_request = |used: &Duration| round(used.as_secs_f64() * 1e6 / requests);
        self.later_us_per_request =
            usage.named.iter().map(|(name, used)| (name.clone(), per_request(used))).collect();
    }

    /// Cores that were busy with something else.
    pub(crate) fn noise(&self) -> f64 {
        self.foreign_cores + self.stolen_cores
    }
}

fn micros(duration: Duration) -> u64 {
    duration.as_micros().max(1) as u64
}

fn round(number: f64) -> f64 {
    (number * 100.0).round() / 100.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_verdict_and_no_verdict_are_told_apart() {
        let mut tally = Tally::new();
        let millisecond = Duration::from_millis(1);
        tally.settle(Verb::Redeem, Outcome::Done, millisecond);
        tally.settle(Verb::Redeem, Outcome::Refused, millisecond);
        tally.settle(Verb::RedeemPoor, Outcome::Refused, millisecond);
        tally.settle(Verb::RedeemPoor, Outcome::Done, millisecond);
        tally.settle(Verb::Validate, Outcome::Unavailable, millisecond);
        let what = Conditions { label: "mixed".to_owned(), connections: 1, rate: None };
        let second = Duration::from_secs(1);
        let usage = Usage {
            named: BTreeMap::new(),
            foreign: Duration::from_millis(250),
            stolen: Duration::from_millis(500),
        };
        let measured = tally.measured(what, second, &usage);
        assert_eq!((measured.as_meant, measured.denied, measured.failed), (2, 2, 1));
        assert!((measured.noise() - 0.75).abs() < f64::EPSILON);
    }
}
