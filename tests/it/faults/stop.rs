//! A server is asked to stop, or made to, while it is busy.

use crate::{
    database::Database,
    load::Load,
    pair::{Pair, becomes},
};
use deadpool_redis::redis::AsyncCommands;
use scrip::redemption::hot::Copy;
use tokio::{net::TcpStream, task::JoinSet};

#[tokio::test(flavor = "multi_thread")]
async fn what_it_has_accepted_is_answered() {
    const ORDERS: usize = 20;
    let database = Database::new().await;
    let patient = [("SCRIP_JOURNAL_LOCK_WAIT_MS", "8000"), ("SCRIP_REDEEM_DEADLINE_MS", "9000")];
    let mut pair = Pair::start_with(&database, 1, [&patient, &[]]).await;
    let code = pair.voucher("discount", 100, None).await;
    let mut holding = scrip::transaction::begin(&pair.db).await.unwrap();
    sqlx::query("SELECT id FROM voucher WHERE code = $1 FOR UPDATE")
        .bind(&code)
        .execute(&mut *holding)
        .await
        .unwrap();
    let mut asking = JoinSet::new();
    for number in 0..ORDERS {
        let (field, order) = (pair.field.clone(), pair.order(&code, 0, &number.to_string()));
        asking.spawn(async move { (field.redeem_once(0, &order).await, order) });
    }
    let mut redis = pair.redis().await;
    let key = pair.redis_key(&code);
    becomes("all are reserved", async || {
        let fields: Vec<(Vec<u8>, Vec<u8>)> = redis.hgetall(&key).await.unwrap();
        let copies = Copy::unpack_all(&fields).unwrap_or_default();
        copies.iter().map(|copy| copy.pending as usize).sum::<usize>() == ORDERS
    })
    .await;

    pair.servers[0].terminate();
    let address = pair.servers[0].url("").replace("http://", "");
    becomes("nobody new is let in", async || TcpStream::connect(&address).await.is_err()).await;
    holding.rollback().await.unwrap();
    for (heard, order) in asking.join_all().await {
        let heard = heard.unwrap();
        assert_eq!(heard.redeemed(), Ok(100));
        assert_eq!(pair.field.redeem(1, &order).await, heard);
    }
    assert!(tokio::task::block_in_place(|| pair.servers[0].stop()), "it ends well");
    assert_eq!(pair.count(&code).await, ORDERS as i64);
    pair.assert_settled().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_goes_on_answering_until_balancers_have_heard_of_it() {
    let database = Database::new().await;
    // Longer than any test: the second signal ends it.
    let mut pair = Pair::start_with(&database, 2, [&[("SCRIP_STOP_DELAY_S", "3600")], &[]]).await;
    let code = pair.voucher("discount", 100, None).await;
    let kept = reqwest::Client::new();
    assert_eq!(kept.get(pair.servers[0].url("/health/ready")).send().await.unwrap().status(), 200);

    pair.servers[0].terminate();
    pair.wait_for(&pair.servers[0], "stopping").await;
    let ready = kept.get(pair.servers[0].url("/health/ready")).send().await.unwrap();
    assert_eq!(ready.status(), 503);
    assert_eq!(ready.headers()["connection"], "close", "who is connected is to connect elsewhere");
    for number in 0..4 {
        let order = pair.order(&code, 0, &number.to_string());
        let new = reqwest::Client::new().get(pair.servers[0].url("/health/live")).send().await.unwrap();
        assert_eq!(new.status(), 200);
        assert_eq!(pair.field.redeem_once(0, &order).await.unwrap().redeemed(), Ok(100));
    }
    assert!(tokio::task::block_in_place(|| pair.servers[0].stop()), "it ends well");
    let address = pair.servers[0].url("").replace("http://", "");
    assert!(TcpStream::connect(&address).await.is_err());
    pair.assert_settled().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_answered_is_in_the_log() {
    const MACHINES: usize = 4;
    let database = Database::new().await;
    let mut pair = Pair::start(&database, 8).await;
    let code = pair.voucher("discount", 100, Some(1)).await;
    let load = Load::start(&pair, 8).await;
    let mut asking = JoinSet::new();
    for number in 0..MACHINES {
        let (field, code, device) = (pair.field.clone(), code.clone(), pair.devices[number].clone());
        asking.spawn(async move {
            let mut answered = 0;
            while let Some(heard) = field.validate(0, &code, &device, None).await {
                assert_eq!(heard.status, 200, "{}", heard.body);
                answered += 1;
            }
            answered
        });
    }
    load.goes_on().await;
    assert!(tokio::task::block_in_place(|| pair.servers[0].stop()), "it ends well");
    let answered: i64 = asking.join_all().await.iter().sum();
    let logged: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM voucher_log_entry l JOIN voucher v ON v.id = l.voucher \
         WHERE v.code = $1 AND l.action = 'validate' AND l.success",
    )
    .bind(&code)
    .fetch_one(&pair.db)
    .await
    .unwrap();
    assert!(answered > 0);
    let unheard = logged - answered;
    assert!((0..=MACHINES as i64).contains(&unheard), "{answered} answered, {logged} in the log");
    load.goes_on().await;
    pair.assert_true(&load.finish().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_server_after_the_other_under_load() {
    let database = Database::new().await;
    let mut pair = Pair::start(&database, 8).await;
    let load = Load::start(&pair, 9).await;
    for round in 0..6 {
        pair.servers[round % 2].kill();
        load.goes_on().await;
        pair.servers[round % 2].restart().await;
        load.goes_on().await;
    }
    pair.assert_true(&load.finish().await).await;
}
