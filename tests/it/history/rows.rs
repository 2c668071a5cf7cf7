//! Lists of sales, payments and events, one of them, what belongs to it, and machines by how they are.

use super::run;
use crate::app::TestApp;
use serde_json::{Value, json};

const ROWS: &str = "
    SELECT make_months('revenue_transaction', 'occurred_at', '2025-01-01', 1);
    INSERT INTO revenue_transaction (id, remote, machine, location, user_group, occurred_at, time_zone, product, name,
        internal_ref, price, original_price, currency, token, num_payment_transactions, created_at, updated_at)
    VALUES
        (1, 11, 21, 2, 2, '2025-01-06T06:06:17Z', 'Europe/Amsterdam', 1, 'Koffie', 'KOF', 10, 20, 'EUR', NULL, 1, '2026-01-01Z', '2026-01-01Z'),
        (2, 12, 21, 2, 2, '2026-07-01T06:06:17.5Z', 'Europe/Amsterdam', NULL, 'Thee', NULL, 30, 30, 'EUR', '^^C', 2, '2026-01-01Z', '2026-01-01Z'),
        (3, 13, 31, 3, 3, '2026-07-02T06:06:17Z', 'Europe/Amsterdam', NULL, 'Thee', NULL, 30, 30, 'EUR', NULL, 0, '2026-01-01Z', '2026-01-01Z'),
        (4, 14, 41, 4, 4, '2026-07-03T02:06:17Z', 'America/New_York', NULL, 'Tea', NULL, 99, 99, 'USD', NULL, 0, '2026-01-01Z', '2026-01-01Z'),
        -- Of a machine that is gone, and stood where there is no location any more.
        (5, 15, 999, 998, 2, '2026-07-04T06:06:17Z', 'Asia/Kathmandu', NULL, 'Chai', NULL, 5, 5, 'INR', NULL, 0, '2026-01-01Z', '2026-01-01Z');
    SELECT archive_months('revenue_transaction', '2025-06-01');
    INSERT INTO payment_transaction (id, revenuetransaction, machine, location, user_group, occurred_at, time_zone,
        method, type, price, currency, exclude, created_at, updated_at)
    VALUES
        (1, 1, 21, 2, 2, '2025-01-06T06:06:17Z', 'Europe/Amsterdam', 'virtual', 'virtual', 10, 'EUR', true, '2026-01-01Z', '2026-01-01Z'),
        (2, 2, 21, 2, 2, '2026-07-01T06:06:17Z', 'Europe/Amsterdam', 'cash', 'cash', 20, 'EUR', false, '2026-01-01Z', '2026-01-01Z'),
        (3, 2, 21, 2, 2, '2026-07-01T06:06:17Z', 'Europe/Amsterdam', 'card', 'card', 10, 'EUR', false, '2026-01-01Z', '2026-01-01Z'),
        (4, 4, 41, 4, 4, '2026-07-03T06:06:17Z', 'America/New_York', 'cash', 'cash', 99, 'USD', false, '2026-01-01Z', '2026-01-01Z');
    INSERT INTO error_identity (id, user_group, machine_type, error) VALUES (90, 1, 2, 'jam');
    INSERT INTO machine_log (id, remote, machine, location, user_group, occurred_at, time_zone, code, error_identity,
        type, duration, extra_data, resolved_at, created_at, updated_at)
    VALUES
        (1, 1, 21, 2, 2, '2026-03-12T04:36:58Z', 'Europe/Amsterdam', 'CM_REBOOT', NULL, 1, NULL, '{\"uptime\": 67}', NULL, '2026-01-01Z', '2026-01-01Z'),
        (2, 2, 21, 2, 2, '2026-03-12T04:36:58Z', 'Europe/Amsterdam', 'E42', 1, 3, NULL, NULL, NULL, '2026-01-01Z', '2026-01-01Z'),
        (3, 3, 22, 2, 2, '2026-03-12T04:36:58Z', 'Europe/Amsterdam', 'E42', 90, 2, 60, NULL, '2026-03-12T04:37:58Z', '2026-01-01Z', '2026-01-01Z'),
        (4, 4, 31, 3, 3, '2026-03-12T04:36:58Z', 'Europe/Amsterdam', 'E7', NULL, 2, NULL, NULL, NULL, '2026-01-01Z', '2026-01-01Z'),
        (5, NULL, 32, 3, 3, '2026-03-12T04:36:58Z', 'Europe/Amsterdam', 'CM_OFFLINE', NULL, 3, NULL, NULL, NULL, '2026-01-01Z', '2026-01-01Z'),
        (6, 6, 41, 4, 4, '2026-03-12T04:36:58Z', 'America/New_York', 'E42', 1, 3, NULL, NULL, NULL, '2026-01-01Z', '2026-01-01Z');
    INSERT INTO translation (user_group, key, language, value)
    VALUES (1, 'jam', 1, 'Jam'), (2, 'jam', 1, 'Something is stuck'), (1, 'jam', 2, 'Vastgelopen');
    INSERT INTO machine_presence (machine, seen_at) VALUES
        (21, '2026-07-10T09:59:00Z'), (22, '2026-07-10T09:59:00Z'), (31, '2026-07-10T09:59:00Z'),
        (32, '2026-07-01T09:59:00Z'), (41, '2026-07-10T09:59:00Z')";

fn ids(rows: &Value) -> Vec<i64> {
    rows.as_array().unwrap().iter().map(|row| row["id"].as_i64().unwrap()).collect()
}

async fn world() -> TestApp {
    let test = TestApp::builder().stopped_at("2026-07-10T10:00:00Z").build().await;
    run(&test, ROWS).await;
    test
}

#[tokio::test]
async fn sales_and_payments_are_listed_and_followed() {
    let test = world().await;
    let (a, a1) = (test.user("a").await, test.user("a1").await);
    let hot = a.get("/revenuetransaction").await;
    assert_eq!(
        (ids(&hot.expect(200)), &hot.headers["x-total-count"]),
        (vec![2, 3, 5], &"3".parse().unwrap())
    );
    for (query, expected) in [
        ("useArchive=true", vec![1, 2, 3, 5]),
        ("useArchive=false&after=2", vec![3, 5]),
        ("useArchive=true&sort=occurredAt+desc&limit=2&skip=1", vec![3, 2]),
        ("where[machine]=21&useArchive=true", vec![1, 2]),
        ("where[location][in]=2,3", vec![2, 3]),
        ("where[occurredAt][%3E=]=2026-07-02T06:06:17Z", vec![3, 5]),
    ] {
        assert_eq!(
            ids(&a.get(&format!("/revenuetransaction?{query}")).await.expect(200)),
            expected,
            "{query}"
        );
    }
    assert_eq!(ids(&a1.get("/revenuetransaction?useArchive=true").await.expect(200)), [3]);
    a.get("/revenuetransaction?useArchive=maybe").await.expect_problem(400, "/useArchive");
    assert_eq!(ids(&a.get("/revenuetransaction?where[price]=30&where[token]=null").await.expect(200)), [3]);
    assert_eq!(
        ids(&a.get("/revenuetransaction?sort=remote+desc&where[name][!]=Chai").await.expect(200)),
        [3, 2]
    );
    // As rows show it, in whole seconds.
    let at = |op: &str| format!("/revenuetransaction?where[occurredAt][{op}]=2026-07-01T08:06:17%2B02:00");
    for (op, expected) in
        [("=", vec![2]), ("!", vec![3, 5]), ("%3E", vec![3, 5]), ("%3C", vec![]), ("%3C=", vec![2])]
    {
        assert_eq!(ids(&a.get(&at(op)).await.expect(200)), expected, "{op}");
    }
    // What is in the archive is found by its id, as the clock on the wall showed it.
    assert_eq!(
        a.get("/revenuetransaction/1").await.expect(200),
        json!({
            "id": 1, "remote": 11, "machine": 21, "location": 2, "usergroup": 2, "product": 1, "name": "Koffie",
            "internalRef": "KOF", "barcode": null, "occurredAt": "2025-01-06T07:06:17+01:00",
            "timeZone": "Europe/Amsterdam", "timestamp": 1_736_143_577, "originalPrice": 20, "price": 10,
            "currency": "EUR", "token": null, "salestype": null, "pricelist": null, "numPaymentTransactions": 1,
            "createdAt": "2026-01-01T00:00:00Z", "updatedAt": "2026-01-01T00:00:00Z"
        })
    );
    let at =
        async |id: i64| a.get(&format!("/revenuetransaction/{id}")).await.expect(200)["occurredAt"].clone();
    assert_eq!(at(2).await, "2026-07-01T08:06:17+02:00");
    assert_eq!(at(5).await, "2026-07-04T11:51:17+05:45");
    let root = test.user("root").await;
    assert_eq!(
        root.get("/revenuetransaction/4").await.expect(200)["occurredAt"],
        "2026-07-02T22:06:17-04:00"
    );
    a.get("/revenuetransaction/4").await.expect(404);
    a.get("/revenuetransaction/x").await.expect_problem(400, "/id");
    assert_eq!(ids(&a.get("/revenuetransaction/2/paymenttransactions").await.expect(200)), [2, 3]);
    assert_eq!(a.get("/revenuetransaction/1/machine").await.expect(200)["hostname"], "vm-a-1");
    assert_eq!(a.get("/revenuetransaction/1/location").await.expect(200)["name"], "At a");
    a.get("/revenuetransaction/5/machine").await.expect(404);
    a.get("/revenuetransaction/4/paymenttransactions").await.expect(404);
}

#[tokio::test]
async fn payments_are_listed_and_exported_with_their_sales() {
    let test = world().await;
    let a = test.user("a").await;
    assert_eq!(ids(&a.get("/paymenttransaction?where[revenuetransaction]=2").await.expect(200)), [2, 3]);
    assert_eq!(
        a.get("/paymenttransaction/1").await.expect(200),
        json!({
            "id": 1, "revenuetransaction": 1, "machine": 21, "location": 2, "occurredAt": "2025-01-06T07:06:17+01:00",
            "timeZone": "Europe/Amsterdam", "method": "virtual", "type": "virtual", "price": 10, "currency": "EUR",
            "exclude": 1, "reportGroup": null,
            "createdAt": "2026-01-01T00:00:00Z", "updatedAt": "2026-01-01T00:00:00Z"
        })
    );
    a.get("/paymenttransaction/4").await.expect(404);
    let sheet = a
        .get("/export/revenuetransaction?columns=id,occurredAt,createdAt&useArchive=true&timezone=Asia/Tokyo&where[machine]=21")
        .await;
    assert_eq!(
        sheet.text(),
        "id,occurredAt,createdAt\n\
         1,2025-01-06T15:06:17+09:00,2026-01-01T09:00:00+09:00\n\
         2,2026-07-01T15:06:17+09:00,2026-01-01T09:00:00+09:00\n"
    );
    assert_eq!(
        a.get("/export/paymenttransaction?columns=id,type").await.text(),
        "id,type\n1,virtual\n2,cash\n3,card\n"
    );
    // A password does not give leave to look at everything.
    let key = crate::world::key(&test.app.db, 2, None, &["voucher.redeem"]).await;
    test.bearer(key).get("/revenuetransaction").await.expect(403);
}

#[tokio::test]
async fn events_are_listed_summed_up_and_decide_how_machines_are() {
    let test = world().await;
    let (a, b) = (test.user("a").await, test.user("b").await);
    assert_eq!(ids(&a.get("/log?where[type][%3E]=1").await.expect(200)), [2, 3, 4, 5]);
    assert_eq!(ids(&a.get("/log?where[code][in]=E7,CM_REBOOT&sort=code").await.expect(200)), [1, 4]);
    assert_eq!(
        a.get("/log/1").await.expect(200),
        json!({
            "id": 1, "remote": 1, "machine": 21, "location": 2, "code": "CM_REBOOT", "errorIdentity": null, "type": 1,
            "isResolvable": false, "occurredAt": "2026-03-12T05:36:58+01:00", "timeZone": "Europe/Amsterdam",
            "duration": null, "extraData": "{\"uptime\": 67}", "date": 1_773_290_218, "timestamp": 1_773_290_218,
            "resolvedAt": null, "state": null,
            "createdAt": "2026-01-01T00:00:00Z", "updatedAt": "2026-01-01T00:00:00Z"
        })
    );
    let one = async |id: i64| {
        let row = a.get(&format!("/log/{id}")).await.expect(200);
        (row["state"].clone(), row["resolvedAt"].clone(), row["isResolvable"].clone())
    };
    assert_eq!(one(2).await, (json!("open"), json!(null), json!(true)));
    assert_eq!(one(3).await, (json!("resolved"), json!("2026-03-12T04:37:58Z"), json!(true)));
    assert_eq!(ids(&a.get("/log/active").await.expect(200)), [2, 4, 5]);
    assert_eq!(ids(&a.get("/log/active?machine=31").await.expect(200)), [4]);
    a.get("/log/active?machine=41").await.expect_problem(400, "/machine");
    a.get("/log/active?machine=x").await.expect_problem(400, "/machine");
    a.get("/log/6").await.expect(404);

    let words = a.get("/log/summary").await.expect(200);
    assert_eq!(
        words,
        json!([
            {"code": "E42", "error": "Something is stuck", "summary": 2},
            {"code": "CM_OFFLINE", "error": "CM_OFFLINE", "summary": 1},
            {"code": "CM_REBOOT", "error": "CM_REBOOT", "summary": 1},
            {"code": "E7", "error": "E7", "summary": 1}
        ])
    );
    assert_eq!(b.get("/log/summary").await.expect(200)[0]["error"], "Jam");
    run(&test, "UPDATE account SET language = 2 WHERE id = 4").await;
    assert_eq!(b.get("/log/summary").await.expect(200)[0]["error"], "Vastgelopen");
    let narrow = a.get("/log/summary?machines[]=22&machines[]=21&locations[]=2&limit=1").await.expect(200);
    assert_eq!(narrow, json!([{"code": "E42", "error": "Something is stuck", "summary": 2}]));
    let key = crate::world::key(&test.app.db, 2, None, &["transaction.read"]).await;
    assert_eq!(test.bearer(key).get("/log/summary?limit=1").await.expect(200)[0]["error"], "jam");
    for (query, pointer) in [
        ("limit=31", "/limit"),
        ("limit=0", "/limit"),
        ("machines[]=41", "/machines/0"),
        ("machines=x", "/machines"),
        ("page=1", "/page"),
    ] {
        a.get(&format!("/log/summary?{query}")).await.expect_problem(400, pointer);
    }

    let machines = async |status: &str| ids(&a.get(&format!("/machine/status/{status}")).await.expect(200));
    assert_eq!(machines("online").await, [21, 22, 31]);
    assert_eq!(machines("offline").await, [32]);
    assert_eq!(machines("alarm?widget=7").await, [21]);
    assert_eq!(machines("ok").await, [22]);
    assert_eq!(machines("online?where[location]=3").await, [31]);
    a.get("/machine/status/sleeping").await.expect_problem(400, "/status");
    a.get("/machine/status/ok?widget=x").await.expect_problem(400, "/widget");
    a.put("/machine/32", json!({"active": false})).await.expect(200);
    assert_eq!(machines("offline").await, [] as [i64; 0]);
}

#[tokio::test]
async fn machines_with_something_open_are_listed_worst_first() {
    let test = world().await;
    let a = test.user("a").await;
    let troubled = async |query: &str| ids(&a.get(&format!("/machine/issues{query}")).await.expect(200));
    // Two alarms of one age (one machine is offline), then an issue.
    assert_eq!(troubled("").await, [21, 32, 31]);
    run(
        &test,
        "INSERT INTO machine_log (id, machine, location, user_group, occurred_at, time_zone, code, type)
         VALUES (7, 22, 2, 2, '2026-03-11Z', 'UTC', 'E7', 2), (8, 31, 3, 3, '2026-03-11Z', 'UTC', 'E8', 3);",
    )
    .await;
    assert_eq!(troubled("").await, [31, 21, 32, 22], "alarms before issues, then what is open for longest");
    assert_eq!(troubled("?where[location]=3").await, [31, 32]);
    assert_eq!(troubled("?sort=id+desc").await, [32, 31, 22, 21]);
    assert_eq!(troubled("?sort=id&after=22").await, [31, 32]);
    a.get("/machine/issues?after=21").await.expect_problem(400, "/after");
    let first = a.get("/machine/issues?limit=3").await;
    assert_eq!(
        (ids(&first.expect(200)), &first.headers["x-total-count"]),
        (vec![31, 21, 32], &"4".parse().unwrap())
    );
    let link = first.headers["link"].to_str().unwrap().to_owned();
    let next = link[1..].split('>').next().unwrap();
    assert_eq!(ids(&a.get(next).await.expect(200)), [22]);
    // Being offline is an alarm, also before that is written down, and of a machine in use alone.
    run(&test, "UPDATE machine_log SET resolved_at = now() WHERE machine IN (21, 31, 32)").await;
    assert_eq!(troubled("").await, [32, 22]);
    run(&test, "UPDATE machine_presence SET seen_at = '2026-06-01Z' WHERE machine = 22").await;
    assert_eq!(troubled("").await, [22, 32]);
    a.put("/machine/32", json!({"active": false})).await.expect(200);
    assert_eq!(troubled("").await, [22]);
    let b = test.user("b").await;
    assert_eq!(ids(&b.get("/machine/issues").await.expect(200)), [41, 42], "one was never heard of");
}
