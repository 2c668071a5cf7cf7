//! What charts show equals what is worked out from the rows one by one: in two zones and currencies,
//! over changes of clocks, from sums by the month, the day and the hour and from single rows.

use super::{chart, data, report};
use crate::app::TestApp;
use chrono::{Datelike, Duration, NaiveDate, NaiveDateTime, NaiveTime, Timelike};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// In Amsterdam it is noon, in New York six in the morning.
const NOW: &str = "2026-11-24T11:00:00Z";

/// Sales of all machines over 70 days: clocks were changed on October 25 and November 1.
const SALES: &str = "
    INSERT INTO revenue_transaction (machine, location, user_group, shift, occurred_at, time_zone, product, name,
                                     price, original_price, currency)
    SELECT m.id, m.location, m.user_group, NULLIF(n % 3, 0), '2026-11-24T11:00:00Z'::timestamptz - age, l.time_zone,
           NULLIF(n % 5, 0), 'Product ' || n % 5, n % 7 * 50, 0, CASE n % 4 WHEN 0 THEN 'USD' ELSE 'EUR' END
    FROM (SELECT n, random() * CASE n % 3 WHEN 0 THEN interval '2 days' ELSE interval '70 days' END AS age,
                 (1 + n % 4) * 10 + 1 + n / 4 % 2 AS machine FROM generate_series(1, 3000) n) s
    JOIN machine m ON m.id = s.machine JOIN location l ON l.id = m.location";

const PAYMENTS: &str = "
    INSERT INTO payment_transaction (machine, location, user_group, occurred_at, time_zone, method, type, price,
                                     currency, exclude)
    SELECT machine, location, user_group, occurred_at, time_zone, CASE id % 2 WHEN 0 THEN 'cash' ELSE 'card' END,
           CASE id % 2 WHEN 0 THEN 'cash' ELSE 'card' END, price, currency, id % 9 = 0
    FROM revenue_transaction";

const EVENTS: &str = "
    INSERT INTO machine_log (machine, location, user_group, occurred_at, time_zone, code, error_identity, type,
                             duration)
    SELECT machine, location, user_group, occurred_at, time_zone, 'E' || id % 3, CASE id % 3 WHEN 0 THEN 1 END,
           1 + id % 3, NULLIF(id % 3, 0) * 60
    FROM revenue_transaction WHERE id % 2 = 0";

#[derive(Debug, sqlx::FromRow)]
struct Sale {
    machine: i64,
    user_group: i64,
    time_zone: String,
    occurred_local: NaiveDateTime,
    name: String,
    price: i64,
    currency: String,
}

/// What the clock on the wall shows at the place of a sale, now.
fn here(sale: &Sale) -> NaiveDateTime {
    let hour = if sale.time_zone == "America/New_York" { 6 } else { 12 };
    NaiveDate::from_ymd_opt(2026, 11, 24).unwrap().and_hms_opt(hour, 0, 0).unwrap()
}

/// Days since the day of a sale.
fn days_ago(sale: &Sale) -> i64 {
    (here(sale).date() - sale.occurred_local.date()).num_days()
}

/// A chart, and for each sale the group that it belongs to in it, if it does.
struct Case {
    criteria: Value,
    columns: &'static [&'static str],
    group: fn(&Sale) -> Option<Vec<String>>,
}

fn criteria(columns: &[&str], frames: &Value) -> Value {
    let sums = ["quantity", "revenue"].map(|sum| json!({"expr": sum, "op": "sum"}));
    let columns = columns.iter().filter(|column| !["period", "timeFrame"].contains(column));
    let select: Vec<Value> = columns.map(|column| json!({"expr": column})).chain(sums).collect();
    json!({"select": select, "from": "sales", "timeFrames": frames})
}

fn case(columns: &'static [&'static str], frames: &Value, group: fn(&Sale) -> Option<Vec<String>>) -> Case {
    Case { criteria: criteria(columns, frames), columns, group }
}

fn cases() -> Vec<Case> {
    vec![
        // By the month, over everything there is.
        case(&["productName"], &json!([]), |sale| Some(vec![sale.name.clone()])),
        case(&["period", "machine"], &json!([{"type": "last_12_months", "viewType": "month"}]), |sale| {
            Some(vec![sale.occurred_local.format("%Y-%m").to_string(), sale.machine.to_string()])
        }),
        // By the day.
        case(&["period", "productName"], &json!([{"type": "last_30_days", "viewType": "day"}]), |sale| {
            let there = (0..30).contains(&days_ago(sale));
            there.then(|| vec![sale.occurred_local.date().to_string(), sale.name.clone()])
        }),
        case(&["period"], &json!([{"type": "this_year", "viewType": "week"}]), |sale| {
            let day = sale.occurred_local.date();
            let monday = day - Duration::days(i64::from(day.weekday().num_days_from_monday()));
            Some(vec![monday.to_string()])
        }),
        case(&["weekday", "userGroup"], &json!([{"type": "this_month"}]), |sale| {
            let day = sale.occurred_local.date();
            let weekday = day.weekday().number_from_monday().to_string();
            (day.month() == 11).then(|| vec![weekday, sale.user_group.to_string()])
        }),
        // By the hour.
        case(&["period", "machine"], &json!([{"type": "last_24_hours", "viewType": "hour"}]), |sale| {
            let hour = sale.occurred_local.format("%Y-%m-%dT%H:00").to_string();
            let since = here(sale) - Duration::hours(23);
            (sale.occurred_local >= since).then(|| vec![hour, sale.machine.to_string()])
        }),
        case(&["hour"], &json!([{"type": "this_year"}]), |sale| {
            Some(vec![sale.occurred_local.hour().to_string()])
        }),
        // One by one: products by the hour, and times that are no whole hours.
        case(&["period", "productName"], &json!([{"type": "yesterday", "viewType": "hour"}]), |sale| {
            let hour = sale.occurred_local.format("%Y-%m-%dT%H:00").to_string();
            (days_ago(sale) == 1).then(|| vec![hour, sale.name.clone()])
        }),
        case(
            &["machine"],
            &json!([{"type": "fixed", "startAt": "2026-10-24T06:15:00", "endAt": "2026-11-02", "column": "occurredAt"}]),
            |sale| {
                let day = |day, month| NaiveDate::from_ymd_opt(2026, month, day).unwrap();
                let since = day(24, 10).and_hms_opt(6, 15, 0).unwrap();
                let until = day(3, 11).and_time(NaiveTime::MIN);
                let there = (since..until).contains(&sale.occurred_local);
                there.then(|| vec![sale.machine.to_string()])
            },
        ),
        // Two times beside each other.
        case(
            &["timeFrame", "productName"],
            &json!([{"type": "today"}, {"type": "today", "hoursToSub": 168, "description": "A week ago"}]),
            |sale| {
                let frame = match days_ago(sale) {
                    0 => "today",
                    7 => "A week ago",
                    _ => return None,
                };
                Some(vec![frame.to_owned(), sale.name.clone()])
            },
        ),
    ]
}

/// Quantities and revenues by group and currency.
type Sums = BTreeMap<(Vec<String>, String), (i64, i64)>;

fn worked_out(sales: &[Sale], case: &Case) -> Sums {
    let mut sums = Sums::new();
    for sale in sales {
        let Some(group) = (case.group)(sale) else { continue };
        let (quantity, revenue) = sums.entry((group, sale.currency.clone())).or_default();
        *quantity += 1;
        *revenue += sale.price;
    }
    sums
}

fn shown(rows: &[Value], case: &Case) -> Sums {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let sums: Sums = rows
        .iter()
        .map(|row| {
            let group = case.columns.iter().map(|column| text(&row[column])).collect();
            let sum = |name: &str| row[name].as_i64().unwrap();
            ((group, text(&row["currency"])), (sum("quantity"), sum("revenue")))
        })
        .collect();
    assert_eq!(sums.len(), rows.len(), "a group has one row");
    sums
}

#[tokio::test]
async fn charts_show_what_is_worked_out_from_the_rows() {
    let test = TestApp::builder().stopped_at(NOW).build().await;
    let mut connection = test.app.db.acquire().await.unwrap();
    sqlx::query("SELECT setseed(0.25)").execute(&mut *connection).await.unwrap();
    for sql in [SALES, PAYMENTS, EVENTS] {
        sqlx::query(sql).execute(&mut *connection).await.unwrap();
    }
    drop(connection);
    let sales: Vec<Sale> =
        sqlx::query_as("SELECT * FROM revenue_transaction").fetch_all(&test.app.db).await.unwrap();
    for (name, groups) in [("root", [1, 2, 3, 4].as_slice()), ("a", &[2, 3]), ("b", &[4])] {
        let user = test.user(name).await;
        let theirs: Vec<Sale> =
            sqlx::query_as("SELECT * FROM revenue_transaction WHERE user_group = ANY($1)")
                .bind(groups.iter().map(|group| i64::from(*group)).collect::<Vec<i64>>())
                .fetch_all(&test.app.db)
                .await
                .unwrap();
        assert!(!theirs.is_empty() && theirs.len() < sales.len() + usize::from(name == "root"));
        let report = report(&user, "Figures").await;
        let id = chart(&user, report, json!({"type": "revenue_full"})).await;
        for case in cases() {
            user.put(&format!("/chart/{id}"), json!({"criteria": case.criteria})).await.expect(200);
            let (shown, expected) = (shown(&data(&user, id).await, &case), worked_out(&theirs, &case));
            assert!(!expected.is_empty(), "{}", case.criteria);
            assert_eq!(shown, expected, "{name}: {}", case.criteria);
        }
    }
    payments_and_events(&test).await;
    machines(&test).await;
    what_has_changed(&test).await;
}

/// What no row has any more is in no sum, either.
async fn what_has_changed(test: &TestApp) {
    sqlx::query("UPDATE payment_transaction SET report_group = 'C'").execute(&test.app.db).await.unwrap();
    let grouped =
        json!({"select": [{"expr": "reportGroup"}, {"expr": "quantity", "op": "sum"}], "from": "payments"});
    compare(
        test,
        grouped,
        "SELECT jsonb_build_object('reportGroup', 'C', 'quantity', count(*))
         FROM payment_transaction WHERE NOT exclude AND user_group IN (2, 3)",
    )
    .await;
}

/// Asks something of rows and of a chart.
async fn compare(test: &TestApp, criteria: Value, sql: &'static str) {
    let a = test.user("a").await;
    let report = report(&a, "Compared").await;
    let id = chart(&a, report, json!({"type": "payment_types", "criteria": criteria})).await;
    let expected: Vec<Value> = sqlx::query_scalar(sql).fetch_all(&test.app.db).await.unwrap();
    assert!(!expected.is_empty());
    assert_eq!(data(&a, id).await, expected, "{criteria}");
}

async fn payments_and_events(test: &TestApp) {
    let types = json!({
        "select": [{"expr": "type"}, {"expr": "revenue", "op": "avg", "as": "mean"}, {"expr": "machine", "op": "count"}],
        "from": "payments", "where": [{"field": "method", "op": "in", "value": "cash,card"}],
        "orderBy": ["currency desc", "type"], "timeFrames": [{"type": "this_month", "viewType": "total"}],
    });
    compare(
        test,
        types,
        "SELECT to_jsonb(s) FROM (
            SELECT type, round(avg(price)) AS mean, count(DISTINCT machine) AS \"countMachine\", currency
            FROM payment_transaction WHERE NOT exclude AND user_group IN (2, 3)
              AND date_trunc('month', occurred_local) = '2026-11-01'
            GROUP BY type, currency ORDER BY currency DESC, type) s",
    )
    .await;
    sqlx::query(
        "INSERT INTO translation (user_group, key, language, value)
         VALUES (1, 'jam', 1, 'Far'), (2, 'jam', 1, 'Product jammed'), (2, 'jam', 2, 'Vast'), (4, 'jam', 1, 'Other')",
    )
    .execute(&test.app.db)
    .await
    .unwrap();
    let alarms = json!({
        "select": [{"expr": "text"}, {"expr": "error"}, {"expr": "type"}, {"expr": "quantity", "op": "sum"},
                   {"expr": "duration", "op": "sum"}],
        "from": "events", "where": [{"field": "type", "op": "!", "value": "message"}, {"field": "machine", "op": ">", "value": 21}],
        "timeFrames": [{"type": "last_week"}],
    });
    let counted = "
        SELECT to_jsonb(s) FROM (
            SELECT CASE error_identity WHEN 1 THEN 'Product jammed' ELSE code END AS text,
                   CASE error_identity WHEN 1 THEN 'jam' ELSE code END AS error,
                   CASE type WHEN 2 THEN 'issue' ELSE 'alarm' END AS type, count(*) AS quantity,
                   COALESCE(sum(duration), 0) AS duration
            FROM machine_log WHERE type > 1 AND user_group IN (2, 3) AND machine > 21
              AND occurred_local >= '2026-11-16' AND occurred_local < '2026-11-23'
            GROUP BY 1, 2, 3 ORDER BY 1, 2, 3) s";
    compare(test, alarms, counted).await;
    let jams = json!({
        "select": [{"expr": "text"}, {"expr": "quantity", "op": "sum"}], "from": "events",
        "where": [{"field": "error", "op": "startsWith", "value": "JA"}],
    });
    let all = "SELECT jsonb_build_object('text', 'Product jammed', 'quantity', count(*)) FROM machine_log
               WHERE error_identity = 1 AND user_group IN (2, 3)";
    compare(test, jams, all).await;
}

async fn machines(test: &TestApp) {
    sqlx::query(
        "INSERT INTO machine_presence (machine, seen_at) VALUES
         (21, '2026-11-24T10:59:00Z'), (22, '2026-11-23T08:00:00Z'), (31, '2026-11-24T10:59:30Z')",
    )
    .execute(&test.app.db)
    .await
    .unwrap();
    sqlx::query("UPDATE machine SET active = false WHERE id = 31").execute(&test.app.db).await.unwrap();
    // A machine that was given away keeps its sales here, and has no name here any more.
    sqlx::query("UPDATE machine SET user_group = 4 WHERE id = 32").execute(&test.app.db).await.unwrap();
    let a = test.user("a").await;
    let report = report(&a, "Machines").await;
    let offline = chart(&a, report, json!({"type": "offline_machines"})).await;
    let row = json!({
        "machine": 22, "machineName": "Machine 2 of a", "hostname": "vm-a-2", "locationName": "At a",
        "seenAt": "2026-11-23T08:00:00Z",
    });
    assert_eq!(data(&a, offline).await, [row]);
    let ask = async |criteria: Value| {
        a.put(&format!("/chart/{offline}"), json!({"criteria": criteria})).await.expect(200);
        data(&a, offline).await
    };
    let by_status = json!({
        "select": [{"expr": "status"}, {"expr": "quantity", "op": "sum"}, {"expr": "seenAt", "op": "max", "as": "last"}],
        "from": "machines",
    });
    let rows = [
        json!({"status": "inactive", "quantity": 1, "last": "2026-11-24T10:59:30Z"}),
        json!({"status": "offline", "quantity": 1, "last": "2026-11-23T08:00:00Z"}),
        json!({"status": "online", "quantity": 1, "last": "2026-11-24T10:59:00Z"}),
    ];
    assert_eq!(ask(by_status).await, rows);
    let seen = json!({
        "select": [{"expr": "machine"}], "from": "machines", "timeFrames": [{"type": "yesterday", "column": "seenAt"}],
    });
    assert_eq!(ask(seen).await, [json!({"machine": 22})]);
    let given_away = json!({
        "select": [{"expr": "hostname"}], "from": "sales", "where": [{"field": "machine", "op": "=", "value": "32"}],
    });
    assert_eq!(ask(given_away).await, [json!({"hostname": null})]);
}
