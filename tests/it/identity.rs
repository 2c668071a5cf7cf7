//! Log-in, sessions, API keys and permissions, through HTTP and on a real Postgres.

use axum::{
    Router,
    body::{Body, to_bytes},
    http::{HeaderMap, Method, Request, StatusCode, header},
};
use chrono::{DateTime, Duration, Utc};
use scrip::{
    app::{App, MIGRATIONS},
    config::Config,
    error::{Error, Store},
    http::{Caller, caller::Permission},
    time::Clock,
};
use secrecy::SecretString;
use serde_json::{Value, json};
use sqlx::{PgPool, postgres::PgListener};
use std::collections::BTreeSet;
use tower::ServiceExt;

const PASSWORD: &str = "correct horse battery staple";
/// The root of one customer's groups, which has no list of its own.
const ROOT: i64 = 1;
/// Below the root, takes over what it has.
const BRANCH: i64 = 2;
/// Below the branch, with a list of its own.
const NARROW: i64 = 3;
/// Below the narrow one, with a list that asks for more than that has.
const GREEDY: i64 = 4;
/// Another customer.
const STRANGERS: i64 = 9;

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
    for _ in 0..9 {
        for (name, took) in ["ann", "nobody"].into_iter().zip(&mut took) {
            let begun = std::time::Instant::now();
            let body = json!({"username": name, "password": "wrong"});
            town.send(Method::POST, "/auth/login", None, Some(body)).await;
            took.push(begun.elapsed());
        }
    }
    let [known, unknown] = took.map(|mut took| {
        took.sort();
        took[4].as_secs_f64()
    });
    assert!((0.5..2.0).contains(&(unknown / known)), "known {known} s, unknown {unknown} s");
}

#[tokio::test]
async fn a_name_has_so_many_attempts_a_minute() {
    let town = Town::with(Config { logins_per_minute: 3, ..config() }).await;
    for name in ["ann", "nobody"] {
        for _ in 0..3 {
            let body = json!({"username": name, "password": "wrong"});
            let refused = town.send(Method::POST, "/auth/login", None, Some(body)).await;
            assert_eq!(refused.status, StatusCode::UNAUTHORIZED);
        }
        let body = json!({"username": name, "password": PASSWORD});
        let refused = town.send(Method::POST, "/auth/login", None, Some(body)).await;
        assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS);
        let seconds: u64 = refused.headers[header::RETRY_AFTER].to_str().unwrap().parse().unwrap();
        assert!((1..=21).contains(&seconds), "{seconds}");
    }
    town.log_in("bob").await;
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
async fn who_is_disabled_is_out() {
    let town = Town::new().await;
    for (name, disable) in [
        ("ann", "UPDATE account SET disabled_at = now() WHERE username = 'ann'"),
        ("carol", "UPDATE user_group SET deleted = true WHERE id = 2"),
    ] {
        let session = town.log_in(name).await;
        assert_eq!(town.get("/user/me", &session.access).await.0, StatusCode::OK);
        let mut notices = town.listen().await;
        town.sql(disable).await;
        town.relay(&mut notices, &town.app).await;
        assert_eq!(town.get("/user/me", &session.access).await.0, StatusCode::UNAUTHORIZED, "{name}");
        town.refresh(&session.refresh).await.unwrap_err();
    }
}

#[tokio::test]
async fn only_good_tokens_are_let_in() {
    let town = Town::new().await;
    let good = town.log_in("ann").await.access;
    let [head, body, signature] = good.split('.').collect::<Vec<_>>().try_into().unwrap();
    // {"alg":"none"}
    let unsigned = format!("eyJhbGciOiJub25lIn0.{body}.");
    let tampered = format!("{head}.{body}.{}", signature.chars().rev().collect::<String>());
    let unknown_key = format!("scrip_{}", "a".repeat(43));
    for bad in ["", "x", "scrip_", "scrip_short", &unsigned, &tampered, &unknown_key, &good[1..]] {
        let refused = town.send(Method::GET, "/user/me", Some(bad), None).await;
        assert_eq!(refused.status, StatusCode::UNAUTHORIZED, "{bad}");
        assert_eq!(refused.headers[header::WWW_AUTHENTICATE], "Bearer");
        assert_eq!(refused.headers[header::CONTENT_TYPE], "application/problem+json");
    }
    assert_eq!(town.send(Method::GET, "/user/me", None, None).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(town.get("/user/me", &good).await.0, StatusCode::OK);
}

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
async fn a_group_has_what_all_above_it_allow() {
    let town = Town::new().await;
    let may = async |name: &str, permission| {
        let token = town.log_in(name).await.access;
        town.caller(&token).await.may(permission).is_ok()
    };
    // A root without a list, and a group below it that takes it over.
    assert!(may("ann", Permission::FleetWrite).await && may("carol", Permission::FleetWrite).await);
    // A list of its own.
    assert!(may("dave", Permission::VoucherRedeem).await && !may("dave", Permission::CampaignWrite).await);
    // A list that asks for more than the group above has, or for less.
    assert!(may("erin", Permission::VoucherRedeem).await);
    assert!(!may("erin", Permission::CampaignWrite).await && !may("erin", Permission::ApiKeyWrite).await);
    let line = scrip::identity::groups::ancestors(&town.app.db, GREEDY).await.unwrap();
    assert_eq!(line, [GREEDY, NARROW, BRANCH, ROOT]);

    // Narrowed above, and so here.
    let mut notices = town.listen().await;
    town.sql("UPDATE user_group SET permissions = '{voucher.read,from.tomorrow}' WHERE id = 1").await;
    town.relay(&mut notices, &town.app).await;
    assert!(!may("erin", Permission::VoucherRedeem).await && !may("carol", Permission::FleetWrite).await);
    assert!(may("dave", Permission::VoucherRead).await && may("frank", Permission::FleetWrite).await);
}

#[tokio::test]
async fn who_is_known_stays_so_while_postgres_is_away() {
    let town = Town::new().await;
    let ann = town.log_in("ann").await.access;
    let bob = town.log_in("bob").await.access;
    town.caller(&ann).await;
    town.app.db.close().await;
    assert_eq!(town.get("/apikey?limit=0", &ann).await.0, StatusCode::BAD_REQUEST);
    let away = town.send(Method::GET, "/apikey", Some(&bob), None).await;
    assert_eq!(away.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(away.headers.contains_key(header::RETRY_AFTER));
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

/// A server in this process on a database of its own, with two customers' groups, users and machines.
struct Town {
    app: App,
    router: Router,
}

/// What logging in answers.
#[derive(Debug)]
struct Session {
    access: String,
    refresh: String,
}

/// What a request was answered.
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Value,
}

fn config() -> Config {
    Config {
        signing_secret: Some(SecretString::from("c0ffee5f8f1e4b7f9a7b1d2e3f405162")),
        database_connections: 4,
        argon2_memory_kib: 64,
        argon2_passes: 1,
        ..Config::default()
    }
}

impl Town {
    async fn new() -> Self {
        Self::with(config()).await
    }

    async fn with(config: Config) -> Self {
        let server = std::env::var("DATABASE_URL").expect("DATABASE_URL names a Postgres to test on");
        let name = format!("identity_{}", uuid::Uuid::new_v4().simple());
        let admin = PgPool::connect(&server).await.expect("connected");
        let mut create = sqlx::QueryBuilder::new("CREATE DATABASE ");
        create.push(&name).build().execute(&admin).await.expect("created");
        let (base, _) = server.rsplit_once('/').expect("a database in the URL");
        let config = Config { database_url: SecretString::from(format!("{base}/{name}")), ..config };
        let clock = Clock::stopped_at("2026-06-01T12:00:00Z".parse().expect("a time"));
        let app = App::start(config, clock).await.expect("started");
        MIGRATIONS.run(&app.db).await.expect("migrated");
        let (router, _) = scrip::identity::routes().split_for_parts();
        let town = Self { router: router.with_state(app.clone()), app };
        town.settle().await;
        town
    }

    /// Fills the database.
    async fn settle(&self) {
        let hash = self.app.passwords.hash(SecretString::from(PASSWORD)).await.expect("hashed");
        self.sql(
            "INSERT INTO language (id, name, language, locale) VALUES (1, 'Nederlands', 'nl', 'nl-NL');
             INSERT INTO user_group (id, name, parent, permissions) VALUES
                 (1, 'root', NULL, NULL), (2, 'branch', 1, NULL),
                 (3, 'narrow', 2, '{voucher.read,voucher.redeem,apikey.read,apikey.write}'),
                 (4, 'greedy', 3, '{voucher.redeem,campaign.write}'), (9, 'strangers', NULL, NULL);
             INSERT INTO location (id, user_group, name, address, postcode, city, country)
                 SELECT id, id, name, '', '', '', 'NL' FROM user_group;
             INSERT INTO machine_type (id, user_group, name) SELECT id, id, name FROM user_group;
             INSERT INTO machine (user_group, name, hostname, location, machine_type)
                 SELECT id, name, name, id, id FROM user_group",
        )
        .await;
        for (name, group) in [
            ("ann", ROOT),
            ("bob", ROOT),
            ("carol", BRANCH),
            ("dave", NARROW),
            ("erin", GREEDY),
            ("frank", STRANGERS),
        ] {
            self.sql(&format!(
                "INSERT INTO account (username, email, language, user_group, password_hash, email_confirmed)
                 VALUES ('{name}', '{name}@example.com', 1, {group}, '{hash}', true)"
            ))
            .await;
        }
    }

    async fn sql(&self, statements: &str) {
        let mut sql = sqlx::QueryBuilder::<sqlx::Postgres>::new("DO $do$ BEGIN ");
        sql.push(statements).push("; END $do$").build().execute(&self.app.db).await.expect("ran");
    }

    async fn count(&self, statement: &'static str) -> i64 {
        sqlx::query_scalar(statement).fetch_one(&self.app.db).await.expect("counted")
    }

    /// Refresh tokens that can still be exchanged for the next.
    async fn open_ends(&self) -> i64 {
        self.count("SELECT count(*) FROM refresh_token WHERE revoked_at IS NULL AND successor IS NULL").await
    }

    async fn machine(&self, group: i64) -> i64 {
        sqlx::query_scalar("SELECT id FROM machine WHERE user_group = $1")
            .bind(group)
            .fetch_one(&self.app.db)
            .await
            .expect("a machine a group")
    }

    fn now(&self) -> DateTime<Utc> {
        self.app.clock.now()
    }

    async fn send(&self, method: Method, path: &str, token: Option<&str>, body: Option<Value>) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        if let Some(token) = token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        if body.is_some() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        let body = body.map_or_else(Body::empty, |body| Body::from(body.to_string()));
        let request = request.body(body).expect("a request");
        let response = self.router.clone().oneshot(request).await.expect("an answer");
        let (status, headers) = (response.status(), response.headers().clone());
        let body = to_bytes(response.into_body(), 1 << 20).await.expect("a body");
        Answer { status, headers, body: serde_json::from_slice(&body).unwrap_or_default() }
    }

    async fn get(&self, path: &str, token: &str) -> (StatusCode, Value) {
        let answer = self.send(Method::GET, path, Some(token), None).await;
        (answer.status, answer.body)
    }

    async fn log_in(&self, username: &str) -> Session {
        let body = json!({"username": username, "password": PASSWORD});
        let answer = self.send(Method::POST, "/auth/login", None, Some(body)).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.body);
        Session::from(&answer.body)
    }

    /// A new session, or the problem that was answered.
    async fn refresh(&self, token: &str) -> Result<Session, Value> {
        let answer =
            self.send(Method::POST, "/auth/refresh", None, Some(json!({"refresh_token": token}))).await;
        if answer.status == StatusCode::CREATED {
            return Ok(Session::from(&answer.body));
        }
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
        Err(answer.body)
    }

    /// Who a handler would see.
    async fn caller(&self, token: &str) -> Caller {
        use axum::extract::FromRequestParts;
        let request = Request::builder().header(header::AUTHORIZATION, format!("Bearer {token}"));
        let (mut parts, ()) = request.body(()).expect("a request").into_parts();
        Caller::from_request_parts(&mut parts, &self.app).await.expect("a caller")
    }

    async fn listen(&self) -> PgListener {
        let mut listener = PgListener::connect_with(&self.app.db).await.expect("connected");
        listener.listen("scrip").await.expect("listening");
        listener
    }

    /// Tells `app` what Postgres has announced next.
    async fn relay(&self, notices: &mut PgListener, app: &App) {
        let notice = notices.recv().await.expect("a notice");
        let (noun, id) = notice.payload().split_once(':').expect("noun:id");
        app.access.on_notice(noun, id.parse().expect("an id"));
    }
}

impl From<&Value> for Session {
    fn from(body: &Value) -> Self {
        let text = |field: &str| body[field].as_str().expect("a token").to_owned();
        Self { access: text("access_token"), refresh: text("refresh_token") }
    }
}
