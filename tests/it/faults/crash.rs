//! A server dies at each step of a redemption.

use crate::{
    database::Database,
    field::{Heard, Order},
    pair::{PAUSE, Pair, becomes},
};

/// Whether the redemption is committed when the server dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    BeforeCommit,
    AfterCommit,
}

/// Sends an order to the first server, which dies of it; returns the answer, if that got away.
async fn kill_with(pair: &mut Pair, order: &Order) -> Option<Heard> {
    let heard = loop {
        match pair.field.redeem_once(0, order).await {
            // Just started, it may not have its connections yet.
            Some(heard) if heard.status == 503 => tokio::time::sleep(PAUSE).await,
            heard => break heard,
        }
    };
    becomes("the server has died", async || pair.servers[0].has_ended()).await;
    heard
}

/// The first server dies at a point; the second one has to make sense of what is left.
async fn dies_at(point: &str, step: Step) {
    let database = Database::new().await;
    let fail = format!("{point}=return");
    let mut pair = Pair::start_with(&database, 2, [&[("FAILPOINTS", &fail)], &[]]).await;

    // The machine asks again, and is answered as if nothing had happened.
    let asked_again = pair.voucher("discount", 100, Some(1)).await;
    let order = pair.order(&asked_again, 0, "7");
    let first = kill_with(&mut pair, &order).await;
    assert_eq!(pair.count(&asked_again).await, i64::from(step == Step::AfterCommit));
    let again = pair.field.redeem(1, &order).await;
    assert_eq!(again.redeemed(), Ok(100));
    assert!(first.is_none_or(|first| first == again), "two answers to one order");
    let late = pair.field.redeem(1, &pair.order(&asked_again, 1, "7")).await;
    assert_eq!(late.redeemed(), Err("redemption_limit_reached".to_owned()));
    assert_eq!(pair.count(&asked_again).await, 1);

    // The machine does not ask again at first; another one finds the voucher as the journal has it.
    pair.servers[0].restart().await;
    pair.wait_for_redis(0).await;
    let contested = pair.voucher("discount", 100, Some(1)).await;
    let order = pair.order(&contested, 0, "8");
    kill_with(&mut pair, &order).await;
    let other = pair.order(&contested, 1, "8");
    let refused = Err("redemption_limit_reached".to_owned());
    match step {
        Step::BeforeCommit => {
            becomes("what nobody confirms is free again", async || {
                let heard = pair.field.validate(1, &contested, &other.device, Some(30)).await.unwrap();
                heard.json()["valid"] == true
            })
            .await;
            assert_eq!(pair.field.redeem(1, &other).await.redeemed(), Ok(100));
            assert_eq!(pair.field.redeem(1, &order).await.redeemed(), refused);
        }
        Step::AfterCommit => {
            assert_eq!(pair.field.redeem(1, &other).await.redeemed(), refused);
            assert_eq!(pair.field.redeem(1, &order).await.redeemed(), Ok(100));
        }
    }
    assert_eq!(pair.count(&contested).await, 1);

    // Another one redeems at once: nothing in Redis keeps it from that.
    pair.servers[0].restart().await;
    pair.wait_for_redis(0).await;
    let taken = pair.voucher("discount", 100, Some(1)).await;
    let order = pair.order(&taken, 0, "9");
    kill_with(&mut pair, &order).await;
    let at_once = pair.field.redeem(1, &pair.order(&taken, 1, "9")).await.redeemed();
    assert_eq!(at_once, if step == Step::BeforeCommit { Ok(100) } else { refused });

    pair.servers[0].restart_without(&["FAILPOINTS"]).await;
    assert_eq!(pair.field.redeem(0, &pair.order(&asked_again, 0, "7")).await, again);
    pair.assert_settled().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn before_it_is_reserved() {
    dies_at("redeem-before-reserve", Step::BeforeCommit).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn when_it_is_reserved() {
    dies_at("redeem-reserved", Step::BeforeCommit).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn before_it_is_written() {
    dies_at("journal-before-write", Step::BeforeCommit).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn when_it_is_committed() {
    dies_at("journal-after-commit", Step::AfterCommit).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn before_it_is_answered() {
    dies_at("redeem-committed", Step::AfterCommit).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn before_redis_knows() {
    dies_at("redeem-before-settle", Step::AfterCommit).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn before_redis_knows_of_a_rollback() {
    let database = Database::new().await;
    let environment = [("FAILPOINTS", "rollback-committed=return")];
    let mut pair = Pair::start_with(&database, 2, [&environment, &[]]).await;
    let code = pair.voucher("discount", 100, Some(1)).await;
    let order = pair.order(&code, 0, "7");
    assert_eq!(pair.field.redeem(0, &order).await.redeemed(), Ok(100));
    assert_eq!(pair.field.roll_back(0, &order).await, None);
    becomes("the server has died", async || pair.servers[0].has_ended()).await;
    becomes("the voucher is good again", async || {
        let heard = pair.field.validate(1, &code, &pair.devices[1], Some(30)).await.unwrap();
        heard.json()["valid"] == true
    })
    .await;
    assert_eq!(pair.field.roll_back(1, &order).await.unwrap().json()["rolledBack"], true);
    assert_eq!(pair.field.redeem(1, &pair.order(&code, 1, "7")).await.redeemed(), Ok(100));
    assert_eq!(pair.field.redeem(1, &order).await.redeemed(), Err("rolled_back".to_owned()));
    pair.assert_settled().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_carries_the_repetition_of_a_redeem_past_the_end() {
    for (point, step) in [("redeem-reserved", Step::BeforeCommit), ("redeem-committed", Step::AfterCommit)] {
        let database = Database::new().await;
        let fail = format!("{point}=return");
        let mut pair = Pair::start_with(&database, 2, [&[("FAILPOINTS", &fail)], &[]]).await;
        let campaign = pair.campaign("discount", 100, Some(9)).await;
        let code = pair.vouchers(campaign, 1).await.remove(0);
        sqlx::query("UPDATE campaign SET expires_at = now() + interval '2 seconds' WHERE id = $1")
            .bind(campaign)
            .execute(&pair.db)
            .await
            .unwrap();
        let device = pair.devices[0].clone();
        let heard = pair.field.validate(1, &code, &device, Some(60)).await.unwrap();
        assert_eq!(heard.json()["valid"], true);
        becomes("its span is over", async || {
            let heard = pair.field.validate(1, &code, &device, None).await.unwrap();
            heard.json()["reason"] == "expired"
        })
        .await;
        let order = pair.order(&code, 0, "7");
        kill_with(&mut pair, &order).await;
        assert_eq!(pair.count(&code).await, i64::from(step == Step::AfterCommit));
        assert_eq!(pair.field.redeem(1, &order).await.redeemed(), Ok(100));
        let another = pair.order(&code, 0, "8");
        assert_eq!(pair.field.redeem(1, &another).await.redeemed(), Err("expired".to_owned()));
        assert_eq!(pair.count(&code).await, 1);
        pair.assert_settled().await;
    }
}
