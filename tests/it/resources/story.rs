//! What can be done with plain resources, and what is refused.

use crate::app::TestApp;
use serde_json::json;

#[tokio::test]
async fn a_body_is_refused_with_all_that_is_missing() {
    let test = TestApp::new().await;
    let a = test.user("a").await;
    let problem = a.post("/errorprofile", json!({"name": "P"})).await.expect(422);
    let pointers: Vec<_> =
        problem["errors"].as_array().unwrap().iter().map(|issue| &issue["pointer"]).collect();
    assert_eq!(pointers, ["/machineType", "/manufacturer"]);
    a.post("/machinetype", json!({"name": "x", "colour": 1})).await.expect_problem(422, "/colour");
    a.post("/machinetype", json!({"name": "  "})).await.expect_problem(422, "/name");
    a.post("/machinetype", json!({"name": null})).await.expect_problem(422, "/name");
    a.post("/machinetype", json!({"name": "x", "id": 7})).await.expect_problem(422, "/id");
}

#[tokio::test]
async fn absent_stays_and_null_takes_away() {
    let test = TestApp::new().await;
    let a = test.user("a").await;
    a.put("/machine/21", json!({"tag": "north", "debtor": 7, "virtualPrices": true})).await.expect(200);
    a.patch("/machine/21", json!({"tag": null, "virtualPrices": 0})).await.expect(200);
    let row = a.get("/machine/21").await.expect(200);
    assert_eq!((&row["tag"], &row["debtor"], &row["virtualPrices"]), (&json!(null), &json!(7), &json!(0)));
    a.put("/machine/21", json!({"name": null})).await.expect_problem(422, "/name");
    a.put("/machine/21", json!({"hostname": "other"})).await.expect_problem(422, "/hostname");
    a.put("/machine/21", json!({"id": 22})).await.expect_problem(422, "/id");
    a.put("/machine/21", json!({"id": 21, "name": "Same"})).await.expect(200);
}

#[tokio::test]
async fn what_is_pointed_at_is_seen_and_on_the_same_line_of_groups() {
    let test = TestApp::new().await;
    let (root, a, a1) = (test.user("root").await, test.user("a").await, test.user("a1").await);
    // Another group's, nobody's, and one of the group above, which is not shared.
    for location in [4, 999_999, 0, -1] {
        a.put("/machine/21", json!({"location": location})).await.expect_problem(422, "/location");
    }
    a1.put("/machine/31", json!({"location": 2})).await.expect_problem(422, "/location");
    a.put("/machine/21", json!({"location": 3})).await.expect(200);
    // The root sees both, which does not make them each other's.
    root.put("/machine/21", json!({"location": 4})).await.expect_problem(422, "/location");
    root.put("/machine/31", json!({"location": 2})).await.expect(200);
    root.put("/machine/21", json!({"currency": 1})).await.expect_problem(422, "/currency");
}

#[tokio::test]
async fn a_group_above_creates_for_one_below_and_for_no_other() {
    let test = TestApp::new().await;
    let (root, a) = (test.user("root").await, test.user("a").await);
    let made = root.post("/machinetype", json!({"name": "Tea", "userGroup": 3})).await.expect(201);
    assert_eq!(a.get(&format!("/machinetype/{}", made["id"])).await.expect(200)["userGroup"], 3);
    a.post("/machinetype", json!({"name": "Tea", "userGroup": 4})).await.expect_problem(422, "/userGroup");
    a.post("/machinetype", json!({"name": "Tea", "userGroup": 1})).await.expect_problem(422, "/userGroup");
    a.post("/machinetype", json!({"name": "Tea", "userGroup": 9999})).await.expect_problem(422, "/userGroup");
}

#[tokio::test]
async fn a_catalogue_is_read_by_the_groups_below_and_changed_by_none_of_them() {
    let test = TestApp::new().await;
    let (a, b) = (test.user("a").await, test.user("b").await);
    assert_eq!(a.get("/machinetype/1").await.expect(200)["userGroup"], 1);
    a.put("/machinetype/1", json!({"name": "Mine"})).await.expect(403);
    a.delete("/machinetype/1").await.expect(403);
    let own = a.post("/machinetype", json!({"name": "Tea"})).await.expect(201)["id"].clone();
    b.get(&format!("/machinetype/{own}")).await.expect(404);
    b.put(&format!("/machinetype/{own}"), json!({"name": "x"})).await.expect(404);
    b.delete(&format!("/machinetype/{own}")).await.expect(404);
    a.get("/location/1").await.expect(404);
}

#[tokio::test]
async fn a_shared_location_is_read_and_not_changed() {
    let test = TestApp::new().await;
    let (b, a1) = (test.user("b").await, test.user("a1").await);
    let share = |sql: &'static str| sqlx::query(sql).execute(&test.app.db);
    a1.get("/location/2").await.expect(404);
    share("INSERT INTO user_group_location VALUES (3, 2)").await.unwrap();
    a1.get("/location/2").await.expect(200);
    a1.put("/location/2", json!({"name": "Mine"})).await.expect(403);
    a1.put("/machine/31", json!({"location": 2})).await.expect(200);
    let listed = a1.get("/location").await.expect(200);
    assert_eq!(listed.as_array().unwrap().len(), 2);
    // By way of a group of locations, and down the tree.
    share("INSERT INTO user_group_location_group VALUES (2, 4)").await.unwrap();
    a1.get("/location/4").await.expect(200);
    b.get("/location/2").await.expect(404);
}

#[tokio::test]
async fn a_set_is_replaced_as_a_whole_within_what_the_caller_sees() {
    let test = TestApp::new().await;
    let (root, a) = (test.user("root").await, test.user("a").await);
    let others =
        root.post("/machinegroup", json!({"name": "Root's", "machines": [21, 22]})).await.expect(201);
    let mine =
        a.post("/machinegroup", json!({"name": "Mine", "machines": [21]})).await.expect(201)["id"].clone();
    a.put(&format!("/machinegroup/{mine}"), json!({"machines": [22, 22]})).await.expect(200);
    let members = a.get(&format!("/machinegroup/{mine}/machines")).await.expect(200);
    assert_eq!(members.as_array().unwrap().iter().map(|row| &row["id"]).collect::<Vec<_>>(), [22]);
    // The same from the other side, where the root's group is none of the caller's business.
    a.put("/machine/22", json!({"machineGroups": []})).await.expect(200);
    let groups = root.get("/machine/22/machineGroups").await.expect(200);
    assert_eq!(groups[0]["id"], others["id"]);
    assert_eq!(groups.as_array().unwrap().len(), 1);
    // All or nothing.
    let refused = json!({"name": "Changed", "machines": [21, 41]});
    a.put(&format!("/machinegroup/{mine}"), refused).await.expect_problem(422, "/machines/1");
    assert_eq!(a.get(&format!("/machinegroup/{mine}")).await.expect(200)["name"], "Mine");
    assert_eq!(a.get(&format!("/machinegroup/{mine}/machines")).await.expect(200), json!([]));
    a.put("/machine/21", json!({"machineGroups": null})).await.expect_problem(422, "/machineGroups");
}

#[tokio::test]
async fn what_is_used_is_not_deleted_and_the_refusal_says_by_what() {
    let test = TestApp::new().await;
    let (root, a) = (test.user("root").await, test.user("a").await);
    let problem = a.delete("/location/2").await.expect(409);
    assert_eq!(problem["detail"], "it is still used by machine 21, 22");
    assert!(
        root.delete("/machinemodel/1").await.expect(409)["detail"].as_str().unwrap().ends_with("and more")
    );
    for id in [21, 22] {
        a.delete(&format!("/machine/{id}")).await.expect(200);
    }
    a.delete("/location/2").await.expect(200);
    a.get("/location/2").await.expect(404);
}

#[tokio::test]
async fn what_has_to_be_unique_is_a_conflict_that_names_it() {
    let test = TestApp::new().await;
    let (root, b) = (test.user("root").await, test.user("b").await);
    root.post("/translation", json!({"key": "jam", "language": 1, "value": "Jam"})).await.expect(201);
    let twice = root.post("/translation", json!({"key": "jam", "language": 1})).await.expect(409);
    assert_eq!(twice["detail"], "another translation has this key and language");
    // Each group has words of its own.
    b.post("/translation", json!({"key": "jam", "language": 1, "value": "Stuck"})).await.expect(201);
}

#[tokio::test]
async fn an_export_has_the_columns_rows_and_zone_that_were_asked_for() {
    let test = TestApp::builder().stopped_at("2026-07-01T10:00:00Z").build().await;
    let a = test.user("a").await;
    for name in ["Tea", "=SUM(A1)"] {
        a.post("/machinetype", json!({"name": name})).await.expect(201);
    }
    let uri = "/export/machinetype?columns=name&columns[]=createdAt,userGroup&where[userGroup]=2&sort=name+desc\
               &timezone=Europe/Amsterdam&filename=types";
    let reply = a.get(uri).await;
    assert_eq!(
        reply.text(),
        "name,createdAt,userGroup\nTea,2026-07-01T12:00:00+02:00,2\n'=SUM(A1),2026-07-01T12:00:00+02:00,2\n"
    );
    assert_eq!(reply.headers["content-disposition"], "attachment; filename=\"types.csv\"");
    a.get("/export/machinetype").await.expect_problem(400, "/columns");
    a.get("/export/machinetype?columns=id,colour").await.expect_problem(400, "/columns");
    a.get("/export/machinetype?columns=id&timezone=Mars").await.expect_problem(400, "/timezone");
    a.get("/export/machinetype?columns=id&filename=../x").await.expect_problem(400, "/filename");
    a.get("/export/nonsense?columns=id").await.expect(404);
}
