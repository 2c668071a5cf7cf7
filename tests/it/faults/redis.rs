//! Redis is emptied, killed, hangs, and goes back in time.

use crate::{
    app::TestApp,
    database::Database,
    field::Order,
    load::{Load, Told},
    pair::{BACK_WITHIN, Pair, becomes},
    stores::{Stores, Which},
    world,
};
use deadpool_redis::redis::{AsyncCommands, Client, InfoDict, cmd};
use std::{path::Path, process::Command};

#[tokio::test(flavor = "multi_thread")]
async fn emptied_again_and_again() {
    let stores = Stores::start().await;
    let pair = Pair::start(&stores, 8).await;
    let load = Load::start(&pair, 5).await;
    let mut redis = pair.redis().await;
    let mut scripts = redis.clone();
    let emptying = tokio::spawn(async move {
        loop {
            cmd("FLUSHALL").exec_async(&mut redis).await.unwrap();
        }
    });
    let mut told = Vec::new();
    for _ in 0..10 {
        // Whoever is let in by an empty Redis meets the journal.
        let code = pair.voucher("discount", 100, Some(1)).await;
        let orders: Vec<_> = (0..8).map(|device| pair.order(&code, device, "7")).collect();
        let refusals = pair.at_once(orders.clone()).await.into_iter().map(|heard| heard.redeemed().err());
        let answers: Vec<_> =
            orders.into_iter().zip(refusals).map(|(order, refusal)| Told { order, refusal }).collect();
        assert_eq!(answers.iter().filter(|told| told.refusal.is_none()).count(), 1, "{answers:?}");
        told.extend(answers);
        cmd("SCRIPT").arg("FLUSH").exec_async(&mut scripts).await.unwrap();
        load.goes_on().await;
    }
    emptying.abort();
    told.extend(load.finish().await);
    pair.assert_true(&told).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_and_started_again() {
    let stores = Stores::start().await;
    let pair = Pair::start(&stores, 8).await;
    let load = Load::start(&pair, 6).await;
    stores.kill(Which::Redis);
    load.goes_on().await;
    for server in &pair.servers {
        pair.wait_for(server, "degraded").await;
    }
    load.goes_on().await;
    stores.restart();
    for server in &pair.servers {
        pair.wait_for(server, "full").await;
    }
    load.goes_on().await;
    pair.assert_true(&load.finish().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn not_answering_for_a_while() {
    let stores = Stores::start().await;
    let pair = Pair::start(&stores, 8).await;
    let info: InfoDict = cmd("INFO").query_async(&mut pair.redis().await).await.unwrap();
    let process: u32 = info.get("process_id").unwrap();
    let signal = |name: &str| {
        assert!(Command::new("kill").arg(name).arg(process.to_string()).status().unwrap().success());
    };
    let code = pair.voucher("discount", 100, Some(1)).await;
    assert_eq!(pair.field.validate(0, &code, &pair.devices[7], None).await.unwrap().json()["valid"], true);
    let load = Load::start(&pair, 7).await;
    signal("-STOP");
    load.goes_on().await;
    for server in &pair.servers {
        pair.wait_for(server, "degraded").await;
    }
    for server in 0..2 {
        let heard = pair.field.validate(server, &code, &pair.devices[7], Some(300)).await.unwrap();
        assert_eq!(heard.json()["valid"], true, "{}", heard.body);
    }
    load.goes_on().await;
    signal("-CONT");
    for server in &pair.servers {
        pair.wait_for(server, "full").await;
    }
    load.goes_on().await;
    pair.assert_true(&load.finish().await).await;
    // A lock that was given meanwhile is known to Redis, too.
    becomes("Redis knows of the lock", async || {
        let heard = pair.field.validate(1, &code, &pair.devices[6], None).await.unwrap();
        heard.json()["reason"] == "locked"
    })
    .await;
    let stranger = pair.field.redeem(0, &pair.order(&code, 6, "7")).await;
    assert_eq!(stranger.redeemed(), Err("locked".to_owned()));
    assert_eq!(pair.field.redeem(1, &pair.order(&code, 7, "7")).await.redeemed(), Ok(100));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_voucher_as_it_was_before_it_was_spent() {
    let database = Database::new().await;
    let pair = Pair::start(&database, 4).await;
    let mut redis = pair.redis().await;
    let spent = pair.voucher("discount", 100, Some(1)).await;
    let gift = pair.voucher("gift", 1000, None).await;
    let pay = |device: usize, amount: i64| Order { demand: Some(amount), ..pair.order(&gift, device, "7") };
    for code in [&spent, &gift] {
        assert_eq!(pair.field.validate(0, code, &pair.devices[0], None).await.unwrap().status, 200);
    }
    let mut dumps = Vec::new();
    for code in [&spent, &gift] {
        let dump: Vec<u8> = cmd("DUMP").arg(pair.redis_key(code)).query_async(&mut redis).await.unwrap();
        dumps.push((pair.redis_key(code), dump));
    }
    assert_eq!(pair.field.redeem(0, &pair.order(&spent, 0, "7")).await.redeemed(), Ok(100));
    assert_eq!(pair.field.redeem(0, &pay(0, 900)).await.redeemed(), Ok(100));
    pair.assert_settled().await;

    for (key, dump) in &dumps {
        cmd("RESTORE").arg(key).arg(0).arg(&dump[..]).arg("REPLACE").exec_async(&mut redis).await.unwrap();
    }
    let late = pair.field.redeem(1, &pair.order(&spent, 1, "7")).await;
    assert_eq!(late.redeemed(), Err("redemption_limit_reached".to_owned()));
    assert_eq!(pair.field.redeem(1, &pay(1, 101)).await.redeemed(), Err("insufficient_balance".to_owned()));
    pair.assert_settled().await;

    // What there is left can be spent, and then Redis is right again as well.
    let (key, dump) = &dumps[1];
    cmd("RESTORE").arg(key).arg(0).arg(&dump[..]).arg("REPLACE").exec_async(&mut redis).await.unwrap();
    assert_eq!(pair.field.redeem(1, &pay(2, 40)).await.redeemed(), Ok(60));
    pair.assert_settled().await;
    let heard = pair.field.validate(0, &gift, &pair.devices[0], None).await.unwrap();
    assert_eq!(heard.json()["voucherValue"], 60);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_code_that_cannot_be_written_holds_up_no_other() {
    let test = TestApp::new().await;
    assert!(test.app.ready(BACK_WITHIN).await);
    let codes: Vec<String> = (0..20).map(|number| format!("00000-BACKLOG-{number}")).collect();
    sqlx::query(
        "WITH c AS (INSERT INTO campaign (user_group, name, total_vouchers, type, voucher_value, status, status_wanted) \
                    VALUES ($1, 'Summer', 0, 'discount', 100, 'active', 'active') RETURNING id) \
         INSERT INTO voucher (id, campaign, code, key, generated, inherits) \
         SELECT gen_random_uuid(), id, code, code, false, true FROM c, unnest($2::text[]) AS code",
    )
    .bind(world::A)
    .bind(&codes)
    .execute(&test.app.db)
    .await
    .unwrap();
    let client = Client::open(crate::database::url("SCRIP_TEST_REDIS_URL")).unwrap();
    let mut redis = client.get_multiplexed_async_connection().await.unwrap();
    let key = |code: &str| format!("{}:v:{{{code}}}", test.app.config.redis_prefix);
    // Nothing that a server asks of this key is done.
    redis.set::<_, _, ()>(key(&codes[0]), "no hash").await.unwrap();
    drop(test.app.reconcile.watch(&codes[0]));
    becomes("the others are put right", async || {
        let mut there = 0;
        for code in &codes[1..] {
            if test.app.hot.read(code).await.is_ok_and(|copies| !copies.copies.is_empty()) {
                there += 1;
            } else {
                // Again and again: a copy goes when its row is heard of.
                drop(test.app.reconcile.watch(code));
            }
        }
        there == codes.len() - 1
    })
    .await;
    redis.del::<_, ()>(key(&codes[0])).await.unwrap();
    becomes("and that one as soon as it can be", async || {
        test.app.hot.read(&codes[0]).await.is_ok_and(|copies| !copies.copies.is_empty())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn all_of_it_as_it_was_before() {
    let stores = Stores::start().await;
    let pair = Pair::start(&stores, 2).await;
    let mut redis = pair.redis().await;
    let campaign = pair.campaign("discount", 100, Some(1)).await;
    let codes = pair.vouchers(campaign, 8).await;
    for code in &codes {
        assert_eq!(pair.field.validate(0, code, &pair.devices[0], None).await.unwrap().status, 200);
    }
    for code in &codes {
        assert!(redis.exists::<_, bool>(pair.redis_key(code)).await.unwrap(), "{code} is loaded");
    }
    let (_, directory): (String, String) =
        cmd("CONFIG").arg("GET").arg("dir").query_async(&mut redis).await.unwrap();
    let then = tempfile::tempdir().unwrap();
    copy(&Path::new(&directory).join("appendonlydir"), then.path());
    for code in &codes {
        assert_eq!(pair.field.redeem(0, &pair.order(code, 0, "7")).await.redeemed(), Ok(100));
    }
    let epoch = async || {
        sqlx::query_scalar::<_, i64>("SELECT epoch FROM hot_epoch").fetch_one(&pair.db).await.unwrap()
    };
    let before = epoch().await;

    stores.kill(Which::Redis);
    copy(then.path(), &Path::new(&directory).join("appendonlydir"));
    stores.restart();
    for server in &pair.servers {
        pair.wait_for(server, "full").await;
    }
    becomes("what Redis holds is known to be worthless", async || epoch().await > before).await;
    for (number, code) in codes.iter().enumerate() {
        let heard = pair.field.validate(number, code, &pair.devices[1], Some(30)).await.unwrap();
        assert_eq!(heard.json()["reason"], "redemption_limit_reached", "{}", heard.body);
        let late = pair.field.redeem(number, &pair.order(code, 1, "7")).await;
        assert_eq!(late.redeemed(), Err("redemption_limit_reached".to_owned()));
        assert_eq!(pair.count(code).await, 1);
    }
    pair.assert_settled().await;
}

/// Makes a folder hold the files of another, and nothing else.
fn copy(from: &Path, to: &Path) {
    for file in std::fs::read_dir(to).unwrap() {
        std::fs::remove_file(file.unwrap().path()).unwrap();
    }
    for file in std::fs::read_dir(from).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), to.join(file.file_name())).unwrap();
    }
}
