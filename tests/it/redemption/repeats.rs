//! The same order again: for ever the first answer, whatever has become of the voucher.

use super::{Shop, gist};
use crate::world;
use chrono::Duration;
use serde_json::{Value, json};

const DEVICE: &str = "vm-a-1";

#[tokio::test]
async fn the_first_answer_is_given_again_and_changes_nothing() {
    for shop in [Shop::new().await.with_redis().await, Shop::without_redis().await] {
        let made = shop.made(json!({"type": "gift", "value": 100, "resetFrequency": "day"})).await;
        let first = shop.spend(DEVICE, &made.code, "1", 30).await;
        let second = shop.spend(DEVICE, &made.code, "2", 70).await;
        assert_eq!(gist(&first), json!([true, null, 30, 70]));
        assert_eq!(shop.spend(DEVICE, &made.code, "1", 30).await, first);
        shop.amend(&made, json!({"value": 400})).await;
        assert_eq!(shop.spend(DEVICE, &made.code, "1", 30).await, first);
        shop.amend(&made, json!({"status": "inactive"})).await;
        assert_eq!(shop.spend(DEVICE, &made.code, "2", 70).await, second);
        shop.pass(Duration::days(400));
        assert_eq!(shop.spend(DEVICE, &made.code, "1", 30).await, first);
        assert_eq!(shop.read(&made).await["totalRedemptionCount"], 2);
    }
}

#[tokio::test]
async fn the_same_order_with_another_body_is_a_conflict_that_leaves_no_trace() {
    for shop in [Shop::new().await.with_redis().await, Shop::without_redis().await] {
        let made = shop.made(json!({"type": "gift", "value": 100, "redemptionLimit": 3})).await;
        let item = |quantity: i64| json!([{"productId": "5", "quantity": quantity, "price": 125}]);
        let order = |amount: i64, items: Value, demand: i64| {
            let order = json!({"id": "1", "amount": amount, "items": items});
            shop.ask(
                "redeem",
                &made.code,
                json!({"deviceId": DEVICE, "order": order, "demand": {"amount": demand}}),
            )
        };
        order(250, item(2), 30).await.expect(200);
        let others = [
            order(251, item(2), 30),
            order(250, item(1), 30),
            order(250, json!([]), 30),
            order(250, item(2), 31),
        ];
        for other in others {
            assert_eq!(other.await.expect(409)["type"], "/docs/problems/conflict");
            assert_eq!(gist(&shop.validate("vm-a-2", &made.code).await), json!([true, null, 70, 70]));
        }
        assert_eq!(order(250, item(2), 30).await.expect(200)["redeemed"], true);
        assert_eq!(gist(&shop.validate("vm-a-2", &made.code).await), json!([true, null, 70, 70]));
        assert_eq!(shop.read(&made).await["redemptionCount"], 1);
    }
}

#[tokio::test]
async fn another_machine_or_another_code_is_another_order() {
    let shop = Shop::new().await.with_redis().await;
    let [made, other] = [shop.made(json!({})).await, shop.made(json!({})).await];
    shop.redeem(DEVICE, &made.code, "1").await;
    shop.redeem("vm-a-2", &made.code, "1").await;
    shop.redeem(DEVICE, &other.code, "1").await;
    // A machine goes by two names.
    assert_eq!(shop.redeem("9021", &made.code, "1").await["redeemed"], true);
    let counts =
        [shop.read(&made).await, shop.read(&other).await].map(|read| read["redemptionCount"].clone());
    assert_eq!(counts, [json!(2), json!(1)]);
}

#[tokio::test]
async fn a_refusal_is_not_remembered() {
    let shop = Shop::new().await.with_redis().await;
    let made = shop.made(json!({"redemptionLimit": 1, "resetFrequency": "day"})).await;
    shop.redeem("vm-a-2", &made.code, "1").await;
    assert_eq!(shop.redeem(DEVICE, &made.code, "1").await["redeemed"], false);
    shop.pass(Duration::days(1));
    assert_eq!(shop.redeem(DEVICE, &made.code, "1").await["redeemed"], true);
}

#[tokio::test]
async fn after_a_rollback_an_order_stays_rolled_back() {
    for shop in [Shop::new().await.with_redis().await, Shop::without_redis().await] {
        let made = shop.made(json!({"type": "gift", "value": 100})).await;
        shop.spend(DEVICE, &made.code, "1", 30).await;
        shop.roll_back(DEVICE, &made.code, "1").await;
        shop.spend(DEVICE, &made.code, "2", 90).await;
        for _ in 0..2 {
            let again = shop.spend(DEVICE, &made.code, "1", 30).await;
            assert_eq!(gist(&again), json!([false, "rolled_back", 0, 100]));
        }
        let other = json!({"deviceId": DEVICE, "order": {"id": "1", "amount": 9}, "demand": {"amount": 30}});
        shop.ask("redeem", &made.code, other).await.expect(409);
        assert_eq!(shop.roll_back(DEVICE, &made.code, "1").await["voucherValue"], 100);
        assert_eq!(gist(&shop.validate(DEVICE, &made.code).await), json!([true, null, 10, 10]));
        assert_eq!(shop.read(&made).await["redemptionCount"], 1);
    }
}

#[tokio::test]
async fn the_first_answer_outlives_what_the_code_meant() {
    for shop in [Shop::new().await.with_redis().await, Shop::without_redis().await] {
        let share = async |terms: Value| {
            let campaign = shop.campaign(world::A, json!({})).await;
            shop.voucher(campaign, terms).await
        };
        let first = share(json!({"code": "SHARED", "expiresOn": "2026-06-01", "value": 50})).await;
        // A gift wants a demand, which the order of a discount had no reason to send.
        let gift = share(json!({"code": "SHARED", "type": "gift", "value": 500})).await;
        let answer = shop.redeem(DEVICE, "SHARED", "1").await;
        assert_eq!(answer["voucherId"], first.id);
        shop.amend(&first, json!({"status": "inactive"})).await;
        assert_eq!(shop.redeem(DEVICE, "SHARED", "1").await, answer);
        shop.becomes(DEVICE, "SHARED", "voucherId", json!(gift.id)).await;
        assert_eq!(shop.redeem(DEVICE, "SHARED", "1").await, answer);
        shop.amend(&first, json!({"status": "active"})).await;
        shop.pass(Duration::days(2));
        assert_eq!(shop.redeem(DEVICE, "SHARED", "1").await, answer);
        assert_eq!(shop.roll_back(DEVICE, "SHARED", "1").await["voucherId"], first.id);
        assert_eq!(shop.redeem(DEVICE, "SHARED", "1").await["reason"], "rolled_back");
        shop.amend(&gift, json!({"status": "inactive"})).await;
        assert_eq!(shop.redeem(DEVICE, "SHARED", "1").await["reason"], "rolled_back");
        assert_eq!(shop.read(&gift).await["redemptionCount"], 0);
    }
}
