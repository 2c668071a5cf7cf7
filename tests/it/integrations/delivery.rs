//! What arrives: everything once, in order, signed, and as it was.

use super::{count, deliver, endpoint::Endpoint, integrate, sell, server};
use crate::{app::TestApp, client::Client, pair::becomes, world};
use base64::{Engine, engine::general_purpose::STANDARD};
use chrono::TimeDelta;
use scrip::{
    integrations::delivery::store,
    redemption::audit::{Action, Logged},
};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use sqlx::PgPool;
use uuid::Uuid;

/// HMAC-SHA-256 as RFC 2104 writes it, apart from the library that signs.
fn hmac(key: &[u8], message: &[u8]) -> Vec<u8> {
    let padded = |with: u8| {
        let mut block = [with; 64];
        block.iter_mut().zip(key).for_each(|(byte, key)| *byte ^= key);
        block
    };
    let inner = Sha256::new().chain_update(padded(0x36)).chain_update(message).finalize();
    Sha256::new().chain_update(padded(0x5c)).chain_update(inner).finalize().to_vec()
}

#[tokio::test]
async fn a_sale_arrives_once_signed_and_with_its_payments() {
    let test = server().await;
    let a = test.user("a").await;
    let endpoint = Endpoint::new().await;
    let (id, secret) = integrate(&a, &endpoint, "Books", json!({})).await;
    let sold = sell(&test.app.db, 21, 3).await;
    deliver(&test).await;
    let received = endpoint.take();
    assert_eq!(received.iter().map(super::endpoint::Received::sale).collect::<Vec<_>>(), sold);
    for delivery in &received {
        let header = |name: &str| delivery.headers[name].to_str().unwrap();
        assert_eq!(delivery.id, format!("transaction-{}", delivery.sale()));
        assert_eq!(header("content-type"), "application/json");
        let sent: i64 = header("webhook-timestamp").parse().unwrap();
        assert!((test.app.clock.now().timestamp() - sent).abs() < 60, "{sent}");
        let signed = [format!("{}.{sent}.", delivery.id).as_bytes(), &delivery.bytes].concat();
        let key = STANDARD.decode(secret.strip_prefix("whsec_").unwrap()).unwrap();
        assert_eq!(header("webhook-signature"), format!("v1,{}", STANDARD.encode(hmac(&key, &signed))));
        assert_eq!(delivery.body["type"], "transaction");
        let data = &delivery.body["data"];
        for (field, value) in [
            ("machine", json!(21)),
            ("hostname", json!("vm-a-1")),
            ("externalRef", json!("site-a")),
            ("price", json!(150)),
            ("originalPrice", json!(200)),
            ("currency", json!("EUR")),
            ("name", json!("Cola")),
            ("timezone", json!("Europe/Amsterdam")),
        ] {
            assert_eq!(data[field], value, "{field}");
        }
        assert_eq!(data["payments"].as_array().unwrap().len(), 1);
        assert_eq!(
            (&data["payments"][0]["method"], &data["payments"][0]["price"]),
            (&json!("card"), &json!(150))
        );
        assert!(data["occurredAt"].as_str().unwrap().ends_with('Z'));
    }
    let log = a.get(&format!("/integration/{id}/logs?where[state]=delivered")).await.expect(200);
    assert_eq!(log.as_array().unwrap().len(), 3);
    assert!(log[0]["message"].as_str().unwrap().starts_with("HTTP 200 in "));
    assert_eq!((&log[0]["details"], &log[0]["attempts"]), (&json!("so it is"), &json!(1)));
    assert_eq!(a.get(&format!("/integration/{id}")).await.expect(200)["state"], "idle");

    // A new secret signs from then on, and the one before for a day.
    let rotated = a.post(&format!("/integration/{id}/secret"), json!({})).await.expect(200);
    let replay = json!({"ids": [sold[1], sold[0]]});
    let replayed = a.post(&format!("/integration/{id}/replay"), replay.clone()).await.expect(202);
    assert_eq!(replayed["deliveries"], 2);
    let again = a.post(&format!("/integration/{id}/replay"), replay).await.expect(202);
    assert_eq!(again["deliveries"], 0, "what waits already is not told twice");
    deliver(&test).await;
    let again = endpoint.take();
    assert_eq!(
        again.iter().map(|delivery| &delivery.id).collect::<Vec<_>>(),
        [&received[0].id, &received[1].id]
    );
    assert_eq!(again[0].body["data"], received[0].body["data"]);
    let sent = again[0].headers["webhook-timestamp"].to_str().unwrap();
    let signed = [format!("{}.{sent}.", again[0].id).as_bytes(), &again[0].bytes].concat();
    let signatures = [rotated["secret"].as_str().unwrap(), &secret].map(|secret| {
        let key = STANDARD.decode(&secret[6..]).unwrap();
        format!("v1,{}", STANDARD.encode(hmac(&key, &signed)))
    });
    assert_eq!(again[0].headers["webhook-signature"].to_str().unwrap(), signatures.join(" "));
    let overlap = "UPDATE integration SET secret_previous_until = now() - interval '1 second'";
    sqlx::query(overlap).execute(&test.app.db).await.unwrap();
    a.post(&format!("/integration/{id}/replay"), json!({"ids": [sold[0]]})).await.expect(202);
    deliver(&test).await;
    assert!(!endpoint.take()[0].headers["webhook-signature"].to_str().unwrap().contains(' '));

    // What is older than it is kept for is forgotten, and nothing else.
    let now = test.app.clock.now();
    assert!(store::forget(&test.app.db, now - TimeDelta::days(1)).await.unwrap());
    assert_eq!(count(&test.app.db).await, 6);
    assert!(store::forget(&test.app.db, now + TimeDelta::days(1)).await.unwrap());
    assert_eq!(count(&test.app.db).await, 0);
}

/// A redemption and one that took nothing, both rolled back, as the journal leaves them to be booked.
async fn spend(db: &PgPool, voucher: Uuid, campaign: i64) {
    let (key, nothing) = (Uuid::new_v4(), Uuid::new_v4());
    for (key, amount) in [(key, 50_i64), (nothing, 0)] {
        sqlx::query(
            "INSERT INTO redemption (id, fingerprint, voucher, campaign, machine, location, requester, order_id,
                 order_amount, amount_off, voucher_value, campaign_type, currency, period_start, request, occurred_at)
             VALUES ($1, $1, $2, $3, 21, 2, 'vm-a-1', 'order-7', 150, $4, 50, 'discount', 'EUR', now(), '{}', now())",
        )
        .bind(key)
        .bind(voucher)
        .bind(campaign)
        .bind(amount)
        .execute(db)
        .await
        .unwrap();
    }
    sqlx::query(
        "INSERT INTO redemption_rollback (redemption, voucher, campaign, machine, location, requester, order_id, amount_off,
             voucher_value, currency, reason, occurred_at)
         SELECT id, voucher, campaign, machine, location, requester, order_id, amount_off, voucher_value, currency,
             'jam', occurred_at + interval '1 second' FROM redemption",
    )
    .execute(db)
    .await
    .unwrap();
    sqlx::query(
        "INSERT INTO voucher_payment (machine, location, price, currency, redemption, occurred_at)
         SELECT machine, location, amount_off, currency, id, occurred_at FROM redemption
         UNION ALL SELECT machine, location, -amount_off, currency, redemption, occurred_at FROM redemption_rollback",
    )
    .execute(db)
    .await
    .unwrap();
}

#[tokio::test]
async fn what_happens_to_vouchers_and_campaigns_arrives_too() {
    let test = server().await;
    let (a, root) = (test.user("a").await, test.user("root").await);
    let endpoint = Endpoint::new().await;
    let db = &test.app.db;
    let events =
        json!({"events": ["voucher.validated", "voucher.redeemed", "voucher.rolled_back", "campaign.ready"]});
    let (id, _) = integrate(&a, &endpoint, "Vouchers", events).await;

    let campaign = json!({"name": "Spring", "totalVouchers": 1, "type": "discount", "voucherValue": 50});
    let campaign = root.post("/campaign", campaign).await.expect(201)["id"].as_i64().unwrap();
    while scrip::jobs::worker::work_one(&test.app).await.unwrap() {}
    deliver(&test).await;
    assert!(endpoint.take().is_empty(), "a campaign of a group above is none of its");
    let hand_over = [
        "UPDATE campaign SET user_group = 2 WHERE id = $1",
        "UPDATE job SET state = 'running' WHERE subject = $1",
        "UPDATE job SET state = 'done' WHERE subject = $1",
    ];
    for sql in hand_over {
        sqlx::query(sql).bind(campaign).execute(db).await.unwrap();
    }
    let (voucher, code): (Uuid, String) = sqlx::query_as("SELECT id, code FROM voucher WHERE campaign = $1")
        .bind(campaign)
        .fetch_one(db)
        .await
        .unwrap();
    let logged = |group, success| Logged {
        voucher,
        action: Action::Validate,
        success,
        machine: if group == world::A1 { 31 } else { 21 },
        group,
        requester: "vm-a-1".to_owned(),
        location: 2,
        request: "{}".to_owned(),
        response: json!({"code": code, "valid": success}).to_string(),
        currency: "EUR".into(),
        at: test.app.clock.now(),
        since: std::time::Instant::now(),
    };
    for (group, success) in [(world::A, true), (world::A, false), (world::B, true), (world::A1, true)] {
        test.app.audit.log(logged(group, success));
    }
    becomes("the validations are put aside", async || count(db).await == 3).await;

    spend(db, voucher, campaign).await;
    scrip::telemetry::booking::book(&test.app).await.unwrap();
    deliver(&test).await;

    let received = endpoint.take();
    let of = |event: &str| -> Vec<&Value> {
        received.iter().map(|delivery| &delivery.body).filter(|body| body["type"] == event).collect()
    };
    let ready = of("campaign.ready");
    assert_eq!((ready.len(), &ready[0]["data"]["name"]), (1, &json!("Spring")));
    assert_eq!(ready[0]["data"]["totalVouchers"], 1);
    let mut validated = of("voucher.validated");
    // Machines go side by side.
    validated.sort_by_key(|body| body["data"]["machine"].as_i64());
    assert_eq!(validated.len(), 2, "those of the group and below it that were granted");
    assert_eq!(validated[0]["data"]["answer"], json!({"code": code, "valid": true}));
    assert_eq!(
        (&validated[0]["data"]["deviceId"], &validated[0]["data"]["machine"]),
        (&json!("vm-a-1"), &json!(21))
    );
    let (redeemed, rolled_back) = (of("voucher.redeemed"), of("voucher.rolled_back"));
    assert_eq!((redeemed.len(), rolled_back.len()), (2, 2), "also what took nothing is told apart");
    for body in redeemed.iter().chain(&rolled_back) {
        assert_eq!((&body["data"]["code"], &body["data"]["order"]), (&json!(code), &json!("order-7")));
    }
    assert_eq!(rolled_back[0]["data"]["reason"], "jam");
    let mut ids: Vec<_> = received.iter().map(|delivery| delivery.id.clone()).collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), received.len(), "each has a name of its own");

    // It never asked for sales, and is not told of any.
    sell(db, 21, 1).await;
    is_told_again(&test, &a, id, &endpoint, ids).await;
}

/// A period is told again under the same names; a second replay does not double what waits.
async fn is_told_again(test: &TestApp, client: &Client, id: i64, endpoint: &Endpoint, ids: Vec<String>) {
    let now = test.app.clock.now();
    let period = json!({"from": now - TimeDelta::hours(2), "to": now + TimeDelta::hours(1)});
    for expected in [ids.len(), 0] {
        let replayed = client.post(&format!("/integration/{id}/replay"), period.clone()).await.expect(202);
        assert_eq!(replayed["deliveries"], expected);
    }
    deliver(test).await;
    let mut again: Vec<_> = endpoint.take().into_iter().map(|delivery| delivery.id).collect();
    again.sort();
    assert_eq!(again, ids);
}
