//! Writing back what a read gave, for everything in the document that is read and changed at one path.

use crate::{
    app::TestApp,
    client::Client,
    sweep::{
        document::{Document, Operation},
        stock::Stock,
    },
};
use axum::http::Method;
use serde_json::{Value, json};

/// Fields that say when something was changed.
const CHANGED_AT: [&str; 2] = ["updatedAt", "updateAt"];

fn is_link(name: &str) -> bool {
    name.ends_with("Url")
}

/// An answer without what another one need not have.
fn lasting(mut answer: Value) -> Value {
    if let Some(fields) = answer.as_object_mut() {
        fields.retain(|name, _| !CHANGED_AT.contains(&name.as_str()) && !is_link(name));
    }
    answer
}

/// Another value of the same type.
fn other(value: &Value) -> Value {
    match value {
        Value::Null => json!("2020-01-01T00:00:00Z"),
        Value::Bool(flag) => json!(!flag),
        Value::Number(number) => json!(number.as_f64().unwrap() + 1.0),
        Value::String(text) => json!(format!("{text}x")),
        Value::Array(items) => [&items[..], &[json!("x")]].concat().into(),
        Value::Object(_) => json!({"x": 1}),
    }
}

/// An answer whose links are other ones, as they are in each.
fn with_other_links(mut answer: Value) -> Value {
    let fields = answer.as_object_mut().into_iter().flatten();
    fields.filter(|(name, _)| is_link(name)).for_each(|(_, link)| *link = json!("https://example.com/other"));
    answer
}

/// Everything that is read at a path and changed there with JSON: both operations.
fn pairs(document: &Document) -> Vec<(Operation, Operation)> {
    let mut changes: Vec<Operation> = document.operations();
    changes.retain(|operation| {
        [Method::PUT, Method::PATCH].contains(&operation.method) && operation.body.is_some()
    });
    let reads = |change: &Operation| {
        let reads = document.operations().into_iter();
        let mut same = reads.filter(|read| read.method == Method::GET && read.path == change.path);
        same.next().filter(|read| read.answers.pointer("/200/content/application~1json").is_some())
    };
    changes.into_iter().filter_map(|change| Some((reads(&change)?, change))).collect()
}

/// Sends a body as a change.
async fn write(client: &Client, change: &Operation, path: &str, body: Value) -> crate::client::Reply {
    if change.method == Method::PUT { client.put(path, body).await } else { client.patch(path, body).await }
}

#[tokio::test]
async fn what_a_read_gave_can_be_written_back() {
    let test = TestApp::builder().config(|config| config.logins_per_minute = 1_000_000).build().await;
    let document = Document::read();
    let user = test.user("root").await;
    let (mut found, mut tried) = (Vec::new(), 0);
    for (read, change) in pairs(&document) {
        let stock = Stock::of(&document, &change, &user, "root").await;
        let place = stock.uri(&read, "");
        // A list whose rows are changed one by one.
        let has_rows = document.resolve(change.body.as_ref().unwrap())["properties"].is_object();
        let shown = async || match user.get(&place).await.expect(200) {
            Value::Array(rows) if has_rows => rows.into_iter().next().unwrap(),
            whole => whole,
        };
        let before = shown().await;
        let path = stock.uri(&change, "");
        let reply = write(&user, &change, &path, with_other_links(before.clone())).await;
        let after = shown().await;
        tried += 1;
        if !reply.status.is_success() {
            found.push(format!("{}: {} {} to {before}", change.id, reply.status, reply.text()));
        } else if lasting(before.clone()) != lasting(after.clone()) {
            found.push(format!("{}: {before} became {after}", change.id));
        }
        found.extend(differing(&document, &change, &user, &path, &after).await);
        if lasting(shown().await) != lasting(after) {
            found.push(format!("{}: what was refused has changed it", change.id));
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
    assert!(tried > 25, "only {tried} things were written back");
}

/// Writes it back with each of its read-only fields changed; returns what was not refused as it should be.
async fn differing(
    document: &Document,
    change: &Operation,
    user: &Client,
    path: &str,
    shown: &Value,
) -> Vec<String> {
    let mut found = Vec::new();
    let properties = document.resolve(change.body.as_ref().unwrap())["properties"].clone();
    for (name, value) in shown.as_object().into_iter().flatten() {
        if properties.get(name).is_none() {
            found.push(format!("{}: {name} is not documented in its body", change.id));
        }
        let mut body = shown.clone();
        body[name] = other(value);
        if properties[name]["readOnly"] != true || is_link(name) {
            continue;
        }
        let reply = write(user, change, path, body).await;
        let pointer =
            serde_json::from_slice(&reply.body).map(|problem: Value| problem["errors"][0]["pointer"].clone());
        // Without an id in the path the body's id selects the row, so another id selects another row.
        let is_named =
            pointer.unwrap_or_default() == format!("/{name}") || (name == "id" && !change.path.contains('{'));
        if reply.status != 422 || !is_named {
            found.push(format!("{}: another {name}: {} {}", change.id, reply.status, reply.text()));
        }
    }
    found
}
