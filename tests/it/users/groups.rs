//! The tree of groups: what may be put where, and what that allows.

use super::{Office, create, draft};
use crate::{app::TestApp, client::Client, world};
use futures_util::future::join_all;
use serde_json::{Value, json};

async fn create_group(client: &Client, body: Value) -> i64 {
    client.post("/usergroup", body).await.expect(201)["id"].as_i64().unwrap()
}

/// What members of a group may do.
async fn allowed(client: &Client, group: i64) -> Vec<String> {
    let list = client.get(&format!("/usergroup/{group}/permissions")).await.expect(200);
    list.as_array()
        .unwrap()
        .iter()
        .map(|permission| permission["name"].as_str().unwrap().to_owned())
        .collect()
}

async fn children(client: &Client, group: i64) -> Vec<i64> {
    let list = client.get(&format!("/usergroup/{group}/children")).await.expect(200);
    list.as_array().unwrap().iter().map(|group| group["id"].as_i64().unwrap()).collect()
}

async fn shared(app: &TestApp, group: i64) -> (Vec<i64>, Vec<i64>) {
    const SQL: &str = "
        SELECT ARRAY(SELECT location FROM user_group_location WHERE user_group = $1 ORDER BY 1),
               ARRAY(SELECT location_group FROM user_group_location_group WHERE user_group = $1 ORDER BY 1)";
    sqlx::query_as(SQL).bind(group).fetch_one(&app.app.db).await.unwrap()
}

#[tokio::test]
async fn a_group_is_created_below_the_callers_and_seen_from_above() {
    let test = TestApp::new().await;
    let (root, a) = (test.user("root").await, test.user("a").await);
    let body = json!({"name": " Depot ", "parent": world::A1, "locations": [2, 3, 2], "locationGroups": [3]});
    let depot = create_group(&a, body).await;
    assert_eq!(children(&a, world::A).await, [world::A1, depot]);
    assert_eq!(children(&root, world::ROOT).await, [world::A, world::A1, world::B, depot]);
    assert_eq!(children(&a, depot).await, Vec::<i64>::new());
    let list = a.get(&format!("/usergroup/{}/children", world::A1)).await.expect(200);
    assert_eq!(
        (&list[0]["name"], &list[0]["parent"], &list[0]["deleted"]),
        (&json!("Depot"), &json!(world::A1), &json!(false))
    );
    assert_eq!(shared(&test, depot).await, (vec![2, 3], vec![3]));
    let page = a.get(&format!("/usergroup/{}/children?limit=1&sort=id%20desc", world::A)).await;
    assert_eq!(
        (&page.expect(200)[0]["id"], &page.headers["x-total-count"]),
        (&json!(depot), &"2".parse().unwrap())
    );
    let locations = a.get(&format!("/usergroup/{depot}/locations")).await.expect(200);
    assert_eq!(locations.as_array().unwrap().len(), 2, "{locations}");
    for group in [world::ROOT, world::B, 0, i64::MAX] {
        a.get(&format!("/usergroup/{group}/children")).await.expect(404);
        a.get(&format!("/usergroup/{group}/permissions")).await.expect(404);
        a.put(&format!("/usergroup/{group}"), json!({"name": "mine"})).await.expect(404);
        a.delete(&format!("/usergroup/{group}")).await.expect(404);
    }
}

#[tokio::test]
async fn a_draft_is_refused_where_it_is_wrong() {
    let test = TestApp::new().await;
    let a = test.user("a").await;
    for (field, value, pointer) in [
        ("name", json!(""), "/name"),
        ("name", json!("a\0"), "/name"),
        ("name", json!("x".repeat(201)), "/name"),
        ("parent", json!(world::ROOT), "/parent"),
        ("parent", json!(world::B), "/parent"),
        ("parent", json!(i64::MIN), "/parent"),
        ("parent", json!(null), "/parent"),
        ("locations", json!([2, 4]), "/locations/1"),
        ("locations", json!([i64::MAX]), "/locations/0"),
        ("locations", json!(["2"]), "/locations/0"),
        ("locationGroups", json!([1]), "/locationGroups/0"),
        ("permissions", json!(["user.read", "user.steal"]), "/permissions/1"),
        ("permissions", json!("user.read"), "/permissions"),
        ("admin", json!(1), "/admin"),
    ] {
        let mut body = json!({"name": "Depot", "parent": world::A});
        body[field] = value;
        a.post("/usergroup", body).await.expect_problem(422, pointer);
    }
    assert_eq!(children(&a, world::A).await, [world::A1]);
}

#[tokio::test]
async fn nobody_is_allowed_more_than_the_group_above() {
    let office = Office::new().await;
    let (test, a) = (&office.app, office.app.user("a").await);
    let some = json!(["user.read", "usergroup.read", "usergroup.write"]);
    let narrow = create_group(&a, json!({"name": "narrow", "parent": world::A, "permissions": some})).await;
    assert_eq!(allowed(&a, narrow).await, ["user.read", "usergroup.read", "usergroup.write"]);
    let body = json!({"name": "x", "parent": narrow, "permissions": ["user.read", "user.write"]});
    a.post("/usergroup", body).await.expect_problem(422, "/permissions/1");
    let below = create_group(&a, json!({"name": "below", "parent": narrow})).await;
    assert_eq!(allowed(&a, below).await, allowed(&a, narrow).await);
    let less = json!(["user.read", "user.read"]);
    a.put(&format!("/usergroup/{below}"), json!({"permissions": less})).await.expect(200);
    assert_eq!(allowed(&a, below).await, ["user.read"]);
    let more = json!({"permissions": ["voucher.read"]});
    a.put(&format!("/usergroup/{below}"), more.clone()).await.expect_problem(422, "/permissions/0");

    // A member of the narrow group moves in what it has.
    create(&a, draft("ann", narrow)).await;
    let token = Office::only(office.mails().await).token();
    let body = json!({"token": token, "password": super::NEW});
    let session = test.anyone().post("/auth/activate", body).await.expect(201);
    let ann = test.bearer(session["access_token"].as_str().unwrap());
    ann.post("/user", draft("eve", narrow)).await.expect(403);
    ann.put(&format!("/usergroup/{below}"), more).await.expect_problem(422, "/permissions/0");
    ann.put(&format!("/usergroup/{below}"), json!({"permissions": null})).await.expect(200);
    assert_eq!(allowed(&ann, below).await, allowed(&ann, narrow).await);

    // Narrowed above, it is narrower below, too; at once.
    a.put(&format!("/usergroup/{narrow}"), json!({"permissions": ["usergroup.read"]})).await.expect(200);
    assert_eq!(allowed(&ann, below).await, ["usergroup.read"]);
    ann.put(&format!("/usergroup/{below}"), json!({"name": "y"})).await.expect(403);
}

#[tokio::test]
async fn ones_own_group_is_for_others_to_move_and_to_allow() {
    let test = TestApp::new().await;
    let (root, a) = (test.user("root").await, test.user("a").await);
    let own = format!("/usergroup/{}", world::A);
    a.put(&own, json!({"name": "Alpha", "parent": world::ROOT, "permissions": null})).await.expect(200);
    assert_eq!(root.get("/usergroup/1/children").await.expect(200)[0]["name"], "Alpha");
    a.put(&own, json!({"parent": world::A1})).await.expect_problem(422, "/parent");
    a.put(&own, json!({"permissions": ["user.read"]})).await.expect_problem(422, "/permissions");
    a.delete(&own).await.expect(409);
    root.put("/usergroup/1", json!({"parent": world::A})).await.expect_problem(422, "/parent");
    root.put("/usergroup/1", json!({"parent": null})).await.expect_problem(422, "/parent");
}

#[tokio::test]
async fn a_group_moves_with_all_below_it_but_not_below_itself() {
    let test = TestApp::new().await;
    let (root, a, b) = (test.user("root").await, test.user("a").await, test.user("b").await);
    let depot = create_group(&a, json!({"name": "Depot", "parent": world::A1})).await;
    let a1 = format!("/usergroup/{}", world::A1);
    root.put(&a1, json!({"parent": world::A1})).await.expect_problem(422, "/parent");
    root.put(&a1, json!({"parent": depot})).await.expect_problem(422, "/parent");
    a.put(&a1, json!({"parent": world::B})).await.expect_problem(422, "/parent");
    assert_eq!(children(&a, world::A).await, [world::A1, depot]);
    root.put(&a1, json!({"parent": world::B})).await.expect(200);
    assert_eq!(
        (children(&a, world::A).await, children(&b, world::B).await),
        (vec![], vec![world::A1, depot])
    );
    a.put(&a1, json!({"name": "mine"})).await.expect(404);
    b.put(&a1, json!({"name": "mine", "locations": [4]})).await.expect(200);
    assert_eq!(shared(&test, world::A1).await, (vec![4], vec![]));
    b.put(&a1, json!({"locations": []})).await.expect(200);
    assert_eq!(shared(&test, world::A1).await, (vec![], vec![]));
}

#[tokio::test]
async fn two_groups_that_move_below_each_other_at_once_make_no_circle() {
    let test = TestApp::new().await;
    let root = test.user("root").await;
    for _ in 0..8 {
        let parent = json!({"parent": world::ROOT});
        root.put(&format!("/usergroup/{}", world::A), parent.clone()).await.expect(200);
        root.put(&format!("/usergroup/{}", world::B), parent).await.expect(200);
        let moves = [(world::A, world::B), (world::B, world::A)].map(|(group, parent)| {
            let root = &root;
            async move { root.put(&format!("/usergroup/{group}"), json!({"parent": parent})).await }
        });
        let done = join_all(moves).await.iter().filter(|reply| reply.status == 200).count();
        assert_eq!(done, 1);
        assert_eq!(children(&root, world::ROOT).await.len(), 3);
    }
}

#[tokio::test]
async fn a_group_is_deleted_when_it_is_empty_and_its_keys_end() {
    let office = Office::new().await;
    let (test, a) = (&office.app, office.app.user("a").await);
    let depot = create_group(&a, json!({"name": "Depot", "parent": world::A})).await;
    let shelf = create_group(&a, json!({"name": "Shelf", "parent": depot})).await;
    let user = create(&a, draft("ann", shelf)).await;
    let key = test.bearer(world::key(&test.app.db, shelf, None, &["usergroup.read"]).await);
    key.get(&format!("/usergroup/{shelf}/children")).await.expect(200);
    let refused = a.delete(&format!("/usergroup/{depot}")).await.expect(409);
    assert_eq!(refused["detail"], "the group still has groups below it: 1");
    let refused = a.delete(&format!("/usergroup/{shelf}")).await.expect(409);
    assert_eq!(refused["detail"], "the group still has users: 1");
    a.delete(&format!("/user/{user}")).await.expect(200);
    a.delete(&format!("/usergroup/{shelf}")).await.expect(200);
    key.get(&format!("/usergroup/{shelf}/children")).await.expect(401);
    a.delete(&format!("/usergroup/{shelf}")).await.expect(404);
    a.get(&format!("/usergroup/{shelf}/children")).await.expect(404);
    a.post("/user", draft("eve", shelf)).await.expect_problem(422, "/userGroup");
    a.post("/usergroup", json!({"name": "x", "parent": shelf})).await.expect_problem(422, "/parent");
    a.delete(&format!("/usergroup/{depot}")).await.expect(200);
    assert_eq!(children(&a, world::A).await, [world::A1]);
    a.get(&format!("/usergroup/{depot}")).await.expect(404);
    assert_eq!(a.get("/usergroup").await.expect(200).as_array().unwrap().len(), 2);
    let kept = "SELECT count(*) FROM user_group WHERE deleted AND disabled_at IS NOT NULL";
    assert_eq!(office.count(kept).await, 2);
    let machines = a.delete(&format!("/usergroup/{}", world::A1)).await.expect(409);
    assert_eq!(machines["detail"], "the group still has users: 1, machines: 2");
}

#[tokio::test]
async fn nobody_is_put_into_a_group_that_is_being_deleted() {
    let test = TestApp::new().await;
    let a = test.user("a").await;
    for turn in 0..10 {
        let depot = create_group(&a, json!({"name": "Depot", "parent": world::A})).await;
        let path = format!("/usergroup/{depot}");
        let person = draft(&format!("ann{turn}"), depot);
        let (made, deleted) = tokio::join!(a.post("/user", person), a.delete(&path));
        match (made.status.as_u16(), deleted.status.as_u16()) {
            (201, 409) | (422, 200) => {}
            other => panic!("{other:?}"),
        }
    }
}
