//! Locks: who holds a voucher, until when, and how that ends.

use super::{Made, Shop, gist};
use crate::{app::TestApp, world};
use chrono::Duration;
use futures_util::future::join_all;
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
            (&json!("locked"), &json!("2026-06-01T10:00:50.000Z"))
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
        (json!(90), "2026-06-01T10:01:30.000Z"),
        (json!(91), "2026-06-01T10:01:30.000Z"),
        (json!(1e300), "2026-06-01T10:01:30.000Z"),
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
        assert_eq!(shop.validate(THERE, &made.code).await["lockedTill"], "2026-06-01T10:01:00.000Z");
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
        (&json!("locked"), &json!("2026-06-01T10:01:00.000Z"))
    );
}

/// Makes a voucher whose span ends half a minute from now: by itself, or with its campaign.
async fn ending(shop: &Shop, of_campaign: bool, terms: serde_json::Value) -> Made {
    let end = json!({"expiresOn": "2026-06-01T10:00:30Z"});
    let campaign = shop.campaign(world::A, if of_campaign { end.clone() } else { json!({}) }).await;
    let mut terms = terms;
    if !of_campaign {
        terms["expiresOn"] = end["expiresOn"].clone();
    }
    shop.voucher(campaign, terms).await
}

#[tokio::test]
async fn a_lock_granted_in_time_carries_one_redeem_past_the_end() {
    for shop in [Shop::new().await.with_redis().await, Shop::without_redis().await] {
        for (of_campaign, cut) in [(true, false), (false, false), (false, true)] {
            let made = ending(&shop, of_campaign, json!({"redemptionLimit": 3})).await;
            let none = ending(&shop, of_campaign, json!({"redemptionLimit": 3})).await;
            if cut {
                // The end comes nearer while it is locked.
                shop.amend(&made, json!({"expiresOn": "2026-06-02"})).await;
            }
            assert_eq!(shop.lock(HERE, &made.code, 60).await["valid"], true);
            if cut {
                shop.amend(&made, json!({"expiresOn": "2026-06-01T10:00:30Z"})).await;
            }
            shop.pass(Duration::seconds(30));
            // It cannot be renewed, and is nobody else's.
            assert_eq!(shop.validate(HERE, &made.code).await["reason"], "expired");
            assert_eq!(shop.lock(HERE, &made.code, 60).await["reason"], "expired");
            assert_eq!(shop.redeem(THERE, &made.code, "1").await["reason"], "expired");
            assert_eq!(shop.redeem(HERE, &none.code, "1").await["reason"], "expired");
            let redeemed = shop.redeem(HERE, &made.code, "1").await;
            assert_eq!(gist(&redeemed), json!([true, null, 100, 100]));
            assert_eq!(shop.redeem(HERE, &made.code, "2").await["reason"], "expired");
            assert_eq!(shop.redeem(HERE, &made.code, "1").await, redeemed);
            assert_eq!(shop.read(&made).await["lockOwner"], json!(null));
            assert_eq!(shop.roll_back(HERE, &made.code, "1").await["rolledBack"], true);
            assert_eq!(shop.redeem(HERE, &made.code, "3").await["reason"], "expired");
            shop.pass(-Duration::seconds(30));
        }
    }
}

#[tokio::test]
async fn what_carries_past_the_end_is_a_lock_in_force() {
    for shop in [Shop::new().await.with_redis().await, Shop::without_redis().await] {
        let over = ending(&shop, false, json!({"redemptionLimit": 3})).await;
        let released = ending(&shop, false, json!({"redemptionLimit": 3})).await;
        let switched_off = ending(&shop, false, json!({"redemptionLimit": 3})).await;
        let gift = ending(&shop, true, json!({"type": "gift", "value": 100})).await;
        shop.lock(HERE, &over.code, 40).await;
        for made in [&released, &switched_off, &gift] {
            shop.lock(HERE, &made.code, 90).await;
        }
        shop.pass(Duration::seconds(30));
        assert_eq!(shop.release(HERE, &released.code).await["released"], true);
        assert_eq!(shop.redeem(HERE, &released.code, "1").await["reason"], "expired");
        shop.amend(&switched_off, json!({"status": "inactive"})).await;
        assert_eq!(shop.redeem(HERE, &switched_off.code, "1").await["reason"], "voucher_inactive");
        assert_eq!(shop.spend(HERE, &gift.code, "1", 101).await["reason"], "insufficient_balance");
        assert_eq!(gist(&shop.spend(HERE, &gift.code, "2", 60).await), json!([true, null, 60, 40]));
        assert_eq!(shop.spend(HERE, &gift.code, "3", 40).await["reason"], "expired");
        shop.pass(Duration::seconds(10));
        assert_eq!(shop.redeem(HERE, &over.code, "1").await["reason"], "expired");
    }
}

#[tokio::test]
async fn of_many_redeems_past_the_end_a_lock_carries_one() {
    for shop in [Shop::new().await.with_redis().await, Shop::without_redis().await] {
        let made = ending(&shop, false, json!({"redemptionLimit": 50})).await;
        shop.lock(HERE, &made.code, 60).await;
        shop.pass(Duration::seconds(30));
        let orders: Vec<String> = (0..12).map(|order| order.to_string()).collect();
        let asked = orders.iter().map(|order| shop.redeem(HERE, &made.code, order));
        let answers = join_all(asked).await;
        let redeemed = answers.iter().filter(|answer| answer["redeemed"] == true).count();
        assert_eq!(redeemed, 1, "{answers:?}");
        assert!(answers.iter().all(|answer| answer["redeemed"] == true || answer["reason"] == "expired"));
        let read = shop.read(&made).await;
        assert_eq!((&read["redemptionCount"], &read["lockOwner"]), (&json!(1), &json!(null)));
        let report = scrip::redemption::verify::verify(shop.app()).await.unwrap();
        assert_eq!(report.differences, []);
    }
}

#[tokio::test]
async fn a_lock_carries_a_redeem_into_the_next_period() {
    let shop = Shop::at("2026-06-01T21:59:50Z").await.with_redis().await;
    let terms = json!({
        "type": "gift", "value": 100, "resetFrequency": "day", "redemptionLimit": 1, "expiresOn": "2026-06-01",
    });
    let made = shop.made(terms).await;
    shop.lock(HERE, &made.code, 60).await;
    // The day ends for its counters, and its span ends.
    shop.pass(Duration::seconds(15));
    assert_eq!(gist(&shop.spend(HERE, &made.code, "1", 100).await), json!([true, null, 100, 0]));
    assert_eq!(shop.roll_back(HERE, &made.code, "1").await["voucherValue"], 100);
}
