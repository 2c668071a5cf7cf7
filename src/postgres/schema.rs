//! The schema of a database, held against the migrations of this build.

use super::CONNECT_WITHIN;
use sqlx::{
    ConnectOptions, Connection, PgExecutor,
    migrate::{MigrateError, Migrator},
    postgres::PgConnectOptions,
};
use tokio::time::timeout;

/// Makes the schema.
pub static MIGRATIONS: Migrator = sqlx::migrate!();

/// The migration that every other builds on.
const FIRST: i64 = 1;

/// The code of Postgres for a table that is not there.
const UNDEFINED_TABLE: &str = "42P01";

/// The fault of a database from before the first release, and the remedy.
pub const FOREIGN: &str = "this database was made by other migrations than those of this build, as before the first \
                       release: start afresh with an empty one. In a checkout, `make clean-dev` deletes the one of \
                       `make run` with all that was entered; `docker compose down --volumes` does that of compose";

/// The schema as it was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// No migration has run.
    Nothing,
    /// Another first migration has run than this build's.
    Foreign,
    /// The last migration that has run.
    Version(i64),
}

/// Returns the last of this build's migrations.
pub fn latest() -> i64 {
    MIGRATIONS.iter().map(|migration| migration.version).max().unwrap_or_default()
}

/// Looks at the schema.
pub async fn find(db: impl PgExecutor<'_>) -> Result<Found, sqlx::Error> {
    const SQL: &str = "
        SELECT max(version), COALESCE(bool_or(version = $1 AND checksum <> $2), false)
        FROM _sqlx_migrations WHERE success";
    let first = MIGRATIONS.iter().find(|migration| migration.version == FIRST);
    let found = sqlx::query_as::<_, (Option<i64>, bool)>(SQL)
        .bind(FIRST)
        .bind(first.map(|migration| &*migration.checksum));
    match found.fetch_one(db).await {
        Ok((Some(_), true)) => Ok(Found::Foreign),
        Ok((Some(version), false)) => Ok(Found::Version(version)),
        Ok((None, _)) => Ok(Found::Nothing),
        Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some(UNDEFINED_TABLE) => {
            Ok(Found::Nothing)
        }
        Err(error) => Err(error),
    }
}

/// Refuses a database whose schema this build can't go on from. One that does not answer may come yet.
pub async fn check(options: &PgConnectOptions) -> Result<(), String> {
    let look = async {
        let mut db = options.connect().await?;
        let found = find(&mut db).await;
        db.close().await?;
        found
    };
    match timeout(CONNECT_WITHIN, look).await {
        Ok(Ok(Found::Foreign)) => Err(FOREIGN.to_owned()),
        _ => Ok(()),
    }
}

/// Returns the remedy for a migration that did not run, where there is one.
pub fn remedy(error: &MigrateError) -> Option<String> {
    match error {
        MigrateError::VersionMissing(version) => Some(format!(
            "the schema is newer than this build, which does not know its migration {version}: bring it up to date \
             with the build that it is of, or with a later one"
        )),
        MigrateError::VersionMismatch(version) => Some(format!(
            "migration {version} is not the one that has run on this database: a migration is not edited once it has \
             landed (migrations/README.md). Put its file back as it was"
        )),
        _ => None,
    }
}
