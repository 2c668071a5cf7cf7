//! A database for each test: a copy of one that is migrated and settled once a run.

use crate::world;
use scrip::{telemetry::months, time::Clock};
use sqlx::{AssertSqlSafe, Connection, PgConnection, PgPool, postgres::PgConnectOptions};
use std::{
    str::FromStr,
    sync::atomic::{AtomicU32, Ordering},
};
use tokio::sync::OnceCell;

/// What `make test` sets.
pub fn url(name: &str) -> String {
    std::env::var(name)
        .unwrap_or_else(|_| panic!("{name} is not set: run `make test`, which starts the stores"))
}

/// Where a test's own stores are, and its share of them; gone when it is dropped.
#[derive(Debug)]
pub struct Database {
    admin_url: String,
    /// Of the test's database.
    pub url: String,
    /// Also the prefix of the test's keys in Redis.
    pub name: String,
}

impl Database {
    /// A fresh one, with [`world`] in it.
    pub async fn new() -> Self {
        Self::copy_of(|templates| &templates.settled).await
    }

    /// A fresh one, with nothing in it but the schema.
    pub async fn empty() -> Self {
        Self::copy_of(|templates| &templates.empty).await
    }

    /// A fresh one without even a schema.
    pub async fn bare() -> Self {
        Self::copy_of(|_| "template1").await
    }

    async fn copy_of(template: impl FnOnce(&'static Templates) -> &'static str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let admin_url = url("SCRIP_TEST_DATABASE_URL");
        let template = template(templates(&admin_url).await);
        let (process, number) = (std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let name = format!("scrip_test_{process}_{number}");
        execute(&admin_url, format!("CREATE DATABASE {name} TEMPLATE {template}")).await;
        Self { url: renamed(&admin_url, &name), admin_url, name }
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let (admin_url, name) = (self.admin_url.clone(), self.name.clone());
        // A thread of its own: the test's runtime may be shutting down, or be waiting for this.
        let dropping = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(execute(&admin_url, format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")));
        });
        let dropped = dropping.join().is_ok();
        assert!(dropped || std::thread::panicking(), "the database {} stays behind", self.name);
    }
}

/// The databases that the others are copies of.
#[derive(Debug)]
struct Templates {
    empty: String,
    settled: String,
}

async fn templates(admin_url: &str) -> &'static Templates {
    static TEMPLATES: OnceCell<Templates> = OnceCell::const_new();
    TEMPLATES
        .get_or_init(|| async {
            sweep(admin_url).await;
            let name = format!("scrip_test_{}", std::process::id());
            let templates = Templates { empty: format!("{name}_empty"), settled: format!("{name}_settled") };
            execute(admin_url, format!("CREATE DATABASE {}", templates.empty)).await;
            // Nobody may be connected to a database that is copied.
            let db = PgPool::connect(&renamed(admin_url, &templates.empty)).await.unwrap();
            scrip::postgres::schema::MIGRATIONS.run(&db).await.unwrap();
            // So that no server has months to make when it starts.
            let today = Clock::default().now().date_naive();
            months::look_after(&db, today, 0).await.unwrap();
            db.close().await;
            execute(admin_url, format!("CREATE DATABASE {} TEMPLATE {}", templates.settled, templates.empty))
                .await;
            let db = PgPool::connect(&renamed(admin_url, &templates.settled)).await.unwrap();
            world::settle(&db).await;
            db.close().await;
            templates
        })
        .await
}

/// Drops what earlier runs left behind.
async fn sweep(admin_url: &str) {
    let mut db = connect(admin_url).await;
    let names: Vec<String> =
        sqlx::query_scalar("SELECT datname FROM pg_database WHERE datname LIKE 'scrip_test_%'")
            .fetch_all(&mut db)
            .await
            .unwrap();
    for name in names {
        let process = name.split('_').nth(2).unwrap_or_default();
        if !std::path::Path::new("/proc").join(process).exists() {
            execute(admin_url, format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await;
        }
    }
}

async fn connect(url: &str) -> PgConnection {
    PgConnection::connect_with(&PgConnectOptions::from_str(url).unwrap()).await.unwrap()
}

async fn execute(admin_url: &str, sql: String) {
    let mut db = connect(admin_url).await;
    sqlx::query(AssertSqlSafe(sql)).execute(&mut db).await.unwrap();
}

/// The same URL, of another database.
pub fn renamed(url: &str, name: &str) -> String {
    let (address, options) = url.split_once('?').unwrap_or((url, ""));
    let (server, _) = address.rsplit_once('/').unwrap();
    format!("{server}/{name}?{options}")
}
