//! Refresh tokens: rotation, lost answers, replays, and races between them.

use super::{Town, config};
use axum::http::{Method, StatusCode};
use chrono::Duration;
use scrip::{app::App, config::Config};
use serde_json::json;

#[tokio::test]
async fn a_refresh_token_rotates() {
    let town = Town::new().await;
    let first = town.log_in("ann").await;
    let second = town.refresh(&first.refresh).await.unwrap();
    let third = town.refresh(&second.refresh).await.unwrap();
    assert_eq!(town.get("/user/me", &third.access).await.0, StatusCode::OK);
    assert_eq!(town.open_ends().await, 1);
}

#[tokio::test]
async fn a_lost_answer_costs_nothing() {
    let town = Town::new().await;
    let first = town.log_in("ann").await;
    town.refresh(&first.refresh).await.unwrap();
    town.refresh(&first.refresh).await.unwrap();
    let arrived = town.refresh(&first.refresh).await.unwrap();
    assert_eq!(town.open_ends().await, 1);
    town.refresh(&arrived.refresh).await.unwrap();
}

#[tokio::test]
async fn a_replayed_token_ends_its_family_alone() {
    let town = Town::new().await;
    let elsewhere = town.log_in("ann").await;
    let first = town.log_in("ann").await;
    let second = town.refresh(&first.refresh).await.unwrap();
    let third = town.refresh(&second.refresh).await.unwrap();
    town.app.clock.advance(Duration::seconds(11));
    let refusal = town.refresh(&first.refresh).await.unwrap_err();
    assert_eq!(town.refresh(&third.refresh).await.unwrap_err(), refusal);
    assert_eq!(town.refresh("never was one").await.unwrap_err(), refusal);
    town.refresh(&elsewhere.refresh).await.unwrap();
}

#[tokio::test]
async fn a_token_in_two_hands_ends_its_family() {
    let town = Town::new().await;
    let first = town.log_in("ann").await;
    let owners = town.refresh(&first.refresh).await.unwrap();
    let thiefs = town.refresh(&first.refresh).await.unwrap();
    assert_eq!(owners.refresh, thiefs.refresh);
    let owners = town.refresh(&owners.refresh).await.unwrap();
    let next = town.refresh(&owners.refresh).await.unwrap();
    town.app.clock.advance(Duration::seconds(11));
    town.refresh(&thiefs.refresh).await.unwrap_err();
    town.refresh(&next.refresh).await.unwrap_err();
    for session in [&owners, &thiefs, &next] {
        assert_eq!(town.get("/user/me", &session.access).await.0, StatusCode::UNAUTHORIZED);
    }
}

#[tokio::test]
async fn parallel_refreshes_get_one_successor_and_all_go_on() {
    let town = Town::new().await;
    let first = town.log_in("ann").await;
    let refreshed = futures_util::future::join_all((0..16).map(|_| town.refresh(&first.refresh))).await;
    let tabs: Vec<_> = refreshed.into_iter().map(Result::unwrap).collect();
    assert!(tabs.iter().all(|tab| tab.refresh == tabs[0].refresh));
    assert_eq!(town.open_ends().await, 1);
    for tab in &tabs {
        town.refresh(&tab.refresh).await.unwrap();
        assert_eq!(town.get("/user/me", &tab.access).await.0, StatusCode::OK);
    }
    // A tab that was late by a round finds the same successor still.
    town.app.clock.advance(Duration::seconds(10));
    assert_eq!(town.refresh(&first.refresh).await.unwrap().refresh, tabs[0].refresh);
    assert_eq!(town.open_ends().await, 1);
}

#[tokio::test]
async fn a_session_ends_however_often_it_is_renewed() {
    let town = Town::with(Config { session_max_s: 100, ..config() }).await;
    let mut session = town.log_in("ann").await;
    for _ in 0..4 {
        town.app.clock.advance(Duration::seconds(20));
        session = town.refresh(&session.refresh).await.unwrap();
    }
    town.app.clock.advance(Duration::seconds(20));
    town.refresh(&session.refresh).await.unwrap_err();
}

#[tokio::test]
async fn an_expired_password_renews_nothing() {
    let town = Town::new().await;
    let session = town.log_in("ann").await;
    let expires = town.now() + Duration::seconds(60);
    town.sql(&format!(
        "UPDATE account SET password_expires = '{}' WHERE username = 'ann'",
        expires.to_rfc3339()
    ))
    .await;
    let session = town.refresh(&session.refresh).await.unwrap();
    town.app.clock.advance(Duration::seconds(60));
    town.refresh(&session.refresh).await.unwrap_err();
}

#[tokio::test]
async fn a_replay_beside_a_refresh_leaves_no_end() {
    let town = Town::new().await;
    for _ in 0..8 {
        let first = town.log_in("bob").await;
        let second = town.refresh(&first.refresh).await.unwrap();
        let third = town.refresh(&second.refresh).await.unwrap();
        town.app.clock.advance(Duration::seconds(11));
        let (replayed, _) = tokio::join!(town.refresh(&first.refresh), town.refresh(&third.refresh));
        replayed.unwrap_err();
        assert_eq!(town.open_ends().await, 0);
    }
}

#[tokio::test]
async fn logging_out_ends_the_family_and_may_be_repeated() {
    let town = Town::new().await;
    let first = town.log_in("ann").await;
    let second = town.refresh(&first.refresh).await.unwrap();
    for token in [&first.refresh, &second.refresh, "never was one"] {
        let body = json!({ "refresh_token": token });
        let answer = town.send(Method::POST, "/auth/logout", None, Some(body)).await;
        assert_eq!((answer.status, &answer.body["message"]), (StatusCode::OK, &json!("logged out")));
    }
    town.refresh(&second.refresh).await.unwrap_err();
    for access in [&first.access, &second.access] {
        assert_eq!(town.get("/user/me", access).await.0, StatusCode::UNAUTHORIZED);
    }
    let another = town.log_in("ann").await;
    assert_eq!(town.get("/user/me", &another.access).await.0, StatusCode::OK);
}

#[tokio::test]
async fn other_servers_hear_that_a_session_has_ended() {
    let town = Town::new().await;
    let other = App::start(town.app.config.clone(), town.app.clock.clone()).unwrap();
    let session = town.log_in("ann").await;
    let claims = other.tokens.read(&session.access, town.now()).unwrap();
    let grant = async || other.access.of_account(&other.db, claims.account).await.unwrap().unwrap();
    assert!(!grant().await.ended.contains(&claims.family));
    let mut notices = town.listen().await;
    let body = json!({ "refresh_token": session.refresh });
    town.send(Method::POST, "/auth/logout", None, Some(body)).await;
    town.relay(&mut notices, &other).await;
    assert!(grant().await.ended.contains(&claims.family));
    other.stop.cancel();
}

#[tokio::test]
async fn tokens_expire_by_the_clock() {
    let town = Town::new().await;
    let session = town.log_in("ann").await;
    town.app.clock.advance(Duration::seconds(899));
    assert_eq!(town.get("/user/me", &session.access).await.0, StatusCode::OK);
    town.app.clock.advance(Duration::seconds(1));
    assert_eq!(town.get("/user/me", &session.access).await.0, StatusCode::UNAUTHORIZED);
    let session = town.refresh(&session.refresh).await.unwrap();
    assert_eq!(town.get("/user/me", &session.access).await.0, StatusCode::OK);
    town.app.clock.advance(Duration::days(30));
    town.refresh(&session.refresh).await.unwrap_err();
    // The next log-in takes what has expired away.
    town.log_in("ann").await;
    assert_eq!(town.count("SELECT count(*) FROM refresh_token").await, 1);
}

#[tokio::test]
async fn logging_in_refreshing_and_out_at_a_time_get_along() {
    let town = Town::with(Config { logins_per_minute: 1_000, ..config() }).await;
    let old = futures_util::future::join_all((0..8).map(|_| town.log_in("ann"))).await;
    town.app.clock.advance(Duration::days(30));
    let close = |token: String| {
        town.send(Method::POST, "/auth/logout", None, Some(json!({ "refresh_token": token })))
    };
    let (sessions, refused, closed) = tokio::join!(
        futures_util::future::join_all((0..8).map(|_| town.log_in("ann"))),
        futures_util::future::join_all(old.iter().map(|session| town.refresh(&session.refresh))),
        futures_util::future::join_all(old.iter().map(|session| close(session.refresh.clone()))),
    );
    assert!(refused.iter().all(Result::is_err));
    assert!(closed.iter().all(|answer| answer.status == StatusCode::OK));
    assert_eq!(town.open_ends().await, sessions.len() as i64);
}
