//! Machines whose own numbers begin again, and what was paid back.

use super::{HERE, NOW, assert_sums, cola, gateway, rows, set_up, statuses};
use crate::{
    app::TestApp,
    client::{Client, Reply},
    world,
};
use serde_json::{Value, json};

async fn settled() -> (TestApp, Client) {
    let test = TestApp::builder().stopped_at(NOW).build().await;
    let gateway = gateway(&test, world::A, HERE).await;
    (test, gateway)
}

async fn send(gateway: &Client, what: &str, batch: Value) -> Value {
    let reply: Reply = gateway.post(&format!("/machine/{HERE}/{what}"), batch).await;
    reply.expect(200)
}

/// A sale of a number on a day of November, with its payment.
fn sale(remote: i64, day: i64) -> Value {
    let mut sale = cola(remote, &format!("2026-11-{day}T10:00:{remote:02}Z"));
    sale["paymenttransactions"] = json!([{"remote": remote, "method": "cash", "price": 150}]);
    sale
}

fn batch(numbers: impl Iterator<Item = i64>, day: i64) -> Value {
    json!(numbers.map(|remote| sale(remote, day)).collect::<Vec<_>>())
}

/// How many sales and payments there are, and how many sales know of just one payment.
async fn kept(test: &TestApp) -> Value {
    let sql = "SELECT count(*) AS sales, (SELECT count(*) FROM payment_transaction) AS payments,
        count(*) FILTER (WHERE num_payment_transactions = 1) AS paid FROM revenue_transaction";
    rows(&test.app, sql).await[0].clone()
}

#[tokio::test]
async fn numbers_that_begin_again_lose_nothing() {
    let (test, gateway) = settled().await;
    let what = "revenuetransactions";
    assert_eq!(statuses(&send(&gateway, what, batch(1..6, 20)).await), ["created"; 5]);
    assert_eq!(statuses(&send(&gateway, what, batch((1..6).rev(), 22)).await), ["created"; 5]);
    for day in [20, 22] {
        assert_eq!(statuses(&send(&gateway, what, batch(1..6, day)).await), ["duplicate"; 5]);
    }
    assert_eq!(kept(&test).await, json!({"sales": 10, "payments": 10, "paid": 10}));
    let machine = test.user("a").await.get("/machine/21").await.expect(200);
    assert_eq!(machine["revenuetransactionSynced"], 5);

    // What contradicts is in neither series, and is told.
    let mut other = sale(3, 22);
    other["price"] = json!(151);
    let told = send(&gateway, what, json!([other, cola(4, "2026-11-20T10:00:05Z")])).await;
    assert_eq!(statuses(&told), ["conflict"; 2]);
    assert!(told[0]["errors"][0]["detail"].as_str().unwrap().contains("`series`"), "{told}");

    // A payment that comes by itself is of the sale of its time, also before that comes.
    let payment = |remote: i64, sale: i64, day: i64| {
        json!({"remote": remote, "revenuetransaction": sale, "method": "card", "price": 1,
            "occurredAt": format!("2026-11-{day}T10:00:30Z")})
    };
    let payments = json!([payment(11, 1, 20), payment(12, 1, 22), payment(13, 6, 22)]);
    assert_eq!(statuses(&send(&gateway, "paymenttransactions", payments).await), ["created"; 3]);
    assert_eq!(statuses(&send(&gateway, what, json!([sale(6, 22)])).await), ["created"]);
    let of =
        "SELECT p.remote, to_char(s.occurred_at, 'DD') AS day, s.remote AS sale FROM payment_transaction p
        JOIN revenue_transaction s ON s.id = p.revenuetransaction WHERE p.remote > 10 ORDER BY 1";
    let expected = json!([{"remote": 11, "day": "20", "sale": 1}, {"remote": 12, "day": "22", "sale": 1},
        {"remote": 13, "day": "22", "sale": 6}]);
    assert_eq!(rows(&test.app, of).await, expected);

    // Events and payments begin again as sales do, and once more.
    let event =
        |day: i64| json!({"remote": 1, "code": "E1", "occurredAt": format!("2026-11-{day}T11:00:00Z")});
    assert_eq!(
        statuses(&send(&gateway, "logs", json!([event(20), event(22), event(22)])).await),
        ["created", "created", "duplicate"]
    );
    assert_eq!(statuses(&send(&gateway, what, batch(1..3, 23)).await), ["created"; 2]);
    assert_eq!(kept(&test).await["sales"], 13);
    assert_sums(&test.app).await;
}

#[tokio::test]
async fn a_machine_says_that_its_numbers_begin_again() {
    let (test, gateway) = settled().await;
    let of = |series: i64, remote: i64, day: i64| {
        let mut sale = sale(remote, day);
        sale["series"] = json!(series);
        sale
    };
    let what = "revenuetransactions";
    // Its clock may have gone back, and its sales be the same to the second.
    let first = json!([of(1, 1, 22), of(1, 2, 22), of(2, 1, 20), of(2, 2, 20)]);
    assert_eq!(statuses(&send(&gateway, what, first.clone()).await), ["created"; 4]);
    assert_eq!(statuses(&send(&gateway, what, first).await), ["duplicate"; 4]);
    assert_eq!(statuses(&send(&gateway, what, json!([of(2, 1, 23)])).await), ["conflict"]);
    assert_eq!(statuses(&send(&gateway, what, json!([of(0, 1, 23)])).await), ["invalid"]);
    let paid = json!({"remote": 9, "series": 1, "revenuetransaction": 1, "occurredAt": "2026-11-20T10:00:01Z",
        "method": "card", "price": 1});
    assert_eq!(statuses(&send(&gateway, "paymenttransactions", paid).await), ["created"]);
    let of =
        "SELECT s.series FROM payment_transaction p JOIN revenue_transaction s ON s.id = p.revenuetransaction
        WHERE p.remote = 9";
    assert_eq!(rows(&test.app, of).await, json!([{"series": 1}]));
    assert_eq!(kept(&test).await["sales"], 4);
    assert_sums(&test.app).await;
}

#[tokio::test]
async fn a_clock_that_was_never_set_sells_now_once() {
    let (test, gateway) = settled().await;
    let unset = |remote: i64| cola(remote, "2010-01-01T00:05:00Z");
    for status in ["created", "duplicate"] {
        let told = send(&gateway, "revenuetransactions", json!([unset(1), unset(2)])).await;
        assert_eq!(statuses(&told), [status; 2]);
        assert_eq!(told[0]["errors"][0]["pointer"], "/0/occurredAt");
        test.app.clock.advance(chrono::TimeDelta::hours(3));
    }
    let paid = json!({"remote": 1, "occurredAt": "1970-01-01T00:00:00Z", "method": "cash", "price": 1});
    assert_eq!(statuses(&send(&gateway, "paymenttransactions", paid).await), ["created"]);
    let sold = rows(&test.app, "SELECT DISTINCT occurred_at FROM revenue_transaction").await;
    assert_eq!(sold, json!([{"occurred_at": "2026-11-24T12:00:00+00:00"}]));
}

/// Returns this month's figures of the revenue report.
async fn revenue(user: &Client) -> Value {
    let period = json!({"startDate": "2026-11-01 00:00:00", "endDate": "2026-11-24 23:00:00"});
    let report = user.post("/report/revenue", json!({"period1": period, "machines": [21]})).await.expect(200);
    let rows = report["period1"]["data"].as_array().unwrap().iter();
    rows.map(|row| json!([row["quantity"], row["revenue"]])).collect()
}

#[tokio::test]
async fn what_was_paid_back_is_no_revenue() {
    let (test, gateway) = settled().await;
    let user = test.user("a").await;
    let payment = |remote: i64, sale: i64, price: i64| {
        json!({"remote": remote, "revenuetransaction": sale, "method": "cash", "price": price,
            "occurredAt": "2026-11-20T10:00:30Z"})
    };
    send(&gateway, "revenuetransactions", json!([sale(1, 20)])).await;
    assert_eq!(revenue(&user).await, json!([[1, 150]]));
    send(&gateway, "paymenttransactions", json!([payment(11, 1, -150)])).await;
    assert_eq!(revenue(&user).await, json!([]));
    assert_sums(&test.app).await;

    // A part of it, change, and what comes with the sale or before it.
    send(&gateway, "revenuetransactions", json!([sale(2, 20), cola(3, "2026-11-20T10:00:03Z")])).await;
    send(&gateway, "paymenttransactions", json!([payment(12, 2, -50)])).await;
    assert_eq!(revenue(&user).await, json!([[2, 250]]));
    send(&gateway, "paymenttransactions", json!([payment(13, 3, -50), payment(14, 3, 200)])).await;
    assert_eq!(revenue(&user).await, json!([[2, 250]]));
    send(&gateway, "paymenttransactions", json!([payment(15, 4, 150), payment(16, 4, -150)])).await;
    let mut nested = cola(5, "2026-11-20T10:00:05Z");
    nested["paymenttransactions"] =
        json!([{"method": "cash", "price": 150}, {"method": "cash", "price": -150}]);
    send(&gateway, "revenuetransactions", json!([cola(4, "2026-11-20T10:00:04Z"), nested])).await;
    assert_eq!(revenue(&user).await, json!([[2, 250]]));
    // Dollars give no euros back.
    let mut dollars = payment(17, 2, -100);
    dollars["currency"] = json!("USD");
    send(&gateway, "paymenttransactions", json!([dollars])).await;
    assert_eq!(revenue(&user).await, json!([[2, 250]]));
    let times = "SELECT quantity::bigint, revenue::bigint FROM sales_rollup WHERE grain = 'total_month'";
    assert_eq!(rows(&test.app, times).await, json!([{"quantity": 2, "revenue": 250}]));
    assert_sums(&test.app).await;

    set_up(&test.app, "UPDATE revenue_transaction SET paid_back = 0").await;
    assert_eq!(revenue(&user).await, json!([[5, 750]]));
    assert_sums(&test.app).await;
}
