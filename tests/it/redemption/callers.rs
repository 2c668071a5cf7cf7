//! Callers and the machines that they may speak for.

use super::{SCOPES, Shop, path};
use crate::world;
use serde_json::{Value, json};

pub(super) const VERBS: [&str; 4] = ["validate", "redeem", "release", "rollback"];

/// A request that would be good for any verb.
pub(super) fn body(verb: &str, device: &str) -> Value {
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
        // It learns of no other, whether it is there or not.
        let (machine, code) = (&machine, &made.code);
        let ask = async |device: &str| machine.post(&path(code, verb), body(verb, device)).await;
        let refused = ask("vm-a-2").await;
        assert_eq!(refused.expect(403)["type"], "/docs/problems/forbidden");
        for other in ["vm-b-1", "nowhere", "9022", "123456"] {
            assert_eq!(ask(other).await.expect(403), refused.json(), "{other}");
        }
        for none in ["+9021", "09021", " 9021", "9021 ", ""] {
            ask(none).await.expect_problem(422, "/deviceId");
        }
        for own in ["VM-A-1", "9021"] {
            ask(own).await.expect(200);
        }
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
