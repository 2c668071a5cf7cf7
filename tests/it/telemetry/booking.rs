//! Redemptions as payments: booked once, whoever books and whoever dies of it.

use super::rows;
use crate::{
    database::{self, Database},
    pair::becomes,
    redemption::Shop,
    server::Server,
    world,
};
use scrip::telemetry::{booking::book, recount::recount};
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn payments_are_booked_once_and_as_the_profile_says() {
    let shop = Shop::new().await;
    let app = shop.app();
    sqlx::raw_sql("
        INSERT INTO transaction_profile (id, user_group, payment_types_map) VALUES (50, 2, '{\"code\": \"virtual\"}');
        UPDATE machine SET transaction_profile = 50 WHERE id = 22;
        INSERT INTO shift (id, location, opened_at) VALUES (3, 2, '2026-06-01T06:00:00Z');")
    .execute(&app.db).await.unwrap();
    let made = shop.made(json!({"value": 80})).await;
    for order in ["1", "2", "3"] {
        shop.redeem("vm-a-1", &made.code, order).await;
        shop.redeem("vm-a-2", &made.code, order).await;
    }
    let (one, other) = tokio::join!(book(app), book(app));
    assert_eq!(one.unwrap() + other.unwrap(), 6);
    let sums = "SELECT machine, shift, method, type, quantity, revenue FROM payments_rollup
        WHERE grain = 'day' ORDER BY machine";
    let booked = json!([
        {"machine": 21, "shift": 3, "method": "code", "type": "voucher", "quantity": 3, "revenue": 240},
        {"machine": 22, "shift": 3, "method": "code", "type": "virtual", "quantity": 3, "revenue": 240}]);
    assert_eq!(rows(app, sums).await, booked);
    assert_eq!(book(app).await.unwrap(), 0);
    let left = rows(app, "SELECT count(*) AS n FROM voucher_payment").await;
    assert_eq!(left, json!([{"n": 0}]));

    // A machine that is gone leaves its payments to its location's group.
    shop.redeem("vm-a-2", &made.code, "4").await;
    sqlx::raw_sql("DELETE FROM machine WHERE id = 22").execute(&app.db).await.unwrap();
    assert_eq!(book(app).await.unwrap(), 1);
    let last =
        rows(app, "SELECT machine, user_group, type FROM payment_transaction ORDER BY id DESC LIMIT 1").await;
    assert_eq!(last, json!([{"machine": 22, "user_group": 2, "type": "voucher"}]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redemption_that_is_rolled_back_counts_as_none() {
    let shop = Shop::new().await;
    let app = shop.app();
    let (paid, free) = (shop.made(json!({"value": 80})).await, shop.made(json!({"value": 0})).await);
    let reader = shop.caller(world::ROOT, None, &["report.read"]).await;
    let report = async || {
        while book(app).await.unwrap() > 0 {}
        let day = json!({"year": 0, "month": 0, "day": 0});
        let body = json!({"machines": [21], "period1": {"startDate": day, "endDate": day}});
        reader.post("/report/payments", body).await.expect(200)["period1"]["data"].clone()
    };
    for made in [&paid, &free] {
        shop.redeem("vm-a-1", &made.code, "1").await;
        shop.redeem("vm-a-1", &made.code, "2").await;
    }
    let before = report().await;
    assert_eq!(
        (&before[0]["type"], &before[0]["quantity"], &before[0]["revenue"]),
        (&json!("voucher"), &json!(4), &json!(160))
    );
    for made in [&paid, &free] {
        shop.roll_back("vm-a-1", &made.code, "1").await;
    }
    let left = report().await;
    assert_eq!((&left[0]["quantity"], &left[0]["revenue"]), (&json!(2), &json!(80)));
    for made in [&paid, &free] {
        shop.roll_back("vm-a-1", &made.code, "2").await;
    }
    assert_eq!(report().await, json!([]), "none, in number and in value");
    assert_eq!(recount(&app.db, false).await.unwrap().differing, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_dies_of_it_has_booked_nothing() {
    let database = Database::new().await;
    let db = sqlx::PgPool::connect(&database.url).await.unwrap();
    sqlx::raw_sql(
        "
        INSERT INTO voucher_payment (machine, location, price, currency, redemption, occurred_at)
        SELECT 21, 2, 80, 'EUR', gen_random_uuid(), '2026-11-24T12:00:00Z' FROM generate_series(1, 5)",
    )
    .execute(&db)
    .await
    .unwrap();
    let server = Server::on(&database.url, &database::url("SCRIP_TEST_REDIS_URL"), &database.name);
    let environment = [("FAILPOINTS", "booking-before-write=1*off->return")];
    let mut server = server.start_with(&environment).await;
    let count = async |sql: &'static str| sqlx::query_scalar::<_, i64>(sql).fetch_one(&db).await.unwrap();
    becomes("the first are booked", async || count("SELECT count(*) FROM payment_transaction").await == 5)
        .await;
    sqlx::raw_sql(
        "
        INSERT INTO voucher_payment (machine, location, price, currency, redemption, occurred_at)
        VALUES (21, 2, 1, 'EUR', gen_random_uuid(), '2026-11-24T12:00:00Z')",
    )
    .execute(&db)
    .await
    .unwrap();
    becomes("the server has died", async || server.has_ended()).await;
    assert_eq!(count("SELECT count(*) FROM voucher_payment").await, 1);
    server.restart_without(&["FAILPOINTS"]).await;
    becomes("it is booked", async || count("SELECT count(*) FROM voucher_payment").await == 0).await;
    assert_eq!(count("SELECT sum(price)::bigint FROM payment_transaction").await, 401);
}
