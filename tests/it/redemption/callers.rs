//! Who may speak for which machine, and how often one may guess.

use super::{SCOPES, Shop, path};
use crate::{app::TestApp, client::Client, world};
use axum::http::header;
use scrip::config::Config;
use serde_json::{Value, json};

const VERBS: [&str; 4] = ["validate", "redeem", "release", "rollback"];

/// A request that would be good for any verb.
fn body(verb: &str, device: &str) -> Value {
    match verb {
        "redeem" => json!({"deviceId": device, "order": {"id": "1", "amount": 100}}),
        "rollback" => json!({"deviceId": device, "order": {"id": "1"}}),
        _ => json!({"deviceId": device}),
    }
}

#[tokio::test]
async fn a_caller_speaks_for_machines_of_its_group_and_below() {
    let shop = Shop::new().await.with_redis().await;
    let campaign = shop.campaign(world::ROOT, json!({})).await;
    let made = shop.voucher(campaign, json!({})).await;
    let of_a = shop.caller(world::A, None, &["voucher.redeem"]).await;
    for verb in VERBS {
        let ask = |device: &str| {
            let (path, body) = (path(&made.code, verb), body(verb, device));
            let of_a = of_a.clone();
            async move { of_a.post(&path, body).await }
        };
        for own in ["vm-a-1", "vm-a1-2", "9021"] {
            ask(own).await.expect(200);
        }
        for foreign in ["vm-b-1", "vm-root-1", "nowhere", "0", "", " ", "a\u{0}b", &"x".repeat(300)] {
            ask(foreign).await.expect_problem(422, "/deviceId");
        }
    }
}

#[tokio::test]
async fn a_machines_key_speaks_for_that_machine_alone() {
    let shop = Shop::new().await.with_redis().await;
    let made = shop.made(json!({})).await;
    let machine = shop.caller(world::A, Some("vm-a-1"), &["voucher.redeem"]).await;
    for verb in VERBS {
        machine.post(&path(&made.code, verb), body(verb, "vm-a-1")).await.expect(200);
        let refused = machine.post(&path(&made.code, verb), body(verb, "vm-a-2")).await;
        assert_eq!(refused.expect(403)["type"], "/docs/problems/forbidden");
        machine.post(&path(&made.code, verb), body(verb, "vm-b-1")).await.expect_problem(422, "/deviceId");
    }
}

#[tokio::test]
async fn without_the_permission_nothing_is_told() {
    let shop = Shop::new().await.with_redis().await;
    let made = shop.made(json!({})).await;
    let scopes: Vec<&str> = SCOPES.iter().copied().filter(|scope| *scope != "voucher.redeem").collect();
    let reader = shop.caller(world::A, None, &scopes).await;
    let nobody = shop.test.anyone();
    for verb in VERBS {
        for device in ["vm-a-1", "nowhere"] {
            reader.post(&path(&made.code, verb), body(verb, device)).await.expect(403);
            nobody.post(&path(&made.code, verb), body(verb, device)).await.expect(401);
        }
    }
    assert_eq!(shop.read(&made).await["redemptionCount"], 0);
}

#[tokio::test]
async fn a_user_may_speak_for_the_machines_of_its_group() {
    let shop = Shop::new().await.with_redis().await;
    let made = shop.made(json!({})).await;
    let user = shop.test.user("a").await;
    assert_eq!(
        user.post(&path(&made.code, "validate"), json!({"deviceId": "vm-a-2"})).await.expect(200)["valid"],
        true
    );
}

#[tokio::test]
async fn a_person_in_a_machines_place_needs_a_permission_and_is_named() {
    let shop = Shop::new().await.with_redis().await;
    let made = shop.made(json!({"type": "gift", "value": 500})).await;
    let user = shop.test.user("a").await;
    let order =
        json!({"deviceId": "vm-a-2", "order": {"id": "p1", "amount": 100}, "demand": {"amount": 100}});
    user.post(&path(&made.code, "redeem"), order).await.expect(200);
    user.post(&path(&made.code, "validate"), body("validate", "vm-a-2")).await.expect(200);
    let undo = json!({"deviceId": "vm-a-2", "order": {"id": "p1"}});
    // The order is the machine's, whoever undoes it.
    let machine = shop.test.device(world::A, "vm-a-2").await;
    machine.post(&path(&made.code, "rollback"), undo).await.expect(200);
    let mut logs = Value::Null;
    // The log is written down behind the answers.
    for _ in 0..10_000 {
        logs = shop.owner.get(&format!("/voucher/{}/logs", made.id)).await.expect(200);
        if logs.as_array().unwrap().len() == 3 {
            break;
        }
    }
    let named: Vec<_> =
        logs.as_array().unwrap().iter().map(|entry| (&entry["requester"], &entry["actor"])).collect();
    let (person, device) = (json!("user:a"), json!("vm-a-2"));
    let (actor, none) = (json!(world::A), Value::Null);
    assert_eq!(named, [(&person, &actor), (&person, &actor), (&device, &none)], "{logs}");

    let list = "UPDATE user_group SET permissions = '{voucher.redeem,voucher.read}' WHERE id = $1";
    sqlx::query(list).bind(world::A).execute(&shop.app().db).await.unwrap();
    shop.app().access.clear();
    let user = shop.test.user("a").await;
    for verb in VERBS {
        user.post(&path(&made.code, verb), body(verb, "vm-a-2")).await.expect(403);
    }
    machine.post(&path(&made.code, "validate"), body("validate", "vm-a-2")).await.expect(200);
}

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
