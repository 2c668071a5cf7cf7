//! Plain resources as sheets: chosen columns, the conditions of their lists, times in a chosen zone.

use super::{Columns, Spec, reach};
use crate::{
    app::App,
    error::{Error, Result},
    http::{
        Caller,
        list::{Below, Kind, ListParams, ListQuery, value::Op},
        sheet::{self, Asked, Sheet},
    },
    transaction,
};
use axum::response::Response;
use chrono::{DateTime, SecondsFormat, Utc};
use chrono_tz::Tz;
use futures_util::TryStreamExt;
use serde_json::Value;
use sqlx::PgPool;

/// The named one of `specs` as a download.
pub async fn export(
    app: App,
    spec: &'static Spec,
    caller: &Caller,
    mut params: ListParams,
) -> Result<Response> {
    caller.may(spec.read)?;
    let asked = Asked::take(&mut params, &exportable(spec), spec.area)?;
    let listing = spec.listing_asked(&mut params)?;
    let query = params.over_all(listing)?;
    named_parent(spec, &query)?;
    let reading = app.reads.export(caller.group()).await?;
    let (mut sheet, reader) = sheet::sheet(asked.form, asked.columns.iter().copied())?;
    let group = caller.group();
    let filename = asked.filename.clone();
    let tasks = app.tasks.clone();
    tasks.spawn(async move {
        let outcome = app.liveness.while_up(write(&reading, spec, group, &query, &asked, &mut sheet)).await;
        sheet.end(outcome).await;
        drop(reading);
    });
    reader.download(&filename).await
}

async fn write(
    db: &PgPool,
    spec: &'static Spec,
    group: i64,
    query: &ListQuery,
    asked: &Asked,
    sheet: &mut Sheet,
) -> Result<()> {
    let times: Vec<bool> = asked.columns.iter().map(|column| is_time(spec, column)).collect();
    let mut tx = transaction::look(db, sheet::TIME_MAX_S).await?;
    let below = Below::of(&mut *tx, group).await?;
    let mut statement = query.all(|sql| reach::readable(sql, spec, &below));
    let mut rows = statement.build().persistent(false).fetch(&mut *tx);
    while let Some(row) = rows.try_next().await? {
        let mut shown: Columns = serde_json::from_str((spec.show)(&row)?.get()).map_err(Error::fault)?;
        let cells = asked.columns.iter().zip(&times).map(|(column, is_time)| {
            let value = shown.remove(*column).unwrap_or_default();
            if *is_time { in_zone(value, asked.zone) } else { value }
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
pub fn in_zone(value: Value, zone: Tz) -> Value {
    let instant = value.as_str().and_then(|text| text.parse::<DateTime<Utc>>().ok());
    match instant {
        Some(instant) => instant.with_timezone(&zone).to_rfc3339_opts(SecondsFormat::AutoSi, true).into(),
        None => value,
    }
}
