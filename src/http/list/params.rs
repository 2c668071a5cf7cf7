//! Reads a list query against the columns of a list: pure, and total over any query string.

use super::{
    Column, Ids, LIMIT_MAX, Listing,
    value::{Condition, Op, Value, flag, read},
};
use crate::{
    app::App,
    error::{Error, Result},
};
use axum::{
    extract::{FromRequestParts, OriginalUri},
    http::request::Parts,
};
use chrono::{DateTime, Utc};
use std::convert::Infallible;

/// The most rows that can be left out.
pub(super) const SKIP_MAX: usize = i32::MAX as usize;

/// The parameters that make pages of a list.
pub(super) const PAGING: [&str; 4] = ["limit", "skip", "after", "before"];

/// The parameters of a list in order, with names in one spelling: `columns[]` is `columns`.
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

/// A list query that fits its list.
#[derive(Debug)]
pub struct ListQuery {
    /// What is listed.
    pub listing: &'static Listing,
    /// All of these hold.
    pub conditions: Vec<Condition>,
    /// The column to sort by and whether downwards; by id without one.
    pub sort: Option<(&'static Column, bool)>,
    /// Rows to return at most; all of them without it.
    pub limit: Option<i64>,
    /// Rows to leave out first.
    pub skip: i64,
    /// Only rows on one side of another.
    pub from: Option<Side>,
    /// The server's time, for lists whose ids are made of it.
    pub now: Option<DateTime<Utc>>,
    /// What the columns look into besides rows: a document, joined as `outside.facts`.
    pub outside: Option<serde_json::Value>,
    pub(super) params: ListParams,
}

/// A row that the rows of a page lie behind or before, by its id, in the order of the list.
#[derive(Clone, Debug, PartialEq)]
pub enum Side {
    /// The rows behind it.
    After(Value),
    /// The rows before it.
    Before(Value),
}

impl ListParams {
    /// Takes a query string apart. A `=` in brackets belongs to the name: `where[name][=]=Cola`.
    pub fn parse(path: &str, query: &str) -> Self {
        let pairs = query
            .split('&')
            .filter(|pair| !pair.is_empty())
            .map(|pair| {
                let (name, value) = split(pair);
                let name = decode(name);
                (name.strip_suffix("[]").map(str::to_owned).unwrap_or(name), decode(value))
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
        self.take(name)?.map_or(Ok(false), |value| {
            flag(&value).ok_or_else(|| Error::malformed(pointer(name), "must be true or false"))
        })
    }

    /// Takes out a parameter that is a whole number of a range.
    pub fn take_number(&mut self, name: &'static str, min: i64, max: i64) -> Result<Option<i64>> {
        self.take(name)?.map(|value| number(name, &value, min, max)).transpose()
    }

    /// Takes out a parameter that is any number of ids.
    pub fn take_ids(&mut self, name: &'static str) -> Result<Vec<i64>> {
        self.take_all(name).iter().map(|value| number(name, value.trim(), 0, i64::MAX)).collect()
    }

    /// Takes out a parameter that may have several values: separated by commas, given several times, or both.
    pub fn take_all(&mut self, name: &'static str) -> Vec<String> {
        let taken = self.pairs.extract_if(.., |(other, _)| other == name);
        taken.flat_map(|(_, value)| value.split(',').map(str::to_owned).collect::<Vec<_>>()).collect()
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
            limit: None,
            skip: 0,
            from: None,
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
            let sorted = name.strip_prefix("sort[").and_then(|column| column.strip_suffix(']'));
            let kind = if sorted.is_some() { "sort" } else { name.as_str() };
            if seen.contains(&kind) {
                return Err(twice(name));
            }
            seen.push(kind);
            let id = || read(listing.id(), value).map_err(|detail| Error::malformed(pointer(name), detail));
            match kind {
                "limit" => query.limit = Some(number(name, value, 1, LIMIT_MAX)?),
                "skip" => query.skip = self.skip(name, value)?,
                "sort" => query.sort = Some(sort(listing, name, sorted, value)?),
                "after" => query.from = Some(Side::After(id()?)),
                "before" => query.from = Some(Side::Before(id()?)),
                _ => return Err(Error::malformed(pointer(name), "is not a parameter of this list")),
            }
        }
        if seen.contains(&"after") && seen.contains(&"before") {
            return Err(Error::malformed("/before", "does not go with after"));
        }
        if let Some(from) = &query.from
            && !query.is_by_id()
        {
            let name = if matches!(from, Side::After(_)) { "/after" } else { "/before" };
            return Err(Error::malformed(name, "goes with the order by id: sort by that, or use skip"));
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
    pub(super) fn link(&self, without: &[&str], with: &[(&str, String)]) -> String {
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

    /// Returns `true` if rows come in the order of their ids, up or down.
    pub(super) fn is_by_id(&self) -> bool {
        match self.sort {
            Some((column, _)) => column.name == self.listing.id().name,
            None => self.listing.order.is_none(),
        }
    }

    /// Returns `true` if rows are sorted downwards.
    pub(super) fn is_downward(&self) -> bool {
        self.sort.is_some_and(|(_, down)| down)
    }

    /// Returns `true` if rows are read against the order in which they are shown: those of a page that lie nearest
    /// before a row.
    pub(super) fn is_read_backward(&self) -> bool {
        self.limit.is_some() && matches!(self.from, Some(Side::Before(_)))
    }

    /// Returns `true` if rows are read by ascending id, from wherever the client has come to.
    pub(super) fn is_followed(&self) -> bool {
        let rises = self.is_by_id() && self.is_downward() == matches!(self.from, Some(Side::Before(_)));
        let from_there = match self.listing.ids {
            // Its newest entries are a moment old, for which only a client that goes on from them waits.
            Ids::Log => self.from.is_some() || self.limit.is_some(),
            Ids::Sequence(_) | Ids::Time(_) => self.from.is_some() || self.skip == 0,
        };
        rises && from_there
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

/// Splits `name=value` at the first `=` outside brackets.
pub(in crate::http) fn split(pair: &str) -> (&str, &str) {
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

/// Reads `name desc`, `sort[name]=desc`, or a direction alone, which is that of the ids.
fn sort(
    listing: &'static Listing,
    parameter: &str,
    column: Option<&str>,
    value: &str,
) -> Result<(&'static Column, bool)> {
    let value = value.trim();
    let (name, direction) = match (column, value.split_once(' ')) {
        (Some(column), _) => (column, value),
        (None, Some((column, direction))) => (column, direction.trim()),
        (None, None) if is_downward(value).is_some() => (listing.id().name, value),
        (None, None) => (value, "asc"),
    };
    let malformed = |detail| Error::malformed(pointer(parameter), detail);
    let column = listing.column(name).ok_or_else(|| malformed("does not name a column of this list"))?;
    let down = is_downward(direction).ok_or_else(|| malformed("must be a column, then asc or desc"))?;
    Ok((column, down))
}

fn is_downward(direction: &str) -> Option<bool> {
    match direction.to_ascii_lowercase().as_str() {
        "asc" => Some(false),
        "desc" => Some(true),
        _ => None,
    }
}
