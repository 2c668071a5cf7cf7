//! Bodies of changes that repeat what a read gave: its read-only fields are taken where they equal what is stored.
//!
//! A change that names none of them is read as it is, and costs no look at what is stored. Links that the server makes
//! are ignored, because they are other ones each time; a field that neither side knows stays unknown (422).

use super::{
    caller::{Caller, Permission},
    extract::{JsonBytes, escaped, parse},
    unread::Unread,
};
use crate::{
    app::App,
    error::{Error, Issue, Result},
};
use chrono::DateTime;
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{DeserializeOwned, Error as _, MapAccess, Visitor, value::Error as Captured},
    forward_to_deserialize_any,
};
use serde_json::{
    Map, Value,
    value::{RawValue, to_raw_value},
};
use std::{collections::HashSet, fmt};

/// The meaning of a field that is absent from a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Absent {
    /// It stays as it is. Of a field that equals what is stored, a spelling that only reads have is as good.
    Stays,
    /// It stays as it is, and a field that equals what is stored is as good as absent: saying it once more would do
    /// something.
    Repeats,
    /// It is taken away, or follows something else.
    Goes,
}

impl<T: DeserializeOwned + Send + 'static> Unread<super::Json<T>> {
    /// Reads a change of what `shown` shows to the caller, as [`Unread::read`] does otherwise.
    pub async fn read_over<S: Serialize>(
        self,
        app: &App,
        caller: &Caller,
        permission: Permission,
        absent: Absent,
        shown: impl Future<Output = Result<S>>,
    ) -> Result<T> {
        let bytes = self.of_kind::<JsonBytes>().read(app, caller, permission).await?;
        read(app, caller, bytes, form(absent), shown).await
    }
}

/// The fields of a change by their names, the meaning of their absence, and the way to read it.
pub type Form<T> = (fn(&str) -> bool, Absent, fn(&[u8]) -> Result<T>);

/// Returns how a change is read that is a `T`.
pub fn form<T: DeserializeOwned>(absent: Absent) -> Form<T> {
    (is_field::<T>, absent, parse::<T>)
}

/// Reads a change of what `shown` shows.
pub async fn read<T: Send + 'static, S: Serialize>(
    app: &App,
    caller: &Caller,
    JsonBytes(bytes): JsonBytes,
    form: Form<T>,
    shown: impl Future<Output = Result<S>>,
) -> Result<T> {
    let (is_field, absent, read) = form;
    let text = bytes.clone();
    let plain = move || if repeats(&text, is_field) { Ok(None) } else { read(&text).map(Some) };
    if let Some(change) = app.offload.run(caller.group(), bytes.len(), plain).await? {
        return Ok(change);
    }
    let Ok(Value::Object(shown)) = serde_json::to_value(shown.await?) else {
        return Err(Error::fault("what is shown is no object"));
    };
    let settle = move || settled(&bytes, is_field, absent, &shown, read);
    app.offload.run(caller.group(), 0, settle).await
}

/// The fields of an object in their order, as they came.
struct Fields<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Fields<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;

        impl<'de> Visitor<'de> for Collect {
            type Value = Fields<'de>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields<'de>, A::Error> {
                let mut fields = Vec::new();
                while let Some(field) = map.next_entry()? {
                    fields.push(field);
                }
                Ok(Fields(fields))
            }
        }

        deserializer.deserialize_map(Collect)
    }
}

/// Returns `true` if a body has fields that a change has not.
fn repeats(body: &[u8], is_field: fn(&str) -> bool) -> bool {
    // A body that is no object is refused by its reader.
    serde_json::from_slice(body).is_ok_and(|Fields(fields)| fields.iter().any(|(name, _)| !is_field(name)))
}

/// Reads a body without what only repeats what is shown; refuses (422) read-only fields that differ.
fn settled<T>(
    body: &[u8],
    is_field: fn(&str) -> bool,
    absent: Absent,
    shown: &Map<String, Value>,
    read: impl Fn(&[u8]) -> Result<T>,
) -> Result<T> {
    let Fields(fields) = serde_json::from_slice(body).map_err(Error::fault)?;
    let is_repeated = |name: &str, value: &RawValue| {
        let sent = serde_json::from_str(value.get()).unwrap_or_default();
        shown.get(name).is_some_and(|stored| is_same(&sent, stored))
    };
    let (mut kept, mut issues, mut seen) = (Vec::new(), Vec::new(), HashSet::new());
    for (name, value) in fields {
        if is_field(&name) || !shown.contains_key(&name) {
            if absent != Absent::Repeats || !is_repeated(&name, value) {
                kept.push((name, value));
            }
        } else if !seen.insert(name.clone()) {
            issues.push(Issue::at(pointer(&name), "is given twice"));
        } else if !is_link(&name) && !is_repeated(&name, value) {
            issues.push(Issue::at(pointer(&name), "is read-only, and is not what is stored"));
        }
    }
    if !issues.is_empty() {
        return Err(Error::Invalid(issues));
    }
    loop {
        let error = match read(&object(&kept)?) {
            Err(Error::Invalid(issues)) if absent != Absent::Goes => issues,
            outcome => return outcome,
        };
        let before = kept.len();
        let is_refused = |name: &str| error.iter().any(|issue| issue.pointer == pointer(name));
        kept.retain(|(name, value)| !(is_refused(name) && is_repeated(name, value)));
        if kept.len() == before {
            return Err(Error::Invalid(error));
        }
    }
}

/// Writes fields as an object; one that is there twice stays so.
fn object(fields: &[(String, &RawValue)]) -> Result<Vec<u8>> {
    let mut text = b"{".to_vec();
    for (index, (name, value)) in fields.iter().enumerate() {
        if index > 0 {
            text.push(b',');
        }
        text.extend(to_raw_value(name).map_err(Error::fault)?.get().bytes());
        text.push(b':');
        text.extend(value.get().bytes());
    }
    text.push(b'}');
    Ok(text)
}

fn pointer(name: &str) -> String {
    format!("/{}", escaped(name))
}

/// Returns `true` for the name of a link that the server makes: it has a token of its own each time.
pub fn is_link(name: &str) -> bool {
    name.ends_with("Url")
}

/// Returns `true` if a client that sends one means the other: flags and numbers have two spellings, and so have
/// instants.
fn is_same(sent: &Value, stored: &Value) -> bool {
    match (sent, stored) {
        (Value::Bool(flag), Value::Number(bit)) | (Value::Number(bit), Value::Bool(flag)) => {
            bit.as_u64() == Some(u64::from(*flag))
        }
        (Value::Number(one), Value::Number(other)) => one == other || one.as_f64() == other.as_f64(),
        (Value::Number(number), Value::String(text)) | (Value::String(text), Value::Number(number)) => {
            text.parse().ok() == number.as_f64()
        }
        (Value::String(one), Value::String(other)) => {
            let instant = |text: &str| DateTime::parse_from_rfc3339(text).ok();
            one == other || instant(one).is_some_and(|one| instant(other) == Some(one))
        }
        (Value::Array(some), Value::Array(others)) => {
            some.len() == others.len() && some.iter().zip(others).all(|(one, other)| is_same(one, other))
        }
        (Value::Object(some), Value::Object(others)) => {
            let null = Value::Null;
            let names = some.keys().chain(others.keys());
            names
                .into_iter()
                .all(|name| is_same(some.get(name).unwrap_or(&null), others.get(name).unwrap_or(&null)))
        }
        _ => sent == stored,
    }
}

/// Returns `true` for the names of the fields that `T` is read from.
fn is_field<T: DeserializeOwned>(name: &str) -> bool {
    let mut names: &[&str] = &[];
    // It ends as soon as the fields are named.
    let _named = T::deserialize(Names(&mut names));
    names.contains(&name)
}

/// Captures the names of a struct's fields.
struct Names<'a>(&'a mut &'static [&'static str]);

impl<'de> Deserializer<'de> for Names<'_> {
    type Error = Captured;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Captured> {
        Err(Captured::custom("is no struct"))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Captured> {
        *self.0 = fields;
        self.deserialize_any(visitor)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields, rename_all = "camelCase")]
    #[expect(dead_code, reason = "only the names of its fields are asked for")]
    struct Change {
        name: Option<String>,
        is_active: Option<u8>,
    }

    fn shown() -> Map<String, Value> {
        let shown = json!({
            "id": 7, "name": "Tea", "isActive": 1, "createdAt": "2026-01-01T00:00:00Z", "pdfUrl": "https://a/1",
            "latitude": "52.10", "rules": [{"field": "machine", "value": "7"}], "gone": null,
        });
        shown.as_object().unwrap().clone()
    }

    /// Settles a body for a reader that takes no 1 for a flag.
    fn settle(body: &str, absent: Absent) -> Result<String, Vec<String>> {
        let read = |body: &[u8]| {
            let text = String::from_utf8(body.to_vec()).unwrap();
            if text.contains("\"isActive\":1") {
                Err(Error::invalid("/isActive", "must be true or false"))
            } else {
                Ok(text)
            }
        };
        settled(body.as_bytes(), is_field::<Change>, absent, &shown(), read).map_err(|error| {
            error.problem().errors.into_iter().map(|issue| issue.pointer.into_owned()).collect()
        })
    }

    #[test]
    fn a_change_is_known_by_the_names_of_its_fields() {
        let known = ["name", "isActive", "is_active", "id"].map(is_field::<Change>);
        assert_eq!(known, [true, true, false, false]);
        assert!(!is_field::<Vec<Change>>("name"));
        for (body, expected) in
            [(r#"{"name":"a"}"#, false), (r#"{"id":7}"#, true), ("[1]", false), ("{", false)]
        {
            assert_eq!(repeats(body.as_bytes(), is_field::<Change>), expected, "{body}");
        }
    }

    #[test]
    fn what_was_read_can_be_written_back() {
        let body = Value::Object(shown()).to_string();
        assert_eq!(settle(&body, Absent::Stays), Ok(r#"{"name":"Tea"}"#.to_owned()));
        assert_eq!(settle(&body, Absent::Repeats), Ok("{}".to_owned()));
        assert_eq!(settle(&body, Absent::Goes), Err(vec!["/isActive".to_owned()]));
        // In other spellings.
        for (body, kept) in [
            (r#"{"id":7.0,"name":"Coffee"}"#, r#"{"name":"Coffee"}"#),
            (r#"{"id":7,"isActive":true}"#, r#"{"isActive":true}"#),
            (r#"{"latitude":52.1,"createdAt":"2026-01-01T01:00:00.000+01:00"}"#, "{}"),
            (r#"{"pdfUrl":"https://b/2","gone":null}"#, "{}"),
            (r#"{"id":7,"nonsense":1,"name":"a","name":"b"}"#, r#"{"nonsense":1,"name":"a","name":"b"}"#),
        ] {
            assert_eq!(settle(body, Absent::Stays).as_deref(), Ok(kept), "{body}");
        }
    }

    #[test]
    fn read_only_fields_that_differ_are_named() {
        for (body, pointers) in [
            (r#"{"id":8}"#, &["/id"][..]),
            (r#"{"id":"8","createdAt":null,"name":"a"}"#, &["/id", "/createdAt"]),
            (r#"{"id":7,"id":7}"#, &["/id"]),
            (r#"{"rules":[]}"#, &["/rules"]),
            (r#"{"rules":[{"field":"machine","value":"7","more":1}]}"#, &["/rules"]),
            (r#"{"gone":0}"#, &["/gone"]),
        ] {
            assert_eq!(
                settle(body, Absent::Stays),
                Err(pointers.iter().map(|&at| at.to_owned()).collect()),
                "{body}"
            );
        }
    }
}
