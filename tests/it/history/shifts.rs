//! Closing a shift opens the next, also when many press at once and machines are ahead.

use super::run;
use crate::app::TestApp;
use chrono::Duration;
use serde_json::{Value, json};
use std::collections::BTreeSet;

async fn sums(test: &TestApp, table: &str) -> Vec<(i64, i64, i64)> {
    let sql = format!(
        "SELECT shift, sum(quantity)::bigint, sum(revenue)::bigint FROM {table}
         WHERE grain = 'day' GROUP BY 1 HAVING sum(quantity) <> 0 ORDER BY 1"
    );
    sqlx::query_as(sqlx::AssertSqlSafe(sql)).fetch_all(&test.app.db).await.unwrap()
}

#[tokio::test]
async fn a_shift_is_closed_once_and_hands_over_what_is_of_the_next() {
    let test = TestApp::builder().stopped_at("2026-07-10T10:00:00Z").build().await;
    let a = test.user("a").await;
    let press = async || a.post("/shift", json!({"location": 2})).await.expect(201);
    let first = press().await;
    assert_eq!((&first["previousShift"], &first["closed"]), (&json!(null), &json!(null)));
    assert_eq!(first["createdAt"], "2026-07-10T10:00:00Z");
    // A second hit on the button closes nothing.
    assert_eq!(press().await["id"], first["id"]);
    run(
        &test,
        "INSERT INTO revenue_transaction (id, machine, location, user_group, shift, occurred_at, time_zone, name, price,
             original_price, currency)
         SELECT n, 20 + n % 2 + 1, 2, 2, (SELECT max(id) FROM shift), '2026-07-10T10:30:00Z'::timestamptz + make_interval(mins => n),
             'Europe/Amsterdam', 'Thee', 10, 10, 'EUR' FROM generate_series(1, 40) n;
         INSERT INTO payment_transaction (id, machine, location, user_group, shift, occurred_at, time_zone, method, type,
             price, currency)
         SELECT id, machine, location, user_group, shift, occurred_at, time_zone, 'cash', 'cash', price, currency
         FROM revenue_transaction",
    )
    .await;
    // At 11:00 the sales of 11:00 and later are still to come, by a clock that is right.
    test.app.clock.advance(Duration::hours(1));
    let (a, b) = (test.user("a").await, test.user("b").await);
    let press = async || a.post("/shift", json!({"location": 2})).await.expect(201);
    let many = futures_util::future::join_all((0..8).map(|_| press())).await;
    let second: BTreeSet<i64> = many.iter().map(|shift| shift["id"].as_i64().unwrap()).collect();
    assert_eq!(second.len(), 1, "all are told of the same");
    let (first, second) = (first["id"].as_i64().unwrap(), *second.first().unwrap());
    let shifts = a.get("/shift").await.expect(200);
    let told = |shift: &Value| {
        (shift["id"].as_i64(), shift["firstTransaction"].as_i64(), shift["lastTransaction"].as_i64())
    };
    let shifts = shifts.as_array().unwrap();
    assert_eq!(
        shifts.iter().map(told).collect::<Vec<_>>(),
        [(Some(first), Some(1), Some(29)), (Some(second), Some(30), Some(40))]
    );
    assert_eq!(shifts[0]["closed"], "2026-07-10T11:00:00Z");
    assert_eq!((&shifts[1]["previousShift"], &shifts[1]["closed"]), (&json!(first), &json!(null)));
    assert_eq!(a.get("/location/2").await.expect(200)["activeShift"], second);
    for table in ["sales_rollup", "payments_rollup"] {
        assert_eq!(sums(&test, table).await, [(first, 29, 290), (second, 11, 110)], "{table}");
    }
    assert_eq!(a.get("/shift?where[closed]=null").await.expect(200)[0]["id"], second);
    assert_eq!(a.get(&format!("/shift/{second}")).await.expect(200)["location"], 2);

    b.get(&format!("/shift/{second}")).await.expect(404);
    b.post("/shift", json!({"location": 2})).await.expect_problem(422, "/location");
    a.post("/shift", json!({"location": "2"})).await.expect_problem(422, "/location");
    a.post("/shift", json!({})).await.expect_problem(422, "/location");
    // A location of a group below is one's own too.
    a.post("/shift", json!({"location": 3})).await.expect(201);
    let key = crate::world::key(&test.app.db, 2, None, &["transaction.read"]).await;
    test.bearer(key).post("/shift", json!({"location": 2})).await.expect(403);
}
