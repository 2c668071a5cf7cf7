//! Reads a list query against the columns of a list: pure, and total over any query string.

use super::{Column, Ids, Kind, LIMIT_MAX, Listing};
use crate::{
    app::App,
    error::{Error, Result},
    time::Moment,
};
use axum::{
    extract::{FromRequestParts, OriginalUri},
    http::request::Parts,
};
use chrono::{DateTime, NaiveDate, Utc};
use std::{convert::Infallible, fmt};
use uuid::Uuid;

/// The most rows that can be left out.
pub(super) const SKIP_MAX: usize = i32::MAX as usize;

/// The parameters that make pages of a list.
pub(super) const PAGING: [&str; 3] = ["limit", "skip", "after"];

/// The parameters of a list as they came, in order.
#[derive(Clone, Debug, Default)]
pub struct ListParams {
    /// The path as the client wrote it, for links.
    path: String,
    pairs: Vec<(String, String)>,
    /// The most rows that may be left out, where that is set.
    skip_max: Option<u32>,
}

impl FromRequestParts<App> for ListParams {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Infallible> {
        let uri = parts.extensions.get::<OriginalUri>().map_or(&parts.uri, |original| &original.0);
        let params = Self::parse(uri.path(), uri.query().unwrap_or_default());
        Ok(Self { skip_max: Some(app.config.skip_max), ..params })
    }
}

/// How a column is compared.
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
    /// None at all.
    Null,
    /// Of an [`Kind::Int`] column.
    Int(i64),
    /// Of a [`Kind::Text`] or [`Kind::Word`] column.
    Text(String),
    /// Of a [`Kind::Uuid`] column.
    Uuid(Uuid),
    /// Of a [`Kind::Time`] or [`Kind::Moment`] column.
    Time(DateTime<Utc>),
    /// Of a [`Kind::Moment`] column: the day in the zone of each row.
    Day(NaiveDate),
    /// Of a [`Kind::Bool`] column.
    Bool(bool),
}

/// One thing that rows must meet.
#[derive(Clone, Debug)]
pub struct Condition {
    /// What is compared.
    pub column: &'static Column,
    /// How.
    pub op: Op,
    /// With what; several only for [`Op::Is`].
    pub values: Vec<Value>,
}

/// A list query that fits its list.
#[derive(Debug)]
pub struct ListQuery {
    /// What is listed.
    pub listing: &'static Listing,
    /// All of these hold.
    pub conditions: Vec<Condition>,
    /// The column to sort by and whether downwards; by id without one.
    pub sort: Option<(&'static Column, bool)>,
    /// Rows to return at most.
    pub limit: i64,
    /// Rows to leave out first.
    pub skip: i64,
    /// Only rows behind the one with this id.
    pub after: Option<Value>,
    /// Whether the client says how many rows it takes.
    pub(super) limited: bool,
    /// The server's time, for lists whose ids are made of it.
    pub now: Option<DateTime<Utc>>,
    /// What the columns look into besides rows: a document, joined as `outside.facts`.
    pub outside: Option<serde_json::Value>,
    pub(super) params: ListParams,
}

impl ListParams {
    /// Takes a query string apart. A `=` in brackets belongs to the name: `where[name][=]=Cola`.
    pub fn parse(path: &str, query: &str) -> Self {
        let pairs = query
            .split('&')
            .filter(|pair| !pair.is_empty())
            .map(|pair| {
                let (name, value) = split(pair);
                (decode(name), decode(value))
            })
            .collect();
        Self { path: path.to_owned(), pairs, skip_max: None }
    }

    /// Takes out a parameter that is not the list's own.
    pub fn take(&mut self, name: &'static str) -> Result<Option<String>> {
        let taken: Vec<_> = self.pairs.extract_if(.., |(other, _)| other == name).collect();
        match taken.len() {
            0 | 1 => Ok(taken.into_iter().next().map(|(_, value)| value)),
            _ => Err(twice(name)),
        }
    }

    /// Takes out a parameter that is true or false: false without it.
    pub fn take_flag(&mut self, name: &'static str) -> Result<bool> {
        match self.take(name)?.as_deref() {
            None | Some("false" | "0") => Ok(false),
            Some("true" | "1") => Ok(true),
            Some(_) => Err(Error::malformed(pointer(name), "must be true or false")),
        }
    }

    /// Takes out a parameter that is a whole number of a range.
    pub fn take_number(&mut self, name: &'static str, min: i64, max: i64) -> Result<Option<i64>> {
        self.take(name)?.map(|value| number(name, &value, min, max)).transpose()
    }

    /// Takes out a parameter that is any number of ids.
    pub fn take_ids(&mut self, name: &'static str) -> Result<Vec<i64>> {
        self.take_all(name).iter().map(|value| number(name, value, 0, i64::MAX)).collect()
    }

    /// Takes out a parameter that may be given several times, as `name` or `name[]`.
    pub fn take_all(&mut self, name: &'static str) -> Vec<String> {
        let taken = self.pairs.extract_if(.., |(other, _)| other.strip_suffix("[]").unwrap_or(other) == name);
        taken.map(|(_, value)| value).collect()
    }

    /// Takes out what is nested in `name`: of `name[a][b]=c` the place `[a][b]` and the value `c`.
    pub fn take_nested(&mut self, name: &str) -> Vec<(String, String)> {
        let place = |other: &str| other.strip_prefix(name).is_some_and(|place| place.starts_with('['));
        let taken = self.pairs.extract_if(.., |(other, _)| place(other));
        taken.map(|(other, value)| (other[name.len()..].to_owned(), value)).collect()
    }

    /// Refuses what has not been taken out.
    pub fn end(&self) -> Result<()> {
        match self.pairs.first() {
            Some((name, _)) => Err(Error::malformed(pointer(name), "is not a parameter here")),
            None => Ok(()),
        }
    }

    /// Reads the parameters against the columns of `listing`.
    pub fn over(self, listing: &'static Listing) -> Result<ListQuery> {
        let mut query = ListQuery {
            listing,
            conditions: Vec::new(),
            sort: None,
            limit: LIMIT_MAX,
            skip: 0,
            after: None,
            limited: false,
            now: None,
            outside: None,
            params: self.clone(),
        };
        let mut seen = Vec::new();
        for (name, value) in &self.pairs {
            if let Some(filter) = name.strip_prefix("where[") {
                query.narrow(name, filter, value)?;
                continue;
            }
            if seen.contains(&name) {
                return Err(twice(name));
            }
            seen.push(name);
            match name.as_str() {
                "limit" => {
                    query.limit = number(name, value, 1, LIMIT_MAX)?;
                    query.limited = true;
                }
                "skip" => query.skip = self.skip(name, value)?,
                "sort" => query.sort = Some(sort(listing, value)?),
                "after" => {
                    let after = read(listing.id(), value);
                    query.after = Some(after.map_err(|detail| Error::malformed(pointer(name), detail))?);
                }
                _ => return Err(Error::malformed(pointer(name), "is not a parameter of this list")),
            }
        }
        if query.after.is_some() && query.sort.is_some() {
            return Err(Error::malformed(
                "/after",
                "goes with the default order: leave out sort, or use skip",
            ));
        }
        Ok(query)
    }

    /// Reads how many rows are to be left out.
    fn skip(&self, name: &str, value: &str) -> Result<i64> {
        let skip = number(name, value, 0, SKIP_MAX as i64)?;
        match self.skip_max {
            Some(max) if skip > max.into() => Err(Error::invalid(
                pointer(name),
                format!("must be at most {max}: go on by after=<the last id>, or narrow the list with where"),
            )),
            _ => Ok(skip),
        }
    }

    /// Reads the parameters of an export, which has all rows and so no pages.
    pub fn over_all(self, listing: &'static Listing) -> Result<ListQuery> {
        for name in PAGING {
            if self.pairs.iter().any(|(other, _)| other == name) {
                return Err(Error::malformed(
                    pointer(name),
                    "does not go with an export, which has all rows",
                ));
            }
        }
        self.over(listing)
    }

    /// The same list with some parameters left out and others put in, as a path and query.
    pub(super) fn link(&self, without: &[&str], with: &[(&str, &str)]) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        let kept = self.pairs.iter().filter(|(name, _)| !without.contains(&name.as_str()));
        query.extend_pairs(kept);
        query.extend_pairs(with);
        format!("{}?{}", self.path, query.finish())
    }
}

impl ListQuery {
    /// Returns `true` if some column that is filtered or sorted by is one of these.
    pub fn looks_at(&self, names: &[&str]) -> bool {
        let filtered = self.conditions.iter().map(|condition| condition.column);
        filtered.chain(self.sort.map(|(column, _)| column)).any(|column| names.contains(&column.name))
    }

    /// Returns `true` if rows come by ascending id, from wherever the client has come to.
    pub(super) fn is_followed(&self) -> bool {
        let in_order = self.sort.is_none_or(|(column, down)| column.name == self.listing.id().name && !down);
        let from_there = match self.listing.ids {
            // Its newest entries are a moment old, for which only a client that goes on from them waits.
            Ids::Log => self.after.is_some() || self.limited,
            Ids::Sequence(_) | Ids::Time(_) => self.after.is_some() || self.skip == 0,
        };
        in_order && from_there
    }

    /// Adds `where[<filter>=value`; a repeated equality widens the one before.
    fn narrow(&mut self, name: &str, filter: &str, value: &str) -> Result<()> {
        let malformed = |detail: &'static str| Error::malformed(pointer(name), detail);
        let (column, op) =
            filter.split_once(']').ok_or_else(|| malformed("is not of the form where[column][op]"))?;
        let column = self.listing.column(column).ok_or_else(|| malformed("is not a column of this list"))?;
        let op = match op {
            "" => "=",
            _ => op
                .strip_prefix('[')
                .and_then(|op| op.strip_suffix(']'))
                .ok_or_else(|| malformed("is not of the form where[column][op]"))?,
        };
        let mut condition =
            Condition::read(column, op, value).map_err(|detail| Error::malformed(pointer(name), detail))?;
        let same = |known: &&mut Condition| known.op == Op::Is && known.column.name == column.name;
        match self.conditions.iter_mut().find(same) {
            Some(known) if condition.op == Op::Is => known.values.append(&mut condition.values),
            _ => self.conditions.push(condition),
        }
        Ok(())
    }
}

impl Column {
    /// How an op of clients compares it, and whether with several values.
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
            Self::Text => f.write_str("text"),
            Self::Uuid => f.write_str("a UUID"),
            Self::Time | Self::Moment { .. } => f.write_str("a time (RFC 3339) or a date"),
            Self::Bool => f.write_str("true or false"),
            Self::Word(words) => write!(f, "one of {}", words.join(", ")),
        }
    }
}

/// Splits `name=value` at the first `=` outside brackets.
fn split(pair: &str) -> (&str, &str) {
    let bytes = pair.as_bytes();
    let mut open = false;
    for (at, &byte) in bytes.iter().enumerate() {
        let encoded =
            |code: &[u8]| bytes[at..].get(..3).is_some_and(|three| three.eq_ignore_ascii_case(code));
        match byte {
            b'[' => open = true,
            b']' => open = false,
            b'%' if encoded(b"%5B") => open = true,
            b'%' if encoded(b"%5D") => open = false,
            b'=' if !open => return (&pair[..at], &pair[at + 1..]),
            _ => {}
        }
    }
    pair.split_once('=').unwrap_or((pair, ""))
}

/// Percent and plus decoding; what is not UTF-8 becomes U+FFFD, which [`text`] refuses.
fn decode(text: &str) -> String {
    // A text without separators is one pair: its name.
    let one = text.replace('=', "%3D");
    form_urlencoded::parse(one.as_bytes()).next().map(|(name, _)| name.into_owned()).unwrap_or_default()
}

fn pointer(name: &str) -> String {
    let shown: String = name.chars().filter(|c| !c.is_control()).take(80).collect();
    format!("/{}", shown.replace('~', "~0").replace('/', "~1"))
}

fn twice(name: &str) -> Error {
    Error::malformed(pointer(name), "is given twice")
}

fn number(name: &str, value: &str, min: i64, max: i64) -> Result<i64> {
    value
        .parse()
        .ok()
        .filter(|number| (min..=max).contains(number))
        .ok_or_else(|| Error::malformed(pointer(name), format!("must be a whole number from {min} to {max}")))
}

fn sort(listing: &'static Listing, value: &str) -> Result<(&'static Column, bool)> {
    let (name, direction) = value.trim().split_once(' ').unwrap_or((value.trim(), "asc"));
    let column = listing
        .column(name)
        .ok_or_else(|| Error::malformed("/sort", "does not name a column of this list"))?;
    match direction.trim().to_ascii_lowercase().as_str() {
        "asc" => Ok((column, false)),
        "desc" => Ok((column, true)),
        _ => Err(Error::malformed("/sort", "must be a column, then asc or desc")),
    }
}

/// Text that Postgres can hold.
fn text(value: &str) -> Result<String, String> {
    if value.contains(['\0', char::REPLACEMENT_CHARACTER]) {
        return Err("must be UTF-8 without NUL".into());
    }
    Ok(value.to_owned())
}

fn read(column: &Column, value: &str) -> Result<Value, String> {
    let value = text(value)?;
    let read = match column.kind {
        Kind::Int => value.parse().ok().map(Value::Int),
        Kind::Text => Some(Value::Text(value)),
        Kind::Uuid => value.parse().ok().map(Value::Uuid),
        Kind::Time => {
            Moment::parse(&value, chrono_tz::UTC).map(|moment| Value::Time(moment.starts_at(chrono_tz::UTC)))
        }
        Kind::Moment { .. } => Moment::parse(&value, chrono_tz::UTC).map(|moment| match moment {
            Moment::Date(day) => Value::Day(day),
            Moment::Instant(at) => Value::Time(at),
        }),
        Kind::Bool => value.parse().ok().map(Value::Bool),
        Kind::Word(words) => words.contains(&value.as_str()).then_some(Value::Text(value)),
    };
    read.ok_or_else(|| format!("must be {}", column.kind))
}
