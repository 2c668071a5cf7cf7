//! Commands: given, delivered in order and again, acknowledged, expired, and seen.

use super::{gateway, with_scopes};
use crate::{app::TestApp, client::Client, world};
use chrono::Duration;
use serde_json::{Value, json};

/// Sends a command to a machine; returns its id.
async fn send(client: &Client, hostname: &str, command: &str, params: Value) -> String {
    let sent =
        client.post(&format!("/command/{hostname}/{command}"), json!({"params": params})).await.expect(201);
    sent["id"].as_str().unwrap().to_owned()
}

/// The names of the commands that a machine is given.
async fn given(gateway: &Client, hostname: &str) -> Vec<String> {
    let due = gateway.get(&format!("/machine/{hostname}/commands")).await.expect(200);
    due.as_array().unwrap().iter().map(|due| due["command"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn commands_are_given_in_order_and_again_until_they_are_acknowledged() {
    let app = TestApp::new().await;
    let (a, gateway) = (app.user("a").await, gateway(&app, world::A, "vm-a-1").await);
    let first = send(&a, "vm-a-1", "set_price", json!([4, 250])).await;
    let names: Vec<String> = (0..20).map(|number| format!("step-{number}")).collect();
    for name in &names {
        send(&a, "vm-a-1", name, json!([])).await;
    }
    send(&a, "vm-a-2", "other", json!([])).await;

    let due = gateway.get("/machine/vm-a-1/commands?wait=60").await.expect(200);
    let keys: Vec<_> = due[0].as_object().unwrap().keys().cloned().collect();
    assert_eq!(keys, ["command", "expiresAt", "id", "params"]);
    assert_eq!((&due[0]["id"], &due[0]["params"]), (&json!(first), &json!([4, 250])));
    let all: Vec<String> = std::iter::once("set_price".to_owned()).chain(names.clone()).collect();
    assert_eq!(given(&gateway, "vm-a-1").await, all, "again, in the same order");

    let path = format!("/machine/vm-a-1/commands/{first}");
    let done = json!({"result": "done", "details": "4 costs 2.50"});
    gateway.post(&path, done.clone()).await.expect(200);
    gateway.post(&path, done).await.expect(200);
    gateway.post(&path, json!({"result": "failed"})).await.expect(409);
    assert_eq!(given(&gateway, "vm-a-1").await, names);
    let seen = a.get(&format!("/command/{first}")).await.expect(200);
    let became = (&seen["state"], &seen["details"], &seen["attempts"], &seen["hostname"], &seen["createdBy"]);
    assert_eq!(became, (&json!("done"), &json!("4 costs 2.50"), &json!(2), &json!("vm-a-1"), &json!(2)));
    assert!(seen["deliveredAt"].is_string() && seen["acknowledgedAt"].is_string());
}

#[tokio::test]
async fn a_command_that_nobody_fetches_in_time_expires_by_itself() {
    let app = TestApp::builder().stopped_at("2026-11-24T12:00:00Z").build().await;
    let (a, gateway) = (app.user("a").await, gateway(&app, world::A, "vm-a-1").await);
    let short =
        a.post("/command/vm-a-1/short?expires=60", json!({"params": []})).await.expect(201)["id"].clone();
    let short = short.as_str().unwrap();
    let fetched = a.post("/command/vm-a-1/fetched?expires=60", json!({})).await.expect(201)["id"].clone();
    let day = send(&a, "vm-a-1", "day", json!([])).await;
    let state = async |id: &str| a.get(&format!("/command/{id}")).await.expect(200)["state"].clone();
    let listed = async |state: &str| {
        let rows = a.get(&format!("/command?where[state]={state}&sort=createdAt")).await.expect(200);
        rows.as_array().unwrap().len()
    };
    app.app.clock.advance(Duration::milliseconds(59_999));
    assert_eq!(given(&gateway, "vm-a-1").await, ["short", "fetched", "day"]);
    app.app.clock.advance(Duration::milliseconds(1));
    assert_eq!(state(short).await, "expired");
    assert_eq!(given(&gateway, "vm-a-1").await, ["day"]);
    assert_eq!((listed("expired").await, listed("delivered").await, listed("pending").await), (2, 1, 0));
    // What was carried out was, however late it is heard of.
    let fetched = fetched.as_str().unwrap();
    gateway
        .post(&format!("/machine/vm-a-1/commands/{fetched}"), json!({"result": "failed"}))
        .await
        .expect(200);
    assert_eq!(state(fetched).await, "failed");
    app.app.clock.advance(Duration::hours(24));
    let a = app.user("a").await;
    let state = async |id: &str| a.get(&format!("/command/{id}")).await.expect(200)["state"].clone();
    assert_eq!((state(&day).await, state(fetched).await), (json!("expired"), json!("failed")));
    assert_eq!(given(&gateway, "vm-a-1").await, [""; 0]);
    let expires = a.get(&format!("/command/{day}")).await.expect(200)["expiresAt"].clone();
    assert_eq!(expires, "2026-11-25T12:00:00.000Z");
}

#[tokio::test]
async fn many_machines_get_a_command_each_even_if_they_are_away() {
    let app = TestApp::new().await;
    let a = app.user("a").await;
    let body =
        json!({"filter": {"type": "machinegroup", "ids": [2, 3]}, "params": [{"slot": 4, "on": true}]});
    let sent = a.post("/command/vend", body).await.expect(201);
    assert_eq!(sent["count"], 2);
    let batch = sent["batch"].as_str().unwrap();
    let rows = a.get(&format!("/command?where[batch]={batch}&sort=machine")).await.expect(200);
    let machines: Vec<_> =
        rows.as_array().unwrap().iter().map(|row| row["hostname"].as_str().unwrap()).collect();
    assert_eq!(machines, ["vm-a-1", "vm-a1-1"]);
    assert_eq!(
        (&rows[0]["state"], &rows[0]["params"]),
        (&json!("pending"), &json!([{"slot": 4, "on": true}]))
    );
    let later = gateway(&app, world::A1, "vm-a1-1").await;
    assert_eq!(given(&later, "vm-a1-1").await, ["vend"]);
    // The group below sees its own alone.
    let a1 = app.user("a1").await;
    let rows = a1.get("/command").await.expect(200);
    assert_eq!((rows.as_array().unwrap().len(), &rows[0]["state"]), (1, &json!("delivered")));
    let nobody = json!({"filter": {"type": "machinetype", "ids": [2]}, "params": []});
    assert_eq!(a1.post("/command/vend", nobody).await.expect(201)["count"], 1);
}

#[tokio::test]
async fn a_list_of_commands_can_be_filtered_by_each_of_its_columns() {
    let app = TestApp::new().await;
    let a = app.user("a").await;
    let id = send(&a, "vm-a-1", "reboot", json!([1])).await;
    send(&a, "vm-a-2", "reboot", json!([1])).await;
    for condition in [
        format!("where[id]={id}"),
        "where[machine]=21".to_owned(),
        "where[hostname][endsWith]=a-1".to_owned(),
        "where[command]=reboot&where[machine][%3C]=22".to_owned(),
        "where[batch]=null&where[createdBy]=2&where[machine]=21".to_owned(),
        "where[createdAt][%3E]=2020-01-01&where[expiresAt][%3E]=2020-01-01&where[machine]=21".to_owned(),
        "where[state]=pending&after=00000000-0000-0000-0000-000000000000&limit=1".to_owned(),
    ] {
        let rows = a.get(&format!("/command?{condition}")).await.expect(200);
        assert_eq!((rows.as_array().unwrap().len(), &rows[0]["id"]), (1, &json!(id)), "{condition}");
    }
    a.get("/command?where[params]=1").await.expect_problem(400, "/where[params]");
    let own = world::key(&app.app.db, world::A, Some("vm-a-1"), &["command.read"]).await;
    let rows = app.bearer(own).get("/command").await.expect(200);
    assert_eq!((rows.as_array().unwrap().len(), &rows[0]["id"]), (1, &json!(id)), "a bound key sees its own");
}

#[tokio::test]
async fn whoever_is_not_meant_is_told_so() {
    let app = TestApp::new().await;
    let (a, b) = (app.user("a").await, app.user("b").await);
    let id = send(&a, "vm-a-1", "reboot", json!([])).await;
    let (own, other) = (gateway(&app, world::A, "vm-a-1").await, gateway(&app, world::A, "vm-a-2").await);
    let done = json!({"result": "done"});
    for hostname in ["vm-a-1", "vm-nowhere", "a%00"] {
        b.post(&format!("/command/{hostname}/reboot"), json!({})).await.expect(404);
        b.get(&format!("/machine/{hostname}/commands")).await.expect(404);
        b.post(&format!("/machine/{hostname}/commands/{id}"), done.clone()).await.expect(404);
    }
    b.get(&format!("/command/{id}")).await.expect(404);
    a.get("/command/00000000-0000-0000-0000-000000000000").await.expect(404);
    // One's own machine, another one's command.
    b.post(&format!("/machine/vm-b-1/commands/{id}"), done.clone()).await.expect(404);
    other.get("/machine/vm-a-1/commands").await.expect(403);
    other.post(&format!("/machine/vm-a-1/commands/{id}"), done.clone()).await.expect(403);
    other.post(&format!("/machine/vm-a-2/commands/{id}"), done.clone()).await.expect(404);
    // A gateway does not command, and who commands is no gateway.
    own.post("/command/vm-a-1/reboot", json!({})).await.expect(403);
    own.get("/command").await.expect(403);
    own.get(&format!("/command/{id}")).await.expect(403);
    let sender = with_scopes(&app, world::A, &["command.send", "command.read"]).await;
    sender.get("/machine/vm-a-1/commands").await.expect(403);
    sender.post(&format!("/machine/vm-a-1/commands/{id}"), done).await.expect(403);
    let everybody = json!({"filter": {"type": "machine", "ids": [21, 22]}, "params": []});
    let bound = world::key(&app.app.db, world::A, Some("vm-a-1"), &["command.send"]).await;
    app.bearer(&*bound).post("/command/reboot", everybody).await.expect(403);
    app.bearer(&*bound).post("/command/vm-a-2/reboot", json!({})).await.expect(403);
    app.bearer(bound).post("/command/vm-a-1/reboot", json!({})).await.expect(201);
    assert_eq!(given(&own, "vm-a-1").await, ["reboot", "reboot"]);
}

#[tokio::test]
async fn what_can_not_be_told_is_refused_where_it_is_wrong() {
    let app = TestApp::new().await;
    let a = app.user("a").await;
    let id = send(&a, "vm-a-1", "reboot", json!([1, -2.5, "on", true])).await;
    for (path, body, status, pointer) in [
        ("/command/vm-a-1/a%00", json!({}), 400, "/command"),
        ("/command/vm-a-1/reboot?expires=0", json!({}), 400, "/expires"),
        ("/command/vm-a-1/reboot?expires=2592001", json!({}), 400, "/expires"),
        ("/command/vm-a-1/reboot?expires=x", json!({}), 400, "/expires"),
        ("/command/vm-a-1/reboot?x=1", json!({}), 400, "/x"),
        ("/command/vm-a-1/reboot", json!({"params": [null]}), 422, "/params/0"),
        ("/command/vm-a-1/reboot", json!({"params": [1, {}]}), 422, "/params/1"),
        ("/command/vm-a-1/reboot", json!({"params": ["a\0"]}), 422, "/params/0"),
        ("/command/vm-a-1/reboot", json!({"params": null}), 422, "/params"),
        ("/command/vm-a-1/reboot", json!({"parms": []}), 422, "/parms"),
        (
            "/command/reboot",
            json!({"filter": {"type": "machine", "ids": [21]}, "params": [1]}),
            422,
            "/params/0",
        ),
        (
            "/command/reboot",
            json!({"filter": {"type": "machine", "ids": [41]}, "params": []}),
            422,
            "/filter/ids/0",
        ),
        (
            "/command/re%0Aboot",
            json!({"filter": {"type": "machine", "ids": [21]}, "params": []}),
            400,
            "/command",
        ),
    ] {
        a.post(path, body).await.expect_problem(status, pointer);
    }
    let path = format!("/machine/vm-a-1/commands/{id}");
    a.post(&path, json!({})).await.expect_problem(422, "/result");
    a.post(&path, json!({"result": "ok"})).await.expect_problem(422, "/result");
    a.post(&path, json!({"result": "done", "details": "a\0"})).await.expect_problem(422, "/details");
    a.post("/machine/vm-a-1/commands/7", json!({"result": "done"})).await.expect_problem(400, "/id");
    a.get("/command/7").await.expect_problem(400, "/command");
    for wait in ["61", "-1", "x"] {
        a.get(&format!("/machine/vm-a-1/commands?wait={wait}")).await.expect_problem(400, "/wait");
    }
}
