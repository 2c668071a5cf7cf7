//! Log-in, sessions, API keys and permissions, through HTTP and on a real Postgres.

mod access;
mod forms;
mod keys;
mod login;
mod sessions;

use crate::database::Database;
use axum::{
    body::{Body, to_bytes},
    extract::ConnectInfo,
    http::{HeaderMap, Method, Request, StatusCode, header},
};
use chrono::{DateTime, Utc};
use scrip::{
    app::App,
    config::Config,
    http::{self, Caller, Surface},
    time::Clock,
};
use secrecy::SecretString;
use serde_json::{Value, json};
use sqlx::postgres::PgListener;
use std::net::SocketAddr;
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

/// A server in this process on a database of its own, with two customers' groups, users and machines.
struct Town {
    app: App,
    surface: Surface,
    // Dropped last: the others hold connections to it.
    _database: Database,
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
        let database = Database::empty().await;
        let config = Config { database_url: SecretString::from(database.url.clone()), ..config };
        let clock = Clock::stopped_at("2026-06-01T12:00:00Z".parse().expect("a time"));
        let app = App::start(config, clock).expect("started");
        let town = Self { surface: http::surface(app.clone()), app, _database: database };
        town.settle().await;
        town
    }

    /// Fills the database.
    async fn settle(&self) {
        let turn = self.app.passwords.turn(None).await.expect("a turn");
        let hash = self.app.passwords.hash(turn, SecretString::from(PASSWORD)).await.expect("hashed");
        self.sql(
            "INSERT INTO user_group (id, name, parent, permissions) VALUES
                 (1, 'root', NULL, NULL), (2, 'branch', 1, NULL),
                 (3, 'narrow', 2, '{voucher.read,voucher.redeem,apikey.read,apikey.write}'),
                 (4, 'greedy', 3, '{voucher.redeem,campaign.write}'), (9, 'strangers', NULL, NULL);
             INSERT INTO language (id, user_group, name, language, locale) VALUES (1, 1, 'Nederlands', 'nl', 'nl-NL');
             INSERT INTO location (id, user_group, name, address, postcode, city, country)
                 SELECT id, id, name, '', '', '', 'NL' FROM user_group;
             INSERT INTO machine_type (id, user_group, name) SELECT id, id, name FROM user_group;
             INSERT INTO manufacturer (id, user_group, name) SELECT id, id, name FROM user_group;
             INSERT INTO error_profile (id, user_group, name, machine_type, manufacturer)
                 SELECT id, id, name, id, id FROM user_group;
             INSERT INTO machine_model (id, user_group, name, manufacturer, error_profile)
                 SELECT id, id, name, id, id FROM user_group;
             INSERT INTO machine (user_group, name, hostname, location, machine_type, machine_model, manufacturer)
                 SELECT id, name, name, id, id, id, id FROM user_group",
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
        self.send_from(None, method, path, token, body).await
    }

    /// Sends a request from an address, as if it had come over a network.
    async fn send_from(
        &self,
        address: Option<&str>,
        method: Method,
        path: &str,
        token: Option<&str>,
        body: Option<Value>,
    ) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        if let Some(address) = address {
            let peer = SocketAddr::new(address.parse().expect("an address"), 4711);
            request = request.extension(ConnectInfo(peer)).header(header::HOST, "scrip.example");
        }
        if let Some(token) = token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        if body.is_some() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        let body = body.map_or_else(Body::empty, |body| Body::from(body.to_string()));
        let request = request.body(body).expect("a request");
        let response = self.surface.clone().oneshot(request).await.expect("an answer");
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

    /// Tries to log in from an address.
    async fn attempt(&self, address: &str, username: &str, password: &str) -> StatusCode {
        let body = json!({"username": username, "password": password});
        self.send_from(Some(address), Method::POST, "/auth/login", None, Some(body)).await.status
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

    /// Tells `app` what Postgres has announced next, but for the notices that servers send to themselves.
    async fn relay(&self, notices: &mut PgListener, app: &App) {
        let mut notice = notices.recv().await.expect("a notice");
        while notice.payload().starts_with("seen:") {
            notice = notices.recv().await.expect("a notice");
        }
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
