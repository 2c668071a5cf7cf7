//! API keys: what they may be made for, and how they end.

use super::{GREEDY, NARROW, ROOT, STRANGERS, Town};
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
async fn a_key_of_one_machine_can_only_have_what_is_about_one_machine() {
    let town = Town::new().await;
    let ann = town.log_in("ann").await.access;
    let machine = town.machine(ROOT).await;
    for (scope, status) in [
        ("voucher.redeem", 201),
        ("gateway.use", 201),
        ("command.send", 201),
        ("apikey.write", 422),
        ("fleet.write", 422),
        ("voucher.read", 422),
        ("activity.read", 422),
    ] {
        let body = json!({"name": "bound", "machine": machine, "scopes": [scope]});
        let made = town.send(Method::POST, "/apikey", Some(&ann), Some(body)).await;
        assert_eq!(made.status, status, "{scope}");
        assert!(status == 201 || made.body["errors"][0]["pointer"] == "/scopes/0", "{}", made.body);
    }
    // One that was made with more before is not allowed more.
    let body = json!({"name": "older", "machine": machine, "scopes": ["voucher.redeem"]});
    let older = town.send(Method::POST, "/apikey", Some(&ann), Some(body)).await.body;
    let more = "UPDATE api_key SET scopes = '{voucher.redeem,apikey.read,fleet.write}' WHERE id = $1";
    sqlx::query(more).bind(older["id"].as_i64()).execute(&town.app.db).await.unwrap();
    let caller = town.caller(older["key"].as_str().unwrap()).await;
    caller.may(Permission::VoucherRedeem).unwrap();
    caller.may(Permission::ApiKeyRead).unwrap_err();
    caller.may(Permission::FleetWrite).unwrap_err();
}

#[tokio::test]
async fn a_key_ends_with_the_key_that_made_it_and_with_its_owner() {
    let town = Town::new().await;
    let ann = town.log_in("ann").await.access;
    let make = async |token: &str, body: Value| {
        let made = town.send(Method::POST, "/apikey", Some(token), Some(body)).await;
        assert_eq!(made.status, StatusCode::CREATED, "{}", made.body);
        (made.body["id"].as_i64().unwrap(), made.body["key"].as_str().unwrap().to_owned())
    };
    let scopes = json!(["apikey.write", "apikey.read"]);
    let body = |name: &str| json!({"name": name, "scopes": scopes});
    let (first, first_key) = make(&ann, body("first")).await;
    let (second, second_key) = make(&first_key, body("second")).await;
    let (_, third_key) = make(&second_key, body("third")).await;
    let (_, other_key) = make(&ann, body("other")).await;
    let (_, list) = town.get("/apikey", &ann).await;
    let of = |id: i64| list.as_array().unwrap().iter().find(|key| key["id"] == id).unwrap();
    assert_eq!((&of(first)["parent"], &of(second)["parent"]), (&Value::Null, &json!(first)));
    assert_eq!(of(first)["createdBy"], of(first)["owner"]);
    assert_eq!((&of(second)["createdBy"], &of(second)["owner"]), (&Value::Null, &of(first)["owner"]));
    let status = async |key: &str| town.get("/apikey", key).await.0.as_u16();
    for key in [&first_key, &second_key, &third_key, &other_key] {
        assert_eq!(status(key).await, 200);
    }
    let path = format!("/apikey/{first}");
    assert_eq!(town.send(Method::DELETE, &path, Some(&ann), None).await.status, StatusCode::OK);
    let after = [status(&first_key).await, status(&second_key).await, status(&third_key).await];
    assert_eq!((after, status(&other_key).await), ([401, 401, 401], 200));
}

#[tokio::test]
async fn a_key_is_good_until_it_expires() {
    let town = Town::new().await;
    let ann = town.log_in("ann").await.access;
    let now = town.now();
    let body = |end: DateTime<Utc>| json!({"name": "till", "scopes": ["apikey.write", "apikey.read"], "expiresAt": end});
    let past = town.send(Method::POST, "/apikey", Some(&ann), Some(body(now))).await;
    assert_eq!(past.body["errors"][0]["pointer"], "/expiresAt");
    let made = town.send(Method::POST, "/apikey", Some(&ann), Some(body(now + Duration::hours(1)))).await;
    let key = made.body["key"].as_str().unwrap();
    // A key that a key makes is good no longer than that.
    let longer = town.send(Method::POST, "/apikey", Some(key), Some(body(now + Duration::hours(2)))).await;
    assert_eq!(longer.body["errors"][0]["pointer"], "/expiresAt");
    let open = json!({"name": "open", "scopes": ["apikey.read"]});
    let made = town.send(Method::POST, "/apikey", Some(key), Some(open)).await.body;
    let child = made["key"].as_str().unwrap();
    assert_eq!(town.get("/apikey", child).await.0, StatusCode::OK);
    town.app.clock.advance(Duration::hours(1));
    for key in [key, child] {
        assert_eq!(town.get("/apikey", key).await.0, StatusCode::UNAUTHORIZED);
    }
}

#[tokio::test]
async fn a_revoked_key_is_dead_on_every_server() {
    let town = Town::new().await;
    let other = App::start(town.app.config.clone(), town.app.clock.clone()).unwrap();
    let ann = town.log_in("ann").await.access;
    let body = json!({"name": "till", "scopes": ["apikey.read"]});
    let created = town.send(Method::POST, "/apikey", Some(&ann), Some(body)).await.body;
    let (id, key) = (created["id"].as_i64().unwrap(), created["key"].as_str().unwrap());
    assert_eq!(town.get("/apikey", key).await.0, StatusCode::OK);
    assert!(other.access.of_key(&other.db, key, town.now(), None).await.unwrap().is_some());

    let mut notices = town.listen().await;
    let path = format!("/apikey/{id}");
    let stranger = town.log_in("frank").await.access;
    assert_eq!(town.send(Method::DELETE, &path, Some(&stranger), None).await.status, StatusCode::NOT_FOUND);
    assert_eq!(town.send(Method::DELETE, &path, Some(&ann), None).await.status, StatusCode::OK);
    assert_eq!(town.get("/apikey", key).await.0, StatusCode::UNAUTHORIZED);
    town.relay(&mut notices, &other).await;
    assert!(other.access.of_key(&other.db, key, town.now(), None).await.unwrap().is_none());
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
