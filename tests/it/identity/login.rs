//! Logging in, and what that tells.

use super::{PASSWORD, ROOT, Town, config};
use axum::http::{Method, StatusCode, header};
use chrono::Duration;
use scrip::config::Config;
use serde_json::{Value, json};
use std::collections::BTreeSet;

#[tokio::test]
async fn a_user_logs_in_by_name_or_address_and_sees_itself() {
    let town = Town::new().await;
    for name in ["ann", "ANN", "ann@example.com"] {
        let session = town.log_in(name).await;
        let (status, me) = town.get("/user/me", &session.access).await;
        assert_eq!(status, StatusCode::OK);
        assert_eq!(me["username"], "ann");
    }
    let session = town.log_in("ann").await;
    let (_, me) = town.get("/user/me", &session.access).await;
    let fields = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<BTreeSet<_>>();
    let expected = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<BTreeSet<_>>();
    assert_eq!(
        fields(&me),
        expected(&[
            "id",
            "username",
            "email",
            "language",
            "userGroup",
            "createdAt",
            "updatedAt",
            "emailConfirmed",
            "disabledAt",
            "password_expires",
        ])
    );
    assert_eq!(
        fields(&me["language"]),
        expected(&["id", "name", "language", "locale", "createdAt", "updatedAt"])
    );
    assert_eq!(
        fields(&me["userGroup"]),
        expected(&["id", "name", "parent", "admin", "createdAt", "updatedAt", "disabledAt", "deleted"])
    );
    assert_eq!(me["emailConfirmed"], 1);
    assert_eq!(me["userGroup"]["id"], ROOT);
    assert_eq!(me["userGroup"]["parent"], Value::Null);
    assert_eq!(me["language"]["locale"], "nl-NL");
    assert!(me["createdAt"].as_str().unwrap().ends_with('Z'));
}

#[tokio::test]
async fn nobody_learns_who_exists_by_logging_in() {
    let town = Town::new().await;
    town.sql("UPDATE account SET disabled_at = now() WHERE username = 'bob'").await;
    town.sql("UPDATE account SET password_hash = NULL WHERE username = 'carol'").await;
    town.sql("UPDATE user_group SET disabled_at = now() WHERE id = 3").await;
    let attempt = |name: &'static str, password: &'static str| {
        town.send(Method::POST, "/auth/login", None, Some(json!({"username": name, "password": password})))
    };
    let unknown = attempt("nobody", PASSWORD).await;
    assert_eq!(unknown.status, StatusCode::UNAUTHORIZED);
    for (name, password) in [
        ("ann", "wrong"),
        ("ann", ""),
        ("bob", PASSWORD),
        ("carol", PASSWORD),
        ("dave", PASSWORD),
        ("erin", PASSWORD),
        ("ann\0", PASSWORD),
        ("", PASSWORD),
    ] {
        let refused = attempt(name, password).await;
        assert_eq!((refused.status, &refused.body), (unknown.status, &unknown.body), "{name}");
    }
    for body in [json!({}), json!({"username": "ann"}), json!({"username": 1, "password": "x"}), json!([])] {
        let refused = town.send(Method::POST, "/auth/login", None, Some(body)).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    }
}

#[tokio::test]
async fn an_unknown_user_takes_as_long_as_a_known_one() {
    let town = Town::with(Config { argon2_memory_kib: 2_048, logins_per_minute: 1_000, ..config() }).await;
    let mut took = [Vec::new(), Vec::new()];
    for _ in 0..20 {
        for (name, took) in ["ann", "nobody"].into_iter().zip(&mut took) {
            let begun = std::time::Instant::now();
            let body = json!({"username": name, "password": "wrong"});
            town.send(Method::POST, "/auth/login", None, Some(body)).await;
            took.push(begun.elapsed());
        }
    }
    // The quickest of each: whatever else the machine does only adds to it.
    let [known, unknown] = took.map(|took| took.into_iter().min().unwrap().as_secs_f64());
    assert!((0.5..2.0).contains(&(unknown / known)), "known {known} s, unknown {unknown} s");
}

const REFUSED: StatusCode = StatusCode::UNAUTHORIZED;
const TOO_MANY: StatusCode = StatusCode::TOO_MANY_REQUESTS;

#[tokio::test]
async fn a_name_may_fail_so_often_a_minute_from_one_address() {
    let town = Town::with(Config { logins_per_minute: 3, ..config() }).await;
    for name in ["ann", "nobody"] {
        for _ in 0..3 {
            let body = json!({"username": name, "password": "wrong"});
            let refused = town.send(Method::POST, "/auth/login", None, Some(body)).await;
            assert_eq!(refused.status, REFUSED);
        }
        let body = json!({"username": name, "password": PASSWORD});
        let refused = town.send(Method::POST, "/auth/login", None, Some(body)).await;
        assert_eq!(refused.status, TOO_MANY);
        let seconds: u64 = refused.headers[header::RETRY_AFTER].to_str().unwrap().parse().unwrap();
        assert!((1..=21).contains(&seconds), "{seconds}");
    }
    // Log-ins that are right cost nothing.
    for _ in 0..10 {
        town.log_in("bob").await;
    }
}

#[tokio::test]
async fn a_name_and_its_address_share_one_budget() {
    let town = Town::with(Config { logins_per_minute: 4, ..config() }).await;
    for name in ["ann", "ann@example.com", "ANN", "Ann@Example.com"] {
        assert_eq!(town.attempt("192.0.2.1", name, "wrong").await, REFUSED);
    }
    assert_eq!(town.attempt("192.0.2.1", "ann@example.com", "wrong").await, TOO_MANY);
}

#[tokio::test]
async fn strangers_do_not_lock_an_owner_out() {
    let config = Config { logins_per_minute: 2, logins_per_address_per_minute: 1_000, ..config() };
    let town = Town::with(config).await;
    assert_eq!(town.attempt("192.0.2.1", "ann", PASSWORD).await, StatusCode::CREATED);
    for stranger in 0..10 {
        for _ in 0..2 {
            assert_eq!(town.attempt(&format!("198.51.100.{stranger}"), "ann", "wrong").await, REFUSED);
        }
    }
    // Another stranger has to wait, with the right password too; she is known where she was before.
    assert_eq!(town.attempt("203.0.113.1", "ann", PASSWORD).await, TOO_MANY);
    assert_eq!(town.attempt("192.0.2.1", "ann", PASSWORD).await, StatusCode::CREATED);
    assert_eq!(town.attempt("203.0.113.1", "bob", PASSWORD).await, StatusCode::CREATED);
}

#[tokio::test]
async fn spraying_over_names_meets_a_brake() {
    let town = Town::with(Config { logins_per_address_per_minute: 5, ..config() }).await;
    for name in 0..5 {
        assert_eq!(town.attempt("198.51.100.1", &format!("name{name}"), "Summer2026").await, REFUSED);
    }
    assert_eq!(town.attempt("198.51.100.1", "ann", PASSWORD).await, TOO_MANY);
    assert_eq!(town.attempt("198.51.100.2", "ann", PASSWORD).await, StatusCode::CREATED);
    // One subscriber of IPv6 has a whole network of addresses.
    for host in 0..5 {
        assert_eq!(town.attempt(&format!("2001:db8::{host}"), &format!("v6name{host}"), "x").await, REFUSED);
    }
    assert_eq!(town.attempt("2001:db8::99", "v6name9", "x").await, TOO_MANY);
    assert_eq!(town.attempt("2001:db8:0:1::1", "v6name9", "x").await, REFUSED);
}

#[tokio::test]
async fn spraying_from_everywhere_meets_a_brake_that_known_users_pass() {
    let town = Town::with(Config { logins_of_strangers_per_minute: 5, ..config() }).await;
    assert_eq!(town.attempt("192.0.2.1", "ann", PASSWORD).await, StatusCode::CREATED);
    for host in 0..5 {
        assert_eq!(town.attempt(&format!("198.51.100.{host}"), &format!("name{host}"), "x").await, REFUSED);
    }
    assert_eq!(town.attempt("198.51.100.9", "name9", "x").await, TOO_MANY);
    assert_eq!(town.attempt("192.0.2.1", "ann", PASSWORD).await, StatusCode::CREATED);
}

#[tokio::test]
async fn an_expired_password_opens_nothing() {
    let town = Town::new().await;
    let expires = town.now() + Duration::seconds(1);
    town.sql(&format!("UPDATE account SET password_expires = '{expires}' WHERE username = 'ann'")).await;
    town.log_in("ann").await;
    town.app.clock.advance(Duration::seconds(1));
    let body = json!({"username": "ann", "password": PASSWORD});
    assert_eq!(
        town.send(Method::POST, "/auth/login", None, Some(body)).await.status,
        StatusCode::UNAUTHORIZED
    );
}
