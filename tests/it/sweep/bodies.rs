//! Bodies that are wrong: as a whole, and in each of their fields.

use super::{
    document::{Document, Field, Operation},
    judge::{Case, Expected},
    stock::Stock,
};
use serde_json::{Value, json};
use std::iter::repeat_n;

const JSON: Option<&str> = Some("application/json");

/// Stands where something goes that [`Value`] can't hold.
const PLACE: &str = "@@place@@";

/// Things that a field can be, as JSON text. What is not its kind is found by its schema.
const VALUES: &[&str] = &[
    "null",
    "true",
    "0",
    "-1",
    "1.5",
    "9223372036854775807",
    "-9223372036854775808",
    "9223372036854775808",
    "18446744073709551616",
    "1e400",
    "\"\"",
    "\" \"",
    "\"12\"",
    "\"no such thing\"",
    "[]",
    "[[]]",
    "[null]",
    "{}",
    "{\"nonsense\":1}",
];

/// Text that nothing is called.
const HOSTILE: &[&str] = &["\"a\\u0000b\"", "\"a\\u0007b\"", "\"\\ud800\""];

/// Everything that is wrong with the body of an operation.
pub fn cases(
    document: &Document,
    operation: &Operation,
    own: &Stock,
    foreign: &Stock,
    limit: usize,
) -> Vec<Case> {
    let schema = operation.body.as_ref().unwrap();
    let sample = own.sample(document, operation);
    let mut cases = wholes(operation, &sample, limit);
    // A command that goes by nothing is sent without a body.
    cases.retain(|case| operation.id != "send_command" || case.what != "nothing");
    for field in document.fields(schema, &sample) {
        let before = cases.len();
        cases.extend(absent_or_twice(&field, &sample));
        cases.extend(values(document, operation, &field, &sample));
        cases.extend(others(operation, &field, &sample, foreign));
        for case in &mut cases[before..] {
            case.what = format!("{} {}", field.pointer, case.what);
        }
    }
    cases.extend(unknown_fields(&sample));
    for case in &mut cases {
        case.uri = own.uri(operation, "");
    }
    cases
}

fn case(what: &str, body: impl Into<Vec<u8>>, expected: Expected) -> Case {
    Case { what: what.to_owned(), uri: String::new(), content_type: JSON, body: body.into(), expected }
}

/// Bodies that can't be read at all, and those that are nothing like what is asked for.
fn wholes(operation: &Operation, sample: &Value, limit: usize) -> Vec<Case> {
    let good = sample.to_string().into_bytes();
    let with_byte = |at: usize, byte: u8| [&good[..at], &[byte], &good[at..]].concat();
    let quote = good.iter().position(|&byte| byte == b'"').unwrap() + 1;
    let unreadable = [
        ("nothing", Vec::new()),
        ("only space", b" \n".to_vec()),
        ("no JSON", b"deviceId=vm-1".to_vec()),
        ("truncated", good[..good.len() - 1].to_vec()),
        ("two values", [&good[..], b" 1"].concat()),
        ("a byte order mark", [b"\xEF\xBB\xBF", &good[..]].concat()),
        ("no UTF-8 in text", with_byte(quote, 0xFF)),
        ("no UTF-8 in front", with_byte(0, 0xFF)),
        ("a NUL in front", with_byte(0, 0)),
        ("nested deeply", repeat_n(b'[', 10_000).collect()),
        ("nested deeply in objects", b"{\"a\":".repeat(3_000)),
    ];
    let unreadable =
        unreadable.map(|(what, body)| case(what, body, Expected::Refused(&[400], String::new())));
    let alien = ["null", "true", "7", "\"text\"", if sample.is_array() { "{}" } else { "[]" }];
    let alien = alien.map(|body| case(body, body, Expected::Refused(&[422], String::new())));
    let too_large = [&good[..], &b" ".repeat(limit + 1 - good.len())].concat();
    let mut cases = Vec::from_iter(unreadable);
    cases.extend(
        sample
            .get(0)
            .map(|item| case("too many", many(item).to_string(), Expected::Refused(&[422], String::new()))),
    );
    cases.extend(alien);
    cases.push(case("too large", too_large, Expected::Refused(&[413], limit.to_string())));
    let forms = (!operation.takes_form).then_some("application/x-www-form-urlencoded");
    for content_type in ["text/plain", "application/jsonx", "json", ""].into_iter().chain(forms) {
        let of_type = case(content_type, good.clone(), Expected::Refused(&[415], String::new()));
        cases.push(Case { content_type: Some(content_type), ..of_type });
    }
    cases
}

/// More of the same than anybody needs.
fn many(item: &Value) -> Value {
    repeat_n(item.clone(), 5_001).collect()
}

/// A field that is left out, and one that is there twice.
fn absent_or_twice(field: &Field, sample: &Value) -> Vec<Case> {
    let (parent, name) = field.pointer.rsplit_once('/').unwrap();
    let refused = || Expected::Refused(&[422], field.pointer.clone());
    let mut cases = Vec::new();
    let mut without = sample.clone();
    let Some(value) = without.pointer_mut(parent).unwrap().as_object_mut().unwrap().remove(name) else {
        return cases;
    };
    cases.push(case(
        "left out",
        without.to_string(),
        if field.required { refused() } else { Expected::Either },
    ));
    without.pointer_mut(parent).unwrap()[PLACE] = json!(0);
    let twice = without
        .to_string()
        .replace(&format!("\"{PLACE}\":0"), &format!("\"{name}\":{value},\"{name}\":{value}"));
    cases.push(case("twice", twice, refused()));
    cases
}

/// Every value that a field might be given.
fn values(document: &Document, operation: &Operation, field: &Field, sample: &Value) -> Vec<Case> {
    let long = format!("\"{}\"", "x".repeat(10_000));
    let bidi = "\"\\u202e\\u2066abc\"";
    let mut texts = VALUES.to_vec();
    texts.extend(HOSTILE);
    texts.extend([long.as_str(), bidi]);
    let here = sample.pointer(&field.pointer);
    let many = here.and_then(|here| here.get(0)).map(|item| many(item).to_string());
    texts.extend(many.as_deref());
    // What serde could take for an object, field by field.
    let flat =
        here.and_then(Value::as_object).map(|object| json!(object.values().collect::<Vec<_>>()).to_string());
    texts.extend(flat.as_deref());
    let refused = || Expected::Refused(&[422], field.pointer.clone());
    let is_flag = document.resolve(&field.schema)["type"] == "boolean";
    let is_reference = operation.target(field.name()).is_some();
    let expected = |text: &str| {
        // A number or a character that there is not is no value at all.
        let Ok(value) = serde_json::from_str::<Value>(text) else { return refused() };
        // Answers show truths as numbers, which requests may repeat.
        if is_flag && value == 0 {
            return Expected::Either;
        }
        // None of these numbers is the id of anything.
        if !document.allows(&field.schema, &value) || (is_reference && value.is_i64()) {
            return refused();
        }
        // Whoever can't log in, or is logged out already, is told just that.
        let secret = operation.path.starts_with("/auth/");
        // What a client keeps there is its own business.
        let is_opaque = field.name() == "settings" && !text.contains("\\u0000");
        let may_be_long = document.resolve(&field.schema)["maxLength"].as_u64() > Some(10_000);
        if (HOSTILE.contains(&text) || text == long && !may_be_long) && !secret && !is_opaque {
            return refused();
        }
        Expected::Either
    };
    let cases = texts.into_iter().map(|text| {
        let what = if text.len() > 40 { &text[..40] } else { text };
        case(what, put(sample, &field.pointer, text), expected(text))
    });
    cases.collect()
}

/// What is there for another group, or for nobody, is not there.
fn others(operation: &Operation, field: &Field, sample: &Value, foreign: &Stock) -> Vec<Case> {
    let is_reference = operation.target(field.name()).is_some();
    let theirs = foreign.foreign(operation, field.name());
    let nobodys = match &theirs {
        Some(text) if text.is_string() => json!("vm-nowhere"),
        None if !is_reference => return Vec::new(),
        _ => json!(999_999_999),
    };
    let several = sample.pointer(&field.pointer).is_some_and(Value::is_array);
    let named = theirs.map(|theirs| ("another group's", theirs)).into_iter().chain([("nobody's", nobodys)]);
    let cases = named.map(|(what, value)| {
        let value = if several { json!([value]) } else { value };
        let body = put(sample, &field.pointer, &value.to_string());
        case(what, body, Expected::Refused(&[422], field.pointer.clone()))
    });
    cases.collect()
}

/// A field that there is not, in every object.
fn unknown_fields(sample: &Value) -> Vec<Case> {
    fn objects(value: &Value, pointer: &str, found: &mut Vec<String>) {
        match value {
            Value::Object(object) => {
                found.push(pointer.to_owned());
                object.iter().for_each(|(name, value)| objects(value, &format!("{pointer}/{name}"), found));
            }
            Value::Array(items) => {
                items.iter().take(1).for_each(|item| objects(item, &format!("{pointer}/0"), found));
            }
            _ => {}
        }
    }
    let mut found = Vec::new();
    objects(sample, "", &mut found);
    let names = ["nonsense", "__proto__", "a/b~c"];
    let cases = found.iter().flat_map(|object| {
        names.map(|name| {
            let mut body = sample.clone();
            body.pointer_mut(object).unwrap()[name] = json!(1);
            let pointer = format!("{object}/{}", name.replace('~', "~0").replace('/', "~1"));
            case(&format!("{object} with {name}"), body.to_string(), Expected::Refused(&[422], pointer))
        })
    });
    cases.collect()
}

/// The sample as text, with other text at a place.
fn put(sample: &Value, pointer: &str, text: &str) -> String {
    let mut body = sample.clone();
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    let parent = body.pointer_mut(parent).unwrap();
    parent[name] = json!(PLACE);
    if name == "count" {
        // Many have no code of their own.
        parent.as_object_mut().unwrap().remove("code");
    }
    body.to_string().replace(&format!("\"{PLACE}\""), text)
}
