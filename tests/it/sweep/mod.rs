//! Bad input, generated from the document: every operation, and everything that can be wrong with a
//! request for it. A problem says what and where, nothing breaks, and nothing changes.

mod answers;
mod bodies;
pub mod document;
pub mod judge;
mod lists;
mod sample;
pub mod stock;
mod uris;

use crate::{app::TestApp, client::Client, world};
use document::{Document, Operation};
use judge::{Case, Expected, Findings};
use serde_json::Value;
use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};
use stock::Stock;

/// What a body may weigh here, in bytes: not the default, so that the answer can't be a constant.
const BODY_MAX_BYTES: usize = 1_000_000;

/// The limit for those who have no token yet.
const OPEN_BODY_MAX_BYTES: usize = 16 << 10;

/// Stands in a body for digits that no other request has, in text and in numbers.
pub const FRESH: &str = "77777777";

/// Operations that take what is good of a batch.
const BATCHES: [&str; 3] = ["send_revenuetransactions", "send_paymenttransactions", "send_logs"];

/// A body as it is sent, with digits of its own.
pub fn fresh(body: Vec<u8>) -> Vec<u8> {
    static LAST: AtomicU32 = AtomicU32::new(10_000_000);
    let Ok(text) = String::from_utf8(body.clone()) else { return body };
    text.replace(FRESH, &LAST.fetch_add(1, Ordering::Relaxed).to_string()).into_bytes()
}

/// Someone of a group, someone of the group beside it, and a server.
struct Sweep {
    document: Document,
    test: TestApp,
    own: Client,
    other: Client,
    findings: Findings,
}

impl Sweep {
    async fn new() -> Self {
        let server = TestApp::builder().config(|config| {
            config.body_max_bytes = BODY_MAX_BYTES;
            // A body with images may weigh twice as much as one of them.
            config.image_max_bytes = BODY_MAX_BYTES / 2;
            // A sweep is one big guess.
            config.logins_per_minute = 1_000_000;
            config.guesses_per_device_per_minute = 1_000_000;
            config.guesses_per_key_per_minute = 1_000_000;
        });
        let test = server.build().await;
        assert!(test.app.ready(Duration::from_secs(10)).await, "the stores do not answer");
        let (own, other) = (test.user("a").await, test.user("b").await);
        Self { document: Document::read(), test, own, other, findings: Findings::default() }
    }

    /// What the caller has, fit for an operation.
    async fn stock(&self, operation: &Operation) -> Stock {
        let stock = Stock::of(&self.document, operation, &self.own, "a").await;
        stock.served(operation, &self.own, &self.test.app).await
    }

    /// What the caller has, where none of it is accepted.
    async fn any(&self) -> Stock {
        Stock::of_all(&self.document, &self.own, "a").await
    }

    /// What the group beside it has.
    async fn foreign(&self) -> Stock {
        Stock::of_all(&self.document, &self.other, "b").await
    }

    /// A request that is good, but for what follows.
    fn good(&self, operation: &Operation, stock: &Stock, expected: Expected) -> Case {
        let mut case = Case::bare(stock.uri(operation, ""), expected);
        self.fill(operation, stock, &mut case);
        case
    }

    fn fill(&self, operation: &Operation, stock: &Stock, case: &mut Case) {
        if let Some((content_type, body)) = stock.body(&self.document, operation) {
            case.body = body;
            case.content_type = Some(content_type);
        }
    }

    async fn send(&mut self, client: &Client, operation: &Operation, cases: &[Case]) {
        self.findings.sweep(client, &self.test.app.db, operation, cases).await;
    }
}

#[tokio::test]
async fn what_is_good_is_answered_as_the_document_says() {
    let mut sweep = Sweep::new().await;
    for operation in sweep.document.operations() {
        let stock = sweep.stock(&operation).await;
        let reply =
            sweep.good(&operation, &stock, Expected::Either).send(&sweep.own, &operation.method).await;
        if !reply.status.is_success() {
            sweep.findings.add(format!("{}: {} {}", operation.id, reply.status, reply.text()));
            continue;
        }
        for misfit in answers::misfits(&sweep.document, &operation, &reply) {
            sweep.findings.add(misfit);
        }
    }
    sweep.findings.none_of(0);
}

/// The same body in the other spelling of each number and flag.
fn respelled(body: Value) -> Value {
    match body {
        Value::Number(number) => number.as_i64().map_or(Value::Number(number), |whole| (whole as f64).into()),
        Value::Bool(flag) => u8::from(flag).into(),
        Value::Array(values) => values.into_iter().map(respelled).collect(),
        Value::Object(fields) => fields.into_iter().map(|(name, value)| (name, respelled(value))).collect(),
        other => other,
    }
}

#[tokio::test]
async fn numbers_and_flags_are_taken_in_each_of_their_spellings() {
    let mut sweep = Sweep::new().await;
    let mut bodies = 0;
    for operation in sweep.document.operations() {
        let stock = sweep.stock(&operation).await;
        let mut case = sweep.good(&operation, &stock, Expected::Either);
        let Ok(body) = serde_json::from_slice::<Value>(&case.body) else { continue };
        case.body = respelled(body).to_string().into_bytes();
        bodies += 1;
        let reply = case.send(&sweep.own, &operation.method).await;
        if !reply.status.is_success() {
            sweep.findings.add(format!("{}: {} {}", operation.id, reply.status, reply.text()));
        }
    }
    assert!(bodies > 80, "{bodies} bodies");
    sweep.findings.none_of(0);
}

#[tokio::test]
async fn a_body_that_is_wrong_is_refused_where_it_is_wrong() {
    let mut sweep = Sweep::new().await;
    let (own, foreign) = (sweep.own.clone(), sweep.foreign().await);
    for operation in sweep.document.operations() {
        // What is wrong with one record of a batch is said in the answer, where the others are taken.
        if operation.body.is_some() && !BATCHES.contains(&operation.id.as_str()) {
            let stock = sweep.stock(&operation).await;
            let limit =
                if operation.path.starts_with("/auth/") { OPEN_BODY_MAX_BYTES } else { BODY_MAX_BYTES };
            let cases = bodies::cases(&sweep.document, &operation, &stock, &foreign, limit);
            sweep.send(&own, &operation, &cases).await;
        }
    }
    sweep.findings.none_of(11_000);
}

#[tokio::test]
async fn a_path_that_leads_to_nothing_of_ones_own_is_refused() {
    let mut sweep = Sweep::new().await;
    let (own, foreign) = (sweep.own.clone(), sweep.foreign().await);
    let stock = sweep.any().await;
    for operation in sweep.document.operations() {
        let mut cases = uris::paths(&operation, &stock, &foreign);
        for case in &mut cases {
            sweep.fill(&operation, &stock, case);
        }
        sweep.send(&own, &operation, &cases).await;
    }
    sweep.findings.none_of(3_000);
}

#[tokio::test]
async fn a_query_that_is_not_understood_is_refused() {
    let mut sweep = Sweep::new().await;
    let (own, stock) = (sweep.own.clone(), sweep.any().await);
    for operation in sweep.document.operations() {
        let mut cases = uris::queries(&operation, &stock);
        for case in &mut cases {
            sweep.fill(&operation, &stock, case);
        }
        sweep.send(&own, &operation, &cases).await;
    }
    sweep.findings.none_of(2_000);
}

#[tokio::test]
async fn whoever_may_not_is_told_so_before_anything_else() {
    let mut sweep = Sweep::new().await;
    let key = async |scopes| world::key(&sweep.test.app.db, world::A, None, scopes).await;
    let nobody = sweep.test.anyone();
    let forged = sweep.test.bearer("scrip_0000000000000000000000000000000000000000000");
    let none = sweep.test.bearer(key(&[]).await);
    let stock = sweep.any().await;
    for operation in sweep.document.operations().into_iter().filter(|operation| !operation.open) {
        for (client, statuses) in [(&nobody, &[401]), (&forged, &[401]), (&none, &[403])] {
            let case = sweep.good(&operation, &stock, Expected::Refused(statuses, String::new()));
            sweep.findings.sweep(client, &sweep.test.app.db, &operation, &[case]).await;
        }
    }
    sweep.findings.none_of(450);
}
