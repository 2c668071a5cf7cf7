//! Dates and instants of campaigns and vouchers in lists: compared as moments, and what a reset changes.

use crate::{
    app::TestApp,
    campaigns::{campaign, redeem, voucher},
    client::Client,
};
use chrono::Duration;
use serde_json::{Value, json};

/// The values of a field in a list, in its order.
async fn listed(client: &Client, path: &str, field: &str) -> Vec<Value> {
    let rows = client.get(&path.replace(' ', "+")).await.expect(200);
    rows.as_array().unwrap().iter().map(|row| row[field].clone()).collect()
}

#[tokio::test]
async fn dates_and_instants_compare_as_moments() {
    let app = TestApp::builder().stopped_at("2026-11-24T12:00:00Z").build().await;
    let a = app.user("a").await;
    let path = campaign(&a, json!({})).await;
    let in_order = [
        ("2027-09-01", "UTC"),
        ("2027-10-01T03:00:00+09:00", "UTC"),
        ("2027-10-01T00:30:00+02:00", "UTC"),
        // The end of the day, before the next begins.
        ("2027-09-30", "UTC"),
        ("2027-10-01T00:00:00Z", "UTC"),
        ("2027-09-30", "America/New_York"),
        ("2027-09-30T23:30:00-05:00", "UTC"),
        ("2027-10-02", "UTC"),
        ("2027-11-01T00:00:00Z", "UTC"),
    ];
    for (text, zone) in in_order.iter().rev() {
        voucher(&a, &path, json!({"expiresOn": text, "timeZone": zone})).await;
    }
    let list = format!("{path}/vouchers");
    let texts = |places: &[usize]| places.iter().map(|place| json!(in_order[*place].0)).collect::<Vec<_>>();
    let all = [0, 1, 2, 3, 4, 5, 6, 7, 8];
    assert_eq!(listed(&a, &format!("{list}?sort=expiresOn asc"), "expiresOn").await, texts(&all));
    let sorted = |op: &str, value: &str| format!("{list}?sort=expiresOn&where[expiresOn]{op}={value}");
    let cases: [(&str, &str, &[usize]); 9] = [
        ("[%3C]", "2027-10-01T00:00:00Z", &all[..4]),
        ("[%3C%3D]", "2027-10-01T00:00:00Z", &all[..5]),
        ("[%3E]", "2027-10-01T00:00:00Z", &all[5..]),
        ("[%3E%3D]", "2027-10-01T02:00:00%2B02:00", &all[4..]),
        // A day is one of each voucher's own zone.
        ("", "2027-09-30", &[3, 5]),
        ("[%3E]", "2027-09-30", &[4, 6, 7, 8]),
        ("", "2027-09-01", &[0]),
        ("", "2027-09-30T18:00:00Z", &[1]),
        ("[in]", "2027-09-01,2027-10-01T03:00:00%2B09:00", &[0, 1]),
    ];
    for (op, value, expected) in cases {
        let found = listed(&a, &sorted(op, value), "expiresOn").await;
        assert_eq!(found, texts(expected), "{op} {value}");
    }
    a.get(&sorted("", "2027-9-1")).await.expect_problem(400, "/where[expiresOn]");
    a.get(&sorted("[contains]", "2027")).await.expect_problem(400, "/where[expiresOn][contains]");
}

#[tokio::test]
async fn a_campaigns_dates_compare_as_moments() {
    let app = TestApp::builder().stopped_at("2026-11-24T12:00:00Z").build().await;
    let a = app.user("a").await;
    for starts_on in ["2027-01-02", "2027-01-01T00:30:00+02:00", "2027-01-01"] {
        campaign(&a, json!({"name": starts_on, "startsOn": starts_on, "timeZone": "UTC"})).await;
    }
    let ordered = listed(&a, "/campaign?sort=startsOn", "startsOn").await;
    assert_eq!(ordered, ["2027-01-01T00:30:00+02:00", "2027-01-01", "2027-01-02"]);
    let found =
        listed(&a, "/campaign?where[startsOn][%3E%3D]=2027-01-01T00:00:00Z&sort=startsOn", "startsOn").await;
    assert_eq!(found, ["2027-01-01", "2027-01-02"]);
    assert_eq!(listed(&a, "/campaign?where[startsOn]=2027-01-01", "startsOn").await, ["2027-01-01"]);
    assert_eq!(listed(&a, "/campaign?where[expiresOn]=null", "startsOn").await.len(), 3);
}

#[tokio::test]
async fn a_date_is_stored_in_one_spelling() {
    let app = TestApp::builder().stopped_at("2026-11-24T12:00:00Z").build().await;
    let a = app.user("a").await;
    let path = campaign(&a, json!({})).await;
    let id: i64 = path.rsplit('/').next().unwrap().parse().unwrap();
    for text in ["2027-9-1", " 2027-09-01", "+2027-09-01", "2027-09-01 ", "soon"] {
        let draft = json!({"campaign": id, "type": "discount", "value": 1, "expiresOn": text});
        a.post("/voucher", draft).await.expect_problem(422, "/expiresOn");
        a.put(&path, json!({"startsOn": text})).await.expect_problem(422, "/startsOn");
    }
    for (text, stored) in [
        ("2027-09-01t10:00:00.000z", "2027-09-01T10:00:00Z"),
        ("2027-09-01 10:00:00", "2027-09-01T10:00:00"),
        ("2027-09-01T10:00:00+02:00", "2027-09-01T10:00:00+02:00"),
    ] {
        let made = voucher(&a, &path, json!({"expiresOn": text})).await;
        assert_eq!(made["expiresOn"], stored);
        a.put(&path, json!({"expiresOn": text})).await.expect(200);
        assert_eq!(a.get(&path).await.expect(200)["expiresOn"], stored);
    }
}

#[tokio::test]
async fn filters_see_what_rows_show_after_a_reset() {
    let app = TestApp::builder().stopped_at("2026-11-24T12:00:00Z").build().await;
    let a = app.user("a").await;
    let path = campaign(&a, json!({"type": "dynamic"})).await;
    let daily = json!({"type": "gift", "value": 500, "resetFrequency": "day", "timeZone": "Asia/Tokyo"});
    let once = json!({"type": "gift", "value": 500});
    for terms in [&daily, &once, &daily] {
        let made = voucher(&a, &path, terms.clone()).await;
        if *terms == once || listed(&a, &format!("{path}/vouchers"), "id").await.len() == 1 {
            redeem(&app, &made, 500, "2026-11-24T12:00:00Z").await;
        }
    }
    let list = format!("{path}/vouchers");
    let columns = ["balance", "redemptionCount", "amountRedeemed", "lastResetAt"];
    let assert_shown = async |a: &Client| {
        let rows = a.get(&list).await.expect(200);
        for column in columns {
            for row in rows.as_array().unwrap() {
                let value = row[column].as_str().map_or_else(|| row[column].to_string(), str::to_owned);
                let expected: Vec<_> =
                    rows.as_array().unwrap().iter().filter(|other| other[column] == row[column]).collect();
                let found = a.get(&format!("{list}?where[{column}]={value}")).await.expect(200);
                assert_eq!(
                    found.as_array().unwrap().iter().collect::<Vec<_>>(),
                    expected,
                    "{column}={value}"
                );
            }
            let mut sorted: Vec<Value> =
                rows.as_array().unwrap().iter().map(|row| row[column].clone()).collect();
            sorted.sort_by_key(|value| (value.is_null(), value.as_i64(), value.as_str().map(str::to_owned)));
            assert_eq!(listed(a, &format!("{list}?sort={column}"), column).await, sorted, "{column}");
        }
        rows
    };
    let shown = |rows: &Value| {
        rows.as_array().unwrap().iter().map(|row| row["balance"].as_i64().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(shown(&assert_shown(&a).await), [0, 0, 500]);
    // Midnight has come in Tokyo; nobody has looked at the vouchers since.
    app.app.clock.advance(Duration::hours(4));
    let a = app.user("a").await;
    assert_eq!(shown(&assert_shown(&a).await), [500, 0, 500]);
    assert_eq!(
        listed(&a, &format!("{list}?where[balance][%3E]=0&where[redemptionCount]=0"), "balance").await.len(),
        2
    );
    // An export goes by the same conditions.
    let sheet = a.get("/voucher/export?columns=balance&where[balance][%3E]=0").await.text();
    assert_eq!(sheet.lines().count(), 3, "{sheet}");
}
