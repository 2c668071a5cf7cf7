//! Every reason, and what amounts come of it.

use super::{Made, Shop, gist};
use crate::world;
use chrono::Duration;
use serde_json::json;

const DEVICE: &str = "vm-a-1";

#[tokio::test]
async fn a_discount_takes_what_the_purchase_costs_at_most() {
    let shop = Shop::new().await.with_redis().await;
    let made = shop.made(json!({"value": 100})).await;
    let validated = shop.validate(DEVICE, &made.code).await;
    assert_eq!(gist(&validated), json!([true, null, 100, 100]));
    assert_eq!(
        (&validated["campaignType"], &validated["discount"]["type"]),
        (&json!("dynamic"), &json!("cents"))
    );
    for (order, amount, off) in [("1", 250, 100), ("2", 40, 40), ("3", 0, 0)] {
        let body = json!({"deviceId": DEVICE, "order": {"id": order, "amount": amount}});
        let redeemed = shop.ask("redeem", &made.code, body).await.expect(200);
        assert_eq!(gist(&redeemed), json!([true, null, off, 100]), "{amount}");
    }
    let read = shop.read(&made).await;
    assert_eq!((&read["redemptionCount"], &read["amountRedeemed"]), (&json!(3), &json!(140)));
}

#[tokio::test]
async fn a_gift_pays_exactly_what_is_demanded_or_nothing() {
    let shop = Shop::new().await.with_redis().await;
    let made = shop.made(json!({"type": "gift", "value": 1_000})).await;
    let capped = |demand: i64| {
        let body = json!({"deviceId": DEVICE, "demand": {"amount": demand}});
        shop.ask("validate", &made.code, body)
    };
    assert_eq!(gist(&shop.validate(DEVICE, &made.code).await), json!([true, null, 1_000, 1_000]));
    assert_eq!(gist(&capped(150).await.expect(200)), json!([true, null, 150, 1_000]));
    assert_eq!(gist(&capped(1_500).await.expect(200)), json!([true, null, 1_000, 1_000]));
    assert_eq!(gist(&shop.spend(DEVICE, &made.code, "1", 700).await), json!([true, null, 700, 300]));
    let refused = shop.spend(DEVICE, &made.code, "2", 301).await;
    assert_eq!(gist(&refused), json!([false, "insufficient_balance", 0, 300]));
    assert_eq!(gist(&shop.spend(DEVICE, &made.code, "2", 300).await), json!([true, null, 300, 0]));
    let empty = shop.validate(DEVICE, &made.code).await;
    assert_eq!(gist(&empty), json!([false, "insufficient_balance", 0, 0]));
    let undemanded = json!({"deviceId": DEVICE, "order": {"id": "3", "amount": 250}});
    shop.ask("redeem", &made.code, undemanded).await.expect_problem(422, "/demand");
}

#[tokio::test]
async fn every_reason_is_given_by_both_verbs() {
    let shop = Shop::new().await.with_redis().await;
    let off = shop.campaign(world::A, json!({"status": "inactive"})).await;
    let machine = json!([{"field": "machine", "value": "22"}]);
    let cases: [(&str, Made); 6] = [
        ("campaign_inactive", shop.voucher(off, json!({})).await),
        ("voucher_inactive", shop.made(json!({})).await),
        ("not_started", shop.made(json!({"startsOn": "2026-06-02"})).await),
        ("expired", shop.made(json!({"expiresOn": "2026-06-01T10:01:00Z"})).await),
        ("redemption_limit_reached", shop.made(json!({"redemptionLimit": 1})).await),
        ("rule_not_met", shop.made(json!({"validationRules": machine})).await),
    ];
    shop.amend(&cases[1].1, json!({"status": "inactive"})).await;
    shop.redeem(DEVICE, &cases[4].1.code, "first").await;
    shop.pass(Duration::minutes(1));
    for (reason, made) in &cases {
        shop.becomes(DEVICE, &made.code, "reason", json!(reason)).await;
        let validated = shop.validate(DEVICE, &made.code).await;
        assert_eq!(gist(&validated), json!([false, reason, 0, 100]));
        let redeemed = shop.redeem(DEVICE, &made.code, "order").await;
        assert_eq!(gist(&redeemed), json!([false, reason, 0, 100]));
        assert_eq!(validated.get("lockedTill"), None);
        let count = i64::from(*reason == "redemption_limit_reached");
        assert_eq!(shop.read(made).await["totalRedemptionCount"], count, "{reason}");
    }
}

#[tokio::test]
async fn the_first_reason_is_the_answer() {
    let shop = Shop::new().await.with_redis().await;
    // Locked, and not for these products, and not for the other machine either.
    let rules = json!([{"field": "product", "value": "5"}, {"field": "machine", "value": "21"}]);
    let made = shop.made(json!({"redemptionLimit": 2, "validationRules": rules})).await;
    shop.lock(DEVICE, &made.code, 60).await;
    let items = json!([{"productId": "6", "quantity": 1, "price": 250}]);
    let body = json!({"deviceId": "vm-a-2", "order": {"id": "1", "amount": 250, "items": items}});
    let refused = shop.ask("redeem", &made.code, body).await.expect(200);
    assert_eq!(
        (&refused["reason"], &refused["lockedTill"]),
        (&json!("locked"), &json!("2026-06-01T10:01:00.000Z"))
    );
    assert_eq!(shop.validate("vm-a-2", &made.code).await["reason"], "locked");
    // Expiry comes before the lock.
    shop.amend(&made, json!({"expiresOn": "2026-06-01T10:00:30Z"})).await;
    shop.pass(Duration::seconds(30));
    assert_eq!(shop.redeem("vm-a-2", &made.code, "2").await["reason"], "expired");
    shop.becomes("vm-a-2", &made.code, "reason", json!("expired")).await;
}

#[tokio::test]
async fn what_is_switched_off_is_refused_at_once() {
    let shop = Shop::new().await.with_redis().await;
    let made = shop.made(json!({"redemptionLimit": 9})).await;
    assert_eq!(shop.lock(DEVICE, &made.code, 60).await["valid"], true);
    for round in 0..3 {
        shop.change_campaign(made.campaign, json!({"status": "inactive"})).await;
        let refused = shop.redeem(DEVICE, &made.code, &format!("campaign {round}")).await;
        assert_eq!(refused["reason"], "campaign_inactive");
        shop.becomes(DEVICE, &made.code, "reason", json!("campaign_inactive")).await;
        shop.change_campaign(made.campaign, json!({"status": "active"})).await;
        assert_eq!(shop.redeem(DEVICE, &made.code, &format!("on again {round}")).await["redeemed"], true);
        shop.amend(&made, json!({"status": "inactive"})).await;
        let refused = shop.redeem(DEVICE, &made.code, &format!("voucher {round}")).await;
        assert_eq!(refused["reason"], "voucher_inactive");
        shop.becomes(DEVICE, &made.code, "reason", json!("voucher_inactive")).await;
        shop.amend(&made, json!({"status": "active"})).await;
        shop.becomes(DEVICE, &made.code, "valid", json!(true)).await;
    }
    assert_eq!(shop.read(&made).await["redemptionCount"], 3);
}

#[tokio::test]
async fn changes_of_value_and_expiry_are_seen() {
    let shop = Shop::new().await.with_redis().await;
    let made = shop.made(json!({"type": "gift", "value": 100})).await;
    shop.spend(DEVICE, &made.code, "1", 40).await;
    shop.amend(&made, json!({"value": 150})).await;
    shop.becomes(DEVICE, &made.code, "voucherValue", json!(110)).await;
    let too_little = json!({"campaign": made.campaign, "value": 39});
    shop.owner.patch(&format!("/voucher/{}", made.id), too_little).await.expect_problem(422, "/value");
    assert_eq!(gist(&shop.spend(DEVICE, &made.code, "2", 110).await), json!([true, null, 110, 0]));
    shop.amend(&made, json!({"value": 160, "expiresOn": "2026-06-01"})).await;
    shop.becomes(DEVICE, &made.code, "voucherValue", json!(10)).await;
    shop.pass(Duration::hours(12));
    assert_eq!(shop.validate(DEVICE, &made.code).await["reason"], "expired");
    shop.amend(&made, json!({"expiresOn": null})).await;
    shop.becomes(DEVICE, &made.code, "valid", json!(true)).await;
}

#[tokio::test]
async fn a_voucher_that_follows_its_campaign_changes_with_it() {
    let shop = Shop::new().await.with_redis().await;
    let terms = json!({"totalVouchers": 1, "type": "discount", "voucherValue": 100, "status": "active"});
    let campaign = shop.campaign(world::A, terms).await;
    assert!(scrip::jobs::worker::work_one(shop.app()).await.unwrap());
    let vouchers = shop.owner.get(&format!("/campaign/{campaign}/vouchers")).await.expect(200);
    let made = vouchers[0]["code"].as_str().unwrap().to_owned();
    shop.becomes(DEVICE, &made, "valid", json!(true)).await;
    assert_eq!(shop.redeem(DEVICE, &made, "1").await["redeemed"], true);
    shop.change_campaign(campaign, json!({"redemptionLimit": 1})).await;
    assert_eq!(shop.redeem(DEVICE, &made, "2").await["reason"], "redemption_limit_reached");
    shop.becomes(DEVICE, &made, "reason", json!("redemption_limit_reached")).await;
    shop.change_campaign(campaign, json!({"redemptionLimit": null})).await;
    assert_eq!(shop.redeem(DEVICE, &made, "3").await["redeemed"], true);
}
