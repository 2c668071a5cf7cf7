//! Sums that are there when a server is upgraded are turned into those that it reads.

use super::rows;
use crate::{database::Database, world};
use rand::{SeedableRng, rngs::StdRng};
use scrip::{app::MIGRATIONS, telemetry::recount::recount};
use sqlx::{PgPool, migrate::Migrator};

/// The migration that gives each grain a table of its own.
const GRAIN: i64 = 80;

#[tokio::test]
async fn sums_by_an_older_schema_become_all_that_there_are() {
    let database = Database::bare().await;
    let db = PgPool::connect(&database.url).await.unwrap();
    let older = MIGRATIONS.iter().filter(|migration| migration.version < GRAIN).cloned();
    Migrator::with_migrations(older.collect()).run(&db).await.unwrap();
    world::settle(&db).await;
    let mut random = StdRng::seed_from_u64(80);
    rows::add(&db, &mut random, 500).await;
    MIGRATIONS.run(&db).await.unwrap();
    rows::add(&db, &mut random, 100).await;
    let report = recount(&db, false).await.unwrap();
    assert_eq!((report.differing, report.differences), (0, vec![]));
    let grains: i64 =
        sqlx::query_scalar("SELECT count(DISTINCT grain) FROM sales_rollup").fetch_one(&db).await.unwrap();
    assert_eq!(grains, 5);
}
