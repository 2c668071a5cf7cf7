//! Products, flavours and extras one by one, and as CSV.

use super::{MACHINE, OTHER, part};
use crate::{app::TestApp, client::Client, world};
use serde_json::{Value, json};

/// The three kinds, by their paths.
const KINDS: [&str; 3] = ["product", "productflavour", "productextra"];

fn of(machine: i64, kind: &str) -> String {
    format!("/machine/{machine}/{kind}")
}

async fn create(client: &Client, kind: &str, body: Value) -> i64 {
    client.post(&of(MACHINE, kind), body).await.expect(201)["id"].as_i64().unwrap()
}

async fn list(client: &Client, machine: i64, kind: &str) -> Value {
    client.get(&of(machine, kind)).await.expect(200)
}

#[tokio::test]
async fn each_is_shown_with_the_types_that_clients_know() {
    let test = TestApp::builder().stopped_at("2026-07-01T10:00:00Z").build().await;
    let user = test.user("a").await;
    let (at, name) = ("2026-07-01T10:00:00Z", "Mint");
    let body = json!({"name": name, "plu": 3, "price": 50, "reportName": "M"});
    for kind in KINDS {
        let id = create(&user, kind, body.clone()).await;
        let mut row = json!({"id": id, "plu": 3, "name": name, "price": "50", "barcode": null, "machine": MACHINE,
            "reportName": "M", "createdAt": at, "updatedAt": at});
        if kind == "product" {
            row["price"] = json!(50);
            for field in ["remotePrice", "type", "vatrate", "ledger", "subledger"] {
                row[field] = Value::Null;
            }
        }
        assert_eq!(list(&user, MACHINE, kind).await, json!([row]));
        assert_eq!(list(&user, OTHER, kind).await, json!([]), "another machine has its own");
    }
    // A flavour costs nothing where nobody says so.
    create(&user, "productflavour", json!({"name": "Plain", "plu": 4})).await;
    assert_eq!(list(&user, MACHINE, "productflavour").await[1]["price"], "0");
}

#[tokio::test]
async fn each_is_changed_and_deleted() {
    let test = TestApp::new().await;
    let user = test.user("a").await;
    for kind in KINDS {
        let id = create(&user, kind, json!({"name": "Mint", "plu": 3, "price": 50, "reportName": "M"})).await;
        let one = format!("{}/{id}", of(MACHINE, kind));
        user.put(&one, json!({"name": "Lime", "price": 60, "reportName": null})).await.expect(200);
        user.patch(&one, json!({"price": 70})).await.expect(200);
        let row = list(&user, MACHINE, kind).await[0].clone();
        let price = if kind == "product" { json!(70) } else { json!("70") };
        assert_eq!((&row["name"], &row["price"], &row["reportName"]), (&json!("Lime"), &price, &Value::Null));
        user.put(&format!("{}/{id}", of(OTHER, kind)), json!({"price": 1})).await.expect(404);
        user.delete(&format!("{}/{id}", of(OTHER, kind))).await.expect(404);
        user.delete(&one).await.expect(200);
        user.delete(&one).await.expect(404);
        assert_eq!(list(&user, MACHINE, kind).await, json!([]));
    }
}

#[tokio::test]
async fn what_is_wrong_is_refused_where_it_is_wrong() {
    let test = TestApp::new().await;
    let user = test.user("a").await;
    for kind in KINDS {
        let path = of(MACHINE, kind);
        for (change, pointer) in [
            (json!({"price": 1.5}), "/price"),
            (json!({"price": "50"}), "/price"),
            (json!({"price": -1}), "/price"),
            (json!({"price": 1_000_000_001}), "/price"),
            (json!({"plu": -1}), "/plu"),
            (json!({"plu": 2_147_483_648_i64}), "/plu"),
            (json!({"plu": null}), "/plu"),
            (json!({"name": ""}), "/name"),
            (json!({"name": "a\u{0}b"}), "/name"),
            (json!({"reportName": 7}), "/reportName"),
            (json!({"type": "drink"}), "/type"),
            (json!({"id": 7}), "/id"),
        ] {
            let mut body = json!({"name": "Mint", "plu": 3, "price": 50});
            body.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
            user.post(&path, body).await.expect_problem(422, pointer);
        }
        let is_whole = kind.ends_with("product");
        for (body, pointer) in
            [(json!({"plu": 3, "price": 50}), "/name"), (json!({"name": "Mint", "price": 50}), "/plu")]
        {
            let reply = user.post(&path, body).await;
            if is_whole {
                reply.expect_problem(422, pointer);
                continue;
            }
            // Flavours and extras are given a name and the next number.
            let id = reply.expect(201)["id"].clone();
            user.delete(&format!("{path}/{id}")).await.expect(200);
        }
        user.get(&of(MACHINE, &format!("{kind}?where[colour]=1"))).await.expect(400);
        user.get(&format!("/machine/x/{kind}")).await.expect_problem(400, "/machine");
        create(&user, kind, json!({"name": "Mint", "plu": 3, "price": 50})).await;
        let twice = user.post(&path, json!({"name": "Lime", "plu": 3, "price": 50})).await.expect(409);
        assert!(twice["message"].as_str().unwrap().contains("plu"), "{twice}");
    }
    user.post(&of(MACHINE, "product"), json!({"name": "Mint", "plu": 4})).await.expect_problem(422, "/price");
    let id = list(&user, MACHINE, "productflavour").await[0]["id"].clone();
    let flavour = format!("{}/{id}", of(MACHINE, "productflavour"));
    user.put(&flavour, json!({"plu": 4})).await.expect_problem(422, "/plu");
}

#[tokio::test]
async fn a_product_moves_to_another_machine_of_ones_own() {
    let test = TestApp::new().await;
    let user = test.user("a").await;
    let id =
        create(&user, "product", json!({"name": "Tea", "plu": 1, "price": 90, "machine": MACHINE})).await;
    let astray = json!({"name": "Tea", "plu": 2, "price": 90, "machine": OTHER});
    user.post(&of(MACHINE, "product"), astray.clone()).await.expect_problem(422, "/machine");
    user.post(&of(41, "product"), astray).await.expect(404);
    let one = format!("{}/{id}", of(MACHINE, "product"));
    for foreign in [41, 11, 999] {
        user.put(&one, json!({"machine": foreign})).await.expect_problem(422, "/machine");
    }
    part(&test.app.db, "product", OTHER, 1, "Soup", 120).await;
    user.put(&one, json!({"machine": OTHER})).await.expect(409);
    user.put(&one, json!({"machine": OTHER, "plu": 2})).await.expect(200);
    assert_eq!(list(&user, MACHINE, "product").await, json!([]));
    assert_eq!(list(&user, OTHER, "product").await[0]["id"], id);
}

#[tokio::test]
async fn what_others_sell_is_not_there() {
    let test = TestApp::new().await;
    let (user, db) = (test.user("a").await, &test.app.db);
    for kind in KINDS {
        let body = json!({"name": "Mint", "plu": 3, "price": 50});
        let id = create(&user, kind, body.clone()).await;
        let (all, one) = (of(MACHINE, kind), format!("{}/{id}", of(MACHINE, kind)));
        for group in ["a1", "b"] {
            let stranger = test.user(group).await;
            stranger.get(&all).await.expect(404);
            stranger.post(&all, body.clone()).await.expect(404);
            stranger.put(&one, json!({"price": 1})).await.expect(404);
            stranger.delete(&one).await.expect(404);
        }
        let reader = test.bearer(world::key(db, world::A, None, &["assortment.read", "fleet.write"]).await);
        reader.get(&all).await.expect(200);
        reader.post(&all, body).await.expect(403);
        reader.put(&one, json!({"price": 1})).await.expect(403);
        reader.delete(&one).await.expect(403);
        let none = test.bearer(world::key(db, world::A, None, &["fleet.read"]).await);
        none.get(&all).await.expect(403);
    }
}

#[tokio::test]
async fn a_machine_takes_what_it_sells_with_it() {
    let test = TestApp::new().await;
    let (user, db) = (test.user("a").await, &test.app.db);
    create(&user, "product", json!({"name": "Tea", "plu": 1, "price": 90})).await;
    create(&user, "productextra", json!({"name": "Milk", "plu": 1, "price": 10})).await;
    let body = json!({"name": "Copy", "hostname": "vm-copy"});
    let copy =
        user.post(&format!("/machine?source={MACHINE}"), body).await.expect(201)["id"].as_i64().unwrap();
    assert_eq!(list(&user, copy, "product").await[0]["name"], "Tea");
    assert_eq!(list(&user, copy, "productextra").await[0]["price"], "10");
    let plain = json!({"name": "Plain", "hostname": "vm-plain", "location": 2, "machineModel": 1, "machineType": 1,
        "manufacturer": 1, "currency": 978});
    let plain = user.post("/machine", plain).await.expect(201)["id"].as_i64().unwrap();
    assert_eq!(list(&user, plain, "product").await, json!([]));
    user.delete(&format!("/machine/{copy}")).await.expect(200);
    let left: i64 = sqlx::query_scalar("SELECT count(*) FROM product").fetch_one(db).await.unwrap();
    assert_eq!(left, 1);
}

#[tokio::test]
async fn exports_have_products_or_all_that_can_be_ordered() {
    let test = TestApp::new().await;
    let (user, db) = (test.user("a").await, &test.app.db);
    part(db, "product", MACHINE, 5, "Espresso", 100).await;
    part(db, "product", MACHINE, 6, "Tea", 80).await;
    part(db, "product", OTHER, 7, "Soup", 120).await;
    part(db, "product_flavour", MACHINE, 1, "Vanilla", 30).await;
    part(db, "product_flavour", OTHER, 1, "Basil", 10).await;
    part(db, "product_extra", MACHINE, 2, "Oat milk", 20).await;
    sqlx::query("UPDATE product SET report_name = 'Hot' WHERE plu = 6").execute(db).await.unwrap();
    let export = async |query: &str| {
        let reply = user.get(&format!("/export/{query}")).await;
        assert_eq!(reply.status, 200, "{}", reply.text());
        let mut lines: Vec<String> = reply.text().lines().map(str::to_owned).collect();
        lines[1..].sort();
        lines
    };
    let of_machine = format!("where[machine]={MACHINE}");
    let plain = export(&format!("product?columns=plu,name,price&{of_machine}")).await;
    assert_eq!(plain, ["plu,name,price", "5,Espresso,100", "6,Tea,80"]);
    let all = format!("product?exportAll=true&columns=plu,flavour,extra,name,reportName,price&{of_machine}");
    assert_eq!(
        export(&all).await,
        [
            "plu,flavour,extra,name,reportName,price",
            "5,,,Espresso,,100",
            "5,,2,Espresso Oat milk,,120",
            "5,1,,Espresso Vanilla,,130",
            "5,1,2,Espresso Vanilla Oat milk,,150",
            "6,,,Tea,Hot,80",
            "6,,2,Tea Oat milk,Hot,100",
            "6,1,,Tea Vanilla,Hot,110",
            "6,1,2,Tea Vanilla Oat milk,Hot,130",
        ]
    );
    let dear =
        format!("product?exportAll=true&columns=name&sort=price+desc&where[price][%3E=]=130&{of_machine}");
    assert_eq!(export(&dear).await.len(), 4);
    assert_eq!(export(&format!("productextra?columns=name,price&{of_machine}")).await[1], "Oat milk,20");

    user.get("/export/product?columns=plu").await.expect_problem(400, "/where[machine]");
    user.get("/export/product?columns=plu&exportAll=true").await.expect_problem(400, "/where[machine]");
    user.get(&format!("/export/product?columns=plu&exportAll=maybe&{of_machine}"))
        .await
        .expect_problem(400, "/exportAll");
    user.get("/export/machine?columns=id&exportAll=true").await.expect_problem(400, "/exportAll");
    let theirs = test.user("b").await;
    let reply = theirs.get(&format!("/export/product?exportAll=true&columns=plu&{of_machine}")).await;
    assert_eq!(reply.text(), "plu\n", "another group's");
}
