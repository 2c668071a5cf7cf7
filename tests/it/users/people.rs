//! Creating, changing and deleting users: who may, whom, and what is refused.

use super::{NEW, Office, create, draft};
use crate::world;
use axum::http::StatusCode;
use serde_json::{Value, json};

/// A user as it is stored.
pub(super) async fn stored(office: &Office, id: i64) -> Value {
    sqlx::query_scalar("SELECT to_jsonb(a) FROM account a WHERE id = $1")
        .bind(id)
        .fetch_one(&office.app.app.db)
        .await
        .unwrap()
}

#[tokio::test]
async fn a_draft_is_refused_where_it_is_wrong() {
    let office = Office::new().await;
    let foreign: i64 = sqlx::query_scalar(
        "INSERT INTO language (user_group, name, language, locale) VALUES (4, 'Deutsch', 'de', 'de-DE') RETURNING id",
    )
    .fetch_one(&office.app.app.db)
    .await
    .unwrap();
    let a = office.app.user("a").await;
    let with = |field: &str, value: Value| {
        let mut draft = draft("ann", world::A);
        draft[field] = value;
        draft
    };
    for (field, value) in [
        ("username", json!("")),
        ("username", json!("a\0b")),
        ("username", json!("\u{202e}nna")),
        ("username", json!("b@example.com")),
        ("username", json!("A1")),
        ("username", json!("x".repeat(100_000))),
        ("username", json!(null)),
        ("email", json!("nowhere")),
        ("email", json!(0)),
        ("email", json!("A1@example.com")),
        ("email", json!("x\0@example.com")),
        ("userGroup", json!(world::ROOT)),
        ("userGroup", json!(world::B)),
        ("userGroup", json!(i64::MAX)),
        ("userGroup", json!(-1)),
        ("language", json!(foreign)),
        ("language", json!(0)),
        ("admin", json!(true)),
    ] {
        let refused = a.post("/user", with(field, value.clone())).await;
        refused.expect_problem(422, &format!("/{field}"));
    }
    assert_eq!(office.count("SELECT count(*) FROM account").await, 4);
    assert!(office.mails().await.is_empty());
    for group in [world::A, world::A1] {
        create(&a, draft(&format!("ann{group}"), group)).await;
    }
}

#[tokio::test]
async fn a_changed_address_is_confirmed_again_and_the_old_one_is_told() {
    let office = Office::new().await;
    let (a, anyone) = (office.app.user("a").await, office.app.anyone());
    let a1 = office.log_in("a1", world::PASSWORD).await;
    let old = office.token_for("a1@example.com").await;
    let path = format!("/user/{}", world::A1);
    a.put(&path, json!({"email": "new@example.com", "language": 2})).await.expect(200);
    let user = stored(&office, world::A1).await;
    assert_eq!((&user["email"], &user["email_confirmed"]), (&json!("new@example.com"), &json!(false)));
    let [confirm, told] = <[_; 2]>::try_from(office.mails().await).unwrap();
    assert_eq!(confirm.to, "new@example.com");
    assert_eq!(confirm.subject, "Bevestig je nieuwe e-mailadres");
    assert_eq!((told.to.as_str(), told.text.contains("new@example.com")), ("a1@example.com", true));
    assert!(told.text.contains("/account/restore#"), "it can be taken back: {}", told.text);
    assert!(office.lets_in(&a1).await, "nothing else has changed");

    let body = json!({"token": old, "password": NEW});
    anyone.post("/auth/resetpassword", body).await.expect_problem(422, "/token");
    anyone.post("/auth/activate", json!({"token": confirm.token(), "password": NEW})).await.expect(201);
    assert_eq!(stored(&office, world::A1).await["email_confirmed"], true);
    assert!(!office.lets_in(&a1).await && office.knows("new@example.com", NEW).await);

    a.put(&path, json!({"email": "NEW@example.com"})).await.expect(200);
    assert!(office.mails().await.is_empty(), "the same address in other letters");
    assert_eq!(stored(&office, world::A1).await["email_confirmed"], true);
}

#[tokio::test]
async fn a_mail_on_its_way_does_not_go_to_an_address_that_is_no_longer_the_users() {
    let office = Office::new().await;
    let a = office.app.user("a").await;
    let id = create(&a, draft("ann", world::A)).await;
    a.put(&format!("/user/{id}"), json!({"email": "right@example.com"})).await.expect(200);
    let mail = Office::only(office.mails().await);
    assert_eq!(
        (mail.to.as_str(), mail.subject.as_str()),
        ("right@example.com", "Activate your Scrip account")
    );
}

#[tokio::test]
async fn a_patch_keeps_what_it_does_not_name_and_is_refused_where_it_is_wrong() {
    let office = Office::new().await;
    let a = office.app.user("a").await;
    let path = format!("/user/{}", world::A1);
    let before = stored(&office, world::A1).await;
    a.put(&path, json!({})).await.expect(200);
    let same = json!({"username": "a1", "email": "a1@example.com", "userGroup": world::A1, "language": 1});
    a.patch(&path, same).await.expect(200);
    let mut after = stored(&office, world::A1).await;
    after["updated_at"] = before["updated_at"].clone();
    assert_eq!(after, before);
    for (field, value) in [
        ("username", json!("a")),
        ("username", json!(null)),
        ("email", json!("a@example.com")),
        ("userGroup", json!(world::B)),
        ("userGroup", json!(world::ROOT)),
        ("language", json!(i64::MIN)),
        ("disabledAt", json!("2026-01-01T00:00:00Z")),
    ] {
        a.put(&path, json!({field: value})).await.expect_problem(422, &format!("/{field}"));
    }
    a.put(&path, json!({"userGroup": world::A, "username": "anna"})).await.expect(200);
    let user = stored(&office, world::A1).await;
    assert_eq!((&user["user_group"], &user["username"]), (&json!(world::A), &json!("anna")));
}

#[tokio::test]
async fn others_users_are_not_there_and_nobody_deletes_itself() {
    let office = Office::new().await;
    let a = office.app.user("a").await;
    for id in [world::ROOT, world::B, 0, i64::MAX] {
        a.put(&format!("/user/{id}"), json!({"language": 2})).await.expect(404);
        a.delete(&format!("/user/{id}")).await.expect(404);
    }
    a.delete(&format!("/user/{}", world::A)).await.expect(409);
    a.get("/user/me").await.expect(200);
    a.put("/user/ann", json!({})).await.expect_problem(400, "/id");
}

#[tokio::test]
async fn a_key_makes_nobody_who_may_do_more_than_itself() {
    let office = Office::new().await;
    let scopes = ["user.read", "user.write", "usergroup.write"];
    let key = office.app.bearer(world::key(&office.app.app.db, world::A, None, &scopes).await);
    key.post("/user", draft("ann", world::A1)).await.expect_problem(422, "/userGroup");
    // With another address it could have itself sent the other's mail.
    key.put(&format!("/user/{}", world::A1), json!({"email": "x@example.com"})).await.expect(403);
    key.post("/usergroup", json!({"name": "x", "parent": world::A}))
        .await
        .expect_problem(422, "/permissions");
    let narrow = json!({"name": "x", "parent": world::A, "permissions": ["user.read"]});
    let group = key.post("/usergroup", narrow).await.expect(201)["id"].as_i64().unwrap();
    let ann = create(&key, draft("ann", group)).await;
    key.put(&format!("/user/{ann}"), json!({"userGroup": world::A1})).await.expect_problem(422, "/userGroup");
    key.put(&format!("/user/{ann}"), json!({"email": "x@example.com"})).await.expect(200);
    let reader = office.app.bearer(world::key(&office.app.app.db, world::A, None, &["user.read"]).await);
    for refused in [
        reader.post("/user", draft("eve", world::A)).await,
        reader.put(&format!("/user/{ann}"), json!({})).await,
        reader.delete(&format!("/user/{ann}")).await,
    ] {
        assert_eq!(refused.status, StatusCode::FORBIDDEN);
    }
}

#[tokio::test]
async fn names_that_pass_for_others_are_refused_and_old_ones_go_on() {
    let office = Office::new().await;
    let db = &office.app.app.db;
    // There before looks were noted: two that look alike.
    sqlx::query(
        "INSERT INTO account (username, email, language, user_group, password_hash)
         SELECT name, name || '@example.com', 1, 2, a.password_hash
         FROM unnest(ARRAY['coco', 'сосо', 'ｂｏｂ']) AS name, account a WHERE a.username = 'a'",
    )
    .execute(db)
    .await
    .unwrap();
    scrip::identity::look::give_looks(db).await.unwrap();
    assert_eq!(office.count("SELECT count(*) FROM account WHERE look IS NULL").await, 0);
    for name in ["coco", "сосо", "ｂｏｂ", "bob"] {
        assert!(office.knows(name, world::PASSWORD).await == (name != "bob"), "{name}");
    }
    let a = office.app.user("a").await;
    create(&a, draft("demo", world::A)).await;
    let named =
        |name: &str| json!({"username": name, "email": "x@example.com", "userGroup": 2, "language": 1});
    for name in ["dеmo", "de\u{ad}mo", "ｄｅｍｏ", "DEM0", "сосо", "c0co", "BOB"] {
        a.post("/user", named(name)).await.expect_problem(422, "/username");
    }
    let soso: i64 =
        sqlx::query_scalar("SELECT id FROM account WHERE username = 'сосо'").fetch_one(db).await.unwrap();
    a.put(&format!("/user/{soso}"), json!({"username": "сосо", "language": 2})).await.expect(200);
    a.put(&format!("/user/{soso}"), json!({"username": "demO"})).await.expect_problem(422, "/username");
    a.put(&format!("/user/{soso}"), json!({"username": "Ｓｏｓｏ"})).await.expect(200);
    assert_eq!(stored(&office, soso).await["username"], "Soso");
    assert!(office.knows("ＳＯＳＯ", world::PASSWORD).await, "spelled as it was typed");
    // What others have is not told to who may not know of it.
    let b = office.app.user("b").await;
    create(&b, json!({"username": "dem0", "email": "x@example.com", "userGroup": 4, "language": 1})).await;
}

#[tokio::test]
async fn mails_do_not_carry_what_a_name_advertises() {
    let office = Office::new().await;
    let a = office.app.user("a").await;
    let bait = "Your account is locked - unlock at evil.example/unlock";
    let user = json!({"username": bait, "email": "x@example.com", "userGroup": world::A, "language": 1});
    let id = create(&a, user).await;
    let mail = Office::only(office.mails().await);
    assert!(mail.text.contains("Hello,") && !mail.text.contains("evil"), "{}", mail.text);
    a.put(&format!("/user/{id}"), json!({"username": "x@example.com"})).await.expect(200);
    office.app.anyone().post("/auth/forgotpassword", json!({"email": "x@example.com"})).await.expect(200);
    assert!(Office::only(office.mails().await).text.contains("Hello x@example.com,"));
}

#[tokio::test]
async fn a_group_writes_to_so_many_strangers_an_hour() {
    let few = |config: &mut scrip::config::Config| config.mails_to_strangers_per_hour = 3;
    let office = Office::of(crate::app::TestApp::builder().config(few)).await;
    let a = office.app.user("a").await;
    let ann = create(&a, draft("ann", world::A)).await;
    for _ in 0..5 {
        a.post("/user", draft("ann", world::A)).await.expect_problem(422, "/username");
    }
    create(&a, draft("bob", world::A)).await;
    let path = format!("/user/{ann}");
    a.put(&path, json!({"email": "ann2@example.com"})).await.expect(200);
    a.put(&path, json!({"email": "ann3@example.com"})).await.expect(429);
    a.put(&path, json!({"username": "anne"})).await.expect(200);
    a.post("/user", draft("eve", world::A)).await.expect(429);
    assert_eq!(stored(&office, ann).await["email"], "ann2@example.com");
    assert_eq!(office.count("SELECT count(*) FROM account WHERE username = 'eve'").await, 0);
    create(&office.app.user("b").await, draft("eve", world::B)).await;
}
