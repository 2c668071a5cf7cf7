//! Lists of what there can be a million of stay fast.

use crate::app::TestApp;
use scrip::resource::{Mode, Spec};
use std::collections::HashSet;

/// What each index of a table begins with.
async fn leading(test: &TestApp, table: &str) -> HashSet<String> {
    let sql = "SELECT a.attname::text FROM pg_index i
               JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
               JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_am m ON m.oid = c.relam
               WHERE i.indrelid = $1::regclass AND m.amname = 'btree'
                 AND (i.indpred IS NULL
                      OR pg_get_expr(i.indpred, i.indrelid) = format('(%I IS NOT NULL)', a.attname))";
    sqlx::query_scalar(sql).bind(table).fetch_all(&test.app.db).await.unwrap().into_iter().collect()
}

/// Columns of machines and locations that nobody has a million of the same of, or looks for.
const UNINDEXED: [(&str, &str); 5] = [
    ("machine", "notes"),
    ("machine", "rule_set"),
    ("location", "latitude"),
    ("location", "longitude"),
    ("location", "active_shift"),
];

#[tokio::test]
async fn machines_and_locations_have_an_index_for_each_column_of_their_lists() {
    let test = TestApp::new().await;
    let specs: Vec<&Spec> = scrip::http::resources();
    for noun in ["machine", "location"] {
        let spec = specs.iter().find(|spec| spec.noun == noun).unwrap();
        let leading = leading(&test, spec.table).await;
        for column in spec.listing().columns {
            // Derived and free-text columns have no index.
            let Some(name) = column.sql.strip_prefix("this.") else { continue };
            if UNINDEXED.contains(&(noun, name)) {
                continue;
            }
            assert!(leading.contains(name), "no index of {noun} begins with {name}");
        }
    }
}

#[tokio::test]
async fn what_machines_sent_is_found_by_what_one_syncs_by() {
    let test = TestApp::new().await;
    for noun in ["revenue transaction", "payment transaction", "event"] {
        let spec = scrip::http::resources().into_iter().find(|spec| spec.noun == noun).unwrap();
        let lists = spec.fields.iter().filter(|field| field.mode == Mode::Lists);
        let mut columns: Vec<&str> =
            lists.map(|field| field.column).chain(["id", "created_at", "updated_at"]).collect();
        columns.extend(spec.fields.iter().map(|field| field.column).filter(|column| *column == "remote"));
        for table in [spec.table.to_owned(), format!("{}_archive", spec.table)] {
            let leading = leading(&test, &table).await;
            for column in &columns {
                // The level of an event is the table's type.
                let column = if *column == "level" { "type" } else { column };
                assert!(leading.contains(column), "no index of {table} begins with {column}");
            }
        }
    }
}
