//! Refresh tokens: rotation, lost answers, replays, and races between them.

use super::{Town, config};
use axum::http::{Method, StatusCode};
use chrono::Duration;
use scrip::config::Config;
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
    let refusal = town.refresh(&first.refresh).await.unwrap_err();
    assert_eq!(town.refresh(&third.refresh).await.unwrap_err(), refusal);
    assert_eq!(town.refresh("never was one").await.unwrap_err(), refusal);
    town.refresh(&elsewhere.refresh).await.unwrap();
}

#[tokio::test]
async fn a_replaced_token_that_did_arrive_ends_its_family() {
    let town = Town::new().await;
    let first = town.log_in("ann").await;
    let owners = town.refresh(&first.refresh).await.unwrap();
    let thiefs = town.refresh(&first.refresh).await.unwrap();
    town.refresh(&owners.refresh).await.unwrap_err();
    town.refresh(&thiefs.refresh).await.unwrap_err();
}

#[tokio::test]
async fn parallel_refreshes_leave_one_end() {
    let town = Town::new().await;
    let first = town.log_in("ann").await;
    let refreshed = futures_util::future::join_all((0..16).map(|_| town.refresh(&first.refresh))).await;
    assert!(refreshed.iter().all(Result::is_ok));
    assert_eq!(town.open_ends().await, 1);
}

#[tokio::test]
async fn a_replay_beside_a_refresh_leaves_no_end() {
    let town = Town::new().await;
    for _ in 0..8 {
        let first = town.log_in("bob").await;
        let second = town.refresh(&first.refresh).await.unwrap();
        let third = town.refresh(&second.refresh).await.unwrap();
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
