//! Every statement that a declaration can lead to is one that Postgres understands.

use super::patch;
use crate::app::TestApp;
use scrip::resource::{Spec, associations, export, store};
use sqlx::{AssertSqlSafe, Executor, SqlSafeStr};

async fn prepare(test: &TestApp, what: &str, sql: String) {
    let mut connection = test.app.db.acquire().await.unwrap();
    let prepared = connection.prepare(AssertSqlSafe(sql.clone()).into_sql_str()).await;
    assert!(prepared.is_ok(), "{what}: {}\n{sql}", prepared.unwrap_err());
}

fn inputs(spec: &'static Spec) -> impl Iterator<Item = &'static str> {
    spec.fields.iter().filter(|field| field.is_input()).map(|field| field.column)
}

#[tokio::test]
async fn every_column_of_every_declaration_is_one_of_its_table() {
    let test = TestApp::new().await;
    for spec in scrip::http::resources() {
        if spec.does.create || spec.does.update {
            prepare(&test, spec.noun, store::insertion(spec, inputs(spec))).await;
            prepare(&test, spec.noun, store::change(spec, inputs(spec))).await;
        }
        for set in spec.sets {
            prepare(&test, spec.noun, store::enlistment(set)).await;
        }
    }
}

#[tokio::test]
async fn every_list_is_filtered_and_sorted_by_each_of_its_columns() {
    let test = TestApp::new().await;
    let a = test.user("a").await;
    for spec in scrip::http::resources().into_iter().filter(|spec| spec.does.list && spec.parent.is_none()) {
        for column in spec.listing().columns {
            let name = column.name;
            for query in [
                format!("sort={name}+desc"),
                format!("where[{name}]=null"),
                format!("where[{name}][!]=null&after=0"),
            ] {
                let reply = a.get(&format!("{}?{query}", spec.path)).await;
                assert_eq!(reply.status, 200, "{} {query}: {}", spec.path, reply.text());
            }
        }
    }
}

#[tokio::test]
async fn every_association_can_be_followed_and_nothing_else() {
    let test = TestApp::new().await;
    let root = test.user("root").await;
    for spec in scrip::http::resources() {
        let Some(id) = root.get(spec.path).await.json()[0]["id"].as_i64() else { continue };
        for (alias, _) in associations::of(spec) {
            let reply = root.get(&format!("{}/{id}/{alias}", spec.path)).await;
            assert!(
                reply.status == 200 || (reply.status == 404 && !reply.text().contains("association")),
                "{} {alias}: {}",
                spec.path,
                reply.text()
            );
        }
        root.get(&format!("{}/{id}/nonsense", spec.path)).await.expect(404);
        root.get(&format!("{}/999999/nonsense", spec.path)).await.expect(404);
    }
}

#[tokio::test]
async fn each_is_read_back_as_it_was_written() {
    let test = TestApp::new().await;
    let a = test.user("a").await;
    for spec in scrip::http::resources().into_iter().filter(|spec| spec.does.create && spec.parent.is_none())
    {
        let made = a.post(spec.path, super::draft(spec)).await.expect(201);
        let path = format!("{}/{}", spec.path, made["id"]);
        let row = a.get(&path).await.expect(200);
        for (name, value) in super::draft(spec).as_object().unwrap() {
            // Truths are shown as numbers, and angles as text.
            let shown = [value.clone(), i64::from(value == true).into(), value.to_string().into()];
            let same = shown.contains(&row[name]);
            assert!(same, "{path} {name}: {} of {value}", row[name]);
        }
        assert_eq!(row["userGroup"], 2, "{path}");
        a.put(&path, patch(spec)).await.expect(200);
        let again = a.get(&path).await.expect(200);
        for (name, value) in row.as_object().unwrap().iter().filter(|(name, _)| *name != "updatedAt") {
            assert_eq!(&again[name], value, "{path} {name}");
        }
        a.delete(&path).await.expect(200);
        a.get(&path).await.expect(404);
    }
}

#[tokio::test]
async fn every_resource_can_be_exported_with_all_its_columns() {
    let test = TestApp::new().await;
    let root = test.user("root").await;
    // `/export/report` is the sales below a report.
    let exported = |spec: &&'static Spec| spec.does.list && spec.area != "report";
    for spec in scrip::http::resources().into_iter().filter(exported) {
        let columns = export::exportable(spec).join(",");
        let of_one = if spec.parent.is_some() { "&where[machine]=21" } else { "" };
        let reply = root.get(&format!("/export/{}?columns={columns}{of_one}", spec.area)).await;
        assert_eq!(reply.status, 200, "{}: {}", spec.area, reply.text());
        let listed = root.get(&spec.path.replace("{machine}", "21")).await;
        let sheet = reply.text();
        let mut lines = sheet.lines();
        assert_eq!(lines.next(), Some(columns.as_str()), "{}", spec.area);
        let total = listed.headers["x-total-count"].to_str().unwrap();
        assert_eq!(lines.count().to_string(), total, "{}", spec.area);
    }
}
