//! What machines sell, as a whole: replaced, copied, previewed and converted.

use crate::{
    app::TestApp,
    client::Client,
    database::Database,
    server::Server,
    world::{self, A, A1, B, ROOT},
};
use serde_json::{Value, json};
use sqlx::PgPool;

/// The first and the second machine of group a.
const MACHINE: i64 = 21;
const OTHER: i64 = 22;

/// A product, a flavour or an extra of a machine, without what changes from test to test.
type Row = (i64, String, i64, Option<String>);

async fn rows(db: &PgPool, table: &'static str, machine: i64) -> Vec<Row> {
    let sql = format!("SELECT plu, name, price, report_name FROM {table} WHERE machine = $1 ORDER BY plu");
    sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(machine).fetch_all(db).await.unwrap()
}

/// All three tables of a machine.
async fn assortment(db: &PgPool, machine: i64) -> [Vec<Row>; 3] {
    [
        rows(db, "product", machine).await,
        rows(db, "product_flavour", machine).await,
        rows(db, "product_extra", machine).await,
    ]
}

async fn ids(db: &PgPool, machine: i64) -> Vec<(i64, i64)> {
    let sql = "SELECT plu, id FROM product WHERE machine = $1 ORDER BY plu";
    sqlx::query_as(sql).bind(machine).fetch_all(db).await.unwrap()
}

fn plus(rows: &[Row]) -> Vec<i64> {
    rows.iter().map(|row| row.0).collect()
}

fn row(plu: i64, name: &str, price: i64) -> Row {
    (plu, name.to_owned(), price, None)
}

async fn part(db: &PgPool, table: &'static str, machine: i64, plu: i64, name: &str, price: i64) {
    let sql = format!("INSERT INTO {table} (machine, plu, name, price) VALUES ($1, $2, $3, $4)");
    let insert = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(machine).bind(plu).bind(name).bind(price);
    insert.execute(db).await.unwrap();
}

fn offer(plu: i64, name: &str, price: i64) -> Value {
    json!({"plu": plu, "name": name, "price": price})
}

/// Two coffees with vanilla, oat milk or both, and crisps.
fn coffee() -> Value {
    json!([
        offer(5, "Espresso", 100),
        offer(6, "Cappuccino", 140),
        offer(42, "Crisps", 150),
        offer(105, "Espresso Vanilla", 130),
        offer(106, "Cappuccino Vanilla", 170),
        offer(2005, "Espresso Oat milk", 120),
        offer(2105, "Espresso Vanilla Oat milk", 150),
        offer(107, "Tea Vanilla", 110),
    ])
}

fn format() -> Value {
    json!({"flavourPLU": 100, "extraProductPLU": 1000})
}

fn path(machine: i64, rest: &str) -> String {
    format!("/machine/{machine}/assortment{rest}")
}

async fn replace(client: &Client, machine: i64, offers: Value) {
    client.put(&path(machine, ""), offers).await.expect(200);
}

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
            (json!({"extraProductPLU": 0}), "/extraProductPLU"),
            (json!({"extraProductPLU": i64::MAX}), "/extraProductPLU"),
            (json!({"flavourPLU": 100, "extraProductPLU": 100}), "/extraProductPLU"),
            (json!({"flavourPLU": 100, "extraProductPLU": 1050}), "/extraProductPLU"),
            (json!({"flavourPlu": 100}), "/flavourPlu"),
        ] {
            user.post(&path(MACHINE, verb), body).await.expect_problem(422, pointer);
        }
    }
    user.post(&path(MACHINE, "/convert"), json!({"flavourPLU": null})).await.expect(200);
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
