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

/// The migration that names the types of payments as methods are named.
const PAYMENT_TYPES: i64 = 140;

#[tokio::test]
async fn payments_profiles_and_charts_by_an_older_schema_have_the_types_that_there_are() {
    let database = Database::bare().await;
    let db = PgPool::connect(&database.url).await.unwrap();
    let older = MIGRATIONS.iter().filter(|migration| migration.version < PAYMENT_TYPES).cloned();
    Migrator::with_migrations(older.collect()).run(&db).await.unwrap();
    world::settle(&db).await;
    sqlx::raw_sql(
        r#"
        INSERT INTO payment_transaction (machine, location, user_group, occurred_at, time_zone, method, type, price,
                                         currency, redemption)
        SELECT 21, 2, 2, '2026-11-20T12:00:00Z', 'UTC', method, type, price, 'EUR', redemption
        FROM (VALUES ('card', 'cashless', 100, NULL::uuid), ('virtual', 'free', 0, NULL), ('cash', 'cash', 50, NULL),
                     ('code', 'voucher', 80, 'a0000000-0000-4000-8000-000000000001'),
                     ('code', 'voucher', -80, 'a0000000-0000-4000-8000-000000000001')) p(method, type, price, redemption);
        CREATE TABLE payment_transaction_archive_other PARTITION OF payment_transaction_archive DEFAULT;
        INSERT INTO payment_transaction_archive (machine, location, user_group, occurred_at, time_zone, method, type,
                                                 price, currency)
        VALUES (21, 2, 2, '2024-01-01T12:00:00Z', 'UTC', 'token', 'cashless', 70, 'EUR');
        INSERT INTO transaction_profile (id, user_group, payment_types_map)
        VALUES (50, 2, '{"token": "cashless", "code": "free", "cash": "other"}');
        INSERT INTO user_report (id, user_group, name) VALUES (50, 2, 'Takings');
        INSERT INTO chart (report, name, type, view, position, created_at, updated_at, criteria)
        VALUES (50, 'Cards', 'payment_types', 'pie', 0, now(), now(),
                '{"from": "payments", "select": [{"expr": "type"}],
                  "where": [{"field": "type", "op": "in", "value": "cashless,free,cash"},
                            {"field": "reportGroup", "op": "=", "value": "free"}]}')"#,
    )
    .execute(&db)
    .await
    .unwrap();
    MIGRATIONS.run(&db).await.unwrap();
    let all = async |sql: &'static str| sqlx::query_scalar::<_, String>(sql).fetch_all(&db).await.unwrap();
    assert_eq!(
        all("SELECT type FROM payment_transaction_ever ORDER BY price, type").await,
        ["voucher", "virtual", "cash", "card", "voucher", "card"]
    );
    assert_eq!(
        all("SELECT format('%s %s %s', type, sum(quantity), sum(revenue)) FROM payments_rollup
             WHERE grain = 'month' GROUP BY type ORDER BY type")
        .await,
        ["card 2 170", "cash 1 50", "virtual 1 0", "voucher 0 0"]
    );
    let maps = all("SELECT payment_types_map::text FROM transaction_profile WHERE id = 50").await;
    assert_eq!(maps, [r#"{"cash": "other", "code": "virtual", "token": "card"}"#]);
    let conditions = all("SELECT jsonb_path_query(criteria, '$.where[*].value')::text FROM chart").await;
    assert_eq!(conditions, [r#""card,virtual,cash""#, r#""free""#]);
    let report = recount(&db, false).await.unwrap();
    assert_eq!((report.differing, report.differences), (0, vec![]));
}
