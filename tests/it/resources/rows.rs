//! Machines and locations as the API shows them.

use crate::app::TestApp;
use serde_json::json;

#[tokio::test]
async fn a_machine_is_shown_with_the_types_that_clients_know() {
    let test = TestApp::builder().stopped_at("2026-07-01T10:00:00Z").build().await;
    let a = test.user("a").await;
    sqlx::query("UPDATE machine SET created_at = '2026-01-01Z', updated_at = '2026-01-01Z' WHERE id = 21")
        .execute(&test.app.db)
        .await
        .unwrap();
    insta::assert_json_snapshot!(a.get("/machine/21").await.expect(200));
}

#[tokio::test]
async fn coordinates_are_numbers_in_and_text_out() {
    let test = TestApp::new().await;
    let a = test.user("a").await;
    let draft = json!({
        "name": "Kade", "address": "Kade 1", "postcode": "3072 AP", "city": "Rotterdam", "country": "NL",
        "latitude": 51.9, "longitude": 4
    });
    let id = a.post("/location", draft).await.expect(201)["id"].clone();
    let row = a.get(&format!("/location/{id}")).await.expect(200);
    assert_eq!((&row["latitude"], &row["longitude"]), (&json!("51.9"), &json!("4")));
    assert_eq!(row["timeZone"], "Europe/Amsterdam");
    let path = format!("/location/{id}");
    a.put(&path, json!({"latitude": 90.1})).await.expect_problem(422, "/latitude");
    a.put(&path, json!({"longitude": "4"})).await.expect_problem(422, "/longitude");
    a.put(&path, json!({"timeZone": "Mars/Olympus"})).await.expect_problem(422, "/timeZone");
}

#[tokio::test]
async fn machines_not_heard_of_are_offline() {
    let test = TestApp::builder().stopped_at("2026-07-01T10:00:00Z").build().await;
    let a = test.user("a").await;
    let sql = "INSERT INTO machine_presence (machine, seen_at)
               VALUES (21, '2026-07-01 09:50Z'), (22, '2026-07-01 09:30Z'), (31, '2026-07-01 09:59Z')";
    sqlx::query(sql).execute(&test.app.db).await.unwrap();
    let offline = a.get("/machine/offline").await.expect(200);
    assert_eq!(offline.as_array().unwrap().iter().map(|row| &row["id"]).collect::<Vec<_>>(), [22, 32]);
    a.put("/machine/22", json!({"active": false})).await.expect(200);
    assert_eq!(a.get("/machine/offline").await.expect(200)[0]["id"], 32);
}
