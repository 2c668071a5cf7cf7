//! Every report says what its rows add up to, whatever sums it is made of.

use super::{
    oracle::{Oracle, Scope},
    rows,
};
use crate::{app::TestApp, client::Client, world};
use chrono::{Duration, NaiveDateTime};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use serde_json::{Value, json};

const REPORTS: [&str; 6] = ["issues", "alarms", "revenue", "payments", "shiftpayments", "shiftproducts"];

const CATALOGUE: &str = "
    INSERT INTO product (id, machine, plu, name, report_name, price, barcode)
    VALUES (901, 21, 1, 'Espresso', 'Coffee', 150, '4006381333931'), (902, 22, 2, 'Mocha', NULL, 200, NULL);
    INSERT INTO translation (user_group, key, language, value)
    VALUES (1, 'jam', 1, 'Jammed'), (1, 'jam', 2, 'Vast'), (2, 'jam', 2, 'Klem'), (4, 'jam', 1, 'Stuck');
    UPDATE account SET language = 2 WHERE username = 'a'";

/// Some rows are changed, and what is old is in the archive.
const LATER: &str = "
    UPDATE revenue_transaction SET price = price + 7, shift = NULL WHERE id % 5 = 0;
    UPDATE payment_transaction SET exclude = NOT exclude WHERE id % 7 = 0;
    UPDATE machine_log SET duration = 77 WHERE duration IS NULL AND id % 2 = 0;
    SELECT settle_rest(t, 'occurred_at'), archive_months(t, '2025-11-10')
    FROM unnest(ARRAY['revenue_transaction', 'payment_transaction', 'machine_log']) t";

async fn filled(random: &mut StdRng) -> TestApp {
    let test = TestApp::new().await;
    sqlx::raw_sql(CATALOGUE).execute(&test.app.db).await.unwrap();
    rows::add(&test.app.db, random, 2_000).await;
    sqlx::raw_sql(LATER).execute(&test.app.db).await.unwrap();
    // What comes late comes into months that were summed up, and into such as are in the archive.
    rows::add(&test.app.db, random, 500).await;
    test
}

/// A period: ragged, or of whole days or months, and now and then within a day.
fn period(random: &mut StdRng) -> (NaiveDateTime, NaiveDateTime) {
    let begins: NaiveDateTime = "2025-10-15T00:00:00".parse().unwrap();
    let days = random.random_range(0..180);
    match random.random_range(0..4) {
        0 => {
            let start = begins + Duration::seconds(random.random_range(0..180 * 86_400));
            (start, start + Duration::seconds(random.random_range(0..3 * 86_400)))
        }
        1 => {
            let start = begins + Duration::days(days);
            (start, start + Duration::days(random.random_range(1..120)) - Duration::seconds(1))
        }
        2 => ("2025-11-01T00:00:00".parse().unwrap(), "2026-03-31T23:59:59".parse().unwrap()),
        _ => {
            let start = begins + Duration::seconds(random.random_range(0..100 * 86_400));
            (start, start + Duration::seconds(random.random_range(0..150 * 86_400)))
        }
    }
}

fn some(random: &mut StdRng, of: &[i64]) -> Vec<i64> {
    let asked = random.random_range(0..3) == 0;
    of.iter().copied().filter(|_| asked && random.random_range(0..2) == 0).collect()
}

/// The members of what is named: the group n has the machine n * 10 + 1 and the location n.
fn members(ids: &[i64], groups: &[i64], member: fn(i64) -> i64) -> Option<Vec<i64>> {
    let all: Vec<i64> = ids.iter().copied().chain(groups.iter().map(|&group| member(group))).collect();
    (!all.is_empty()).then_some(all)
}

fn sorted(mut rows: Vec<Value>) -> Vec<Value> {
    rows.sort_by_key(Value::to_string);
    rows
}

/// That a report answers, both as JSON and as a sheet, what the oracle says.
async fn check(client: &Client, oracle: &Oracle, report: &str, mut body: Value, scopes: &[Scope; 2]) {
    let bound = |at: NaiveDateTime| at.format("%Y-%m-%d %H:%M:%S").to_string();
    for (scope, name) in scopes.iter().zip(["period1", "period2"]) {
        body[name] = json!({"startDate": bound(scope.start), "endDate": bound(scope.end)});
    }
    let path = format!("/report/{report}");
    let answer = client.post(&path, body.clone()).await.expect(200);
    let mut lines = 1;
    for (scope, name) in scopes.iter().zip(["period1", "period2"]) {
        let rows = answer[name]["data"].as_array().unwrap().clone();
        assert_eq!(answer[name]["startDate"], bound(scope.start));
        assert_eq!(answer[name]["endDate"], bound(scope.end));
        let order = if report == "issues" || report == "alarms" { "quantity" } else { "revenue" };
        let of_shift = |row: &Value| (row["shift"].as_i64(), row[order].as_i64());
        let is_first = rows.windows(2).all(|pair| of_shift(&pair[0]) >= of_shift(&pair[1]));
        assert!(is_first, "{report} {body}: most first, the latest shift first");
        lines += rows.len();
        assert_eq!(sorted(rows), sorted(oracle.rows(report, scope)), "{report} {body}");
    }
    let sheet = client.post(&format!("{path}?format=csv"), body).await;
    assert_eq!(sheet.text().lines().count(), lines, "{report}");
}

#[tokio::test]
async fn every_report_is_what_its_rows_add_up_to() {
    let mut random = StdRng::seed_from_u64(19);
    let test = filled(&mut random).await;
    let oracle = Oracle::of(&test.app.db).await;
    let callers = [
        (test.user("root").await, &[world::ROOT, world::A, world::A1, world::B][..], "Jammed"),
        (test.user("a").await, &[world::A, world::A1][..], "Klem"),
    ];
    for _ in 0..8 {
        for (client, groups, jam) in &callers {
            let machines =
                some(&mut random, if groups.len() == 4 { &[11, 21, 22, 31, 41] } else { &[21, 31] });
            let machine_groups = some(&mut random, groups);
            let locations = some(&mut random, groups);
            let location_groups = some(&mut random, groups);
            let mut scopes = [scope(groups, jam, &mut random), scope(groups, jam, &mut random)];
            for scope in &mut scopes {
                scope.machines = members(&machines, &machine_groups, |group| group * 10 + 1);
                scope.locations = members(&locations, &location_groups, |group| group);
            }
            let body = json!({"machines": machines, "machineGroups": machine_groups, "locations": locations,
                              "locationGroups": location_groups});
            for report in REPORTS {
                check(client, &oracle, report, body.clone(), &scopes).await;
            }
        }
    }
}

fn scope(groups: &[i64], jam: &'static str, random: &mut StdRng) -> Scope {
    let (start, end) = period(random);
    Scope { groups: groups.to_vec(), machines: None, locations: None, start, end, jam }
}
