//! Plain resources: what one mechanism promises of all of them.

mod indexes;
mod pairs;
mod races;
mod rows;
mod statements;
mod story;

use scrip::resource::{Field, Mode, Spec};
use serde_json::{Map, Value, json};

/// A good body for creating one, out of what every test finds in its database.
pub fn draft(spec: &'static Spec) -> Value {
    let mut draft = Map::new();
    for (field, name) in spec.named() {
        if field.is_input() && name != "userGroup" {
            draft.insert(name.to_owned(), sample(spec, field, name));
        }
    }
    Value::Object(draft)
}

/// A good body for changing one: the same, but for what stays as it is.
pub fn patch(spec: &'static Spec) -> Value {
    let mut patch = draft(spec);
    for (field, name) in spec.named() {
        if field.mode == Mode::Once {
            patch.as_object_mut().unwrap().remove(name);
        }
    }
    patch
}

fn sample(spec: &'static Spec, field: &Field, name: &str) -> Value {
    if let Some(target) = field.target {
        return match target().noun {
            "currency" => json!(978),
            // The only one of the group that tests act for.
            "location" | "alert group" => json!(2),
            _ => json!(1),
        };
    }
    if let Some(example) = field.example {
        return serde_json::from_str(example).unwrap();
    }
    let schema = serde_json::to_value((field.takes)()).unwrap();
    match schema["type"].as_str().unwrap() {
        "boolean" => json!(true),
        "integer" | "number" => json!(7),
        "object" => json!({}),
        "string" => schema["enum"].get(0).or(schema["examples"].get(0)).cloned().unwrap_or(json!("text")),
        kind => panic!("{} {name}: no sample of type {kind}", spec.noun),
    }
}
