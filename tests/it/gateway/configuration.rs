//! One machine's configuration: on its way to the gateway, and who sees what of it.

use super::{fetch, gateway, state, with_scopes};
use crate::{app::TestApp, world};
use serde_json::{Value, json};

/// As it is shown to those who may not see a key.
const MASK: &str = "••••••••";

#[tokio::test]
async fn a_change_is_scheduled_then_sent_then_applied() {
    let app = TestApp::new().await;
    let (a, gateway) = (app.user("a").await, gateway(&app, world::A, "vm-a-1").await);
    assert_eq!(state(&app, 21).await, None);
    let (status, nothing, headers) = fetch(&gateway, "vm-a-1", None).await;
    assert_eq!((status, &nothing["version"], &nothing["config"]), (200, &json!(0), &Value::Null));
    assert_eq!(headers["etag"], "W/\"0\"");
    assert_eq!(state(&app, 21).await, None);

    let change = json!({"machine": 21, "config": "baud = 9600\n", "apn": "m2m", "ssid": "shop"});
    a.put("/machineconfig", change).await.expect(200);
    assert_eq!(state(&app, 21).await.as_deref(), Some("scheduled"));
    // A person only looks.
    let (_, seen, _) = fetch(&a, "vm-a-1", None).await;
    assert_eq!((&seen["version"], &seen["apn"]), (&json!(1), &json!("m2m")));
    assert_eq!(state(&app, 21).await.as_deref(), Some("scheduled"));

    let (status, fetched, headers) = fetch(&gateway, "vm-a-1", Some("W/\"0\"")).await;
    let expected = json!({"name": "Machine 1 of a", "config": "baud = 9600\n", "apn": "m2m", "ssid": "shop",
        "mode": null, "encryption": null, "encryptionKey": null, "sharing": null, "version": 1});
    assert_eq!((status, fetched), (200, expected));
    assert_eq!(state(&app, 21).await.as_deref(), Some("sent"));
    let tag = headers["etag"].to_str().unwrap();
    let (status, body, _) = fetch(&gateway, "vm-a-1", Some(tag)).await;
    assert_eq!((status, body), (304, Value::Null));

    let report = json!({"version": 1, "state": "failed", "details": "no such network"});
    gateway.post("/machineconfig/vm-a-1/report", report).await.expect(200);
    assert_eq!(state(&app, 21).await.as_deref(), Some("failed"));
    let stored = a.get("/machineconfig?hostname=vm-a-1").await.expect(200);
    assert_eq!((&stored["id"], &stored["details"]), (&json!(21), &json!("no such network")));
    assert_eq!((&stored["sentVersion"], &stored["appliedVersion"]), (&json!(1), &json!(0)));

    // What is absent stays, null takes away.
    a.put("/machineconfig", json!({"machine": 21, "ssid": null, "mode": "ap"})).await.expect(200);
    let stored = a.get("/machineconfig?hostname=vm-a-1").await.expect(200);
    let kept = (&stored["ssid"], &stored["mode"], &stored["apn"], &stored["state"], &stored["details"]);
    assert_eq!(kept, (&Value::Null, &json!("ap"), &json!("m2m"), &json!("scheduled"), &Value::Null));
    // A late report on what is no longer in force changes nothing.
    let report = |version: i64, state: &str| json!({"version": version, "state": state});
    gateway.post("/machineconfig/vm-a-1/report", report(1, "applied")).await.expect(200);
    assert_eq!(state(&app, 21).await.as_deref(), Some("scheduled"));
    gateway.post("/machineconfig/vm-a-1/report", report(3, "applied")).await.expect_problem(422, "/version");
    let (status, ..) = fetch(&gateway, "vm-a-1", Some(tag)).await;
    assert_eq!(status, 200);
    for _repeated in 0..2 {
        gateway.post("/machineconfig/vm-a-1/report", report(2, "applied")).await.expect(200);
    }
    let shown = a.get("/machine/21").await.expect(200);
    assert_eq!(shown["configState"], "applied");
    assert!(shown["seenAt"].is_string(), "{shown}");
}

#[tokio::test]
async fn a_sign_of_life_is_written_down_now_and_then() {
    let app = TestApp::builder().stopped_at("2026-11-24T12:00:00Z").build().await;
    let (a, gateway) = (app.user("a").await, gateway(&app, world::A, "vm-a-1").await);
    let seen = async || a.get("/machine/21").await.expect(200)["seenAt"].clone();
    fetch(&a, "vm-a-1", None).await;
    assert_eq!(seen().await, Value::Null, "a person is no machine");
    fetch(&gateway, "vm-a-1", None).await;
    assert_eq!(seen().await, "2026-11-24T12:00:00.000Z");
    app.app.clock.advance(chrono::Duration::seconds(4));
    gateway.get("/machine/vm-a-1/commands").await.expect(200);
    assert_eq!(seen().await, "2026-11-24T12:00:00.000Z");
    app.app.clock.advance(chrono::Duration::seconds(2));
    gateway.get("/machine/vm-a-1/commands").await.expect(200);
    assert_eq!(seen().await, "2026-11-24T12:00:06.000Z");
}

#[tokio::test]
async fn a_wireless_key_is_seen_by_the_gateway_and_by_those_who_may() {
    const KEY: &str = "correct horse battery";
    let app = TestApp::new().await;
    let (writer, reader) = (
        with_scopes(&app, world::A, &["config.read", "config.write"]).await,
        with_scopes(&app, world::A, &["config.read"]).await,
    );
    let initiate = with_scopes(&app, world::A, &["config.read", "config.secret"]).await;
    let gateway = gateway(&app, world::A, "vm-a-1").await;
    let change = json!({"machine": 21, "encryption": "wpa2", "encryptionKey": KEY});
    writer.put("/machineconfig", change).await.expect(200);

    let shown = async |client: &crate::client::Client| {
        let stored = client.get("/machineconfig?hostname=vm-a-1").await.expect(200);
        let looked = fetch(client, "vm-a-1", None).await.1;
        assert_eq!(stored["encryptionKey"], looked["encryptionKey"]);
        stored["encryptionKey"].clone()
    };
    assert_eq!(shown(&reader).await, MASK);
    assert_eq!(shown(&writer).await, MASK);
    assert_eq!(shown(&initiate).await, KEY);
    assert_eq!(fetch(&gateway, "vm-a-1", None).await.1["encryptionKey"], KEY);
    // What is masked is not the same as what is not.
    let (status, ..) = fetch(&initiate, "vm-a-1", Some("W/\"1-masked\"")).await;
    assert_eq!(status, 200);

    // The mask that comes back is no new key.
    writer
        .put("/machineconfig", json!({"machine": 21, "mode": "ap", "encryptionKey": MASK}))
        .await
        .expect(200);
    assert_eq!(shown(&initiate).await, KEY);
    let rows: Vec<String> =
        sqlx::query_scalar("SELECT c::text FROM machine_config c").fetch_all(&app.app.db).await.unwrap();
    let hex: String = sqlx::query_scalar("SELECT encode($1, 'hex')")
        .bind(KEY.as_bytes())
        .fetch_one(&app.app.db)
        .await
        .unwrap();
    assert!(rows.len() == 1 && rows[0].contains("wpa2"));
    assert!(!rows[0].contains(KEY) && !rows[0].contains(&hex), "{rows:?}");

    // Carried into another machine's row, it opens for nobody.
    writer.put("/machineconfig", json!({"machine": 22, "encryption": "wpa2"})).await.expect(200);
    let carry = "UPDATE machine_config SET encryption_key = (SELECT encryption_key FROM machine_config WHERE machine = 21)";
    sqlx::query(carry).execute(&app.app.db).await.unwrap();
    assert_eq!(initiate.get("/machineconfig?hostname=vm-a-2").await.status, 500);
    writer.put("/machineconfig", json!({"machine": 21, "encryptionKey": null})).await.expect(200);
    assert_eq!(shown(&reader).await, Value::Null);
}

#[tokio::test]
async fn what_a_gateway_goes_by_of_its_own_accord_takes_the_place_of_nothing_that_is_wanted() {
    let app = TestApp::new().await;
    let (a, gateway) = (app.user("a").await, gateway(&app, world::A, "vm-a-1").await);
    let stored = async || a.get("/machineconfig?hostname=vm-a-1").await.expect(200);
    let own = |text: &str| json!({"config": text});
    gateway.put("/machine/vm-a-1/config", own("own 1")).await.expect(200);
    gateway.put("/machine/vm-a-1/config", own("own 1")).await.expect(200);
    let now = stored().await;
    assert_eq!(
        (&now["config"], &now["state"], &now["version"]),
        (&json!("own 1"), &json!("applied"), &json!(1))
    );

    a.put("/machine/vm-a-1/config", own("wanted")).await.expect(200);
    assert_eq!(state(&app, 21).await.as_deref(), Some("scheduled"));
    gateway.put("/machine/vm-a-1/config", own("own 2")).await.expect(200);
    let now = stored().await;
    assert_eq!((&now["config"], &now["reportedConfig"]), (&json!("wanted"), &json!("own 2")));
    assert_eq!(now["state"], "scheduled");
    assert_eq!(fetch(&gateway, "vm-a-1", None).await.1["config"], "wanted");
    gateway.post("/machineconfig/vm-a-1/report", json!({"version": 2, "state": "applied"})).await.expect(200);
    gateway.put("/machine/vm-a-1/config", own("own 3")).await.expect(200);
    let now = stored().await;
    assert_eq!(
        (&now["config"], &now["state"], &now["version"]),
        (&json!("own 3"), &json!("applied"), &json!(3))
    );
}

#[tokio::test]
async fn whoever_is_not_meant_is_told_so() {
    let app = TestApp::new().await;
    let (a1, b) = (app.user("a1").await, app.user("b").await);
    let other = gateway(&app, world::A, "vm-a-2").await;
    let reader = with_scopes(&app, world::A, &["config.read"]).await;
    let report = json!({"version": 1, "state": "applied"});
    let own = json!({"config": "x"});
    // Machines of the group beside, of the group above, and of nobody.
    for (client, hostname) in [(&b, "vm-a-1"), (&a1, "vm-a-1"), (&b, "vm-nowhere"), (&b, "vm%00a")] {
        assert_eq!(fetch(client, hostname, None).await.0, 404);
        let unreadable = hostname.contains('%');
        let status = if unreadable { 400 } else { 404 };
        client.get(&format!("/machineconfig?hostname={hostname}")).await.expect(status);
        client.put(&format!("/machine/{hostname}/config"), own.clone()).await.expect(404);
        client.post(&format!("/machineconfig/{hostname}/report"), report.clone()).await.expect(404);
    }
    for machine in [21, 999, i64::MAX, -1] {
        b.put("/machineconfig", json!({"machine": machine, "mode": "ap"}))
            .await
            .expect_problem(422, "/machine");
    }
    // A key of another machine of the same group.
    assert_eq!(fetch(&other, "vm-a-1", None).await.0, 403);
    other.put("/machine/vm-a-1/config", own.clone()).await.expect(403);
    other.post("/machineconfig/vm-a-1/report", report.clone()).await.expect(403);
    // A person who may only look.
    reader.put("/machineconfig", json!({"machine": 21})).await.expect(403);
    reader.put("/machine/vm-a-1/config", own).await.expect(403);
    reader.post("/machineconfig/vm-a-1/report", report).await.expect(403);
    other.get("/machineconfig?hostname=vm-a-2").await.expect(403);
    other.put("/machineconfig", json!({"machine": 22})).await.expect(403);
    // An ancestor may.
    let root = app.user("root").await;
    root.put("/machineconfig", json!({"machine": 31, "mode": "ap"})).await.expect(200);
}

#[tokio::test]
async fn what_can_not_be_configured_is_refused_where_it_is_wrong() {
    let app = TestApp::new().await;
    let a = app.user("a").await;
    for (body, pointer) in [
        (json!({}), "/machine"),
        (json!({"machine": "21"}), "/machine"),
        (json!({"machine": 21, "colour": 1}), "/colour"),
        (json!({"machine": 21, "config": 1}), "/config"),
        (json!({"machine": 21, "config": "a\0b"}), "/config"),
        (json!({"machine": 21, "config": "x".repeat(65 * 1024)}), "/config"),
        (json!({"machine": 21, "mode": "x".repeat(51)}), "/mode"),
        (json!({"machine": 21, "ssid": "é".repeat(17)}), "/ssid"),
        (json!({"machine": 21, "apn": "x".repeat(101)}), "/apn"),
        (json!({"machine": 21, "sharing": "a\u{7}"}), "/sharing"),
        (json!({"machine": 21, "encryptionKey": "x".repeat(129)}), "/encryptionKey"),
        (json!({"machine": 21, "encryption": "wpa2", "encryptionKey": "short"}), "/encryptionKey"),
    ] {
        a.put("/machineconfig", body).await.expect_problem(422, pointer);
    }
    a.put("/machineconfig", json!({"machine": 21, "encryptionKey": "short"})).await.expect(200);
    // The key that is there does not go with it.
    let wpa = json!({"machine": 21, "encryption": "wpa2"});
    a.put("/machineconfig", wpa).await.expect_problem(422, "/encryptionKey");
    for (body, pointer) in [
        (json!({"version": 0, "state": "applied"}), "/version"),
        (json!({"version": 1, "state": "sent"}), "/state"),
        (json!({"version": 1, "state": "failed", "details": "a\0"}), "/details"),
        (json!({"version": i64::MAX, "state": "failed"}), "/version"),
    ] {
        a.post("/machineconfig/vm-a-1/report", body).await.expect_problem(422, pointer);
    }
    a.get("/machineconfig?hostname=a%20b").await.expect_problem(400, "/hostname");
    a.get("/machineconfig?hostname=vm-a-1&x=1").await.expect_problem(400, "/x");
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_fetches_and_reports_at_once_lose_nothing() {
    const ROUNDS: i64 = 12;
    let app = TestApp::new().await;
    let (a, gateway) = (app.user("a").await, gateway(&app, world::A, "vm-a-1").await);
    // Everybody sets a field of their own, again and again.
    let changing = ["config", "mode", "ssid", "apn", "sharing"].map(|field| {
        let a = a.clone();
        tokio::spawn(async move {
            for round in 1..=ROUNDS {
                let mut change = json!({"machine": 21});
                change[field] = json!(round.to_string());
                a.put("/machineconfig", change).await.expect(200);
            }
        })
    });
    let serving = tokio::spawn({
        let gateway = gateway.clone();
        async move {
            let mut versions = vec![0];
            while versions.last() != Some(&(5 * ROUNDS)) {
                let (_, fetched, _) = fetch(&gateway, "vm-a-1", None).await;
                let version = fetched["version"].as_i64().unwrap();
                assert!(version >= *versions.last().unwrap(), "a version goes back");
                versions.push(version);
                if version > 0 {
                    let report = json!({"version": version, "state": "applied"});
                    gateway.post("/machineconfig/vm-a-1/report", report).await.expect(200);
                }
            }
        }
    });
    for change in changing {
        change.await.unwrap();
    }
    serving.await.unwrap();
    let stored = a.get("/machineconfig?hostname=vm-a-1").await.expect(200);
    for field in ["config", "mode", "ssid", "apn", "sharing"] {
        assert_eq!(stored[field], ROUNDS.to_string(), "{field} was lost: {stored}");
    }
    assert_eq!((&stored["version"], &stored["state"]), (&json!(5 * ROUNDS), &json!("applied")));
    assert_eq!(state(&app, 21).await.as_deref(), Some("applied"));
}
