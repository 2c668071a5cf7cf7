//! Reports of charts: made, changed, moved, copied, and out of others' reach.

use super::{chart, data, report};
use crate::{
    app::TestApp,
    client::Client,
    world::{self, A},
};
use serde_json::{Value, json};

const TYPES: [&str; 7] = [
    "revenue_full",
    "revenue_grouped",
    "payment_types",
    "offline_machines",
    "machine_cleaning",
    "machine_alarms",
    "machine_issues",
];

async fn names(client: &Client, report: i64) -> Vec<Value> {
    let charts = client.get(&format!("/userreport/{report}/chart")).await.expect(200);
    charts.as_array().unwrap().iter().map(|chart| chart["name"].clone()).collect()
}

#[tokio::test]
async fn a_report_is_put_together_of_charts() {
    let test = TestApp::new().await;
    let a = test.user("a").await;
    let week = report(&a, "Week").await;
    for kind in TYPES {
        let id = chart(&a, week, json!({"type": kind})).await;
        data(&a, id).await;
    }
    let templates = a.get("/charttemplate").await.expect(200);
    let charts = a.get(&format!("/userreport/{week}/chart")).await.expect(200);
    for (index, kind) in TYPES.iter().enumerate() {
        let (template, shown) = (&templates[index], &charts[index]);
        assert_eq!((&template["type"], &shown["type"]), (&json!(kind), &json!(kind)));
        assert_eq!((&template["name"], &template["criteria"]), (&shown["name"], &shown["criteria"]));
        assert_eq!(&a.get(&format!("/charttemplate/{}", template["id"])).await.expect(200), template);
        assert_eq!((&shown["position"], &shown["view"]), (&json!(index), &json!("table")));
    }
    a.get("/charttemplate/8").await.expect(404);

    // What was read can be sent back, changed or not.
    let id = charts[0]["id"].clone();
    let path = format!("/chart/{id}");
    a.put(&path, charts[0].clone()).await.expect(200);
    let kept: Option<Value> = sqlx::query_scalar("SELECT criteria FROM chart WHERE id = $1")
        .bind(id.as_i64())
        .fetch_one(&test.app.db)
        .await
        .unwrap();
    assert_eq!(kept, None, "what the type asks for by itself");
    a.put(&path, json!({"type": "machine_alarms", "view": "pie", "position": 9})).await.expect(200);
    let shown = a.get(&path).await.expect(200);
    assert_eq!((&shown["criteria"], &shown["name"]), (&charts[5]["criteria"], &charts[0]["name"]));
    assert_eq!(shown["reportType"], "userreport");
    assert_eq!(names(&a, week).await.last(), Some(&charts[0]["name"]));
    let own = json!({"select": [{"expr": "machine", "op": "count", "as": "machines"}], "from": "machines"});
    a.put(&path, json!({"criteria": own})).await.expect(200);
    assert_eq!(data(&a, id.as_i64().unwrap()).await, [json!({"machines": 4})], "of a and a1");
    a.put(&path, json!({"type": "payment_types"})).await.expect(200);
    assert_eq!(a.get(&path).await.expect(200)["criteria"]["from"], "machines");
    a.put(&path, json!({"criteria": null})).await.expect(200);
    let whole = a.get(&path).await.expect(200);
    assert_eq!(whole["criteria"], charts[2]["criteria"]);
    for field in ["criteria", "id"] {
        assert_eq!(
            a.get(&format!("{path}/{field}")).await.expect(200),
            whole,
            "the chart, whichever is named"
        );
    }
    a.get(&format!("{path}/secret")).await.expect(404);
    for (bad, pointer) in [
        (json!({"id": 999}), "/id"),
        (json!({"name": null}), "/name"),
        (json!({"type": "x"}), "/type"),
        (json!({"view": "x"}), "/view"),
        (json!({"position": -1}), "/position"),
        (json!({"report": 999}), "/report"),
        (json!({"reportType": "x"}), "/reportType"),
        (json!({"createAt": "soon"}), "/createAt"),
        (json!({"createdAt": "2026-01-01T00:00:00Z"}), "/createdAt"),
    ] {
        a.put(&path, bad).await.expect_problem(422, pointer);
    }

    // A copy has the charts as they are; a chart moves from one report to another.
    let copied = a.post(&format!("/userreport/{week}/duplicate"), json!({"name": "Copy"})).await.expect(201);
    let copy = copied["id"].as_i64().unwrap();
    assert_eq!(names(&a, copy).await, names(&a, week).await);
    a.put(&path, json!({"report": copy, "name": "Moved"})).await.expect(200);
    assert_eq!((names(&a, week).await.len(), names(&a, copy).await.len()), (6, 8));
    a.delete(&format!("/userreport/{week}")).await.expect(200);
    a.get(&format!("/chart/{}", charts[1]["id"])).await.expect(404);
    assert_eq!(a.get(&path).await.expect(200)["report"], copy);
    a.delete(&path).await.expect(200);
    a.delete(&path).await.expect(404);

    // No more than fits a report.
    let fill = "INSERT INTO chart (report, name, type, view, position, created_at, updated_at)
                SELECT $1, 'x', 'payment_types', 'pie', 0, now(), now() FROM generate_series(1, 93)";
    sqlx::query(fill).bind(copy).execute(&test.app.db).await.unwrap();
    a.post(&format!("/userreport/{copy}/chart"), json!({"type": "payment_types"})).await.expect(409);
}

#[tokio::test]
async fn others_reports_and_hostile_criteria_are_refused() {
    let test = TestApp::new().await;
    let (root, a, a1, b) =
        (test.user("root").await, test.user("a").await, test.user("a1").await, test.user("b").await);
    let theirs = report(&a, "Of a").await;
    let id = chart(&a, theirs, json!({"type": "revenue_full"})).await;
    let chart_path = format!("/chart/{id}");
    let charts = format!("/userreport/{theirs}/chart");
    assert_eq!(root.get(&chart_path).await.expect(200)["report"], theirs);
    for stranger in [&a1, &b] {
        for path in ["", "/data", "/name"] {
            stranger.get(&format!("{chart_path}{path}")).await.expect(404);
        }
        stranger.get(&charts).await.expect(404);
        stranger.post(&charts, json!({"type": "revenue_full"})).await.expect(404);
        stranger.post(&format!("/userreport/{theirs}/duplicate"), json!({"name": "x"})).await.expect(404);
        stranger.put(&chart_path, json!({"name": "x"})).await.expect(404);
        stranger.delete(&chart_path).await.expect(404);
        let own = report(stranger, "Own").await;
        let moving = chart(stranger, own, json!({"type": "revenue_full"})).await;
        let moved = stranger.put(&format!("/chart/{moving}"), json!({"report": theirs})).await;
        moved.expect_problem(422, "/report");
    }
    let reader = test.bearer(world::key(&test.app.db, A, None, &["report.read"]).await);
    reader.get(&format!("{chart_path}/data")).await.expect(200);
    reader.put(&chart_path, json!({})).await.expect(403);
    let blind = test.bearer(world::key(&test.app.db, A, None, &["report.write"]).await);
    blind.get(&format!("{chart_path}/data")).await.expect(403);
    blind.get("/charttemplate").await.expect(403);
    makes_no_sense(&a, &charts, &chart_path).await;
    reads_like_sql(&test, &a, id).await;
}

/// Criteria that are refused, each where it is wrong.
async fn makes_no_sense(a: &Client, charts: &str, chart_path: &str) {
    let good = json!({"expr": "revenue", "op": "sum"});
    for (criteria, pointer) in [
        (json!("SELECT 1"), ""),
        (json!({"from": "sales"}), "/select"),
        (json!({"select": [good]}), "/from"),
        (json!({"select": [good], "from": "account"}), "/from"),
        (json!({"select": [good], "from": "sales", "having": []}), "/having"),
        (json!({"select": [{"expr": "revenue", "op": "sum)"}], "from": "sales"}), "/select/0/op"),
        (json!({"select": [{"expr": "(SELECT 1)"}], "from": "sales"}), "/select/0/expr"),
        (json!({"select": [{"expr": "revenue", "op": "sum", "x": 1}], "from": "sales"}), "/select/0/x"),
        (json!({"select": vec![good.clone(); 21], "from": "sales"}), "/select"),
        (
            json!({"select": [good], "from": "sales", "where": [{"field": "city", "op": "like", "value": "x"}]}),
            "/where/0/op",
        ),
        (
            json!({"select": [good], "from": "sales", "where": [{"field": "city", "op": "=", "value": ["x"]}]}),
            "/where/0/value",
        ),
        (
            json!({"select": [good], "from": "sales", "where": [{"field": "city", "op": "="}]}),
            "/where/0/value",
        ),
        (json!({"select": [good], "from": "sales", "orderBy": ["1"]}), "/orderBy/0"),
        (json!({"select": [good], "from": "sales", "timeFrames": [{"type": "ever"}]}), "/timeFrames/0/type"),
        (
            json!({"select": [good], "from": "sales", "timeFrames": [{"type": "today", "viewType": "x"}]}),
            "/timeFrames/0/viewType",
        ),
        (
            json!({"select": [good], "from": "sales", "timeFrames": [{"type": "today", "hoursToSub": 1e300}]}),
            "/timeFrames/0/hoursToSub",
        ),
    ] {
        let pointer = format!("/criteria{pointer}");
        let body = json!({"type": "revenue_full", "criteria": criteria});
        a.post(charts, body).await.expect_problem(422, &pointer);
        a.put(chart_path, json!({"criteria": criteria})).await.expect_problem(422, &pointer);
    }
}

/// What reads like SQL is a name or a value like any other.
async fn reads_like_sql(test: &TestApp, a: &Client, id: i64) {
    let quoted = "x'\"); DROP TABLE chart; --";
    let criteria = json!({
        "select": [{"expr": "productName", "as": quoted}, {"expr": "quantity", "op": "sum"}], "from": "sales",
        "where": [{"field": "productName", "op": "contains", "value": quoted}],
        "orderBy": [format!("{quoted} desc")], "timeFrames": [{"type": "today", "description": quoted}, {"type": "yesterday"}],
    });
    a.put(&format!("/chart/{id}"), json!({"criteria": criteria})).await.expect(200);
    assert_eq!(data(a, id).await, Vec::<Value>::new());
    sqlx::query(
        "INSERT INTO revenue_transaction (machine, location, user_group, occurred_at, time_zone, name, price,
                                          original_price, currency)
         SELECT 21, 2, 2, $1, 'Europe/Amsterdam', $2, 1, 1, 'EUR'",
    )
    .bind(test.app.clock.now())
    .bind(quoted)
    .execute(&test.app.db)
    .await
    .unwrap();
    assert_eq!(data(a, id).await, [json!({"timeFrame": quoted, quoted: quoted, "quantity": 1})]);
}
