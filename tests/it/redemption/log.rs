//! The voucher log: read alike before it is filed and afterwards, and filed once, whoever dies of it.

use super::Shop;
use crate::{
    database::{self, Database},
    pair::becomes,
    server::Server,
};
use scrip::redemption::audit::filing::file;
use serde_json::json;
use sqlx::PgPool;

const HERE: &str = "vm-a-1";

async fn count(db: &PgPool, sql: &'static str) -> i64 {
    sqlx::query_scalar(sql).fetch_one(db).await.unwrap()
}

async fn sheets(db: &PgPool) -> i64 {
    count(db, "SELECT count(*) FROM voucher_log_sheet").await
}

#[tokio::test(flavor = "multi_thread")]
async fn it_reads_alike_before_it_is_filed_and_afterwards() {
    let shop = Shop::new().await.with_redis().await;
    let db = &shop.app().db;
    let made = shop.made(json!({"redemptionLimit": 1})).await;
    let other = shop.made(json!({"value": 1})).await;
    for _ in 0..3 {
        shop.validate(HERE, &made.code).await;
        shop.validate(HERE, &other.code).await;
    }
    shop.redeem(HERE, &made.code, "1").await;
    shop.redeem(HERE, &made.code, "ä\\ \"quoted\", {}").await;
    let read =
        async |query: &str| shop.owner.get(&format!("/voucher/{}/logs{query}", made.id)).await.expect(200);
    let entries = async || read("").await.as_array().map(Vec::len) == Some(5);
    becomes("all is written down", entries).await;
    assert!(sheets(db).await > 0);

    let queries = ["", "?limit=2", "?where[action]=redeem", "?sort=success+desc"];
    let mut before = Vec::new();
    for query in queries {
        before.push(read(query).await);
    }
    let after_the_second = format!("?after={}", before[0][1]["id"]);
    let rest = read(&after_the_second).await;
    assert_eq!(rest.as_array().unwrap()[..], before[0].as_array().unwrap()[2..]);

    while file(db).await.unwrap() > 0 {}
    assert_eq!(sheets(db).await, 0);
    assert_eq!(count(db, "SELECT count(*) FROM voucher_log").await, 7);
    for (query, before) in queries.iter().zip(before) {
        assert_eq!(read(query).await, before, "{query}");
    }
    assert_eq!(read(&after_the_second).await, rest);
}

/// Sheets of one entry each.
async fn put_aside(db: &PgPool, number: i64) {
    sqlx::query(
        "INSERT INTO voucher_log_sheet (size, first, voucher, action, success, requester, location, request, response,
                                        currency, created_at)
         SELECT 1, n, ARRAY[gen_random_uuid()], '{validate}', '{true}', '{vm-a-1}', '{2}', ARRAY['{}'], ARRAY['{}'], '{EUR}',
             '{2026-11-24T12:00:00Z}'
         FROM generate_series(1, $1) AS n",
    )
    .bind(number)
    .execute(db)
    .await
    .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn servers_that_file_at_the_same_time_file_each_sheet_once() {
    let shop = Shop::new().await;
    let db = &shop.app().db;
    put_aside(db, 2_000).await;
    let all = async || {
        let mut filed = 0;
        loop {
            match file(db).await.unwrap() {
                0 if sheets(db).await == 0 => return filed,
                some => filed += some,
            }
        }
    };
    let (a, b, c) = tokio::join!(all(), all(), all());
    assert_eq!(a + b + c, 2_000);
    assert_eq!(count(db, "SELECT count(DISTINCT id) FROM voucher_log").await, 2_000);
    assert_eq!(count(db, "SELECT count(*) FROM voucher_log").await, 2_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_dies_of_it_has_filed_nothing() {
    let database = Database::new().await;
    let db = PgPool::connect(&database.url).await.unwrap();
    let server = Server::on(&database.url, &database::url("SCRIP_TEST_REDIS_URL"), &database.name);
    let mut server = server.start_with(&[("FAILPOINTS", "log-filed=return")]).await;
    put_aside(&db, 3).await;
    becomes("the server has died", async || server.has_ended()).await;
    assert_eq!((sheets(&db).await, count(&db, "SELECT count(*) FROM voucher_log").await), (3, 0));
    server.restart_without(&["FAILPOINTS"]).await;
    becomes("it is filed", async || sheets(&db).await == 0).await;
    assert_eq!(count(&db, "SELECT count(*) FROM voucher_log_entry").await, 3);
}
