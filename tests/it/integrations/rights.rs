//! Integrations are told what those who set them up may read, and no more.

use super::{deliver, endpoint::Endpoint, integrate, sell, server};
use crate::{app::TestApp, client::Client, pair::becomes, world};
use serde_json::{Value, json};

/// Someone of a group with a key for integrations and for what else is named.
async fn integrator(test: &TestApp, group: i64, more: &[&str]) -> Client {
    let scopes = [&["integration.read", "integration.write"], more].concat();
    test.bearer(world::key(&test.app.db, group, None, &scopes).await)
}

#[tokio::test]
async fn an_event_is_for_those_who_may_read_it() {
    let test = server().await;
    let needs: [(&str, &[&str]); 5] = [
        ("transaction", &["transaction.read"]),
        ("voucher.validated", &["voucher.read"]),
        ("voucher.redeemed", &["voucher.read", "transaction.read"]),
        ("voucher.rolled_back", &["voucher.read", "transaction.read"]),
        ("campaign.ready", &["campaign.read"]),
    ];
    let endpoint = Endpoint::new().await;
    let mut number = 0;
    for permission in ["fleet.read", "voucher.read", "transaction.read", "campaign.read"] {
        let caller = integrator(&test, world::A, &[permission]).await;
        for (event, needed) in needs {
            number += 1;
            let name = format!("Integration {number}");
            let draft = json!({"externalId": 1, "name": name, "url": endpoint.url, "events": [event]});
            let reply = caller.post("/integration", draft).await;
            if needed.contains(&permission) {
                let path = format!("/integration/{}", reply.expect(201)["id"]);
                caller.put(&path, json!({"description": "Told what it may read"})).await.expect(200);
            } else {
                let problem = reply.expect(403);
                assert!(problem["message"].as_str().unwrap().contains(needed[0]), "{problem}");
            }
        }
    }
}

#[tokio::test]
async fn who_may_not_read_the_content_can_neither_redirect_nor_replay_it() {
    let test = server().await;
    let endpoint = Endpoint::new().await;
    let owner = test.user("a").await;
    let (id, _) = integrate(&owner, &endpoint, "Books", json!({})).await;
    let sold = sell(&test.app.db, 21, 1).await;
    let path = format!("/integration/{id}");
    let other = integrator(&test, world::A, &["voucher.read"]).await;
    for change in
        [json!({"url": "https://evil.example/"}), json!({"events": ["transaction"]}), json!({"active": true})]
    {
        other.put(&path, change).await.expect(403);
    }
    other.put(&path, json!({"throttle": 5})).await.expect(200);
    other.post(&format!("{path}/replay"), json!({"ids": sold})).await.expect(403);
    let period = json!({"from": "2020-01-01T00:00:00Z", "to": "2030-01-01T00:00:00Z"});
    other.post(&format!("{path}/replay"), period).await.expect(403);
    other.get(&format!("{path}/transactions")).await.expect(403);
    other.get(&format!("{path}/logs")).await.expect(200);
    assert_eq!(owner.get(&path).await.expect(200)["url"], endpoint.url.as_str());
    owner.post(&format!("{path}/replay"), json!({"ids": sold})).await.expect(202);
}

#[tokio::test]
async fn an_integration_is_told_nothing_that_its_group_may_no_longer_read() {
    let test = server().await;
    let endpoint = Endpoint::new().await;
    let a = test.user("a").await;
    let (id, _) = integrate(&a, &endpoint, "Books", json!({})).await;
    sell(&test.app.db, 21, 1).await;
    deliver(&test).await;
    assert_eq!(endpoint.take().len(), 1);
    let root = test.user("root").await;
    let rights = json!({"permissions": ["integration.read", "integration.write", "voucher.read"]});
    root.put(&format!("/usergroup/{}", world::A), rights).await.expect(200);
    sell(&test.app.db, 21, 1).await;
    deliver(&test).await;
    assert!(endpoint.take().is_empty());
    let log = root.get(&format!("/integration/{id}/logs?sort=id%20desc")).await.expect(200);
    assert_eq!(log[0]["state"], "failed");
    assert!(log[0]["message"].as_str().unwrap().contains("may not read this"), "{}", log[0]);
}

/// Validates a voucher of `group` at a machine of A, and returns the codes that integrations of A are told: with
/// the right to read vouchers, and without.
async fn told(test: &TestApp, group: i64) -> (String, Vec<Value>) {
    let owner = test.user(if group == world::A { "a" } else { "root" }).await;
    let campaign = json!({"name": "Spring", "totalVouchers": 0, "type": "gift", "voucherValue": 500,
        "prefix": "SPRNG"});
    let campaign = owner.post("/campaign", campaign).await.expect(201)["id"].as_i64().unwrap();
    let voucher = owner
        .post("/voucher", json!({"campaign": campaign, "type": "gift", "value": 500, "prefix": "SPRNG"}))
        .await
        .expect(201);
    let code = voucher["code"].as_str().unwrap().to_owned();
    let (full, plain) = (Endpoint::new().await, Endpoint::new().await);
    let reads = integrator(test, world::A, &["voucher.read"]).await;
    let sees_sales = integrator(test, world::A, &["transaction.read"]).await;
    let events = ["voucher.validated", "voucher.redeemed", "voucher.rolled_back"];
    integrate(&reads, &full, &format!("Full {group}"), json!({"events": events})).await;
    integrate(&sees_sales, &plain, &format!("Plain {group}"), json!({"events": events[1..]})).await;

    let device = test.device(world::A, "vm-a-1").await;
    let order = json!({"id": "7", "amount": 100});
    let at = |verb: &str| format!("/voucher/{code}/{verb}");
    device.post(&at("validate"), json!({"deviceId": "vm-a-1"})).await.expect(200);
    let redeem = json!({"deviceId": "vm-a-1", "order": order, "demand": {"amount": 100}});
    assert_eq!(device.post(&at("redeem"), redeem).await.expect(200)["redeemed"], true);
    device.post(&at("rollback"), json!({"deviceId": "vm-a-1", "order": {"id": "7"}})).await.expect(200);
    becomes("all are put aside", async || {
        scrip::telemetry::booking::book(&test.app).await.unwrap();
        super::count(&test.app.db).await == 5
    })
    .await;
    deliver(test).await;
    let told = [full, plain].map(|endpoint| {
        let mut codes: Vec<Value> = Vec::new();
        for delivery in endpoint.take() {
            let data = &delivery.body["data"];
            let shown = if data["answer"].is_object() { &data["answer"]["code"] } else { &data["code"] };
            assert!(shown.is_string(), "{data}");
            let hides = shown != code.as_str();
            assert!(!hides || !delivery.body.to_string().contains(&code), "{data}");
            codes.push(shown.clone());
        }
        codes
    });
    (code, told.concat())
}

#[tokio::test]
async fn a_code_is_shown_to_those_alone_who_may_read_it() {
    let test = server().await;
    let (code, told_of_own) = told(&test, world::A).await;
    let (own, masked) = (json!(code), json!("SPRNG-…"));
    assert_eq!(told_of_own, [&own, &own, &own, &masked, &masked].map(Clone::clone));

    // A voucher of the group above, used at one of its machines.
    let test = server().await;
    let (_, told_of_roots) = told(&test, world::ROOT).await;
    assert_eq!(told_of_roots, vec![masked; 5]);
}
