//! A reader that follows a list by its ids while others write to it ends up with every row.

use crate::{
    app::TestApp,
    campaigns::{campaign, voucher},
    client::Client,
    world,
};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, PgPool};
use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};
use tokio::task::JoinSet;

/// Those who write at the same time.
const WRITERS: usize = 6;

/// The work of one writer.
const ROUNDS: usize = 12;

fn id(row: &Value) -> String {
    row["id"].as_str().map_or_else(|| row["id"].to_string(), str::to_owned)
}

/// One page behind a row, by ids.
async fn page(reader: &Client, list: &str, after: Option<&String>) -> Vec<String> {
    let after = after.map(|last| format!("&after={last}")).unwrap_or_default();
    let rows = reader.get(&format!("{list}limit=100{after}")).await.expect(200);
    rows.as_array().unwrap().iter().map(id).collect()
}

/// All ids of a list as a follower sees them, who reads until the writers are done and nothing new comes.
async fn follow(reader: Client, list: String, done: Arc<AtomicBool>) -> Vec<String> {
    let mut seen: Vec<String> = Vec::new();
    loop {
        let is_done = done.load(Ordering::SeqCst);
        let rows = page(&reader, &list, seen.last()).await;
        if rows.is_empty() && is_done {
            return seen;
        }
        seen.extend(rows);
    }
}

/// Returns the rows that a follower of `list` saw while the writers wrote, and those of the table afterwards.
async fn followed<F>(reader: Client, list: &str, write: impl Fn(usize) -> F) -> Vec<String>
where
    F: Future<Output = ()> + Send + 'static,
{
    let done = Arc::new(AtomicBool::new(false));
    let follower = tokio::spawn(follow(reader, list.to_owned(), Arc::clone(&done)));
    let mut writers = JoinSet::new();
    for writer in 0..WRITERS {
        writers.spawn(write(writer));
    }
    writers.join_all().await;
    done.store(true, Ordering::SeqCst);
    follower.await.unwrap()
}

async fn ids(db: &PgPool, sql: &str) -> BTreeSet<String> {
    let ids: Vec<String> = sqlx::query_scalar(AssertSqlSafe(sql.to_owned())).fetch_all(db).await.unwrap();
    ids.into_iter().collect()
}

/// That a follower saw each row once.
#[track_caller]
fn assert_all(list: &str, seen: &[String], there: &BTreeSet<String>) {
    let once: BTreeSet<String> = seen.iter().cloned().collect();
    assert_eq!(once.len(), seen.len(), "{list}: no row comes twice");
    let missed: Vec<_> = there.difference(&once).collect();
    assert!(missed.is_empty(), "{list}: {} of {} missed: {missed:?}", missed.len(), there.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_follower_of_vouchers_and_of_campaigns_misses_none() {
    let app = TestApp::new().await;
    let a = app.user("a").await;
    let path = campaign(&a, json!({})).await;
    let of: i64 = path.rsplit('/').next().unwrap().parse().unwrap();
    let owner = a.clone();
    let seen = followed(a.clone(), "/voucher?", move |writer| {
        let owner = owner.clone();
        async move {
            for round in 0..ROUNDS {
                // Short transactions and long ones, so that they overtake one another.
                let count = if (writer + round) % 3 == 0 { 200 } else { 1 };
                let draft = json!({"campaign": of, "type": "discount", "value": 5, "count": count});
                assert_eq!(owner.post("/voucher", draft).await.status, 201);
                campaign(&owner, json!({})).await;
            }
        }
    })
    .await;
    assert_all("vouchers", &seen, &ids(&app.app.db, "SELECT id::text FROM voucher").await);

    let owner = a.clone();
    let seen = followed(a, "/campaign?", move |_| {
        let owner = owner.clone();
        async move {
            for _ in 0..ROUNDS {
                campaign(&owner, json!({})).await;
            }
        }
    })
    .await;
    assert_all("campaigns", &seen, &ids(&app.app.db, "SELECT id::text FROM campaign").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_follower_of_sales_of_payments_and_of_events_misses_none() {
    let app = TestApp::new().await;
    let machines = world::machines(&app.app.db, world::A, WRITERS as i32).await;
    let reader = app.user("a").await;
    for (list, path, table) in [
        ("/revenuetransaction?", "revenuetransactions", "revenue_transaction"),
        ("/paymenttransaction?", "paymenttransactions", "payment_transaction"),
        ("/log?", "logs", "machine_log"),
    ] {
        let now = app.app.clock.now().to_rfc3339();
        let item = move |remote: usize| match path {
            "revenuetransactions" => {
                json!({"remote": remote, "occurredAt": now, "price": 150, "name": "Cola"})
            }
            "paymenttransactions" => {
                json!({"remote": remote, "occurredAt": now, "price": 150, "method": "cash"})
            }
            _ => json!({"remote": remote, "occurredAt": now, "code": "E1", "type": 1}),
        };
        let mut gateways = Vec::new();
        for hostname in &machines {
            let key = world::key(&app.app.db, world::A, Some(hostname), &["gateway.use"]).await;
            gateways.push((app.bearer(key), format!("/machine/{hostname}/{path}")));
        }
        let seen = followed(reader.clone(), list, move |writer| {
            let ((gateway, path), item) = (gateways[writer].clone(), item.clone());
            async move {
                let mut remote = 0;
                for round in 0..ROUNDS {
                    let count = if (writer + round) % 3 == 0 { 100 } else { 1 };
                    let batch: Vec<Value> = (remote..remote + count).map(&item).collect();
                    remote += count;
                    let receipts = gateway.post(&path, json!(batch)).await.expect(200);
                    assert!(
                        receipts.as_array().unwrap().iter().all(|one| one["status"] == "created"),
                        "{receipts}"
                    );
                }
            }
        })
        .await;
        assert_all(list, &seen, &ids(&app.app.db, &format!("SELECT id::text FROM {table}")).await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_follower_of_a_vouchers_log_misses_no_entry() {
    let app = TestApp::new().await;
    assert!(app.app.ready(std::time::Duration::from_secs(5)).await);
    let a = app.user("a").await;
    let path = campaign(&a, json!({"type": "dynamic"})).await;
    let made = voucher(&a, &path, json!({"type": "discount", "value": 5})).await;
    let (id, code) = (made["id"].as_str().unwrap().to_owned(), made["code"].as_str().unwrap().to_owned());
    let devices = world::machines(&app.app.db, world::A, WRITERS as i32).await;
    let device = app.bearer(world::key(&app.app.db, world::A, None, &["voucher.redeem"]).await);
    let server = app.app.clone();
    let seen = followed(a, &format!("/voucher/{id}/logs?"), move |writer| {
        let (server, device) = (server.clone(), device.clone());
        let (hostname, code) = (devices[writer].clone(), code.clone());
        async move {
            for round in 0..ROUNDS {
                let here = json!({"deviceId": hostname});
                device.post(&format!("/voucher/{code}/validate"), here.clone()).await.expect(200);
                let order = json!({"id": round.to_string(), "amount": 100});
                let bought = json!({"deviceId": hostname, "order": order});
                device.post(&format!("/voucher/{code}/redeem"), bought).await.expect(200);
                if round % 4 == 0 {
                    let order = json!({"id": round.to_string()});
                    let undo = json!({"deviceId": hostname, "order": order});
                    device.post(&format!("/voucher/{code}/rollback"), undo).await.expect(200);
                    scrip::redemption::audit::filing::file(&server.db).await.unwrap();
                }
            }
        }
    })
    .await;
    let entries = WRITERS * (2 * ROUNDS + ROUNDS / 4);
    let once: BTreeSet<_> = seen.iter().collect();
    assert_eq!((once.len(), seen.len()), (entries, entries));
}

/// Whatever its writer does before it commits, a row that was drawn earlier is not passed over.
#[tokio::test]
async fn a_row_that_is_committed_late_is_not_passed_over() {
    let app = TestApp::new().await;
    let root = app.user("root").await;
    let lists = [
        ("/campaign?", "INSERT INTO campaign (user_group, name, total_vouchers, type, voucher_value, status, status_wanted)
                        VALUES (1, 'Late', 0, 'gift', 1, 'active', 'active') RETURNING id::text"),
        ("/revenuetransaction?", "INSERT INTO revenue_transaction (machine, location, user_group, time_zone, occurred_at,
                                      name, price, original_price, currency)
                                  VALUES (11, 1, 1, 'UTC', now(), 'Cola', 1, 1, 'EUR') RETURNING id::text"),
        ("/paymenttransaction?", "INSERT INTO payment_transaction (machine, location, user_group, time_zone, occurred_at,
                                      method, type, price, currency)
                                  VALUES (11, 1, 1, 'UTC', now(), 'cash', 'cash', 1, 'EUR') RETURNING id::text"),
        ("/log?", "INSERT INTO machine_log (machine, location, user_group, time_zone, occurred_at, code, type)
                   VALUES (11, 1, 1, 'UTC', now(), 'E1', 1) RETURNING id::text"),
        ("/machinetype?", "INSERT INTO machine_type (user_group, name) VALUES (1, 'late') RETURNING id::text"),
    ];
    for (list, sql) in lists {
        let known = page(&root, list, None).await;
        let mut late = scrip::transaction::begin(&app.app.db).await.unwrap();
        let first: String = sqlx::query_scalar(sql).fetch_one(&mut *late).await.unwrap();
        // Of another machine: sums of one are written by one at a time.
        let sql = sql.replace("(11,", "(12,");
        let second: String = sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(&app.app.db).await.unwrap();
        assert_eq!(page(&root, list, known.last()).await, Vec::<String>::new(), "{list}");
        assert_eq!(page(&root, list, None).await, known, "{list}");
        let whole = root.get(list.trim_end_matches('?')).await.expect(200);
        assert_eq!(whole.as_array().unwrap().iter().map(id).collect::<Vec<_>>(), known, "{list}");
        late.commit().await.unwrap();
        assert_eq!(page(&root, list, known.last()).await, [first, second], "{list}");
    }
}

#[tokio::test]
async fn a_voucher_that_is_committed_late_is_not_passed_over() {
    let app = TestApp::new().await;
    let a = app.user("a").await;
    let path = campaign(&a, json!({})).await;
    let of: i64 = path.rsplit('/').next().unwrap().parse().unwrap();
    let mut late = scrip::transaction::begin(&app.app.db).await.unwrap();
    let first = scrip::ids::draw(&mut late, "voucher", 1).await.unwrap()[0];
    let second = voucher(&a, &path, json!({})).await;
    assert_eq!(page(&a, "/voucher?", None).await, Vec::<String>::new());
    sqlx::query(
        "INSERT INTO voucher (id, campaign, code, key, generated, inherits) VALUES ($1, $2, 'LATE', '1ATE', false, true)",
    )
    .bind(first)
    .bind(of)
    .execute(&mut *late)
    .await
    .unwrap();
    late.commit().await.unwrap();
    assert_eq!(page(&a, "/voucher?", None).await, [first.to_string(), id(&second)]);
}

/// A transaction that only reads, or writes elsewhere, holds nobody up.
#[tokio::test]
async fn what_draws_no_ids_of_a_list_does_not_hold_it_up() {
    let app = TestApp::new().await;
    let a = app.user("a").await;
    let path = campaign(&a, json!({})).await;
    let posted = voucher(&a, &path, json!({})).await;
    let mut other = scrip::transaction::begin(&app.app.db).await.unwrap();
    for statement in [
        "SELECT count(*) FROM voucher",
        "UPDATE campaign SET owner_data = 'x'",
        "UPDATE voucher SET comments = 'x'",
        "INSERT INTO machine_type (user_group, name) VALUES (1, 'x')",
    ] {
        sqlx::query(statement).execute(&mut *other).await.unwrap();
    }
    assert_eq!(page(&a, "/voucher?", None).await, [id(&posted)]);
    assert_eq!(page(&a, "/campaign?", None).await.len(), 1);
    other.rollback().await.unwrap();
}

/// As after an import, say: it was not drawn, and nothing under way can lie before it.
#[tokio::test]
async fn a_row_whose_id_was_given_is_shown() {
    let app = TestApp::new().await;
    let a = app.user("a").await;
    campaign(&a, json!({})).await;
    let sql = "INSERT INTO campaign (id, user_group, name, total_vouchers, type, voucher_value, status, status_wanted)
               VALUES (5000, 2, 'Given', 0, 'gift', 1, 'active', 'active')";
    sqlx::query(sql).execute(&app.app.db).await.unwrap();
    assert_eq!(page(&a, "/campaign?", None).await.last().unwrap(), "5000");
}

#[tokio::test]
async fn every_table_that_is_listed_announces_its_ids() {
    let app = TestApp::new().await;
    let unannounced: Vec<String> = sqlx::query_scalar(
        "WITH listed AS MATERIALIZED (SELECT oid, relname::text FROM pg_class WHERE relname = ANY($1))
         SELECT relname FROM listed
         WHERE pg_get_serial_sequence(oid::regclass::text, 'id') IS NOT NULL
           AND NOT EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = listed.oid AND t.tgname = 'announce')",
    )
    .bind(scrip::http::resources().iter().map(|spec| spec.table).collect::<Vec<_>>())
    .fetch_all(&app.app.db)
    .await
    .unwrap();
    assert_eq!(unannounced, Vec::<String>::new());
}
