//! Generation in the background: exactly the asked number, whoever is cut off when.

use crate::{app::TestApp, campaigns::campaign};
use scrip::{config::Config, jobs::worker::work_one};
use serde_json::json;
use std::time::Duration;

/// Vouchers in the table, distinct codes among them, and what the job says is done.
async fn counts(app: &TestApp) -> (i64, i64, i64) {
    let sql = "SELECT count(*), count(DISTINCT code), (SELECT sum(done)::bigint FROM job) FROM voucher";
    sqlx::query_as(sql).fetch_one(&app.app.db).await.unwrap()
}

/// Lets the lease of whoever has the job run out.
async fn lapse(app: &TestApp) {
    sqlx::query("UPDATE job SET leased_until = 'epoch', attempts = 0").execute(&app.app.db).await.unwrap();
}

#[tokio::test]
async fn a_campaign_becomes_what_was_asked_for_when_its_vouchers_are_there() {
    let app = TestApp::builder().config(|config| config.generation_batch = 400).build().await;
    let a = app.user("a").await;
    let path = campaign(&a, json!({"totalVouchers": 1_000, "prefix": "HI", "status": "inactive"})).await;
    let progress = a.get(&format!("{path}/progress")).await.expect(200);
    assert_eq!(
        progress,
        json!({"work": "vouchers", "status": "queued", "total": 1000, "done": 0, "percent": 0, "problem": null, "parts": [], "pdfNotes": []})
    );
    assert_eq!(a.get(&path).await.expect(200)["status"], "creating");
    assert!(work_one(&app.app).await.unwrap());
    assert_eq!(a.get(&path).await.expect(200)["status"], "inactive");
    let progress = a.get(&format!("{path}/progress")).await.expect(200);
    assert_eq!(
        (&progress["status"], &progress["done"], &progress["percent"]),
        (&json!("done"), &json!(1000), &json!(100))
    );
    assert_eq!(counts(&app).await, (1_000, 1_000, 1_000));
    let codes: Vec<String> =
        sqlx::query_scalar("SELECT code FROM voucher").fetch_all(&app.app.db).await.unwrap();
    assert!(codes.iter().all(|code| code.starts_with("HI-") && scrip::redemption::code::is_intact(code)));
    a.post(&format!("{path}/resume"), json!({})).await.expect(409);
    a.post(&format!("{path}/cancel"), json!({})).await.expect(409);

    let path = campaign(&a, json!({})).await;
    let progress = a.get(&format!("{path}/progress")).await.expect(200);
    assert_eq!(
        (&progress["status"], &progress["done"], &progress["percent"]),
        (&json!("done"), &json!(0), &json!(100))
    );
    assert_eq!(a.get(&path).await.expect(200)["status"], "active");
}

#[tokio::test]
async fn what_was_cancelled_stays_and_is_completed_when_resumed() {
    let app = TestApp::builder().config(|config| config.generation_batch = 10).build().await;
    let a = app.user("a").await;
    let path = campaign(&a, json!({"totalVouchers": 2_000})).await;
    let (worked, ()) = tokio::join!(work_one(&app.app), async {
        while counts(&app).await.0 < 50 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        a.post(&format!("{path}/cancel"), json!({})).await.expect(200);
    });
    worked.unwrap();
    let (there, distinct, done) = counts(&app).await;
    assert!((50..2_000).contains(&there), "{there}");
    assert_eq!((there, there), (distinct, done));
    assert_eq!(a.get(&path).await.expect(200)["status"], "inactive");
    assert_eq!(a.get(&format!("{path}/progress")).await.expect(200)["status"], "cancelled");
    assert!(!work_one(&app.app).await.unwrap(), "nothing goes on by itself");

    a.post(&format!("{path}/resume"), json!({})).await.expect(200);
    assert_eq!(a.get(&path).await.expect(200)["status"], "creating");
    assert!(work_one(&app.app).await.unwrap());
    assert_eq!(counts(&app).await, (2_000, 2_000, 2_000));
    assert_eq!(a.get(&path).await.expect(200)["status"], "active");
}

#[tokio::test]
async fn a_worker_that_is_cut_off_anywhere_leaves_a_count_that_is_true() {
    const CUT: &str = "
        SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid() AND query ~ 'voucher|job|COMMIT'";
    let app = TestApp::builder().config(|config| config.generation_batch = 20).build().await;
    let a = app.user("a").await;
    let path = campaign(&a, json!({"totalVouchers": 3_000})).await;
    let mut cuts = 0;
    while sqlx::query_scalar("SELECT state <> 'done' FROM job").fetch_one(&app.app.db).await.unwrap_or(true) {
        let cutting = async {
            loop {
                // A little later each time.
                tokio::time::sleep(Duration::from_millis(2 + cuts)).await;
                let _cut = sqlx::query(CUT).execute(&app.app.db).await;
            }
        };
        tokio::select! {
            _ = work_one(&app.app) => cuts += 1,
            () = cutting => {}
        }
        // Connections that were cut are found out when they are next used.
        let seen = sqlx::query_as(
            "SELECT count(*), count(DISTINCT code), (SELECT sum(done)::bigint FROM job) FROM voucher",
        );
        if let Ok((there, distinct, done)) = seen.fetch_one(&app.app.db).await {
            let there: i64 = there;
            assert_eq!((there, there), (distinct, done));
        }
        let lapsed = "UPDATE job SET leased_until = 'epoch', run_at = 'epoch', attempts = 0";
        let _cut_off = sqlx::query(lapsed).execute(&app.app.db).await;
    }
    assert!(cuts > 3, "{cuts}");
    assert_eq!(counts(&app).await, (3_000, 3_000, 3_000));
    assert_eq!(a.get(&path).await.expect(200)["status"], "active");
}

#[tokio::test]
async fn a_dropped_beginning_leaves_no_transaction_behind() {
    let app = TestApp::new().await;
    // One connection, which is therefore the one that the beginning had.
    let config = Config { database_connections: 1, ..app.app.config.clone() };
    let db = scrip::app::database(&config).unwrap();
    for turns in 0..100 {
        // Dropped after so many turns of the runtime: timers are too coarse.
        let begin = scrip::transaction::begin(&db);
        tokio::select! {
            done = begin => drop(done.unwrap()),
            () = async { for _ in 0..turns { tokio::task::yield_now().await } } => {}
        }
        // In a transaction that was left open, both would be the same.
        let id = || sqlx::query_scalar::<_, i64>("SELECT txid_current()").fetch_one(&db);
        assert_ne!(id().await.unwrap(), id().await.unwrap(), "{turns}");
    }
}

#[tokio::test]
async fn two_workers_with_the_same_job_make_no_voucher_twice() {
    let app = TestApp::builder().config(|config| config.generation_batch = 50).build().await;
    let a = app.user("a").await;
    campaign(&a, json!({"totalVouchers": 2_000})).await;
    let (first, second) = tokio::join!(work_one(&app.app), async {
        while counts(&app).await.0 < 100 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        // To the second, the first has been silent for too long.
        lapse(&app).await;
        work_one(&app.app).await
    });
    first.unwrap();
    second.unwrap();
    while work_one(&app.app).await.unwrap() {}
    assert_eq!(counts(&app).await, (2_000, 2_000, 2_000));
}

#[tokio::test]
async fn a_job_that_fails_again_and_again_is_given_up_and_can_be_resumed() {
    let app = TestApp::new().await;
    let a = app.user("a").await;
    let path = campaign(&a, json!({"totalVouchers": 10})).await;
    sqlx::query("ALTER TABLE voucher RENAME TO hidden").execute(&app.app.db).await.unwrap();
    let mut attempts = 0;
    while a.get(&format!("{path}/progress")).await.expect(200)["status"] != "failed" {
        assert!(work_one(&app.app).await.unwrap());
        assert!(!work_one(&app.app).await.unwrap(), "it waits before it tries again");
        sqlx::query("UPDATE job SET run_at = 'epoch'").execute(&app.app.db).await.unwrap();
        attempts += 1;
    }
    assert_eq!(attempts, 8);
    assert_eq!(a.get(&path).await.expect(200)["status"], "inactive");
    sqlx::query("ALTER TABLE hidden RENAME TO voucher").execute(&app.app.db).await.unwrap();
    a.post(&format!("{path}/resume"), json!({})).await.expect(200);
    assert!(work_one(&app.app).await.unwrap());
    assert_eq!(counts(&app).await, (10, 10, 10));
}

#[tokio::test]
async fn a_server_that_stops_hands_its_job_on() {
    let app = TestApp::builder().config(|config| config.generation_batch = 10).build().await;
    let a = app.user("a").await;
    campaign(&a, json!({"totalVouchers": 1_000})).await;
    let (worked, ()) = tokio::join!(work_one(&app.app), async {
        while counts(&app).await.0 < 50 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        app.app.stop.cancel();
    });
    worked.unwrap();
    let (state, holder): (String, Option<uuid::Uuid>) =
        sqlx::query_as("SELECT state, worker FROM job").fetch_one(&app.app.db).await.unwrap();
    assert_eq!((state.as_str(), holder), ("queued", None));
    let (there, _, done) = counts(&app).await;
    assert_eq!(there, done);
}
