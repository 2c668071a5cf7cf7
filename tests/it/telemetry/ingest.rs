//! A gateway tells what its machine did.

use super::{HERE, NOW, assert_sums, cola, gateway, rows, set_up, statuses};
use crate::{
    app::TestApp,
    client::{Client, Reply},
    world,
};
use axum::{body::Body, http::Request};
use flate2::{Compression, write::GzEncoder};
use serde_json::{Value, json};
use std::io::Write;

const ASSORTMENT: &str = "
    INSERT INTO transaction_profile (id, user_group, report_rule, payment_types_map)
    VALUES (50, 2, 'first_block', '{\"virtual\": \"test\", \"token\": \"virtual\"}');
    UPDATE machine SET transaction_profile = 50 WHERE id = 21;
    INSERT INTO product (id, machine, plu, name, report_name, price, barcode)
    VALUES (7, 21, 70, 'K2 Cola', 'Cola 330', 150, '871'), (8, 22, 70, 'Another machine''s', NULL, 1, NULL);
    INSERT INTO error_code (user_group, error_identity, error_profile, code) VALUES (1, 1, 1, 'E42');
    INSERT INTO shift (id, location, opened_at, closed)
    VALUES (1, 2, '2026-11-23T06:00:00Z', '2026-11-24T06:00:00Z'), (2, 2, '2026-11-24T06:00:00Z', NULL);";

async fn sells(test: &TestApp, gateway: &Client) {
    let path = "/machine/vm-a-1/revenuetransactions";
    let whole = json!({"remote": 5, "occurredAt": "2026-11-24T07:00:00+01:00", "price": 120, "product": 7,
        "originalPrice": 150, "token": "chip-9", "salestype": 2, "pricelist": 1,
        "paymenttransactions": [{"remote": 50, "method": "token", "price": 100},
            {"method": "virtual", "price": 20, "occurredAt": "2026-11-24T05:59:59Z"}]});
    let created = json!([{"remote": 5, "status": "created"}]);
    assert_eq!(gateway.post(path, whole.clone()).await.expect(200), created);
    let sales = "SELECT remote, machine, location, user_group, shift, occurred_local, product, name, internal_ref,
        barcode, price, original_price, currency, token, salestype, pricelist, num_payment_transactions AS paid
        FROM revenue_transaction";
    let sale = json!([{"remote": 5, "machine": 21, "location": 2, "user_group": 2, "shift": 2,
        "occurred_local": "2026-11-24T07:00:00", "product": 7, "name": "K2 Cola", "internal_ref": "Cola 330",
        "barcode": "871", "price": 120, "original_price": 150, "currency": "EUR", "token": "chip-9",
        "salestype": 2, "pricelist": 1, "paid": 2}]);
    assert_eq!(rows(&test.app, sales).await, sale);
    let payments = "SELECT p.remote, p.shift, p.type, p.exclude, p.report_group, s.remote AS of
        FROM payment_transaction p JOIN revenue_transaction s ON s.id = p.revenuetransaction ORDER BY p.id";
    let paid = json!([
        {"remote": 50, "shift": 2, "type": "virtual", "exclude": false, "report_group": "K2", "of": 5},
        {"remote": null, "shift": 1, "type": "test", "exclude": true, "report_group": "K2", "of": 5}]);
    assert_eq!(rows(&test.app, payments).await, paid);

    let mut other = whole.clone();
    other["price"] = json!(121);
    let batch = json!([
        whole, other,
        {"remote": 3, "occurredAt": "2026-11-23T12:00:00Z", "price": 150, "plu": 70, "currency": "USD"},
        {"remote": 6, "occurredAt": NOW, "price": 150, "product": 8, "plu": 70, "name": "Water"},
        {"remote": 7, "occurredAt": NOW, "price": 150, "product": 8},
        {"remote": 8, "occurredAt": "2026-11-25T12:00:01Z", "price": -1, "name": "Water"},
        {"remote": 9, "occurredAt": "2026-11-25T12:00:01Z", "price": 1, "name": "Water"},
        "nothing"]);
    let receipts = gateway.post(path, batch.clone()).await.expect(200);
    let became = ["duplicate", "conflict", "created", "created", "invalid", "invalid", "invalid", "invalid"];
    assert_eq!(statuses(&receipts), became);
    let wrong: Vec<&Value> = (1..8).map(|place| &receipts[place]["errors"][0]["pointer"]).collect();
    assert_eq!(
        json!(wrong),
        json!(["/1/price", null, null, "/4/product", "/5/price", "/6/occurredAt", "/7"])
    );
    assert_eq!(receipts[5]["remote"], 8, "a number is read where the rest can't be");
    let again = gateway.post(path, batch).await.expect(200);
    assert_eq!(statuses(&again)[2..4], ["duplicate", "duplicate"]);
    let found = rows(
        &test.app,
        "SELECT remote, product, name, currency, shift FROM revenue_transaction
        WHERE remote <> 5 ORDER BY remote",
    )
    .await;
    assert_eq!(
        found,
        json!([
        {"remote": 3, "product": 7, "name": "K2 Cola", "currency": "USD", "shift": 1},
        {"remote": 6, "product": null, "name": "Water", "currency": "EUR", "shift": 2}])
    );
}

async fn is_paid(test: &TestApp, gateway: &Client) {
    let path = "/machine/vm-a-1/paymenttransactions";
    let payment = |remote: i64, sale: i64, price: i64| json!({"remote": remote, "revenuetransaction": sale, "occurredAt": NOW, "method": "cash", "price": price});
    let alone = json!({"remote": 63, "occurredAt": NOW, "method": "card", "price": 1, "currency": "USD"});
    let batch = json!([payment(60, 6, 200), payment(61, 6, -50), payment(62, 99, 150), alone]);
    let receipts = gateway.post(path, batch.clone()).await.expect(200);
    assert_eq!(statuses(&receipts), ["created"; 4]);
    let links = "SELECT p.remote, s.remote AS of, s.num_payment_transactions AS paid, p.report_group AS group
        FROM payment_transaction p LEFT JOIN revenue_transaction s ON s.id = p.revenuetransaction
        WHERE p.remote >= 60 ORDER BY p.id";
    let linked = |awaited: Value| {
        json!([
        {"remote": 60, "of": 6, "paid": 2, "group": "Water"}, {"remote": 61, "of": 6, "paid": 2, "group": "Water"},
        awaited, {"remote": 63, "of": null, "paid": null, "group": null}])
    };
    assert_eq!(
        rows(&test.app, links).await,
        linked(json!({"remote": 62, "of": null, "paid": null, "group": null}))
    );
    // The sale comes after its payment, which it brings once more.
    let mut sale = cola(99, NOW);
    sale["paymenttransactions"] = json!([{"remote": 62, "method": "cash", "price": 150},
        {"remote": 64, "method": "cash", "price": 1}]);
    let receipts = gateway.post("/machine/vm-a-1/revenuetransactions", sale).await.expect(200);
    assert_eq!(statuses(&receipts), ["created"]);
    let mut all = linked(json!({"remote": 62, "of": 99, "paid": 2, "group": "Cola"}));
    all.as_array_mut().unwrap().push(json!({"remote": 64, "of": 99, "paid": 2, "group": "Cola"}));
    assert_eq!(rows(&test.app, links).await, all);
    assert_eq!(rows(&test.app, "SELECT * FROM awaited_sale").await, json!([]));
    assert_eq!(statuses(&gateway.post(path, batch).await.expect(200)), ["duplicate"; 4]);
    let wrong = gateway.post(path, json!([payment(60, 5, 200), payment(61, 6, 50)])).await.expect(200);
    assert_eq!(statuses(&wrong), ["conflict"; 2]);
    assert_eq!(wrong[0]["errors"][0]["pointer"], "/0/revenuetransaction");
    assert_eq!(rows(&test.app, links).await, all);
}

async fn has_trouble(test: &TestApp, gateway: &Client) {
    let path = "/v1/machine/vm-a-1/logs";
    let mut jam = json!({"remote": 4, "code": "E42", "type": 3, "occurredAt": "2026-11-24T11:00:00Z",
        "extraData": {"slot": 12}});
    let hello =
        json!({"remote": 2, "code": "HELLO", "occurredAt": "2026-11-24T10:00:00Z", "extraData": "hi"});
    let receipts = gateway.post(path, json!([jam, hello, jam])).await.expect(200);
    assert_eq!(statuses(&receipts), ["created", "created", "duplicate"]);
    jam["resolvedAt"] = json!("2026-11-24T11:10:00Z");
    assert_eq!(statuses(&gateway.post(path, jam.clone()).await.expect(200)), ["updated"]);
    jam["duration"] = json!(601);
    let receipts = gateway.post(path, json!([jam, hello, {"remote": 3, "code": ""}])).await.expect(200);
    assert_eq!(statuses(&receipts), ["conflict", "duplicate", "invalid"]);
    assert_eq!(receipts[0]["errors"][0]["pointer"], "/0/duration");
    let found = rows(
        &test.app,
        "SELECT remote, code, type, error_identity, duration, extra_data,
        resolved_at IS NOT NULL AS resolved FROM machine_log ORDER BY remote",
    )
    .await;
    assert_eq!(
        found,
        json!([
        {"remote": 2, "code": "HELLO", "type": 1, "error_identity": null, "duration": null, "extra_data": "hi",
         "resolved": false},
        {"remote": 4, "code": "E42", "type": 3, "error_identity": 1, "duration": 600, "extra_data": "{\"slot\":12}",
         "resolved": true}])
    );
}

#[tokio::test]
async fn what_a_machine_did_is_kept_once_and_shows_at_the_machine() {
    let test = TestApp::builder().stopped_at(NOW).build().await;
    set_up(&test.app, ASSORTMENT).await;
    let gateway = gateway(&test, world::A, HERE).await;
    sells(&test, &gateway).await;
    is_paid(&test, &gateway).await;
    has_trouble(&test, &gateway).await;
    let beat = json!({"version": "2.4.1", "uptime": 3600});
    gateway.post("/machine/vm-a-1/heartbeat", beat).await.expect(200);
    gateway.post("/machine/vm-a-1/heartbeat", json!({})).await.expect(200);
    gateway.post("/machine/vm-a-1/heartbeat", json!({"uptime": -1})).await.expect_problem(422, "/uptime");
    let said = rows(&test.app, "SELECT gateway_version, gateway_uptime FROM machine_presence").await;
    assert_eq!(said, json!([{"gateway_version": "2.4.1", "gateway_uptime": 3600}]));

    let machine = test.user("a").await.get("/machine/21").await.expect(200);
    let latest = rows(
        &test.app,
        "SELECT (SELECT id FROM revenue_transaction WHERE remote = 99) AS sale,
        (SELECT id FROM machine_log WHERE remote = 4) AS event",
    )
    .await;
    assert_eq!(machine["lastRevenuetransaction"], latest[0]["sale"]);
    assert_eq!(machine["lastLog"], latest[0]["event"]);
    assert_eq!((&machine["revenuetransactionSynced"], &machine["logSynced"]), (&json!(99), &json!(4)));
    assert_eq!((&machine["lastSoldId"], &machine["seenAt"]), (&json!(7), &json!("2026-11-24T12:00:00.000Z")));
    let sold = rows(
        &test.app,
        "SELECT name, currency, quantity::bigint, revenue::bigint FROM sales_rollup
        WHERE grain = 'month' ORDER BY name, currency",
    )
    .await;
    assert_eq!(
        sold,
        json!([
        {"name": "Cola", "currency": "EUR", "quantity": 1, "revenue": 150},
        {"name": "K2 Cola", "currency": "EUR", "quantity": 1, "revenue": 120},
        {"name": "K2 Cola", "currency": "USD", "quantity": 1, "revenue": 150},
        {"name": "Water", "currency": "EUR", "quantity": 1, "revenue": 150}])
    );
    assert_sums(&test.app).await;
}

#[tokio::test]
async fn the_hour_that_comes_twice_is_one_hour_of_the_day() {
    let test = TestApp::builder().stopped_at(NOW).build().await;
    let (amsterdam, new_york) =
        (gateway(&test, world::A, HERE).await, gateway(&test, world::B, "vm-b-1").await);
    let night = |hours: [&str; 3]| json!([cola(1, hours[0]), cola(2, hours[1]), cola(3, hours[2])]);
    let dutch = night(["2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z", "2026-10-24T22:30:00Z"]);
    amsterdam.post("/machine/vm-a-1/revenuetransactions", dutch).await.expect(200);
    let american = night(["2026-11-01T05:30:00Z", "2026-11-01T06:30:00Z", "2026-11-01T03:30:00Z"]);
    new_york.post("/machine/vm-b-1/revenuetransactions", american).await.expect(200);
    let sums = rows(
        &test.app,
        "SELECT machine, grain, starts, quantity FROM sales_rollup
        WHERE grain NOT LIKE '%month' ORDER BY machine, grain, starts",
    )
    .await;
    assert_eq!(
        sums,
        json!([
        {"machine": 21, "grain": "day", "starts": "2026-10-25T00:00:00", "quantity": 3},
        {"machine": 21, "grain": "hour", "starts": "2026-10-25T00:00:00", "quantity": 1},
        {"machine": 21, "grain": "hour", "starts": "2026-10-25T02:00:00", "quantity": 2},
        {"machine": 21, "grain": "total_day", "starts": "2026-10-25T00:00:00", "quantity": 3},
        {"machine": 41, "grain": "day", "starts": "2026-10-31T00:00:00", "quantity": 1},
        {"machine": 41, "grain": "day", "starts": "2026-11-01T00:00:00", "quantity": 2},
        {"machine": 41, "grain": "hour", "starts": "2026-10-31T23:00:00", "quantity": 1},
        {"machine": 41, "grain": "hour", "starts": "2026-11-01T01:00:00", "quantity": 2},
        {"machine": 41, "grain": "total_day", "starts": "2026-10-31T00:00:00", "quantity": 1},
        {"machine": 41, "grain": "total_day", "starts": "2026-11-01T00:00:00", "quantity": 2}])
    );
}

fn zipped(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

async fn send(client: &Client, encoding: &str, body: impl Into<Body>) -> Reply {
    let request = Request::post("/machine/vm-a-1/revenuetransactions").header("content-encoding", encoding);
    client.send_raw(request.body(body.into()).unwrap()).await
}

#[tokio::test]
async fn who_may_send_what() {
    let test =
        TestApp::builder().stopped_at(NOW).config(|config| config.inflated_max_bytes = 1 << 20).build().await;
    let own = gateway(&test, world::A, HERE).await;
    let batch = json!((0..1_000).map(|remote| cola(remote, NOW)).collect::<Vec<_>>()).to_string();
    let receipts = send(&own, "gzip", zipped(batch.as_bytes())).await.expect(200);
    assert_eq!(statuses(&receipts), ["created"; 1_000]);
    assert_eq!(statuses(&send(&own, "identity", batch.clone()).await.expect(200)), ["duplicate"; 1_000]);
    send(&own, "gzip", zipped(&vec![b' '; 1 << 24])).await.expect(413);
    send(&own, "gzip", &b"\x1f\x8b plainly not"[..]).await.expect(400);
    let other = send(&own, "br", batch).await;
    assert!(other.text().contains("gzip"), "{}", other.text());
    other.expect(415);
    let path = "/machine/vm-a-1/revenuetransactions";
    own.post(path, json!([])).await.expect_problem(422, "");
    own.post(path, json!("sale")).await.expect_problem(422, "");
    own.post(path, json!((0..1_001).map(|remote| cola(remote, NOW)).collect::<Vec<_>>())).await.expect(422);
    send(&own, "identity", "[{]").await.expect_problem(400, "");

    let sale = || cola(5_000, NOW);
    own.post("/machine/vm-a-2/revenuetransactions", sale()).await.expect(403);
    own.post("/machine/vm-b-1/revenuetransactions", sale()).await.expect(403);
    own.post("/machine/nobody/logs", json!({})).await.expect(403);
    own.post("/machine/%00/heartbeat", json!({})).await.expect(404);
    let reader = test.bearer(world::key(&test.app.db, world::A, None, &["transaction.read"]).await);
    for what in ["revenuetransactions", "paymenttransactions", "logs", "heartbeat"] {
        reader.post(&format!("/machine/vm-a-1/{what}"), json!({})).await.expect(403);
    }
    let many = test.bearer(world::key(&test.app.db, world::ROOT, None, &["gateway.use"]).await);
    many.post("/machine/vm-a-2/revenuetransactions", sale()).await.expect(200);
    assert_eq!(
        rows(&test.app, "SELECT machine, count(*) AS sales FROM revenue_transaction GROUP BY 1 ORDER BY 1")
            .await,
        json!([{"machine": 21, "sales": 1_000}, {"machine": 22, "sales": 1}])
    );
}
