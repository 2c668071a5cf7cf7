//! API keys: what they may be made for, and how they end.

use super::{BRANCH, GREEDY, NARROW, ROOT, STRANGERS, Town};
use axum::http::{Method, StatusCode};
use chrono::{DateTime, Duration, Utc};
use scrip::{
    app::App,
    error::{Error, Store},
    http::caller::Permission,
};
use serde_json::{Value, json};
use sqlx::PgPool;

#[tokio::test]
async fn a_key_never_reaches_beyond_its_maker() {
    let town = Town::new().await;
    let dave = town.log_in("dave").await.access;
    let create = |body: Value| town.send(Method::POST, "/apikey", Some(&dave), Some(body));
    let created = create(json!({"name": "Coffee corner", "machine": town.machine(GREEDY).await})).await;
    assert_eq!(created.status, StatusCode::CREATED);
    let key = created.body["key"].as_str().unwrap();
    assert_eq!((key.len(), &key[..6]), (49, "scrip_"));

    let foreign = town.machine(STRANGERS).await;
    let above = town.machine(ROOT).await;
    let own = town.machine(NARROW).await;
    for (body, pointer) in [
        (json!({"name": "x", "machine": foreign}), "/machine"),
        (json!({"name": "x", "machine": above}), "/machine"),
        (json!({"name": "x", "machine": 0}), "/machine"),
        (json!({"name": "x", "machine": own, "scopes": ["voucher.redeem", "campaign.write"]}), "/scopes/1"),
        (json!({"name": "x", "scopes": ["voucher.steal"]}), "/scopes/0"),
        (json!({"name": "x", "scopes": []}), "/scopes"),
        (json!({"name": "x"}), "/scopes"),
        (json!({"machine": own}), "/name"),
        (json!({"name": " ", "machine": own}), "/name"),
        (json!({"name": "a\0b", "machine": own}), "/name"),
        (json!({"name": "x", "machine": own, "owner": 1}), "/owner"),
    ] {
        let refused = create(body.clone()).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{body}");
        assert_eq!(refused.body["errors"][0]["pointer"], pointer, "{body}");
    }

    let (status, list) = town.get("/apikey", &dave).await;
    assert_eq!((status, list.as_array().unwrap().len()), (StatusCode::OK, 1));
    assert_eq!(list[0]["scopes"], json!(["voucher.redeem"]));
    assert_eq!(list[0]["lastUsedAt"], Value::Null);
    assert!(!list.to_string().contains(key));
    for query in ["limit=0", "limit=101", "skip=-1", "limit=x", "colour=red"] {
        assert_eq!(town.get(&format!("/apikey?{query}"), &dave).await.0, StatusCode::BAD_REQUEST, "{query}");
    }
    // The key itself may redeem, and nothing else.
    assert_eq!(town.get("/apikey", key).await.0, StatusCode::FORBIDDEN);
    assert_eq!(town.get("/user/me", key).await.0, StatusCode::FORBIDDEN);
    let caller = town.caller(key).await;
    caller.may(Permission::VoucherRedeem).unwrap();
    caller.may(Permission::VoucherRead).unwrap_err();
}

#[tokio::test]
async fn a_machines_key_makes_keys_for_that_machine_alone() {
    let town = Town::new().await;
    let ann = town.log_in("ann").await.access;
    let (own, other) = (town.machine(ROOT).await, town.machine(BRANCH).await);
    let body = json!({"name": "maker", "machine": own, "scopes": ["apikey.write", "voucher.redeem"]});
    let maker = town.send(Method::POST, "/apikey", Some(&ann), Some(body)).await;
    let maker = maker.body["key"].as_str().unwrap();
    for (machine, status) in [(json!(own), 201), (json!(other), 422), (Value::Null, 422)] {
        let body = json!({"name": "made", "machine": machine, "scopes": ["voucher.redeem"]});
        assert_eq!(town.send(Method::POST, "/apikey", Some(maker), Some(body)).await.status, status);
    }
}

#[tokio::test]
async fn a_revoked_key_is_dead_on_every_server() {
    let town = Town::new().await;
    let other = App::start(town.app.config.clone(), town.app.clock.clone()).await.unwrap();
    let ann = town.log_in("ann").await.access;
    let body = json!({"name": "till", "scopes": ["apikey.read"]});
    let created = town.send(Method::POST, "/apikey", Some(&ann), Some(body)).await.body;
    let (id, key) = (created["id"].as_i64().unwrap(), created["key"].as_str().unwrap());
    assert_eq!(town.get("/apikey", key).await.0, StatusCode::OK);
    assert!(other.access.of_key(&other.db, key, town.now()).await.unwrap().is_some());

    let mut notices = town.listen().await;
    let path = format!("/apikey/{id}");
    let stranger = town.log_in("frank").await.access;
    assert_eq!(town.send(Method::DELETE, &path, Some(&stranger), None).await.status, StatusCode::NOT_FOUND);
    assert_eq!(town.send(Method::DELETE, &path, Some(&ann), None).await.status, StatusCode::OK);
    assert_eq!(town.get("/apikey", key).await.0, StatusCode::UNAUTHORIZED);
    town.relay(&mut notices, &other).await;
    assert!(other.access.of_key(&other.db, key, town.now()).await.unwrap().is_none());
    assert_eq!(town.send(Method::DELETE, &path, Some(&ann), None).await.status, StatusCode::NOT_FOUND);
    assert_eq!(town.get("/apikey", &ann).await.1, json!([]));
}

#[tokio::test]
async fn the_last_use_of_a_key_is_written_down_in_time() {
    let town = Town::new().await;
    let ann = town.log_in("ann").await.access;
    let body = json!({"name": "till", "scopes": ["voucher.read"]});
    let created = town.send(Method::POST, "/apikey", Some(&ann), Some(body)).await.body;
    let key = created["key"].as_str().unwrap();
    town.caller(key).await;
    town.app.clock.advance(Duration::seconds(5));
    let used = town.now();
    town.caller(key).await;
    let closed = PgPool::connect_lazy_with((*town.app.db.connect_options()).clone());
    closed.close().await;
    let failed = town.app.access.flush_last_used(&closed).await.unwrap_err();
    assert!(matches!(failed, Error::Unavailable { store: Store::Postgres }));
    town.app.access.flush_last_used(&town.app.db).await.unwrap();
    let list = town.get("/apikey", &ann).await.1;
    assert_eq!(list[0]["lastUsedAt"].as_str().unwrap().parse::<DateTime<Utc>>().unwrap(), used);
}
