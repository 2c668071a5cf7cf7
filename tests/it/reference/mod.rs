//! A client written from the published reference alone: it replays each of its operations with the reference's own
//! example body, and checks the status and the name and JSON type of every field of the answer.
//!
//! `operations/*.json` and `shapes.json` hold what it needs to know, as facts. In a body, a field that is a number and
//! bears the name of a thing is that thing's id; `with` says what stands in for other placeholders. A field of an answer
//! may be `null`; `unseen.json` names those that are in every answer of this replay, and why.

mod optional;
mod replay;
mod shape;
mod world;

use replay::Replay;
use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

/// Every endpoint there is to be; those that the reference shows say where.
const ENDPOINTS: &str = include_str!("../../endpoints.tsv");

const OPERATIONS: [&str; 12] = [
    include_str!("operations/accounts.json"),
    include_str!("operations/machines.json"),
    include_str!("operations/places.json"),
    include_str!("operations/sales.json"),
    include_str!("operations/reports.json"),
    include_str!("operations/alerts.json"),
    include_str!("operations/assortment.json"),
    include_str!("operations/errors_and_payments.json"),
    include_str!("operations/desk.json"),
    include_str!("operations/campaigns.json"),
    include_str!("operations/gateway.json"),
    include_str!("operations/vouchers.json"),
];

/// Objects that several answers show, by name.
const SHAPES: &str = include_str!("shapes.json");

/// Operations that do not behave as the reference says yet, with the reason.
const PENDING: &str = include_str!("pending.json");

/// Fields that no answer of the replay has a value for, with the reason.
const UNSEEN: &str = include_str!("unseen.json");

/// An operation of the reference.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Operation {
    /// Method and path.
    call: String,
    /// The caller: a user unless it is `nobody`, who has no token, or the machine's `gateway`.
    #[serde(default)]
    caller: Option<String>,
    /// The reference's example.
    #[serde(default)]
    body: Option<Value>,
    /// The values for placeholders of the body and of the path, by pointer or by name.
    #[serde(default)]
    with: Map<String, Value>,
    /// Values of a parameter of the path, each of which is tried.
    #[serde(default)]
    each: BTreeMap<String, Vec<Value>>,
    /// Query strings, each of which is tried.
    #[serde(default)]
    queries: Vec<String>,
    /// The status of a success.
    status: u16,
    /// The shape of the answer.
    answer: Value,
}

/// Every operation of the reference, in its order within an area.
fn operations() -> Vec<Operation> {
    OPERATIONS
        .iter()
        .flat_map(|area| {
            serde_json::from_str::<Vec<Operation>>(area).unwrap_or_else(|error| panic!("{error}: {area}"))
        })
        .collect()
}

fn reasons(json: &str) -> BTreeMap<String, String> {
    serde_json::from_str(json).unwrap()
}

#[test]
fn the_client_knows_every_operation_of_the_reference() {
    let known: BTreeSet<String> = operations().into_iter().map(|operation| operation.call).collect();
    let shown: BTreeSet<String> = ENDPOINTS
        .lines()
        .skip(1)
        .map(|row| row.split('\t').collect::<Vec<_>>())
        // The reference speaks of this one, and does not show it.
        .filter(|row| row[3] != "-" && row[2] != "/transactionprofile/paymenttypes")
        .map(|row| format!("{} {}", row[1], row[2]))
        .collect();
    let pending = reasons(PENDING).into_keys();
    assert_eq!(known, shown.into_iter().chain(pending).collect());
    assert_eq!(known.len(), 144);
}

#[expect(clippy::print_stdout, reason = "how many work is what a person wants to see")]
#[tokio::test(flavor = "multi_thread")]
async fn a_client_of_the_reference_works_without_a_change() {
    let mut replay = Replay::start().await;
    let (operations, pending) = (operations(), reasons(PENDING));
    assert!(replay.flaws().is_empty(), "{}", replay.flaws().join("\n"));
    let mut failed = BTreeMap::new();
    for operation in &operations {
        let misfits = replay.run(operation).await;
        if !misfits.is_empty() {
            failed.insert(operation.call.clone(), misfits);
        }
    }
    let well = operations.len() - failed.len();
    println!("{well} of {}", operations.len());
    let broken: Vec<String> = failed
        .iter()
        .filter(|(call, _)| !pending.contains_key(*call))
        .map(|(call, misfits)| format!("{call}\n    {}", misfits.join("\n    ")))
        .collect();
    assert!(broken.is_empty(), "{well} of {}\n{}", operations.len(), broken.join("\n"));
    let done: Vec<&String> = pending.keys().filter(|call| !failed.contains_key(*call)).collect();
    assert!(done.is_empty(), "no longer pending: {done:?}");
    let (unseen, explained) = (replay.unseen(), reasons(UNSEEN).into_keys().collect());
    let (unexplained, seen) = (&unseen - &explained, &explained - &unseen);
    assert!(unexplained.is_empty(), "fields that have no value in any answer: {unexplained:?}");
    assert!(seen.is_empty(), "fields that some answer has a value for: {seen:?}");
}
