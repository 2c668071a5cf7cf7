//! The sales that reports are made of, one by one: streamed as a sheet.

use super::period::{Period, Span};
use crate::{
    app::App,
    error::{Error, Issue, Result},
    http::{
        Caller,
        caller::Permission,
        extract,
        list::ListParams,
        sheet::{self, Form, FormParams, Sheet},
    },
    telemetry::selection::{Named, Selection},
    transaction,
};
use axum::{extract::State, response::Response};
use chrono::{DateTime, Duration, Months, NaiveDateTime, SecondsFormat, Utc};
use chrono_tz::Tz;
use futures_util::TryStreamExt;
use serde_json::{Map, Value};
use sqlx::{PgPool, Row as _, postgres::PgRow};
use utoipa::IntoParams;
use utoipa_axum::{router::OpenApiRouter, routes};

/// How far from now a sale can be.
const REACH: Months = Months::new(6);

/// The first line, in the order of the query.
const HEADER: [&str; 15] = [
    "id",
    "time",
    "machine",
    "machineName",
    "location",
    "locationName",
    "shift",
    "productId",
    "name",
    "internalRef",
    "barcode",
    "price",
    "originalPrice",
    "currency",
    "payments",
];

const SQL: &str = include_str!("sql/transactions.sql");

/// The parameters in the document; with their brackets they are read by hand.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "it only describes")]
struct Asked {
    /// The first second, in the time of the place.
    #[param(rename = "period1[startDate]", example = "2023-01-01 00:00:00")]
    start_date: String,
    /// The last second.
    #[param(rename = "period1[endDate]", example = "2023-01-07 23:59:59")]
    end_date: String,
    /// What parts are counted from.
    #[param(rename = "period1[referenceDate]", example = "2023-01-20 12:18:46")]
    reference_date: Option<String>,
    /// `fixed date`, if it is.
    #[param(rename = "period1[type]")]
    kind: Option<String>,
    /// The zone that times are given in; UTC without it.
    #[param(example = "Europe/Amsterdam")]
    timezone: Option<String>,
    /// Only what these machines did.
    #[param(rename = "machines[]")]
    machines: Option<Vec<i64>>,
    /// Only what happened at these locations.
    #[param(rename = "locations[]")]
    locations: Option<Vec<i64>>,
    /// Only what the machines of these groups did.
    #[param(rename = "machineGroups[]")]
    machine_groups: Option<Vec<i64>>,
    /// Only what happened at the locations of these groups.
    #[param(rename = "locationGroups[]")]
    location_groups: Option<Vec<i64>>,
}

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(fetch_transactions)).routes(routes!(export_report))
}

/// Read the sales below a report, one by one
///
/// From within 6 months of now. Nested parameters are written with brackets; bounds can have parts:
/// `period1[startDate][year]=0`.
#[utoipa::path(get, path = "/report/transactions", tag = "report", operation_id = "fetch_report_transactions",
    params(Asked, FormParams),
    responses((status = 200, description = "The sales, the first one first",
        content((String = "text/csv"), ("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet")))))]
async fn fetch_transactions(app: State<App>, caller: Caller, params: ListParams) -> Result<Response> {
    download(app, caller, params).await
}

/// Export the sales below a report
///
/// The same file as `/report/transactions`, with the same parameters.
#[utoipa::path(get, path = "/export/report", tag = "export", operation_id = "export_report",
    params(Asked, FormParams),
    responses((status = 200, description = "The sales, the first one first",
        content((String = "text/csv"), ("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet")))))]
async fn export_report(app: State<App>, caller: Caller, params: ListParams) -> Result<Response> {
    download(app, caller, params).await
}

async fn download(State(app): State<App>, caller: Caller, mut params: ListParams) -> Result<Response> {
    caller.may(Permission::ReportRead)?;
    let form = Form::take(&mut params)?;
    let zone = sheet::zone(params.take("timezone")?)?;
    let filename = sheet::filename(params.take("filename")?, "Transactions")?;
    let named = Named {
        machines: params.take_ids("machines")?,
        locations: params.take_ids("locations")?,
        machine_groups: params.take_ids("machineGroups")?,
        location_groups: params.take_ids("locationGroups")?,
    };
    let period = period(params.take_nested("period1"))?;
    params.end()?;
    let span = recent(&period, app.clock.now().with_timezone(&zone).naive_local())?;
    let mut db = app.db.acquire().await?;
    let selection = named.resolve(&mut db, caller.group(), Error::Malformed).await?;
    drop(db);
    let reading = app.reads.export(caller.group()).await?;
    let (mut sheet, reader) = sheet::sheet(form, HEADER)?;
    let tasks = app.tasks.clone();
    tasks.spawn(async move {
        let outcome = app.liveness.while_up(write(&reading, &selection, span, zone, &mut sheet)).await;
        sheet.end(outcome).await;
        drop(reading);
    });
    reader.download(&filename).await
}

async fn write(db: &PgPool, selection: &Selection, span: Span, zone: Tz, sheet: &mut Sheet) -> Result<()> {
    let Selection { groups, machines, locations } = selection;
    let query = sqlx::query(SQL).bind(groups).bind(machines).bind(locations);
    let query = query.bind(span.start).bind(span.end + Duration::seconds(1)).persistent(false);
    let mut tx = transaction::look(db, sheet::TIME_MAX_S).await?;
    let mut rows = query.fetch(&mut *tx);
    while let Some(row) = rows.try_next().await? {
        if !sheet.row(&cells(&row, zone)?).await? {
            return Ok(());
        }
    }
    Ok(())
}

fn cells(row: &PgRow, zone: Tz) -> sqlx::Result<Vec<Value>> {
    let cell = |(at, name): (usize, &&str)| -> sqlx::Result<Value> {
        Ok(match *name {
            "time" => {
                let instant = row.try_get::<DateTime<Utc>, _>(at)?.with_timezone(&zone);
                instant.to_rfc3339_opts(SecondsFormat::AutoSi, true).into()
            }
            "id" | "machine" | "location" | "shift" | "productId" | "price" | "originalPrice" => {
                row.try_get::<Option<i64>, _>(at)?.into()
            }
            _ => row.try_get::<Option<String>, _>(at)?.into(),
        })
    };
    HEADER.iter().enumerate().map(cell).collect()
}

/// What the period comes out as, if it is near enough to the present.
fn recent(period: &Period, present: NaiveDateTime) -> Result<Span> {
    let span = period.resolve(present).map_err(|flaw| Error::malformed("/period1", flaw))?;
    let far = |bound| {
        Err(Error::malformed(format!("/period1[{bound}]"), "must be within 6 months of the current date"))
    };
    if span.start.date() < present.date() - REACH {
        return far("startDate");
    }
    if span.end.date() > present.date() + REACH {
        return far("endDate");
    }
    Ok(span)
}

/// Reads the period from what stands behind its name: `[startDate][year]` and its value. It is the one
/// that bodies have, so it is read by the same rules.
fn period(pairs: Vec<(String, String)>) -> Result<Period> {
    let mut fields = Map::new();
    for (place, text) in pairs {
        let refuse = |detail| Err(Error::malformed(format!("/period1{place}"), detail));
        let names = place.strip_prefix('[').and_then(|names| names.strip_suffix(']'));
        let names: Vec<&str> = names.map_or_else(Vec::new, |names| names.split("][").collect());
        let given_before = match names[..] {
            [field] => fields.insert(field.to_owned(), text.into()),
            [field, unit] => {
                let number =
                    if text == "null" { Value::Null } else { text.parse().map_or(text.into(), i64::into) };
                match fields.entry(field).or_insert_with(|| Value::Object(Map::new())) {
                    Value::Object(parts) => parts.insert(unit.to_owned(), number),
                    whole => Some(whole.clone()),
                }
            }
            _ => return refuse("is not of the form period1[field] or period1[field][unit]"),
        };
        if given_before.is_some() {
            return refuse("is given twice");
        }
    }
    let body = serde_json::to_vec(&fields).map_err(Error::fault)?;
    extract::parse(&body).map_err(|error| match error {
        Error::Invalid(issues) => Error::Malformed(issues.into_iter().map(bracketed).collect()),
        other => other,
    })
}

/// `/startDate/year` as the query has it: `/period1[startDate][year]`.
fn bracketed(issue: Issue) -> Issue {
    let names = issue.pointer.split('/').skip(1);
    let pointer = names.fold("/period1".to_owned(), |pointer, name| format!("{pointer}[{name}]"));
    Issue::at(pointer, issue.detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(query: &str) -> Result<Period> {
        let mut params = ListParams::parse("/report/transactions", query);
        period(params.take_nested("period1"))
    }

    fn at(text: &str) -> NaiveDateTime {
        NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S").unwrap()
    }

    #[test]
    fn a_period_is_read_from_brackets() {
        let present = at("2023-01-20 12:18:46");
        let fixed = "period1[startDate]=2023-01-01 00:00:00&period1[endDate]=2023-01-07+23:59:59\
                     &period1[referenceDate]=2023-01-20 12:18:46";
        let week = Span { start: at("2023-01-01 00:00:00"), end: at("2023-01-07 23:59:59") };
        assert_eq!(recent(&read(fixed).unwrap(), present).unwrap(), week);
        let relative = "period1[startDate][year]=0&period1%5BstartDate%5D%5Bmonth%5D=1&period1[startDate][day]=1\
                        &period1[startDate][week]=null&period1[endDate][day]=-13";
        assert_eq!(recent(&read(relative).unwrap(), present).unwrap(), week);
    }

    #[test]
    fn what_is_wrong_is_named_as_the_query_has_it() {
        let end = "period1[endDate]=2023-01-07";
        for (query, pointer) in [
            ("", "/period1[startDate]"),
            (end, "/period1[startDate]"),
            ("period1[startDate]=soon&period1[endDate]=2023-01-07", "/period1[startDate]"),
            ("period1[startDate][year]=x&period1[endDate]=2023-01-07", "/period1[startDate][year]"),
            ("period1[startDate]=2023-01-07&period1[startDate][year]=0", "/period1[startDate][year]"),
            ("period1[startDate]=2023-01-07&period1[startDate]=2023-01-07", "/period1[startDate]"),
            ("period1[startDate]=2023-01-08&period1[endDate]=2023-01-07", "/period1"),
            ("period1[a][b][c]=1", "/period1[a][b][c]"),
            ("period1[", "/period1["),
        ] {
            let error = read(query).unwrap_err();
            assert!(matches!(error, Error::Malformed(_)), "{query}: {error}");
            assert_eq!(error.problem().errors[0].pointer, pointer, "{query}");
        }
    }

    #[test]
    fn a_period_is_within_six_months_of_the_present() {
        let present = at("2023-08-31 10:00:00");
        let bound = |start, end| {
            let period = read(&format!("period1[startDate]={start}&period1[endDate]={end}")).unwrap();
            recent(&period, present).map_err(|error| error.problem().errors[0].pointer.to_string())
        };
        assert!(bound("2023-02-28", "2024-02-29").is_ok());
        assert_eq!(bound("2023-02-27", "2023-03-01"), Err("/period1[startDate]".to_owned()));
        assert_eq!(bound("2023-08-01", "2024-03-01"), Err("/period1[endDate]".to_owned()));
    }
}
