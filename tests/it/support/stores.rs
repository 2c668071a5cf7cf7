//! A Postgres and a Redis of one test's own, to be stopped, killed and started again.

use crate::{database::renamed, pair::becomes, world};
use sqlx::PgPool;
use std::{
    collections::HashMap,
    io,
    path::{Path, PathBuf},
    process::{Command, ExitStatus, Stdio},
};
use tempfile::TempDir;

/// The two stores; wiped when dropped.
#[derive(Debug)]
pub struct Stores {
    directory: TempDir,
    /// Of a database that is migrated and settled.
    pub database_url: String,
    /// Of Redis.
    pub redis_url: String,
}

/// What can be stopped.
#[derive(Clone, Copy, Debug)]
pub enum Which {
    /// Postgres.
    Postgres,
    /// Redis.
    Redis,
    /// The standby of Postgres, if one was started.
    Standby,
}

impl Stores {
    /// Starts them.
    pub async fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        run("up", directory.path(), None);
        let environment = read(&directory.path().join("env"));
        let database_url = renamed(&environment["DATABASE_URL"], "scrip");
        let db = PgPool::connect(&database_url).await.unwrap();
        scrip::postgres::schema::MIGRATIONS.run(&db).await.unwrap();
        world::settle(&db).await;
        db.close().await;
        Self { directory, database_url, redis_url: environment["REDIS_URL"].clone() }
    }

    /// Stops one in an orderly way.
    pub fn stop(&self, which: Which) {
        run("down", self.directory.path(), Some(which));
    }

    /// Ends one as a power cut would.
    pub fn kill(&self, which: Which) {
        run("kill", self.directory.path(), Some(which));
    }

    /// Starts what is not running, where it was before.
    pub fn restart(&self) {
        run("up", self.directory.path(), None);
    }

    /// Has one say nothing, as a host does that is cut off.
    pub fn freeze(&self, which: Which) {
        run("freeze", self.directory.path(), Some(which));
    }

    /// Has it go on.
    pub fn thaw(&self, which: Which) {
        run("thaw", self.directory.path(), Some(which));
    }

    /// Starts a standby of Postgres, called `standby`, or starts it again; returns its database's URL.
    pub fn standby(&self) -> String {
        run("standby", self.directory.path(), None);
        let port = |name: &str| std::fs::read_to_string(self.directory.path().join(name)).unwrap();
        let option = |name: &str| format!("port={}", port(name).trim());
        self.database_url.replace(&option("postgres.port"), &option("standby.port"))
    }

    /// Makes the standby a primary, where it is.
    pub fn promote(&self) {
        run("promote", self.directory.path(), None);
    }

    /// Kills Postgres and has the standby take its place and port, with what it had.
    pub fn fail_over(&self) {
        run("failover", self.directory.path(), None);
    }
}

/// Waits until the standby has all that there is.
pub async fn standby_has_all(db: &PgPool) {
    const SQL: &str =
        "SELECT COALESCE(bool_and(replay_lsn >= pg_current_wal_lsn()), false) FROM pg_stat_replication";
    becomes("the standby has all", async || sqlx::query_scalar(SQL).fetch_one(db).await.unwrap()).await;
}

impl Drop for Stores {
    fn drop(&mut self) {
        if std::thread::panicking() {
            // The test's own failure is the one to show.
            let _may_stay_behind = call("wipe", self.directory.path(), None);
        } else {
            run("wipe", self.directory.path(), None);
        }
    }
}

fn run(verb: &str, directory: &Path, which: Option<Which>) {
    let status = call(verb, directory, which).unwrap();
    assert!(status.success(), "dev/services.sh {verb}: {status}");
}

fn call(verb: &str, directory: &Path, which: Option<Which>) -> io::Result<ExitStatus> {
    let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("dev/services.sh");
    let which = which.map(|which| match which {
        Which::Postgres => "postgres",
        Which::Redis => "redis",
        Which::Standby => "standby",
    });
    Command::new(script).arg(verb).arg(directory).args(which).stdin(Stdio::null()).status()
}

/// `NAME='value'` lines.
fn read(path: &Path) -> HashMap<String, String> {
    let text = std::fs::read_to_string(path).unwrap();
    let pairs = text.lines().filter_map(|line| line.split_once('='));
    pairs.map(|(name, value)| (name.to_owned(), value.trim_matches('\'').to_owned())).collect()
}
