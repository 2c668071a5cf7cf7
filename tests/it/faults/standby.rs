//! The Postgres that answers is no primary: a standby, or one that is set to be read only.

use super::proxy::Proxy;
use crate::{
    field::Order,
    pair::{Pair, Place, becomes},
    stores::{Stores, Which},
};

/// Both servers say that they cannot serve, and why, and promise nothing.
async fn assert_is_no_primary(pair: &Pair, order: &Order) {
    for (number, server) in pair.servers.iter().enumerate() {
        becomes("ready says that this is no primary", async || {
            let health = server.get("/health/ready", "").await;
            health
                .is_some_and(|(status, health)| status == 503 && health["postgres"]["reason"] == "read_only")
        })
        .await;
        pair.field.redeem_once(number, order).await.unwrap().expect_unavailable();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_standby_is_left_as_soon_as_there_is_a_primary() {
    let stores = Stores::start().await;
    let standby = stores.standby();
    let proxy = Proxy::start(&stores.database_url, "nothing is marked").await;
    let place = Place { database_url: proxy.url.clone(), ..Place::from(&stores) };
    let pair = Pair::start(place, 8).await;
    let code = pair.voucher("discount", 100, Some(1)).await;
    let order = pair.order(&code, 0, "7");

    // The primary goes away for a moment, and the route leads to the standby meanwhile.
    proxy.lead_to(&standby);
    stores.kill(Which::Postgres);
    stores.restart();
    assert_is_no_primary(&pair, &order).await;

    // The connections to the standby stay open; nobody but the servers can leave it.
    proxy.lead_to(&stores.database_url);
    for server in &pair.servers {
        pair.wait_for(server, "full").await;
    }
    assert_eq!(pair.field.redeem(0, &order).await.redeemed(), Ok(100));
    assert_eq!(pair.field.redeem(1, &order).await.redeemed(), Ok(100));
    pair.assert_settled().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_primary_that_was_set_to_be_read_only() {
    let stores = Stores::start().await;
    let pair = Pair::start(&stores, 8).await;
    let code = pair.voucher("discount", 100, Some(1)).await;
    let order = pair.order(&code, 0, "7");
    let set = async |value: &str| {
        let statement = format!("ALTER SYSTEM SET default_transaction_read_only = {value}");
        sqlx::query(sqlx::AssertSqlSafe(statement)).execute(&pair.db).await.unwrap();
        sqlx::query("SELECT pg_reload_conf()").execute(&pair.db).await.unwrap();
    };
    set("on").await;
    assert_is_no_primary(&pair, &order).await;
    set("off").await;
    for server in &pair.servers {
        pair.wait_for(server, "full").await;
    }
    assert_eq!(pair.field.redeem(1, &order).await.redeemed(), Ok(100));
    pair.assert_settled().await;
}
