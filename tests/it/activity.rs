//! The record of changes: that no change passes by it, that each has its author, and who reads it.

use crate::{
    app::TestApp,
    client::Client,
    sweep::{
        document::{Document, Operation},
        stock::Stock,
    },
    world,
};
use axum::{
    body::Body,
    http::{Method, Request, header},
};
use scrip::{activity, jobs::worker::work_one};
use serde_json::{Value, json};
use sqlx::PgPool;
use std::collections::{BTreeSet, HashMap};

/// Tables whose changes are not recorded, and why.
const EXEMPT: &[(&str, &str)] = &[
    ("account_token", "tokens of mails, which say nothing: the account's change is recorded"),
    ("activity", "the record itself"),
    ("alert_look", "a queue"),
    ("alert_notice", "what alerts found"),
    ("alert_watch", "what alerts found"),
    ("audit", "what machines send"),
    ("audit_read", "what machines send"),
    ("awaited_sale", "what machines send"),
    ("coupon_part", "made of vouchers"),
    ("coupon_print", "a queue"),
    ("currency", "ISO 4217"),
    ("delivery", "a queue"),
    ("ended_session", "sessions: log-ins are events of the log"),
    ("events_rollup", "sums"),
    ("hot_epoch", "the server's own"),
    ("idempotency_key", "answers: what was created is recorded"),
    ("job", "a queue"),
    ("job_turn", "a queue"),
    ("login_address", "sessions: log-ins are events of the log"),
    ("machine_config_outcome", "what became of a change that is recorded"),
    ("machine_log", "what machines send"),
    ("machine_log_archive", "what machines send"),
    ("machine_presence", "signs of life"),
    ("mail", "a queue"),
    ("payment_transaction", "what machines send"),
    ("payment_transaction_archive", "what machines send"),
    ("payments_rollup", "sums"),
    ("redemption", "the journal"),
    ("redemption_rollback", "the journal"),
    ("refresh_token", "sessions: log-ins are events of the log"),
    ("retention", "the server's own"),
    ("revenue_transaction", "what machines send"),
    ("revenue_transaction_archive", "what machines send"),
    ("sales_rollup", "sums"),
    ("stale_code", "a queue"),
    ("user_group_tree", "follows from the groups"),
    ("voucher_log", "the log of vouchers"),
    ("voucher_log_sheet", "the log of vouchers"),
    ("voucher_payment", "a queue"),
    ("_sqlx_migrations", "the schema's own"),
];

/// Operations that succeed and change nothing that is recorded: they read, put something into a queue, are what
/// machines send, or say what is so already.
const UNRECORDED: &[&str] = &[
    "acknowledge_command",
    "associate_report",
    "cancel_campaign",
    "convert_assortment",
    "forget_password",
    "login",
    "logout",
    "preview_assortment",
    "print_campaign",
    "print_voucher",
    "redeem_voucher",
    "refresh_session",
    "release_voucher",
    "replay_integration",
    "report_alarms",
    "report_issues",
    "report_machineconfig",
    "report_payments",
    "report_revenue",
    "report_shiftpayments",
    "report_shiftproducts",
    "roll_back_voucher",
    "send_audit",
    "send_heartbeat",
    "send_logs",
    "send_paymenttransactions",
    "send_revenuetransactions",
    "update_image",
    "update_transaction_profile",
    "validate_voucher",
];

#[tokio::test]
async fn every_table_is_recorded_or_exempted_with_a_reason() {
    const TABLES: &str = "
        SELECT c.relname::text, EXISTS (
            SELECT FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid
            WHERE t.tgrelid = c.oid AND p.proname IN ('record_change', 'record_members'))
        FROM pg_class c WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p')
          AND NOT c.relispartition";
    let test = TestApp::new().await;
    let tables: Vec<(String, bool)> = sqlx::query_as(TABLES).fetch_all(&test.app.db).await.unwrap();
    let exempt: BTreeSet<&str> = EXEMPT.iter().map(|(table, _)| *table).collect();
    let sums = |table: &str| table.ends_with("_rollup") || table.contains("_rollup_");
    let wrong: Vec<_> = tables
        .iter()
        .filter(|(table, recorded)| !sums(table) && *recorded == exempt.contains(table.as_str()))
        .collect();
    assert!(wrong.is_empty(), "recorded although exempted, or neither: {wrong:?}");
}

#[tokio::test]
async fn every_column_of_a_recorded_table_is_recorded_or_left_out_by_name() {
    // Of a trigger for some columns: those of the table that are neither among them nor left out.
    const FORGOTTEN: &str = "
        SELECT c.relname::text, a.attname::text
        FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid AND p.proname = 'record_change'
        JOIN pg_class c ON c.oid = t.tgrelid
        JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
        WHERE cardinality(t.tgattr::int2[]) > 0 AND a.attnum <> ALL (t.tgattr::int2[])
          AND a.attname NOT IN ('id', 'created_at', 'updated_at')
          AND a.attname <> ALL (string_to_array(split_part(encode(t.tgargs, 'escape'), '\\000', 3), ' '))";
    let test = TestApp::new().await;
    let forgotten: Vec<(String, String)> = sqlx::query_as(FORGOTTEN).fetch_all(&test.app.db).await.unwrap();
    let expected = [
        // It goes on with every redemption; a change of terms shows it.
        ("voucher", "balance"),
        ("machine_config", "machine"),
        ("image_rendition", "image"),
        ("image_rendition", "size"),
        ("image_rendition", "type"),
        ("image_rendition", "width"),
        ("image_rendition", "height"),
    ];
    let forgotten: Vec<_> = forgotten
        .iter()
        .filter(|(table, column)| !expected.contains(&(table.as_str(), column.as_str())))
        .collect();
    assert!(forgotten.is_empty(), "{forgotten:?}");
}

#[tokio::test]
async fn a_reader_needs_the_permission_of_every_noun() {
    const NOUNS: &str = "
        SELECT DISTINCT split_part(encode(t.tgargs, 'escape'), '\\000', 1)
        FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid WHERE p.proname IN ('record_change', 'record_members')";
    let test = TestApp::new().await;
    let nouns: Vec<String> = sqlx::query_scalar(NOUNS).fetch_all(&test.app.db).await.unwrap();
    let known: BTreeSet<&str> = activity::nouns().map(|(noun, _)| noun).collect();
    let unknown: Vec<_> = nouns.iter().filter(|noun| !known.contains(noun.as_str())).collect();
    assert!(unknown.is_empty() && nouns.len() > 25, "{unknown:?}");
}

async fn last(db: &PgPool) -> i64 {
    sqlx::query_scalar("SELECT COALESCE(max(id), 0) FROM activity").fetch_one(db).await.unwrap()
}

/// The entries recorded after another.
#[derive(Debug, sqlx::FromRow)]
struct Found {
    account: Option<i64>,
    system: Option<String>,
    operation: Option<String>,
    request: Option<String>,
    user_group: Option<i64>,
}

#[tokio::test]
async fn every_operation_that_changes_something_leaves_its_author() {
    let test = TestApp::builder().config(|config| config.logins_per_minute = 1_000_000).build().await;
    let document = Document::read();
    let full = test.user("a").await;
    let (mut silent, mut nameless) = (Vec::new(), Vec::new());
    let operations = document.operations();
    for operation in operations.iter().filter(|operation| operation.method != Method::GET) {
        let stock = Stock::of(&document, operation, &full, "a").await;
        let stock = stock.served(operation, &full, &test.app).await;
        let before = last(&test.app.db).await;
        let reply = full.send_raw(stock.request(&document, operation)).await;
        assert!(reply.status.is_success(), "{}: {} {}", operation.id, reply.status, reply.text());
        let mut found = behind(&test.app.db, before).await;
        if found.is_empty() && operation.method == Method::PUT {
            // The sample may be what there is already.
            full.send_raw(stock.renaming(&document, operation)).await;
            found = behind(&test.app.db, before).await;
        }
        if found.is_empty() && !UNRECORDED.contains(&operation.id.as_str()) {
            silent.push(&*operation.id);
        }
        let signed = |found: &Found| is_signed(found, operation);
        nameless
            .extend(found.into_iter().filter(|found| !signed(found)).map(|found| (&*operation.id, found)));
    }
    assert!(silent.is_empty(), "nothing is recorded of {silent:?}");
    assert!(nameless.is_empty(), "without an author: {nameless:?}");
    while work_one(&test.app).await.unwrap() {}
    let roles = "SELECT count(*) FROM activity WHERE id > $1 AND system LIKE 'role %'";
    // The world itself was made by hand, before the first request.
    let first: i64 = sqlx::query_scalar("SELECT min(id) FROM activity WHERE account IS NOT NULL")
        .fetch_one(&test.app.db)
        .await
        .unwrap();
    let by_hand: i64 = sqlx::query_scalar(roles).bind(first).fetch_one(&test.app.db).await.unwrap();
    assert_eq!(by_hand, 0);
}

async fn behind(db: &PgPool, before: i64) -> Vec<Found> {
    let found = "SELECT account, system, operation, request, user_group FROM activity WHERE id > $1";
    sqlx::query_as(found).bind(before).fetch_all(db).await.unwrap()
}

/// Returns `true` if an entry tells who sent which request for this operation.
fn is_signed(found: &Found, operation: &Operation) -> bool {
    let route = format!("{} {}", operation.method, operation.path);
    found.account.is_some()
        && found.system.is_none()
        && found.operation.as_deref() == Some(&route)
        && found.request.is_some()
        && found.user_group.is_some()
}

/// The entries of one thing, the oldest first.
async fn of(client: &Client, noun: &str, subject: &Value) -> Vec<Value> {
    let subject = subject.as_str().map_or_else(|| subject.to_string(), str::to_owned);
    let path = format!("/activity?where[noun]={noun}&where[subject]={subject}");
    client.get(&path).await.expect(200).as_array().unwrap().clone()
}

#[tokio::test]
async fn a_change_tells_before_and_after_and_a_change_of_nothing_is_none() {
    let test = TestApp::new().await;
    let user = test.user("a").await;
    let draft = json!({"name": "Spring", "totalVouchers": 3, "voucherValue": 500, "type": "gift"});
    let campaign = user.post("/campaign", draft).await.expect(201)["id"].clone();
    while work_one(&test.app).await.unwrap() {}
    let put = async |body: Value| {
        let request = Request::put(format!("/campaign/{campaign}"))
            .header(header::CONTENT_TYPE, "application/json")
            .header("X-Reason", "a longer spring")
            .header("X-Request-Id", "till-7")
            .body(Body::from(body.to_string()));
        user.send_raw(request.unwrap()).await.expect(200)
    };
    put(json!({"name": "Summer"})).await;
    put(json!({"name": "Summer"})).await;
    let entries = of(&user, "campaign", &campaign).await;
    let actions: Vec<_> = entries.iter().map(|entry| (&entry["action"], &entry["accountName"])).collect();
    let (created, changed) = (json!("created"), json!("changed"));
    let (user_a, job) = (json!("a"), Value::Null);
    assert_eq!(actions, [(&created, &user_a), (&changed, &job), (&changed, &user_a)], "{entries:?}");
    assert_eq!(entries[1]["system"], "job generate_vouchers");
    let told = &entries[2];
    assert_eq!((&told["before"], &told["after"]), (&json!({"name": "Spring"}), &json!({"name": "Summer"})));
    assert_eq!((&told["reason"], &told["request"]), (&json!("a longer spring"), &json!("till-7")));
    assert_eq!((&told["operation"], &told["userGroup"]), (&json!("PUT /campaign/{id}"), &json!(world::A)));
    // The vouchers came with the campaign.
    let vouchers = user.get("/activity?where[noun]=voucher").await.expect(200);
    assert_eq!(vouchers, json!([]));

    let voucher =
        user.get(&format!("/voucher?where[campaign]={campaign}&limit=1")).await.expect(200)[0].clone();
    let (id, code) = (voucher["id"].as_str().unwrap(), voucher["code"].as_str().unwrap());
    let device = test.device(world::A, "vm-a-1").await;
    let order = json!({"deviceId": "vm-a-1", "order": {"id": "1", "amount": 100}, "demand": {"amount": 100}});
    device.post(&format!("/voucher/{code}/redeem"), order).await.expect(200);
    assert_eq!(of(&user, "voucher", &voucher["id"]).await, [] as [Value; 0]);
    let patch = json!({"campaign": campaign, "value": 100_000});
    user.patch(&format!("/voucher/{id}"), patch).await.expect(200);
    let entries = of(&user, "voucher", &voucher["id"]).await;
    assert_eq!(entries.len(), 1, "{entries:?}");
    assert_eq!(
        (&entries[0]["before"]["balance"], &entries[0]["after"]["value"]),
        (&json!(400), &json!(100_000))
    );
}

#[tokio::test]
async fn a_reason_is_text_of_some_length() {
    let test = TestApp::new().await;
    let user = test.user("a").await;
    for (reason, status) in
        [(vec![b'x'; 500], 200), (vec![b'x'; 501], 400), (vec![0xff], 400), (vec![b' '], 400)]
    {
        let request = Request::get("/campaign").header("X-Reason", &reason[..]).body(Body::empty());
        user.send_raw(request.unwrap()).await.expect(status);
    }
}

#[tokio::test]
async fn a_group_reads_what_was_changed_in_it_and_below_and_may_be_seen() {
    let test = TestApp::new().await;
    let (root, a, a1, b) =
        (test.user("root").await, test.user("a").await, test.user("a1").await, test.user("b").await);
    let made = a1.post("/machinegroup", json!({"name": "Ours"})).await.expect(201)["id"].clone();
    let seen = async |client: &Client| of(client, "machinegroup", &made).await.len();
    assert_eq!((seen(&root).await, seen(&a).await, seen(&a1).await, seen(&b).await), (1, 1, 1, 0));
    let narrow = async |scopes: &[&str]| test.bearer(world::key(&test.app.db, world::A, None, scopes).await);
    assert_eq!(seen(&narrow(&["activity.read", "fleet.read"]).await).await, 1);
    assert_eq!(seen(&narrow(&["activity.read", "voucher.read"]).await).await, 0);
    narrow(&["fleet.read"]).await.get("/activity").await.expect(403);

    // All of it, a line an entry.
    let exported = a.get("/activity/export?where[noun]=machinegroup").await;
    assert_eq!(exported.headers[header::CONTENT_TYPE], "application/jsonl");
    let body = exported.text();
    let lines: Vec<Value> = body.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let listed = a.get("/activity?where[noun]=machinegroup").await.expect(200);
    assert_eq!(Value::from(lines), listed);
    narrow(&["fleet.read"]).await.get("/activity/export").await.expect(403);
}

#[tokio::test]
async fn the_record_is_append_only_and_tells_no_secret() {
    let test = TestApp::new().await;
    let root = test.user("root").await;
    let key = root.post("/apikey", json!({"name": "k", "scopes": ["voucher.read"]})).await.expect(201);
    let config =
        json!({"machine": 21, "encryptionKey": "wlan-secret-1", "encryption": "wpa2", "ssid": "shop"});
    root.put("/machineconfig", config).await.expect(200);
    let hook = json!({"externalId": 1, "name": "hook", "url": "https://example.com/hook"});
    let hook = root.post("/integration", hook).await.expect(201);
    let record: Vec<String> =
        sqlx::query_scalar("SELECT activity::text FROM activity").fetch_all(&test.app.db).await.unwrap();
    let record = record.join("\n");
    assert!(record.contains("apikey") && record.contains("machineconfig") && record.contains("integration"));
    let hashes: Vec<String> =
        sqlx::query_scalar("SELECT password_hash FROM account WHERE password_hash IS NOT NULL")
            .fetch_all(&test.app.db)
            .await
            .unwrap();
    let shown = [key["key"].as_str(), Some("wlan-secret-1"), hook["secret"].as_str()];
    for secret in shown.into_iter().flatten().chain(hashes.iter().map(String::as_str)) {
        assert!(!record.contains(secret), "{secret}");
    }
    for statement in ["UPDATE activity SET noun = 'x'", "DELETE FROM activity", "TRUNCATE activity"] {
        let refused = sqlx::query(statement).execute(&test.app.db).await.unwrap_err().to_string();
        assert!(refused.contains("append-only"), "{refused}");
    }
}

#[tokio::test]
async fn redemptions_call_no_trigger_of_the_record() {
    let test = TestApp::new().await;
    let user = test.user("a").await;
    let draft = json!({"name": "Gift", "totalVouchers": 1, "voucherValue": 500, "type": "gift"});
    user.post("/campaign", draft).await.expect(201);
    while work_one(&test.app).await.unwrap() {}
    let statement = "
        EXPLAIN (ANALYZE, FORMAT JSON)
        UPDATE voucher SET balance = balance - 1, redemption_count = redemption_count + 1,
            amount_redeemed = amount_redeemed + 1, revision = revision + 1";
    let plan: Value = sqlx::query_scalar(statement).fetch_one(&test.app.db).await.unwrap();
    let calls: HashMap<String, Value> = plan[0]["Triggers"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|trigger| (trigger["Trigger Name"].as_str().unwrap().to_owned(), trigger["Calls"].clone()))
        .collect();
    assert!(!calls.keys().any(|name| name.starts_with("activity")), "{calls:?}");
}
