//! A code of others is looked for in as many steps as one of nobody, and so is a device.

use super::{Shop, path};
use crate::{
    client::Client,
    tally::{Asked, Tally},
    world,
};
use scrip::http;
use serde_json::{Value, json};

const HERE: &str = "vm-a-1";

/// Whatever else a server asks its stores now and then comes on top: of several, the least is the request's own.
const TIMES: usize = 4;

/// A verb, and its body for a device.
type Verb = (&'static str, fn(&str) -> Value);

/// Each verb, and with a lock.
const ASKED: [Verb; 5] = [
    ("validate", |device| json!({"deviceId": device})),
    ("validate", |device| json!({"deviceId": device, "lockDuration": 30})),
    ("redeem", |device| json!({"deviceId": device, "order": {"id": "1", "amount": 1}})),
    ("release", |device| json!({"deviceId": device})),
    ("rollback", |device| json!({"deviceId": device, "order": {"id": "1"}})),
];

/// The questions that one request takes, answered with this status.
async fn cost(tally: &Tally, client: &Client, path: &str, body: &Value, status: u16) -> Asked {
    let before = tally.asked();
    client.post(path, body.clone()).await.expect(status);
    let after = tally.asked();
    Asked { postgres: after.postgres - before.postgres, redis: after.redis - before.redis }
}

#[tokio::test]
async fn codes_of_others_take_the_steps_of_codes_of_nobody() {
    let shop = Shop::new().await.with_redis().await;
    let campaign = shop.campaign(world::B, json!({})).await;
    // Own codes for first times, and one that is in Redis, with its campaign in memory at one of the servers.
    let mut fresh = Vec::new();
    for number in 0..2 * ASKED.len() * TIMES {
        fresh.push(shop.voucher(campaign, json!({"code": format!("FRESH-{number}")})).await.code);
    }
    let known = shop.voucher(campaign, json!({"code": "KNOWN"})).await.code;
    shop.redeem("vm-b-1", &known, "1").await;

    let mut fresh = fresh.iter();
    // Within the budget of guesses, and once it is used up: only a proof helps then.
    for (guesses, status) in [(1_000_000, 404), (1, 429)] {
        let (app, tally) = Tally::server(shop.app(), guesses).await;
        while !app.journal.is_ready() || !app.hot.is_up() {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        let key = world::key(&app.db, world::A, None, &["voucher.redeem"]).await;
        let client = Client::new(http::surface(app.clone()), Some(key));
        // Statements are prepared once.
        for (verb, body) in ASKED {
            for code in ["NOBODYS", &known] {
                client.post(&path(code, verb), body(HERE)).await;
            }
        }
        for (verb, body) in ASKED {
            let body = body(HERE);
            let mut least = [Asked { postgres: u64::MAX, redis: u64::MAX }; 4];
            // A transaction that comes to nothing is ended when its connection is used next.
            cost(&tally, &client, &path("NOBODYS", verb), &body, status).await;
            for time in 0..TIMES {
                let first = fresh.next().unwrap();
                let codes = [&format!("NOBODY-{time}"), first, first, &known];
                for (least, code) in least.iter_mut().zip(codes) {
                    let cost = cost(&tally, &client, &path(code, verb), &body, status).await;
                    least.postgres = least.postgres.min(cost.postgres);
                    least.redis = least.redis.min(cost.redis);
                }
            }
            assert!(least[0].postgres > 0 || verb == "validate" && status == 429, "{verb}: {least:?}");
            assert!(least.iter().all(|cost| *cost == least[0]), "{verb} {body}: {least:?}");
        }
        app.stop.cancel();
    }
}

#[tokio::test]
async fn devices_of_others_take_the_steps_of_devices_of_nobody() {
    let shop = Shop::new().await.with_redis().await;
    let made = shop.made(json!({})).await;
    let (app, tally) = Tally::server(shop.app(), 1_000_000).await;
    let b = world::machines(&app.db, world::B, 1).await.remove(0);
    for (scopes, bound, status) in [(["voucher.redeem"], None, 422), (["voucher.redeem"], Some(HERE), 403)] {
        let key = world::key(&app.db, world::A, bound, &scopes).await;
        let client = Client::new(http::surface(app.clone()), Some(key));
        for (verb, body) in ASKED {
            let mut least = [u64::MAX; 5];
            let path = path(&made.code, verb);
            client.post(&path, body("nowhere-0")).await.expect(status);
            for _ in 0..3 {
                for (least, device) in least.iter_mut().zip(["nowhere-1", "vm-b-1", "9041", "vm-root-1", &b])
                {
                    let before = tally.asked();
                    let refused = client.post(&path, body(device)).await;
                    refused.expect(status);
                    let after = tally.asked();
                    *least = (*least).min(after.postgres - before.postgres + after.redis - before.redis);
                }
            }
            assert!(least[0] > 0 && least == [least[0]; 5], "{verb} {bound:?}: {least:?}");
        }
    }
    app.stop.cancel();
}
