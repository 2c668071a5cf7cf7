//! The shape of an answer: names and JSON types, as an example shows them.

use chrono::DateTime;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

/// Examples by name, and which of their fields were seen with a value.
#[derive(Debug)]
pub struct Shapes {
    named: BTreeMap<String, Value>,
    seen: BTreeMap<String, bool>,
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "fraction",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// Returns `true` for an instant with fractions of seconds.
fn has_fractions(text: &str) -> bool {
    DateTime::parse_from_rfc3339(text).is_ok() && text.contains('.')
}

impl Shapes {
    /// Reads named examples.
    pub fn read(json: &str) -> Self {
        Self { named: serde_json::from_str(json).unwrap(), seen: BTreeMap::new() }
    }

    /// Fields that were never seen with a value, as `Shape.field`.
    pub fn unseen(&self) -> BTreeSet<String> {
        self.seen.iter().filter(|(_, seen)| !**seen).map(|(field, _)| field.clone()).collect()
    }

    /// Says where a value is not like its example. `of` names what the example is of, `at` where the value stands.
    pub fn misfits(&mut self, of: &str, at: &str, example: &Value, value: &Value) -> Vec<String> {
        if let Some((name, shape)) =
            example.as_str().and_then(|name| Some((name, self.named.get(name)?.clone())))
        {
            return self.misfits(name, at, &shape, value);
        }
        match (example, value) {
            (Value::Object(example), Value::Object(value)) => self.object(of, at, example, value),
            (Value::Array(example), Value::Array(values)) => {
                let Some(example) = example.first() else { return Vec::new() };
                if values.is_empty() && at.is_empty() {
                    return vec![format!("{at}: has nothing in it")];
                }
                let each = values.iter().enumerate();
                each.flat_map(|(place, value)| self.misfits(of, &format!("{at}/{place}"), example, value))
                    .collect()
            }
            // The reference does not say which they are, but that they may be none.
            (Value::Null, _) => Vec::new(),
            // A fraction may happen to be whole.
            _ if kind(example) == kind(value) || (kind(example) == "fraction" && value.is_number()) => {
                Vec::new()
            }
            _ => vec![format!("{at}: is {value}, not a {}", kind(example))],
        }
    }

    fn object(
        &mut self,
        of: &str,
        at: &str,
        example: &Map<String, Value>,
        value: &Map<String, Value>,
    ) -> Vec<String> {
        // `<$currency>` stands for any name.
        if let Some((name, example)) = example.iter().find(|(name, _)| name.starts_with('<')) {
            if value.is_empty() {
                return vec![format!("{at}: has no {name}")];
            }
            let each = value.iter();
            return each
                .flat_map(|(name, value)| self.misfits(of, &format!("{at}/{name}"), example, value))
                .collect();
        }
        let mut misfits = Vec::new();
        for (name, example) in example {
            let place = format!("{at}/{name}");
            let Some(value) = value.get(name) else {
                misfits.push(format!("{place}: is not there"));
                continue;
            };
            let field = format!("{of}.{name}");
            let is_there = !value.is_null() && value.as_array().is_none_or(|values| !values.is_empty());
            *self.seen.entry(field.clone()).or_default() |= is_there;
            if value.as_str().is_some_and(has_fractions) {
                misfits.push(format!("{place}: {value} has more than whole seconds"));
            }
            if !value.is_null() {
                misfits.extend(self.misfits(&field, &place, example, value));
            }
        }
        misfits
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn misfits(example: &Value, value: &Value) -> usize {
        Shapes::read(r#"{"Pair": {"one": 0, "other": "string"}}"#).misfits("x", "", example, value).len()
    }

    #[test]
    fn an_answer_is_like_its_example_in_names_and_types() {
        let good = json!({"one": 7, "other": "a", "more": true});
        assert_eq!(misfits(&json!("Pair"), &good), 0);
        assert_eq!(misfits(&json!(["Pair"]), &json!([good, {"one": null, "other": "b"}])), 0);
        assert_eq!(misfits(&json!("Pair"), &json!({"one": "7"})), 2);
        assert_eq!(misfits(&json!("Pair"), &json!({"one": 7.5, "other": ["a"]})), 2);
        assert_eq!(misfits(&json!(["Pair"]), &json!([])), 1);
        assert_eq!(misfits(&json!({"<$currency>": [{"a": 0}]}), &json!({"EUR": [{"a": 1}], "USD": [{}]})), 1);
        assert_eq!(misfits(&json!({}), &json!([])), 1);
    }
}
