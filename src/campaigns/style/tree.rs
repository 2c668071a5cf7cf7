//! JSON as it stands there: with repeated names, which a map would hide.

use super::Fault;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::fmt;

/// Objects within objects that are looked into: as many as a style has, and one to say what is wrong.
const DEPTH_MAX: usize = 4;

/// A value. What no style has is not kept.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Tree {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// Any number.
    Number(f64),
    /// A string.
    Text(String),
    /// An array.
    List,
    /// An object: its names and values in the order in which they stand there.
    Object(Vec<(String, Tree)>),
}

impl Tree {
    /// Reads a whole text.
    pub(super) fn read(text: &str) -> Result<Self, Fault> {
        let mut json = serde_json::Deserializer::from_str(text);
        let mut track = serde_path_to_error::Track::new();
        let read =
            Below(DEPTH_MAX).deserialize(serde_path_to_error::Deserializer::new(&mut json, &mut track));
        match read.and_then(|tree| json.end().map(|()| tree)) {
            Ok(tree) => Ok(tree),
            // A number that is too large, or an escape that is no character: JSON by its grammar.
            Err(cause) if serde_json::from_str::<IgnoredAny>(text).is_ok() => {
                let cause = cause.to_string();
                let detail = cause.split(" at line ").next().unwrap_or_default().to_owned();
                Err(Fault::at(pointer(&track.path()), detail))
            }
            Err(cause) => Err(Fault::at("", format!("must be a JSON object as text: {cause}"))),
        }
    }
}

/// As JSON. Of what no style has nothing was kept.
impl fmt::Display for Tree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool(value) => write!(f, "{value}"),
            // As far as a coupon could make anything of it, so that it reads the same again.
            Self::Number(number) => {
                write!(f, "{}", serde_json::Value::from((number.clamp(-1e6, 1e6) * 1e3).round() / 1e3))
            }
            Self::Text(text) => write!(f, "{}", serde_json::Value::from(text.as_str())),
            Self::Null | Self::List | Self::Object(_) => f.write_str("null"),
        }
    }
}

fn pointer(path: &serde_path_to_error::Path) -> String {
    use serde_path_to_error::Segment;
    path.iter()
        .filter_map(|segment| match segment {
            Segment::Seq { index } => Some(format!("/{index}")),
            Segment::Map { key } => Some(below("", key)),
            Segment::Enum { .. } | Segment::Unknown => None,
        })
        .collect()
}

/// The pointer of what has this name in the object at `pointer` (RFC 6901).
pub(super) fn below(pointer: &str, name: &str) -> String {
    format!("{pointer}/{}", name.replace('~', "~0").replace('/', "~1"))
}

/// Reads a value with so many levels of objects.
struct Below(usize);

impl<'de> DeserializeSeed<'de> for Below {
    type Value = Tree;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Tree, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Below {
    type Value = Tree;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Tree, E> {
        Ok(Tree::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Tree, E> {
        Ok(Tree::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Tree, E> {
        Ok(Tree::Number(value as f64))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Tree, E> {
        Ok(Tree::Number(value as f64))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Tree, E> {
        Ok(Tree::Number(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Tree, E> {
        Ok(Tree::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut values: A) -> Result<Tree, A::Error> {
        while values.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Tree::List)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Tree, A::Error> {
        let mut read = Vec::new();
        while let Some(name) = entries.next_key::<String>()? {
            if self.0 == 0 {
                entries.next_value::<IgnoredAny>()?;
            } else {
                read.push((name, entries.next_value_seed(Below(self.0 - 1))?));
            }
        }
        Ok(Tree::Object(read))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(text: &str) -> String {
        Tree::read(text).unwrap_err().pointer
    }

    #[test]
    fn names_that_are_there_twice_are_both_read() {
        let tree = Tree::read(r#" {"a":1,"a":{"b":null,"c":[{}]}} "#).unwrap();
        let inner = Tree::Object(vec![("b".to_owned(), Tree::Null), ("c".to_owned(), Tree::List)]);
        let both = vec![("a".to_owned(), Tree::Number(1.0)), ("a".to_owned(), inner)];
        assert_eq!(tree, Tree::Object(both));
    }

    #[test]
    fn what_is_not_json_is_wrong_as_a_whole_and_what_no_number_is_where_it_stands() {
        for text in ["", "{", "{} x", "{'a':1}", "{\"a\":\"\u{1}\"}", "nan"] {
            assert_eq!(fault(text), "", "{text}");
        }
        assert_eq!(fault(r#"{"a":{"b/c":1e999}}"#), "/a/b~1c");
        assert_eq!(fault(r#"{"a":"\ud800"}"#), "/a");
    }

    #[test]
    fn depth_costs_nothing() {
        for (open, close) in [("[", "]"), (r#"{"a":"#, "}")] {
            let middle = if open == "[" { "" } else { "1" };
            let text = format!("{}{middle}{}", open.repeat(100_000), close.repeat(100_000));
            assert!(Tree::read(&text).is_ok(), "{open}");
        }
    }
}
