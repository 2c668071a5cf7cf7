//! Audit files: what a machine counts becomes what it sold, once.

mod field;
mod machine;

use crate::{
    app::TestApp,
    client::{Client, Reply},
    world,
};
use axum::{body::Body, http::Request};
use flate2::{Compression, write::GzEncoder};
use machine::Machine;
use scrip::telemetry::recount::recount;
use serde_json::{Value, json};
use std::io::Write;

/// When these tests take place.
const NOW: &str = "2026-11-24T12:00:00Z";

const PRODUCTS: &str = "INSERT INTO product (id, machine, plu, name, report_name, price)
    VALUES (501, 21, 11, 'Cola light', 'CL', 140), (502, 21, 12, 'Spring water', NULL, 90)";

/// A server, and the gateway of machine 21, of group `a`, in Amsterdam.
async fn settled() -> (TestApp, Client) {
    let test = TestApp::builder().stopped_at(NOW).build().await;
    sqlx::raw_sql(PRODUCTS).execute(&test.app.db).await.unwrap();
    let key = world::key(&test.app.db, world::A, Some("vm-a-1"), &["gateway.use"]).await;
    let gateway = test.bearer(key);
    (test, gateway)
}

/// Sends a file for `vm-a-1`.
async fn send(client: &Client, file: impl Into<Body>) -> Reply {
    send_as(client, "vm-a-1", "text/plain; charset=utf-8", file).await
}

async fn send_as(client: &Client, hostname: &str, kind: &str, file: impl Into<Body>) -> Reply {
    let request = Request::post(format!("/machine/{hostname}/audit")).header("content-type", kind);
    client.send_raw(request.body(file.into()).unwrap()).await
}

/// The rows of a statement, as JSON.
async fn rows(test: &TestApp, sql: &'static str) -> Value {
    let sql = format!("SELECT COALESCE(jsonb_agg(to_jsonb(row)), '[]') FROM ({sql}) AS row");
    sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).fetch_one(&test.app.db).await.unwrap()
}

/// How many sales there are, and for how much.
async fn sales(test: &TestApp) -> (i64, i64) {
    let sql = "SELECT count(*), COALESCE(sum(price), 0)::bigint FROM revenue_transaction";
    sqlx::query_as(sql).fetch_one(&test.app.db).await.unwrap()
}

#[tokio::test]
async fn the_difference_of_two_audits_was_sold() {
    let (test, gateway) = settled().await;
    let mut machine = Machine::new();

    let first = send(&gateway, machine.audit()).await.expect(201);
    assert_eq!((&first["status"], &first["checksum"]), (&json!("imported"), &json!("ok")));
    assert_eq!((&first["products"], &first["sales"], &first["segments"]), (&json!(2), &json!(0), &json!(12)));
    assert_eq!(first["reads"][0]["baseline"], true);
    assert_eq!(first["reads"][0]["readAt"], "2026-11-20T07:00:00.000Z");
    let again = send(&gateway, machine.audit()).await.expect(200);
    assert_eq!((&again["status"], &again["id"]), (&json!("duplicate"), &first["id"]));

    machine.sell("11", 2, "CA").sell("11", 1, "DA").sell("A12", 1, "CA").give("A12").at("261121", "1705");
    let second = send(&gateway, machine.audit()).await.expect(201);
    assert_eq!((&second["sales"], &second["payments"]), (&json!(5), &json!(5)));
    assert_eq!(second["reads"][0]["counted"], json!({"number": 5, "value": 540}));
    let sold = rows(
        &test,
        "SELECT product, s.name, internal_ref, s.price, original_price AS cost, s.currency, method, p.type, p.price AS paid,
            num_payment_transactions AS payments, s.occurred_at = '2026-11-21T16:05:00Z' AS then
         FROM revenue_transaction s JOIN payment_transaction p ON p.revenuetransaction = s.id
         ORDER BY product, s.price, method",
    );
    let sold = sold.await;
    let cola = |method: &str, shown_as: &str| {
        json!({"product": 501, "name": "Cola light", "internal_ref": "CL", "price": 150, "cost": 150, "currency": "EUR",
            "method": method, "type": shown_as, "paid": 150, "payments": 1, "then": true})
    };
    let water = |price: i64, method: &str, shown_as: &str| {
        json!({"product": 502, "name": "Spring water", "internal_ref": null, "price": price, "cost": 90, "currency": "EUR",
            "method": method, "type": shown_as, "paid": price, "payments": 1, "then": true})
    };
    let expected = json!([
        water(0, "virtual", "virtual"),
        water(90, "cash", "cash"),
        cola("card", "card"),
        cola("cash", "cash"),
        cola("cash", "cash")
    ]);
    let by_product = |rows: &Value| {
        let mut rows = rows.as_array().unwrap().clone();
        rows.sort_by_key(ToString::to_string);
        rows
    };
    assert_eq!(by_product(&sold), by_product(&expected));
    let asked = rows(&test, "SELECT id, remote_price FROM product ORDER BY id").await;
    assert_eq!(asked, json!([{"id": 501, "remote_price": 150}, {"id": 502, "remote_price": 90}]));

    // Zipped, with other line ends and without a checksum.
    machine.sell("11", 1, "CA").at("261122", "0900");
    let mut bare = machine.clone();
    (bare.line_end, bare.has_checksum) = ("\n", false);
    let bare = bare.audit();
    let mut zipped = GzEncoder::new(Vec::new(), Compression::fast());
    zipped.write_all(bare.as_bytes()).unwrap();
    let request = Request::post("/v1/machine/vm-a-1/audit").header("content-encoding", "gzip");
    let third = gateway.send_raw(request.body(zipped.finish().unwrap().into()).unwrap()).await.expect(201);
    assert_eq!((&third["checksum"], &third["sales"]), (&json!("absent"), &json!(1)));

    // Begun to count again, and then a read that was still under way when it did.
    let mut late = machine.clone();
    late.sell("A12", 2, "CA").at("261122", "1200");
    machine.initialise().sell("11", 3, "CA").at("261122", "1800");
    let anew = send(&gateway, machine.audit()).await.expect(201);
    assert_eq!(anew["sales"], 3);
    assert!(anew["reads"][0]["notes"][0].as_str().unwrap().contains("set back"), "{anew}");
    let late = send(&gateway, late.audit()).await.expect(201);
    assert_eq!((&late["reads"][0]["late"], &late["sales"]), (&json!(true), &json!(2)));
    machine.at("261122", "1300").sell("11", 1, "CA");
    let put_back = send(&gateway, machine.audit()).await.expect(201);
    assert_eq!(
        (&put_back["reads"][0]["readAt"], &put_back["sales"]),
        (&json!("2026-11-22T17:00:00.000Z"), &json!(1))
    );

    assert_eq!(sales(&test).await, (12, 540 + 150 + 450 + 180 + 150));
    assert_eq!(recount(&test.app.db, false).await.unwrap().differing, 0);
}

#[tokio::test]
async fn reads_that_come_late_sell_nothing_twice() {
    let (test, gateway) = settled().await;
    let mut machine = Machine::new();
    let day = "261121";
    // How many sales a read brings, and whether it was late.
    let brings = |audit: String| {
        let sent = send(&gateway, audit);
        async move {
            let receipt = sent.await.expect(201);
            (receipt["sales"].as_i64().unwrap(), receipt["reads"][0]["late"].as_bool().unwrap())
        }
    };

    // What a gateway could not send for a while, the newest first.
    let backlog = [0, 2, 3].map(|sold| machine.sell("11", sold, "CA").clone());
    let [first, second, third] = ["0900", "1000", "1200"].map(|time| (day, time));
    for ((day, time), read, expected) in
        [(third, 2, (0, false)), (first, 0, (5, true)), (second, 1, (0, true))]
    {
        assert_eq!(brings(backlog[read].clone().at(day, time).audit()).await, expected, "{time}");
    }
    let times = "SELECT count(*), to_char(occurred_at, 'HH24:MI') AS at FROM revenue_transaction GROUP BY 2";
    assert_eq!(rows(&test, times).await, json!([{"count": 5, "at": "11:00"}]));

    // Three reads of one minute, in the order 3, 1, 2.
    let twins = [1, 1, 1].map(|sold| machine.sell("11", sold, "CA").at(day, "1205").audit());
    for (twin, expected) in [(2, (3, false)), (0, (0, true)), (1, (0, true))] {
        assert_eq!(brings(twins[twin].clone()).await, expected, "{twin}");
    }
    assert_eq!(brings(machine.sell("11", 1, "CA").at(day, "1230").audit()).await, (1, false));

    // A card reader that is swapped makes no sale of what was sold before.
    let between = machine.sell("11", 2, "DA").at(day, "1245").audit();
    machine.swap_reader().sell("11", 2, "DA");
    assert_eq!(brings(machine.at(day, "1300").audit()).await, (4, false));
    assert_eq!(brings(between).await, (0, true));
    // Of a selection that begins anew, what was sold before that: of the other one all is told.
    let between = machine.sell("11", 2, "CA").sell("A12", 1, "CA").at(day, "1315").audit();
    machine.restart("11").sell("11", 3, "CA").sell("A12", 1, "CA");
    assert_eq!(brings(machine.at(day, "1330").audit()).await, (5, false));
    assert_eq!(brings(between).await, (2, true));

    // The first file is of a machine that has just been set up again, and what it had counted comes behind.
    sqlx::raw_sql("DELETE FROM audit").execute(&test.app.db).await.unwrap();
    let of_old = machine.at(day, "1400").audit();
    assert_eq!(brings(machine.initialise().sell("11", 3, "CA").at(day, "1500").audit()).await, (0, false));
    assert_eq!(brings(of_old).await, (0, true));
    let put_back = machine.sell("11", 2, "CA").at(day, "1430").audit();
    assert_eq!(brings(put_back).await, (2, false));

    assert_eq!(sales(&test).await.0, 5 + 3 + 1 + 4 + 5 + 2 + 2);
    assert_eq!(recount(&test.app.db, false).await.unwrap().differing, 0);
}

#[tokio::test]
async fn a_wrong_file_says_which_line_and_is_kept() {
    let (test, gateway) = settled().await;
    let good = Machine::new().audit();
    let broken = good.replacen("PA2*40*6000", "PA2*40*600", 1);
    for _ in 0..2 {
        let reply = send(&gateway, broken.clone()).await;
        reply.expect_problem(422, "/line/15");
        assert!(reply.text().contains("checksum"), "{}", reply.text());
    }
    let odd = "DXS*A*VA\r\nID1*1\r\nVA1*x*1\r\n%%%\r\n";
    send(&gateway, odd).await.expect_problem(422, "/line/4");
    send(&gateway, odd.replace("%%%\r\n", "")).await.expect_problem(422, "/line/3");
    send(&gateway, "").await.expect_problem(422, "/line/1");
    for binary in [vec![0_u8; 2_000], (0..=255).collect(), vec![b'\n'; 5_000], b"DXS*A\nID1*\0\n".to_vec()] {
        send(&gateway, binary).await.expect(422);
    }
    let other = send_as(&gateway, "vm-a-1", "application/x-www-form-urlencoded", good.clone()).await;
    assert!(other.text().contains("text/plain"), "{}", other.text());
    send_as(&gateway, "vm-a-1", "application/json", "{}").await.expect(415);
    send(&gateway, vec![b'A'; (1 << 20) + 1]).await.expect(413);
    send_as(&gateway, "vm-a-2", "text/plain", good.clone()).await.expect(403);
    send_as(&gateway, "vm-b-1", "text/plain", good.clone()).await.expect(403);
    let user = test.user("a").await;
    assert_eq!(sales(&test).await.0, 0);

    // What an older server did not understand is imported once a newer one does.
    let refused = "INSERT INTO audit (machine, user_group, arrived_at, sha256, file, status, errors)
        VALUES (21, 2, '2026-11-20T08:00:00Z', sha256($1), $1, 'refused',
            '[{\"pointer\": \"/line/3\", \"detail\": \"is odd\"}]')";
    sqlx::query(refused).bind(good.as_bytes()).execute(&test.app.db).await.unwrap();
    let id = send(&gateway, good.clone()).await.expect(201)["id"].as_i64().unwrap();
    assert_eq!(send(&gateway, good.clone()).await.expect(200)["id"], id);
    let list = user.get("/machine/vm-a-1/audits?where[status]=refused&sort=id%20desc").await.expect(200);
    assert_eq!(list.as_array().unwrap().len(), 8, "{list}");
    let errors = &list[7]["errors"];
    assert_eq!((&list[7]["checksum"], &errors[0]["pointer"]), (&Value::Null, &json!("/line/15")));
    let refused = format!("/machine/vm-a-1/audits/{}/file", list[7]["id"]);
    assert_eq!(user.get(&refused).await.text(), broken);
    let one = user.get(&format!("/machine/vm-a-1/audits/{id}")).await.expect(200);
    assert_eq!((&one["status"], &one["bytes"]), (&json!("imported"), &json!(good.len())));
    assert_eq!((&one["errors"], &one["arrivedAt"]), (&json!([]), &json!("2026-11-24T12:00:00.000Z")));
    assert_eq!(one["counters"][0]["products"]["11"]["paid"], json!({"number": 40, "value": 6000}));
    assert_eq!(user.get(&format!("/machine/vm-a-1/audits/{id}/file")).await.text(), good);

    user.get("/machine/vm-a-1/audits/999999").await.expect(404);
    user.get(&format!("/machine/vm-a-2/audits/{id}")).await.expect(404);
    user.get("/machine/vm-a-1/audits/x").await.expect_problem(400, "/id");
    gateway.get("/machine/vm-a-1/audits").await.expect(403);
    test.user("b").await.get("/machine/vm-a-1/audits").await.expect(404);

    // The machine moves to another group: what it sent before stays where it was.
    sqlx::raw_sql("UPDATE machine SET user_group = 3 WHERE id = 21").execute(&test.app.db).await.unwrap();
    let below = test.user("a1").await;
    assert_eq!(below.get("/machine/vm-a-1/audits").await.expect(200), json!([]));
    below.get(&format!("/machine/vm-a-1/audits/{id}")).await.expect(404);
}

#[tokio::test]
async fn what_happened_is_told_once_and_what_lasts_ends() {
    let (test, gateway) = settled().await;
    let told = "SELECT code, type, duration, extra_data, resolved_at IS NOT NULL AS over, remote,
            to_char(occurred_at, 'MM-DD HH24:MI') AS at FROM machine_log ORDER BY id";
    let mut machine = Machine::new();
    let door = "EA1*EGS*261119*1610*5**left open".to_owned();
    machine.events =
        vec![door.clone(), "EA1*EIN".to_owned(), "EA2*EOA*1*4**1".to_owned(), "EA2*EGS*9*9".to_owned()];
    assert_eq!(send(&gateway, machine.audit()).await.expect(201)["events"], 2);
    let first = rows(&test, told).await;
    assert_eq!(
        first[0],
        json!({"code": "EGS", "type": 1, "duration": 300, "extra_data": "left open", "over": false,
        "remote": null, "at": "11-19 15:10"})
    );
    assert_eq!(
        (&first[1]["code"], &first[1]["type"], &first[1]["over"]),
        (&json!("EOA"), &json!(3), &json!(false))
    );

    // The same door again, two more that nobody wrote down, and the sensor still fails.
    machine.events[3] = "EA2*EGS*9*11".to_owned();
    assert_eq!(send(&gateway, machine.at("261121", "0800").audit()).await.expect(201)["events"], 1);
    machine.events = vec![door, "EA2*EGS*9*11".to_owned()];
    assert_eq!(send(&gateway, machine.at("261121", "0830").audit()).await.expect(201)["events"], 0);
    let all = rows(&test, told).await;
    assert_eq!(all.as_array().unwrap().len(), 3);
    assert_eq!((&all[2]["code"], &all[2]["extra_data"]), (&json!("EGS"), &json!("{\"count\":2}")));
    assert_eq!((&all[1]["over"], &all[1]["duration"]), (&json!(true), &json!((24 * 60 + 30) * 60)));

    // Read by and by, and sent in any order and by many at once: it is all the same.
    let reads: Vec<String> = ["0900", "1000", "1100", "1200"]
        .into_iter()
        .map(|time| machine.sell("11", 2, "CA").sell("A12", 1, "DA").at("261121", time).audit())
        .collect();
    let sent = [2, 0, 3, 1, 2, 1].map(|read: usize| send(&gateway, reads[read].clone()));
    let mut news = 0;
    for reply in futures_util::future::join_all(sent).await {
        news += i32::from(reply.status == 201);
    }
    assert_eq!(news, 4);
    assert_eq!(sales(&test).await, (12, 8 * 150 + 4 * 90));
    assert_eq!(recount(&test.app.db, false).await.unwrap().differing, 0);

    // Who sends sales gets none from audits, and sees what is missing.
    let sale = |remote: i64| json!({"remote": remote, "occurredAt": "2026-11-22T10:00:00Z", "price": 150, "product": 501});
    let batch = json!([sale(1), sale(2)]);
    gateway.post("/machine/vm-a-1/revenuetransactions", batch).await.expect(200);
    let both = send(&gateway, machine.sell("11", 3, "CA").at("261123", "0900").audit()).await.expect(201);
    assert_eq!(both["sales"], 0);
    assert_eq!(both["reads"][0]["counted"], json!({"number": 3, "value": 450}));
    assert_eq!(both["reads"][0]["reported"], json!({"number": 2, "value": 300}));
    assert_eq!(sales(&test).await.0, 14);
}
