//! Who may do what: every operation, tried by everyone, as one table.
//!
//! Each is sent a request that is good, and aimed at things of group `a`.

use crate::{
    app::TestApp,
    client::{Client, Reply},
    sweep::{
        document::{Document, Operation},
        stock::Stock,
    },
    world,
};
use axum::http::Method;
use std::{collections::BTreeMap, fmt::Write as _};

/// Who tries, with what.
const ROLES: [(&str, &str); 9] = [
    ("nobody", "no token"),
    ("stranger", "the user of b, a group beside"),
    ("below", "the user of a1, a group below"),
    ("reader", "a key of the group with every scope there is for reading"),
    ("none", "a key of the group without a scope"),
    ("machine", "the key of a machine of the group, as its gateway has it"),
    ("bound", "a key with every scope there is, bound to another machine of the group"),
    ("above", "the user of the root, the group above"),
    ("full", "the user of the group"),
];

/// What changes nothing although it is not a `GET`.
const READS: &[&str] = &[
    "preview_assortment",
    "report_alarms",
    "report_issues",
    "report_payments",
    "report_revenue",
    "report_shiftpayments",
    "report_shiftproducts",
];

/// A server, and everyone who tries, in the order of [`ROLES`].
struct Cast {
    document: Document,
    test: TestApp,
    tries: [Client; 9],
    full: Client,
}

impl Cast {
    async fn new() -> Self {
        let test = TestApp::builder().config(|config| config.logins_per_minute = 1_000_000).build().await;
        let document = Document::read();
        let scopes = document.words("Permission");
        let scopes: Vec<&str> = scopes.iter().map(String::as_str).collect();
        let reads = |scope: &&str| scope.split_once('.').is_some_and(|(_, verb)| verb == "read");
        let reading: Vec<&str> = scopes.iter().copied().filter(reads).collect();
        assert!(reading.len() > 5, "{reading:?}");
        let key = async |machine, scopes: &[&str]| {
            test.bearer(world::key(&test.app.db, world::A, machine, scopes).await)
        };
        let full = test.user("a").await;
        let tries = [
            test.anyone(),
            test.user("b").await,
            test.user("a1").await,
            key(None, &reading).await,
            key(None, &[]).await,
            key(Some("vm-a-1"), &["voucher.redeem", "gateway.use"]).await,
            key(Some("vm-a-2"), &scopes).await,
            test.user("root").await,
            full.clone(),
        ];
        Self { document, test, tries, full }
    }

    /// What each is answered; what one has changed is made anew for the next.
    async fn answers(&self, operation: &Operation) -> Vec<u16> {
        let mut stock = self.stock(operation).await;
        let mut answers = Vec::new();
        for client in &self.tries {
            let reply = self.send(operation, &stock, client).await;
            answers.push(reply.status.as_u16());
            if reply.status.is_success() && operation.method != Method::GET {
                stock = self.stock(operation).await;
            }
        }
        answers
    }

    async fn stock(&self, operation: &Operation) -> Stock {
        let stock = Stock::of(&self.document, operation, &self.full, "a").await;
        stock.served(operation, &self.full, &self.test.app).await
    }

    async fn send(&self, operation: &Operation, stock: &Stock, client: &Client) -> Reply {
        client.send_raw(stock.request(&self.document, operation)).await
    }
}

/// Whether it is about one machine that somebody speaks for, or looks after.
fn speaks_for_one(operation: &Operation) -> bool {
    let is_named = operation.parameters.iter().any(|parameter| parameter.name == "hostname");
    is_named || operation.path.contains("{code}") || operation.id == "update_machineconfig"
}

/// What must hold, whatever the table says.
fn complaints(operation: &Operation, answers: &[u16]) -> Vec<String> {
    let [nobody, stranger, below, reader, none, _machine, bound, above, full] = answers else {
        unreachable!()
    };
    let good = |status: &u16| (200..300).contains(status);
    let changes = operation.method != Method::GET && !READS.contains(&operation.id.as_str());
    let aimed = operation.places().any(|place| operation.owns(place));
    let rules = [
        (operation.open || *nobody == 401, "somebody without a token gets in"),
        (!aimed || !good(stranger), "a stranger gets at things of another group"),
        (!aimed || !changes || !good(below), "a group changes what belongs to the one above"),
        (operation.open || !changes || !good(reader), "a reader changes something"),
        (operation.open || *none == 403, "somebody without the permission gets in"),
        (!speaks_for_one(operation) || *bound == 403, "a key speaks for a machine that is not its own"),
        (
            operation.open || *bound == 403 || operation.id == "list_commands",
            "a key of one machine gets at what is not about that machine",
        ),
        (good(full), "whoever may do everything may not do this"),
        // Dashboards are one user's own.
        (above == full || operation.area == "dashboard", "a group does not have what is below it"),
    ];
    let broken = rules.into_iter().filter(|(holds, _)| !holds);
    broken.map(|(_, rule)| format!("{}: {rule}: {answers:?}", operation.id)).collect()
}

#[tokio::test]
async fn everyone_may_do_what_the_table_says() {
    let cast = Cast::new().await;
    let operations = cast.document.operations();
    let width = operations.iter().map(|operation| operation.id.len()).max().unwrap() + 2;
    let mut areas: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    let mut broken = Vec::new();
    for operation in &operations {
        let answers = cast.answers(operation).await;
        broken.extend(complaints(operation, &answers));
        let columns = answers.iter().zip(ROLES).fold(String::new(), |mut row, (status, (role, _))| {
            write!(row, "{status:<0$}", role.len() + 2).unwrap();
            row
        });
        areas.entry(&operation.area).or_default().push(format!(
            "{:<width$}{}",
            operation.id,
            columns.trim_end()
        ));
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
    insta::assert_snapshot!("roles", table(&areas, width));
}

/// Area by area, with who is who above it.
fn table(areas: &BTreeMap<&str, Vec<String>>, width: usize) -> String {
    let mut table = String::new();
    for (role, what) in ROLES {
        writeln!(table, "{role:<10}{what}").unwrap();
    }
    let names = ROLES.map(|(role, _)| role).join("  ");
    for (area, rows) in areas {
        writeln!(table, "\n{area:<width$}{names}\n{}", rows.join("\n")).unwrap();
    }
    table
}
