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

#[tokio::test]
async fn a_number_is_known_whatever_time_is_said_with_it() {
    let test = TestApp::builder().stopped_at(NOW).build().await;
    let gateway = gateway(&test, world::A, HERE).await;
    let (long_ago, recently) = ("2025-03-01T09:00:00Z", "2026-11-20T09:00:00Z");
    let send = async |what: &str, batch: Value| {
        gateway.post(&format!("/machine/vm-a-1/{what}"), batch).await.expect(200)
    };
    let event = |at: &str| json!({"remote": 4, "code": "E1", "type": 2, "occurredAt": at});
    let paid = |remote: i64, at: &str| json!({"remote": remote, "occurredAt": at, "method": "cash", "price": 150, "revenuetransaction": 1});
    send("revenuetransactions", json!([cola(1, long_ago), cola(2, recently)])).await;
    send("paymenttransactions", json!([paid(3, long_ago)])).await;
    send("logs", json!([event(long_ago)])).await;
    set_up(
        &test.app,
        "SELECT settle_rest(t, 'occurred_at'), archive_months(t, '2025-11-10')
         FROM unnest(ARRAY['revenue_transaction', 'payment_transaction', 'machine_log']) t",
    )
    .await;
    let again = json!([cola(2, recently), cola(1, long_ago)]);
    let sales = send("revenuetransactions", again).await;
    assert_eq!(statuses(&sales), ["duplicate", "duplicate"]);
    let elsewhere = json!([cola(2, recently), cola(1, recently)]);
    let sales = send("revenuetransactions", elsewhere).await;
    assert_eq!(statuses(&sales), ["duplicate", "conflict"]);
    assert_eq!(sales[1]["errors"][0]["pointer"], "/1/occurredAt");
    // Paid more than a year after it was sold.
    let payments = send("paymenttransactions", json!([paid(3, recently), paid(4, recently)])).await;
    assert_eq!(statuses(&payments), ["conflict", "created"]);
    assert_eq!(statuses(&send("logs", json!([event(recently)])).await), ["conflict"]);
    let kept = rows(
        &test.app,
        "SELECT s.remote, s.num_payment_transactions AS paid, count(p.id) AS payments
         FROM revenue_transaction_ever s LEFT JOIN payment_transaction_ever p ON p.revenuetransaction = s.id
         GROUP BY 1, 2 ORDER BY 1",
    )
    .await;
    assert_eq!(
        kept,
        json!([{"remote": 1, "paid": 2, "payments": 2}, {"remote": 2, "paid": 0, "payments": 0}])
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
