//! Names of machines: within their tenant, in one spelling, and never in another's way.

use super::{Shop, path};
use crate::{client::Client, database::Database, world};
use scrip::config::Config;
use serde_json::{Value, json};
use sqlx::PgPool;

/// A good body for a machine of a group at its location.
fn machine(group: i64, hostname: &str, gateway: Option<i64>) -> Value {
    json!({"name": "Machine", "hostname": hostname, "gateway": gateway, "location": group, "userGroup": group,
           "machineModel": 1, "machineType": 1, "manufacturer": 1, "currency": 978})
}

async fn validated(client: &Client, device: &str, code: &str) -> u16 {
    client.post(&path(code, "validate"), json!({"deviceId": device})).await.status.as_u16()
}

/// Returns the machine that a validation was logged for, as the voucher's log says.
async fn requester(shop: &Shop, client: &Client, device: &str, code: &str) -> String {
    client
        .post(&path(code, "redeem"), json!({"deviceId": device, "order": {"id": device, "amount": 1}}))
        .await
        .expect(200);
    sqlx::query_scalar("SELECT requester FROM redemption WHERE order_id = $1")
        .bind(device)
        .fetch_one(&shop.app().db)
        .await
        .unwrap()
}

#[tokio::test]
async fn a_neighbour_can_neither_hide_nor_take_the_name_of_a_machine() {
    let shop = Shop::new().await.with_redis().await;
    let campaign = shop.campaign(world::ROOT, json!({})).await;
    let made = shop.voucher(campaign, json!({"redemptionLimit": 1000})).await;
    let (a, b) = (shop.test.user("a").await, shop.test.user("b").await);
    let of_a = shop.caller(world::A, None, &["voucher.redeem"]).await;
    let of_b = shop.caller(world::B, None, &["voucher.redeem"]).await;
    for device in ["vm-a-1", "9021"] {
        assert_eq!(validated(&of_a, device, &made.code).await, 200);
        assert_eq!(validated(&of_b, device, &made.code).await, 422);
    }
    // B calls its own machine what A's is called, by either name, and A notices nothing.
    b.post("/machine", machine(world::B, "vm-a-1", Some(9021))).await.expect(201);
    b.post("/machine", machine(world::B, "9021", None)).await.expect_problem(422, "/hostname");
    // As any change of a group: what is in memory goes.
    b.put(&format!("/usergroup/{}", world::B), json!({"name": "Bee"})).await.expect(200);
    for device in ["vm-a-1", "9021"] {
        for (client, machine) in [(&of_a, 21), (&of_b, 100)] {
            let order = json!({"deviceId": device, "order": {"id": device, "amount": 1}});
            client.post(&path(&made.code, "redeem"), order).await.expect(200);
            let found: i64 = sqlx::query_scalar(
                "SELECT machine FROM redemption ORDER BY occurred_at DESC, machine = $1 DESC LIMIT 1",
            )
            .bind(machine)
            .fetch_one(&shop.app().db)
            .await
            .unwrap();
            assert_eq!(found, machine, "{device}");
        }
    }
    // Above both, it is the one that was there first.
    assert_eq!(validated(&shop.owner, "vm-a-1", &made.code).await, 200);
    assert_eq!(requester(&shop, &shop.owner, "VM-A-1", &made.code).await, "vm-a-1");

    // Within the tenant a name is one machine's, in any case.
    for (hostname, gateway, what) in
        [("VM-A-1", None, "hostname"), ("vm-a1-1", None, "hostname"), ("new", Some(9032), "gateway")]
    {
        let refused = a.post("/machine", machine(world::A, hostname, gateway)).await;
        let told = refused.expect(409)["detail"].clone();
        assert_eq!(told, format!("another machine has this {what}"));
    }
    a.put("/machine/21", json!({"gateway": 9031})).await.expect(409);
    a.put("/machine/21", json!({"gateway": 9041})).await.expect(200);
    assert_eq!(validated(&of_a, "9041", &made.code).await, 200);
}

#[tokio::test]
async fn a_device_id_has_one_spelling() {
    let shop = Shop::new().await.with_redis().await;
    let made = shop.made(json!({"redemptionLimit": 1000})).await;
    for none in [
        "+9021",
        "-9021",
        "09021",
        "0009021",
        " 9021",
        "9021 ",
        "9021.0",
        "9_021",
        "\u{0669}021",
        "vm-a-1.",
        "vm-a-1 ",
    ] {
        assert_eq!(validated(&shop.owner, none, &made.code).await, 422, "{none:?}");
    }
    for (id, known_as) in [("VM-A-1", "vm-a-1"), ("vm-a-1", "vm-a-1"), ("Vm-a-1", "vm-a-1"), ("9021", "9021")]
    {
        assert_eq!(requester(&shop, &shop.owner, id, &made.code).await, known_as, "{id}");
    }
    let user = shop.test.user("a").await;
    for refused in ["123", "0", "007", "vm-9.", ""] {
        let refused = user.post("/machine", machine(world::A, refused, None)).await;
        refused.expect_problem(422, "/hostname");
    }
}

#[tokio::test]
async fn gateways_and_machines_share_the_look_up() {
    let shop = Shop::new().await;
    let scopes = ["gateway.use", "command.send", "config.read", "config.write", "transaction.read"];
    let a = shop.caller(world::A, None, &scopes).await;
    let bound = shop.caller(world::A, Some("vm-a-1"), &scopes).await;
    for (device, unbound, own) in [
        ("vm-a-1", 200, 200),
        ("VM-A-1", 200, 200),
        ("9021", 200, 200),
        ("vm-a-2", 200, 403),
        ("vm-b-1", 404, 403),
        ("09021", 404, 403),
        ("9041", 404, 403),
        ("nowhere", 404, 403),
    ] {
        let path = format!("/machine/{device}/heartbeat");
        assert_eq!(a.post(&path, json!({})).await.status.as_u16(), unbound, "{device}");
        assert_eq!(bound.post(&path, json!({})).await.status.as_u16(), own, "{device}");
    }
}

#[tokio::test]
async fn unknown_devices_are_budgeted_and_good_ones_are_never_turned_away() {
    let few = |config: &mut Config| config.guesses_per_key_per_minute = 3;
    let shop = Shop::on(crate::app::TestApp::builder().stopped_at("2026-06-01T10:00:00Z").config(few)).await;
    let made = shop.made(json!({})).await;
    let key = shop.caller(world::A, None, &["voucher.redeem", "gateway.use"]).await;
    let statuses = futures_util::future::join_all((0..6).map(|number| {
        let (key, code) = (key.clone(), made.code.clone());
        async move { validated(&key, &format!("guess-{number}"), &code).await }
    }))
    .await;
    assert_eq!(statuses.iter().filter(|status| **status == 422).count(), 3, "{statuses:?}");
    assert_eq!(statuses.iter().filter(|status| **status == 429).count(), 3, "{statuses:?}");
    assert_eq!(validated(&key, "vm-b-1", &made.code).await, 429, "a machine of others is no better");
    key.post("/machine/guess/heartbeat", json!({})).await.expect(429);
    for good in ["vm-a-1", "vm-a1-2", "9022"] {
        assert_eq!(validated(&key, good, &made.code).await, 200, "{good}");
    }
    key.post("/machine/vm-a-2/heartbeat", json!({})).await.expect(200);
    assert_eq!(validated(&shop.owner, "guess-0", &made.code).await, 422, "other keys have their own");
}

#[tokio::test]
async fn a_number_that_moves_to_another_machine_is_found_there() {
    let shop = Shop::new().await.with_redis().await;
    let campaign = shop.campaign(world::A1, json!({})).await;
    let made = shop.voucher(campaign, json!({})).await;
    let a = shop.test.user("a").await;
    assert_eq!(validated(&shop.owner, "9021", &made.code).await, 404);
    a.put("/machine/21", json!({"gateway": null})).await.expect(200);
    a.put("/machine/31", json!({"gateway": 9021})).await.expect(200);
    shop.becomes("9021", &made.code, "valid", json!(true)).await;
}

#[tokio::test]
async fn a_group_moves_with_its_machines_names_or_not_at_all() {
    let shop = Shop::new().await;
    let (root, b) = (shop.test.user("root").await, shop.test.user("b").await);
    b.post("/machine", machine(world::B, "VM-A1-1", None)).await.expect(201);
    let path = format!("/usergroup/{}", world::A1);
    root.put(&path, json!({"parent": world::B})).await.expect_problem(422, "/parent");
    sqlx::query("DELETE FROM machine WHERE hostname = 'VM-A1-1'").execute(&shop.app().db).await.unwrap();
    root.put(&path, json!({"parent": world::B})).await.expect(200);
    b.post("/machine", machine(world::B, "VM-A1-1", None)).await.expect(409);
    shop.test.user("a").await.post("/machine", machine(world::A, "vm-a1-1", None)).await.expect(201);
}

#[tokio::test]
async fn names_of_one_tenant_that_case_alone_tells_apart_are_found_by_their_spelling() {
    let database = Database::new().await;
    let db = PgPool::connect(&database.url).await.unwrap();
    sqlx::raw_sql(
        "UPDATE machine SET hostname = 'VM-A-1', hostname_twin = true WHERE id = 22;
         UPDATE machine SET hostname = '7777', gateway = 8888 WHERE id = 31;
         UPDATE machine SET gateway = 7777 WHERE id = 41;",
    )
    .execute(&db)
    .await
    .unwrap();
    let named = async |name: &str, number: Option<i64>, within: i64| -> Option<(i64, bool)> {
        let found = sqlx::query_as("SELECT id, is_unique FROM machine_named($1, $2, $3, NULL)");
        found.bind(name).bind(number).bind(within).fetch_optional(&db).await.unwrap()
    };
    assert_eq!(named("vm-a-1", None, world::A).await, Some((21, false)));
    assert_eq!(named("VM-A-1", None, world::A).await, Some((22, false)));
    assert_eq!(named("Vm-a-1", None, world::ROOT).await, Some((21, false)));
    assert_eq!(named("VM-A1-2", None, world::A).await, Some((32, true)));
    assert_eq!(named("7777", Some(7777), world::A).await, Some((31, true)));
    assert_eq!(named("7777", Some(7777), world::B).await, Some((41, true)));
    let tenants: Vec<(i64, i64)> =
        sqlx::query_as("SELECT DISTINCT user_group, tenant FROM machine ORDER BY 1")
            .fetch_all(&db)
            .await
            .unwrap();
    assert_eq!(tenants, [(1, 1), (2, 2), (3, 2), (4, 4)]);
    db.close().await;
}
