//! Validation rules of campaigns and vouchers, and products.

use super::Shop;
use crate::world;
use serde_json::{Value, json};

const DEVICE: &str = "vm-a-1";

/// A rule on each field that the server checks: one that holds for [`DEVICE`] and one that does not.
const RULES: [(&str, &str, &str); 6] = [
    ("location", "2", "3"),
    ("locationExternalRef", "site-a", "site-b"),
    ("locationGroup", "2", "3"),
    ("machine", "21", "22"),
    ("machineGroup", "2", "3"),
    ("machineType", "1", "2"),
];

fn rule(field: &str, value: &str) -> Value {
    json!({"field": field, "value": value})
}

#[tokio::test]
async fn rules_of_a_voucher_are_checked_by_both_verbs() {
    let shop = Shop::new().await.with_redis().await;
    for (field, good, bad) in RULES {
        for (rules, valid) in [
            (json!([rule(field, good)]), true),
            (json!([rule(field, bad)]), false),
            (json!([rule(field, bad), rule(field, good)]), true),
            (json!([rule(field, good), rule("machine", "22")]), field == "machine"),
        ] {
            let made = shop.made(json!({"validationRules": rules})).await;
            assert_eq!(shop.validate(DEVICE, &made.code).await["valid"], valid, "{rules}");
            let redeemed = shop.redeem(DEVICE, &made.code, "1").await;
            assert_eq!(redeemed["redeemed"], valid, "{rules}");
            assert_eq!(redeemed["reason"].as_str(), (!valid).then_some("rule_not_met"), "{rules}");
        }
    }
}

#[tokio::test]
async fn rules_of_a_campaign_apply_besides_and_change_at_once() {
    let shop = Shop::new().await.with_redis().await;
    for (field, good, bad) in RULES {
        let made = shop.made(json!({"validationRules": [rule("machineType", "1")]})).await;
        let path = format!("/campaign/{}/validationrules", made.campaign);
        assert_eq!(shop.validate(DEVICE, &made.code).await["valid"], true);
        shop.owner.put(&path, json!([rule(field, bad)])).await.expect(200);
        assert_eq!(shop.redeem(DEVICE, &made.code, "1").await["reason"], "rule_not_met", "{field}");
        shop.becomes(DEVICE, &made.code, "reason", json!("rule_not_met")).await;
        shop.owner.put(&path, json!([rule(field, bad), rule(field, good)])).await.expect(200);
        assert_eq!(shop.redeem(DEVICE, &made.code, "1").await["redeemed"], true, "{field}");
        shop.becomes(DEVICE, &made.code, "valid", json!(true)).await;
        assert_eq!(shop.validate("vm-a-2", &made.code).await["reason"], "rule_not_met", "{field}");
    }
}

#[tokio::test]
async fn products_go_back_to_the_machine_and_are_checked_again() {
    let shop = Shop::new().await.with_redis().await;
    let products = json!([rule("product", "5"), rule("product", "7+")]);
    let made = shop.made(json!({"validationRules": products})).await;
    let validated = shop.validate(DEVICE, &made.code).await;
    assert_eq!(
        validated["validFor"],
        json!({"products": {"5": true, "7+": true}, "productsRegExp": r"^(?:5|7\+)$"})
    );
    let redeem = |order: &str, products: &[&str]| {
        let items: Vec<Value> =
            products.iter().map(|id| json!({"productId": id, "quantity": 1, "price": 100})).collect();
        let order = json!({"id": order, "amount": 250, "items": items});
        shop.ask("redeem", &made.code, json!({"deviceId": DEVICE, "order": order}))
    };
    for (order, products, redeemed) in [
        ("1", &["5"][..], true),
        ("2", &["5", "7+"], true),
        ("3", &["5", "6"], false),
        ("4", &["55"], false),
        ("5", &[], true),
    ] {
        let answer = redeem(order, products).await.expect(200);
        assert_eq!(answer["redeemed"], redeemed, "{products:?}");
        assert_eq!(answer["reason"].as_str(), (!redeemed).then_some("product_not_allowed"), "{products:?}");
    }
    // What campaign and voucher both allow.
    let path = format!("/campaign/{}/validationrules", made.campaign);
    shop.owner.put(&path, json!([rule("product", "5"), rule("product", "9")])).await.expect(200);
    let narrow = json!({"products": {"5": true}, "productsRegExp": "^(?:5)$"});
    shop.becomes(DEVICE, &made.code, "validFor", narrow).await;
    assert_eq!(redeem("6", &["7+"]).await.expect(200)["reason"], "product_not_allowed");
    assert_eq!(redeem("6", &["5"]).await.expect(200)["redeemed"], true);
    shop.owner.put(&path, json!([rule("product", "9")])).await.expect(200);
    let nothing = json!({"products": {}, "productsRegExp": r"^[^\s\S]$"});
    shop.becomes(DEVICE, &made.code, "validFor", nothing).await;
    assert_eq!(redeem("7", &["5"]).await.expect(200)["reason"], "product_not_allowed");
}

#[tokio::test]
async fn without_product_rules_everything_may_be_bought() {
    let shop = Shop::new().await.with_redis().await;
    let made = shop.made(json!({})).await;
    let validated = shop.validate(DEVICE, &made.code).await;
    assert_eq!(validated["validFor"], json!({"products": {}, "productsRegExp": "^.*$"}));
}

#[tokio::test]
async fn rules_see_where_a_machine_has_moved_to() {
    let shop = Shop::new().await.with_redis().await;
    let made = shop.made(json!({"validationRules": [rule("locationExternalRef", "site-a1")]})).await;
    assert_eq!(shop.validate(DEVICE, &made.code).await["reason"], "rule_not_met");
    sqlx::query("UPDATE machine SET location = $1 WHERE hostname = $2")
        .bind(world::A1)
        .bind(DEVICE)
        .execute(&shop.app().db)
        .await
        .unwrap();
    // The group below has called it so, which the campaign's own has to confirm.
    assert_eq!(shop.validate(DEVICE, &made.code).await["reason"], "rule_not_met");
    let of_a = shop.test.user("a").await;
    of_a.put("/location/3", json!({"externalRef": "site-a1"})).await.expect(200);
    shop.becomes(DEVICE, &made.code, "valid", json!(true)).await;
}

#[tokio::test]
async fn a_reference_counts_where_the_campaigns_group_or_one_above_wrote_it() {
    let shop = Shop::new().await.with_redis().await;
    let campaign = shop.campaign(world::ROOT, json!({})).await;
    let rules = json!({"validationRules": [rule("locationExternalRef", "AMS-01")]});
    let made = shop.voucher(campaign, rules.clone()).await;
    let of_a = shop.campaign(world::A, json!({})).await;
    let own = shop.voucher(of_a, rules).await;
    let (root, a) = (shop.test.user("root").await, shop.test.user("a").await);
    let write = |user: &crate::client::Client, reference: &str| {
        let (user, body) = (user.clone(), json!({"externalRef": reference}));
        async move { user.put("/location/2", body).await.expect(200) }
    };

    write(&a, "AMS-01").await;
    shop.becomes(DEVICE, &own.code, "valid", json!(true)).await;
    assert_eq!(
        shop.redeem(DEVICE, &made.code, "1").await["reason"],
        "rule_not_met",
        "the operator says so alone"
    );
    write(&root, "AMS-01").await;
    shop.becomes(DEVICE, &made.code, "valid", json!(true)).await;
    // Written back as it was read, it stays the root's.
    write(&a, "AMS-01").await;
    assert_eq!(shop.redeem(DEVICE, &made.code, "1").await["redeemed"], true);
    write(&a, "AMS-02").await;
    shop.becomes(DEVICE, &made.code, "reason", json!("rule_not_met")).await;
    write(&a, "AMS-01").await;
    shop.becomes(DEVICE, &own.code, "valid", json!(true)).await;
    assert_eq!(shop.validate(DEVICE, &made.code).await["reason"], "rule_not_met");
}
