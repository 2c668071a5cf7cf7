//! A command as clients see it, and what they may ask for: pure.

use crate::{
    campaigns::terms::Checks,
    error::{Error, Issue, Result},
    text,
};
use chrono::{DateTime, Duration, Utc};
use serde::{Deserialize, Deserializer, Serialize, de};
use serde_json::{Map, Value};
use std::borrow::Cow;
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        RefOr, Schema,
        schema::{ObjectBuilder, SchemaType, Type},
    },
};
use uuid::Uuid;

/// The longest name of a command, in characters.
const NAME_MAX: usize = 100;

/// Parameters of one command at most.
const PARAMS_MAX: usize = 100;

/// All parameters of a command together, in bytes of JSON.
const PARAMS_MAX_BYTES: usize = 16 * 1024;

/// The longest text among them, in characters.
const TEXT_MAX: usize = 1_000;

/// The longest explanation of a gateway, in characters.
const DETAILS_MAX: usize = 2_000;

/// Where a command stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema, sqlx::Type)]
#[serde(rename_all = "lowercase")]
#[sqlx(type_name = "text", rename_all = "lowercase")]
#[schema(as = CommandState)]
pub enum State {
    /// It waits for the gateway to fetch it.
    Pending,
    /// The gateway has fetched it, and has not said what became of it.
    Delivered,
    /// It was carried out.
    Done,
    /// It could not be.
    Failed,
    /// Its time was over first.
    Expired,
}

impl State {
    /// What it is at `now`, for a command that expires at `expires_at`: nobody has to note that.
    #[must_use]
    pub fn as_of(self, expires_at: DateTime<Utc>, now: DateTime<Utc>) -> Self {
        match self {
            Self::Pending | Self::Delivered if expires_at <= now => Self::Expired,
            state => state,
        }
    }
}

/// Something that a machine was told to do.
#[derive(Debug, Serialize, ToSchema, sqlx::FromRow)]
#[serde(rename_all = "camelCase")]
pub struct Command {
    /// Its id.
    pub id: Uuid,
    /// The machine's id.
    pub machine: i64,
    /// The machine's hostname.
    pub hostname: String,
    /// What it was told to do.
    pub command: String,
    /// With what: numbers, texts and switches, or objects where it was sent to many machines.
    #[schema(value_type = Vec<Value>)]
    pub params: sqlx::types::Json<Value>,
    /// What it was sent to many machines with, if it was.
    pub batch: Option<Uuid>,
    /// Where it stands.
    pub state: State,
    /// Who sent it, if it was a person.
    pub created_by: Option<i64>,
    /// When it was sent.
    #[serde(serialize_with = "crate::time::milliseconds")]
    pub created_at: DateTime<Utc>,
    /// When it is no longer to be carried out.
    #[serde(serialize_with = "crate::time::milliseconds")]
    pub expires_at: DateTime<Utc>,
    /// When it was first fetched.
    #[serde(serialize_with = "crate::time::milliseconds")]
    pub delivered_at: Option<DateTime<Utc>>,
    /// How often it was fetched.
    pub attempts: i32,
    /// When the gateway said what became of it.
    #[serde(serialize_with = "crate::time::milliseconds")]
    pub acknowledged_at: Option<DateTime<Utc>>,
    /// What the gateway had to say.
    pub details: Option<String>,
}

impl Command {
    /// The same as it stands at `now`.
    #[must_use]
    pub fn as_of(self, now: DateTime<Utc>) -> Self {
        Self { state: self.state.as_of(self.expires_at, now), ..self }
    }
}

/// A command as its machine's gateway fetches it.
#[derive(Debug, Serialize, ToSchema, sqlx::FromRow)]
#[serde(rename_all = "camelCase")]
pub struct Due {
    /// Its id, by which the gateway tells repeats.
    pub id: Uuid,
    /// What is to be done.
    pub command: String,
    /// With what: numbers, texts and switches, or objects where it was sent to many machines.
    #[schema(value_type = Vec<Value>)]
    pub params: sqlx::types::Json<Value>,
    /// When it is no longer to be carried out.
    #[serde(serialize_with = "crate::time::milliseconds")]
    pub expires_at: DateTime<Utc>,
    /// Its place in the order of the machine's commands.
    #[serde(skip)]
    pub place: i64,
}

/// A parameter of a command: a number, text, or a switch.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Scalar(Value);

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::Null | Value::Array(_) | Value::Object(_) => {
                Err(de::Error::custom("must be a number, a string, true or false"))
            }
            scalar => Ok(Self(scalar)),
        }
    }
}

impl PartialSchema for Scalar {
    fn schema() -> RefOr<Schema> {
        let kinds = vec![Type::Integer, Type::Number, Type::String, Type::Boolean];
        ObjectBuilder::new().schema_type(SchemaType::Array(kinds)).into()
    }
}

impl ToSchema for Scalar {
    fn name() -> Cow<'static, str> {
        "CommandParameter".into()
    }
}

/// The name of a command, if it can be one.
pub fn name(name: &str) -> Result<&str> {
    // Gateways have words of their own: all that matters here is that people can read them, and paths hold them.
    let is_said = (1..=NAME_MAX).contains(&name.chars().count()) && !name.trim().is_empty();
    if is_said && !name.contains('/') && text::flaw(name).is_none() {
        Ok(name)
    } else {
        Err(Error::malformed("/command", "must be 1 to 100 printable characters, none of them a slash"))
    }
}

/// Parameters of a command to one machine, within bounds.
pub fn scalars(params: Vec<Scalar>) -> Result<Value> {
    within(params.into_iter().map(|scalar| scalar.0).collect())
}

/// Parameters of a command to many machines, within bounds.
pub fn objects(params: Vec<Map<String, Value>>) -> Result<Value> {
    within(params.into_iter().map(Value::Object).collect())
}

fn within(params: Vec<Value>) -> Result<Value> {
    if params.len() > PARAMS_MAX {
        return Err(Error::invalid("/params", format!("must be at most {PARAMS_MAX}")));
    }
    let wrong: Vec<_> = params
        .iter()
        .enumerate()
        .filter_map(|(at, param)| Some(Issue::at(format!("/params/{at}"), wrong(param)?)))
        .collect();
    if !wrong.is_empty() {
        return Err(Error::Invalid(wrong));
    }
    let params = Value::Array(params);
    if params.to_string().len() > PARAMS_MAX_BYTES {
        return Err(Error::invalid("/params", format!("must have at most {PARAMS_MAX_BYTES} bytes")));
    }
    Ok(params)
}

/// What a parameter has in it that no gateway should be sent, and that Postgres could not hold.
fn wrong(param: &Value) -> Option<&'static str> {
    let text = |text: &str| {
        let is_line = text.chars().all(|c| !c.is_control() || "\n\r\t".contains(c));
        if !is_line {
            Some("must not contain control characters")
        } else if text.chars().count() > TEXT_MAX {
            Some("must have at most 1000 characters in a text")
        } else {
            None
        }
    };
    match param {
        Value::Null | Value::Bool(_) | Value::Number(_) => None,
        Value::String(string) => text(string),
        Value::Array(items) => items.iter().find_map(wrong),
        Value::Object(fields) => fields.iter().find_map(|(name, value)| text(name).or_else(|| wrong(value))),
    }
}

/// How long a command waits: as its sender says, within what the operator allows.
pub fn patience(asked: Option<i64>, default_s: u32, max_s: u32) -> Result<Duration> {
    let max = i64::from(max_s.max(1));
    let seconds = asked.unwrap_or_else(|| i64::from(default_s).clamp(1, max));
    if !(1..=max).contains(&seconds) {
        return Err(Error::malformed("/expires", format!("must be from 1 to {max} seconds")));
    }
    Ok(Duration::seconds(seconds))
}

/// What a gateway says became of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = CommandResult)]
pub enum Verdict {
    /// It was carried out.
    Done,
    /// It could not be.
    Failed,
}

impl From<Verdict> for State {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Done => Self::Done,
            Verdict::Failed => Self::Failed,
        }
    }
}

/// What became of a command.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Acknowledgement {
    /// Whether it was carried out.
    pub result: Verdict,
    /// Why not, or anything else that is worth knowing.
    #[schema(max_length = 2000)]
    pub details: Option<String>,
}

impl Acknowledgement {
    /// Refuses what can't be kept.
    pub fn check(&self) -> Result<()> {
        let mut checks = Checks::default();
        checks.lines("/details", self.details.as_deref(), DETAILS_MAX);
        checks.done()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn pointer<T>(result: Result<T>) -> Option<String> {
        result.err().map(|error| error.problem().errors[0].pointer.to_string())
    }

    #[test]
    fn a_command_has_a_plain_name() {
        for good in ["reboot", "Reboot", "setPrice", "2x", "-x", "re boot", "ré", &"é".repeat(100)] {
            assert!(name(good).is_ok(), "{good}");
        }
        for bad in ["", " ", "a/b", "a\0", "a\u{7}", "a\u{202e}b", &"x".repeat(101)] {
            assert_eq!(pointer(name(bad)).as_deref(), Some("/command"), "{bad}");
        }
    }

    #[test]
    fn parameters_have_bounds() {
        let scalars_of = |json: Value| scalars(serde_json::from_value(json).unwrap());
        assert_eq!(scalars_of(json!([1, -2.5, "on", true])).unwrap(), json!([1, -2.5, "on", true]));
        assert_eq!(pointer(scalars_of(json!([1, "a\0"]))).as_deref(), Some("/params/1"));
        assert_eq!(pointer(scalars_of(json!(["x".repeat(1_001)]))).as_deref(), Some("/params/0"));
        assert_eq!(pointer(scalars_of(json!(vec![1; 101]))).as_deref(), Some("/params"));
        assert_eq!(pointer(scalars_of(json!(vec!["x".repeat(1_000); 17]))).as_deref(), Some("/params"));
        for bad in [json!([null]), json!([[1]]), json!([{}])] {
            assert!(serde_json::from_value::<Vec<Scalar>>(bad).is_err());
        }
        let objects_of = |json: Value| objects(serde_json::from_value(json).unwrap());
        assert!(objects_of(json!([{"slot": 4, "prices": [1, {"a": null}]}])).is_ok());
        for bad in [json!([{}, {"a\0": 1}]), json!([{}, {"a": [{"b": "\u{7}"}]}])] {
            assert_eq!(pointer(objects_of(bad)).as_deref(), Some("/params/1"));
        }
    }

    #[test]
    fn a_command_waits_as_long_as_its_sender_says_and_no_longer_than_allowed() {
        assert_eq!(patience(None, 60, 600).unwrap(), Duration::seconds(60));
        assert_eq!(patience(None, 900, 600).unwrap(), Duration::seconds(600));
        assert_eq!(patience(Some(600), 60, 600).unwrap(), Duration::seconds(600));
        for bad in [0, -1, 601, i64::MAX] {
            assert_eq!(pointer(patience(Some(bad), 60, 600)).as_deref(), Some("/expires"), "{bad}");
        }
    }

    #[test]
    fn what_nobody_has_said_anything_of_expires_and_all_else_stays() {
        let now = DateTime::UNIX_EPOCH;
        for (state, then) in [
            (State::Pending, State::Expired),
            (State::Delivered, State::Expired),
            (State::Done, State::Done),
            (State::Failed, State::Failed),
        ] {
            assert_eq!(state.as_of(now, now), then);
            assert_eq!(state.as_of(now + Duration::milliseconds(1), now), state);
        }
    }
}
