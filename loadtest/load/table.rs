//! Many runs' lines in, one table out: medians, then the ratios against the goals.

use crate::{
    Result,
    goals::{self, COMPARISONS, Metric, P50, P99, RPS, Standing, median},
    tally::Measured,
};
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
    /// Fails, and says why, unless every goal is met on calm rounds and no verdict was wrong.
    #[arg(long)]
    check: bool,
}

/// The middle of what was measured under one name.
#[derive(Serialize)]
struct Middle<'a> {
    label: &'a str,
    runs: usize,
    spoilt: usize,
    rps: f64,
    p50_us: f64,
    p99_us: f64,
    p999_us: f64,
    /// Wrong verdicts, of all runs.
    denied: u64,
    /// Requests without a verdict, of all runs.
    failed: u64,
    cpu_us_per_request: BTreeMap<&'a str, f64>,
    later_us_per_request: BTreeMap<&'a str, f64>,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let runs: Vec<Measured> =
        fs::read_to_string(&args.results)?.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    let middles = middles(&runs);
    let standings: Vec<Standing> =
        COMPARISONS.iter().filter_map(|comparison| comparison.standing(&runs)).collect();
    let complaints = goals::complaints(&runs);

    print_middles(&middles);
    print_standings(&standings);
    if let Some(file) = &args.json {
        let all = serde_json::json!({ "goals": standings, "medians": middles, "complaints": complaints });
        fs::write(file, serde_json::to_string_pretty(&all)?)?;
    }
    if args.check && !complaints.is_empty() {
        println!("\n{}", complaints.join("\n"));
        return Err(format!("{} complaints", complaints.len()).into());
    }
    Ok(())
}

/// One for each label, in the order in which they first ran.
fn middles(runs: &[Measured]) -> Vec<Middle<'_>> {
    let mut middles: Vec<Middle<'_>> = Vec::new();
    for run in runs {
        let label = run.what.label.as_str();
        if middles.iter().all(|middle| middle.label != label) {
            let same: Vec<&Measured> = runs.iter().filter(|run| run.what.label == label).collect();
            middles.push(middle(label, &same));
        }
    }
    middles
}

fn middle<'a>(label: &'a str, runs: &[&'a Measured]) -> Middle<'a> {
    let of = |metric: Metric| sorted_median(runs.iter().map(|run| metric(run)));
    Middle {
        label,
        runs: runs.len(),
        spoilt: runs.iter().filter(|run| run.spoilt).count(),
        rps: of(RPS),
        p50_us: of(P50),
        p99_us: of(P99),
        p999_us: of(|run| run.p999_us as f64),
        denied: runs.iter().map(|run| run.denied).sum(),
        failed: runs.iter().map(|run| run.failed).sum(),
        cpu_us_per_request: middle_of(runs, |run| &run.cpu_us_per_request),
        later_us_per_request: middle_of(runs, |run| &run.later_us_per_request),
    }
}

/// The median for each name.
fn middle_of<'a>(
    runs: &[&'a Measured],
    of: impl Fn(&'a Measured) -> &'a BTreeMap<String, f64>,
) -> BTreeMap<&'a str, f64> {
    let names = runs.iter().flat_map(|run| of(run).keys());
    let middle = |name: &str| sorted_median(runs.iter().filter_map(|run| of(run).get(name).copied()));
    names.map(|name| (name.as_str(), middle(name))).collect()
}

fn sorted_median(numbers: impl Iterator<Item = f64>) -> f64 {
    let mut numbers: Vec<f64> = numbers.collect();
    numbers.sort_by(f64::total_cmp);
    median(&numbers)
}

fn print_middles(middles: &[Middle<'_>]) {
    println!(
        "{:<16}{:>9}{:>9}{:>9}{:>9}{:>8}{:>8}  CPU µs/request",
        "median", "rps", "p50 µs", "p99 µs", "p99.9 µs", "denied", "failed"
    );
    for middle in middles {
        let later = users(&middle.later_us_per_request);
        let later = if later.is_empty() { later } else { format!("; later: {later}") };
        println!(
            "{:<16}{:>9.0}{:>9.0}{:>9.0}{:>9.0}{:>8}{:>8}  {}{later}{}",
            middle.label,
            middle.rps,
            middle.p50_us,
            middle.p99_us,
            middle.p999_us,
            middle.denied,
            middle.failed,
            users(&middle.cpu_us_per_request),
            disturbed(middle.spoilt, middle.runs),
        );
    }
}

/// Who used the processor; without those who took no part, who take less than they can be told by.
fn users(cpu: &BTreeMap<&str, f64>) -> String {
    let users = cpu.iter().filter(|(_, used)| **used >= 0.05).map(|(name, used)| format!("{name} {used:.1}"));
    users.collect::<Vec<_>>().join(", ")
}

fn print_standings(standings: &[Standing]) {
    println!("\n{:<38}{:>8}{:>16}{:>9}  ", "ratio", "median", "lowest–highest", "goal");
    for standing in standings {
        let verdict = standing.verdict.map(|verdict| verdict.to_string());
        println!(
            "{:<38}{:>8.2}{:>16}{:>9}  {}{}",
            standing.what,
            standing.ratio,
            format!("{:.2}–{:.2}", standing.lowest, standing.highest),
            standing.goal.as_deref().unwrap_or_default(),
            verdict.unwrap_or_default(),
            disturbed(standing.spoilt, standing.rounds),
        );
    }
}

fn disturbed(spoilt: usize, of: usize) -> String {
    if spoilt == 0 { String::new() } else { format!("  ({spoilt} of {of} disturbed by other programs)") }
}
