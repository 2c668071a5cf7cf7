//! Tokens that come by mail: once, in time, and without telling who exists.

use super::{NEW, Office, create, draft};
use crate::{app::TestApp, world};
use axum::http::header;
use chrono::Duration;
use futures_util::future::join_all;
use serde_json::{Value, json};

const NOON: &str = "2026-06-01T12:00:00Z";

#[tokio::test]
async fn of_many_with_one_token_exactly_one_succeeds() {
    let office = Office::new().await;
    let token = office.token_for("a@example.com").await;
    let anyone = office.app.anyone();
    let tries = (0..12).map(|number| {
        let body = json!({"token": token, "password": format!("password of number {number}")});
        let anyone = &anyone;
        async move { anyone.post("/auth/resetpassword", body).await }
    });
    let replies = join_all(tries).await;
    let winners: Vec<_> = (0..12).filter(|&number| replies[number].status == 201).collect();
    assert_eq!(winners.len(), 1);
    for loser in replies.iter().filter(|reply| reply.status != 201) {
        loser.expect_problem(422, "/token");
    }
    assert!(office.knows("a", &format!("password of number {}", winners[0])).await);
}

#[tokio::test]
async fn a_token_is_good_until_its_time_is_over() {
    let office = Office::of(TestApp::builder().stopped_at(NOON)).await;
    let anyone = office.app.anyone();
    let clock = &office.app.app.clock;
    let reset = |token: &str| anyone.post("/auth/resetpassword", json!({"token": token, "password": NEW}));
    let activate = |token: &str| anyone.post("/auth/activate", json!({"token": token, "password": NEW}));

    let token = office.token_for("a@example.com").await;
    clock.advance(Duration::seconds(3_600));
    reset(&token).await.expect_problem(422, "/token");
    let token = office.token_for("a@example.com").await;
    clock.advance(Duration::seconds(3_599));
    reset(&token).await.expect(201);

    let root = office.app.user("root").await;
    create(&root, draft("ann", world::A)).await;
    create(&root, draft("eve", world::A)).await;
    let [ann, eve] = <[_; 2]>::try_from(office.mails().await).unwrap();
    clock.advance(Duration::seconds(7 * 86_400 - 1));
    activate(&ann.token()).await.expect(201);
    clock.advance(Duration::seconds(1));
    activate(&eve.token()).await.expect_problem(422, "/token");
    // Whoever was too late gets the activation again by asking for a new password.
    let token = office.token_for("eve@example.com").await;
    reset(&token).await.expect_problem(422, "/token");
    activate(&token).await.expect(201);
}

#[tokio::test]
async fn a_new_token_takes_the_place_of_the_last() {
    let office = Office::new().await;
    let first = office.token_for("a@example.com").await;
    let second = office.token_for("a@example.com").await;
    let anyone = office.app.anyone();
    let reset = |token: &str| anyone.post("/auth/resetpassword", json!({"token": token, "password": NEW}));
    reset(&first).await.expect_problem(422, "/token");
    reset(&second).await.expect(201);
}

#[tokio::test]
async fn a_password_that_is_refused_leaves_the_token_good() {
    let office = Office::new().await;
    let token = office.token_for("a@example.com").await;
    let anyone = office.app.anyone();
    let reset =
        |password: &str| anyone.post("/auth/resetpassword", json!({"token": token, "password": password}));
    for bad in ["", "short", "password1234", "A@example.com", &"x1".repeat(513)] {
        reset(bad).await.expect_problem(422, "/password");
    }
    assert!(office.knows("a", world::PASSWORD).await);
    reset("пароль из букв").await.expect(201);
    assert!(office.knows("a", "пароль из букв").await);
    for body in [json!({"token": token}), json!({"password": NEW}), json!({"token": 1, "password": NEW})] {
        anyone.post("/auth/resetpassword", body).await.expect(422);
    }
    for token in ["", "\0", "x", &"x".repeat(5_000)] {
        let body = json!({"token": token, "password": NEW});
        anyone.post("/auth/activate", body.clone()).await.expect_problem(422, "/token");
        anyone.post("/auth/resetpassword", body).await.expect_problem(422, "/token");
    }
}

#[tokio::test]
async fn nobody_learns_who_exists_by_forgetting_a_password() {
    let office = Office::new().await;
    for switch_off in [
        "UPDATE account SET disabled_at = now() WHERE username = 'b'",
        "UPDATE user_group SET disabled_at = now() WHERE name = 'a1'",
    ] {
        sqlx::query(switch_off).execute(&office.app.app.db).await.unwrap();
    }
    let mut answers: Vec<(u16, Value, Vec<String>)> = Vec::new();
    let addresses = ["a@example.com", "b@example.com", "a1@example.com", "nobody@example.com"];
    for (number, address) in (1..).zip(addresses) {
        let reply = office.app.anyone().post("/auth/forgotpassword", json!({"email": address})).await;
        let names = reply.headers.keys().map(ToString::to_string).collect();
        answers.push((reply.status.as_u16(), reply.json(), names));
        // Where nobody has the address, nothing is left of what was written.
        let known = number.min(3);
        assert_eq!(office.count("SELECT count(*) FROM mail WHERE account IS NULL").await, known);
        assert_eq!(office.count("SELECT count(*) FROM job WHERE state = 'queued'").await, known);
    }
    assert_eq!(answers[0].0, 200);
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    let mail = Office::only(office.mails().await);
    assert_eq!((mail.to.as_str(), mail.subject.as_str()), ("a@example.com", "Choose a new password"));
    assert_eq!(office.count("SELECT count(*) FROM mail").await, 0, "nothing is left of it");
    assert_eq!(office.count("SELECT count(*) FROM job").await, 0);
    for bad in ["", "a", "a@example.com\0", "a@b\u{202e}.c", &format!("{}@b.c", "a".repeat(300))] {
        let body = json!({"email": bad});
        office.app.anyone().post("/auth/forgotpassword", body).await.expect_problem(422, "/email");
    }
}

#[tokio::test]
async fn an_address_has_so_many_mails_an_hour_whether_or_not_anyone_has_it() {
    let office = Office::of(TestApp::builder().config(|config| config.resets_per_hour = 2)).await;
    for address in ["a@example.com", "nobody@example.com"] {
        let ask = |address: String| {
            let anyone = office.app.anyone();
            async move { anyone.post("/auth/forgotpassword", json!({"email": address})).await }
        };
        ask(address.to_owned()).await.expect(200);
        ask(address.to_uppercase()).await.expect(200);
        let refused = ask(address.to_owned()).await;
        refused.expect(429);
        let seconds: u64 = refused.headers[header::RETRY_AFTER].to_str().unwrap().parse().unwrap();
        assert!((1_700..=1_801).contains(&seconds), "{seconds}");
    }
}

#[tokio::test]
async fn tokens_are_void_where_a_group_was_switched_off_meanwhile() {
    let office = Office::new().await;
    let token = office.token_for("a1@example.com").await;
    let off = "UPDATE user_group SET disabled_at = now() WHERE name = 'a'";
    sqlx::query(off).execute(&office.app.app.db).await.unwrap();
    let body = json!({"token": token, "password": NEW});
    office.app.anyone().post("/auth/resetpassword", body.clone()).await.expect_problem(422, "/token");
    let on = "UPDATE user_group SET disabled_at = NULL WHERE name = 'a'";
    sqlx::query(on).execute(&office.app.app.db).await.unwrap();
    office.app.anyone().post("/auth/resetpassword", body).await.expect(201);
}
