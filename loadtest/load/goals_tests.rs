use super::*;
use crate::tally::Conditions;
use std::collections::BTreeMap;

fn run(label: &str, rps: f64) -> Measured {
    Measured {
        what: Conditions { label: label.to_owned(), connections: 64, rate: None },
        seconds: 3.0,
        rps,
        p50_us: 1000,
        p99_us: 2000,
        p999_us: 3000,
        max_us: 4000,
        as_meant: 1000,
        refused: 0,
        not_found: 0,
        throttled: 0,
        unavailable: 0,
        broken: 0,
        wrong: 0,
        denied: 0,
        failed: 0,
        cpu_us_per_request: BTreeMap::new(),
        later_us_per_request: BTreeMap::new(),
        foreign_cores: 0.0,
        stolen_cores: 0.0,
        pacing_p99_us: None,
        spoilt: false,
    }
}

fn spoilt(run: Measured) -> Measured {
    Measured { spoilt: true, ..run }
}

/// Rounds of a validate, against an echo that does 100.
fn rounds(validates: impl IntoIterator<Item = Measured>) -> Vec<Measured> {
    validates.into_iter().flat_map(|validate| [run("echo", 100.0), validate]).collect()
}

const VALIDATE: &Comparison = &at_least("validate / echo", "validate", "echo", RPS, 0.60);

fn verdict(runs: &[Measured]) -> Verdict {
    VALIDATE.standing(runs).unwrap().verdict.unwrap()
}

#[test]
fn a_goal_is_met_at_its_bound_and_missed_beyond() {
    assert_eq!(verdict(&rounds([run("validate", 60.0)])), Verdict::Met);
    assert_eq!(verdict(&rounds([run("validate", 59.9)])), Verdict::Missed);
    let slow = at_most("p99", "validate", "echo", RPS, 2.0);
    let verdict = |rps| slow.standing(&rounds([run("validate", rps)])).unwrap().verdict;
    assert_eq!((verdict(200.0), verdict(201.0)), (Some(Verdict::Met), Some(Verdict::Missed)));
}

#[test]
fn a_disturbed_round_counts_neither_for_nor_against() {
    let with_a_bad_one =
        rounds([run("validate", 70.0), spoilt(run("validate", 10.0)), run("validate", 72.0)]);
    let standing = VALIDATE.standing(&with_a_bad_one).unwrap();
    assert_eq!((standing.verdict, standing.spoilt, standing.rounds), (Some(Verdict::Met), 1, 3));
    assert!((standing.lowest - 0.70).abs() < 1e-9 && (standing.ratio - 0.71).abs() < 1e-9);
    let with_a_good_one =
        rounds([run("validate", 50.0), spoilt(run("validate", 99.0)), run("validate", 52.0)]);
    assert_eq!(verdict(&with_a_good_one), Verdict::Missed);
}

#[test]
fn nothing_is_decided_where_most_rounds_were_disturbed() {
    let half = rounds([run("validate", 90.0), spoilt(run("validate", 90.0))]);
    assert_eq!(verdict(&half), Verdict::NotDecided);
    let other_side = [spoilt(run("echo", 100.0)), run("validate", 90.0)];
    assert_eq!(verdict(&other_side), Verdict::NotDecided);
    let bad = rounds([spoilt(run("validate", 10.0))]);
    assert_eq!(verdict(&bad), Verdict::NotDecided);
}

#[test]
fn a_rate_of_other_answers_than_were_meant_decides_nothing() {
    let failing = Measured { failed: 1, ..run("validate", 90.0) };
    assert_eq!(verdict(&rounds([failing])), Verdict::NotDecided);
    let silent = [run("echo", 0.0), run("validate", 0.0)];
    assert_eq!(verdict(&silent), Verdict::NotDecided);
}

#[test]
fn every_goal_that_is_not_met_is_named() {
    let goals = COMPARISONS.iter().filter(|comparison| comparison.goal.is_some()).count();
    let none = complaints(&[]);
    assert_eq!(none.len(), goals);
    assert!(none.iter().all(|complaint| complaint.starts_with("not measured: ")), "{none:?}");

    let some = complaints(&rounds([run("validate", 30.0)]));
    assert_eq!(some.len(), goals - 1, "p99 is as good as the echo's: {some:?}");
    assert!(some[0].starts_with("missed: validate / echo, rps ≥ 0.70; measured 0.30"), "{some:?}");
}

#[test]
fn the_cost_of_a_request_has_what_is_put_off_and_not_the_load_generator() {
    let used = |of: &[(&str, f64)]| of.iter().map(|(name, used)| ((*name).to_owned(), *used)).collect();
    let redeem = Measured {
        cpu_us_per_request: used(&[("load", 9.0), ("server", 10.0), ("postgres", 20.0)]),
        later_us_per_request: used(&[("postgres", 5.0)]),
        ..run("redeem", 100.0)
    };
    assert!((COST(&redeem) - 35.0).abs() < 1e-9);
}

#[test]
fn a_wrong_verdict_anywhere_is_a_complaint() {
    let cold = Measured { denied: 3, ..run("validate-cold", 10.0) };
    let complaints = complaints(&[cold]);
    assert!(
        complaints.contains(&"wrong verdicts: 3 in a round of validate-cold".to_owned()),
        "{complaints:?}"
    );
}

#[test]
fn what_has_no_goal_has_no_verdict() {
    let runs = [run("validate", 100.0), run("validate-beside", 80.0)];
    let comparison = COMPARISONS.iter().find(|comparison| comparison.of == "validate-beside").unwrap();
    let standing = comparison.standing(&runs).unwrap();
    assert_eq!((standing.verdict, standing.goal), (None, None));
}
