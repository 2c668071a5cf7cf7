//! Opening hours: who sets them, and which of them hold for a machine.

use crate::{app::TestApp, client::Client, world};
use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use scrip::fleet::opening_hours;
use serde_json::{Value, json};

/// A span of Monday that tells by its start who set it.
fn hours(start: u32) -> Value {
    json!([{"day": 1, "startTime": format!("{start:02}:00:00"), "endTime": format!("{start:02}:30:00")}])
}

async fn set(client: &Client, resource: &str, id: i64, spans: Value) {
    client.put(&format!("/openinghours/{resource}/{id}"), spans).await.expect(200);
}

async fn read(client: &Client, resource: &str, id: i64) -> Value {
    bare(client.get(&format!("/openinghours/{resource}/{id}")).await.expect(200))
}

/// Spans without what they are set for.
fn bare(mut spans: Value) -> Value {
    for span in spans.as_array_mut().unwrap() {
        assert!(span.as_object_mut().unwrap().remove("from").is_some());
    }
    spans
}

/// What holds for a machine, as [`hours`] has it.
async fn holds(test: &TestApp, machine: i64) -> Value {
    json!(opening_hours::effective(&mut test.app.db.acquire().await.unwrap(), machine).await.unwrap().spans)
}

#[tokio::test]
async fn what_is_set_is_read_back_until_it_is_replaced() {
    let test = TestApp::new().await;
    let user = test.user("a").await;
    for (resource, id) in [("locationgroup", 2), ("location", 2), ("machinegroup", 2), ("machine", 21)] {
        assert_eq!(read(&user, resource, id).await, json!([]));
        let spans = json!([
            {"day": 7, "startTime": "22:00:00", "endTime": "02:00:00"},
            {"day": 1, "startTime": "13:00", "endTime": "17:00"},
            {"day": 1, "startTime": "09:15:00", "endTime": "10:00:00"},
        ]);
        set(&user, resource, id, spans).await;
        let sorted = json!([
            {"day": 1, "startTime": "09:15:00", "endTime": "10:00:00"},
            {"day": 1, "startTime": "13:00:00", "endTime": "17:00:00"},
            {"day": 7, "startTime": "22:00:00", "endTime": "02:00:00"},
        ]);
        assert_eq!(read(&user, resource, id).await, sorted, "{resource}");
        let path = format!("/v1/openinghours/{resource}/{id}");
        user.patch(&path, hours(8)).await.expect(200);
        assert_eq!(bare(user.get(&path).await.expect(200)), hours(8), "{resource}");
        set(&user, resource, id, json!([])).await;
        assert_eq!(read(&user, resource, id).await, json!([]));
    }
}

#[tokio::test]
async fn a_machine_shows_the_hours_in_force_and_whence_they_come() {
    let test = TestApp::new().await;
    let user = test.user("a").await;
    let shown = async || user.get("/openinghours/machine/21").await.expect(200);
    let from = |resource: &str, id: i64, start: u32| {
        let mut spans = hours(start);
        spans[0]["from"] = json!({"resource": resource, "id": id});
        spans
    };
    assert_eq!(shown().await, json!([]), "it is always open");
    for (resource, id, start) in
        [("machine", 21, 1), ("locationgroup", 2, 2), ("location", 2, 3), ("machinegroup", 2, 4)]
    {
        set(&user, resource, id, hours(start)).await;
        assert_eq!(shown().await, from(resource, id, start));
        assert_eq!(bare(shown().await), holds(&test, 21).await);
        let own = user.get(&format!("/openinghours/{resource}/{id}")).await.expect(200);
        assert_eq!(own, from(resource, id, start));
    }
    // A row that was read can be sent back: it is then the machine's own.
    let read = shown().await;
    set(&user, "machine", 21, read).await;
    assert_eq!(shown().await, from("machine", 21, 4));
}

#[tokio::test]
async fn what_is_set_last_holds_down_the_tree() {
    let test = TestApp::new().await;
    let user = test.user("a").await;
    // Machine 21 is in the machine group; 21 and 22 are at the location, and that is in the location group.
    assert_eq!(holds(&test, 21).await, json!([]));
    set(&user, "locationgroup", 2, hours(1)).await;
    assert_eq!((holds(&test, 21).await, holds(&test, 22).await), (hours(1), hours(1)));
    set(&user, "location", 2, hours(2)).await;
    assert_eq!((holds(&test, 21).await, holds(&test, 22).await), (hours(2), hours(2)));
    set(&user, "machinegroup", 2, hours(3)).await;
    assert_eq!((holds(&test, 21).await, holds(&test, 22).await), (hours(3), hours(2)));
    set(&user, "machine", 21, hours(4)).await;
    set(&user, "machine", 22, hours(5)).await;
    assert_eq!((holds(&test, 21).await, holds(&test, 22).await), (hours(4), hours(5)));

    set(&user, "machinegroup", 2, hours(6)).await;
    assert_eq!((holds(&test, 21).await, holds(&test, 22).await), (hours(6), hours(5)));
    let shown = user.get("/openinghours/machine/21").await.expect(200);
    assert_eq!(shown[0]["from"]["resource"], "machinegroup", "the machine's own are gone");
    set(&user, "location", 2, hours(7)).await;
    assert_eq!((holds(&test, 21).await, holds(&test, 22).await), (hours(7), hours(7)));
    assert_eq!(read(&user, "machinegroup", 2).await, hours(6), "a group may have machines elsewhere");
    set(&user, "machine", 22, hours(8)).await;
    set(&user, "locationgroup", 2, hours(9)).await;
    assert_eq!((holds(&test, 21).await, holds(&test, 22).await), (hours(9), hours(9)));
    assert_eq!(read(&user, "location", 2).await, json!([]), "the location's own are gone");

    set(&user, "machine", 21, hours(10)).await;
    set(&user, "locationgroup", 2, json!([])).await;
    assert_eq!(
        (holds(&test, 21).await, holds(&test, 22).await),
        (hours(6), json!([])),
        "the group's are left"
    );
    set(&user, "machinegroup", 2, json!([])).await;
    assert_eq!(holds(&test, 21).await, json!([]));
}

#[tokio::test]
async fn a_machine_is_open_in_the_time_of_its_location() {
    let test = TestApp::new().await;
    set(&test.user("b").await, "location", 4, hours(9)).await;
    let effective = opening_hours::effective(&mut test.app.db.acquire().await.unwrap(), 41).await.unwrap();
    assert_eq!(effective.zone, Tz::America__New_York);
    let open = |at: &str| effective.are_on(at.parse::<DateTime<Utc>>().unwrap());
    // A Monday in winter, five hours behind UTC.
    assert!(open("2026-11-23T14:15:00Z") && !open("2026-11-23T09:15:00Z") && !open("2026-11-23T14:30:00Z"));
    assert!(opening_hours::effective(&mut test.app.db.acquire().await.unwrap(), 999).await.is_err());
}

#[tokio::test]
async fn what_is_deleted_takes_its_opening_hours_along() {
    let test = TestApp::new().await;
    set(&test.user("a").await, "machine", 22, hours(1)).await;
    let count = async || {
        let count = sqlx::query_scalar::<_, i64>("SELECT count(*) FROM opening_hours");
        count.fetch_one(&test.app.db).await.unwrap()
    };
    assert_eq!(count().await, 1);
    sqlx::query("DELETE FROM machine WHERE id = 22").execute(&test.app.db).await.unwrap();
    assert_eq!(count().await, 0);
}

#[tokio::test]
async fn opening_hours_are_a_group_s_own() {
    let test = TestApp::new().await;
    let [root, a, a1, b] =
        [test.user("root").await, test.user("a").await, test.user("a1").await, test.user("b").await];
    for (resource, id) in [("locationgroup", 2), ("location", 2), ("machinegroup", 2), ("machine", 21)] {
        let path = format!("/openinghours/{resource}/{id}");
        set(&root, resource, id, hours(1)).await;
        assert_eq!(read(&a, resource, id).await, hours(1));
        for stranger in [&a1, &b] {
            stranger.get(&path).await.expect(404);
            stranger.put(&path, hours(2)).await.expect(404);
        }
        a.get(&format!("/openinghours/{resource}/999")).await.expect(404);
    }
    // What a group above shares is read.
    for (share, resource) in [
        ("INSERT INTO user_group_location VALUES (3, 2)", "location"),
        ("INSERT INTO user_group_location_group VALUES (3, 2)", "locationgroup"),
    ] {
        sqlx::query(share).execute(&test.app.db).await.unwrap();
        set(&a, resource, 2, hours(3)).await;
        assert_eq!(read(&a1, resource, 2).await, hours(3));
        a1.put(&format!("/openinghours/{resource}/2"), hours(4)).await.expect(403);
    }
    let reader = test.bearer(world::key(&test.app.db, world::A, None, &["fleet.read"]).await);
    reader.put("/openinghours/machine/21", hours(4)).await.expect(403);
    let writer = test.bearer(world::key(&test.app.db, world::A, None, &["fleet.write"]).await);
    writer.get("/openinghours/machine/21").await.expect(403);
}

#[tokio::test]
async fn nobody_takes_away_what_belongs_to_a_group_above() {
    let test = TestApp::new().await;
    sqlx::query("UPDATE machine SET location = 2 WHERE id IN (11, 31)").execute(&test.app.db).await.unwrap();
    let (root, a) = (test.user("root").await, test.user("a").await);
    for machine in [11, 21, 31] {
        set(&root, "machine", machine, hours(1)).await;
    }
    set(&a, "location", 2, hours(2)).await;
    assert_eq!(holds(&test, 11).await, hours(1));
    assert_eq!((holds(&test, 21).await, holds(&test, 31).await), (hours(2), hours(2)));
    set(&root, "location", 2, hours(3)).await;
    assert_eq!(holds(&test, 11).await, hours(3));
}

#[tokio::test]
async fn what_can_t_be_is_refused_where_it_stands() {
    let test = TestApp::new().await;
    let user = test.user("a").await;
    set(&user, "machine", 21, hours(1)).await;
    let span = |day: Value, start: Value, end: Value| json!({"day": day, "startTime": start, "endTime": end});
    let good = span(json!(1), json!("09:00:00"), json!("10:00:00"));
    for (bad, pointer) in [
        (span(json!(0), json!("09:00:00"), json!("10:00:00")), "/1/day"),
        (span(json!(8), json!("09:00:00"), json!("10:00:00")), "/1/day"),
        (span(json!(4_294_967_297i64), json!("09:00:00"), json!("10:00:00")), "/1/day"),
        (span(json!("1"), json!("09:00:00"), json!("10:00:00")), "/1/day"),
        (span(json!(2), json!("24:00:00"), json!("10:00:00")), "/1/startTime"),
        (span(json!(2), json!("09:00:60"), json!("10:00:00")), "/1/startTime"),
        (span(json!(2), json!("09:00:00"), json!("a\0b")), "/1/endTime"),
        (span(json!(2), json!("09:00:00"), json!(9)), "/1/endTime"),
        (span(json!(1), json!("09:59:59"), json!("12:00:00")), "/1"),
        (json!({"day": 2, "startTime": "09:00:00"}), "/1/endTime"),
        (json!({"day": 2, "startTime": "09:00", "endTime": "10:00", "x": 1}), "/1/x"),
        (json!(7), "/1"),
    ] {
        user.put("/openinghours/machine/21", json!([good, bad])).await.expect_problem(422, pointer);
    }
    user.put("/openinghours/machine/21", json!({})).await.expect_problem(422, "");
    let many: Vec<_> = (0..5_000).map(|_| good.clone()).collect();
    user.put("/openinghours/machine/21", json!(many)).await.expect_problem(422, "");
    for path in ["/openinghours/planet/21", "/openinghours/Machine/21", "/openinghours/%00/21"] {
        user.put(path, hours(1)).await.expect(404);
        user.get(path).await.expect(404);
    }
    for path in ["/openinghours/machine/x", "/openinghours/machine/9223372036854775808"] {
        user.put(path, hours(1)).await.expect_problem(400, "/id");
        user.get(path).await.expect_problem(400, "/id");
    }
    assert_eq!(read(&user, "machine", 21).await, hours(1), "nothing has changed");
}

#[tokio::test]
async fn of_several_at_a_time_one_is_left_whole() {
    let test = TestApp::new().await;
    let user = test.user("a").await;
    for _ in 0..5 {
        let sets = (1..=8).map(|start| set(&user, "location", 2, hours(start)));
        futures_util::future::join_all(sets).await;
        let left = read(&user, "location", 2).await;
        assert!((1..=8).any(|start| left == hours(start)), "{left}");
    }
}

#[tokio::test]
async fn groups_of_those_below_set_no_hours_for_machines_above_them() {
    let test = TestApp::new().await;
    let b = test.user("b").await;
    // As pairs were made when seeing the root's location and machine was enough.
    sqlx::raw_sql(
        "INSERT INTO location_group_location (location_group, location) VALUES (4, 1);
         INSERT INTO machine_group_machine (machine_group, machine) VALUES (4, 11);
         UPDATE machine SET location = 1 WHERE id = 42",
    )
    .execute(&test.app.db)
    .await
    .unwrap();
    set(&b, "locationgroup", 4, hours(1)).await;
    set(&b, "machinegroup", 4, hours(2)).await;
    assert_eq!((holds(&test, 11).await, holds(&test, 12).await), (json!([]), json!([])));
    assert_eq!((holds(&test, 42).await, holds(&test, 41).await), (hours(1), hours(2)));
    set(&test.user("root").await, "locationgroup", 1, hours(3)).await;
    assert_eq!((holds(&test, 11).await, holds(&test, 42).await), (hours(3), hours(3)));
}
