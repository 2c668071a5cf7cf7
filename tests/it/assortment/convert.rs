//! Assortments converted: as previewed, all or nothing, one after another.

use super::{MACHINE, OTHER, Row, assortment, coffee, format, ids, offer, part, path, plus, replace, row};
use crate::{
    app::TestApp,
    database::Database,
    server::Server,
    world::{self, A},
};
use serde_json::{Value, json};
use sqlx::PgPool;

#[tokio::test]
async fn a_preview_changes_nothing_and_a_conversion_does_what_it_shows() {
    let test = TestApp::new().await;
    let (user, db) = (test.user("a").await, &test.app.db);
    replace(&user, MACHINE, coffee()).await;
    replace(&user, OTHER, coffee()).await;
    part(db, "product_extra", MACHINE, 7, "Cup", 5).await;
    let before = (assortment(db, MACHINE).await, ids(db, MACHINE).await);

    let preview = user.post(&path(MACHINE, "/preview"), format()).await.expect(200);

    assert_eq!((assortment(db, MACHINE).await, ids(db, MACHINE).await), before);
    let shown = |kind: &str| -> Vec<Row> {
        let all = preview[kind].as_array().unwrap().iter().map(|one| {
            let price =
                one["price"].as_i64().unwrap_or_else(|| one["price"].as_str().unwrap().parse().unwrap());
            row(one["plu"].as_i64().unwrap(), one["name"].as_str().unwrap(), price)
        });
        all.collect()
    };
    let base = [
        row(5, "Espresso", 100),
        row(6, "Cappuccino", 140),
        row(42, "Crisps", 150),
        row(107, "Tea Vanilla", 110),
    ];
    assert_eq!(shown("baseProducts"), base);
    assert_eq!(shown("productFlavours"), [row(1, "Vanilla", 30)]);
    assert_eq!(shown("extraProducts"), [row(2, "Oat milk", 20), row(7, "Cup", 5)]);
    assert_eq!(preview["productFlavours"][0]["price"], "30");
    assert_eq!(preview["productFlavours"][0]["id"], Value::Null, "it is not there yet");
    assert!(
        preview["extraProducts"][1]["id"].is_i64() && preview["extraProducts"][1]["createdAt"].is_string()
    );
    assert_eq!(preview["baseProducts"][0]["id"], before.1[0].1);

    let reply = user.post(&path(MACHINE, "/convert"), format()).await.expect(200);

    assert_eq!(reply["message"], "assortment converted: 4 products folded");
    let after = assortment(db, MACHINE).await;
    let kinds = ["baseProducts", "productFlavours", "extraProducts"];
    assert_eq!(after, kinds.map(shown));
    let kept = before.1.iter().copied().filter(|(plu, _)| [5, 6, 42, 107].contains(plu)).collect::<Vec<_>>();
    assert_eq!(ids(db, MACHINE).await, kept);
    assert_eq!(assortment(db, OTHER).await[0].len(), 8, "another machine is left alone");

    let again = user.post(&path(MACHINE, "/convert"), format()).await.expect(200);
    assert_eq!(again["message"], "assortment converted: 0 products folded");
    assert_eq!(assortment(db, MACHINE).await, after);
}

#[tokio::test]
async fn steps_may_be_absent_and_must_leave_no_doubt() {
    let test = TestApp::new().await;
    let (user, db) = (test.user("a").await, &test.app.db);
    replace(&user, MACHINE, coffee()).await;
    for verb in ["/preview", "/convert"] {
        for (body, pointer) in [
            (json!({"flavourPLU": 1}), "/flavourPLU"),
            (json!({"flavourPLU": 2.5}), "/flavourPLU"),
            (json!({"extraProductPLU": i64::MAX}), "/extraProductPLU"),
            (json!({"flavourPLU": 100, "extraProductPLU": 100}), "/extraProductPLU"),
            (json!({"flavourPLU": 100, "extraProductPLU": 1050}), "/extraProductPLU"),
            (json!({"flavourPlu": 100}), "/flavourPlu"),
        ] {
            user.post(&path(MACHINE, verb), body).await.expect_problem(422, pointer);
        }
    }
    user.post(&path(MACHINE, "/convert"), json!({"flavourPLU": null, "extraProductPLU": 0}))
        .await
        .expect(200);
    assert_eq!(assortment(db, MACHINE).await[0].len(), 8, "without steps there is nothing to fold");
    user.post(&path(MACHINE, "/convert"), json!({"extraProductPLU": 1000})).await.expect(200);
    let [products, flavours, extras] = assortment(db, MACHINE).await;
    assert_eq!(plus(&products), [5, 6, 42, 105, 106, 107]);
    assert_eq!((flavours.len(), plus(&extras)), (0, vec![2]));
}

#[tokio::test]
async fn a_conversion_that_fails_half_way_has_not_begun() {
    let test = TestApp::new().await;
    let (user, db) = (test.user("a").await, &test.app.db);
    replace(&user, MACHINE, coffee()).await;
    let before = (assortment(db, MACHINE).await, ids(db, MACHINE).await);
    // Extras come last.
    let full = "ALTER TABLE product_extra ADD CONSTRAINT full_up CHECK (plu <> 2)";
    sqlx::query(full).execute(db).await.unwrap();
    user.post(&path(MACHINE, "/convert"), format()).await.expect(500);
    assert_eq!((assortment(db, MACHINE).await, ids(db, MACHINE).await), before);
    sqlx::query("ALTER TABLE product_extra DROP CONSTRAINT full_up").execute(db).await.unwrap();
    user.post(&path(MACHINE, "/convert"), format()).await.expect(200);
    assert_eq!(assortment(db, MACHINE).await.map(|rows| rows.len()), [4, 1, 1]);
}

#[tokio::test]
async fn a_server_that_dies_half_way_through_a_conversion_leaves_it_undone() {
    let database = Database::new().await;
    let server = Server::on(&database.url, &crate::database::url("SCRIP_TEST_REDIS_URL"), &database.name);
    let mut server = server.start_with(&[("FAILPOINTS", "convert-half-way=return")]).await;
    let db = PgPool::connect(&database.url).await.unwrap();
    let scopes = ["assortment.read", "assortment.write"];
    let key = world::key(&db, A, None, &scopes).await;
    for offer in coffee().as_array().unwrap() {
        let (plu, price) = (offer["plu"].as_i64().unwrap(), offer["price"].as_i64().unwrap());
        part(&db, "product", MACHINE, plu, offer["name"].as_str().unwrap(), price).await;
    }
    let before = (assortment(&db, MACHINE).await, ids(&db, MACHINE).await);
    assert_eq!(server.post(&path(MACHINE, "/convert"), &key, &format()).await, None, "it dies unheard");
    assert_eq!((assortment(&db, MACHINE).await, ids(&db, MACHINE).await), before);
    server.restart_without(&["FAILPOINTS"]).await;
    assert_eq!(server.post(&path(MACHINE, "/convert"), &key, &format()).await.unwrap().0, 200);
    assert_eq!(assortment(&db, MACHINE).await.map(|rows| rows.len()), [4, 1, 1]);
    db.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conversion_and_a_replacement_at_once_follow_each_other() {
    let test = TestApp::new().await;
    let (user, db) = (test.user("a").await, &test.app.db);
    let other = json!([offer(5, "Espresso", 200), offer(105, "Espresso Vanilla", 230)]);
    for _ in 0..20 {
        for table in ["product_flavour", "product_extra"] {
            let sql = format!("DELETE FROM {table}");
            sqlx::query(sqlx::AssertSqlSafe(sql)).execute(db).await.unwrap();
        }
        replace(&user, MACHINE, coffee()).await;
        let (converting, replacing) = (user.clone(), user.clone());
        let offers = other.clone();
        let converted =
            tokio::spawn(
                async move { converting.post(&path(MACHINE, "/convert"), format()).await.expect(200) },
            );
        tokio::spawn(async move { replace(&replacing, MACHINE, offers).await }).await.unwrap();
        converted.await.unwrap();
        let [products, flavours, extras] = assortment(db, MACHINE).await;
        // The old assortment converted and then replaced, or the new one converted.
        let seen = (plus(&products), plus(&flavours), plus(&extras));
        let possible = [(vec![5, 105], vec![1], vec![2]), (vec![5], vec![1], vec![])];
        assert!(possible.contains(&seen), "{seen:?}");
    }
}
