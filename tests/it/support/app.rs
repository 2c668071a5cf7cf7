//! A whole server in the test's process, with a database and keys of its own.

use crate::{
    client::Client,
    database::{self, Database},
    world,
};
use chrono::{DateTime, Utc};
use scrip::{
    app::App,
    config::Config,
    http::{self, Surface},
    time::Clock,
};
use secrecy::SecretString;
use serde_json::{Value, json};

/// A server under test.
#[derive(Debug)]
pub struct TestApp {
    /// The server's parts.
    pub app: App,
    surface: Surface,
    // Dropped last: the others hold connections to it.
    _database: Database,
}

/// What a server is to be like.
pub struct Builder {
    clock: Clock,
    config: Config,
    redis_url: String,
}

impl TestApp {
    /// As most tests want it.
    pub async fn new() -> Self {
        Self::builder().build().await
    }

    /// For tests that want it otherwise.
    pub fn builder() -> Builder {
        let config = Config {
            signing_secret: Some(SecretString::from("of the tests alone, 5f8f1e4b7f9a7b1d")),
            argon2_memory_kib: 64,
            argon2_passes: 1,
            database_connections: 8,
            ..Config::default()
        };
        Builder { clock: Clock::default(), config, redis_url: database::url("SCRIP_TEST_REDIS_URL") }
    }

    /// Someone without a token.
    pub fn anyone(&self) -> Client {
        Client::new(self.surface.clone(), None)
    }

    /// Someone with this token or key.
    pub fn bearer(&self, token: impl Into<String>) -> Client {
        Client::new(self.surface.clone(), Some(token.into()))
    }

    /// The user of a group, logged in: "root", "a", "a1" or "b".
    pub async fn user(&self, name: &str) -> Client {
        self.bearer(self.session(name).await["access_token"].as_str().unwrap())
    }

    /// The tokens of such a user, who logs in.
    pub async fn session(&self, name: &str) -> Value {
        let credentials = json!({"username": name, "password": world::PASSWORD});
        self.anyone().post("/auth/login", credentials).await.expect(201)
    }

    /// A machine of a group with a key of its own.
    pub async fn device(&self, group: i64, hostname: &str) -> Client {
        self.bearer(world::key(&self.app.db, group, Some(hostname), &["voucher.redeem"]).await)
    }
}

impl Drop for TestApp {
    fn drop(&mut self) {
        self.app.stop.cancel();
    }
}

impl Builder {
    /// With a clock that stands still.
    pub fn stopped_at(mut self, instant: &str) -> Self {
        let instant: DateTime<Utc> = instant.parse().unwrap();
        self.clock = Clock::stopped_at(instant);
        self
    }

    /// With other settings.
    pub fn config(mut self, change: impl FnOnce(&mut Config)) -> Self {
        change(&mut self.config);
        self
    }

    /// With a Redis that never answers.
    pub fn without_redis(mut self) -> Self {
        // Nobody can listen on port 0.
        "redis://127.0.0.1:0".clone_into(&mut self.redis_url);
        self
    }

    /// Starts it.
    pub async fn build(self) -> TestApp {
        let database = Database::new().await;
        let config = Config {
            database_url: SecretString::from(database.url.clone()),
            redis_url: SecretString::from(self.redis_url),
            redis_prefix: database.name.clone(),
            ..self.config
        };
        let app = App::start(config, self.clock).unwrap();
        TestApp { surface: http::surface(app.clone()), app, _database: database }
    }
}
