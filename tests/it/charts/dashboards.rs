//! Dashboards: each is its user's own.

use crate::{
    app::TestApp,
    world::{self, A},
};
use serde_json::{Value, json};

#[tokio::test]
async fn a_dashboard_is_its_users_own() {
    let test = TestApp::new().await;
    let (a, root) = (test.user("a").await, test.user("root").await);
    let id = a.post("/dashboard", json!({"name": "Morning"})).await.expect(201)["id"].clone();
    let other = a.post("/dashboard", json!({"name": "Evening"})).await.expect(201)["id"].clone();
    let widgets = format!("/dashboard/{id}/widget");
    let widget =
        a.post(&widgets, json!({"name": "Revenue", "widgetType": 3})).await.expect(201)["id"].clone();
    let plain = a.post(&widgets, json!({})).await.expect(201)["id"].clone();
    let (path, settings) = (format!("/widget/{widget}"), format!("/widget/{widget}/settings"));

    // Settings are kept as they come, whatever they are.
    let kept = "{\"colour\": \u{202e}\"#fff\"}\r\n\u{1}";
    a.put(&settings, json!({"settings": kept})).await.expect(200);
    let long = "é".repeat(32 * 1024);
    a.put(&format!("/widget/{plain}/settings"), json!({"settings": long})).await.expect(200);
    for bad in [json!({"settings": format!("{long}a")}), json!({"settings": "\u{0}"}), json!({"settings": 1})]
    {
        a.put(&settings, bad).await.expect_problem(422, "/settings");
    }
    // An absent property stays.
    a.put(&settings, json!({})).await.expect(200);
    let mine = a.get("/dashboard").await.expect(200);
    assert_eq!(mine[0]["name"], "Morning");
    assert_eq!(mine[0]["widgets"][0]["settings"], kept);
    assert_eq!(mine[0]["widgets"][0]["widgetType"], 3);
    assert_eq!(mine[0]["widgets"][1]["settings"], long.as_str());
    assert_eq!(mine[1]["widgets"], json!([]));

    // A widget is changed in part, and moves between dashboards of one user.
    let moved = a.put(&path, json!({"name": "Sales", "dashboard": other})).await.expect(200);
    assert_eq!(
        (&moved["name"], &moved["dashboard"], &moved["widgetType"]),
        (&json!("Sales"), &other, &json!(3))
    );
    assert_eq!(moved["settings"], kept);
    let cleared = a.put(&path, json!({"name": null, "widgetType": null})).await.expect(200);
    assert_eq!((&cleared["name"], &cleared["widgetType"]), (&Value::Null, &Value::Null));
    a.put(&path, json!({"dashboard": null})).await.expect_problem(422, "/dashboard");
    a.put(&path, json!({"colour": 1})).await.expect_problem(422, "/colour");

    // Nobody else sees it: not the group above, and not a key of the same group.
    let scopes = ["dashboard.read", "dashboard.write"];
    let key = test.bearer(world::key(&test.app.db, A, None, &scopes).await);
    let keys = key.post("/dashboard", json!({"name": "Wall"})).await.expect(201)["id"].clone();
    let colleague = test.bearer(world::key(&test.app.db, A, None, &scopes).await);
    assert_eq!(colleague.get("/dashboard").await.expect(200)[0]["id"], keys);
    let theirs = root.post("/dashboard", json!({"name": "All"})).await.expect(201)["id"].clone();
    a.put(&path, json!({"dashboard": theirs})).await.expect_problem(422, "/dashboard");
    for stranger in [&root, &key] {
        let listed = stranger.get("/dashboard").await.expect(200);
        assert_eq!(listed.as_array().unwrap().len(), 1);
        stranger.post(&widgets, json!({})).await.expect(404);
        stranger.put(&path, json!({"name": "x"})).await.expect(404);
        stranger.put(&settings, json!({"settings": "x"})).await.expect(404);
        stranger.delete(&path).await.expect(404);
        stranger.delete(&format!("/dashboard/{id}")).await.expect(404);
    }
    let reader = test.bearer(world::key(&test.app.db, A, None, &["dashboard.read"]).await);
    reader.post("/dashboard", json!({"name": "x"})).await.expect(403);

    // No more than fits a list.
    let fill = "INSERT INTO widget (dashboard, created_at, updated_at) SELECT $1, now(), now() FROM generate_series(1, 98)";
    sqlx::query(fill).bind(id.as_i64()).execute(&test.app.db).await.unwrap();
    a.post(&widgets, json!({})).await.expect(201);
    a.post(&widgets, json!({})).await.expect(409);
    a.put(&path, json!({"dashboard": id})).await.expect(409);

    a.delete(&path).await.expect(200);
    a.delete(&path).await.expect(404);
    a.delete(&format!("/dashboard/{id}")).await.expect(200);
    a.put(&format!("/widget/{plain}"), json!({})).await.expect(404);
    let left = a.get("/dashboard").await.expect(200);
    assert_eq!((left.as_array().unwrap().len(), &left[0]["id"]), (1, &other));
}
