//! Templates of configurations.

use super::with_scopes;
use crate::{app::TestApp, world};
use serde_json::{Value, json};

const KEY: &str = "correct horse battery";

#[tokio::test]
async fn a_template_is_kept_changed_listed_and_deleted() {
    let app = TestApp::new().await;
    let a = app.user("a").await;
    let draft = json!({"name": "Shops", "ssid": "shop", "encryption": "wpa2", "encryptionKey": KEY, "config": "a\nb"});
    let id = a.post("/machineconfigtemplate", draft).await.expect(201)["id"].as_i64().unwrap();
    let path = format!("/machineconfigtemplate/{id}");
    let read = a.get(&path).await.expect(200);
    assert_eq!(
        (&read["name"], &read["encryptionKey"], &read["apn"]),
        (&json!("Shops"), &json!(KEY), &Value::Null)
    );

    let reader = with_scopes(&app, world::A, &["config.read", "config.write"]).await;
    assert_eq!(reader.get(&path).await.expect(200)["encryptionKey"], "••••••••");
    let masked = json!({"ssid": null, "apn": "m2m", "encryptionKey": "••••••••"});
    reader.put(&path, masked).await.expect(200);
    let read = a.get(&path).await.expect(200);
    assert_eq!(
        (&read["ssid"], &read["apn"], &read["encryptionKey"]),
        (&Value::Null, &json!("m2m"), &json!(KEY))
    );
    reader.put(&path, json!({"encryptionKey": "short"})).await.expect_problem(422, "/encryptionKey");

    a.post("/machineconfigtemplate", json!({"name": "Offices"})).await.expect(201);
    let listed = reader.get("/machineconfigtemplate?sort=name&where[apn]=m2m").await.expect(200);
    assert_eq!(listed.as_array().unwrap().len(), 1);
    assert_eq!((&listed[0]["id"], &listed[0]["encryptionKey"]), (&json!(id), &json!("••••••••")));
    let both = a.get("/machineconfigtemplate?sort=name").await.expect(200);
    assert_eq!((&both[0]["name"], &both[1]["encryptionKey"]), (&json!("Offices"), &json!(KEY)));

    a.delete(&path).await.expect(200);
    a.get(&path).await.expect(404);
    a.delete(&path).await.expect(404);
}

#[tokio::test]
async fn a_template_is_its_groups_and_says_what_is_wrong_with_it() {
    let app = TestApp::new().await;
    let (a, a1, b) = (app.user("a").await, app.user("a1").await, app.user("b").await);
    let id = a.post("/machineconfigtemplate", json!({"name": "Shops"})).await.expect(201)["id"].clone();
    let path = format!("/machineconfigtemplate/{id}");
    for other in [&a1, &b] {
        other.get(&path).await.expect(404);
        other.put(&path, json!({"name": "Mine"})).await.expect(404);
        other.delete(&path).await.expect(404);
        assert_eq!(other.get("/machineconfigtemplate").await.expect(200), json!([]));
    }
    app.user("root").await.put(&path, json!({"name": "Ours"})).await.expect(200);
    let reader = with_scopes(&app, world::A, &["config.read"]).await;
    reader.post("/machineconfigtemplate", json!({"name": "x"})).await.expect(403);
    reader.put(&path, json!({"name": "x"})).await.expect(403);
    reader.delete(&path).await.expect(403);
    for (body, pointer) in [
        (json!({}), "/name"),
        (json!({"name": " "}), "/name"),
        (json!({"name": "a\0"}), "/name"),
        (json!({"name": "x", "machine": 21}), "/machine"),
        (json!({"name": "x", "encryption": "WPA3", "encryptionKey": "1"}), "/encryptionKey"),
    ] {
        a.post("/machineconfigtemplate", body).await.expect_problem(422, pointer);
    }
    a.put(&path, json!({"name": null})).await.expect_problem(422, "/name");
    a.get("/machineconfigtemplate?where[encryptionKey]=x").await.expect_problem(400, "/where[encryptionKey]");
    a.get("/machineconfigtemplate/x").await.expect_problem(400, "/id");
}
