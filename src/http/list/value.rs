//! Values and ops of a list query in the types of their columns: pure, and total over any text.

use super::{Column, Kind};
use crate::time::Moment;
use chrono::{DateTime, DurationRound, NaiveDate, TimeDelta, Utc};
use std::fmt;
use uuid::Uuid;

/// The comparison of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    /// Equal to the value, or to one of them.
    Is,
    /// Not equal; a row without a value is not equal to any.
    Not,
    /// Before, below.
    Less,
    /// Up to.
    AtMost,
    /// After, above.
    More,
    /// From.
    AtLeast,
    /// Has it anywhere in it, whatever its case.
    Contains,
    /// Begins with it, whatever its case.
    StartsWith,
    /// Ends with it, whatever its case.
    EndsWith,
}

/// A value in the type of its column.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// No value.
    Null,
    /// Of an [`Kind::Int`] column.
    Int(i64),
    /// Of a [`Kind::Real`] column.
    Real(f64),
    /// Of a [`Kind::Text`] or [`Kind::Word`] column.
    Text(String),
    /// Of a [`Kind::Uuid`] column.
    Uuid(Uuid),
    /// Of a [`Kind::Time`], [`Kind::Instant`] or [`Kind::Moment`] column.
    Time(DateTime<Utc>),
    /// Of a [`Kind::Moment`] column: the day in the zone of each row.
    Day(NaiveDate),
    /// Of a [`Kind::Bool`] column.
    Bool(bool),
}

/// One thing that rows must meet.
#[derive(Clone, Debug)]
pub struct Condition {
    /// The column that is compared.
    pub column: &'static Column,
    /// How.
    pub op: Op,
    /// With what; several only for [`Op::Is`].
    pub values: Vec<Value>,
}

impl Column {
    /// Returns the comparison of a client's op, and `true` if it takes several values.
    pub fn compares(&self, op: &str) -> Result<(Op, bool), &'static str> {
        let (op, several) = match op {
            "=" => (Op::Is, false),
            "in" => (Op::Is, true),
            "!" => (Op::Not, false),
            "<" => (Op::Less, false),
            "<=" => (Op::AtMost, false),
            ">" => (Op::More, false),
            ">=" => (Op::AtLeast, false),
            "contains" => (Op::Contains, false),
            "startsWith" => (Op::StartsWith, false),
            "endsWith" => (Op::EndsWith, false),
            _ => return Err("has an unknown op: = ! < <= > >= in contains startsWith endsWith"),
        };
        if self.kind.knows(op) { Ok((op, several)) } else { Err("does not go with a column of this type") }
    }
}

impl Condition {
    /// Reads a comparison in the words of clients; what is wrong with it otherwise.
    pub fn read(column: &'static Column, op: &str, value: &str) -> Result<Self, String> {
        let (op, several) = column.compares(op)?;
        if several {
            let values = value.split(',').map(|part| read(column, part)).collect::<Result<_, _>>()?;
            return Ok(Self { column, op, values });
        }
        let null = value == "null" && matches!(op, Op::Is | Op::Not);
        let searched = matches!(op, Op::Contains | Op::StartsWith | Op::EndsWith);
        let value = match column.kind {
            _ if null => Value::Null,
            Kind::Word(_) if searched => Value::Text(text(value)?),
            _ => read(column, value)?,
        };
        Ok(Self { column, op, values: vec![value] })
    }
}

impl Kind {
    /// Returns how finely its times are shown, and so compared: a filter sees what rows show.
    pub(super) fn grain(self) -> TimeDelta {
        if self == Self::Time { TimeDelta::seconds(1) } else { TimeDelta::milliseconds(1) }
    }

    fn knows(self, op: Op) -> bool {
        match op {
            Op::Is | Op::Not => true,
            Op::Less | Op::AtMost | Op::More | Op::AtLeast => !matches!(self, Self::Bool | Self::Word(_)),
            Op::Contains | Op::StartsWith | Op::EndsWith => matches!(self, Self::Text | Self::Word(_)),
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Int => f.write_str("a whole number"),
            Self::Real => f.write_str("a number"),
            Self::Text => f.write_str("text"),
            Self::Uuid => f.write_str("a UUID"),
            Self::Time | Self::Instant | Self::Moment { .. } => f.write_str("a time (RFC 3339) or a date"),
            Self::Bool => f.write_str("true or false"),
            Self::Word(words) => write!(f, "one of {}", words.join(", ")),
        }
    }
}

/// Text that Postgres can hold.
fn text(value: &str) -> Result<String, String> {
    if value.contains(['\0', char::REPLACEMENT_CHARACTER]) {
        return Err("must be UTF-8 without NUL".into());
    }
    Ok(value.to_owned())
}

pub(super) fn read(column: &Column, value: &str) -> Result<Value, String> {
    let value = text(value)?;
    let read = match column.kind {
        Kind::Int => value.parse().ok().map(Value::Int),
        Kind::Real => value.parse().ok().filter(|number: &f64| number.is_finite()).map(Value::Real),
        Kind::Text => Some(Value::Text(value)),
        Kind::Uuid => value.parse().ok().map(Value::Uuid),
        Kind::Time | Kind::Instant => Moment::parse(&value, chrono_tz::UTC).and_then(|moment| {
            let at = moment.starts_at(chrono_tz::UTC);
            at.duration_trunc(column.kind.grain()).ok().map(Value::Time)
        }),
        Kind::Moment { .. } => Moment::parse(&value, chrono_tz::UTC).map(|moment| match moment {
            Moment::Date(day) => Value::Day(day),
            Moment::Instant(at) => Value::Time(at),
        }),
        Kind::Bool => flag(&value).map(Value::Bool),
        Kind::Word(words) => words.contains(&value.as_str()).then_some(Value::Text(value)),
    };
    read.ok_or_else(|| format!("must be {}", column.kind))
}

/// Reads a truth in either spelling.
pub(super) fn flag(value: &str) -> Option<bool> {
    match value {
        "true" | "1" => Some(true),
        "false" | "0" => Some(false),
        _ => None,
    }
}
