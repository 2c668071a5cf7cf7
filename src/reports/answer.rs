//! Runs a report: as JSON with both periods, or as a sheet with a line for each row of either.

use super::{
    catalogue::{Column, Kind, Report},
    cover::Cover,
    period::{SHOWN, Span},
};
use crate::{
    error::{Error, Result},
    http::sheet::Sheet,
    telemetry::selection::Selection,
    transaction,
};
use futures_util::TryStreamExt;
use serde::Serialize;
use serde_json::{Map, Value};
use sqlx::{
    PgConnection, Postgres, Row as _,
    postgres::{PgArguments, PgRow},
    query::Query,
};

/// Rows of a period that an answer can have; a sheet has as many as there are.
const ROWS_MAX: usize = 50_000;

/// Who asks, and of what.
#[derive(Debug)]
pub struct Question {
    /// Of which machines, where.
    pub selection: Selection,
    /// The caller's account, whose language words are in.
    pub account: Option<i64>,
    /// The caller's group, whose words they are.
    pub group: i64,
    /// The period, and the one that it is compared with.
    pub spans: Vec<Span>,
}

/// What a report says of a period.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Told {
    data: Vec<Map<String, Value>>,
    start_date: String,
    end_date: String,
}

/// What a report says.
#[derive(Debug, Serialize)]
pub struct Answer {
    period1: Option<Told>,
    #[serde(skip_serializing_if = "Option::is_none")]
    period2: Option<Told>,
}

impl Question {
    /// The report's statement for one of the periods.
    fn statement(
        &self,
        report: &'static Report,
        span: Span,
        most: Option<i64>,
    ) -> Query<'_, Postgres, PgArguments> {
        let Selection { groups, machines, locations } = &self.selection;
        let query = sqlx::query(report.sql).bind(groups).bind(machines).bind(locations);
        let query = Cover::of(span, report.grain).bind(query);
        // Planned for these values: what is not asked for is not looked at.
        query.bind(self.account).bind(self.group).bind(most).persistent(false)
    }

    /// The answer as a whole.
    pub async fn answer(&self, db: &mut PgConnection, report: &'static Report) -> Result<Answer> {
        let mut told = Vec::new();
        for (&span, pointer) in self.spans.iter().zip(["/period1", "/period2"]) {
            let query = self.statement(report, span, Some(ROWS_MAX as i64 + 1));
            let mut rows = query.fetch(&mut *db);
            let mut data = Vec::new();
            let too_long = |error| transaction::too_long(error, pointer);
            while let Some(row) = rows.try_next().await.map_err(too_long)? {
                let cells = cells(report, &row)?.into_iter();
                data.push(report.row.iter().map(|column| column.name.to_owned()).zip(cells).collect());
            }
            if data.len() > ROWS_MAX {
                return Err(Error::invalid(
                    pointer,
                    format!("has more than {ROWS_MAX} rows: ask for CSV, or for less"),
                ));
            }
            let [start_date, end_date] = shown(span);
            told.push(Told { data, start_date, end_date });
        }
        let mut told = told.into_iter();
        Ok(Answer { period1: told.next(), period2: told.next() })
    }

    /// Writes the answer into a sheet with [`header`].
    pub async fn write(
        &self,
        db: &mut PgConnection,
        report: &'static Report,
        sheet: &mut Sheet,
    ) -> Result<()> {
        for (&span, number) in self.spans.iter().zip(1..) {
            let [start, end] = shown(span);
            let period = [Value::from(number), start.into(), end.into()];
            let mut rows = self.statement(report, span, None).fetch(&mut *db);
            while let Some(row) = rows.try_next().await? {
                let cells = cells(report, &row)?;
                if !sheet.row(period.iter().chain(&cells)).await? {
                    return Ok(());
                }
            }
        }
        Ok(())
    }
}

/// The first line of a report's sheet.
pub fn header(report: &'static Report) -> impl Iterator<Item = &'static str> {
    ["period", "startDate", "endDate"].into_iter().chain(report.row.iter().map(|column| column.name))
}

fn shown(span: Span) -> [String; 2] {
    [span.start, span.end].map(|bound| bound.format(SHOWN).to_string())
}

fn cells(report: &Report, row: &PgRow) -> Result<Vec<Value>> {
    let cell = |(at, column): (usize, &Column)| -> sqlx::Result<Value> {
        Ok(match column.kind {
            Kind::Int => row.try_get::<Option<i64>, _>(at)?.into(),
            Kind::Text => row.try_get::<Option<String>, _>(at)?.into(),
        })
    };
    Ok(report.row.iter().enumerate().map(cell).collect::<sqlx::Result<_>>()?)
}
