//! Users who leave, their keys, and accounts that somebody wants to take over.

use super::{NEW, Office, people::stored};
use crate::{client::Client, world};
use serde_json::{Value, json};

/// Makes a key with a token; its id and the key.
async fn make_key(client: &Client) -> (i64, String) {
    let body = json!({"name": "till", "scopes": ["apikey.read", "apikey.write"]});
    let made = client.post("/apikey", body).await.expect(201);
    (made["id"].as_i64().unwrap(), made["key"].as_str().unwrap().to_owned())
}

async fn works(office: &Office, key: &str) -> bool {
    office.app.bearer(key).get("/apikey").await.status == 200
}

#[tokio::test]
async fn the_keys_of_a_user_end_with_it_and_so_do_theirs() {
    let office = Office::new().await;
    let (a, a1) = (office.app.user("a").await, office.app.user("a1").await);
    let (_, first) = make_key(&a1).await;
    let (_, second) = make_key(&office.app.bearer(&first)).await;
    let (_, other) = make_key(&a).await;
    assert!(works(&office, &first).await && works(&office, &second).await);
    a.delete(&format!("/user/{}", world::A1)).await.expect(200);
    assert!(!works(&office, &first).await && !works(&office, &second).await);
    assert!(works(&office, &other).await);
}

#[tokio::test]
async fn another_user_can_answer_for_keys_from_then_on() {
    let office = Office::new().await;
    let (a, a1) = (office.app.user("a").await, office.app.user("a1").await);
    let (id, first) = make_key(&a1).await;
    let (_, second) = make_key(&office.app.bearer(&first)).await;
    let path = format!("/user/{}", world::A1);
    for heir in [world::A1, world::B, world::ROOT, 0] {
        a.delete(&format!("{path}?handOverTo={heir}")).await.expect_problem(422, "/handOverTo");
    }
    a.delete(&format!("{path}?handOverTo={}", world::A)).await.expect(200);
    assert!(works(&office, &first).await && works(&office, &second).await);
    let list = a.get("/apikey").await.expect(200);
    let key = list.as_array().unwrap().iter().find(|key| key["id"] == id).unwrap().clone();
    assert_eq!((&key["owner"], &key["createdBy"]), (&json!(world::A), &json!(world::A1)));
}

#[tokio::test]
async fn a_user_is_not_moved_below_its_keys() {
    let office = Office::new().await;
    let (root, a) = (office.app.user("root").await, office.app.user("a").await);
    let (id, key) = make_key(&a).await;
    let move_down = json!({"userGroup": world::A1});
    root.put(&format!("/user/{}", world::A), move_down.clone()).await.expect(409);
    root.delete(&format!("/apikey/{id}")).await.expect(200);
    assert!(!works(&office, &key).await);
    root.put(&format!("/user/{}", world::A), move_down).await.expect(200);
}

#[tokio::test]
async fn who_may_do_less_deletes_nobody_who_may_do_more() {
    let office = Office::new().await;
    let key = world::key(&office.app.app.db, world::A, None, &["user.read", "user.write"]).await;
    office.app.bearer(key).delete(&format!("/user/{}", world::A1)).await.expect(403);
    office.app.user("a1").await.get("/user/me").await.expect(200);
}

#[tokio::test]
async fn an_account_that_was_taken_over_is_taken_back() {
    let office = Office::new().await;
    let (a, anyone) = (office.app.user("a").await, office.app.anyone());
    let path = format!("/user/{}", world::A1);
    a.put(&path, json!({"email": "thief@example.com"})).await.expect(200);
    let [confirm, told] = <[_; 2]>::try_from(office.mails().await).unwrap();
    let restore = told.token();
    let password = |token: &str, password: &str| json!({"token": token, "password": password});
    let thiefs = "the password of a thief";
    anyone.post("/auth/activate", password(&confirm.token(), thiefs)).await.expect(201);
    // Once more, so that the first address is forgotten.
    a.put(&path, json!({"email": "second@example.com"})).await.expect(200);
    let mails = office.mails().await;
    let told = mails.iter().find(|mail| mail.to == "thief@example.com").unwrap();
    assert!(!told.text.contains('#'), "{}", told.text);

    anyone.post("/auth/restore", password("wrong", NEW)).await.expect_problem(422, "/token");
    anyone.post("/auth/resetpassword", password(&restore, NEW)).await.expect_problem(422, "/token");
    anyone.post("/auth/restore", password(&restore, NEW)).await.expect(201);
    assert!(office.knows("a1@example.com", NEW).await);
    assert!(!office.knows("a1", thiefs).await && !office.knows("second@example.com", NEW).await);
    assert_eq!(stored(&office, world::A1).await["email_confirmed"], true);
    anyone.post("/auth/restore", password(&restore, NEW)).await.expect_problem(422, "/token");
    let record =
        a.get("/activity?where[noun]=user&sort=id desc&limit=1".replace(' ', "+").as_str()).await.expect(200);
    assert_eq!(
        (&record[0]["account"], &record[0]["after"]["email"]),
        (&json!(world::A1), &json!("a1@example.com"))
    );
    assert_eq!(record[0]["after"]["passwordHash"], Value::from("changed"));
}
