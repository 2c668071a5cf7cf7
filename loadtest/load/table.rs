//! Many runs' lines in, one table of ratios out.

use crate::{Result, tally::Measured};
use serde::Serialize;
use std::{collections::BTreeMap, fs, path::PathBuf};

/// What to compare.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The lines that runs have printed, in the order in which they ran.
    results: PathBuf,
    /// Writes ratios and medians to this file, too.
    #[arg(long)]
    json: Option<PathBuf>,
}

type Metric = fn(&Measured) -> f64;

/// A ratio of two measurements of the same round, and where it should be.
struct Goal {
    what: &'static str,
    of: &'static str,
    to: &'static str,
    metric: Metric,
    bound: Bound,
}

#[derive(Clone, Copy)]
enum Bound {
    AtLeast(f64),
    AtMost(f64),
}

const RPS: Metric = |run| run.rps;
const P50: Metric = |run| run.p50_us as f64;
const P99: Metric = |run| run.p99_us as f64;

const GOALS: &[Goal] = &[
    goal("validate / echo, rps", "validate", "echo", RPS, Bound::AtLeast(0.60)),
    goal("validate with lock / echo, rps", "validate-lock", "echo", RPS, Bound::AtLeast(0.55)),
    goal("validate / echo, p99", "validate", "echo", P99, Bound::AtMost(2.0)),
    goal("redeem / plain, rps", "redeem", "plain", RPS, Bound::AtLeast(5.0)),
    goal("redeem c=256 / plain c=64, rps", "redeem-256", "plain", RPS, Bound::AtLeast(6.0)),
    goal("redeem one voucher / plain, rps", "redeem-hot", "plain-hot", RPS, Bound::AtLeast(25.0)),
    goal("redeem / plain, p99", "redeem", "plain", P99, Bound::AtMost(0.25)),
    goal("redeem / plain at 500/s, p50", "redeem-500", "plain-500", P50, Bound::AtMost(1.1)),
];

const fn goal(what: &'static str, of: &'static str, to: &'static str, metric: Metric, bound: Bound) -> Goal {
    Goal { what, of, to, metric, bound }
}

/// A goal, and where things stand.
#[derive(Serialize)]
struct Standing {
    what: &'static str,
    /// The median over the rounds.
    ratio: f64,
    lowest: f64,
    highest: f64,
    goal: f64,
    met: bool,
    rounds: usize,
    /// Rounds in which something else disturbed one of the two.
    spoilt: usize,
}

/// The middle of what was measured under one name.
#[derive(Serialize)]
struct Middle {
    runs: usize,
    spoilt: usize,
    rps: f64,
    p50_us: f64,
    p99_us: f64,
    p999_us: f64,
    /// Answers that were not as meant, of all runs.
    unmeant: u64,
    cpu_us_per_request: BTreeMap<String, f64>,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let mut runs: BTreeMap<String, Vec<Measured>> = BTreeMap::new();
    for line in fs::read_to_string(&args.results)?.lines() {
        let run: Measured = serde_json::from_str(line)?;
        runs.entry(run.what.label.clone()).or_default().push(run);
    }
    let middles: BTreeMap<&str, Middle> =
        runs.iter().map(|(label, runs)| (label.as_str(), middle(runs))).collect();
    let standings: Vec<Standing> = GOALS.iter().filter_map(|goal| standing(goal, &runs)).collect();

    print_middles(&middles);
    print_standings(&standings);
    if let Some(file) = &args.json {
        let all = serde_json::json!({ "goals": standings, "medians": middles });
        fs::write(file, serde_json::to_string_pretty(&all)?)?;
    }
    Ok(())
}

/// Pairs the two by round, so that a machine that slows down slows both sides of a ratio.
fn standing(goal: &Goal, runs: &BTreeMap<String, Vec<Measured>>) -> Option<Standing> {
    let (of, to) = (runs.get(goal.of)?, runs.get(goal.to)?);
    let mut ratios: Vec<f64> =
        of.iter().zip(to).map(|(of, to)| (goal.metric)(of) / (goal.metric)(to)).collect();
    ratios.sort_by(f64::total_cmp);
    let ratio = median(&ratios);
    let (bound, met) = match goal.bound {
        Bound::AtLeast(bound) => (bound, ratio >= bound),
        Bound::AtMost(bound) => (bound, ratio <= bound),
    };
    Some(Standing {
        what: goal.what,
        ratio,
        lowest: *ratios.first()?,
        highest: *ratios.last()?,
        goal: bound,
        met,
        rounds: ratios.len(),
        spoilt: of.iter().zip(to).filter(|(of, to)| of.spoilt || to.spoilt).count(),
    })
}

fn middle(runs: &[Measured]) -> Middle {
    let of = |metric: Metric| {
        let mut numbers: Vec<f64> = runs.iter().map(metric).collect();
        numbers.sort_by(f64::total_cmp);
        median(&numbers)
    };
    let names = runs.iter().flat_map(|run| run.cpu_us_per_request.keys());
    let cpu = names.map(|name| {
        let mut used: Vec<f64> =
            runs.iter().filter_map(|run| run.cpu_us_per_request.get(name).copied()).collect();
        used.sort_by(f64::total_cmp);
        (name.clone(), median(&used))
    });
    Middle {
        runs: runs.len(),
        spoilt: runs.iter().filter(|run| run.spoilt).count(),
        rps: of(RPS),
        p50_us: of(P50),
        p99_us: of(P99),
        p999_us: of(|run| run.p999_us as f64),
        unmeant: runs.iter().map(unmeant).sum(),
        cpu_us_per_request: cpu.collect(),
    }
}

fn unmeant(run: &Measured) -> u64 {
    let all = run.refused + run.not_found + run.throttled + run.unavailable + run.broken + run.wrong;
    if run.what.label == "mixed" { run.unavailable + run.broken + run.wrong } else { all }
}

/// The middle of sorted numbers; nothing's is zero.
fn median(sorted: &[f64]) -> f64 {
    let (Some(low), Some(high)) =
        (sorted.get(sorted.len().saturating_sub(1) / 2), sorted.get(sorted.len() / 2))
    else {
        return 0.0;
    };
    f64::midpoint(*low, *high)
}

fn print_middles(middles: &BTreeMap<&str, Middle>) {
    println!(
        "{:<16}{:>10}{:>10}{:>10}{:>10}{:>9}  CPU µs/request",
        "median", "rps", "p50 µs", "p99 µs", "p99.9 µs", "unmeant"
    );
    for (label, middle) in middles {
        let cpu: Vec<String> =
            middle.cpu_us_per_request.iter().map(|(name, used)| format!("{name} {used:.1}")).collect();
        println!(
            "{label:<16}{:>10.0}{:>10.0}{:>10.0}{:>10.0}{:>9}  {}{}",
            middle.rps,
            middle.p50_us,
            middle.p99_us,
            middle.p999_us,
            middle.unmeant,
            cpu.join(", "),
            spoilt(middle.spoilt, middle.runs),
        );
    }
}

fn print_standings(standings: &[Standing]) {
    println!("\n{:<34}{:>8}{:>18}{:>8}  ", "ratio", "median", "lowest–highest", "goal");
    for standing in standings {
        println!(
            "{:<34}{:>8.2}{:>18}{:>8.2}  {}{}",
            standing.what,
            standing.ratio,
            format!("{:.2}–{:.2}", standing.lowest, standing.highest),
            standing.goal,
            if standing.met { "met" } else { "missed" },
            spoilt(standing.spoilt, standing.rounds),
        );
    }
}

fn spoilt(spoilt: usize, of: usize) -> String {
    if spoilt == 0 { String::new() } else { format!("  ({spoilt} of {of} disturbed by other programs)") }
}
