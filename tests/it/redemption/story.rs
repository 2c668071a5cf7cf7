//! The story of a voucher from the first scan to the last rollback, with Redis and without.

use super::{Shop, gist};
use chrono::Duration;
use scrip::telemetry::booking;
use serde_json::{Value, json};

const HERE: &str = "vm-a-1";
const THERE: &str = "vm-a-2";

/// A machine validates, locks, vends, redeems; another comes too early and too late; a vend fails.
async fn tell(shop: &Shop) {
    let made = shop.made(json!({"value": 120, "redemptionLimit": 1})).await;
    let code = &made.code;
    assert_eq!(gist(&shop.lock(HERE, code, 60).await), json!([true, null, 120, 120]));
    let refused = shop.lock(THERE, code, 60).await;
    assert_eq!(gist(&refused), json!([false, "locked", 0, 120]));
    assert_eq!(refused["lockedTill"], "2026-06-01T10:01:00.000Z");
    assert_eq!(shop.redeem(THERE, code, "theirs").await["reason"], "locked");
    let redeemed = shop.redeem(HERE, code, "ours").await;
    assert_eq!(gist(&redeemed), json!([true, null, 100 + 20, 120]));
    assert_eq!(shop.redeem(HERE, code, "ours").await, redeemed);
    assert_eq!(shop.redeem(THERE, code, "theirs").await["reason"], "redemption_limit_reached");
    assert_eq!(shop.validate(THERE, code).await["reason"], "redemption_limit_reached");
    let undone = shop.roll_back(HERE, code, "ours").await;
    assert_eq!((&undone["rolledBack"], &undone["voucherId"]), (&json!(true), &json!(made.id)));
    assert_eq!(shop.roll_back(HERE, code, "ours").await, undone);
    assert_eq!(shop.redeem(HERE, code, "ours").await["reason"], "rolled_back");
    assert_eq!(gist(&shop.validate(THERE, code).await), json!([true, null, 120, 120]));
    // A lock that nobody needs is given back.
    shop.lock(HERE, code, 60).await;
    assert_eq!(shop.release(THERE, code).await["released"], false);
    assert_eq!(shop.validate(THERE, code).await["reason"], "locked");
    assert_eq!(shop.release(HERE, code).await["released"], true);
    assert_eq!(shop.release(HERE, code).await["released"], false);
    assert_eq!(shop.redeem(THERE, code, "theirs").await["redeemed"], true);
    let read = shop.read(&made).await;
    assert_eq!((&read["redemptionCount"], &read["totalAmountRedeemed"]), (&json!(1), &json!(120)));
    assert_eq!(read["lastRedemptionAt"], "2026-06-01T10:00:00Z");
}

#[tokio::test]
async fn with_redis() {
    tell(&Shop::new().await.with_redis().await).await;
}

#[tokio::test]
async fn without_redis() {
    tell(&Shop::without_redis().await).await;
}

#[tokio::test]
async fn a_gift_is_spent_down_and_given_back_with_and_without_redis() {
    for shop in [Shop::new().await.with_redis().await, Shop::without_redis().await] {
        let made = shop.made(json!({"type": "gift", "value": 500})).await;
        let code = &made.code;
        assert_eq!(gist(&shop.lock(HERE, code, 30).await), json!([true, null, 500, 500]));
        assert_eq!(gist(&shop.spend(HERE, code, "1", 200).await), json!([true, null, 200, 300]));
        assert_eq!(gist(&shop.spend(THERE, code, "1", 250).await), json!([true, null, 250, 50]));
        assert_eq!(shop.spend(HERE, code, "2", 60).await["reason"], "insufficient_balance");
        assert_eq!(shop.roll_back(HERE, code, "1").await["voucherValue"], 250);
        assert_eq!(gist(&shop.spend(HERE, code, "3", 250).await), json!([true, null, 250, 0]));
        assert_eq!(shop.validate(HERE, code).await["reason"], "insufficient_balance");
        assert_eq!(shop.read(&made).await["balance"], 0);
    }
}

#[tokio::test]
async fn every_verb_leaves_a_log_entry_and_reads_as_it_was_answered() {
    let shop = Shop::new().await.with_redis().await;
    let made = shop.made(json!({"redemptionLimit": 1})).await;
    let mut answers = Vec::new();
    let mut step = |action: &str, success: i64, answer: Value| {
        answers.push((action.to_owned(), success, answer));
        shop.pass(Duration::seconds(1));
    };
    step("validate", 1, shop.lock(HERE, &made.code, 60).await);
    step("validate", 0, shop.validate(THERE, &made.code).await);
    step("redeem", 0, shop.redeem(THERE, &made.code, "2").await);
    step("release", 1, shop.release(HERE, &made.code).await);
    step("redeem", 1, shop.redeem(HERE, &made.code, "1").await);
    step("rollback", 1, shop.roll_back(HERE, &made.code, "1").await);
    step("redeem", 0, shop.redeem(HERE, &made.code, "1").await);
    let path = format!("/voucher/{}/logs", made.id);
    let mut log = Value::Null;
    for _ in 0..100 {
        log = shop.owner.get(&path).await.expect(200);
        if log.as_array().unwrap().len() >= answers.len() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let entries = log.as_array().unwrap();
    assert_eq!(entries.len(), answers.len(), "{log:#}");
    for (entry, (action, success, answer)) in entries.iter().zip(&answers) {
        assert_eq!((&entry["action"], &entry["success"]), (&json!(action), &json!(success)), "{entry}");
        let parse = |field: &str| serde_json::from_str::<Value>(entry[field].as_str().unwrap()).unwrap();
        assert_eq!(&parse("response"), answer);
        let machine = parse("request")["deviceId"].clone();
        assert_eq!(entry["requester"], machine);
        assert_eq!(
            (&entry["requesterLocation"], &entry["currency"]),
            (&json!("2"), &json!("EUR")),
            "{entry}"
        );
    }
}

#[tokio::test]
async fn a_redemption_is_a_payment_and_its_rollback_takes_that_back() {
    let shop = Shop::new().await.with_redis().await;
    let made = shop.made(json!({"value": 80})).await;
    let payments = async || {
        booking::book(shop.app()).await.unwrap();
        let rows: Vec<(i64, i64, i64, String, String)> = sqlx::query_as(
            "SELECT machine, location, price, currency, method || ' ' || type FROM payment_transaction ORDER BY id",
        )
        .fetch_all(&shop.app().db)
        .await
        .unwrap();
        rows
    };
    let payment = |price| (21, 2, price, "EUR".to_owned(), "code voucher".to_owned());
    shop.redeem(HERE, &made.code, "1").await;
    shop.redeem(HERE, &made.code, "1").await;
    assert_eq!(payments().await, [payment(80)]);
    shop.pass(Duration::seconds(5));
    shop.roll_back(HERE, &made.code, "1").await;
    shop.roll_back(HERE, &made.code, "1").await;
    assert_eq!(payments().await, [payment(80), payment(-80)]);
}

#[tokio::test]
async fn an_order_that_was_not_redeemed_cannot_be_rolled_back() {
    let shop = Shop::new().await.with_redis().await;
    let made = shop.made(json!({})).await;
    shop.redeem(HERE, &made.code, "1").await;
    for (device, order) in [(HERE, "2"), (THERE, "1")] {
        let body = json!({"deviceId": device, "order": {"id": order}});
        let refused = shop.ask("rollback", &made.code, body).await.expect(404);
        assert_eq!(refused["type"], "/docs/problems/not-found");
    }
    let blank = json!({"deviceId": HERE, "order": {"id": "1"}, "reason": ""});
    shop.ask("rollback", &made.code, blank).await.expect_problem(422, "/reason");
    assert_eq!(shop.read(&made).await["redemptionCount"], 1);
}
