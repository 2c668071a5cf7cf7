//! Data that is kept for a time goes in time, and nothing else does.

use crate::app::TestApp;
use chrono::Duration;
use scrip::{
    config::Config,
    retention::{self, step},
    telemetry::{months::look_after, recount::recount},
};
use serde_json::{Value, json};

const NOW: &str = "2026-11-24T12:00:00Z";

/// A server whose settings keep data so long, at noon on a day of November.
async fn server(change: impl FnOnce(&mut Config)) -> TestApp {
    TestApp::builder().stopped_at(NOW).config(change).build().await
}

/// Runs statements that set something up.
async fn set_up(test: &TestApp, sql: &'static str) {
    sqlx::raw_sql(sql).execute(&test.app.db).await.unwrap();
}

/// Takes every step that there is to take; how many.
async fn steps(test: &TestApp) -> usize {
    let mut steps = 0;
    while step(&test.app.db, &test.app.config, test.app.clock.now()).await.unwrap() {
        steps += 1;
        assert!(steps < 100, "it never ends");
    }
    steps
}

/// The rows of a statement, as JSON.
async fn rows(test: &TestApp, sql: &'static str) -> Value {
    let sql = format!("SELECT COALESCE(jsonb_agg(to_jsonb(row)), '[]') FROM ({sql}) AS row");
    sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).fetch_one(&test.app.db).await.unwrap()
}

/// Sales and events: received so many days ago, and what the last of them is about long before that.
const SALES: &str = "
    INSERT INTO revenue_transaction (machine, location, user_group, occurred_at, time_zone, name, price, original_price,
                                     currency, token, created_at)
    SELECT 21, 2, 2, at, 'Europe/Amsterdam', 'Cola', 150, 150, 'EUR', 'chip-' || days, received
    FROM (SELECT days, '2026-11-24T12:00:00Z'::timestamptz - make_interval(days => days) AS received,
                 '2026-11-24T12:00:00Z'::timestamptz - make_interval(days => COALESCE(NULLIF(days, 7), 700)) AS at
          FROM unnest(ARRAY[600, 40, 31, 30, 7, 1]) WITH ORDINALITY AS ago(days, place) ORDER BY place) AS sale;
    INSERT INTO machine_log (machine, location, user_group, occurred_at, time_zone, code, type, extra_data, created_at)
    SELECT machine, location, user_group, occurred_at, time_zone, 'E1', 2, token, created_at
    FROM revenue_transaction ORDER BY id";

const TOKENS: &str = "
    SELECT name, token, count(*) OVER () AS of FROM revenue_transaction_ever WHERE token IS NOT NULL ORDER BY id";
const EXTRA: &str = "SELECT extra_data FROM machine_log_ever WHERE extra_data IS NOT NULL ORDER BY id";

#[tokio::test]
async fn tokens_and_event_data_go_so_long_after_they_came() {
    let test = server(|config| {
        config.sale_tokens_keep_days = 30;
        config.event_data_keep_days = 5;
    })
    .await;
    set_up(&test, SALES).await;
    look_after(&test.app.db, test.app.clock.now().date_naive(), 13).await.unwrap();
    let sums = rows(&test, "SELECT * FROM sales_rollup ORDER BY grain, starts").await;
    let times = rows(&test, "SELECT id, updated_at FROM revenue_transaction_ever ORDER BY id").await;
    assert!(steps(&test).await >= 2);
    let left = |tokens: &[&str]| -> Value {
        tokens.iter().map(|token| json!({"name": "Cola", "token": token, "of": tokens.len()})).collect()
    };
    assert_eq!(rows(&test, TOKENS).await, left(&["chip-30", "chip-7", "chip-1"]));
    assert_eq!(rows(&test, EXTRA).await, json!([{"extra_data": "chip-1"}]));
    assert_eq!(steps(&test).await, 0);

    test.app.clock.advance(Duration::days(24));
    steps(&test).await;
    assert_eq!(rows(&test, TOKENS).await, left(&["chip-1"]), "the late one from the archive too");
    assert_eq!(rows(&test, EXTRA).await, json!([]));
    assert_eq!(rows(&test, "SELECT * FROM sales_rollup ORDER BY grain, starts").await, sums);
    assert_eq!(rows(&test, "SELECT id, updated_at FROM revenue_transaction_ever ORDER BY id").await, times);
    assert_eq!(recount(&test.app.db, false).await.unwrap().differing, 0);
}

#[tokio::test]
async fn more_rows_than_a_step_takes_are_gone_through_in_several() {
    let test = server(|config| config.sale_tokens_keep_days = 1).await;
    set_up(
        &test,
        "INSERT INTO revenue_transaction (machine, location, user_group, occurred_at, time_zone, name, price,
            original_price, currency, token, created_at)
         SELECT 21, 2, 2, '2026-11-01T00:00:00Z', 'UTC', 'Tea', 1, 1, 'EUR', 'x', '2026-11-01T00:00:00Z'
         FROM generate_series(1, 2500)",
    )
    .await;
    assert_eq!(steps(&test).await, 3);
    assert_eq!(rows(&test, TOKENS).await, json!([]));
}

#[tokio::test]
async fn where_nothing_is_set_all_is_kept() {
    let test = server(|_| ()).await;
    set_up(&test, SALES).await;
    look_after(&test.app.db, test.app.clock.now().date_naive(), 13).await.unwrap();
    assert_eq!(steps(&test).await, 0);
    assert_eq!(rows(&test, TOKENS).await.as_array().unwrap().len(), 6);
    assert_eq!(rows(&test, EXTRA).await.as_array().unwrap().len(), 6);
}

#[tokio::test]
async fn months_of_the_archive_are_dropped_and_their_sums_stay() {
    let test = server(|config| config.archive_keep_months = 20).await;
    set_up(&test, SALES).await;
    look_after(&test.app.db, test.app.clock.now().date_naive(), 13).await.unwrap();
    let sums = "SELECT grain, starts, quantity, revenue FROM sales_rollup ORDER BY grain, starts";
    let before = rows(&test, sums).await;
    assert_eq!(steps(&test).await, 2, "a month of sales, a month of events");
    assert_eq!(
        rows(&test, "SELECT token FROM revenue_transaction_archive").await,
        json!([{"token": "chip-600"}])
    );
    assert_eq!(
        rows(&test, "SELECT extra_data FROM machine_log_archive").await,
        json!([{"extra_data": "chip-600"}])
    );
    assert_eq!(rows(&test, sums).await, before);
    assert_eq!(recount(&test.app.db, true).await.unwrap().differing, 0);

    set_up(&test, "UPDATE sales_rollup SET quantity = 9 WHERE starts >= '2026-01-01'").await;
    assert!(recount(&test.app.db, true).await.unwrap().mended_machines > 0);
    assert_eq!(rows(&test, sums).await, before, "what has no rows any more is left as it was");
    test.app.clock.advance(Duration::days(30));
    assert_eq!(steps(&test).await, 0);
}

#[tokio::test]
async fn the_log_of_validations_goes_by_month_and_the_journal_never() {
    let test = server(|config| config.voucher_log_keep_months = 6).await;
    set_up(
        &test,
        "INSERT INTO voucher_log (voucher, action, success, requester, location, request, response, currency, created_at)
         SELECT gen_random_uuid(), 'validate', true, 'vm-a-1', 2, '{}', '{}', 'EUR', at
         FROM unnest(ARRAY['2026-04-30T23:59:59Z', '2026-05-01T00:00:00Z', '2026-11-24T11:00:00Z']::timestamptz[]) AS at;
         INSERT INTO redemption (id, fingerprint, voucher, campaign, machine, location, requester, order_id, order_amount,
            amount_off, voucher_value, campaign_type, currency, period_start, request, occurred_at)
         VALUES (gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), 1, 21, 2, 'vm-a-1', 'A-1', 100, 50, 50,
            'discount', 'EUR', '2020-01-01', '{}', '2020-01-01')",
    )
    .await;
    look_after(&test.app.db, test.app.clock.now().date_naive(), 0).await.unwrap();
    assert_eq!(steps(&test).await, 1);
    let kept = rows(&test, "SELECT created_at FROM voucher_log ORDER BY created_at").await;
    assert_eq!(kept.as_array().unwrap().len(), 2, "{kept}");
    assert_eq!(rows(&test, "SELECT requester FROM redemption").await, json!([{"requester": "vm-a-1"}]));
    for table in ["redemption", "redemption_rollback", "revenue_transaction", "account"] {
        let dropped = sqlx::query("SELECT drop_month($1, '2099-01-01')").bind(table);
        let refused = dropped.execute(&test.app.db).await.unwrap_err();
        assert_eq!(refused.as_database_error().unwrap().code().as_deref(), Some("23001"), "{table}");
    }
}

#[tokio::test]
async fn log_ins_and_mails_go_and_what_is_still_good_stays() {
    let test = server(|config| {
        config.login_addresses_keep_days = 10;
        config.mails_keep_days = 2;
    })
    .await;
    set_up(
        &test,
        "INSERT INTO login_address (account, address, last_at)
         VALUES (2, '192.0.2.1', '2026-11-14T12:00:00Z'), (2, '192.0.2.2', '2026-11-14T12:00:01Z');
         INSERT INTO mail (letter, recipient, created_at)
         VALUES ('reset', 'old@example.com', '2026-11-22T12:00:00Z'), ('reset', 'new@example.com', '2026-11-22T12:00:01Z');
         INSERT INTO refresh_token (hash, family, account, created_at, began_at, expires_at)
         VALUES ('\\x01', gen_random_uuid(), 2, '2026-01-01', '2026-01-01', '2026-02-01'),
                ('\\x02', gen_random_uuid(), 2, '2026-11-01', '2026-11-01', '2026-11-20');
         INSERT INTO ended_session (family, account, ended_at)
         VALUES (gen_random_uuid(), 2, '2026-11-24T11:45:00Z'), (gen_random_uuid(), 2, '2026-11-24T11:45:01Z')",
    )
    .await;
    // As a server does it, by itself.
    test.app.keep_up(retention::keep);
    let old = "SELECT recipient FROM mail UNION ALL SELECT host(address) FROM login_address
        UNION ALL SELECT encode(hash, 'hex') FROM refresh_token UNION ALL SELECT 'session' FROM ended_session ORDER BY 1";
    let kept = json!([
        {"recipient": "02"}, {"recipient": "192.0.2.2"}, {"recipient": "new@example.com"}, {"recipient": "session"}
    ]);
    let gone = async {
        while rows(&test, old).await != kept {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    assert!(
        tokio::time::timeout(std::time::Duration::from_secs(20), gone).await.is_ok(),
        "{}",
        rows(&test, old).await
    );
}
