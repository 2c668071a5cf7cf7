//! Assortments as a whole: replaced, and copied to other machines.

use super::{MACHINE, OTHER, assortment, coffee, format, ids, offer, part, path, replace, row};
use crate::{
    app::TestApp,
    world::{self, A, A1, B, ROOT},
};
use serde_json::{Value, json};

#[tokio::test]
async fn a_replaced_assortment_is_the_new_one_and_numbers_keep_their_ids() {
    let test = TestApp::new().await;
    let (user, db) = (test.user("a").await, &test.app.db);
    replace(&user, MACHINE, json!([offer(1, "Tea", 90), offer(2, "Soup", 120), offer(3, "Water", 50)])).await;
    replace(&user, OTHER, json!([offer(1, "Tea", 95)])).await;
    part(db, "product_flavour", MACHINE, 1, "Lemon", 10).await;
    sqlx::query("UPDATE product SET ledger = '8000' WHERE machine = $1")
        .bind(MACHINE)
        .execute(db)
        .await
        .unwrap();
    let before = ids(db, MACHINE).await;
    let changed = "SELECT plu FROM product WHERE machine = $1 AND updated_at <> created_at ORDER BY plu";

    let rich =
        json!({"plu": 4, "name": "Crisps", "price": 150, "reportName": "Snack", "barcode": "4006381333931"});
    replace(&user, MACHINE, json!([rich, offer(3, "Water", 60), offer(1, "Tea", 90)])).await;

    let [products, flavours, _] = assortment(db, MACHINE).await;
    let crisps = (4, "Crisps".to_owned(), 150, Some("Snack".to_owned()));
    assert_eq!(products, [row(1, "Tea", 90), row(3, "Water", 60), crisps]);
    assert_eq!(flavours, [row(1, "Lemon", 10)], "flavours stay");
    let after = ids(db, MACHINE).await;
    assert_eq!((after[0], after[1]), (before[0], before[2]));
    let kept: Vec<i64> = sqlx::query_scalar(changed).bind(MACHINE).fetch_all(db).await.unwrap();
    assert_eq!(kept, [3], "what is as it was has not changed");
    let ledgers: i64 =
        sqlx::query_scalar("SELECT count(*) FROM product WHERE ledger = '8000'").fetch_one(db).await.unwrap();
    assert_eq!(ledgers, 2, "what an offer does not speak of stays");
    assert_eq!(assortment(db, OTHER).await[0], [row(1, "Tea", 95)]);

    replace(&user, MACHINE, json!([])).await;
    assert!(assortment(db, MACHINE).await[0].is_empty());
}

#[tokio::test]
async fn a_bad_assortment_changes_nothing() {
    let test = TestApp::new().await;
    let (user, db) = (test.user("a").await, &test.app.db);
    replace(&user, MACHINE, coffee()).await;
    let before = assortment(db, MACHINE).await;
    let twice = json!([offer(1, "Tea", 90), offer(2, "Soup", 120), offer(1, "Tea", 90)]);
    user.put(&path(MACHINE, ""), twice).await.expect_problem(422, "/2/plu");
    let fraction = json!([offer(1, "Tea", 90), {"plu": 2, "name": "Soup", "price": 1.5}]);
    user.put(&path(MACHINE, ""), fraction).await.expect_problem(422, "/1/price");
    user.put(&path(MACHINE, ""), json!({})).await.expect_problem(422, "");
    user.put("/machine/one/assortment", json!([])).await.expect_problem(400, "/machine");
    user.put(&path(i64::MAX, ""), json!([])).await.expect(404);
    assert_eq!(assortment(db, MACHINE).await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_replacements_at_once_one_comes_last() {
    let test = TestApp::new().await;
    let user = test.user("a").await;
    let whole =
        |price: i64| -> Value { (0..40).map(|plu| offer(plu * price % 97, "Product", price)).collect() };
    for _ in 0..5 {
        let all = (1..=6).map(|price| {
            let (user, offers) = (user.clone(), whole(price));
            tokio::spawn(async move { replace(&user, MACHINE, offers).await })
        });
        for one in all.collect::<Vec<_>>() {
            one.await.unwrap();
        }
        let products = assortment(&test.app.db, MACHINE).await[0].clone();
        assert!(products.iter().all(|product| product.2 == products[0].2), "a mixture: {products:?}");
        assert_eq!(products.len(), 40);
    }
}

#[tokio::test]
async fn a_copy_makes_machines_of_a_group_the_same() {
    let test = TestApp::new().await;
    let (user, db) = (test.user("a").await, &test.app.db);
    // Group 3 has machine 31 of group a1; let it have one of group a, the source, and one of group b.
    sqlx::query("INSERT INTO machine_group_machine VALUES (3, $1), (3, $2), (3, 41)")
        .bind(MACHINE)
        .bind(OTHER)
        .execute(db)
        .await
        .unwrap();
    replace(&user, MACHINE, coffee()).await;
    part(db, "product_flavour", MACHINE, 1, "Lemon", 10).await;
    part(db, "product_extra", MACHINE, 2, "Cup", 5).await;
    sqlx::query("UPDATE product SET vatrate = 900, remote_price = 1").execute(db).await.unwrap();
    replace(&user, OTHER, json!([offer(5, "Ristretto", 90), offer(77, "Gum", 80)])).await;
    sqlx::query("UPDATE product SET remote_price = 95 WHERE machine = $1")
        .bind(OTHER)
        .execute(db)
        .await
        .unwrap();
    part(db, "product_flavour", OTHER, 1, "Lime", 20).await;
    part(db, "product_extra", OTHER, 9, "Lid", 5).await;
    let ristretto = ids(db, OTHER).await[0];
    let source = (assortment(db, MACHINE).await, ids(db, MACHINE).await);

    let reply = user.post(&path(MACHINE, "/copy/3"), json!({})).await.expect(200);

    assert_eq!(reply["message"], "assortment copied to 2 machines");
    for machine in [OTHER, 31] {
        assert_eq!(assortment(db, machine).await, source.0, "machine {machine}");
    }
    assert_eq!((assortment(db, MACHINE).await, ids(db, MACHINE).await), source, "the source is left alone");
    assert_eq!(ids(db, OTHER).await[0], ristretto, "a number keeps its product");
    let espresso: (Option<i64>, Option<i64>) =
        sqlx::query_as("SELECT vatrate, remote_price FROM product WHERE machine = $1 AND plu = 5")
            .bind(OTHER)
            .fetch_one(db)
            .await
            .unwrap();
    assert_eq!(espresso, (Some(900), Some(95)), "what the machine itself asks is its own");
    assert!(assortment(db, 41).await.iter().all(Vec::is_empty), "another group's machine is none of ours");
}

#[tokio::test]
async fn a_machine_that_is_created_from_another_sells_the_same() {
    let test = TestApp::new().await;
    let (user, db) = (test.user("a").await, &test.app.db);
    replace(&user, MACHINE, coffee()).await;
    let now = test.app.clock.now();
    let mut tx = scrip::transaction::begin(db).await.unwrap();
    let copied = scrip::assortment::copy(&mut tx, MACHINE, &[OTHER, MACHINE, 999], now).await.unwrap();
    assert_eq!(copied, 1, "itself, and one that is not there, are left out");
    assert!(scrip::assortment::copy(&mut tx, 999, &[OTHER], now).await.is_err(), "there is no source");
    tx.commit().await.unwrap();
    assert_eq!(assortment(db, OTHER).await, assortment(db, MACHINE).await);
    assert_eq!(assortment(db, OTHER).await[0].len(), 8);
}

#[tokio::test]
async fn only_those_whose_machine_it_is_may_see_or_change_what_it_sells() {
    let test = TestApp::new().await;
    let db = &test.app.db;
    replace(&test.user("a").await, MACHINE, coffee()).await;
    let before = assortment(db, MACHINE).await;
    for (group, scopes, status) in [
        ("a1", None, 404),
        ("b", None, 404),
        ("", Some((A, &["assortment.read"][..])), 403),
        ("", Some((A, &["fleet.write"][..])), 403),
        ("", Some((B, &["assortment.write"][..])), 404),
        ("", Some((A1, &["assortment.write"][..])), 404),
    ] {
        let client = match scopes {
            None => test.user(group).await,
            Some((group, scopes)) => test.bearer(world::key(db, group, None, scopes).await),
        };
        client.put(&path(MACHINE, ""), json!([])).await.expect(status);
        client.post(&path(MACHINE, "/convert"), format()).await.expect(status);
        client.post(&path(MACHINE, "/copy/2"), json!({})).await.expect(status);
    }
    test.user("a1").await.post(&path(MACHINE, "/preview"), format()).await.expect(404);
    test.bearer(world::key(db, A, None, &["assortment.write"]).await)
        .post(&path(MACHINE, "/preview"), format())
        .await
        .expect(403);
    test.bearer(world::key(db, ROOT, None, &["assortment.read"]).await)
        .post(&path(MACHINE, "/preview"), format())
        .await
        .expect(200);
    let user = test.user("a").await;
    for foreign in [1, 4, 999] {
        user.post(&path(MACHINE, &format!("/copy/{foreign}")), json!({})).await.expect(404);
    }
    user.post(&path(MACHINE, "/copy/all"), json!({})).await.expect_problem(400, "/machineGroup");
    user.post("/machine/x/assortment/copy/2", json!({})).await.expect_problem(400, "/machine");
    assert_eq!(assortment(db, MACHINE).await, before);
}
