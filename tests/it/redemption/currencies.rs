//! Money has a currency: what a machine takes, and what a campaign's amounts are in.

use super::{Shop, gist};
use crate::world;
use serde_json::{Value, json};

const HERE: &str = "vm-a-1";
const THERE: &str = "vm-a-2";

/// Has a machine paid in another currency, by its number.
async fn pay_in(shop: &Shop, hostname: &str, currency: i64) {
    let sql = "UPDATE machine SET currency = $2 WHERE hostname = $1";
    sqlx::query(sql).bind(hostname).bind(currency).execute(&shop.app().db).await.unwrap();
}

#[tokio::test]
async fn a_machine_takes_vouchers_of_its_own_currency_alone() {
    let shop = Shop::new().await.with_redis().await;
    pay_in(&shop, THERE, 392).await;
    let gift = shop.made(json!({"type": "gift", "value": 500})).await;
    let discount = shop.made(json!({"redemptionLimit": 1})).await;
    for (made, worth) in [(&gift, 500), (&discount, 100)] {
        let refused = json!([false, "currency_mismatch", 0, worth]);
        assert_eq!(gist(&shop.validate(THERE, &made.code).await), refused);
        assert_eq!(gist(&shop.lock(THERE, &made.code, 30).await), refused);
        assert_eq!(gist(&shop.spend(THERE, &made.code, "1", 100).await), refused);
    }
    assert_eq!(shop.read(&gift).await["balance"], 500);
    assert_eq!(gist(&shop.spend(HERE, &gift.code, "1", 100).await), json!([true, null, 100, 400]));
    assert_eq!(gist(&shop.redeem(HERE, &discount.code, "1").await), json!([true, null, 100, 100]));

    // A machine that is paid in something else from now on takes no euros any more.
    pay_in(&shop, HERE, 840).await;
    shop.becomes(HERE, &gift.code, "reason", json!("currency_mismatch")).await;
    assert_eq!(shop.spend(HERE, &gift.code, "2", 100).await["reason"], "currency_mismatch");
    // What it took before it gives back.
    assert_eq!(shop.roll_back(HERE, &gift.code, "1").await["voucherValue"], 500);
}

#[tokio::test]
async fn it_comes_after_the_rules_and_before_the_products() {
    let shop = Shop::new().await.with_redis().await;
    pay_in(&shop, HERE, 392).await;
    let elsewhere = json!([{"field": "machine", "value": "22"}]);
    let made = shop.made(json!({"validationRules": elsewhere})).await;
    assert_eq!(shop.validate(HERE, &made.code).await["reason"], "rule_not_met");
    let made = shop.made(json!({"validationRules": [{"field": "product", "value": "5"}]})).await;
    let items = json!([{"productId": "6", "quantity": 1, "price": 250}]);
    let body = json!({"deviceId": HERE, "order": {"id": "1", "amount": 250, "items": items}});
    let refused = shop.ask("redeem", &made.code, body).await.expect(200);
    assert_eq!(refused["reason"], "currency_mismatch");
}

#[tokio::test]
async fn a_shared_code_means_the_voucher_that_the_machine_can_take() {
    let shop = Shop::new().await.with_redis().await;
    let mut made = Vec::new();
    for currency in ["EUR", "CHF"] {
        let campaign = shop.campaign(world::A, json!({"currency": currency})).await;
        made.push(shop.voucher(campaign, json!({"code": "SUMMER"})).await);
    }
    pay_in(&shop, THERE, 756).await;
    assert_eq!(shop.redeem(HERE, "summer", "1").await["voucherId"], made[0].id);
    assert_eq!(shop.redeem(THERE, "summer", "1").await["voucherId"], made[1].id);
}

#[tokio::test]
async fn a_campaign_keeps_its_currency_once_amounts_stand_in_it() {
    let shop = Shop::new().await.with_redis().await;
    let change = async |campaign: i64, currency: &str| {
        let reply = shop.owner.put(&format!("/campaign/{campaign}"), json!({"currency": currency})).await;
        reply.status.as_u16()
    };
    let discounts = shop.campaign(world::A, json!({})).await;
    let made = shop.voucher(discounts, json!({})).await;
    assert_eq!(change(discounts, "CHF").await, 200);
    assert_eq!(shop.read(&made).await["currency"], "CHF");
    assert_eq!(change(discounts, "EUR").await, 200);
    shop.becomes(HERE, &made.code, "valid", json!(true)).await;
    shop.redeem(HERE, &made.code, "1").await;
    assert_eq!(change(discounts, "CHF").await, 409);
    assert_eq!(change(discounts, "EUR").await, 200, "the same is no change");
    // The journal shows it, rolled back or not.
    shop.roll_back(HERE, &made.code, "1").await;
    assert_eq!(change(discounts, "CHF").await, 409);

    let gifts = shop.campaign(world::A, json!({})).await;
    let made = shop.voucher(gifts, json!({"type": "gift", "value": 500})).await;
    assert_eq!(change(gifts, "JPY").await, 409);
    let read = shop.read(&made).await;
    assert_eq!((&read["currency"], &read["balance"]), (&json!("EUR"), &json!(500)));
    for currency in ["ZZZ", "EUX", "eur", "EURO"] {
        let body = json!({"name": "x", "totalVouchers": 0, "voucherValue": 1, "currency": currency});
        shop.owner.post("/campaign", body).await.expect_problem(422, "/currency");
        let body = json!({"currency": currency});
        shop.owner.put(&format!("/campaign/{gifts}"), body).await.expect_problem(422, "/currency");
    }
}

#[tokio::test]
async fn statistics_add_up_one_currency() {
    let shop = Shop::new().await.with_redis().await;
    let campaign = shop.campaign(world::A, json!({})).await;
    let made = shop.voucher(campaign, json!({})).await;
    for order in ["1", "2"] {
        shop.redeem(HERE, &made.code, order).await;
    }
    shop.roll_back(HERE, &made.code, "2").await;
    // As when a campaign's currency could still change.
    let changed = "UPDATE campaign SET currency = 'JPY' WHERE id = $1";
    sqlx::query(changed).bind(campaign).execute(&shop.app().db).await.unwrap();
    let stats = shop.owner.get(&format!("/campaign/{campaign}/stats?from=2026-06-01")).await.expect(200);
    let counts = |of: &Value| {
        ["redemptions", "rollbacks", "amountRedeemed", "amountRolledBack"]
            .map(|name| of[name].as_i64().unwrap())
    };
    assert_eq!((counts(&stats), &stats["currency"]), ([2, 1, 0, 0], &json!("JPY")));
    assert_eq!(counts(&stats["perDay"][0]), [2, 1, 0, 0]);
    let back = "UPDATE campaign SET currency = 'EUR' WHERE id = $1";
    sqlx::query(back).bind(campaign).execute(&shop.app().db).await.unwrap();
    let stats = shop.owner.get(&format!("/campaign/{campaign}/stats?from=2026-06-01")).await.expect(200);
    assert_eq!((counts(&stats), counts(&stats["perDay"][0])), ([2, 1, 200, 100], [2, 1, 200, 100]));
}
