//! Pairs are made and parted by those who may change both sides.

use super::draft;
use crate::{app::TestApp, world};
use scrip::resource::{Reach, Set, Spec};
use serde_json::{Value, json};

/// Every set of every resource, with whose it is.
fn sets() -> Vec<(&'static Spec, &'static Set)> {
    let all = scrip::http::resources().into_iter();
    all.flat_map(|spec| spec.sets.iter().map(move |set| (spec, set))).collect()
}

#[test]
fn members_are_only_mentioned_where_that_means_nothing_for_them() {
    let mentioned: Vec<&str> =
        sets().into_iter().filter(|(_, set)| set.are_mentioned).map(|(_, set)| set.table).collect();
    let known = [
        "manufacturer_machine_type",
        "report_location_group",
        "report_location",
        "report_machine_group",
        "report_machine_model",
        "report_machine_type",
        "report_machine",
        "report_manufacturer",
        "alert_observer_machine",
    ];
    for table in &mentioned {
        assert!(known.contains(table), "{table}: does a pair of it mean nothing for the other side?");
    }
    assert_eq!(mentioned.len(), known.len());
}

#[tokio::test]
async fn what_is_only_seen_is_put_into_no_set() {
    let test = TestApp::new().await;
    let (root, b) = (test.user("root").await, test.user("b").await);
    // All of the root's that can be shared is.
    let shared = json!({"locations": [world::ROOT], "locationGroups": [world::ROOT]});
    root.put(&format!("/usergroup/{}", world::B), shared).await.expect(200);
    let mut checked = Vec::new();
    for (spec, set) in sets() {
        let target = (set.target)();
        let is_seen_from_below = matches!(target.reach, Reach::Shared(_) | Reach::Downwards);
        if set.are_mentioned || !is_seen_from_below {
            continue;
        }
        b.get(&format!("{}/{}", target.path, world::ROOT)).await.expect(200);
        let name = scrip::resource::camel(set.name);
        let own = if spec.does.update || spec.noun == "location" {
            world::B
        } else {
            // Groups are made below one's own.
            b.post(spec.path, json!({"name": "Below", "parent": world::B})).await.expect(201)["id"]
                .as_i64()
                .unwrap()
        };
        let path = format!("{}/{own}", spec.path);
        let before: Vec<(i64, i64)> = pairs(&test, set).await;
        let with = |ids: Value| json!({ name.as_str(): ids });
        b.put(&path, with(json!([world::ROOT]))).await.expect_problem(422, &format!("/{name}/0"));
        b.put(&path, with(json!([world::B, world::ROOT]))).await.expect_problem(422, &format!("/{name}/1"));
        if spec.does.create && spec.noun != "user group" {
            let mut draft = draft(spec);
            draft[&name] = json!([world::ROOT]);
            b.post(spec.path, draft).await.expect_problem(422, &format!("/{name}/0"));
        }
        if spec.does.associate {
            let member = format!("{path}/{}/{}", set.alias(), world::ROOT);
            assert_eq!(b.post(&member, json!({})).await.status, 403);
            assert!([403, 404].contains(&b.delete(&member).await.status.as_u16()));
        }
        assert_eq!(pairs(&test, set).await, before, "{}", set.table);

        // What is in it by others' doing stays, and can be written back.
        let pair = format!("INSERT INTO {} ({}, {}) VALUES ($1, $2)", set.table, set.own, set.other);
        sqlx::query(sqlx::AssertSqlSafe(pair))
            .bind(own)
            .bind(world::ROOT)
            .execute(&test.app.db)
            .await
            .unwrap();
        b.put(&path, with(json!([world::ROOT]))).await.expect(200);
        b.put(&path, with(json!([]))).await.expect(200);
        assert!(pairs(&test, set).await.contains(&(own, world::ROOT)), "{}", set.table);
        // Those who may change both part them.
        root.put(&path, with(json!([]))).await.expect(200);
        assert!(!pairs(&test, set).await.contains(&(own, world::ROOT)), "{}", set.table);
        checked.push(set.table);
    }
    checked.sort_unstable();
    checked.dedup();
    assert_eq!(checked, ["location_group_location", "user_group_location", "user_group_location_group"]);
}

async fn pairs(test: &TestApp, set: &Set) -> Vec<(i64, i64)> {
    let sql = format!("SELECT {}, {} FROM {} ORDER BY 1, 2", set.own, set.other, set.table);
    sqlx::query_as(sqlx::AssertSqlSafe(sql)).fetch_all(&test.app.db).await.unwrap()
}

#[tokio::test]
async fn what_was_paired_through_a_share_goes_with_it() {
    let test = TestApp::new().await;
    let (root, b) = (test.user("root").await, test.user("b").await);
    let share = async |groups: Value, locations: Value| {
        let body = json!({"locationGroups": groups, "locations": locations});
        root.put(&format!("/usergroup/{}", world::B), body).await.expect(200);
    };
    let paired = async |group: i64, location: i64| -> bool {
        let sql =
            "SELECT EXISTS (SELECT FROM location_group_location WHERE location_group = $1 AND location = $2)";
        sqlx::query_scalar(sql).bind(group).bind(location).fetch_one(&test.app.db).await.unwrap()
    };
    share(json!([world::ROOT]), json!([world::ROOT])).await;
    // As they were made before it took both sides: B's location in the root's group, the root's in B's.
    sqlx::query("INSERT INTO location_group_location VALUES (1, 4, true), (4, 1, true)")
        .execute(&test.app.db)
        .await
        .unwrap();
    root.put("/locationgroup/1", json!({"locations": [world::ROOT, world::B, world::A]})).await.expect(200);
    let period =
        json!({"startDate": "2026-01-01 00:00:00", "endDate": "2026-03-31 23:59:59", "type": "fixed date"});
    let report = json!({"name": "Mine", "period1": period, "locations": [1, 4], "locationGroup": [1, 4]});
    b.post("/report", report).await.expect(201);
    let chosen = async || -> (Vec<i64>, Vec<i64>) {
        let sql = "SELECT ARRAY(SELECT location FROM report_location ORDER BY 1),
                          ARRAY(SELECT location_group FROM report_location_group ORDER BY 1)";
        sqlx::query_as(sql).fetch_one(&test.app.db).await.unwrap()
    };
    assert_eq!(chosen().await, (vec![1, 4], vec![1, 4]));

    share(json!([]), json!([world::ROOT])).await;
    assert!(!paired(1, 4).await && paired(4, 1).await);
    assert!(paired(1, 2).await && paired(1, 1).await, "what the root has put together stays");
    share(json!([]), json!([])).await;
    assert!(!paired(4, 1).await && paired(4, 4).await);
    assert_eq!(chosen().await, (vec![4], vec![4]));
}
