//! Commits have to be on a synchronous standby, and that is gone: what is acknowledged survives the primary,
//! and waiting has an end.

use crate::{
    field::{Heard, Order},
    pair::{Pair, becomes},
    stores::{Stores, Which, standby_has_all},
};
use sqlx::{AssertSqlSafe, PgPool};
use std::time::{Duration, Instant};

/// The deadline of a redemption.
const DEADLINE_MS: &str = "3000";

/// No answer takes longer: the second that is promised beyond the deadline, and one for a busy machine.
const ANSWERED_WITHIN: Duration = Duration::from_secs(5);

/// Two servers on a Postgres whose commits wait for its standby.
async fn replicated(stores: &Stores) -> Pair {
    let deadline = [("SCRIP_REDEEM_DEADLINE_MS", DEADLINE_MS)];
    let pair = Pair::start_with(stores, 8, [&deadline, &deadline]).await;
    stores.standby();
    set_synchronous(&pair.db, "'ANY 1 (standby)'").await;
    for server in &pair.servers {
        says(server, "replicated").await;
    }
    pair
}

async fn set_synchronous(db: &PgPool, names: &str) {
    let statement = format!("ALTER SYSTEM SET synchronous_standby_names = {names}");
    sqlx::query(AssertSqlSafe(statement)).execute(db).await.unwrap();
    sqlx::query("SELECT pg_reload_conf()").execute(db).await.unwrap();
}

/// Waits until a server says that acknowledged redemptions are as durable as this.
async fn says(server: &crate::server::Server, durability: &str) {
    becomes(&format!("durability is {durability}"), async || {
        let health = server.get("/health/ready", "").await;
        health.is_some_and(|(status, health)| status == 200 && health["durability"] == durability)
    })
    .await;
}

async fn redeem_in_time(pair: &Pair, server: usize, order: &Order) -> Heard {
    let started = Instant::now();
    let heard = pair.field.redeem_once(server, order).await.expect("an answer");
    assert!(started.elapsed() < ANSWERED_WITHIN, "it took {:?}", started.elapsed());
    heard
}

/// Ends the waits of all commits for the standby, by one of Postgres' functions; returns how many there were.
async fn end_waits(db: &PgPool, how: &str) -> i64 {
    let statement = format!(
        "SELECT count({how}(pid)) FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND pid <> pg_backend_pid()"
    );
    sqlx::query_scalar(AssertSqlSafe(statement)).fetch_one(db).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn waiting_for_the_standby_has_an_end_and_is_over_when_it_is_back() {
    let stores = Stores::start().await;
    let pair = replicated(&stores).await;
    let (first, second) =
        (pair.voucher("discount", 100, Some(1)).await, pair.voucher("discount", 100, None).await);
    assert_eq!(pair.field.redeem(0, &pair.order(&first, 0, "7")).await.redeemed(), Ok(100));

    stores.freeze(Which::Standby);
    let order = pair.order(&second, 0, "8");
    for _ in 0..2 {
        for server in 0..2 {
            redeem_in_time(&pair, server, &order).await.expect_unavailable();
        }
    }
    for server in &pair.servers {
        says(server, "reduced").await;
        let (_, health) = server.get("/health/ready", "").await.unwrap();
        assert_eq!(health["service"], "degraded");
    }
    // What promises nothing goes on; and what has long been confirmed is as unsure as the rest.
    let heard = pair.field.validate(0, &second, &pair.devices[1], None).await.unwrap();
    assert_eq!(heard.json()["valid"], true);
    redeem_in_time(&pair, 1, &pair.order(&first, 0, "7")).await.expect_unavailable();
    let waiting: i64 =
        sqlx::query_scalar("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'")
            .fetch_one(&pair.db)
            .await
            .unwrap();
    assert!(waiting < 40, "{waiting} backends wait: each attempt leaves one behind");

    stores.thaw(Which::Standby);
    for server in &pair.servers {
        says(server, "replicated").await;
    }
    assert_eq!(pair.field.redeem(0, &order).await.redeemed(), Ok(100));
    assert_eq!(pair.field.redeem(1, &pair.order(&first, 0, "7")).await.redeemed(), Ok(100));
    assert_eq!(pair.count(&second).await, 1);
    // Otherwise nobody could stop it in an orderly way.
    set_synchronous(&pair.db, "''").await;
    pair.assert_settled().await;
}

/// A redemption that no standby has becomes visible because someone ends its wait; then the primary is lost.
async fn is_acknowledged_by_nobody(how: &str) {
    let stores = Stores::start().await;
    let pair = replicated(&stores).await;
    let code = pair.voucher("discount", 100, Some(1)).await;
    standby_has_all(&pair.db).await;
    stores.stop(Which::Standby);
    let order = pair.order(&code, 0, "7");
    let meanwhile = async {
        becomes("a commit waits and is let go", async || {
            let ended = end_waits(&pair.db, how).await;
            ended > 0 && pair.count(&code).await == 1
        })
        .await;
    };
    let (heard, ()) = tokio::join!(redeem_in_time(&pair, 0, &order), meanwhile);
    heard.expect_unavailable();
    for server in [1, 0, 1] {
        redeem_in_time(&pair, server, &order).await.expect_unavailable();
        end_waits(&pair.db, how).await;
    }
    assert_eq!(pair.count(&code).await, 1, "it can be read all the while");

    stores.fail_over();
    for server in &pair.servers {
        pair.wait_for(server, "full").await;
    }
    assert_eq!(pair.count(&code).await, 0, "and is lost");
    let other = pair.order(&code, 1, "8");
    assert_eq!(pair.field.redeem(1, &other).await.redeemed(), Ok(100));
    let late = pair.field.redeem(0, &order).await;
    assert_eq!(late.redeemed(), Err("redemption_limit_reached".to_owned()));
    assert_eq!(pair.count(&code).await, 1);
    pair.assert_settled().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_whose_backend_was_ended_while_it_waited_is_not_acknowledged() {
    is_acknowledged_by_nobody("pg_terminate_backend").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_whose_wait_was_cancelled_is_not_acknowledged() {
    is_acknowledged_by_nobody("pg_cancel_backend").await;
}
