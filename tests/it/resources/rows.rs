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
    // The zone is that of the place, unless it is given.
    let zone = async || a.get(&format!("/location/{id}")).await.expect(200)["timeZone"].clone();
    a.put(&format!("/location/{id}"), json!({"latitude": 40.7, "longitude": -74})).await.expect(200);
    assert_eq!(zone().await, "America/New_York");
    let both = json!({"latitude": 51.9, "longitude": 4.5, "timeZone": "Asia/Tokyo"});
    a.put(&format!("/location/{id}"), both).await.expect(200);
    assert_eq!(zone().await, "Asia/Tokyo");
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

#[tokio::test]
async fn a_machine_is_copied_from_another_but_for_what_is_its_own() {
    let test = TestApp::new().await;
    let (a, b) = (test.user("a").await, test.user("b").await);
    a.put("/machine/21", json!({"tag": "north", "debtor": 7, "virtualPrices": true})).await.expect(200);
    let body = json!({"name": "Copy", "hostname": "vm-copy", "debtor": 8});
    let id = a.post("/machine?source=21", body.clone()).await.expect(201)["id"].clone();
    let row = a.get(&format!("/machine/{id}")).await.expect(200);
    assert_eq!((&row["tag"], &row["debtor"], &row["virtualPrices"]), (&json!("north"), &json!(8), &json!(1)));
    assert_eq!(
        (&row["gateway"], &row["location"], &row["hostname"]),
        (&json!(null), &json!(2), &json!("vm-copy"))
    );
    b.post("/machine?source=21", body.clone()).await.expect_problem(400, "/source");
    a.post("/machine?source=x", body.clone()).await.expect_problem(400, "/source");
    a.post("/machine?source=21", json!({"hostname": "x"})).await.expect_problem(422, "/name");
    a.post("/machine?source=21", body).await.expect(409);
}

#[tokio::test]
async fn machines_are_shown_by_where_they_stand() {
    let test = TestApp::new().await;
    let (a, a1) = (test.user("a").await, test.user("a1").await);
    let locations = a.get("/machine/locations?sort=id+desc").await.expect(200);
    let ids = |n: usize| {
        let machines = locations[n]["machines"].as_array().unwrap();
        machines.iter().map(|machine| machine["id"].as_i64().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!((locations[0]["id"].as_i64(), ids(0)), (Some(3), vec![31, 32]));
    assert_eq!((locations[1]["id"].as_i64(), ids(1)), (Some(2), vec![21, 22]));
    // A location that is shared does not show what others have there.
    sqlx::query("INSERT INTO user_group_location VALUES (3, 2)").execute(&test.app.db).await.unwrap();
    assert_eq!(a1.get("/machine/locations?where[id]=2").await.expect(200)[0]["machines"], json!([]));
}

#[tokio::test]
async fn each_payment_method_is_shown_as_any_type() {
    let test = TestApp::new().await;
    let a = test.user("a").await;
    let draft = |map: &str| {
        let body = axum::body::Body::from(format!("{{\"paymentTypesMap\": {map}}}"));
        axum::http::Request::post("/transactionprofile").body(body).unwrap()
    };
    let made = a.send_raw(draft(r#"{"token": "virtual", "code": "voucher"}"#)).await.expect(201);
    let row = a.get(&format!("/transactionprofile/{}", made["id"])).await.expect(200);
    let choices = a.get("/transactionprofile/paymenttypes").await.expect(200);
    for choice in choices.as_array().unwrap() {
        for shown_as in choice["types"].as_array().unwrap() {
            let map = json!({choice["method"].as_str().unwrap(): shown_as});
            a.send_raw(draft(&map.to_string())).await.expect(201);
        }
        let usual = if choice["method"] == "code" { &json!("voucher") } else { &choice["method"] };
        assert_eq!(choice["types"][0], *usual, "a method is shown as what it is called");
    }
    assert_eq!(row["paymentTypesMap"], json!({"token": "virtual", "code": "voucher"}));
    for (map, pointer) in [
        (r#"{"cash": "free"}"#, "/paymentTypesMap/cash"),
        (r#"{"card": "cashless"}"#, "/paymentTypesMap/card"),
        (r#"{"cash": "gold"}"#, "/paymentTypesMap/cash"),
        (r#"{"cash": null}"#, "/paymentTypesMap/cash"),
        (r#"{"shells": "other"}"#, "/paymentTypesMap/shells"),
        (r#"{"cash": "cash", "cash": "cash"}"#, "/paymentTypesMap/cash"),
        ("[]", "/paymentTypesMap"),
        ("null", "/paymentTypesMap"),
    ] {
        a.send_raw(draft(map)).await.expect_problem(422, pointer);
    }
}
