//! A server shows from then on what it has answered; another server does within a second.

use super::{Made, Shop, path};
use crate::{app::TestApp, client::Client, pair::becomes, world};
use futures_util::future::join_all;
use scrip::app::App;
use serde_json::{Value, json};
use std::sync::atomic::{AtomicBool, Ordering};

const DEVICE: &str = "vm-a-1";
const ROUNDS: i64 = 20;

/// Two servers whose machines ask often.
async fn shop() -> Shop {
    let server = TestApp::builder().stopped_at("2026-06-01T10:00:00Z").config(|config| {
        config.guesses_per_device_per_minute = 1_000_000;
        config.guesses_per_key_per_minute = 1_000_000;
    });
    Shop::on(server).await.with_redis().await
}

async fn validate(client: &Client, code: &str) -> Value {
    client.post(&path(code, "validate"), json!({"deviceId": DEVICE})).await.expect(200)
}

#[tokio::test]
async fn a_new_voucher_is_meant_from_its_answer_on() {
    let shop = shop().await;
    let campaigns = [shop.campaign(world::A, json!({})).await, shop.campaign(world::A, json!({})).await];
    for round in 0..ROUNDS {
        let code = format!("SHARED-{round}");
        let first = shop.voucher(campaigns[0], json!({"code": code, "expiresOn": "2026-12-31"})).await;
        assert_eq!(shop.validate(DEVICE, &code).await["voucherId"], first.id);
        let second = shop.voucher(campaigns[1], json!({"code": code, "expiresOn": "2026-11-30"})).await;
        assert_eq!(shop.validate(DEVICE, &code).await["voucherId"], second.id, "round {round}");
        assert_eq!(shop.redeem(DEVICE, &code, "1").await["voucherId"], second.id);
    }
}

/// A change by someone who may do everything, and the verdict that must follow from it.
struct Change<'a> {
    method: &'a str,
    path: String,
    body: Value,
    valid: bool,
}

async fn make(client: &Client, change: &Change<'_>) {
    let reply = match change.method {
        "PUT" => client.put(&change.path, change.body.clone()).await,
        "PATCH" => client.patch(&change.path, change.body.clone()).await,
        "POST" => client.post(&change.path, change.body.clone()).await,
        _ => client.delete(&change.path).await,
    };
    assert!(reply.status.is_success(), "{} {}: {}", change.method, change.path, reply.text());
}

#[tokio::test]
async fn every_change_is_seen_by_the_server_that_answered_it() {
    let shop = shop().await;
    let (second, owner_there) = shop.second_server().await;
    let root = shop.test.user("root").await;
    let rules = |field: &str, value: &str| json!([{"field": field, "value": value}]);
    let change = |method, path: String, body, valid| Change { method, path, body, valid };
    let made = shop.made(json!({})).await;
    let voucher = format!("/voucher/{}", made.id);
    let campaign = format!("/campaign/{}", made.campaign);
    let of_campaign = format!("{campaign}/validationrules");
    let patch = |more: Value| {
        let mut body = json!({"campaign": made.campaign});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    let replacement = |more: Value| {
        let mut body = patch(json!({"type": "discount", "value": 100, "validationRules": []}));
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    let machine = "/machine/21".to_owned();
    let changes = [
        change("PATCH", voucher.clone(), patch(json!({"status": "inactive"})), false),
        change("PATCH", voucher.clone(), patch(json!({"status": "active"})), true),
        change("PUT", campaign.clone(), json!({"status": "inactive"}), false),
        change("PUT", campaign.clone(), json!({"status": "active"}), true),
        change("PUT", campaign.clone(), json!({"startsOn": "2026-06-02"}), false),
        change("PUT", campaign.clone(), json!({"startsOn": null}), true),
        change("PUT", voucher.clone(), replacement(json!({"startsOn": "2026-06-02"})), false),
        change("PUT", voucher.clone(), replacement(json!({})), true),
        change("PUT", of_campaign.clone(), rules("machine", "22"), false),
        change("PUT", of_campaign.clone(), rules("machineType", "2"), false),
        change("PUT", machine.clone(), json!({"machineType": 2}), true),
        change("PUT", machine.clone(), json!({"machineType": 1}), false),
        change("PUT", of_campaign.clone(), rules("location", "3"), false),
        change("PUT", machine.clone(), json!({"location": 3}), true),
        change("PUT", machine.clone(), json!({"location": 2}), false),
        change("PUT", of_campaign.clone(), rules("locationExternalRef", "here"), false),
        change("PUT", "/location/2".to_owned(), json!({"externalRef": "here"}), true),
        change("PUT", "/location/2".to_owned(), json!({"externalRef": "there"}), false),
        change("PUT", of_campaign.clone(), rules("machineGroup", "2"), true),
        change("PUT", "/machinegroup/2".to_owned(), json!({"machines": []}), false),
        change("PUT", "/machinegroup/2".to_owned(), json!({"machines": [21]}), true),
        change("PUT", of_campaign.clone(), rules("locationGroup", "2"), true),
        change("PUT", "/locationgroup/2".to_owned(), json!({"locations": []}), false),
        change("PUT", "/locationgroup/2".to_owned(), json!({"locations": [2]}), true),
    ];
    for change in &changes {
        for client in [&shop.owner, &owner_there] {
            // Both keep in mind how it is.
            validate(client, &made.code).await;
        }
        make(&root, change).await;
        let answers = join_all((0..4).map(|_| validate(&shop.owner, &made.code))).await;
        for answer in answers {
            assert_eq!(answer["valid"], change.valid, "{} {}: {answer}", change.path, change.body);
        }
        becomes("the other server knows", async || {
            validate(&owner_there, &made.code).await["valid"] == change.valid
        })
        .await;
    }
    root.delete(&campaign).await.expect(200);
    let body = json!({"deviceId": DEVICE});
    shop.owner.post(&path(&made.code, "validate"), body).await.expect(404);
    second.stop.cancel();
}

#[tokio::test]
async fn a_key_or_a_user_is_shut_out_from_the_answer_on() {
    let shop = shop().await;
    let made = shop.made(json!({})).await;
    let root = shop.test.user("root").await;
    for _ in 0..5 {
        let key =
            root.post("/apikey", json!({"name": "till", "scopes": ["voucher.redeem"]})).await.expect(201);
        let caller = shop.test.bearer(key["key"].as_str().unwrap());
        assert_eq!(validate(&caller, &made.code).await["valid"], true);
        root.delete(&format!("/apikey/{}", key["id"])).await;
        caller.post(&path(&made.code, "validate"), json!({"deviceId": DEVICE})).await.expect(401);
    }
}

/// Validates at a server until told to stop, as many at once as a queue of customers.
async fn keep_asking(client: &Client, made: &Made, stop: &AtomicBool) {
    while !stop.load(Ordering::SeqCst) {
        join_all((0..3).map(|_| validate(client, &made.code))).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_change_is_seen_however_many_ask_meanwhile() {
    let shop = shop().await;
    let (second, owner_there) = shop.second_server().await;
    let made = shop.made(json!({"value": 1_000})).await;
    let changed = AtomicBool::new(false);
    let change = async {
        for round in 0..ROUNDS {
            shop.amend(&made, json!({"value": round})).await;
            for _ in 0..4 {
                let seen = shop.validate(DEVICE, &made.code).await;
                assert_eq!(seen["voucherValue"], round, "round {round}");
            }
        }
        becomes("the other server knows", async || {
            validate(&owner_there, &made.code).await["voucherValue"] == ROUNDS - 1
        })
        .await;
        changed.store(true, Ordering::SeqCst);
    };
    tokio::join!(
        change,
        keep_asking(&shop.owner, &made, &changed),
        keep_asking(&owner_there, &made, &changed),
        keep_asking(&owner_there, &made, &changed)
    );
    second.stop.cancel();
}

/// Ends every connection that listens for notices; returns how many there were.
async fn cut_off(app: &App) -> i64 {
    sqlx::query_scalar(
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
         WHERE datname = current_database() AND query IN ('LISTEN \"scrip\"', $1)",
    )
    .bind("SELECT 'listening'")
    .fetch_one(&app.db)
    .await
    .unwrap()
}

#[tokio::test]
async fn a_change_is_seen_by_a_server_that_hears_nothing() {
    let shop = shop().await;
    let made = shop.made(json!({"value": 1_000})).await;
    for round in 0..3 {
        shop.validate(DEVICE, &made.code).await;
        becomes("it is cut off", async || cut_off(shop.app()).await > 0).await;
        shop.amend(&made, json!({"value": round})).await;
        assert_eq!(shop.validate(DEVICE, &made.code).await["voucherValue"], round);
    }
}

#[tokio::test]
async fn what_was_changed_while_redis_was_cut_off_is_not_found_there() {
    let shop = shop().await;
    let made = shop.made(json!({"value": 1_000})).await;
    shop.validate(DEVICE, &made.code).await;
    // Its only way to Redis is lost, and made anew at once.
    for round in 0..5 {
        shop.app().hot.distrust();
        shop.amend(&made, json!({"value": round})).await;
        assert_eq!(shop.validate(DEVICE, &made.code).await["voucherValue"], round);
        becomes("Redis is there", async || shop.app().hot.is_up()).await;
        assert_eq!(shop.validate(DEVICE, &made.code).await["voucherValue"], round);
    }
}
