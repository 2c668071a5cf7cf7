//! Observers as resources: which terms go together, and who sees what.

use super::{at, ids, observer, pass, sale};
use crate::app::TestApp;
use serde_json::json;

#[tokio::test]
async fn an_observer_ignores_what_does_not_go_with_its_type() {
    let test = TestApp::new().await;
    let a = test.user("a").await;
    let with = |more: serde_json::Value| {
        let mut body = json!({
            "name": "n", "type": "event", "observer": "occurrence", "timer": 1, "timerType": 1, "alertGroup": 2
        });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    for (more, pointer) in [
        (json!({"timer": -1}), "/timer"),
        (json!({"occurs": -1}), "/occurs"),
        (json!({"timerType": 5}), "/timerType"),
        (json!({"error": 999_999}), "/error"),
        (json!({"alertGroup": 4}), "/alertGroup"),
        (json!({"machines": [21, 41]}), "/machines/1"),
        (json!({"machines": null}), "/machines"),
        (json!({"observer": "often"}), "/observer"),
        (json!({"sentAt": null}), "/sentAt"),
    ] {
        a.post("/alertobserver", with(more)).await.expect_problem(422, pointer);
    }
    a.post("/alertobserver", json!({"name": "n"})).await.expect_problem(422, "/type");
    for email in ["nobody", "a@b@c", "Ann <ann@example.com>", "ann@example.com\u{0}"] {
        let body = json!({"name": "Ann", "email": email, "language": 1, "alertGroup": 2});
        a.post("/alertrecipient", body).await.expect_problem(422, "/email");
    }

    let id = a.post("/alertobserver", with(json!({"error": 1, "occurs": 3}))).await.expect(201)["id"].clone();
    let path = format!("/alertobserver/{id}");
    a.put(&path, json!({"paymentMethod": "card"})).await.expect(200);
    let row = a.get(&path).await.expect(200);
    assert_eq!((&row["error"], &row["paymentMethod"]), (&json!(1), &json!(null)), "it is about events");
    a.put(&path, json!({"type": "transaction", "paymentMethod": "card", "openingHours": true}))
        .await
        .expect(200);
    let row = a.get(&path).await.expect(200);
    assert_eq!((&row["error"], &row["occurs"], &row["openingHours"]), (&json!(null), &json!(3), &json!(1)));
    assert_eq!(
        (&row["paymentMethod"], &row["sentAt"], &row["userGroup"]),
        (&json!("card"), &json!(null), &json!(2))
    );
    a.put(&path, json!({"observer": "non_resolution", "timer": 0, "occurs": 0})).await.expect(200);
    let row = a.get(&path).await.expect(200);
    assert_eq!(
        (&row["paymentMethod"], &row["occurs"], &row["timer"]),
        (&json!(null), &json!(null), &json!(1))
    );
    a.put(&path, json!({"observer": "occurrence", "occurs": 0})).await.expect(200);
    assert_eq!(a.get(&path).await.expect(200)["occurs"], 1);
    a.delete("/alertgroup/2").await.expect(409);
    a.delete(&path).await.expect(200);
    a.get(&path).await.expect(404);
}

#[tokio::test]
async fn a_sale_that_no_payment_comes_for_is_told_until_one_does() {
    let test = at("2026-11-24T12:00:00Z").build().await;
    let a = test.user("a").await;
    let terms = json!({"type": "transaction", "observer": "non_resolution", "timer": 30, "paymentMethod": "cash", "occurs": 4});
    let watch = observer(&a, terms).await;
    let firing = async || ids(&a, "/machine/21/alerts").await;
    sale(&test.app.db, 21, test.app.clock.now()).await;
    pass(&test, 29).await;
    assert_eq!(firing().await, [0i64; 0]);
    pass(&test, 2).await;
    assert_eq!(firing().await, [watch]);
    let paid = "UPDATE revenue_transaction SET num_payment_transactions = 1 WHERE machine = 21";
    sqlx::query(paid).execute(&test.app.db).await.unwrap();
    pass(&test, 1).await;
    assert_eq!(firing().await, [0i64; 0], "its payment was late");
}

#[tokio::test]
async fn who_sees_an_observer_and_what_it_looks_at() {
    let test = TestApp::new().await;
    let (a, a1, b) = (test.user("a").await, test.user("a1").await, test.user("b").await);
    let any = json!({"type": "event", "observer": "non_occurrence", "timer": 1});
    let all = observer(&a, any.clone()).await;
    let mut one = any;
    one["machines"] = json!([22]);
    let one = observer(&a, one).await;

    let watched = async |observer: i64| -> Vec<i64> {
        let sql = "SELECT machine FROM alert_watch WHERE alert_observer = $1 ORDER BY machine";
        sqlx::query_scalar(sql).bind(observer).fetch_all(&test.app.db).await.unwrap()
    };
    assert_eq!((watched(all).await, watched(one).await), (vec![21, 22, 31, 32], vec![22]));
    assert_eq!(ids(&a, "/machine/22/alertObservers").await, [all, one]);
    assert_eq!(ids(&a, "/machine/31/alertObservers").await, [all]);
    assert_eq!(ids(&a1, "/machine/31/alertObservers").await, [0i64; 0], "it is the group's above");
    assert_eq!(ids(&a, &format!("/alertobserver/{one}/machines")).await, [22]);
    assert_eq!(ids(&a, "/usergroup/2/alertObservers").await, [all, one]);
    assert_eq!(ids(&a, "/usergroup/2/alertGroups").await, [2]);
    assert_eq!(ids(&a, "/usergroup/2/alertRecipients").await, [0i64; 0]);
    for path in [format!("/alertobserver/{all}"), "/alertgroup/2".to_owned(), "/machine/21/alerts".to_owned()]
    {
        b.get(&path).await.expect(404);
    }
    for (query, pointer) in [
        ("", "/status"),
        ("?status=loud", "/status"),
        ("?status=ok&widget=x", "/widget"),
        ("?status=ok&colour=red", "/colour"),
    ] {
        a.get(&format!("/machine/alerts{query}")).await.expect_problem(400, pointer);
    }
    assert_eq!(ids(&a, "/machine/alerts?status=ok&widget=7").await, [all, one]);
    assert_eq!(ids(&b, "/machine/alerts?status=ok").await, [0i64; 0]);
    assert!(
        a.get("/export/alertobserver?columns=name,observer").await.text().contains("Watch,non_occurrence")
    );

    // What is out of use is not looked at, and what is new is.
    a.put("/machine/22", json!({"active": false})).await.expect(200);
    let new = a.post("/machine?source=21", json!({"name": "New", "hostname": "vm-new"})).await.expect(201);
    assert_eq!(watched(all).await, [21, 31, 32, new["id"].as_i64().unwrap()]);
    a.put("/machine/22", json!({"active": true})).await.expect(200);
    a.put(&format!("/alertobserver/{one}"), json!({"machines": []})).await.expect(200);
    assert_eq!(watched(one).await.len(), 5, "none named is all of them");
    a.put(&format!("/alertobserver/{one}"), json!({"machines": [22, 31]})).await.expect(200);
    assert_eq!(watched(one).await, [22, 31]);
    // A group that leaves takes its machines along.
    test.user("root").await.put("/usergroup/3", json!({"parent": 4})).await.expect(200);
    assert_eq!(watched(one).await, [22]);
}
