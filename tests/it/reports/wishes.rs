//! How reports are asked for, who may, and how they are stored.

use crate::{app::TestApp, world};
use axum::{body::Body, http::Request};
use serde_json::{Value, json};

#[tokio::test]
async fn a_report_is_asked_for_by_who_may_and_refused_where_it_is_wrong() {
    let test = TestApp::builder().stopped_at("2026-04-20T10:00:00Z").build().await;
    let a = test.user("a").await;
    let year = json!({
        "referenceDate": "2019-03-11T11:40:43+01:00",
        "startDate": {"year": 0, "month": 1, "day": 1, "week": null, "hour": 0, "minute": 0, "second": 0},
        "endDate": {"year": 0, "month": 0, "day": 0, "week": null, "hour": 23, "minute": 59, "second": 59}
    });
    let answer = a.post("/report/alarms", json!({"machines": [21], "period1": year})).await.expect(200);
    let told = json!({"data": [], "startDate": "2019-01-01 00:00:00", "endDate": "2019-03-11 23:59:59"});
    assert_eq!(answer, json!({"period1": told}));
    // Without a reference it is the present that counts.
    let today = json!({"period1": {"startDate": {}, "endDate": {}}});
    let answer = a.post("/v1/report/payments", today.clone()).await.expect(200);
    assert_eq!(answer["period1"]["endDate"], "2026-04-20 23:59:59");
    let turned = json!({"startDate": {"day": 0}, "endDate": {"day": -1}});
    for (field, value, pointer) in [
        ("machines", json!([21, 41]), "/machines/1"),
        ("locations", json!([4]), "/locations/0"),
        ("machineGroups", json!(["x"]), "/machineGroups/0"),
        ("locationGroups", json!(null), "/locationGroups"),
        ("period1", turned.clone(), "/period1"),
        ("period2", turned, "/period2"),
        ("period1", json!({"startDate": {"month": 13}, "endDate": "2019-01-01"}), "/period1/startDate/month"),
        ("period1", json!({"startDate": {}, "endDate": "2019-01-01\u{0}"}), "/period1/endDate"),
        ("useArchive", json!(true), "/useArchive"),
    ] {
        let mut body = today.clone();
        body[field] = value;
        a.post("/report/revenue", body).await.expect_problem(422, pointer);
    }
    a.post("/report/revenue", json!({})).await.expect_problem(422, "/period1");
    a.post("/report/revenue?format=pdf", today.clone()).await.expect_problem(400, "/format");
    a.post("/report/revenue?colour=red", today.clone()).await.expect_problem(400, "/colour");
    a.post("/report/nonsense", today.clone()).await.expect(405);
    let reader = test.bearer(world::key(&test.app.db, world::A, None, &["report.read"]).await);
    let request = Request::post("/report/shiftproducts")
        .header("accept", "text/csv")
        .body(Body::from(today.to_string()));
    let sheet = reader.send_raw(request.unwrap()).await;
    assert_eq!(
        sheet.text(),
        "period,startDate,endDate,shift,productId,name,barcode,reportName,quantity,revenue,sum,currency\n"
    );
    assert_eq!(sheet.headers["content-disposition"], "attachment; filename=\"Products by shift.csv\"");
    let other = test.bearer(world::key(&test.app.db, world::A, None, &["fleet.read"]).await);
    other.post("/report/revenue", today).await.expect(403);
    reader.post("/report", json!({})).await.expect(403);
}

#[tokio::test]
async fn a_report_is_stored_with_what_it_is_of() {
    let test = TestApp::new().await;
    let (a, b) = (test.user("a").await, test.user("b").await);
    let fixed =
        json!({"startDate": "2023-01-01 00:00:00", "endDate": "2023-01-07 23:59:59", "type": "fixed date"});
    let week = json!({"startDate": {"week": -1}, "endDate": {"week": -1}});
    let draft = json!({"name": "Weekly", "period1": fixed, "period2": week, "locationGroup": [2], "machines": [21, 31],
                       "manufactures": [1], "machineTypes": [1, 2], "machineModels": [1]});
    let id = a.post("/report", draft.clone()).await.expect(201)["id"].clone();
    let path = format!("/report/{id}");
    let row = a.get(&path).await.expect(200);
    assert_eq!((&row["name"], &row["user"], &row["userGroup"]), (&json!("Weekly"), &json!(2), &json!(2)));
    assert_eq!((&row["period1"], &row["period2"]["startDate"]["week"]), (&fixed, &json!(-1)));
    let ids = async |alias: &str| {
        let rows = a.get(&format!("{path}/{alias}")).await.expect(200);
        rows.as_array().unwrap().iter().map(|row| row["id"].as_i64().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(ids("locationGroup").await, [2]);
    assert_eq!(ids("machines").await, [21, 31]);
    assert_eq!(ids("manufacturers").await, [1]);
    assert_eq!(ids("machineTypes").await, [1, 2]);
    assert_eq!(ids("locations").await, [] as [i64; 0]);
    assert_eq!(a.get(&format!("{path}/user")).await.expect(200)["username"], "a");

    // One by one; twice is once, and what is not in it can't be taken out.
    for _ in 0..2 {
        assert_eq!(a.post(&format!("{path}/machines/22"), Value::Null).await.expect(201)["id"], 22);
    }
    assert_eq!(ids("machines").await, [21, 22, 31]);
    a.delete(&format!("{path}/machines/21")).await.expect(200);
    a.delete(&format!("{path}/machines/21")).await.expect(404);
    a.delete(&format!("{path}/manufacturers/1")).await.expect(200);
    assert_eq!((ids("machines").await, ids("manufacturers").await), (vec![22, 31], vec![]));
    for place in ["machines/41", "machines/999999", "user/2", "nonsense/1"] {
        a.post(&format!("{path}/{place}"), Value::Null).await.expect(404);
    }
    a.post(&format!("{path}/machines/x"), Value::Null).await.expect_problem(400, "/id");
    a.post("/report/x/machines/21", Value::Null).await.expect_problem(400, "/parentid");
    for refused in [b.post(&format!("{path}/machines/41"), Value::Null).await, b.get(&path).await] {
        refused.expect(404);
    }

    // Every property is optional in a change.
    a.put(&path, json!({"name": "Monthly", "period2": null, "machines": []})).await.expect(200);
    let row = a.get(&path).await.expect(200);
    assert_eq!((&row["name"], &row["period1"], &row["period2"]), (&json!("Monthly"), &fixed, &Value::Null));
    assert_eq!(ids("machines").await, [] as [i64; 0]);
    for (field, value, pointer) in [
        ("period1", json!({"startDate": "2023-01-02", "endDate": "2023-01-01"}), "/period1"),
        ("period2", json!({"startDate": {"hour": 24}, "endDate": {}}), "/period2/startDate/hour"),
        ("manufactures", json!([99]), "/manufactures/0"),
        ("user", json!(1), "/user"),
    ] {
        a.put(&path, json!({field: value.clone()})).await.expect_problem(422, pointer);
        let mut draft = draft.clone();
        draft[field] = value;
        a.post("/report", draft).await.expect_problem(422, pointer);
    }
    let nameless = a.post("/report", json!({})).await.expect(201)["id"].clone();
    assert_eq!(a.get(&format!("/report/{nameless}")).await.expect(200)["name"], format!("Report {nameless}"));
    // What it is of may go.
    a.put(&path, json!({"machines": [22]})).await.expect(200);
    a.delete("/machine/22").await.expect(200);
    a.delete(&path).await.expect(200);
    a.get(&path).await.expect(404);
}
