//! Postgres has another history than what Redis was filled from: a standby was promoted that had not
//! everything, or a backup was put back.

use crate::{
    app::TestApp,
    field::Order,
    pair::{Pair, becomes},
    stores::{Stores, Which},
    world,
};
use deadpool_redis::redis::{AsyncCommands, Client, cmd};
use scrip::redemption::{hot::Copy, verify::verify};
use serde_json::{Value, json};
use std::{path::Path, process::Command};

/// Returns the answers of both servers about a voucher.
async fn validates(pair: &Pair, code: &str) -> [Value; 2] {
    let ask = async |server| pair.field.validate(server, code, &pair.devices[0], None).await.unwrap().json();
    [ask(0).await, ask(1).await]
}

/// Waits until both servers are well again and say that a gift is worth so much.
async fn becomes_worth(pair: &Pair, gift: &str, cents: i64) {
    for server in &pair.servers {
        pair.wait_for(server, "full").await;
    }
    becomes("servers show what there is now", async || shows(pair, gift, cents).await).await;
}

/// Returns `true` if both servers say that a gift is worth so much; the one that has not answered a redemption
/// itself has a second for it.
async fn shows(pair: &Pair, gift: &str, cents: i64) -> bool {
    validates(pair, gift).await.iter().all(|answer| answer["voucherValue"] == cents)
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_in_redis_is_newer_than_a_standby_that_was_promoted() {
    let stores = Stores::start().await;
    let pair = Pair::start(&stores, 8).await;
    let spent = pair.voucher("discount", 100, Some(1)).await;
    let gift = pair.voucher("gift", 1000, None).await;
    let pay = |device: usize, amount: i64| Order { demand: Some(amount), ..pair.order(&gift, device, "7") };
    stores.standby();
    stores.stop(Which::Standby);

    assert_eq!(pair.field.redeem(0, &pair.order(&spent, 0, "7")).await.redeemed(), Ok(100));
    for device in 0..3 {
        pair.field.redeem(device, &pay(device, 100)).await.redeemed().unwrap();
    }
    // Copies of what is about to be lost, with nothing outstanding in them.
    cmd("FLUSHALL").exec_async(&mut pair.redis().await).await.unwrap();
    becomes_worth(&pair, &gift, 700).await;
    for answer in validates(&pair, &spent).await {
        assert_eq!(answer["reason"], "redemption_limit_reached");
    }

    stores.fail_over();
    becomes_worth(&pair, &gift, 1000).await;
    for answer in validates(&pair, &spent).await {
        assert_eq!(answer["valid"], true);
    }
    // Later revisions of before must not come back as those of now catch up with them.
    for (device, amount, left) in [(3, 500, 500), (4, 300, 200), (5, 100, 100), (6, 60, 40)] {
        assert_eq!(pair.field.redeem(device, &pay(device, amount)).await.redeemed(), Ok(left));
        becomes("both servers show what is left", async || shows(&pair, &gift, left).await).await;
    }
    let refused = pair.field.redeem(0, &pay(7, 500)).await;
    assert_eq!(refused.redeemed(), Err("insufficient_balance".to_owned()));
    assert!(shows(&pair, &gift, 40).await);
    assert_eq!(pair.field.redeem(1, &pair.order(&spent, 1, "7")).await.redeemed(), Ok(100));
    pair.assert_settled().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_in_redis_is_newer_than_a_backup_that_was_put_back() {
    let stores = Stores::start().await;
    let pair = Pair::start(&stores, 8).await;
    let gift = pair.voucher("gift", 1000, None).await;
    let pay = |device: usize, amount: i64| Order { demand: Some(amount), ..pair.order(&gift, device, "7") };
    let data: String = sqlx::query_scalar("SHOW data_directory").fetch_one(&pair.db).await.unwrap();
    let backup = format!("{data}.backup");
    stores.stop(Which::Postgres);
    // The same history as far as it goes: no new timeline, no new cluster.
    copy_all(&data, &backup);
    stores.restart();
    for (device, left) in [(0, 900), (1, 800)] {
        assert_eq!(pair.field.redeem(device, &pay(device, 100)).await.redeemed(), Ok(left));
    }
    becomes_worth(&pair, &gift, 800).await;
    stores.stop(Which::Postgres);
    std::fs::remove_dir_all(&data).unwrap();
    copy_all(&backup, &data);
    std::fs::remove_dir_all(&backup).unwrap();
    stores.restart();
    becomes_worth(&pair, &gift, 1000).await;
    assert_eq!(pair.field.redeem(0, &pay(2, 400)).await.redeemed(), Ok(600));
    pair.assert_settled().await;
}

/// Copies a folder as it is: owners, rights and times.
fn copy_all(from: &str, to: &str) {
    let status = Command::new("cp").args(["-a", from, to]).status().unwrap();
    assert!(status.success() && Path::new(to).exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_that_is_newer_than_its_row_is_noticed_and_goes() {
    let test = TestApp::new().await;
    assert!(test.app.ready(crate::pair::BACK_WITHIN).await);
    let machine = test.device(world::A, "vm-a-1").await;
    let key = "00000-NEWER";
    sqlx::query(
        "WITH c AS (INSERT INTO campaign (user_group, name, total_vouchers, type, voucher_value, status, status_wanted) \
                    VALUES ($1, 'Summer', 0, 'gift', 1000, 'active', 'active') RETURNING id) \
         INSERT INTO voucher (id, campaign, code, key, generated, inherits, balance) \
         SELECT gen_random_uuid(), id, $2, $2, false, true, 1000 FROM c",
    )
    .bind(world::A)
    .bind(key)
    .execute(&test.app.db)
    .await
    .unwrap();
    becomes("nobody evicts it any more because it is new", async || {
        let stale: i64 =
            sqlx::query_scalar("SELECT count(*) FROM stale_code").fetch_one(&test.app.db).await.unwrap();
        stale == 0
    })
    .await;
    let validate = async || {
        let asked = machine.post(&format!("/voucher/{key}/validate"), json!({"deviceId": "vm-a-1"})).await;
        asked.expect(200)["voucherValue"].clone()
    };
    assert_eq!(validate().await, 1000);
    assert_eq!(verify(&test.app).await.unwrap().differences, []);

    // As if it had been loaded from a Postgres where 300 was spent.
    let client = Client::open(crate::database::url("SCRIP_TEST_REDIS_URL")).unwrap();
    let mut redis = client.get_multiplexed_async_connection().await.unwrap();
    let hash = format!("{}:v:{{{key}}}", test.app.config.redis_prefix);
    let fields: Vec<(Vec<u8>, Vec<u8>)> = redis.hgetall(&hash).await.unwrap();
    let mut copy = Copy::unpack_all(&fields).unwrap().remove(0);
    (copy.revision, copy.state.balance) = (copy.revision + 3, 700);
    redis.hset::<_, _, _, ()>(&hash, copy.id.as_bytes(), copy.pack()).await.unwrap();
    assert_eq!(validate().await, 700);
    let differences = verify(&test.app).await.unwrap().differences;
    let what: Vec<&str> = differences.iter().map(|difference| difference.what.as_str()).collect();
    assert_eq!(what, ["revision in Redis"]);

    // Whoever puts the code right takes Postgres' word for it.
    drop(test.app.reconcile.watch(key));
    becomes("Redis has what Postgres has", async || verify(&test.app).await.unwrap().differences.is_empty())
        .await;
    assert_eq!(validate().await, 1000);
}

#[tokio::test(flavor = "multi_thread")]
async fn epochs_are_counted_from_time() {
    let test = TestApp::new().await;
    let seconds: i64 = sqlx::query_scalar(
        "SELECT extract(epoch FROM clock_timestamp() - timestamptz '2020-01-01T00:00:00Z')::bigint",
    )
    .fetch_one(&test.app.db)
    .await
    .unwrap();
    let raise = async || scrip::redemption::epoch::raise_in(&test.app.db, 0).await.unwrap();
    // What a Postgres that went back has forgotten is not handed out again.
    sqlx::query("UPDATE hot_epoch SET epoch = 3").execute(&test.app.db).await.unwrap();
    let first = raise().await;
    assert!(i64::from(first) >= seconds);
    assert!(raise().await > first);
    let known = first + 1_000;
    assert_eq!(scrip::redemption::epoch::raise_in(&test.app.db, known).await.unwrap(), known + 1);
}
