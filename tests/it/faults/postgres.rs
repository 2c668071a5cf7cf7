//! Postgres is killed, hangs up, loses answers, and is kept waiting by others.

use super::proxy::{Fate, Proxy};
use crate::{
    database::Database,
    load::Load,
    pair::{Pair, Place},
    stores::{Stores, Which},
};
use rand::{RngExt, SeedableRng, rngs::StdRng};

#[tokio::test(flavor = "multi_thread")]
async fn killed_and_started_again() {
    let stores = Stores::start().await;
    let pair = Pair::start(&stores, 8).await;
    let code = pair.voucher("discount", 100, Some(1)).await;
    let other = pair.voucher("discount", 100, Some(1)).await;
    let device = &pair.devices[7];
    for server in 0..2 {
        let heard = pair.field.validate(server, &code, device, None).await.unwrap();
        assert_eq!(heard.json()["valid"], true);
    }
    let load = Load::start(&pair, 1).await;

    stores.kill(Which::Postgres);
    for server in 0..2 {
        pair.field.redeem_once(server, &pair.order(&other, 7, "7")).await.unwrap().expect_unavailable();
        for lock_s in [None, Some(30)] {
            let heard = pair.field.validate(server, &code, device, lock_s).await.unwrap();
            assert_eq!((heard.status, &heard.json()["valid"]), (200, &true.into()), "{}", heard.body);
        }
        pair.wait_for(&pair.servers[server], "unavailable").await;
        let heard = pair.field.validate(server, &code, device, None).await.unwrap();
        assert_eq!((heard.status, &heard.json()["valid"]), (200, &true.into()), "{}", heard.body);
    }
    stores.restart();

    for server in &pair.servers {
        pair.wait_for(server, "full").await;
    }
    load.goes_on().await;
    pair.assert_true(&load.finish().await).await;
    for code in [&code, &other] {
        assert_eq!(pair.field.redeem(0, &pair.order(code, 7, "7")).await.redeemed(), Ok(100));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn hanging_up_again_and_again() {
    let database = Database::new().await;
    let pair = Pair::start(&database, 8).await;
    let load = Load::start(&pair, 2).await;
    for _ in 0..10 {
        sqlx::query(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
             WHERE datname = current_database() AND application_name = 'scrip'",
        )
        .execute(&pair.db)
        .await
        .unwrap();
        load.goes_on().await;
    }
    pair.assert_true(&load.finish().await).await;
}

/// Servers of which the first reaches Postgres by way of a proxy.
async fn behind_a_proxy(database: &Database, marker: &'static str) -> (Proxy, Pair) {
    let proxy = Proxy::start(&database.url, marker).await;
    let pair = Pair::start_with(Place::from(database), 8, [&[("DATABASE_URL", &proxy.url)], &[]]).await;
    (proxy, pair)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_whose_answer_is_lost() {
    let database = Database::new().await;
    let (proxy, pair) = behind_a_proxy(&database, "order-lost").await;
    for fate in [Fate::AnswerLost, Fate::RequestLost] {
        let code = pair.voucher("discount", 100, None).await;
        let order = pair.order(&code, 0, "order-lost");
        proxy.next([fate]);
        let heard = pair.field.redeem_once(0, &order).await;
        assert_eq!(proxy.to_come(), 0, "the statement has met its fate");
        let again = pair.field.redeem(1, &order).await;
        assert_eq!(again.redeemed(), Ok(100));
        match heard.unwrap() {
            heard if heard.status == 200 => assert_eq!(heard, again, "{fate:?}"),
            heard => heard.expect_unavailable(),
        }
        assert_eq!(pair.field.redeem(0, &order).await, again);
        assert_eq!(pair.count(&code).await, 1);
    }
    pair.assert_settled().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn losing_statements_and_answers_at_random() {
    let database = Database::new().await;
    let (proxy, pair) = behind_a_proxy(&database, "load-").await;
    let mut random = StdRng::seed_from_u64(3);
    let fates = [Fate::Delivered, Fate::Delivered, Fate::RequestLost, Fate::AnswerLost];
    proxy.next((0..60).map(|_| fates[random.random_range(0..fates.len())]));
    let load = Load::start(&pair, 3).await;
    while proxy.to_come() > 0 {
        load.goes_on().await;
    }
    load.goes_on().await;
    pair.assert_true(&load.finish().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_someone_else_holds() {
    let database = Database::new().await;
    let pair = Pair::start(&database, 8).await;
    let held = pair.voucher("discount", 100, Some(1)).await;
    let load = Load::start(&pair, 4).await;
    let mut holding = scrip::transaction::begin(&pair.db).await.unwrap();
    sqlx::query("SELECT id FROM voucher WHERE code = $1 FOR UPDATE")
        .bind(&held)
        .execute(&mut *holding)
        .await
        .unwrap();
    let order = pair.order(&held, 7, "7");
    for server in 0..2 {
        pair.field.redeem_once(server, &order).await.unwrap().expect_unavailable();
        load.goes_on().await;
    }
    holding.rollback().await.unwrap();
    let redeemed = pair.field.redeem(0, &order).await;
    assert_eq!(redeemed.redeemed(), Ok(100));
    assert_eq!(pair.count(&held).await, 1);
    let mut told = load.finish().await;
    told.push(crate::load::Told { order, refusal: None });
    pair.assert_true(&told).await;
}
