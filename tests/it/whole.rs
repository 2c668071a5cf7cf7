//! Lists without a limit: all rows, as they are read, by a statement that ends with its reader.

use crate::{
    app::TestApp,
    campaigns::campaign,
    client::{Client, Reply},
    world::{A, B},
};
use axum::{
    body::Body,
    http::{Request, header},
};
use futures_util::{FutureExt, StreamExt};
use serde_json::{Value, json};
use sqlx::PgPool;
use std::{collections::BTreeSet, time::Duration};
use tower::ServiceExt;

/// Makes vouchers of a campaign, and returns it.
async fn vouchers(app: &TestApp, client: &Client, count: i32) -> i64 {
    const SQL: &str = "
        INSERT INTO voucher (id, campaign, code, key, generated, inherits)
        SELECT lpad(to_hex(n), 32, '0')::uuid, $1, 'MANY-' || n, 'MANY-' || n, false, true
        FROM (SELECT count(*) AS known FROM voucher) stock, generate_series(known + 1, known + $2) n";
    let path = campaign(client, json!({})).await;
    let of: i64 = path.rsplit('/').next().unwrap().parse().unwrap();
    sqlx::query(SQL).bind(of).bind(count).execute(&app.app.db).await.unwrap();
    of
}

fn total(reply: &Reply) -> Option<String> {
    reply.headers.get("x-total-count").map(|total| total.to_str().unwrap().to_owned())
}

fn ids(reply: &Reply) -> Vec<String> {
    reply.expect(200).as_array().unwrap().iter().map(|row| row["id"].to_string()).collect()
}

#[tokio::test]
async fn a_list_without_a_limit_has_all_rows_whatever_their_number() {
    // Time enough to count them.
    let app = TestApp::builder().config(|config| config.read_timeout_ms = 5_000_000).build().await;
    let a = app.user("a").await;
    for count in [0, 1, 498, 1, 1, 700] {
        let before = ids(&a.get("/voucher").await).len();
        let of = vouchers(&app, &a, count).await;
        let all = a.get("/voucher").await;
        let expected = before + usize::try_from(count).unwrap();
        let ids = ids(&all);
        assert_eq!(ids.len(), expected);
        assert!(ids.is_sorted(), "by id");
        assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), expected, "each once");
        assert_eq!(total(&all), Some(expected.to_string()));
        assert_eq!(all.headers[header::CONTENT_TYPE], "application/json");
        let of_one = a.get(&format!("/campaign/{of}/vouchers")).await;
        assert_eq!(of_one.expect(200).as_array().unwrap().len(), usize::try_from(count).unwrap());
    }
    let skipped = a.get("/voucher?skip=150").await;
    assert_eq!((ids(&skipped).len(), total(&skipped)), (1_051, Some("1201".to_owned())));
    let links = skipped.headers["link"].to_str().unwrap();
    assert!(links.contains("skip=50&limit=100") && links.ends_with("rel=\"prev\""), "{links}");
    let page = a.get("/voucher?limit=100").await;
    assert_eq!((ids(&page).len(), total(&page)), (100, Some("1201".to_owned())));
    let last = page.json()[99]["id"].as_str().unwrap().to_owned();
    assert_eq!(ids(&a.get(&format!("/voucher?after={last}")).await).len(), 1_101);
    assert_eq!(ids(&a.get(&format!("/voucher?before={last}")).await).len(), 99);
    let down = a.get("/voucher?sort=id+desc").await;
    assert!(ids(&down).is_sorted_by(|one, next| one > next));
    assert_eq!(a.get("/voucher?where[code]=MANY-600").await.expect(200).as_array().unwrap().len(), 1);
}

/// A list whose body is read by hand.
async fn opened(app: &TestApp, token: &str, path: &str) -> axum::body::BodyDataStream {
    let request = Request::get(path).header(header::AUTHORIZATION, format!("Bearer {token}"));
    let surface = scrip::http::surface(app.app.clone());
    let response = surface.oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    assert_eq!(response.status(), 200);
    response.into_body().into_data_stream()
}

/// Transactions of lists that are under way.
async fn listing(db: &PgPool) -> i64 {
    let sql = "SELECT count(*) FROM pg_stat_activity
               WHERE datname = current_database() AND state IN ('active', 'idle in transaction')
                 AND (query LIKE 'FETCH%' OR query LIKE 'SET LOCAL statement_timeout%')";
    sqlx::query_scalar(sql).fetch_one(db).await.unwrap()
}

async fn ends(db: &PgPool) -> bool {
    for _ in 0..500 {
        if listing(db).await == 0 {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    false
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_are_read_as_they_are_taken_and_no_further_than_that() {
    let app = TestApp::new().await;
    let session = app.session("a").await;
    let token = session["access_token"].as_str().unwrap();
    vouchers(&app, &app.user("a").await, 50_000).await;
    let mut body = opened(&app, token, "/voucher").await;
    let first = body.next().await.unwrap().unwrap();
    assert!(first.starts_with(b"[{") && first.len() < 200_000, "{} bytes", first.len());
    // The reader takes no more: the cursor stays open, far from its end.
    assert_eq!(listing(&app.app.db).await, 1);
    let (mut chunks, mut bytes) = (1, first.to_vec());
    while let Some(chunk) = body.next().await {
        let chunk = chunk.unwrap();
        assert!(chunk.len() < 200_000, "{} bytes", chunk.len());
        chunks += 1;
        bytes.extend_from_slice(&chunk);
        if chunks % 200 == 0 {
            assert_eq!(listing(&app.app.db).await, 1);
        }
    }
    assert!(chunks > 100, "{chunks} chunks");
    let rows: Vec<Value> = serde_json::from_slice(&bytes).unwrap();
    assert_eq!(rows.len(), 50_000);
    assert!(ends(&app.app.db).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_who_leaves_ends_the_statement_and_frees_its_place() {
    let app = TestApp::new().await;
    let session = app.session("a").await;
    let token = session["access_token"].as_str().unwrap();
    vouchers(&app, &app.user("a").await, 10_000).await;
    for _ in 0..3 {
        let mut body = opened(&app, token, "/voucher").await;
        body.next().await.unwrap().unwrap();
        drop(body);
    }
    assert!(ends(&app.app.db).await);
    let reads = &app.app.reads;
    let _first = reads.long_list(A).await.unwrap();
    let _second = reads.long_list(A).await.unwrap();
}

/// Rows that come at first, and then none for half a minute.
#[tokio::test(flavor = "multi_thread")]
async fn a_reader_who_leaves_while_rows_are_looked_for_ends_the_statement() {
    const LONG: &str = "UPDATE campaign SET voucher_text1 = repeat('Cola ', 40000) WHERE id = $1";
    const FIRST: &str = "
                UPDATE voucher SET inherits = false, type = 'discount', value = 5, text1 = 'zebra'
        WHERE campaign = $1 AND id <= lpad(to_hex(600), 32, '0')::uuid";
    let app = TestApp::new().await;
    let session = app.session("a").await;
    let token = session["access_token"].as_str().unwrap();
    let of = vouchers(&app, &app.user("a").await, 30_000).await;
    for sql in [LONG, FIRST] {
        sqlx::query(sql).bind(of).execute(&app.app.db).await.unwrap();
    }
    let mut body =
        opened(&app, token, &format!("/campaign/{of}/vouchers?where[text1][contains]=zebra")).await;
    body.next().await.unwrap().unwrap();
    // The rows that were found are taken, and others are looked for.
    while !is_looking(&app.app.db).await {
        body.next().now_or_never();
    }
    drop(body);
    assert!(ends(&app.app.db).await);
}

async fn is_looking(db: &PgPool) -> bool {
    let sql =
        "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND state = 'active'
                              AND query LIKE 'FETCH%')";
    sqlx::query_scalar(sql).fetch_one(db).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_breaks_off_never_ends_its_array() {
    let app = TestApp::new().await;
    let session = app.session("a").await;
    let token = session["access_token"].as_str().unwrap();
    vouchers(&app, &app.user("a").await, 10_000).await;
    let mut body = opened(&app, token, "/voucher").await;
    body.next().await.unwrap().unwrap();
    let killed: i64 = sqlx::query_scalar(
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
         WHERE datname = current_database() AND (query LIKE 'FETCH%' OR query LIKE 'SET LOCAL statement_timeout%')",
    )
    .fetch_one(&app.app.db)
    .await
    .unwrap();
    assert_eq!(killed, 1);
    let mut last = None;
    while let Some(chunk) = body.next().await {
        last = Some(chunk);
    }
    assert!(last.is_some_and(|last| last.is_err()), "the body ended as if it were whole");
}

#[tokio::test(flavor = "multi_thread")]
async fn long_lists_share_the_places_of_exports_and_short_ones_need_none() {
    let app = TestApp::new().await;
    let a = app.user("a").await;
    vouchers(&app, &a, 2_000).await;
    campaign(&app.user("b").await, json!({})).await;
    let held = futures_util::future::join_all([app.app.reads.export(A), app.app.reads.export(A)]).await;
    assert!(held.iter().all(Result::is_ok));
    // One page, or what is read in one go.
    a.get("/voucher?limit=100").await.expect(200);
    a.get("/campaign").await.expect(200);
    let waiting = tokio::spawn({
        let a = a.clone();
        async move { a.get("/voucher").await }
    });
    // Another group's turn is not kept meanwhile.
    app.user("b").await.get("/campaign").await.expect(200);
    let _of_b = app.app.reads.list(B).await.unwrap();
    drop(held);
    assert_eq!(ids(&waiting.await.unwrap()).len(), 2_000);
}

#[tokio::test]
async fn a_look_for_what_has_no_index_ends_in_time_and_harms_nobody() {
    // Such long names that no computer gets through them in this time.
    const SALES: &str = "
        INSERT INTO revenue_transaction (machine, location, user_group, time_zone, occurred_at, name, price,
            original_price, currency)
        SELECT 21, 2, 2, 'UTC', now() - n * interval '1 second', repeat('Cola ', 4000), 100, 100, 'EUR'
        FROM generate_series(1, 10000) n";
    let app = TestApp::builder().config(|config| config.read_timeout_ms = 150).build().await;
    let a = app.user("a").await;
    let mut tx = scrip::transaction::begin(&app.app.db).await.unwrap();
    sqlx::query("SET LOCAL session_replication_role = replica").execute(&mut *tx).await.unwrap();
    sqlx::query(SALES).execute(&mut *tx).await.unwrap();
    tx.commit().await.unwrap();
    for query in [
        "where[name][contains]=zebra",
        "where[name][contains]=zebra&sort=price+desc",
        "where[name][endsWith]=zebra&where[price]=100",
    ] {
        for limit in ["", "&limit=100"] {
            let list = format!("/revenuetransaction?{query}{limit}");
            let refused = a.get(&list).await;
            refused.expect_problem(422, "/where");
            assert!(refused.text().contains("narrow"), "{}", refused.text());
        }
    }
    a.get("/revenuetransaction?limit=5").await.expect(200);
    a.get("/revenuetransaction?limit=5&sort=createdAt+desc&where[createdAt][%3E]=2026-01-01")
        .await
        .expect(200);
    assert!(ends(&app.app.db).await);
}
