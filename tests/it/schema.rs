//! The schema: databases that a build can't go on from, and rows that nobody changes.

use crate::{
    database::{Database, url},
    server::Server,
};
use sqlx::{AssertSqlSafe, PgPool};

/// Runs every role that needs the schema, and sees that each says what is to be done.
async fn refused(change: &str, roles: &[&[&str]], told: &str) {
    let database = Database::new().await;
    let db = PgPool::connect(&database.url).await.unwrap();
    sqlx::query(AssertSqlSafe(change)).execute(&db).await.unwrap();
    db.close().await;
    let server = Server::on(&database.url, &url("SCRIP_TEST_REDIS_URL"), &database.name);
    for role in roles {
        server.run(role, "").refused(told);
    }
}

#[tokio::test]
async fn a_database_from_before_the_first_release_is_refused_with_what_to_do() {
    let change = "UPDATE _sqlx_migrations SET checksum = '\\x00' WHERE version = 1";
    let roles: [&[&str]; 5] = [&["migrate"], &["serve"], &["serve", "--migrate"], &["work"], &["verify"]];
    refused(change, &roles, "`make clean-dev`").await;
}

#[tokio::test]
async fn a_schema_that_is_newer_is_migrated_by_its_own_build_alone() {
    let change = "
        INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
        VALUES (9999, 'later', true, '', 0)";
    refused(change, &[&["migrate"]], "newer than this build").await;
}

#[tokio::test]
async fn a_migration_that_was_edited_is_named() {
    let change = "UPDATE _sqlx_migrations SET checksum = '\\x00' WHERE version = 2";
    refused(change, &[&["migrate"]], "migration 2 is not the one").await;
}

#[tokio::test]
async fn an_empty_database_is_migrated_and_a_second_time_left_alone() {
    let database = Database::bare().await;
    let server = Server::of(&database);
    for _ in 0..2 {
        server.run(&["migrate"], "").well();
    }
}

#[tokio::test]
async fn the_journal_only_grows_whoever_asks() {
    let database = Database::new().await;
    let db = PgPool::connect(&database.url).await.unwrap();
    for table in ["redemption", "redemption_rollback", "activity"] {
        for change in ["UPDATE {} SET machine = 1", "DELETE FROM {}", "TRUNCATE {}"] {
            let change = change.replace("{}", table).replace("activity SET machine", "activity SET account");
            let error = sqlx::query(AssertSqlSafe(change.clone())).execute(&db).await.unwrap_err();
            assert!(error.to_string().contains(&format!("{table} is append-only")), "{change}: {error}");
        }
    }
    db.close().await;
}
