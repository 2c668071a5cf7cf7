//! One order is one redemption, however its code is spelled: it belongs to the code as printed.

use super::{Made, Shop, gist};
use crate::{client::Client, world};
use futures_util::future::join_all;
use serde_json::{Value, json};

const DEVICE: &str = "vm-a-1";

/// A gift of 100 cents whose code has all that can be mistaken in its prefix.
async fn gift(shop: &Shop) -> Made {
    shop.made(json!({"type": "gift", "value": 100, "prefix": "O1L0I"})).await
}

/// How people and scanners spell the code of [`gift`].
fn spellings(code: &str) -> Vec<String> {
    let body = code.strip_prefix("O1L0I").unwrap();
    let mixed: String = body
        .chars()
        .enumerate()
        .map(|(at, c)| if at % 2 == 0 { c.to_ascii_lowercase() } else { c })
        .collect();
    vec![
        code.to_owned(),
        code.to_lowercase(),
        format!("  {code} "),
        format!("01101{body}"),
        format!("oiiol{body}"),
        format!("OLIoi{mixed}"),
        format!(" 0lL0l{} ", body.to_lowercase()),
        format!("o1I0L{body}"),
    ]
}

async fn spend(client: &Client, code: &str, order: &str) -> Value {
    let order = json!({"id": order, "amount": 250});
    let body = json!({"deviceId": DEVICE, "order": order, "demand": {"amount": 30}});
    client.post(&super::path(code, "redeem"), body).await.expect(200)
}

#[tokio::test]
async fn an_order_is_one_redemption_in_every_spelling() {
    for shop in [Shop::new().await.with_redis().await, Shop::without_redis().await] {
        for first in 0..8 {
            let made = gift(&shop).await;
            let spellings = spellings(&made.code);
            let answer = spend(&shop.owner, &spellings[first], "1").await;
            assert_eq!(gist(&answer), json!([true, null, 30, 70]));
            for again in &spellings {
                assert_eq!(spend(&shop.owner, again, "1").await, answer, "{again:?}");
            }
            assert_eq!(shop.read(&made).await["totalRedemptionCount"], 1);
            let undone = shop.roll_back(DEVICE, &spellings[(first + 3) % 8], "1").await;
            assert_eq!((&undone["voucherValue"], &undone["code"]), (&json!(100), &json!(made.code)));
            for again in &spellings {
                assert_eq!(shop.roll_back(DEVICE, again, "1").await, undone, "{again:?}");
                assert_eq!(spend(&shop.owner, again, "1").await["reason"], "rolled_back", "{again:?}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn eight_spellings_at_once_on_two_servers_are_one_redemption() {
    for shop in [Shop::new().await.with_redis().await, Shop::without_redis().await] {
        let (second, second_owner) = shop.second_server().await;
        for _ in 0..10 {
            let made = gift(&shop).await;
            let spellings = spellings(&made.code);
            let asked = spellings.iter().enumerate().map(|(at, spelling)| {
                spend(if at % 2 == 0 { &shop.owner } else { &second_owner }, spelling, "1")
            });
            let answers = join_all(asked).await;
            assert_eq!(gist(&answers[0]), json!([true, null, 30, 70]));
            assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:#?}");
            assert_eq!(shop.read(&made).await["balance"], 70);
        }
        second.stop.cancel();
    }
}

#[tokio::test]
async fn the_first_answer_outlives_the_voucher_in_every_spelling() {
    for shop in [Shop::new().await.with_redis().await, Shop::without_redis().await] {
        let made = gift(&shop).await;
        let answer = spend(&shop.owner, &made.code, "1").await;
        shop.amend(&made, json!({"value": 900, "status": "inactive"})).await;
        for again in spellings(&made.code) {
            assert_eq!(spend(&shop.owner, &again, "1").await, answer, "{again:?}");
        }
        sqlx::query("DELETE FROM voucher WHERE id::text = $1")
            .bind(&made.id)
            .execute(&shop.app().db)
            .await
            .unwrap();
        for again in spellings(&made.code) {
            let found = spend(&shop.owner, &again, "1").await;
            assert_eq!(gist(&found), gist(&answer), "{again:?}");
            assert_eq!(found["voucherId"], made.id, "{again:?}");
        }
    }
}

#[tokio::test]
async fn an_own_code_that_copies_a_generated_one_shares_its_orders() {
    for shop in [Shop::new().await.with_redis().await, Shop::without_redis().await] {
        let generated = gift(&shop).await;
        let campaign = shop.campaign(world::A, json!({})).await;
        let terms = json!({"code": generated.code, "type": "gift", "value": 30, "expiresOn": "2026-06-30"});
        let own = shop.voucher(campaign, terms).await;
        shop.becomes(DEVICE, &own.code, "voucherId", json!(own.id)).await;
        let answer = spend(&shop.owner, &own.code, "1").await;
        assert_eq!(answer["voucherId"], own.id);
        // Now that it is used up, every spelling means the other.
        for again in spellings(&own.code) {
            assert_eq!(spend(&shop.owner, &again, "1").await, answer, "{again:?}");
        }
        // And so when the other would come first.
        shop.amend(&own, json!({"expiresOn": null, "value": 100})).await;
        shop.amend(&generated, json!({"expiresOn": "2026-06-15"})).await;
        shop.becomes(DEVICE, &own.code, "voucherId", json!(generated.id)).await;
        for again in spellings(&own.code) {
            assert_eq!(spend(&shop.owner, &again, "1").await, answer, "{again:?}");
        }
        assert_eq!(shop.read(&generated).await["redemptionCount"], 0);
    }
}

#[tokio::test]
async fn own_codes_that_look_alike_have_orders_of_their_own() {
    for shop in [Shop::new().await.with_redis().await, Shop::without_redis().await] {
        let campaign = shop.campaign(world::A, json!({})).await;
        let mut made = Vec::new();
        for code in ["COLA", "C0LA", "CO1A", "COLA-SUMMERBREEZES", "C0LA-SUMMERBREEZES"] {
            made.push(shop.voucher(campaign, json!({"code": code, "redemptionLimit": 1})).await);
        }
        for _ in 0..2 {
            for one in &made {
                let answer = shop.redeem(DEVICE, &one.code.to_lowercase(), "1").await;
                assert_eq!((&answer["voucherId"], &answer["redeemed"]), (&json!(one.id), &json!(true)));
            }
        }
        assert_eq!(shop.roll_back(DEVICE, "C0LA", "1").await["voucherId"], made[1].id);
        let counts = join_all(made.iter().map(|one| shop.read(one))).await;
        let counts: Vec<_> = counts.iter().map(|read| read["redemptionCount"].as_i64().unwrap()).collect();
        assert_eq!(counts, [1, 0, 1, 1, 1]);
    }
}
