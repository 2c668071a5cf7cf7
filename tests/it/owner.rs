//! A server whose role of Postgres can't change the schema, nor what the journal holds.

use crate::{
    database::{self, Database},
    server::Server,
    world,
};
use chrono::{Months, NaiveDate};
use scrip::{config::Config, retention, telemetry::months::look_after, time::Clock};
use serde_json::json;
use sqlx::{AssertSqlSafe, PgPool};

/// A fresh database, a role for servers that nothing is granted to yet, and the URL that it connects by.
async fn with_role(database: &Database) -> (PgPool, String) {
    let owner = PgPool::connect(&database.url).await.unwrap();
    let role = format!("{}_server", database.name);
    sqlx::query(AssertSqlSafe(format!("CREATE ROLE {role} LOGIN"))).execute(&owner).await.unwrap();
    let (scheme, rest) = database.url.split_once("://").unwrap();
    let (_, place) = rest.split_once('@').unwrap();
    (owner, format!("{scheme}://{role}@{place}"))
}

/// A server of that role, whose migrations are the owner's.
fn server(database: &Database, url: &str) -> Server {
    let server = Server::on(url, &database::url("SCRIP_TEST_REDIS_URL"), &database.name);
    server.with(&[("SCRIP_MIGRATION_DATABASE_URL", &database.url)])
}

/// Forgets the role, which all databases share.
async fn drop_role(owner: &PgPool, database: &Database) {
    let role = format!("{}_server", database.name);
    sqlx::raw_sql(AssertSqlSafe(format!("DROP OWNED BY {role}; DROP ROLE {role}")))
        .execute(owner)
        .await
        .unwrap();
}

#[tokio::test]
async fn a_server_that_owns_nothing_redeems_rolls_back_and_looks_after_months() {
    let database = Database::new().await;
    let (owner, url) = with_role(&database).await;
    let mut server = server(&database, &url);
    server.run(&["migrate"], "").well();
    server.restart().await;

    let body = json!({"username": "a", "password": world::PASSWORD});
    let (_, session) = server.post("/auth/login", "", &body).await.unwrap();
    let a = session["access_token"].as_str().unwrap();
    let campaign = json!({"name": "Gift", "type": "gift", "totalVouchers": 0, "voucherValue": 500});
    let (status, campaign) = server.post("/campaign", a, &campaign).await.unwrap();
    assert_eq!(status, 201, "{campaign}");
    let (status, voucher) = server
        .post(
            "/voucher",
            a,
            &json!({"campaign": campaign["id"], "type": "gift", "value": 500, "code": "WALL-1"}),
        )
        .await
        .unwrap();
    assert_eq!(status, 201, "{voucher}");
    let device = world::key(&owner, world::A, Some("vm-a-1"), &["voucher.redeem"]).await;
    let lock = json!({"deviceId": "vm-a-1", "lockDuration": 30, "demand": {"amount": 200}});
    let (_, valid) = server.post("/voucher/WALL-1/validate", &device, &lock).await.unwrap();
    assert_eq!(valid["valid"], true, "{valid}");
    let order =
        json!({"deviceId": "vm-a-1", "order": {"id": "O-1", "amount": 200}, "demand": {"amount": 200}});
    let (_, redeemed) = server.post("/voucher/WALL-1/redeem", &device, &order).await.unwrap();
    assert_eq!(redeemed["redeemed"], true, "{redeemed}");
    let back = json!({"deviceId": "vm-a-1", "order": {"id": "O-1"}, "reason": "jam"});
    let (status, rolled_back) = server.post("/voucher/WALL-1/rollback", &device, &back).await.unwrap();
    assert_eq!(status, 200, "{rolled_back}");
    assert!(server.run(&["verify"], "").well().contains("\"differences\": []"));

    let db = PgPool::connect(&url).await.unwrap();
    for refused in [
        "DELETE FROM redemption",
        "UPDATE redemption SET amount_off = 0",
        "TRUNCATE redemption",
        "DELETE FROM redemption_rollback",
        "UPDATE redemption_rollback SET reason = ''",
        "ALTER TABLE redemption DISABLE TRIGGER redemption_append_only",
        "DROP TABLE redemption_rollback",
        "CREATE TABLE mine (id int)",
        "UPDATE _sqlx_migrations SET success = false",
        "SELECT grant_to_server('somebody')",
    ] {
        let error = sqlx::query(refused).execute(&db).await.unwrap_err();
        assert_eq!(
            error.as_database_error().and_then(sqlx::error::DatabaseError::code).as_deref(),
            Some("42501"),
            "{refused}"
        );
    }

    // Months are made, handed over and dropped all the same, and the new ones are written to.
    let today = Clock::default().now().date_naive();
    let later = today.checked_add_months(Months::new(24)).unwrap();
    look_after(&db, later, 13).await.unwrap();
    let noon = |day: NaiveDate| day.and_hms_opt(12, 0, 0).unwrap().and_utc();
    sqlx::query(
        "INSERT INTO machine_log (machine, location, user_group, occurred_at, time_zone, code, type)
         VALUES (21, 2, 2, $1, 'UTC', 'E1', 1)",
    )
    .bind(noon(later))
    .execute(&db)
    .await
    .unwrap();
    let config = Config { archive_keep_months: 1, voucher_log_keep_months: 1, ..Config::default() };
    let mut steps = 0;
    while retention::step(&db, &config, noon(later)).await.unwrap() {
        steps += 1;
    }
    assert!(steps > 0);
    drop(server);
    db.close().await;
    drop_role(&owner, &database).await;
}

#[tokio::test]
async fn a_role_that_owns_the_schema_is_no_wall() {
    let database = Database::new().await;
    let server = Server::of(&database).with(&[("SCRIP_MIGRATION_DATABASE_URL", &database.url)]);
    server.run(&["migrate"], "").refused("owns the schema");
}

/// A role that is granted nothing shows that the grants are what lets the other in.
#[tokio::test]
async fn without_a_grant_there_is_nothing_to_see() {
    let database = Database::new().await;
    let (owner, url) = with_role(&database).await;
    let db = PgPool::connect(&url).await.unwrap();
    for refused in ["SELECT FROM redemption", "SELECT drop_month('voucher_log', '2020-01-01')"] {
        assert!(sqlx::query(refused).execute(&db).await.is_err(), "{refused}");
    }
    db.close().await;
    drop_role(&owner, &database).await;
}
