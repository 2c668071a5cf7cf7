//! The operator's commands: the first user, lost passwords, erasure, a person's data.

use super::{NEW, Office, create, draft};
use crate::{
    database::{self, Database},
    server::Server,
    world,
};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, PgPool};

/// The token in a printed link, which leads to this page.
#[track_caller]
fn token(link: &str, page: &str) -> String {
    let start = format!("http://127.0.0.1:8080/account/{page}#");
    link.strip_prefix(&start).unwrap_or_else(|| panic!("{link}")).trim_end().to_owned()
}

/// Logs in; the access token, if that is let in.
async fn log_in(server: &Server, username: &str, password: &str) -> Option<String> {
    let body = json!({"username": username, "password": password});
    let (status, session) = server.post("/auth/login", "", &body).await.unwrap();
    (status == 201).then(|| session["access_token"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn an_empty_installation_gets_its_first_user_and_further_ones_without_sql() {
    let database = Database::empty().await;
    let mut server = Server::of(&database);
    let ann = ["user", "add", "--username", "ann", "--email", "ann@example.com", "--language", "nl"];
    let link = server.run(&ann, "").well();
    server.restart().await;
    let body = json!({"token": token(&link, "activate"), "password": NEW});
    assert_eq!(server.post("/auth/activate", "", &body).await.unwrap().0, 201);
    let access = log_in(&server, "ann", NEW).await.unwrap();
    let (_, me) = server.get("/user/me", &access).await.unwrap();
    assert_eq!((&me["userGroup"]["name"], &me["language"]["language"]), (&json!("Main"), &json!("nl")));
    assert_eq!(me["userGroup"]["parent"], json!(null));
    let (_, languages) = server.get("/language", &access).await.unwrap();
    assert_eq!(languages.as_array().unwrap().len(), 4);
    let child = json!({"name": "Fillers", "parent": me["userGroup"]["id"], "permissions": ["user.read"]});
    let (status, child) = server.post("/usergroup", &access, &child).await.unwrap();
    assert_eq!(status, 201);

    let bob = ["user", "add", "--username", "bob", "--email", "bob@example.com", "--password-stdin"];
    let with = |more: &[&'static str]| [&bob[..], more].concat();
    server.run(&with(&[]), NEW).refused("--group is needed");
    server.run(&with(&["--group", "Nowhere"]), NEW).refused("--group is no group");
    server.run(&with(&["--group", "Main", "--language", "xx"]), NEW).refused("--language is no language");
    server.run(&with(&["--group", "Main"]), "short\n").refused("the password must have");
    server.run(&with(&["--group", "Main"]), "").refused("the password must have");
    assert_eq!(server.run(&with(&["--group", "Fillers"]), &format!("{NEW}\r\n")).well(), "");
    server.run(&with(&["--group", "Main"]), NEW).refused("--username is taken");
    let taken = ["user", "add", "--username", "eve", "--email", "BOB@example.com", "--group", "Main"];
    server.run(&taken, "").refused("--email is taken");
    let access = log_in(&server, "bob", NEW).await.unwrap();
    let (_, me) = server.get("/user/me", &access).await.unwrap();
    assert_eq!((&me["userGroup"]["id"], &me["emailConfirmed"]), (&child["id"], &json!(0)));

    // A group that shares its name is named by its id.
    let db = PgPool::connect(&database.url).await.unwrap();
    sqlx::query(
        "INSERT INTO user_group (name, parent) SELECT 'Main', id FROM user_group WHERE name = 'Main'",
    )
    .execute(&db)
    .await
    .unwrap();
    let eve = ["user", "add", "--username", "eve", "--email", "eve@example.com", "--group"];
    server.run(&[&eve[..], &["Main"]].concat(), "").refused("--group is the name of several groups");
    let id = child["id"].to_string();
    let link = server.run(&[&eve[..], &[&id]].concat(), "").well();
    token(&link, "activate");
}

#[tokio::test]
async fn without_a_schema_the_operator_is_told_what_to_run() {
    let database = Database::bare().await;
    let server = Server::of(&database);
    let ann = ["user", "add", "--username", "ann", "--email", "ann@example.com"];
    server.run(&ann, "").refused("scrip migrate");
}

#[tokio::test]
async fn who_lost_everything_is_let_in_again_and_nobody_else_stays_in() {
    let database = Database::new().await;
    let server = Server::start(&database).await;
    let before = log_in(&server, "a", world::PASSWORD).await.unwrap();
    let link = server.run(&["user", "reset-password", "A@example.com"], "").well();
    let body = json!({"token": token(&link, "reset"), "password": NEW});
    assert_eq!(server.post("/auth/resetpassword", "", &body).await.unwrap().0, 201);
    assert_eq!(server.post("/auth/resetpassword", "", &body).await.unwrap().0, 422, "it is good once");
    assert_eq!(server.get("/user/me", &before).await.unwrap().0, 401, "its sessions have ended");

    let reset = ["user", "reset-password", "a", "--password-stdin"];
    server.run(&reset, "a@example.com").refused("the password");
    assert_eq!(server.run(&reset, "another seven bottles").well(), "");
    assert!(log_in(&server, "a", NEW).await.is_none());
    assert!(log_in(&server, "a", "another seven bottles").await.is_some());
    server.run(&["user", "reset-password", "nobody"], "").refused("no such user");
    let db = PgPool::connect(&database.url).await.unwrap();
    sqlx::query("UPDATE user_group SET disabled_at = now() WHERE name = 'b'").execute(&db).await.unwrap();
    server.run(&["user", "reset-password", "b"], "").refused("disabled");
}

/// The tables that have a text anywhere in a row, in any letters.
async fn tables_with(db: &PgPool, text: &str) -> Vec<String> {
    let tables: Vec<String> = sqlx::query_scalar(
        "SELECT oid::regclass::text FROM pg_class
         WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace ORDER BY 1",
    )
    .fetch_all(db)
    .await
    .unwrap();
    let mut found = Vec::new();
    for table in tables {
        let sql = format!("SELECT EXISTS (SELECT FROM {table} t WHERE position($1 IN lower(t::text)) > 0)");
        let there: bool =
            sqlx::query_scalar(AssertSqlSafe(sql)).bind(text.to_lowercase()).fetch_one(db).await.unwrap();
        if there {
            found.push(table);
        }
    }
    found
}

const NAME: &str = "Wilhelmina Quist";
const ADDRESS: &str = "w.quist@erase.example";

/// A user who is all over the place; its id and an access token.
async fn quist(office: &Office) -> (i64, String) {
    let db = &office.app.app.db;
    let a = office.app.user("a").await;
    let user = json!({"username": NAME, "email": ADDRESS, "userGroup": world::A1, "language": 1});
    let id = create(&a, user).await;
    let token = Office::only(office.mails().await).token();
    let body = json!({"token": token, "password": NEW});
    office.app.anyone().post("/auth/activate", body).await.expect(201);
    let session = office.log_in(NAME, NEW).await;
    for sql in [
        "INSERT INTO login_address (account, address, last_at) VALUES ($1, '192.0.2.77', now())
         ON CONFLICT DO NOTHING",
        "INSERT INTO dashboard (account, name, created_at, updated_at)
         SELECT id, 'Board of ' || username, now(), now() FROM account WHERE id = $1",
        "WITH told AS (INSERT INTO alert_group (user_group, name) VALUES (3, 'Night shift') RETURNING id)
         INSERT INTO alert_recipient (user_group, alert_group, name, email, language)
         SELECT 3, told.id, a.username, upper(a.email), 1 FROM told, account a WHERE a.id = $1",
        "INSERT INTO mail (letter, recipient, content, created_at)
         SELECT 'alert', email, jsonb_build_object('to', username), now() FROM account WHERE id = $1",
    ] {
        sqlx::query(sql).bind(id).execute(db).await.unwrap();
    }
    office.app.anyone().post("/auth/forgotpassword", json!({"email": ADDRESS})).await.expect(200);
    a.put(&format!("/user/{id}"), json!({"email": format!("new.{ADDRESS}")})).await.expect(200);
    a.put(&format!("/user/{id}"), json!({"email": ADDRESS})).await.expect(200);
    (id, session.access)
}

#[tokio::test]
async fn an_erased_person_is_nowhere_any_more() {
    let office = Office::new().await;
    let db = &office.app.app.db;
    let (id, access) = quist(&office).await;
    let before = [tables_with(db, NAME).await, tables_with(db, "w.quist").await].concat();
    for table in ["account", "alert_recipient", "dashboard", "mail"] {
        assert!(before.iter().any(|found| found == table), "{table}: {before:?}");
    }
    let path = format!("/user/{id}?erase=true");
    office.app.user("b").await.delete(&path).await.expect(404);
    let reader = office.app.bearer(world::key(db, world::A, None, &["user.read"]).await);
    reader.delete(&path).await.expect(403);
    let a = office.app.user("a").await;
    a.delete(&format!("/user/{id}?erase=maybe")).await.expect_problem(400, "/erase");
    a.delete(&path).await.expect(200);
    for text in [NAME, "Wilhelmina", "quist", "192.0.2.77"] {
        assert_eq!(tables_with(db, text).await, Vec::<String>::new(), "{text}");
    }
    assert_eq!(office.app.bearer(&access).get("/user/me").await.status, 401);
    assert!(office.mails().await.is_empty());
    assert_eq!(
        office.count("SELECT count(*) FROM account WHERE password_hash IS NULL").await,
        1,
        "it is kept"
    );
    a.get(&format!("/user/{id}")).await.expect(404);
    a.delete(&format!("/user/{id}?erase=1")).await.expect(200);
    let (again, _) = quist(&office).await;
    assert_ne!(again, id, "name and address are free");
}

#[tokio::test]
async fn who_was_deleted_can_be_erased_later_but_nobody_erases_itself() {
    let office = Office::new().await;
    let a = office.app.user("a").await;
    let id = create(&a, draft("wilhelmina", world::A1)).await;
    a.delete(&format!("/user/{id}")).await.expect(200);
    assert_eq!(tables_with(&office.app.app.db, "wilhelmina").await, ["account", "activity", "mail"]);
    a.delete(&format!("/user/{}?erase=true", world::A)).await.expect(409);
    a.delete(&format!("/user/{id}?erase=true")).await.expect(200);
    assert!(tables_with(&office.app.app.db, "wilhelmina").await.is_empty());
}

#[tokio::test]
async fn the_operator_exports_and_erases_by_name() {
    let office = Office::new().await;
    let (id, _) = quist(&office).await;
    let config = &office.app.app.config;
    let server = Server::on(
        secrecy_of(&config.database_url),
        &database::url("SCRIP_TEST_REDIS_URL"),
        &config.redis_prefix,
    );
    let record = server.run(&["user", "export", NAME], "").well();
    assert!(!record.contains("argon2"), "{record}");
    let record: Value = serde_json::from_str(&record).unwrap();
    assert_eq!((&record["account"]["id"], &record["account"]["email"]), (&json!(id), &json!(ADDRESS)));
    assert_eq!(record["login_address.account"][0]["address"], "192.0.2.77");
    assert_eq!(record["alertRecipients"][0]["name"], NAME);
    for with_rows in ["dashboard.account", "refresh_token.account", "mail.account", "mailsToAddress"] {
        assert!(record[with_rows].as_array().is_some_and(|rows| !rows.is_empty()), "{with_rows}");
    }
    assert!(record["refresh_token.account"][0].get("hash").is_none());
    assert_eq!(record["api_key.created_by"], json!([]));

    assert_eq!(server.run(&["user", "erase", ADDRESS], "").well(), "");
    assert!(tables_with(&office.app.app.db, NAME).await.is_empty());
    server.run(&["user", "erase", ADDRESS], "").refused("no such user");
    server.run(&["user", "export", NAME], "").refused("no such user");
}

/// A setting in clear.
fn secrecy_of(setting: &secrecy::SecretString) -> &str {
    secrecy::ExposeSecret::expose_secret(setting)
}
