//! Real servers that deliver: two at once, one that is killed, and endpoints that fail by chance.

use super::{
    endpoint::{Endpoint, Received, Reply},
    sell,
};
use crate::{
    database::{self, Database},
    pair::becomes,
    server::Server,
    world,
};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use reqwest::Method;
use serde_json::json;
use sqlx::PgPool;
use std::collections::{BTreeMap, BTreeSet};

const OPEN: [(&str, &str); 4] = [
    ("SCRIP_INTEGRATION_PLAIN_HTTP", "true"),
    ("SCRIP_INTEGRATION_PRIVATE_ADDRESSES", "true"),
    ("SCRIP_INTEGRATION_TURN_S", "1"),
    ("SCRIP_INTEGRATION_TIMEOUT_S", "1"),
];

async fn start(database: &Database, more: &[(&str, &str)]) -> Server {
    let server = Server::on(&database.url, &database::url("SCRIP_TEST_REDIS_URL"), &database.name);
    server.start_with(&[&OPEN[..], more].concat()).await
}

async fn integrate(server: &Server, db: &PgPool, endpoint: &Endpoint) {
    let key = world::key(db, world::A, None, &["integration.write", "transaction.read"]).await;
    let body =
        json!({"externalId": 1, "name": "Books", "url": endpoint.url, "retryThrottle": 0, "maxRetries": 100});
    let (status, _) = server.send(Method::POST, "/integration", &key, Some(&body)).await.unwrap();
    assert_eq!(status, 201);
}

async fn waiting(db: &PgPool) -> i64 {
    sqlx::query_scalar("SELECT count(*) FROM delivery WHERE state <> 'delivered'")
        .fetch_one(db)
        .await
        .unwrap()
}

/// That each machine's sales were taken in order, none was sent before the one before it was taken,
/// and none again that was taken.
fn assert_in_order(received: &[Received], sold: &BTreeMap<i64, Vec<i64>>) {
    for (machine, sold) in sold {
        let of_machine = received.iter().filter(|received| received.machine() == *machine);
        let mut taken = Vec::new();
        for received in of_machine {
            assert_eq!(sold.get(taken.len()), Some(&received.sale()), "machine {machine} after {taken:?}");
            if received.taken {
                taken.push(received.sale());
            }
        }
        assert_eq!(&taken, sold, "machine {machine}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_servers_tell_each_sale_once_and_in_order_however_the_endpoint_fails() {
    let database = Database::new().await;
    let db = PgPool::connect(&database.url).await.unwrap();
    let endpoint = Endpoint::new().await;
    let servers = [start(&database, &[]).await, start(&database, &[]).await];
    integrate(&servers[0], &db, &endpoint).await;
    let mut chance = StdRng::seed_from_u64(7);
    let machines = [21, 22, 31, 32];
    let mut sold: BTreeMap<i64, Vec<i64>> = BTreeMap::new();
    for failing in [false, true] {
        // A row of failures would only be waited out.
        let mut luck = StdRng::seed_from_u64(11);
        let mut row = 0;
        endpoint.answer(move |_| {
            row = if failing && row < 5 && luck.random_bool(0.4) { row + 1 } else { 0 };
            Reply::Status(if row > 0 { [500, 400, 404, 502][row % 4] } else { 200 })
        });
        for _ in 0..30 {
            let machine = machines[chance.random_range(0..machines.len())];
            sold.entry(machine).or_default().extend(sell(&db, machine, chance.random_range(1..6)).await);
        }
        becomes("all are told", async || waiting(&db).await == 0).await;
    }
    let received = endpoint.received();
    assert!(received.iter().any(|received| !received.taken), "some have failed");
    assert_in_order(&received, &sold);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_dies_repeats_what_it_has_not_noted() {
    let database = Database::new().await;
    let db = PgPool::connect(&database.url).await.unwrap();
    let endpoint = Endpoint::new().await;
    let mut server = start(&database, &[("FAILPOINTS", "delivery-acknowledged=return")]).await;
    integrate(&server, &db, &endpoint).await;
    let sold = sell(&db, 21, 5).await;
    becomes("the server has died", async || server.has_ended()).await;
    assert_eq!(waiting(&db).await, 5, "nothing is noted");
    server.restart_without(&["FAILPOINTS"]).await;
    becomes("all are told", async || waiting(&db).await == 0).await;
    let received = endpoint.received();
    let told: Vec<i64> = received.iter().map(Received::sale).collect();
    assert_eq!(
        told,
        [&sold[..1], &sold[..]].concat(),
        "the one that was under way comes again, the others once"
    );
    assert_eq!((&received[0].id, &received[0].bytes), (&received[1].id, &received[1].bytes));
    assert_eq!(received.iter().map(|received| &received.id).collect::<BTreeSet<_>>().len(), 5);
}
