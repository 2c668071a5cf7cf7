//! Fairness between tenants: what one group has sent, however much, keeps no other waiting for long.

use crate::{
    app::TestApp,
    campaigns::{campaign, voucher},
    world::{A, B},
};
use axum::http::header;
use futures_util::{FutureExt, future::try_join_all};
use scrip::jobs::worker::work_one;
use serde_json::json;
use sqlx::postgres::PgListener;

/// A picture of one point.
const GIF: &str = "R0lGODlhAQABAIAAAP///wAAACwAAAAAAQABAAACAkQBADs=";

async fn generated(app: &TestApp) -> Vec<(String, i64)> {
    let sql = "
        SELECT c.name, (SELECT count(*) FROM voucher v WHERE v.campaign = c.id) FROM campaign c ORDER BY c.id";
    sqlx::query_as(sql).fetch_all(&app.app.db).await.unwrap()
}

fn counts(generated: Vec<(String, i64)>) -> Vec<i64> {
    generated.into_iter().map(|(_, count)| count).collect()
}

#[tokio::test]
async fn a_small_campaign_waits_for_one_batch_of_a_large_one_at_most() {
    let app = TestApp::builder().config(|config| config.generation_batch = 10).build().await;
    let (a, b) = (app.user("a").await, app.user("b").await);
    for _ in 0..2 {
        campaign(&b, json!({"totalVouchers": 40})).await;
    }
    campaign(&a, json!({"totalVouchers": 10})).await;
    assert!(work_one(&app.app).await.unwrap());
    assert_eq!(counts(generated(&app).await), [10, 0, 0], "a batch, and then it is another group's turn");
    assert!(work_one(&app.app).await.unwrap());
    assert_eq!(counts(generated(&app).await), [10, 0, 10]);
    // Now that nobody else waits, one after the other, in their order.
    assert!(work_one(&app.app).await.unwrap());
    assert_eq!(counts(generated(&app).await), [40, 0, 10]);
    campaign(&a, json!({"totalVouchers": 20})).await;
    assert!(work_one(&app.app).await.unwrap());
    assert_eq!(counts(generated(&app).await), [40, 0, 10, 10], "a has had less");
    while work_one(&app.app).await.unwrap() {}
    assert_eq!(counts(generated(&app).await), [40, 40, 10, 20]);
}

#[tokio::test]
async fn a_mail_waits_for_one_of_each_other_group_at_most() {
    const FLOOD: &str = "
        WITH flood AS (
            INSERT INTO mail (letter, recipient, account, created_at)
            SELECT 'address_changed', 'b@example.com', $1, now() FROM generate_series(1, 50) RETURNING id)
        INSERT INTO job (kind, subject, user_group, total, run_at) SELECT 'send_mail', id, $1, 1, 'epoch' FROM flood";
    let folder = tempfile::TempDir::new().unwrap();
    let mails = folder.path().to_owned();
    let app = TestApp::builder().config(|config| config.mail_dir = Some(mails)).build().await;
    sqlx::query(FLOOD).bind(B).execute(&app.app.db).await.unwrap();
    app.anyone().post("/auth/forgotpassword", json!({"email": "a@example.com"})).await.expect(200);
    for _ in 0..2 {
        assert!(work_one(&app.app).await.unwrap());
    }
    let left: i64 = sqlx::query_scalar("SELECT count(*) FROM mail WHERE recipient = 'a@example.com'")
        .fetch_one(&app.app.db)
        .await
        .unwrap();
    assert_eq!(left, 0);
}

#[tokio::test]
async fn a_list_that_takes_too_long_says_what_to_narrow() {
    let app = TestApp::builder().config(|config| config.read_timeout_ms = 100).build().await;
    let a = app.user("a").await;
    a.get("/campaign").await.expect(200);
    let mut lock = scrip::transaction::begin(&app.app.db).await.unwrap();
    sqlx::query("LOCK TABLE campaign").execute(&mut *lock).await.unwrap();
    a.get("/campaign").await.expect_problem(422, "");
    a.get("/campaign?where[name]=x").await.expect_problem(422, "/where");
    a.get("/campaign?sort=name%20asc").await.expect_problem(422, "/sort");
    a.get("/campaign?skip=1").await.expect_problem(422, "/skip");
    lock.rollback().await.unwrap();
    a.get("/campaign").await.expect(200);
}

#[tokio::test]
async fn no_more_rows_are_skipped_than_is_set() {
    let app = TestApp::builder().config(|config| config.skip_max = 50).build().await;
    let a = app.user("a").await;
    a.get("/campaign?skip=50").await.expect(200);
    let refused = a.get("/campaign?skip=51").await;
    refused.expect_problem(422, "/skip");
    assert!(refused.text().contains("after"), "{}", refused.text());
    a.get("/apikey?skip=51").await.expect_problem(422, "/skip");
}

#[tokio::test]
async fn look_ups_of_one_group_leave_room_for_others_and_all_of_them_for_vends() {
    let app = TestApp::builder().config(|config| config.read_connections = 4).build().await;
    let (a, b) = (app.user("a").await, app.user("b").await);
    let path = campaign(&a, json!({})).await;
    let [code, other] = [voucher(&a, &path, json!({})).await, voucher(&a, &path, json!({})).await]
        .map(|voucher| voucher["code"].as_str().unwrap().to_owned());
    let reads = &app.app.reads;
    let of_b = (reads.list(B).await.unwrap(), reads.export(B).await.unwrap());
    assert_eq!(a.get("/voucher").await.expect(200).as_array().unwrap().len(), 2);
    let of_a = (reads.list(A).await.unwrap(), reads.export(A).await.unwrap());
    // With every turn taken, and every connection for look-ups in use.
    let device = app.device(A, "vm-a-1").await;
    let valid = device.post(&format!("/voucher/{code}/validate"), json!({"deviceId": "vm-a-1"})).await;
    assert_eq!(valid.expect(200)["valid"], true);
    // Nor do they need any of the connections for all else.
    let all = app.app.db.options().get_max_connections();
    let held = try_join_all((0..all).map(|_| app.app.db.acquire())).await.unwrap();
    let valid = device.post(&format!("/voucher/{other}/validate"), json!({"deviceId": "vm-a-1"})).await;
    assert_eq!(valid.expect(200)["valid"], true);
    drop(held);
    drop(of_a);
    drop(of_b);
    b.get("/voucher").await.expect(200);
}

#[tokio::test]
async fn lists_of_one_group_leave_half_of_the_processors_to_vends() {
    let app = TestApp::new().await;
    let reads = &app.app.reads;
    let cores = std::thread::available_parallelism().unwrap().get();
    let half = app.app.config.read_connections as usize / 2;
    let share = (cores / 2).clamp(1, half);
    let held = try_join_all((0..share).map(|_| reads.list(A))).await.unwrap();
    assert!(reads.list(A).now_or_never().is_none(), "one more waits for its turn");
    let other = reads.list(B).now_or_never().unwrap().unwrap();
    let workers: String =
        sqlx::query_scalar("SHOW max_parallel_workers_per_gather").fetch_one(&*other).await.unwrap();
    assert_eq!(workers, "0", "a look-up is one processor's work");
    drop(held);
    assert!(reads.list(A).now_or_never().is_some());
}

#[tokio::test]
async fn exports_of_one_group_leave_room_for_others() {
    let app = TestApp::new().await;
    let (a, b) = (app.user("a").await, app.user("b").await);
    let held = try_join_all((0..2).map(|_| app.app.reads.export(B))).await.unwrap();
    let refused = b.get("/voucher/export?columns=id").await;
    refused.expect(429);
    assert!(refused.text().contains("too many of your exports"), "{}", refused.text());
    assert!(refused.headers.contains_key(header::RETRY_AFTER));
    assert_eq!(a.get("/voucher/export?columns=id").await.status, 200);
    let _others = try_join_all((0..2).map(|_| app.app.reads.export(100))).await.unwrap();
    let refused = a.get("/voucher/export?columns=id").await;
    refused.expect(503);
    assert!(refused.text().contains("too many exports"), "{}", refused.text());
    let metrics = app.anyone().get("/metrics").await.text();
    assert!(metrics.contains(r#"scrip_gate_refused_total{gate="exports",limit="share"}"#), "{metrics}");
    drop(held);
    assert_eq!(b.get("/voucher/export?columns=id").await.status, 200);
}

#[tokio::test]
async fn uploads_of_one_group_leave_room_for_others() {
    let app = TestApp::builder().config(|config| config.image_uploads_max = 4).build().await;
    let a = app.user("a").await;
    let _held = app.app.images.seat(B).await.unwrap();
    let upload = a.post("/image", json!({"original": GIF})).await;
    upload.expect(201);
}

#[tokio::test]
async fn a_new_name_of_a_group_makes_no_server_forget_anything() {
    let app = TestApp::new().await;
    let db = &app.app.db;
    let mut listener = PgListener::connect_with(db).await.unwrap();
    listener.listen("scrip").await.unwrap();
    let heard = async |listener: &mut PgListener, change: &'static str| {
        sqlx::query(change).execute(db).await.unwrap();
        sqlx::query("SELECT pg_notify('scrip', 'marker:0')").execute(db).await.unwrap();
        let mut heard = Vec::new();
        loop {
            match listener.recv().await.unwrap().payload() {
                "marker:0" => return heard,
                told if told.starts_with("group:") => heard.push(told.to_owned()),
                _ => {}
            }
        }
    };
    let renamed =
        heard(&mut listener, "UPDATE user_group SET name = 'b2', updated_at = now() WHERE id = 4").await;
    assert!(renamed.is_empty(), "{renamed:?}");
    for change in [
        "UPDATE user_group SET permissions = '{voucher.read}' WHERE id = 4",
        "UPDATE user_group SET parent = 2 WHERE id = 4",
        "UPDATE user_group SET disabled_at = now() WHERE id = 4",
        "UPDATE user_group SET deleted = true WHERE id = 4",
    ] {
        assert_eq!(heard(&mut listener, change).await, ["group:4"], "{change}");
    }
}

#[tokio::test]
async fn a_machine_below_a_group_that_moved_has_its_new_ancestors() {
    let app = TestApp::new().await;
    let (b, device) = (app.user("b").await, app.device(3, "vm-a1-1").await);
    let path = campaign(&b, json!({})).await;
    let code = voucher(&b, &path, json!({})).await["code"].as_str().unwrap().to_owned();
    let ask = async || {
        device
            .post(&format!("/voucher/{code}/validate"), json!({"deviceId": "vm-a1-1"}))
            .await
            .status
            .as_u16()
    };
    assert_eq!(ask().await, 404, "a stranger's");
    // The group above the machine's moves below the campaign's.
    let root = app.user("root").await;
    root.put("/usergroup/2", json!({"parent": 4})).await.expect(200);
    assert_eq!(ask().await, 200);
    root.put("/usergroup/2", json!({"parent": 1})).await.expect(200);
    assert_eq!(ask().await, 404);
}
