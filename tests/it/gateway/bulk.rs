//! The configuration of many machines at a time.

use super::{fetch, gateway, state};
use crate::{app::TestApp, client::Client, world};
use scrip::jobs::worker::work_one;
use serde_json::{Value, json};

/// Accepts a change for what a filter names; returns the job's path.
async fn accept(client: &Client, filter: Value, configuration: Value) -> String {
    let body = json!({"filter": filter, "configuration": configuration});
    let accepted = client.put("/machine/config", body).await.expect(202);
    assert!(accepted["message"].is_string());
    format!("/machine/config/{}", accepted["job"])
}

/// The hostnames of a job's machines, each with what became of it.
async fn outcomes(client: &Client, job: &str) -> Vec<(String, String)> {
    let rows = client.get(&format!("{job}/machines")).await.expect(200);
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    rows.as_array().unwrap().iter().map(|row| (text(&row["hostname"]), text(&row["state"]))).collect()
}

#[tokio::test]
async fn a_change_reaches_every_machine_that_the_filter_names_once() {
    let app = TestApp::builder().config(|config| config.configuration_batch = 2).build().await;
    let a = app.user("a").await;
    world::machines(&app.app.db, world::A, 3).await;
    let own = |machine: i64| json!({"machine": machine, "apn": "own", "encryption": "wep", "encryptionKey": "12345"});
    a.put("/machineconfig", own(21)).await.expect(200);
    let wlan = json!({"ssid": "fleet", "encryption": "wpa2", "encryptionKey": "correct horse"});
    let configuration = json!({"config": {"config": "x = 1"}, "wlan": wlan, "sharing": {"sharing": null}});
    // All of the group's own machines and of the group below are snacks or drinks.
    let job = accept(&a, json!({"type": "machinetype", "ids": [1, 2]}), configuration).await;
    let progress = a.get(&job).await.expect(200);
    assert_eq!(
        (&progress["state"], &progress["total"], &progress["done"]),
        (&json!("queued"), &json!(7), &json!(0))
    );
    // A machine that comes later is not among them.
    world::machines(&app.app.db, world::A1, 1).await;
    assert!(work_one(&app.app).await.unwrap());
    let progress = a.get(&job).await.expect(200);
    assert_eq!((&progress["state"], &progress["done"]), (&json!("done"), &json!(7)));
    let outcomes = outcomes(&a, &job).await;
    assert_eq!(outcomes.len(), 7);
    assert!(outcomes.iter().all(|(_, state)| state == "scheduled"), "{outcomes:?}");

    let stored = a.get("/machineconfig?hostname=vm-a-1").await.expect(200);
    let merged = (&stored["apn"], &stored["config"], &stored["encryptionKey"], &stored["version"]);
    assert_eq!(merged, (&json!("own"), &json!("x = 1"), &json!("correct horse"), &json!(2)));
    let below = gateway(&app, world::A1, "vm-a1-1").await;
    let (_, fetched, _) = fetch(&below, "vm-a1-1", None).await;
    assert_eq!((&fetched["encryptionKey"], &fetched["version"]), (&json!("correct horse"), &json!(1)));
    assert_eq!(state(&app, 22).await.as_deref(), Some("scheduled"));
    assert_eq!(state(&app, 11).await, None, "the group above is left alone");
    // Nothing is left of the key but where it belongs.
    let left: i64 = sqlx::query_scalar("SELECT count(encryption_key) FROM machine_config_change")
        .fetch_one(&app.app.db)
        .await
        .unwrap();
    assert_eq!(left, 0);
    assert!(!work_one(&app.app).await.unwrap());

    let filter = json!({"type": "machine", "ids": [21, 22]});
    accept(&a, filter, json!({"wlan": {"encryptionKey": null, "encryption": null}})).await;
    assert!(work_one(&app.app).await.unwrap());
    let stored = a.get("/machineconfig?hostname=vm-a-1").await.expect(200);
    assert_eq!((&stored["encryptionKey"], &stored["ssid"]), (&Value::Null, &json!("fleet")));
}

#[tokio::test]
async fn machines_are_named_by_what_they_belong_to() {
    let app = TestApp::new().await;
    let (root, a) = (app.user("root").await, app.user("a").await);
    for (client, filter, hostnames) in [
        (&a, json!({"type": "machine", "ids": [22, 31, 22]}), &["vm-a-2", "vm-a1-1"][..]),
        (&a, json!({"type": "machinegroup", "ids": [2, 3]}), &["vm-a-1", "vm-a1-1"]),
        (&a, json!({"type": "location", "ids": [2]}), &["vm-a-1", "vm-a-2"]),
        (&a, json!({"type": "locationgroup", "ids": [3]}), &["vm-a1-1", "vm-a1-2"]),
        (&a, json!({"type": "machinetype", "ids": [1]}), &["vm-a-1", "vm-a1-1"]),
        (&a, json!({"type": "machinemodel", "ids": [1]}), &["vm-a-1", "vm-a-2", "vm-a1-1", "vm-a1-2"]),
        (&root, json!({"type": "location", "ids": [4]}), &["vm-b-1", "vm-b-2"]),
    ] {
        let job = accept(client, filter.clone(), json!({"apn": {"apn": "m2m"}})).await;
        let named: Vec<_> = outcomes(client, &job).await.into_iter().map(|(hostname, _)| hostname).collect();
        assert_eq!(named, hostnames, "{filter}");
    }
    // A location that was shared is known, and machines that stand there are not for that reason one's own.
    sqlx::query("INSERT INTO user_group_location VALUES (2, 1)").execute(&app.app.db).await.unwrap();
    let job = accept(&a, json!({"type": "location", "ids": [1]}), json!({"apn": {"apn": null}})).await;
    assert_eq!(outcomes(&a, &job).await, []);
    while work_one(&app.app).await.unwrap() {}
    assert_eq!(a.get(&job).await.expect(200)["state"], "done");
    assert_eq!(state(&app, 11).await, None);
}

#[tokio::test]
async fn what_becomes_of_each_machine_is_said() {
    let app = TestApp::new().await;
    let (a, b) = (app.user("a").await, app.user("b").await);
    // A short key, which does not go with WPA.
    a.put("/machineconfig", json!({"machine": 21, "encryptionKey": "12345"})).await.expect(200);
    let filter = json!({"type": "machine", "ids": [21, 22, 31, 32]});
    let job = accept(&a, filter, json!({"wlan": {"encryption": "wpa2"}})).await;
    sqlx::query("DELETE FROM machine_group_machine WHERE machine = 31").execute(&app.app.db).await.unwrap();
    sqlx::query("DELETE FROM machine WHERE id = 31").execute(&app.app.db).await.unwrap();
    sqlx::query("UPDATE machine SET user_group = 4 WHERE id = 32").execute(&app.app.db).await.unwrap();
    assert!(work_one(&app.app).await.unwrap());
    let said = outcomes(&a, &job).await;
    let said: Vec<_> = said.iter().map(|(hostname, state)| (hostname.as_str(), state.as_str())).collect();
    let expected = [("vm-a-1", "failed"), ("vm-a-2", "scheduled"), ("vm-a1-1", "gone"), ("vm-a1-2", "gone")];
    assert_eq!(said, expected);
    let failed = a.get(&format!("{job}/machines?where[state]=failed")).await.expect(200);
    assert_eq!((failed.as_array().unwrap().len(), &failed[0]["machine"]), (1, &json!(21)));
    assert!(failed[0]["details"].as_str().unwrap().contains("WPA"), "{failed}");
    let stored = a.get("/machineconfig?hostname=vm-a-1").await.expect(200);
    assert_eq!((&stored["version"], &stored["encryption"]), (&json!(1), &Value::Null));
    assert_eq!(state(&app, 32).await, None);
    let page = a.get(&format!("{job}/machines?limit=1&sort=hostname+desc")).await;
    assert_eq!(page.headers["x-total-count"], "4");
    assert_eq!(page.expect(200)[0]["hostname"], "vm-a1-2");

    b.get(&job).await.expect(404);
    b.get(&format!("{job}/machines")).await.expect(404);
    a.get("/machine/config/999").await.expect(404);
    a.get("/machine/config/x").await.expect_problem(400, "/job");
}

#[tokio::test]
async fn a_change_that_can_not_be_made_is_refused_where_it_is_wrong() {
    let app = TestApp::builder().config(|config| config.filter_machines_max = 3).build().await;
    let a = app.user("a").await;
    let good = json!({"apn": {"apn": "m2m"}});
    for (filter, configuration, pointer) in [
        (json!({"type": "machine", "ids": [21, 41, 999]}), good.clone(), "/filter/ids/1"),
        (json!({"type": "machine", "ids": [11]}), good.clone(), "/filter/ids/0"),
        (json!({"type": "machinegroup", "ids": [2, 1]}), good.clone(), "/filter/ids/1"),
        (json!({"type": "location", "ids": [4]}), good.clone(), "/filter/ids/0"),
        (json!({"type": "locationgroup", "ids": [4]}), good.clone(), "/filter/ids/0"),
        (json!({"type": "machinemodel", "ids": [1]}), good.clone(), "/filter/ids"),
        (json!({"type": "machinetype", "ids": [9]}), good.clone(), "/filter/ids/0"),
        (json!({"type": "machine", "ids": []}), good.clone(), "/filter/ids"),
        (json!({"type": "planet", "ids": [1]}), good.clone(), "/filter/type"),
        (json!({"type": "machine", "ids": ["21"]}), good.clone(), "/filter/ids/0"),
        (json!({"type": "machine", "ids": [21], "x": 1}), good.clone(), "/filter/x"),
        (json!({"type": "machine", "ids": [21]}), json!({}), "/configuration"),
        (json!({"type": "machine", "ids": [21]}), json!({"wlan": {}}), "/configuration"),
        (json!({"type": "machine", "ids": [21]}), json!({"wlan": null}), "/configuration/wlan"),
        (
            json!({"type": "machine", "ids": [21]}),
            json!({"wlan": {"ssid": "x".repeat(33)}}),
            "/configuration/wlan/ssid",
        ),
        (
            json!({"type": "machine", "ids": [21]}),
            json!({"wlan": {"encryption": "wpa", "encryptionKey": "1"}}),
            "/configuration/wlan/encryptionKey",
        ),
        (json!({"type": "machine", "ids": [21]}), json!({"apn": {"apn": 1}}), "/configuration/apn/apn"),
        (
            json!({"type": "machine", "ids": [21]}),
            json!({"config": {"config": "\0"}}),
            "/configuration/config/config",
        ),
    ] {
        let body = json!({"filter": filter, "configuration": configuration});
        a.put("/machine/config", body).await.expect_problem(422, pointer);
    }
    let body = json!({"filter": {"type": "machine", "ids": [21]}, "configuration": good});
    gateway(&app, world::A, "vm-a-1").await.put("/machine/config", body.clone()).await.expect(403);
    let key = world::key(&app.app.db, world::A, Some("vm-a-1"), &["config.write"]).await;
    app.bearer(key).put("/machine/config", body).await.expect(403);
    let accepted: i64 = sqlx::query_scalar("SELECT count(*) FROM job").fetch_one(&app.app.db).await.unwrap();
    assert_eq!(accepted, 0);
}
