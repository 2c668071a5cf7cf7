//! A user's life: created, activated, forgetful, deleted.

use super::{NEW, Office, Session, create, draft};
use crate::{app::TestApp, client::Client, world};
use scrip::{app::App, http, time::Clock};
use serde_json::{Value, json};
use std::time::Duration;

const LATER: &str = "another seven bottles";

#[tokio::test]
async fn a_user_is_created_activated_forgets_and_comes_back() {
    let office = Office::new().await;
    let (a, anyone) = (office.app.user("a").await, office.app.anyone());
    let id = create(
        &a,
        json!({"username": "ann", "email": "Ann@example.com", "userGroup": world::A1, "language": 2}),
    )
    .await;
    assert!(!office.knows("ann", "").await, "there is no password yet");
    let mail = Office::only(office.mails().await);
    assert_eq!((mail.to.as_str(), mail.subject.as_str()), ("Ann@example.com", "Activeer je Scrip-account"));
    assert!(mail.text.contains("Hallo ann,") && mail.text.contains("7 dagen"), "{}", mail.text);

    let body = json!({"token": mail.token(), "password": NEW});
    let first = Session::of(&anyone.post("/auth/activate", body.clone()).await.expect(201));
    let me = office.app.bearer(&first.access).get("/user/me").await.expect(200);
    assert_eq!((&me["username"], &me["emailConfirmed"]), (&json!("ann"), &json!(1)));
    assert_eq!(me["userGroup"]["id"], world::A1);
    let shown = a.get(&format!("/user/{id}")).await.expect(200);
    assert_eq!((&shown["userGroup"], &shown["language"]), (&json!(world::A1), &json!(2)));
    assert!(shown.get("password_expires").is_some_and(Value::is_null), "{shown}");
    assert_eq!((&shown["emailConfirmed"], &shown["disabledAt"]), (&json!(1), &json!(null)));
    anyone.post("/auth/activate", body).await.expect_problem(422, "/token");
    let second = office.log_in("ann@example.com", NEW).await;

    let token = office.token_for("ann@EXAMPLE.com").await;
    assert!(office.lets_in(&first).await && office.knows("ann", NEW).await, "asking changes nothing");
    let body = json!({"token": token, "password": LATER});
    let third = Session::of(&anyone.post("/auth/resetpassword", body).await.expect(201));
    for old in [&first, &second] {
        assert!(!office.lets_in(old).await);
        anyone.post("/auth/refresh", json!({"refresh_token": old.refresh})).await.expect(401);
    }
    assert!(office.lets_in(&third).await);
    let renewed = anyone.post("/auth/refresh", json!({"refresh_token": third.refresh})).await.expect(201);
    assert!(office.lets_in(&Session::of(&renewed)).await);
    assert!(!office.knows("ann", NEW).await && office.knows("ann", LATER).await);
}

#[tokio::test]
async fn a_deleted_user_is_out_and_its_name_stays_taken() {
    let office = Office::new().await;
    let (a, anyone) = (office.app.user("a").await, office.app.anyone());
    let id = create(&a, draft("ann", world::A)).await;
    let token = Office::only(office.mails().await).token();
    let session = Session::of(
        &anyone.post("/auth/activate", json!({"token": token, "password": NEW})).await.expect(201),
    );
    let token = office.token_for("ann@example.com").await;
    let path = format!("/user/{id}");
    a.delete(&path).await.expect(200);
    assert!(!office.lets_in(&session).await && !office.knows("ann", NEW).await);
    anyone.post("/auth/refresh", json!({"refresh_token": session.refresh})).await.expect(401);
    let body = json!({"token": token, "password": LATER});
    anyone.post("/auth/resetpassword", body).await.expect_problem(422, "/token");
    anyone.post("/auth/forgotpassword", json!({"email": "ann@example.com"})).await.expect(200);
    assert!(office.mails().await.is_empty());
    a.get(&path).await.expect(404);
    let listed = a.get("/user").await.expect(200);
    let names: Vec<_> = listed.as_array().unwrap().iter().map(|user| user["username"].clone()).collect();
    assert_eq!(names, ["a", "a1"]);
    let members = a.get(&format!("/usergroup/{}/users", world::A)).await.expect(200);
    assert_eq!(members.as_array().unwrap().len(), 1, "{members}");
    a.delete(&path).await.expect(404);
    a.put(&path, json!({"language": 2})).await.expect(404);
    let again =
        json!({"username": "ANN", "email": "other@example.com", "userGroup": world::A, "language": 1});
    a.post("/user", again).await.expect_problem(422, "/username");
    assert_eq!(office.count("SELECT count(*) FROM account WHERE username = 'ann'").await, 1);
}

#[tokio::test]
async fn every_server_lets_go_of_who_was_switched_off() {
    let office = Office::new().await;
    let other = App::start(office.app.app.config.clone(), Clock::default()).unwrap();
    let at_other = |token: &str| Client::new(http::surface(other.clone()), Some(token.to_owned()));
    let root = office.app.user("root").await;
    let (a1, b) = (office.log_in("a1", world::PASSWORD).await, office.log_in("b", world::PASSWORD).await);
    let key = world::key(&office.app.app.db, world::B, None, &["usergroup.read"]).await;
    at_other(&a1.access).get("/user/me").await.expect(200);
    at_other(&b.access).get(&format!("/usergroup/{}/children", world::B)).await.expect(200);
    at_other(&key).get(&format!("/usergroup/{}/children", world::B)).await.expect(200);

    root.delete(&format!("/user/{}", world::A1)).await.expect(200);
    becomes(&at_other(&a1.access), "/user/me", 401).await;
    root.put(&format!("/usergroup/{}", world::B), json!({"permissions": ["user.read"]})).await.expect(200);
    for token in [&b.access, &key] {
        becomes(&at_other(token), &format!("/usergroup/{}/children", world::B), 403).await;
    }
    other.stop.cancel();
}

/// Waits until a path is answered so.
async fn becomes(client: &Client, path: &str, status: u16) {
    let asked = async {
        while client.get(path).await.status != status {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    assert!(tokio::time::timeout(Duration::from_secs(10), asked).await.is_ok(), "{path} never is {status}");
}

#[tokio::test]
async fn a_log_in_that_a_reset_overtakes_comes_to_nothing() {
    let test = TestApp::new().await;
    let open = |generation| scrip::identity::sessions::open(&test.app, world::A, generation);
    assert!(open(0).await.unwrap().is_some());
    let mut tx = scrip::transaction::begin(&test.app.db).await.unwrap();
    let now = test.app.clock.now();
    assert_eq!(scrip::identity::sessions::end_all(&mut tx, world::A, now).await.unwrap(), 1);
    tx.commit().await.unwrap();
    assert!(open(0).await.unwrap().is_none(), "its password was checked before");
    assert!(open(1).await.unwrap().is_some());
}

#[tokio::test]
async fn the_links_of_mails_lead_to_a_page_of_this_server_alone() {
    let office = Office::new().await;
    let (a, anyone) = (office.app.user("a").await, office.app.anyone());
    create(&a, draft("ann", world::A)).await;
    let mail = Office::only(office.mails().await);
    assert!(mail.text.contains("/account/activate#"), "{}", mail.text);
    for (path, endpoint) in
        [("/account/activate", "../auth/activate"), ("/account/reset", "../auth/resetpassword")]
    {
        let page = anyone.get(path).await;
        assert_eq!(
            (page.status.as_u16(), &page.headers["referrer-policy"]),
            (200, &"no-referrer".parse().unwrap())
        );
        assert!(page.headers["content-security-policy"].to_str().unwrap().starts_with("default-src 'none'"));
        assert!(page.text().contains(&format!("data-endpoint=\"{endpoint}\"")), "{path}");
        for file in ["password.css", "password.js"] {
            assert!(page.text().contains(&format!("\"{file}\"")), "{file}");
            assert_eq!(anyone.get(&format!("/account/{file}")).await.status, 200, "{file}");
        }
    }
}
