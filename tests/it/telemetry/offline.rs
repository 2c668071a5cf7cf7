//! Machines that fall silent, and are heard of again.

use super::{HERE, NOW, assert_sums, cola, gateway, rows, set_up};
use crate::{app::TestApp, world};
use chrono::TimeDelta;
use scrip::telemetry::offline::notice;
use serde_json::{Value, json};

const EVENTS: &str = "
    SELECT machine, code, type, remote, error_identity, duration FROM machine_log ORDER BY machine, id";

fn silence(machine: i64, duration: &Value) -> Value {
    json!({"machine": machine, "code": "CM_OFFLINE", "type": 3, "remote": null, "error_identity": 1,
        "duration": duration})
}

#[tokio::test]
async fn silence_is_one_alarm_that_ends_with_the_next_sign_of_life() {
    let test = TestApp::builder().stopped_at(NOW).config(|config| config.heartbeat_s = 60).build().await;
    let app = &test.app;
    set_up(app, "INSERT INTO error_code (user_group, error_identity, error_profile, code) VALUES (1, 1, 1, 'CM_OFFLINE')").await;
    let (one, other) = (gateway(&test, world::A, HERE).await, gateway(&test, world::A, "vm-a-2").await);
    let retired = gateway(&test, world::B, "vm-b-1").await;
    set_up(app, "UPDATE machine SET active = false WHERE hostname = 'vm-b-1'").await;
    for (client, hostname) in [(&one, HERE), (&other, "vm-a-2"), (&retired, "vm-b-1")] {
        client.post(&format!("/machine/{hostname}/heartbeat"), json!({})).await.expect(200);
    }
    app.clock.advance(TimeDelta::seconds(60));
    assert_eq!(notice(app).await.unwrap(), 0, "it may be silent for so long");
    app.clock.advance(TimeDelta::seconds(1));
    // However many look.
    let (first, second, third) = tokio::join!(notice(app), notice(app), notice(app));
    assert_eq!(first.unwrap() + second.unwrap() + third.unwrap(), 2);
    assert_eq!(rows(app, EVENTS).await, json!([silence(21, &Value::Null), silence(22, &Value::Null)]));
    let user = test.user("a").await;
    let machine = user.get("/machine/21").await.expect(200);
    let latest = rows(app, "SELECT id FROM machine_log WHERE machine = 21").await;
    assert_eq!((&machine["lastLog"], &machine["logSynced"]), (&latest[0]["id"], &Value::Null));

    // A late sale is a sign of life, and so is a question.
    app.clock.advance(TimeDelta::seconds(100));
    one.post("/machine/vm-a-1/revenuetransactions", cola(1, "2026-11-01T00:00:00Z")).await.expect(200);
    app.clock.advance(TimeDelta::seconds(5));
    other.get("/machine/vm-a-2/commands").await.expect(200);
    assert_eq!(rows(app, EVENTS).await, json!([silence(21, &json!(100)), silence(22, &json!(105))]));
    assert_eq!(notice(app).await.unwrap(), 0);
    app.clock.advance(TimeDelta::seconds(1000));
    assert_eq!(notice(app).await.unwrap(), 2);
    one.post("/machine/vm-a-1/heartbeat", json!({"uptime": 3})).await.expect(200);
    let offline = rows(app, "SELECT machine FROM machine_presence WHERE offline_since IS NOT NULL").await;
    assert_eq!(offline, json!([{"machine": 22}]));
    assert_sums(app).await;
}
