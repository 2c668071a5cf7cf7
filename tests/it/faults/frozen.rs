//! Postgres says nothing: no answer, and no error either, as a host that lost its power or its network.

use super::proxy::Proxy;
use crate::{
    field::Heard,
    pair::{Pair, Place, becomes},
    stores::{Stores, Which, standby_has_all},
    world,
};
use serde_json::Value;
use std::time::{Duration, Instant};

/// The deadline of a redemption.
const DEADLINE_MS: &str = "4000";

/// No answer takes longer: the second that is promised beyond the deadline, and one for a busy machine.
const ANSWERED_WITHIN: Duration = Duration::from_secs(6);

/// Asks, and sees that the answer comes in time.
async fn in_time(what: &str, asking: impl Future<Output = Option<Heard>>) -> Heard {
    let started = Instant::now();
    let heard = asking.await.unwrap_or_else(|| panic!("no answer: {what}"));
    assert!(started.elapsed() < ANSWERED_WITHIN, "{what} took {:?}", started.elapsed());
    heard
}

/// The state of Postgres as the server reports it.
async fn postgres_of(pair: &Pair, server: usize) -> Value {
    let (_, health) = pair.servers[server].get("/health/ready", "").await.unwrap();
    health["postgres"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_comes_in_time_and_the_way_back_needs_no_restart() {
    let stores = Stores::start().await;
    let deadline = [("SCRIP_REDEEM_DEADLINE_MS", DEADLINE_MS)];
    let pair = Pair::start_with(&stores, 8, [&deadline, &deadline]).await;
    let (known, unknown) =
        (pair.voucher("discount", 100, None).await, pair.voucher("discount", 100, None).await);
    for server in 0..2 {
        let heard = pair.field.validate(server, &known, &pair.devices[0], None).await.unwrap();
        assert_eq!(heard.json()["valid"], true);
    }
    let reader = world::key(&pair.db, world::A, None, &["voucher.read"]).await;
    let rolled_back = pair.order(&known, 0, "rolled-back");
    assert_eq!(pair.field.redeem(0, &rolled_back).await.redeemed(), Ok(100));

    stores.freeze(Which::Postgres);
    // Three rounds: before anybody has noticed, while it is noticed, and afterwards.
    for round in 0..3 {
        let order = |code: &str| pair.order(code, 0, &format!("frozen-{round}"));
        let (of_known, of_unknown) = (order(&known), order(&unknown));
        let lists = || async {
            let (status, _) = pair.servers[1].get("/voucher?limit=1", &reader).await?;
            Some(Heard { status, retry_after: Some(String::new()), body: String::new() })
        };
        let (redeemed, redeemed_unknown, validated, undone, listed) = tokio::join!(
            in_time("a redeem", pair.field.redeem_once(0, &of_known)),
            in_time("a redeem of what nobody has asked for yet", pair.field.redeem_once(1, &of_unknown)),
            in_time("a validate of it", pair.field.validate(0, &unknown, &pair.devices[0], Some(5))),
            in_time("a rollback", pair.field.roll_back(1, &rolled_back)),
            in_time("a list", lists()),
        );
        for heard in [redeemed, redeemed_unknown, validated, undone, listed] {
            heard.expect_unavailable();
        }
        let heard = in_time("a validate", pair.field.validate(0, &known, &pair.devices[0], None)).await;
        assert_eq!((heard.status, &heard.json()["valid"]), (200, &true.into()), "{}", heard.body);
    }
    for (number, server) in pair.servers.iter().enumerate() {
        pair.wait_for(server, "unavailable").await;
        becomes("it says why", async || postgres_of(&pair, number).await["reason"] == "silent").await;
    }

    stores.thaw(Which::Postgres);
    for server in &pair.servers {
        pair.wait_for(server, "full").await;
    }
    for (server, code) in [&known, &unknown].into_iter().enumerate() {
        let order = pair.order(code, 0, "frozen-0");
        assert_eq!(pair.field.redeem(server, &order).await.redeemed(), Ok(100));
        let again = pair.field.redeem(server + 1, &order).await;
        assert_eq!(again.redeemed(), Ok(100));
    }
    let orders: i64 = sqlx::query_scalar("SELECT count(*) FROM redemption WHERE order_id = 'frozen-0'")
        .fetch_one(&pair.db)
        .await
        .unwrap();
    assert_eq!(orders, 2, "each once");
    assert_eq!(pair.field.roll_back(0, &rolled_back).await.unwrap().status, 200);
    pair.assert_settled().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sockets_to_a_host_that_is_gone_are_given_up() {
    let stores = Stores::start().await;
    let standby = stores.standby();
    let proxy = Proxy::start(&stores.database_url, "nothing is marked").await;
    let place = Place { database_url: proxy.url.clone(), ..Place::from(&stores) };
    let pair = Pair::start(place, 8).await;
    let code = pair.voucher("discount", 100, None).await;
    let before = pair.order(&code, 0, "before");
    assert_eq!(pair.field.redeem(0, &before).await.redeemed(), Ok(100));
    standby_has_all(&pair.db).await;

    // Nobody closes the connections that there are: they only lead nowhere.
    stores.freeze(Which::Postgres);
    stores.promote();
    proxy.lead_to(&standby);
    for server in 0..2 {
        let order = pair.order(&code, 1 + server, "after");
        assert_eq!(pair.field.redeem(server, &order).await.redeemed(), Ok(100));
        assert_eq!(pair.field.redeem(server, &before).await.redeemed(), Ok(100));
    }
    for server in &pair.servers {
        pair.wait_for(server, "full").await;
    }
    let db = sqlx::PgPool::connect(&proxy.url).await.unwrap();
    let orders: i64 = sqlx::query_scalar("SELECT count(*) FROM redemption").fetch_one(&db).await.unwrap();
    assert_eq!(orders, 3);
    pair.assert_settled().await;
}
