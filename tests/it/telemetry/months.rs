//! Months: rows that come for one that is not there, or not there any more.

use super::{HERE, NOW, assert_sums, cola, gateway, rows, statuses};
use crate::{app::TestApp, world};
use scrip::telemetry::months::look_after;
use serde_json::{Value, json};

/// Which partition each sale is in.
const WHERE_SALES_ARE: &str = "
    SELECT remote, tableoid::regclass::text AS month FROM revenue_transaction_ever ORDER BY remote";

#[tokio::test]
async fn late_rows_find_their_month_and_old_months_their_archive() {
    let test = TestApp::builder().stopped_at(NOW).build().await;
    let app = &test.app;
    let gateway = gateway(&test, world::A, HERE).await;
    let sales = "/machine/vm-a-1/revenuetransactions";
    let batch = json!([
        cola(1, "2024-02-29T23:59:59Z"),
        cola(2, "2024-03-01T00:00:00Z"),
        cola(3, "2026-10-31T23:59:59.999999Z")
    ]);
    assert_eq!(statuses(&gateway.post(sales, batch.clone()).await.expect(200)), ["created"; 3]);
    let event = |has_ended: bool| {
        let mut event = json!({"remote": 1, "code": "E1", "type": 2, "occurredAt": "2024-02-10T00:00:00Z"});
        if has_ended {
            event["duration"] = json!(60);
        }
        event
    };
    gateway.post("/machine/vm-a-1/logs", event(false)).await.expect(200);
    let places = |months: [&str; 3]| -> Value {
        json!(
            (1..)
                .zip(months)
                .map(|(remote, month)| json!({"remote": remote, "month": month}))
                .collect::<Vec<_>>()
        )
    };
    let rest = "revenue_transaction_rest";
    assert_eq!(rows(app, WHERE_SALES_ARE).await, places([rest, rest, rest]));

    let today = app.clock.now().date_naive();
    look_after(&app.db, today, 0).await.unwrap();
    let months =
        places(["revenue_transaction_2024_02", "revenue_transaction_2024_03", "revenue_transaction_2026_10"]);
    assert_eq!(rows(app, WHERE_SALES_ARE).await, months);
    look_after(&app.db, today, 13).await.unwrap();
    look_after(&app.db, today, 13).await.unwrap();
    assert_eq!(rows(app, WHERE_SALES_ARE).await, months, "the archive has them where they were");
    let hot = rows(app, "SELECT remote FROM revenue_transaction").await;
    assert_eq!(hot, json!([{"remote": 3}]));

    // What is archived is known, is paid, ends, and gets late company.
    assert_eq!(statuses(&gateway.post(sales, batch).await.expect(200)), ["duplicate"; 3]);
    let payment = json!({"remote": 1, "revenuetransaction": 1, "occurredAt": "2024-02-29T23:59:59Z",
        "method": "cash", "price": 150});
    gateway.post("/machine/vm-a-1/paymenttransactions", payment).await.expect(200);
    let ended = gateway.post("/machine/vm-a-1/logs", event(true)).await.expect(200);
    assert_eq!(statuses(&ended), ["updated"]);
    assert_eq!(
        statuses(&gateway.post(sales, cola(4, "2024-02-01T00:00:00Z")).await.expect(200)),
        ["created"]
    );
    look_after(&app.db, today, 13).await.unwrap();
    let archived = rows(
        app,
        "SELECT s.remote, s.num_payment_transactions AS paid, tableoid::regclass::text AS month
        FROM revenue_transaction_archive s ORDER BY 1",
    )
    .await;
    assert_eq!(
        archived,
        json!([
        {"remote": 1, "paid": 1, "month": "revenue_transaction_2024_02"},
        {"remote": 2, "paid": 0, "month": "revenue_transaction_2024_03"},
        {"remote": 4, "paid": 0, "month": "revenue_transaction_2024_02"}])
    );
    let event = rows(app, "SELECT duration, resolved_at FROM machine_log_archive").await;
    assert_eq!(event, json!([{"duration": 60, "resolved_at": "2024-02-10T00:01:00+00:00"}]));
    let in_the_rest = rows(app, "SELECT remote FROM revenue_transaction_rest").await;
    assert_eq!(in_the_rest, json!([]));
    assert_sums(app).await;
}
