//! What is compared with what, where the ratio should be, and whether it is there.

use crate::tally::Measured;
use serde::Serialize;

/// What is compared of two runs.
pub(crate) type Metric = fn(&Measured) -> f64;

pub(crate) const RPS: Metric = |run| run.rps;
pub(crate) const P50: Metric = |run| run.p50_us as f64;
pub(crate) const P99: Metric = |run| run.p99_us as f64;

/// A ratio of two measurements of the same round.
pub(crate) struct Comparison {
    what: &'static str,
    of: &'static str,
    to: &'static str,
    metric: Metric,
    /// Where it should be; none where it is only of interest.
    goal: Option<Bound>,
}

#[derive(Clone, Copy)]
enum Bound {
    AtLeast(f64),
    AtMost(f64),
}

impl Bound {
    const fn is_met_by(self, ratio: f64) -> bool {
        match self {
            Self::AtLeast(bound) => ratio >= bound,
            Self::AtMost(bound) => ratio <= bound,
        }
    }
}

impl std::fmt::Display for Bound {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::AtLeast(bound) => write!(f, "≥ {bound:.2}"),
            Self::AtMost(bound) => write!(f, "≤ {bound:.2}"),
        }
    }
}

/// Processor time of all but the load generator, with what is put off until later.
pub(crate) const COST: Metric = |run| {
    let served = run.cpu_us_per_request.iter().filter(|(name, _)| *name != "load").map(|(_, used)| used);
    served.sum::<f64>() + run.later_us_per_request.values().sum::<f64>()
};

pub(crate) const COMPARISONS: &[Comparison] = &[
    at_least("validate / echo, rps", "validate", "echo", RPS, 0.70),
    at_least("validate with lock / echo, rps", "validate-lock", "echo", RPS, 0.60),
    at_most("validate / echo, p99", "validate", "echo", P99, 2.0),
    at_least("redeem / plain, rps", "redeem", "plain", RPS, 4.0),
    at_least("redeem c=256 / plain c=64, rps", "redeem-256", "plain", RPS, 5.0),
    at_least("redeem one voucher / plain, rps", "redeem-hot", "plain-hot", RPS, 20.0),
    at_most("redeem / plain, p99", "redeem", "plain", P99, 0.25),
    at_most("redeem / plain, processor time", "redeem", "plain", COST, 0.20),
    at_most("redeem alone / plain alone, p50", "redeem-one", "plain-one", P50, 1.0),
    at_most("redeem / plain at 500/s, p50", "redeem-500", "plain-500", P50, 1.1),
    at_least("redeem / Redis alone, rps", "redeem", "redis-only", RPS, 0.45),
    attacked("beside zipped bombs", "bombs"),
    attacked("beside 40,000 gzip members", "members"),
    attacked("beside bodies without end", "bodies"),
    attacked("beside heads without end", "heads"),
    attacked("beside slow readers", "readers"),
    attacked("beside slow uploads", "uploads"),
    attacked("beside slow lists", "lists"),
    attacked("beside renamed groups", "renames"),
    attacked("beside mails to nobody", "mails"),
    attacked("beside wrong log-ins", "logins"),
    worked("beside generation", "generation"),
    worked("beside a print", "printing"),
    worked("beside an export", "export"),
    seen("validate / echo at 500/s, p50", "validate-500", "echo-500", P50),
    seen("validate / echo at 500/s, p99", "validate-500", "echo-500", P99),
    seen("validate beside generation, rps", "validate-beside", "validate", RPS),
    seen("validate beside generation, p99", "validate-beside", "validate", P99),
    seen("redeem beside generation, rps", "redeem-beside", "redeem", RPS),
    seen("redeem beside generation, p99", "redeem-beside", "redeem", P99),
    seen("validate cold c=256 / warm c=64, rps", "validate-cold", "validate", RPS),
    seen("redeem cold c=256 / warm c=256, rps", "redeem-cold", "redeem-256", RPS),
    seen("first validates, large / small, rps", "first-large", "first", RPS),
    seen("validate large / small, rps", "validate-large", "validate", RPS),
    seen("validate large / small, p99", "validate-large", "validate", P99),
    seen("redeem large / small, rps", "redeem-large", "redeem", RPS),
    seen("redeem large / small, p99", "redeem-large", "redeem", P99),
];

/// A redeem alone, beside another tenant or a stranger who means harm.
const fn attacked(what: &'static str, label: &'static str) -> Comparison {
    at_most(what, label, "redeem-one", P99, 2.0)
}

/// A redeem alone, beside another tenant who works.
const fn worked(what: &'static str, label: &'static str) -> Comparison {
    at_most(what, label, "redeem-one", P99, 1.5)
}

const fn seen(what: &'static str, of: &'static str, to: &'static str, metric: Metric) -> Comparison {
    Comparison { what, of, to, metric, goal: None }
}

const fn at_least(
    what: &'static str,
    of: &'static str,
    to: &'static str,
    metric: Metric,
    bound: f64,
) -> Comparison {
    Comparison { what, of, to, metric, goal: Some(Bound::AtLeast(bound)) }
}

const fn at_most(
    what: &'static str,
    of: &'static str,
    to: &'static str,
    metric: Metric,
    bound: f64,
) -> Comparison {
    Comparison { what, of, to, metric, goal: Some(Bound::AtMost(bound)) }
}

/// What is to be thought of a goal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Verdict {
    Met,
    Missed,
    /// Most rounds were disturbed, or requests got answers that they were not made for.
    NotDecided,
}

impl std::fmt::Display for Verdict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Met => "met",
            Self::Missed => "missed",
            Self::NotDecided => "not decided",
        })
    }
}

/// A comparison, and where things stand.
#[derive(Debug, Serialize)]
pub(crate) struct Standing {
    pub(crate) what: &'static str,
    /// The median over the calm rounds, or over all if most were disturbed.
    pub(crate) ratio: f64,
    pub(crate) lowest: f64,
    pub(crate) highest: f64,
    pub(crate) goal: Option<String>,
    pub(crate) verdict: Option<Verdict>,
    pub(crate) rounds: usize,
    /// Rounds in which something else disturbed one of the two.
    pub(crate) spoilt: usize,
    /// Answers in these rounds that were not as meant.
    pub(crate) unmeant: u64,
}

impl Comparison {
    /// Pairs the two by round, so that a machine that slows down slows both sides of a ratio; none if one
    /// of the two was not measured.
    pub(crate) fn standing(&self, runs: &[Measured]) -> Option<Standing> {
        let named = |label| runs.iter().filter(move |run| run.what.label == label);
        let rounds: Vec<(&Measured, &Measured)> = named(self.of).zip(named(self.to)).collect();
        let calm: Vec<_> = rounds.iter().copied().filter(|(of, to)| !of.spoilt && !to.spoilt).collect();
        let is_calm = calm.len() * 2 > rounds.len();
        let mut ratios: Vec<f64> = if is_calm { &calm } else { &rounds }
            .iter()
            .map(|(of, to)| (self.metric)(of) / (self.metric)(to))
            .collect();
        ratios.sort_by(f64::total_cmp);
        let ratio = median(&ratios);
        let unmeant =
            rounds.iter().flat_map(|(of, to)| [of, to]).map(|run| run.denied + run.failed).sum::<u64>();
        Some(Standing {
            what: self.what,
            ratio,
            lowest: *ratios.first()?,
            highest: *ratios.last()?,
            goal: self.goal.map(|goal| goal.to_string()),
            verdict: self.goal.map(|goal| {
                if !is_calm || unmeant > 0 || !ratio.is_finite() {
                    Verdict::NotDecided
                } else if goal.is_met_by(ratio) {
                    Verdict::Met
                } else {
                    Verdict::Missed
                }
            }),
            rounds: rounds.len(),
            spoilt: rounds.len() - calm.len(),
            unmeant,
        })
    }
}

/// Why these runs don't pass: each goal that is not met, and each label under which a verdict was wrong.
pub(crate) fn complaints(runs: &[Measured]) -> Vec<String> {
    let goals = COMPARISONS.iter().filter_map(|comparison| {
        let goal = comparison.goal?;
        let Some(standing) = comparison.standing(runs) else {
            return Some(format!("not measured: {} {goal}", comparison.what));
        };
        let verdict = standing.verdict.filter(|&verdict| verdict != Verdict::Met)?;
        Some(format!(
            "{verdict}: {} {goal}; measured {:.2} ({} of {} rounds disturbed, {} answers not as meant)",
            standing.what, standing.ratio, standing.spoilt, standing.rounds, standing.unmeant
        ))
    });
    let denials = runs
        .iter()
        .filter(|run| run.denied > 0)
        .map(|run| format!("wrong verdicts: {} in a round of {}", run.denied, run.what.label));
    goals.chain(denials).collect()
}

/// The middle of sorted numbers; nothing's is zero.
pub(crate) fn median(sorted: &[f64]) -> f64 {
    let (Some(low), Some(high)) =
        (sorted.get(sorted.len().saturating_sub(1) / 2), sorted.get(sorted.len() / 2))
    else {
        return 0.0;
    };
    f64::midpoint(*low, *high)
}

#[cfg(test)]
#[path = "goals_tests.rs"]
mod tests;
