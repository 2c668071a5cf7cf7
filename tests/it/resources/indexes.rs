//! Lists of what there can be a million of stay fast.

use crate::app::TestApp;
use scrip::resource::Spec;
use std::collections::HashSet;

/// What each index of a table begins with.
async fn leading(test: &TestApp, table: &str) -> HashSet<String> {
    let sql = "SELECT a.attname::text FROM pg_index i
               JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
               JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_am m ON m.oid = c.relam
               WHERE i.indrelid = $1::regclass AND m.amname = 'btree' AND i.indpred IS NULL";
    sqlx::query_scalar(sql).bind(table).fetch_all(&test.app.db).await.unwrap().into_iter().collect()
}

#[tokio::test]
async fn machines_and_locations_have_an_index_for_each_column_of_their_lists() {
    let test = TestApp::new().await;
    let specs: Vec<&Spec> = scrip::http::resources();
    for noun in ["machine", "location"] {
        let spec = specs.iter().find(|spec| spec.noun == noun).unwrap();
        let leading = leading(&test, spec.table).await;
        for column in spec.listing().columns {
            let name = column.sql.strip_prefix("this.").unwrap();
            assert!(leading.contains(name), "no index of {noun} begins with {name}");
        }
    }
}
