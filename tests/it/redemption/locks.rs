//! Locks: who holds a voucher, until when, and how that ends.

use super::Shop;
use crate::app::TestApp;
use chrono::Duration;
use serde_json::json;

const HERE: &str = "vm-a-1";
const THERE: &str = "vm-a-2";

#[tokio::test]
async fn a_lock_lapses_by_the_clock_and_is_renewed_by_its_owner() {
    for shop in [Shop::new().await.with_redis().await, Shop::without_redis().await] {
        let made = shop.made(json!({"redemptionLimit": 5})).await;
        shop.lock(HERE, &made.code, 30).await;
        shop.pass(Duration::seconds(20));
        shop.lock(HERE, &made.code, 30).await;
        shop.pass(Duration::milliseconds(29_999));
        let refused = shop.lock(THERE, &made.code, 10).await;
        assert_eq!(
            (&refused["reason"], &refused["lockedTill"]),
            (&json!("locked"), &json!("2026-06-01T10:00:50Z"))
        );
        shop.pass(Duration::milliseconds(1));
        assert_eq!(shop.lock(THERE, &made.code, 10).await["valid"], true);
        assert_eq!(shop.redeem(HERE, &made.code, "late").await["reason"], "locked");
        // Redeeming ends a lock; validating without one does not.
        assert_eq!(shop.validate(THERE, &made.code).await["valid"], true);
        assert_eq!(shop.validate(HERE, &made.code).await["reason"], "locked");
        assert_eq!(shop.redeem(THERE, &made.code, "1").await["redeemed"], true);
        assert_eq!(shop.redeem(HERE, &made.code, "late").await["redeemed"], true);
    }
}

#[tokio::test]
async fn locks_are_capped_and_none_is_no_lock() {
    let server =
        TestApp::builder().stopped_at("2026-06-01T10:00:00Z").config(|config| config.lock_max_s = 90);
    let shop = Shop::on(server).await.with_redis().await;
    let made = shop.made(json!({"redemptionLimit": 5})).await;
    let lock = |seconds: serde_json::Value| {
        shop.ask("validate", &made.code, json!({"deviceId": HERE, "lockDuration": seconds}))
    };
    for bad in [json!(-1), json!(-0.001), json!("30"), json!(true)] {
        lock(bad.clone()).await.expect_problem(422, "/lockDuration");
    }
    for none in [json!(0), json!(0.0), json!(0.0001), json!(null)] {
        assert_eq!(lock(none).await.expect(200)["valid"], true);
        assert_eq!(shop.read(&made).await["lockOwner"], json!(null));
    }
    for (asked, till) in [
        (json!(0.5), "2026-06-01T10:00:00.500Z"),
        (json!(90), "2026-06-01T10:01:30Z"),
        (json!(91), "2026-06-01T10:01:30Z"),
        (json!(1e300), "2026-06-01T10:01:30Z"),
    ] {
        lock(asked.clone()).await.expect(200);
        assert_eq!(shop.validate(THERE, &made.code).await["lockedTill"], till, "{asked}");
    }
}

#[tokio::test]
async fn only_the_voucher_itself_names_who_holds_it() {
    for shop in [Shop::new().await.with_redis().await, Shop::without_redis().await] {
        let made = shop.made(json!({"type": "gift", "value": 100})).await;
        let answer = shop.lock(HERE, &made.code, 60).await;
        assert_eq!(answer.get("lockedTill"), None);
        let refused = [
            shop.lock(THERE, &made.code, 60).await,
            shop.spend(THERE, &made.code, "1", 10).await,
            shop.release(THERE, &made.code).await,
        ];
        for answer in refused {
            let text = answer.to_string();
            assert!(!text.contains(HERE) && !text.contains("wner"), "{text}");
        }
        let read = shop.read(&made).await;
        assert_eq!((&read["lockOwner"], &read["lockedTill"]), (&json!(HERE), &json!("2026-06-01T10:01:00Z")));
        shop.pass(Duration::seconds(60));
        assert_eq!(shop.read(&made).await["lockOwner"], json!(null));
    }
}

#[tokio::test]
async fn what_can_not_run_out_is_never_locked() {
    for shop in [Shop::new().await.with_redis().await, Shop::without_redis().await] {
        let made = shop.made(json!({"type": "discount"})).await;
        assert_eq!(shop.lock(HERE, &made.code, 60).await["valid"], true);
        assert_eq!(shop.lock(THERE, &made.code, 60).await["valid"], true);
        assert_eq!(shop.read(&made).await["lockedTill"], json!(null));
        assert_eq!(shop.release(HERE, &made.code).await["released"], false);
    }
}

#[tokio::test]
async fn what_is_refused_is_not_locked() {
    let shop = Shop::new().await.with_redis().await;
    let rule = json!([{"field": "machine", "value": "22"}]);
    let made = shop.made(json!({"redemptionLimit": 1, "validationRules": rule})).await;
    assert_eq!(shop.lock(HERE, &made.code, 60).await["reason"], "rule_not_met");
    assert_eq!(shop.lock(THERE, &made.code, 60).await["valid"], true);
    assert_eq!(shop.redeem(THERE, &made.code, "1").await["redeemed"], true);
    assert_eq!(shop.lock(THERE, &made.code, 60).await["reason"], "redemption_limit_reached");
    assert_eq!(shop.read(&made).await["lockOwner"], json!(null));
}

#[tokio::test]
async fn a_lock_outlives_changes_and_a_reload_of_its_voucher() {
    let shop = Shop::new().await.with_redis().await;
    let made = shop.made(json!({"redemptionLimit": 3})).await;
    shop.lock(HERE, &made.code, 60).await;
    shop.amend(&made, json!({"value": 70})).await;
    shop.becomes(THERE, &made.code, "voucherValue", json!(70)).await;
    assert_eq!(shop.validate(THERE, &made.code).await["reason"], "locked");
    scrip::redemption::epoch::raise(shop.app()).await.unwrap();
    assert_eq!(shop.redeem(THERE, &made.code, "1").await["reason"], "locked");
    assert_eq!(shop.redeem(HERE, &made.code, "1").await["redeemed"], true);
}

#[tokio::test]
async fn a_repeated_order_leaves_the_lock_for_the_next() {
    for shop in [Shop::new().await.with_redis().await, Shop::without_redis().await] {
        let made = shop.made(json!({"redemptionLimit": 5})).await;
        let first = shop.redeem(HERE, &made.code, "1").await;
        shop.lock(HERE, &made.code, 60).await;
        assert_eq!(shop.redeem(HERE, &made.code, "1").await, first);
        assert_eq!(shop.validate(THERE, &made.code).await["lockedTill"], "2026-06-01T10:01:00Z");
        let other = json!({"deviceId": HERE, "order": {"id": "1", "amount": 1}});
        shop.ask("redeem", &made.code, other).await.expect(409);
        assert_eq!(shop.redeem(THERE, &made.code, "1").await["reason"], "locked");
        assert_eq!(shop.redeem(HERE, &made.code, "2").await["redeemed"], true);
        assert_eq!(shop.redeem(THERE, &made.code, "1").await["redeemed"], true);
    }
}

#[tokio::test]
async fn a_lapsed_lock_in_the_row_hides_none_in_redis() {
    let shop = Shop::new().await.with_redis().await;
    let made = shop.made(json!({"redemptionLimit": 3})).await;
    // As an outage of Redis leaves it.
    sqlx::query("UPDATE voucher SET lock_owner = 22, locked_till = '2026-06-01T09:00:00Z' WHERE code = $1")
        .bind(&made.code)
        .execute(&shop.app().db)
        .await
        .unwrap();
    shop.lock(HERE, &made.code, 60).await;
    let refused = shop.redeem(THERE, &made.code, "1").await;
    assert_eq!(
        (&refused["reason"], &refused["lockedTill"]),
        (&json!("locked"), &json!("2026-06-01T10:01:00Z"))
    );
}
