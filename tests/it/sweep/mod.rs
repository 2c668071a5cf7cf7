//! Bad input, generated from the document: every operation, and everything that can be wrong with a
//! request for it. A problem says what and where, nothing breaks, and nothing changes.

mod bodies;
mod document;
mod judge;
mod stock;
mod uris;

use crate::{app::TestApp, client::Client, world};
use axum::http::Method;
use document::{Document, Operation};
use judge::{Case, Expected, Findings};
use scrip::{
    app::Parts,
    identity::recovery::{self, Purpose},
};
use std::time::Duration;
use stock::Stock;

/// What a body may weigh here, in bytes: not the default, so that the answer can't be a constant.
const BODY_MAX_BYTES: usize = 1_000_000;

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
            // A sweep is one big guess.
            config.logins_per_minute = 1_000_000;
            config.resets_per_hour = 1_000_000;
            config.guesses_per_device_per_minute = 1_000_000;
            config.guesses_per_key_per_minute = 1_000_000;
            config.guesses_per_group_per_minute = 1_000_000;
        });
        let test = server.build().await;
        assert!(test.app.ready(Duration::from_secs(10)).await, "the stores do not answer");
        let (own, other) = (test.user("a").await, test.user("b").await);
        Self { document: Document::read(), test, own, other, findings: Findings::default() }
    }

    /// What the caller has, fit for an operation; any will do where none is accepted.
    async fn stock(&self, operation: &str) -> Stock {
        let mut stock = Stock::new(operation, &self.own, "a").await;
        let purpose = match operation {
            "activate_account" => Purpose::Activation,
            "reset_password" => Purpose::Reset,
            _ => return stock,
        };
        let mut db = self.test.app.db.acquire().await.unwrap();
        let Parts { config, clock, .. } = &*self.test.app;
        let token = recovery::issue(&mut db, world::A1, purpose, config, clock.now()).await.unwrap();
        stock.token = Some(token);
        stock
    }

    /// What the group beside it has.
    async fn foreign(&self) -> Stock {
        Stock::new("", &self.other, "b").await
    }

    /// A request that is good, but for what follows.
    fn good(&self, operation: &Operation, stock: &Stock, expected: Expected) -> Case {
        let mut uri = stock.path(operation);
        if operation.query.iter().any(|name| name == "columns") {
            uri.push_str("?columns=id");
        }
        let mut case = Case::bare(uri, expected);
        self.fill(operation, stock, &mut case);
        case
    }

    fn fill(&self, operation: &Operation, stock: &Stock, case: &mut Case) {
        if operation.body.is_some() {
            case.body = stock.sample(&self.document, operation).to_string().into_bytes();
            case.content_type = Some("application/json");
        }
    }

    async fn send(&mut self, client: &Client, operation: &Operation, cases: &[Case]) {
        self.findings.sweep(client, &self.test.app.db, operation, cases).await;
    }
}

#[tokio::test]
async fn what_is_swept_with_is_good_before_it_is_made_bad() {
    let sweep = Sweep::new().await;
    for operation in sweep.document.operations() {
        let stock = sweep.stock(&operation.id).await;
        let reply =
            sweep.good(&operation, &stock, Expected::Either).send(&sweep.own, &operation.method).await;
        assert!(reply.status.is_success(), "{}: {} {}", operation.id, reply.status, reply.text());
    }
}

#[tokio::test]
async fn a_body_that_is_wrong_is_refused_where_it_is_wrong() {
    let mut sweep = Sweep::new().await;
    let (own, foreign) = (sweep.own.clone(), sweep.foreign().await);
    for operation in sweep.document.operations() {
        if operation.body.is_some() {
            let stock = sweep.stock(&operation.id).await;
            let cases = bodies::cases(&sweep.document, &operation, &stock, &foreign, BODY_MAX_BYTES);
            sweep.send(&own, &operation, &cases).await;
        }
    }
    sweep.findings.none_of(2_000);
}

#[tokio::test]
async fn a_path_that_leads_to_nothing_of_ones_own_is_refused() {
    let mut sweep = Sweep::new().await;
    let (own, foreign) = (sweep.own.clone(), sweep.foreign().await);
    let stock = sweep.stock("").await;
    for operation in sweep.document.operations() {
        let mut cases = uris::paths(&operation, &stock, &foreign);
        for case in &mut cases {
            sweep.fill(&operation, &stock, case);
        }
        sweep.send(&own, &operation, &cases).await;
    }
    sweep.findings.none_of(300);
}

#[tokio::test]
async fn a_query_that_is_not_understood_is_refused() {
    let mut sweep = Sweep::new().await;
    let (own, stock) = (sweep.own.clone(), sweep.stock("").await);
    for operation in sweep.document.operations() {
        let cases = uris::queries(&operation, &stock);
        sweep.send(&own, &operation, &cases).await;
    }
    sweep.findings.none_of(150);
}

#[tokio::test]
async fn whoever_may_not_is_told_so_before_anything_else() {
    let mut sweep = Sweep::new().await;
    let key = async |scopes| world::key(&sweep.test.app.db, world::A, None, scopes).await;
    let nobody = sweep.test.anyone();
    let forged = sweep.test.bearer("scrip_0000000000000000000000000000000000000000000");
    let none = sweep.test.bearer(key(&["fleet.read"]).await);
    let reader = sweep.test.bearer(key(&["campaign.read", "voucher.read", "apikey.read"]).await);
    let device = sweep.test.device(world::A, "vm-a-1").await;
    let stock = sweep.stock("").await;
    for operation in sweep.document.operations().into_iter().filter(|operation| !operation.open) {
        let is_verb = operation.path.contains("{code}");
        let mut callers = vec![(&nobody, 401), (&forged, 401), (&none, 403)];
        if operation.method != Method::GET {
            callers.push((&reader, 403));
        }
        if !is_verb {
            callers.push((&device, 403));
        }
        for (client, status) in callers {
            let statuses: &'static [u16] = if status == 401 { &[401] } else { &[403] };
            let case = sweep.good(&operation, &stock, Expected::Refused(statuses, String::new()));
            sweep.findings.sweep(client, &sweep.test.app.db, &operation, &[case]).await;
        }
    }
    sweep.findings.none_of(100);
}
