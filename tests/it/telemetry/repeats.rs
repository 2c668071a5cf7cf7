//! The same batch at once from many sides, and from a gateway whose server died of it.

use super::{HERE, NOW, assert_sums, cola, gateway, rows, set_up, statuses};
use crate::{
    app::TestApp,
    database::{self, Database},
    pair::becomes,
    server::Server,
    world,
};
use scrip::telemetry::recount::recount;
use serde_json::{Value, json};
use sqlx::PgPool;
use tokio::task::JoinSet;

/// Sales with payments within them, from one number to another.
fn sales(from: i64, to: i64) -> Value {
    let sale = |remote: i64| {
        let mut sale = cola(remote, NOW);
        sale["paymenttransactions"] = json!([{"remote": remote, "method": "cash", "price": 150}]);
        sale
    };
    json!((from..to).map(sale).collect::<Vec<_>>())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_sent_by_eight_at_once_is_kept_once() {
    let test = TestApp::builder().stopped_at(NOW).build().await;
    let gateway = gateway(&test, world::A, HERE).await;
    let mut tasks = JoinSet::new();
    for task in 0..8 {
        let gateway = gateway.clone();
        tasks.spawn(async move {
            let mut created = 0;
            // Each begins elsewhere, so that they meet in the middle of each other's batches.
            for step in 0..8 {
                let from = (task + step) % 8 * 25;
                let path = "/machine/vm-a-1/revenuetransactions";
                let receipts = gateway.post(path, sales(from, from + 50)).await.expect(200);
                let fates = statuses(&receipts);
                created += fates.iter().filter(|status| **status == "created").count();
                assert!(fates.iter().all(|status| ["created", "duplicate"].contains(status)), "{fates:?}");
            }
            created
        });
    }
    assert_eq!(tasks.join_all().await.iter().sum::<usize>(), 225, "each is created for one of them");
    let kept = rows(
        &test.app,
        "SELECT count(*) AS sales, count(DISTINCT remote) AS numbers,
        (SELECT count(*) FROM payment_transaction) AS payments,
        min(num_payment_transactions) + max(num_payment_transactions) AS paid FROM revenue_transaction",
    )
    .await;
    assert_eq!(kept, json!([{"sales": 225, "numbers": 225, "payments": 225, "paid": 2}]));
    assert_sums(&test.app).await;

    // Sums that have been tampered with are found, and put right.
    set_up(
        &test.app,
        "
        UPDATE sales_rollup SET revenue = revenue + 1 WHERE grain = 'day';
        DELETE FROM payments_rollup WHERE grain = 'month';
        INSERT INTO events_rollup VALUES (99, 'day', '2026-11-24', 2, 2, 'E1', 0, 1, 7, 0)",
    )
    .await;
    let found = recount(&test.app.db, true).await.unwrap();
    let found: Vec<_> =
        found.differences.iter().map(|d| (d.of, d.expected.clone(), d.found.clone())).collect();
    assert_eq!(
        found,
        [
            ("sales", json!([225, 225 * 150]), json!([225, 225 * 150 + 1])),
            ("payments", json!([225, 225 * 150]), json!([0, 0])),
            ("events", json!([0, 0]), json!([7, 0])),
        ]
    );
    assert_sums(&test.app).await;
}

/// A server dies as it commits a batch; the gateway sends it again.
async fn dies_at(point: &str, again: &str) {
    let database = Database::new().await;
    let db = PgPool::connect(&database.url).await.unwrap();
    let key = world::key(&db, world::A, Some(HERE), &["gateway.use"]).await;
    let fail = format!("{point}=return");
    let server = Server::on(&database.url, &database::url("SCRIP_TEST_REDIS_URL"), &database.name);
    let mut server = server.start_with(&[("FAILPOINTS", &fail)]).await;
    let batch = json!([cola(1, "2026-11-24T12:00:00Z"), cola(2, "2026-11-24T12:00:00Z")]);
    let path = "/machine/vm-a-1/revenuetransactions";
    assert_eq!(server.post(path, &key, &batch).await, None);
    becomes("the server has died", async || server.has_ended()).await;
    server.restart_without(&["FAILPOINTS"]).await;
    let (status, receipts) = server.post(path, &key, &batch).await.unwrap();
    assert_eq!((status, statuses(&receipts)), (200, vec![again; 2]));
    let kept: i64 =
        sqlx::query_scalar("SELECT count(*) FROM revenue_transaction").fetch_one(&db).await.unwrap();
    assert_eq!(kept, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_not_committed_is_kept_when_it_is_sent_again() {
    dies_at("telemetry-before-commit", "created").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_committed_and_not_answered_is_known_when_it_is_sent_again() {
    dies_at("telemetry-after-commit", "duplicate").await;
}
