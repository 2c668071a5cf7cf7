//! Answers against the schemas that the document promises.

use super::document::{Document, Operation};
use crate::client::Reply;
use axum::http::header;
use chrono::{DateTime, NaiveDate};
use serde_json::{Map, Value};

/// What is wrong with a successful answer, by the document.
pub fn misfits(document: &Document, operation: &Operation, reply: &Reply) -> Vec<String> {
    let status = reply.status.as_str();
    let Some(promised) = operation.answers.get(status) else {
        return vec![format!("{}: {status} is not documented", operation.id)];
    };
    let kind = reply.headers.get(header::CONTENT_TYPE).map_or("", |kind| kind.to_str().unwrap());
    let kind = kind.split(';').next().unwrap_or_default();
    let Some(content) = promised["content"].get(kind) else {
        return vec![format!("{}: {status} with {kind:?} is not documented", operation.id)];
    };
    if kind != "application/json" {
        return Vec::new();
    }
    let mut found = Vec::new();
    check(document, &content["schema"], &reply.json(), "", &mut found);
    found.into_iter().map(|misfit| format!("{}: {status}: {misfit}", operation.id)).collect()
}

fn check(document: &Document, schema: &Value, value: &Value, pointer: &str, found: &mut Vec<String>) {
    let schema = document.behind(schema);
    let complaints = found.len();
    for choices in ["oneOf", "anyOf"] {
        let Some(choices) = schema[choices].as_array() else { continue };
        let fits = |choice: &&Value| {
            let mut misfits = Vec::new();
            check(document, choice, value, pointer, &mut misfits);
            misfits.is_empty()
        };
        if !choices.iter().any(|choice| fits(&choice)) {
            found.push(format!("{pointer} is none of what it may be: {value}"));
        }
    }
    if let Some(object) = value.as_object() {
        check_object(document, schema, object, pointer, found);
    } else {
        for part in schema["allOf"].as_array().into_iter().flatten() {
            check(document, part, value, pointer, found);
        }
    }
    if !schema["type"].is_null() && !super::document::has_type(schema, value) {
        found.push(format!("{pointer} is not of its type: {value}"));
    }
    if schema["enum"].as_array().is_some_and(|words| !words.contains(value)) {
        found.push(format!("{pointer} is none of the words: {value}"));
    }
    if value.as_str().is_some_and(|text| !has_format(schema["format"].as_str(), text)) {
        found.push(format!("{pointer} is not of its format: {value}"));
    }
    if found.len() == complaints {
        for (index, item) in value.as_array().into_iter().flatten().enumerate() {
            check(document, &schema["items"], item, &format!("{pointer}/{index}"), found);
            // The rest is hardly any better.
            if found.len() > complaints {
                break;
            }
        }
    }
}

/// Properties may come from several schemas that all hold; what none of them has is not promised.
fn check_object(
    document: &Document,
    schema: &Value,
    object: &Map<String, Value>,
    pointer: &str,
    found: &mut Vec<String>,
) {
    let mut parts = Vec::new();
    gather(document, schema, &mut parts);
    for part in &parts {
        let required = part["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let missing = required.filter(|name| !object.contains_key(*name));
        found.extend(missing.map(|name| format!("{pointer}/{name} is missing")));
    }
    let is_closed = parts.iter().any(|part| part["properties"].is_object());
    for (name, value) in object {
        let pointer = format!("{pointer}/{name}");
        let known = parts.iter().find_map(|part| part["properties"].get(name));
        let others = parts.iter().map(|part| &part["additionalProperties"]).find(|others| others.is_object());
        match known.or(others) {
            Some(schema) => check(document, schema, value, &pointer, found),
            None if is_closed => found.push(format!("{pointer} is not documented")),
            None => {}
        }
    }
}

/// A schema, and all that hold together with it.
fn gather<'a>(document: &'a Document, schema: &'a Value, parts: &mut Vec<&'a Value>) {
    let schema = document.behind(schema);
    parts.push(schema);
    for part in schema["allOf"].as_array().into_iter().flatten() {
        gather(document, part, parts);
    }
}

fn has_format(format: Option<&str>, text: &str) -> bool {
    match format {
        // Times are told in UTC, unless a field is documented to have an offset.
        Some("date-time") => DateTime::parse_from_rfc3339(text).is_ok(),
        Some("date") => text.parse::<NaiveDate>().is_ok(),
        Some("uuid") => uuid::Uuid::parse_str(text).is_ok(),
        _ => true,
    }
}
