//! Every list of the document: each field of its rows is a column, and its parameters are taken in every spelling.

use super::{
    Sweep,
    document::{Document, Operation},
    stock::Stock,
};
use crate::client::Client;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Fields that are no columns, by the schema of their row, with the reason.
const NO_COLUMNS: &[(&str, &[&str])] = &[
    // Made for whoever reads, with a token of its own.
    ("Campaign", &["vouchersPdfUrl"]),
    // And leases, which live in Redis.
    ("Voucher", &["pdfUrl", "lockOwner", "lockedTill"]),
    // A command's parameters, of any kind.
    ("Command", &["params"]),
    // The change, field by field.
    ("Activity", &["before", "after"]),
    // The result of a file, and its faults by line.
    ("Audit", &["summary", "errors"]),
    // Sealed: Postgres does not know it.
    ("MachineConfigTemplate", &["encryptionKey"]),
    // Lists of words.
    ("ApiKey", &["scopes"]),
    ("Integration", &["events"]),
    // A method's types, by method.
    ("TransactionProfile", &["paymentTypesMap"]),
    // Made of parts.
    ("Report", &["period1", "period2"]),
    // Rows of another list.
    ("LocationWithMachines", &["machines"]),
];

/// A list, and the fields of its rows.
struct List {
    operation: Operation,
    schema: String,
    fields: BTreeSet<String>,
}

fn lists(document: &Document) -> Vec<List> {
    let operations = document.operations().into_iter();
    let lists = operations.filter(|one| one.query().any(|parameter| parameter.name.starts_with("where[")));
    let lists = lists.filter_map(|operation| {
        let items = operation.answers.pointer("/200/content/application~1json/schema/items")?.clone();
        let schema =
            items["$ref"].as_str().unwrap_or_default().rsplit('/').next().unwrap_or_default().to_owned();
        let mut fields = BTreeSet::new();
        collect(document, &items, &mut fields);
        Some(List { operation, schema, fields })
    });
    lists.collect()
}

fn collect(document: &Document, schema: &Value, fields: &mut BTreeSet<String>) {
    let schema = document.behind(schema);
    fields.extend(schema["properties"].as_object().into_iter().flatten().map(|(name, _)| name.clone()));
    schema["allOf"].as_array().into_iter().flatten().for_each(|part| collect(document, part, fields));
}

fn encoded(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

/// The address of a list with more in its query.
fn with(stock: &Stock, operation: &Operation, query: &str) -> String {
    let uri = stock.uri(operation, "");
    format!("{uri}{}{query}", if uri.contains('?') { "&" } else { "?" })
}

async fn ids(client: &Client, uri: &str) -> Result<Vec<Value>, String> {
    let reply = client.get(uri).await;
    if reply.status != 200 {
        return Err(format!("{uri}: {} {}", reply.status, reply.text()));
    }
    Ok(reply.json().as_array().unwrap().iter().map(|row| row["id"].clone()).collect())
}

#[tokio::test]
async fn every_field_of_every_list_is_a_column_that_finds_what_it_shows() {
    let mut sweep = Sweep::new().await;
    let stock = sweep.any().await;
    let own = sweep.own.clone();
    let (mut tried, mut found) = (0, 0);
    for List { operation, schema, fields } in lists(&sweep.document) {
        let none =
            NO_COLUMNS.iter().find(|(known, _)| *known == schema).map_or(&[][..], |(_, fields)| fields);
        let rows = own.get(&stock.uri(&operation, "")).await.expect(200);
        for field in fields.iter().filter(|field| !none.contains(&field.as_str())) {
            tried += 1;
            let query = format!("where[{field}][!]=null&sort={field}+desc");
            if let Err(complaint) = ids(&own, &with(&stock, &operation, &query)).await {
                sweep.findings.add(complaint);
                continue;
            }
            let Some(row) = rows.as_array().unwrap().last() else { continue };
            let text = match &row[field] {
                Value::Null => "null".to_owned(),
                Value::String(text) if text.is_empty() => continue,
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            found += 1;
            for query in [format!("where[{field}]={}", encoded(&text)), format!("sort[{field}]=asc")] {
                match ids(&own, &with(&stock, &operation, &query)).await {
                    Ok(ids) if ids.contains(&row["id"]) => {}
                    Ok(_) => sweep.findings.add(format!("{}: {query} does not find {row}", operation.id)),
                    Err(complaint) => sweep.findings.add(complaint),
                }
            }
        }
    }
    sweep.findings.none_of(0);
    assert!(tried > 400 && found > 200, "{tried} fields, {found} of them with rows");
}

#[test]
fn every_exception_is_a_field_of_a_list() {
    let lists = lists(&Document::read());
    assert!(lists.len() > 40, "{}", lists.len());
    for (schema, fields) in NO_COLUMNS {
        let list = lists.iter().find(|list| list.schema == *schema).unwrap_or_else(|| panic!("{schema}"));
        for field in *fields {
            assert!(list.fields.contains(*field), "{schema}: {field}");
        }
    }
}

#[tokio::test]
async fn every_list_takes_its_parameters_in_every_spelling() {
    let mut sweep = Sweep::new().await;
    let stock = sweep.any().await;
    let own = sweep.own.clone();
    for List { operation, fields, .. } in lists(&sweep.document) {
        let whole = ids(&own, &stock.uri(&operation, "")).await.unwrap();
        let list = stock.path(&operation);
        let Some(end) = whole.last() else { continue };
        let id = end.as_str().map_or_else(|| end.to_string(), str::to_owned);
        let by_id = ids(&own, &with(&stock, &operation, "sort=id")).await.unwrap();
        let mut down = by_id.clone();
        down.reverse();
        let required = stock.uri(&operation, "").split_once('?').map(|(_, query)| format!("&{query}"));
        let required = required.unwrap_or_default();
        let cases = [
            ("sort=asc", &by_id),
            ("sort=desc", &down),
            ("sort[id]=desc", &down),
            ("sort[]=id+desc", &down),
            ("sort=id+DESC", &down),
            ("limit=&skip=&sort=&after=&where[id][in]=&_=1733", &whole),
            ("where[id][]=ID", &vec![end.clone()]),
            ("where[id][in][]=ID", &vec![end.clone()]),
            ("where[id][in]=ID,ID", &vec![end.clone()]),
            ("where[id]=ID&where[id]=ID", &vec![end.clone()]),
            ("where[id][=]=ID&limit[]=5", &vec![end.clone()]),
        ];
        for (query, expected) in cases {
            let query = query.replace("ID", &id);
            for uri in [format!("{list}?{query}{required}"), format!("/v1{list}/?_=1&{query}{required}")] {
                match ids(&own, &uri).await {
                    Ok(found) if found == *expected => {}
                    Ok(found) => sweep.findings.add(format!("{uri}: {found:?}, not {expected:?}")),
                    Err(complaint) => sweep.findings.add(complaint),
                }
            }
        }
        for flag in
            fields.iter().filter(|name| ["active", "success", "deleted", "exclude"].contains(&name.as_str()))
        {
            let spelled = |value| with(&stock, &operation, &format!("where[{flag}]={value}"));
            for (number, word) in [("0", "false"), ("1", "true")] {
                let number = ids(&own, &spelled(number)).await.unwrap();
                assert_eq!(number, ids(&own, &spelled(word)).await.unwrap(), "{list}: {flag}");
            }
        }
        let reply = own.get(&format!("{list}?_=1&nonsense=1{required}")).await;
        reply.expect_problem(400, "/nonsense");
    }
    sweep.findings.none_of(0);
}

#[tokio::test]
async fn every_list_can_be_read_page_by_page_in_both_directions() {
    let sweep = Sweep::new().await;
    let stock = sweep.any().await;
    for List { operation, .. } in lists(&sweep.document) {
        for down in [false, true] {
            let sort = if down { "sort=id+desc" } else { "sort=id" };
            let all = ids(&sweep.own, &with(&stock, &operation, sort)).await.unwrap();
            let (Some(first), Some(last)) = (all.first(), all.last()) else { continue };
            let [first, last] =
                [first, last].map(|id| id.as_str().map_or_else(|| id.to_string(), str::to_owned));
            let read = async |query: String| {
                ids(&sweep.own, &with(&stock, &operation, &format!("{sort}&{query}"))).await.unwrap()
            };
            assert_eq!(read(format!("after={first}")).await, all[1..], "{}", operation.id);
            assert_eq!(read(format!("before={last}")).await, all[..all.len() - 1], "{}", operation.id);
            let near = all.len().saturating_sub(2)..all.len() - 1;
            assert_eq!(read(format!("before={last}&limit=1")).await, all[near], "{}", operation.id);
            assert_eq!(read(format!("after={last}&limit=1")).await, [json!(null); 0], "{}", operation.id);
        }
    }
}

#[tokio::test]
async fn every_export_takes_its_columns_name_and_zone_in_every_spelling() {
    let sweep = Sweep::new().await;
    let of = |spec: &scrip::resource::Spec| {
        let of_one = spec
            .parent
            .as_ref()
            .map(|parent| format!("&where[{}]=21", scrip::resource::camel(parent.column)));
        (format!("/export/{}", spec.area), of_one.unwrap_or_default())
    };
    // Of a report there is another export of that name.
    let exported = scrip::http::resources().into_iter().filter(|spec| spec.area != "report");
    let mut exports: Vec<(String, String)> = exported.map(of).collect();
    exports.push(("/voucher/export".to_owned(), String::new()));
    for (export, of) in exports {
        let mut answers = BTreeSet::new();
        for query in [
            "columns=id,createdAt&filename=x&timezone=Europe/Amsterdam&sort=id+desc",
            "columns=id&columns=createdAt&filename[]=x&timezone[]=Europe/Amsterdam&sort=desc",
            "columns[]=id&columns[]=createdAt&filename=x&timezone=Europe/Amsterdam&sort[id]=desc&_=1",
            "columns[]=id,createdAt&filename[]=x&timezone=Europe/Amsterdam&sort[id]=DESC&bom=",
        ] {
            let reply = sweep.own.get(&format!("{export}/?{query}{of}")).await;
            assert_eq!(reply.status, 200, "{export}?{query}: {}", reply.text());
            assert_eq!(reply.headers["content-disposition"], "attachment; filename=\"x.csv\"");
            answers.insert(reply.text());
        }
        assert_eq!(answers.len(), 1, "{export}: {answers:?}");
        sweep.own.get(&format!("{export}?columns=id&nonsense=1{of}")).await.expect_problem(400, "/nonsense");
    }
}
