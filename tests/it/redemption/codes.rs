//! What a code means: spelling, prefixes, and vouchers of several campaigns that share one.

use super::Shop;
use crate::world;
use chrono::Duration;
use serde_json::{Value, json};

const OF_A: &str = "vm-a-1";
const OF_A1: &str = "vm-a1-1";
const OF_B: &str = "vm-b-1";

#[tokio::test]
async fn generated_codes_forgive_case_space_and_look_alikes() {
    let shop = Shop::new().await.with_redis().await;
    let made = shop.made(json!({"prefix": "O1L"})).await;
    assert!(made.code.starts_with("O1L-"), "{}", made.code);
    let body = made.code.split_once('-').unwrap().1;
    assert!(!body.contains(['0', 'O', '1', 'I', 'L']), "{}", made.code);
    let spellings = [
        made.code.clone(),
        made.code.to_lowercase(),
        format!("  {} ", made.code),
        format!("0il-{body}"),
        format!("OII-{}", body.to_lowercase()),
    ];
    for spelling in spellings {
        assert_eq!(shop.validate(OF_A, &spelling).await["voucherId"], made.id, "{spelling}");
    }
    let default = shop.made(json!({})).await;
    assert!(default.code.starts_with("00000-"), "{}", default.code);
    let typed = default.code.replacen("00000", "OoOoO", 1);
    assert_eq!(shop.redeem(OF_A, &typed, "1").await["code"], default.code);
}

#[tokio::test]
async fn an_own_code_stands_as_it_is() {
    let shop = Shop::new().await.with_redis().await;
    let campaign = shop.campaign(world::A, json!({})).await;
    let cola = shop.voucher(campaign, json!({"code": "COLA"})).await;
    let typed = shop.voucher(campaign, json!({"code": "C01A"})).await;
    let spaced = shop.voucher(campaign, json!({"code": "Été 50%/{x}", "prefix": "ab"})).await;
    assert_eq!(spaced.code, "ab-Été 50%/{x}");
    for (asked, made) in [("cola", &cola), (" COLA", &cola), ("c01a", &typed), ("AB-ÉTÉ 50%/{X}", &spaced)]
    {
        assert_eq!(shop.validate(OF_A, asked).await["voucherId"], made.id, "{asked}");
    }
    for asked in ["C0LA", "COIA", "ab-", "Été 50%/{x}"] {
        shop.ask("validate", asked, json!({"deviceId": OF_A})).await.expect(404);
    }
    let again = json!({"campaign": campaign, "type": "discount", "value": 1, "code": "Cola"});
    shop.owner.post("/voucher", again).await.expect(409);
    // The same order id with two codes that only look alike is two orders.
    assert_eq!(shop.redeem(OF_A, "cola", "1").await["voucherId"], cola.id);
    assert_eq!(shop.redeem(OF_A, "c01a", "1").await["voucherId"], typed.id);
    assert_eq!(shop.redeem(OF_A, "COLA", "1").await["voucherId"], cola.id);
    assert_eq!(shop.roll_back(OF_A, "C01A", "1").await["voucherId"], typed.id);
    let counts = [&cola, &typed].map(|made| shop.read(made));
    let [cola, typed] = futures_util::future::join_all(counts).await.try_into().unwrap();
    assert_eq!((&cola["redemptionCount"], &typed["redemptionCount"]), (&json!(1), &json!(0)));
}

#[tokio::test]
async fn a_shared_code_means_the_usable_one_that_expires_first() {
    let shop = Shop::new().await.with_redis().await;
    let share = async |group: i64, terms: Value| {
        let campaign = shop.campaign(group, json!({})).await;
        let mut terms = terms;
        terms["code"] = json!("SUMMER");
        let made = shop.voucher(campaign, terms).await;
        shop.pass(Duration::seconds(1));
        made
    };
    let meant = async |device: &str| shop.validate(device, "summer").await["voucherId"].clone();
    let oldest = share(world::ROOT, json!({"redemptionLimit": 1})).await;
    assert_eq!(meant(OF_A).await, oldest.id);
    let younger = share(world::A, json!({"redemptionLimit": 1})).await;
    shop.becomes(OF_A, "SUMMER", "voucherId", json!(oldest.id)).await;
    let ending = share(world::A, json!({"redemptionLimit": 1, "expiresOn": "2026-06-30"})).await;
    shop.becomes(OF_A, "SUMMER", "voucherId", json!(ending.id)).await;
    let below = share(world::A1, json!({"expiresOn": "2026-06-02"})).await;
    shop.becomes(OF_A1, "SUMMER", "voucherId", json!(below.id)).await;
    assert_eq!(meant(OF_A).await, ending.id, "what is below is not for those above");
    assert_eq!(meant(OF_B).await, oldest.id);

    // Each that is used up, locked or over makes room for the next.
    assert_eq!(shop.redeem(OF_A, "SUMMER", "1").await["voucherId"], ending.id);
    assert_eq!(meant(OF_A).await, oldest.id);
    assert_eq!(shop.lock(OF_A, "SUMMER", 60).await["voucherId"], oldest.id);
    assert_eq!(meant("vm-a-2").await, younger.id);
    assert_eq!(shop.redeem("vm-a-2", "SUMMER", "1").await["voucherId"], younger.id);
    // Nothing left for it: of those that it can't use, the first to expire.
    let refused = shop.redeem("vm-a-2", "SUMMER", "2").await;
    assert_eq!(
        (&refused["voucherId"], &refused["reason"]),
        (&json!(ending.id), &json!("redemption_limit_reached"))
    );
    assert_eq!(shop.redeem(OF_A, "SUMMER", "2").await["voucherId"], oldest.id);
    // And the first answers stay what they were.
    assert_eq!(shop.redeem(OF_A, "SUMMER", "1").await["voucherId"], ending.id);
}

#[tokio::test]
async fn the_lock_of_another_holds_although_another_voucher_of_the_code_is_in_front() {
    let shop = Shop::new().await.with_redis().await;
    let campaign = shop.campaign(world::A, json!({})).await;
    let held = shop.voucher(campaign, json!({"code": "TWICE", "redemptionLimit": 1})).await;
    assert_eq!(shop.lock(OF_A, "TWICE", 60).await["voucherId"], held.id);
    let only_there = json!([{"field": "machine", "value": "99"}]);
    let terms = json!({"code": "TWICE", "expiresOn": "2026-06-30", "validationRules": only_there});
    let campaign = shop.campaign(world::A, json!({})).await;
    let ending = shop.voucher(campaign, terms).await;
    shop.becomes("vm-a-2", "TWICE", "voucherId", json!(ending.id)).await;
    assert_eq!(shop.redeem("vm-a-2", "TWICE", "1").await["redeemed"], false);
    assert_eq!(shop.redeem(OF_A, "TWICE", "1").await["voucherId"], held.id);
}

#[tokio::test]
async fn a_voucher_is_not_passed_over_for_what_this_server_has_not_heard() {
    let shop = Shop::new().await.with_redis().await;
    let mut made = Vec::new();
    for expires_on in ["2026-06-30", "2026-07-31"] {
        let campaign = shop.campaign(world::A, json!({})).await;
        made.push(shop.voucher(campaign, json!({"code": "NEWS", "expiresOn": expires_on})).await);
    }
    shop.change_campaign(made[0].campaign, json!({"status": "inactive"})).await;
    shop.becomes(OF_A, "NEWS", "voucherId", json!(made[1].id)).await;
    assert_eq!(shop.redeem(OF_A, "NEWS", "1").await["voucherId"], made[1].id);
    // As in the moment before the notice of a change arrives.
    let mut silent = scrip::transaction::begin(&shop.app().db).await.unwrap();
    for statement in [
        "SET LOCAL session_replication_role = replica",
        "UPDATE campaign SET status = 'active', version = version + 1 WHERE status = 'inactive'",
    ] {
        sqlx::query(statement).execute(&mut *silent).await.unwrap();
    }
    silent.commit().await.unwrap();
    assert_eq!(shop.redeem(OF_A, "NEWS", "2").await["voucherId"], made[0].id);
}

#[tokio::test]
async fn a_code_of_others_is_answered_as_one_of_nobody() {
    let shop = Shop::new().await.with_redis().await;
    let campaign = shop.campaign(world::B, json!({})).await;
    let made = shop.voucher(campaign, json!({"code": "FOREIGN"})).await;
    shop.redeem(OF_B, &made.code, "1").await;
    for verb in ["validate", "redeem", "release", "rollback"] {
        let body = match verb {
            "redeem" => json!({"deviceId": OF_A, "order": {"id": "1", "amount": 1}}),
            "rollback" => json!({"deviceId": OF_A, "order": {"id": "1"}}),
            _ => json!({"deviceId": OF_A}),
        };
        let [mut foreign, mut unknown, unlikely] = futures_util::future::join_all([
            shop.ask(verb, &made.code, body.clone()),
            shop.ask(verb, "NOTHING", body.clone()),
            shop.ask(verb, &"x".repeat(200), body),
        ])
        .await
        .try_into()
        .unwrap();
        assert_eq!(foreign.status, 404, "{verb}");
        foreign.headers.remove("x-request-id");
        unknown.headers.remove("x-request-id");
        assert_eq!(foreign.headers, unknown.headers, "{verb}");
        assert_eq!(foreign.body, unknown.body, "{verb}");
        assert_eq!(unlikely.status, 404, "{verb}");
    }
}
