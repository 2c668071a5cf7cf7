//! The surface as a whole: what is promised is documented, and what is documented hangs together.

use crate::{app::TestApp, support::generated::assert_generated};
use serde_json::Value;
use std::collections::HashSet;

/// Every endpoint there is to be, area by area.
const ENDPOINTS: &str = include_str!("../endpoints.tsv");

/// A documented operation.
struct Operation {
    name: String,
    value: Value,
}

fn operations() -> Vec<Operation> {
    let document = serde_json::to_value(scrip::http::document()).unwrap();
    let mut operations = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, value) in item.as_object().unwrap() {
            let name = format!("{} {path}", method.to_uppercase());
            operations.push(Operation { name, value: value.clone() });
        }
    }
    operations
}

/// Parameters have other names here and there; the place is what counts.
fn without_names(endpoint: &str) -> String {
    let mut text = String::new();
    let mut inside = false;
    for c in endpoint.chars() {
        inside = (inside || c == '{') && c != '}';
        if !inside {
            text.push(c);
        }
    }
    text
}

#[test]
fn every_promised_endpoint_is_documented() {
    let documented: HashSet<String> =
        operations().iter().map(|operation| without_names(&operation.name)).collect();
    let rows = ENDPOINTS.lines().skip(1).map(|row| row.split('\t').collect::<Vec<_>>());
    let missing: Vec<String> = rows
        .map(|row| format!("{} {}", row[1], row[2]))
        .filter(|endpoint| !documented.contains(&without_names(endpoint)))
        .collect();
    assert!(missing.is_empty(), "not documented:\n{}", missing.join("\n"));
}

#[test]
fn every_operation_is_named_tagged_and_described() {
    let mut ids = HashSet::new();
    for Operation { name, value } in operations() {
        let id = value["operationId"].as_str().unwrap_or_default();
        assert!(!id.is_empty() && ids.insert(id.to_owned()), "{name}: operation id {id:?}");
        assert!(value["tags"][0].is_string(), "{name}: no tag");
        assert!(value["summary"].as_str().is_some_and(|summary| !summary.is_empty()), "{name}: no summary");
        let statuses = value["responses"].as_object().unwrap();
        assert!(statuses.keys().any(|status| status.starts_with('2')), "{name}: no way to succeed");
    }
}

#[test]
fn the_list_of_operations_is_what_it_was() {
    let mut names: Vec<String> = operations()
        .into_iter()
        .map(|Operation { name, value }| {
            format!("{name}  {}", value["operationId"].as_str().unwrap_or_default())
        })
        .collect();
    names.sort();
    insta::assert_snapshot!(names.join("\n"));
}

#[test]
fn the_document_is_the_one_in_the_repository() {
    let document = serde_json::to_string_pretty(&scrip::http::document()).unwrap();
    assert_generated("docs/openapi.json", &format!("{document}\n"));
}

#[test]
fn a_limit_or_a_step_of_0_is_none() {
    let document = serde_json::to_value(scrip::http::document()).unwrap();
    let mut taken = Vec::new();
    for (name, schema) in document["components"]["schemas"].as_object().unwrap() {
        for (field, schema) in schema["properties"].as_object().into_iter().flatten() {
            // Only what a body may say has bounds.
            if (field.ends_with("Limit") || field.ends_with("PLU")) && schema["minimum"].is_number() {
                taken.push(field.clone());
                assert_eq!(schema["minimum"], 0, "{name}.{field}");
            }
        }
    }
    taken.sort();
    taken.dedup();
    assert_eq!(taken, ["extraProductPLU", "flavourPLU", "redemptionLimit"]);
}

#[test]
fn every_reference_in_the_document_leads_somewhere() {
    fn references(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Object(object) => {
                found.extend(object.get("$ref").and_then(Value::as_str).map(str::to_owned));
                object.values().for_each(|value| references(value, found));
            }
            Value::Array(values) => values.iter().for_each(|value| references(value, found)),
            _ => {}
        }
    }
    let document = serde_json::to_value(scrip::http::document()).unwrap();
    let mut found = Vec::new();
    references(&document, &mut found);
    for reference in found {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(document.pointer(pointer).is_some(), "{reference} leads nowhere");
    }
}

#[tokio::test]
async fn everything_but_the_open_endpoints_wants_to_know_who_calls() {
    let test = TestApp::new().await;
    for Operation { name, value } in operations() {
        let (method, path) = name.split_once(' ').unwrap();
        let open = value["security"].as_array().is_some_and(Vec::is_empty);
        if open {
            continue;
        }
        for path in [path.to_owned(), format!("/v1{path}")] {
            let uri = path.replace("{id}", "1").replace(['{', '}'], "");
            let request = axum::http::Request::builder()
                .method(method)
                .uri(&uri)
                .header("content-type", "application/json")
                .body(axum::body::Body::from("{}"))
                .unwrap();
            let reply = test.anyone().send_raw(request).await;
            assert_eq!(reply.status, 401, "{name}: {}", reply.text());
            assert_eq!(reply.headers["www-authenticate"], "Bearer", "{name}");
        }
    }
}

#[tokio::test]
async fn the_document_and_its_page_are_served_by_this_server_alone() {
    let test = TestApp::new().await;
    let document = test.anyone().get("/openapi.json").await.expect(200);
    assert_eq!(document["openapi"], "3.1.0");
    let page = test.anyone().get("/docs/").await;
    assert_eq!(page.status, 200);
    for file in ["index.css", "swagger-ui.css", "swagger-ui-bundle.js", "swagger-initializer.js"] {
        let asset = test.anyone().get(&format!("/docs/{file}")).await;
        assert_eq!(asset.status, 200, "{file}");
    }
    for address in ["src=\"http", "href=\"http", "src=\"//", "href=\"//"] {
        assert!(!page.text().contains(address), "the page needs another server");
    }
}

#[tokio::test]
async fn who_finds_a_hole_finds_whom_to_tell() {
    let contact = |contact: &str| {
        let contact = contact.to_owned();
        TestApp::builder()
            .stopped_at("2026-11-24T12:00:00.5Z")
            .config(|config| config.security_contact = Some(contact))
    };
    let test = contact("security@example.com").build().await;
    let reply = test.anyone().get("/.well-known/security.txt").await;
    assert_eq!(reply.headers["content-type"], "text/plain; charset=utf-8");
    assert_eq!(
        reply.text(),
        "Contact: mailto:security@example.com\nExpires: 2027-05-23T12:00:00Z\n\
         Canonical: http://127.0.0.1:8080/.well-known/security.txt\nPreferred-Languages: en\n"
    );
    let test = contact("https://example.com/report").build().await;
    let reply = test.anyone().get("/.well-known/security.txt").await;
    assert!(reply.text().starts_with("Contact: https://example.com/report\n"), "{}", reply.text());
    let silent = TestApp::new().await;
    silent.anyone().get("/.well-known/security.txt").await.expect(404);
}
