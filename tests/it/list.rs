//! The list query against real rows: every column, every op, and the ways from page to page.

use crate::{app::TestApp, campaigns::campaign, client::Reply};
use serde_json::{Value, json};

fn names(reply: &Reply) -> Vec<String> {
    let rows = reply.expect(200);
    rows.as_array().unwrap().iter().map(|row| row["name"].as_str().unwrap().to_owned()).collect()
}

/// The path of a `Link` with this relation.
fn link(reply: &Reply, rel: &str) -> Option<String> {
    let links = reply.headers.get("link")?.to_str().unwrap();
    let link = links.split(", ").find(|link| link.ends_with(&format!("rel=\"{rel}\"")))?;
    Some(link[1..link.find('>')?].to_owned())
}

#[tokio::test]
async fn conditions_narrow_a_list() {
    let app = TestApp::new().await;
    let a = app.user("a").await;
    for (name, value, limit) in [("Cola 50%", 1, None), ("cola_max", 2, Some(5)), ("Fanta", 3, Some(6))] {
        campaign(&a, json!({"name": name, "voucherValue": value, "redemptionLimit": limit})).await;
    }
    let cases: [(&str, &[&str]); 14] = [
        ("", &["Cola 50%", "cola_max", "Fanta"]),
        ("where[name]=Fanta", &["Fanta"]),
        ("where[name][=]=Fanta&where[name][=]=cola_max", &["cola_max", "Fanta"]),
        ("where[voucherValue][in]=1,3", &["Cola 50%", "Fanta"]),
        ("where[voucherValue][%3E%3D]=2", &["cola_max", "Fanta"]),
        ("where[voucherValue][%3E]=1&where[voucherValue][%3C]=3", &["cola_max"]),
        ("where[name][contains]=COLA", &["Cola 50%", "cola_max"]),
        ("where[name][contains]=%25", &["Cola 50%"]),
        ("where[name][startsWith]=cola_", &["cola_max"]),
        ("where[name][endsWith]=ta", &["Fanta"]),
        ("where[redemptionLimit]=null", &["Cola 50%"]),
        ("where[redemptionLimit][!]=null", &["cola_max", "Fanta"]),
        ("where[redemptionLimit][!]=5", &["Cola 50%", "Fanta"]),
        ("sort=voucherValue desc", &["Fanta", "cola_max", "Cola 50%"]),
    ];
    for (query, expected) in cases {
        let reply = a.get(&format!("/campaign?{}", query.replace(' ', "+"))).await;
        assert_eq!(names(&reply), expected, "{query}");
        assert_eq!(reply.headers["x-total-count"], expected.len().to_string());
    }
    a.get("/campaign?where[colour]=red").await.expect_problem(400, "/where[colour]");
    a.get("/v1/campaign?limit=101").await.expect_problem(400, "/limit");
}

#[tokio::test]
async fn every_column_of_every_list_can_be_filtered_and_sorted_by() {
    let app = TestApp::new().await;
    let a = app.user("a").await;
    let path = campaign(&a, json!({"totalVouchers": 3, "type": "gift"})).await;
    scrip::jobs::worker::work_one(&app.app).await.unwrap();
    let voucher = a.get(&format!("{path}/vouchers")).await.expect(200)[0].clone();
    let logs = format!("/voucher/{}/logs", voucher["id"].as_str().unwrap());
    // Links are made when they are shown, and locks are elsewhere.
    let shown_only = ["vouchersPdfUrl", "lockOwner", "lockedTill", "pdfUrl", "validationRules"];
    let campaign = a.get(&path).await.expect(200);
    for (list, row) in [("/campaign", &campaign), ("/voucher", &voucher)] {
        for (column, value) in row.as_object().unwrap() {
            if shown_only.contains(&column.as_str()) {
                continue;
            }
            let text = match value {
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            let found = a.get(&format!("{list}?where[{column}]={text}&sort={column}+desc")).await;
            assert!(!found.expect(200).as_array().unwrap().is_empty(), "{list} {column}={text}");
            let empty = a.get(&format!("{list}?where[{column}][!]={text}&where[{column}][in]={text}")).await;
            if value.is_null() {
                continue;
            }
            assert_eq!(empty.expect(200), json!([]), "{list} {column}");
        }
    }
    for column in
        ["id", "voucher", "requester", "requesterLocation", "action", "success", "createdAt", "updatedAt"]
    {
        a.get(&format!("{logs}?sort={column}&where[{column}][!]=null")).await.expect(200);
    }
}

#[tokio::test]
async fn links_lead_through_all_rows_once() {
    let app = TestApp::new().await;
    let a = app.user("a").await;
    for number in 0..7 {
        campaign(&a, json!({"name": format!("c{number}")})).await;
    }
    for first in
        ["/v1/campaign?limit=3", "/campaign?limit=3&sort=name+desc", "/campaign?limit=2&where[name][!]=x"]
    {
        let (mut next, mut seen) = (Some(first.to_owned()), Vec::new());
        while let Some(path) = next {
            let reply = a.get(&path).await;
            assert_eq!(reply.headers["x-total-count"], "7");
            seen.extend(names(&reply));
            next = link(&reply, "next");
        }
        seen.sort();
        assert_eq!(seen, ["c0", "c1", "c2", "c3", "c4", "c5", "c6"], "{first}");
    }
    let middle = a.get("/campaign?limit=3&skip=3").await;
    assert_eq!(names(&middle), ["c3", "c4", "c5"]);
    assert_eq!(names(&a.get(&link(&middle, "prev").unwrap()).await), ["c0", "c1", "c2"]);
    assert_eq!(names(&a.get(&link(&middle, "next").unwrap()).await), ["c6"]);
    let beyond = a.get("/campaign?skip=50").await;
    assert_eq!((names(&beyond).len(), &beyond.headers["x-total-count"]), (0, &"7".parse().unwrap()));
}

#[tokio::test]
async fn a_code_is_found_by_its_index() {
    let app = TestApp::new().await;
    let a = app.user("a").await;
    let path = campaign(&a, json!({"totalVouchers": 3})).await;
    scrip::jobs::worker::work_one(&app.app).await.unwrap();
    let vouchers = a.get(&format!("{path}/vouchers")).await.expect(200);
    let code = vouchers[1]["code"].as_str().unwrap();
    assert_eq!(a.get(&format!("/voucher?where[code]={code}")).await.expect(200), json!([vouchers[1]]));
    let two = format!("/voucher?where[code][in]={code},{}", vouchers[2]["code"].as_str().unwrap());
    assert_eq!(a.get(&two).await.expect(200).as_array().unwrap().len(), 2);
    assert_eq!(a.get("/voucher?where[code]=").await.expect(200), vouchers, "no value is no condition");
}
