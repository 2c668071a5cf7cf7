//! Plain resources that are changed by several at a time.

use crate::{app::TestApp, client::Client};
use serde_json::{Value, json};

async fn group(client: &Client, name: &str) -> Value {
    client.post("/machinegroup", json!({"name": name})).await.expect(201)["id"].clone()
}

async fn ids(client: &Client, path: &str) -> Vec<i64> {
    let rows = client.get(path).await.expect(200);
    rows.as_array().unwrap().iter().map(|row| row["id"].as_i64().unwrap()).collect()
}

#[tokio::test]
async fn sets_replaced_at_once_end_as_one_of_them_was() {
    let test = TestApp::new().await;
    let a = test.user("a").await;
    let id = group(&a, "Shared").await;
    let path = format!("/machinegroup/{id}");
    for _ in 0..10 {
        let (one, other) = tokio::join!(
            a.put(&path, json!({"name": "one", "machines": [21, 22]})),
            a.put(&path, json!({"name": "other", "machines": [31]})),
        );
        assert_eq!((one.status, other.status), (200.try_into().unwrap(), 200.try_into().unwrap()));
        let name = a.get(&path).await.expect(200)["name"].clone();
        let members = ids(&a, &format!("{path}/machines")).await;
        assert_eq!(members, if name == "one" { vec![21, 22] } else { vec![31] });
    }
}

#[tokio::test]
async fn a_set_replaced_from_both_sides_is_never_our_fault() {
    let test = TestApp::new().await;
    let a = test.user("a").await;
    let groups = [group(&a, "One").await, group(&a, "Two").await];
    for round in 0..10 {
        let (some, none) = (json!(groups), json!([]));
        let of_machine = if round % 2 == 0 { &some } else { &none };
        let paths = groups.each_ref().map(|id| format!("/machinegroup/{id}"));
        let replies = tokio::join!(
            a.put("/machine/21", json!({"machineGroups": of_machine})),
            a.put("/machine/22", json!({"machineGroups": of_machine})),
            a.put(&paths[0], json!({"machines": [22, 21]})),
            a.put(&paths[1], json!({"machines": [21, 22]})),
        );
        for reply in [&replies.0, &replies.1, &replies.2, &replies.3] {
            assert!(matches!(reply.status.as_u16(), 200 | 503), "{} {}", reply.status, reply.text());
        }
    }
}

#[tokio::test]
async fn what_is_pointed_at_while_it_is_deleted_stays_or_is_not_pointed_at() {
    let test = TestApp::new().await;
    let a = test.user("a").await;
    for round in 0..10 {
        let maker = a.post("/manufacturer", json!({"name": "Short-lived"})).await.expect(201)["id"].clone();
        let draft = json!({"name": "Model", "manufacturer": maker, "errorProfile": 1});
        let path = format!("/manufacturer/{maker}");
        let (made, gone) = tokio::join!(a.post("/machinemodel", draft), a.delete(&path));
        match (made.status.as_u16(), gone.status.as_u16()) {
            (201, 409) => assert_eq!(a.get(&path).await.status, 200),
            (422, 200) => made.expect_problem(422, "/manufacturer"),
            other => panic!("{round}: {other:?} {} {}", made.text(), gone.text()),
        }
    }
}
