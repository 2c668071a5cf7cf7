//! Plain resources as CSV: chosen columns, the conditions of their lists, times in a chosen zone.

use super::{Columns, Spec, reach};
use crate::{
    app::App,
    error::{Error, Result},
    http::{
        Caller,
        csv::{self, Sheet},
        list::{Below, Kind, ListParams, ListQuery, params::Op},
    },
};
use axum::response::Response;
use chrono::{DateTime, SecondsFormat, Utc};
use chrono_tz::Tz;
use futures_util::TryStreamExt;
use serde_json::Value;

/// The longest name of a file, in characters.
const FILENAME_MAX: usize = 100;

/// What is asked for besides the rows.
struct Wanted {
    columns: Vec<&'static str>,
    zone: Tz,
    filename: String,
}

/// The named one of `specs` as a download.
pub async fn export(
    app: App,
    spec: &'static Spec,
    caller: &Caller,
    mut params: ListParams,
) -> Result<Response> {
    caller.may(spec.read)?;
    let wanted = Wanted {
        columns: columns(spec, &params.take_all("columns"))?,
        zone: zone(params.take("timezone")?)?,
        filename: filename(spec, params.take("filename")?)?,
    };
    let listing = spec.listing_asked(&mut params)?;
    let query = params.over_all(listing)?;
    named_parent(spec, &query)?;
    let permit = csv::begin()?;
    let (mut sheet, reader) = csv::sheet(wanted.columns.iter().copied())?;
    let group = caller.group();
    let filename = wanted.filename.clone();
    let tasks = app.tasks.clone();
    tasks.spawn(async move {
        let outcome = app.liveness.while_up(write(&app, spec, group, &query, &wanted, &mut sheet)).await;
        sheet.end(outcome).await;
        drop(permit);
    });
    reader.download(&filename).await
}

async fn write(
    app: &App,
    spec: &'static Spec,
    group: i64,
    query: &ListQuery,
    wanted: &Wanted,
    sheet: &mut Sheet,
) -> Result<()> {
    let times: Vec<bool> = wanted.columns.iter().map(|column| is_time(spec, column)).collect();
    let below = Below::of(&app.db, group).await?;
    let mut statement = query.all(|sql| reach::readable(sql, spec, &below));
    let mut rows = statement.build().persistent(false).fetch(&app.db);
    while let Some(row) = rows.try_next().await? {
        let mut shown: Columns = serde_json::from_str((spec.show)(&row)?.get()).map_err(Error::fault)?;
        let cells = wanted.columns.iter().zip(&times).map(|(column, is_time)| {
            let value = shown.remove(*column).unwrap_or_default();
            if *is_time { in_zone(value, wanted.zone) } else { value }
        });
        let cells: Vec<Value> = cells.collect();
        if !sheet.row(&cells).await? {
            return Ok(());
        }
    }
    Ok(())
}

/// What can be exported of a resource, by the names in the API.
pub fn exportable(spec: &'static Spec) -> Vec<&'static str> {
    let fields = spec.derived.names.iter().copied();
    ["id"].into_iter().chain(fields).chain(["createdAt", "updatedAt"]).collect()
}

/// Reads `id,name`, once or several times, each column at most once.
fn columns(spec: &'static Spec, texts: &[String]) -> Result<Vec<&'static str>> {
    let known = exportable(spec);
    if texts.is_empty() {
        return Err(Error::malformed("/columns", "is required: names separated by commas"));
    }
    let mut columns = Vec::new();
    for name in texts.iter().flat_map(|text| text.split(',')).map(str::trim) {
        let Some(column) = known.iter().find(|known| **known == name) else {
            return Err(Error::malformed("/columns", format!("are of {}", known.join(", "))));
        };
        if columns.contains(column) {
            return Err(Error::malformed("/columns", format!("names `{column}` twice")));
        }
        columns.push(*column);
    }
    Ok(columns)
}

/// The zone that times are to be shown in: UTC, if none was asked for.
pub fn zone(text: Option<String>) -> Result<Tz> {
    let zone = text.map_or(Ok(Tz::UTC), |text| text.parse());
    zone.map_err(|_| Error::malformed("/timezone", "is no zone of the IANA database, like Europe/Amsterdam"))
}

fn filename(spec: &'static Spec, text: Option<String>) -> Result<String> {
    let Some(text) = text else { return Ok(format!("{}.csv", spec.area)) };
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ' ');
    if text.is_empty() || text.len() > FILENAME_MAX || !text.chars().all(plain) || text.starts_with('.') {
        return Err(Error::malformed("/filename", "may have letters, digits, dots, dashes and spaces"));
    }
    Ok(if text.to_ascii_lowercase().ends_with(".csv") { text } else { format!("{text}.csv") })
}

/// What is a part of something is exported for one of them at a time.
fn named_parent(spec: &'static Spec, query: &ListQuery) -> Result<()> {
    let Some(parent) = &spec.parent else { return Ok(()) };
    let named = query.conditions.iter().any(|one| one.op == Op::Is && one.column.name == parent.column);
    if named {
        return Ok(());
    }
    Err(Error::malformed(format!("/where[{}]", parent.column), "is required: say of which one"))
}

fn is_time(spec: &'static Spec, name: &str) -> bool {
    ["createdAt", "updatedAt"].contains(&name)
        || spec.named().any(|(field, known)| known == name && field.kind == Some(Kind::Time))
}

/// An instant as the clocks of a zone show it, with its offset.
fn in_zone(value: Value, zone: Tz) -> Value {
    let instant = value.as_str().and_then(|text| text.parse::<DateTime<Utc>>().ok());
    match instant {
        Some(instant) => instant.with_timezone(&zone).to_rfc3339_opts(SecondsFormat::AutoSi, true).into(),
        None => value,
    }
}
