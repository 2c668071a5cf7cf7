//! What machines sell: one by one, as a whole, and converted.

mod convert;
mod plain;
mod whole;

use crate::client::Client;
use serde_json::{Value, json};
use sqlx::PgPool;

/// The first and the second machine of group a.
const MACHINE: i64 = 21;
const OTHER: i64 = 22;

/// A product, a flavour or an extra of a machine, without what changes from test to test.
type Row = (i64, String, i64, Option<String>);

async fn rows(db: &PgPool, table: &'static str, machine: i64) -> Vec<Row> {
    let sql = format!("SELECT plu, name, price, report_name FROM {table} WHERE machine = $1 ORDER BY plu");
    sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(machine).fetch_all(db).await.unwrap()
}

/// All three tables of a machine.
async fn assortment(db: &PgPool, machine: i64) -> [Vec<Row>; 3] {
    [
        rows(db, "product", machine).await,
        rows(db, "product_flavour", machine).await,
        rows(db, "product_extra", machine).await,
    ]
}

async fn ids(db: &PgPool, machine: i64) -> Vec<(i64, i64)> {
    let sql = "SELECT plu, id FROM product WHERE machine = $1 ORDER BY plu";
    sqlx::query_as(sql).bind(machine).fetch_all(db).await.unwrap()
}

fn plus(rows: &[Row]) -> Vec<i64> {
    rows.iter().map(|row| row.0).collect()
}

fn row(plu: i64, name: &str, price: i64) -> Row {
    (plu, name.to_owned(), price, None)
}

async fn part(db: &PgPool, table: &'static str, machine: i64, plu: i64, name: &str, price: i64) {
    let sql = format!("INSERT INTO {table} (machine, plu, name, price) VALUES ($1, $2, $3, $4)");
    let insert = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(machine).bind(plu).bind(name).bind(price);
    insert.execute(db).await.unwrap();
}

fn offer(plu: i64, name: &str, price: i64) -> Value {
    json!({"plu": plu, "name": name, "price": price})
}

/// Two coffees with vanilla, oat milk or both, and crisps.
fn coffee() -> Value {
    json!([
        offer(5, "Espresso", 100),
        offer(6, "Cappuccino", 140),
        offer(42, "Crisps", 150),
        offer(105, "Espresso Vanilla", 130),
        offer(106, "Cappuccino Vanilla", 170),
        offer(2005, "Espresso Oat milk", 120),
        offer(2105, "Espresso Vanilla Oat milk", 150),
        offer(107, "Tea Vanilla", 110),
    ])
}

fn format() -> Value {
    json!({"flavourPLU": 100, "extraProductPLU": 1000})
}

fn path(machine: i64, rest: &str) -> String {
    format!("/machine/{machine}/assortment{rest}")
}

async fn replace(client: &Client, machine: i64, offers: Value) {
    client.put(&path(machine, ""), offers).await.expect(200);
}
