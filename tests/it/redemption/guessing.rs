//! Budgets of guesses.

use super::{
    Shop,
    callers::{VERBS, body},
    path,
};
use crate::{app::TestApp, client::Client, world};
use axum::http::header;
use futures_util::future::join_all;
use scrip::config::Config;
use serde_json::json;

async fn shop_with_budgets(change: fn(&mut Config)) -> Shop {
    let server = TestApp::builder().stopped_at("2026-06-01T10:00:00Z").config(change);
    Shop::on(server).await.with_redis().await
}

/// Guesses until turned away; how often that went well.
async fn guess(caller: &Client, device: &str) -> usize {
    for guesses in 0..100 {
        let verb = VERBS[guesses % VERBS.len()];
        let reply = caller.post(&path(&format!("GUESS-{guesses}"), verb), body(verb, device)).await;
        if reply.status == 429 {
            let wait: u64 = reply.headers[header::RETRY_AFTER].to_str().unwrap().parse().unwrap();
            assert!((1..=60).contains(&wait), "{wait}");
            assert_eq!(reply.json()["type"], "/docs/problems/too-many-requests");
            return guesses;
        }
        reply.expect(404);
    }
    panic!("nobody has stopped the guessing");
}

#[tokio::test]
async fn a_machine_that_guesses_is_turned_away_with_good_codes_too() {
    let shop = shop_with_budgets(|config| config.guesses_per_device_per_minute = 5).await;
    let made = shop.made(json!({"redemptionLimit": 9})).await;
    // A lock and an order of another machine prove nothing.
    shop.redeem("vm-a-2", &made.code, "1").await;
    shop.lock("vm-a-2", &made.code, 60).await;
    assert_eq!(guess(&shop.owner, "vm-a-1").await, 5);
    for verb in VERBS {
        for code in [made.code.as_str(), "GUESS-0"] {
            let refused = shop.ask(verb, code, body(verb, "vm-a-1")).await;
            assert_eq!(refused.expect(429)["type"], "/docs/problems/too-many-requests");
            assert!(refused.headers.contains_key(header::RETRY_AFTER));
        }
    }
    // Its neighbour has done nothing wrong, and nor has the voucher.
    assert_eq!(shop.redeem("vm-a-2", &made.code, "2").await["redeemed"], true);
}

#[tokio::test]
async fn a_vend_under_way_outlives_the_guesses_of_its_machine() {
    for with_redis in [true, false] {
        let server = TestApp::builder().stopped_at("2026-06-01T10:00:00Z");
        let shop = if with_redis {
            Shop::on(server).await.with_redis().await
        } else {
            Shop::on(server.without_redis()).await
        };
        let campaign = shop.campaign(world::A, json!({})).await;
        let mut vouchers = Vec::new();
        for _ in 0..4 {
            vouchers.push(shop.voucher(campaign, json!({"redemptionLimit": 2})).await);
        }
        let [held, redeemed, changed, other] = &vouchers[..] else { unreachable!() };
        let first = shop.redeem("vm-a-1", &redeemed.code, "1").await;
        for voucher in [held, changed] {
            shop.lock("vm-a-1", &voucher.code, 60).await;
        }
        // A change takes the copy out of Redis, but not the lock.
        shop.amend(changed, json!({"value": 70})).await;
        assert_eq!(guess(&shop.owner, "vm-a-1").await, 30);

        assert_eq!(shop.redeem("vm-a-1", &held.code, "2").await["redeemed"], true);
        assert_eq!(shop.redeem("vm-a-1", &redeemed.code, "1").await, first);
        assert_eq!(shop.roll_back("vm-a-1", &redeemed.code, "1").await["rolledBack"], true);
        assert_eq!(shop.roll_back("vm-a-1", &redeemed.code, "1").await["rolledBack"], true);
        assert_eq!(shop.redeem("vm-a-1", &redeemed.code, "1").await["reason"], "rolled_back");
        assert_eq!(shop.release("vm-a-1", &changed.code).await["released"], true);

        // It proves nothing more: no lock is left, and these orders are none of its own.
        for (verb, voucher, order) in [
            ("redeem", held, "3"),
            ("redeem", other, "1"),
            ("rollback", held, "3"),
            ("release", changed, ""),
            ("release", other, ""),
            ("validate", held, ""),
        ] {
            let mut body = body(verb, "vm-a-1");
            if !order.is_empty() {
                body["order"]["id"] = json!(order);
            }
            shop.ask(verb, &voucher.code, body).await.expect(429);
        }
        // Other machines under the same key notice nothing.
        assert_eq!(shop.redeem("vm-a-2", &other.code, "1").await["redeemed"], true);
        assert_eq!(guess(&shop.owner, "vm-a-2").await, 30);
        assert_eq!(shop.validate("vm-a1-1", &other.code).await["valid"], true);
    }
}

#[tokio::test]
async fn a_key_has_a_budget_that_grows_with_its_machines() {
    let shop = shop_with_budgets(|config| config.guesses_per_key_per_minute = 2).await;
    let made = shop.made(json!({})).await;
    let key = shop.caller(world::ROOT, None, &["voucher.redeem"]).await;
    for device in ["vm-a-1", "vm-a-2", "vm-b-1"] {
        for guess in ["X", "Y"] {
            key.post(&path(guess, "validate"), body("validate", device)).await.expect(404);
        }
    }
    assert_eq!(guess(&key, "vm-b-1").await, 0);
    key.post(&path(&made.code, "validate"), body("validate", "vm-a-1")).await.expect(429);
    assert_eq!(shop.validate("vm-a-1", &made.code).await["valid"], true, "other keys are not shut");
}

#[tokio::test]
async fn good_codes_cost_no_budget() {
    let shop = shop_with_budgets(|config| config.guesses_per_device_per_minute = 2).await;
    let made = shop.made(json!({"redemptionLimit": 1})).await;
    for order in 0..10 {
        shop.redeem("vm-a-1", &made.code, &order.to_string()).await;
        shop.validate("vm-a-1", &made.code).await;
    }
}

#[tokio::test]
async fn a_burst_of_guesses_gets_no_more_answers_than_one_after_the_other() {
    for with_redis in [true, false] {
        let server = TestApp::builder()
            .stopped_at("2026-06-01T10:00:00Z")
            .config(|config| config.guesses_per_device_per_minute = 5);
        let shop = if with_redis {
            Shop::on(server).await.with_redis().await
        } else {
            Shop::on(server.without_redis()).await
        };
        let made = shop.made(json!({})).await;
        for guess in ["A", "B"] {
            shop.ask("validate", guess, body("validate", "vm-a-1")).await.expect(404);
        }
        // Three guesses are left; the good code comes after the first hundred wrong ones, and last.
        let codes: Vec<String> = (0..200)
            .map(|number| if number % 100 == 99 { made.code.clone() } else { format!("GUESS-{number}") })
            .collect();
        let answers =
            join_all(codes.iter().map(|code| shop.ask("validate", code, body("validate", "vm-a-1")))).await;
        let count = |status: u16| answers.iter().filter(|answer| answer.status == status).count();
        assert_eq!((count(404), count(429), count(200)), (3, 197, 0), "redis: {with_redis}");
    }
}

#[tokio::test]
async fn a_device_may_ask_for_more_good_codes_at_a_time_than_it_may_guess() {
    let shop = shop_with_budgets(|config| config.guesses_per_device_per_minute = 2).await;
    let made = shop.made(json!({})).await;
    let answers =
        join_all((0..50).map(|_| shop.ask("validate", &made.code, body("validate", "vm-a-1")))).await;
    assert!(answers.iter().all(|answer| answer.status == 200));
}

#[tokio::test]
async fn servers_share_the_budgets_of_devices_and_keys() {
    let shop = shop_with_budgets(|config| config.guesses_per_device_per_minute = 5).await;
    let (second, at_second) = shop.second_server().await;
    for guess in ["A", "B", "C"] {
        shop.ask("validate", guess, body("validate", "vm-a-1")).await.expect(404);
    }
    assert_eq!(guess(&at_second, "vm-a-1").await, 2);
    assert_eq!(guess(&at_second, "vm-a-2").await, 5, "its neighbour has done nothing wrong");
    second.stop.cancel();

    // A server that is started anew is told with the first failure.
    let (third, at_third) = shop.second_server().await;
    let refused = at_third.post(&path("D", "validate"), body("validate", "vm-a-1")).await;
    refused.expect(429);
    third.stop.cancel();
}
