//! What was sold, summed up: by day, by product, by period, by hour of the week.
//!
//! All of it comes from the sums that are kept as sales arrive, never from the sales. Days, weeks,
//! months and hours are those of the clock at the location; currencies are never added together.

mod figures;
mod span;

use super::{rates::Rates, selection::Named};
use crate::{
    app::App,
    error::{Error, Result},
    http::{Caller, Json, caller::Permission, list::ListParams},
};
use axum::extract::State;
use chrono::NaiveDate;
use figures::{DayOfProduct, HourOfWeek, PeriodsOfCurrency};
use serde::Serialize;
use span::Span;
use std::collections::BTreeMap;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

/// Products a day where nothing else is asked for, and at most.
const BEST: (i64, i64) = (10, 100);

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(summarize))
        .routes(routes!(list_bestselling))
        .routes(routes!(sum_up_periods))
        .routes(routes!(heatmap))
}

/// What was taken in a currency on a day.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Taken {
    /// The currency that `value` is in.
    currency: String,
    /// What a unit of the currency that was taken was worth in it; 1 where no rate is known.
    currency_rate: f64,
    /// The day.
    date: NaiveDate,
    /// What was taken, in minor units of the currency that was taken.
    orginal_value: i64,
    /// What that was worth, in minor units of `currency`.
    value: i64,
}

/// Sum up revenue by currency and day
///
/// Under the code of each currency that was taken, its days. Where there is a rate of it that was valid
/// on a day, `value` is converted by that.
#[utoipa::path(get, path = "/revenuetransaction/summary", tag = "revenuetransaction", operation_id = "summarize_revenue",
    params(
        ("startDate" = String, Query, description = "The first day, or an instant on it", example = "2026-01-01"),
        ("endDate" = String, Query, description = "The last day, or an instant on it", example = "2026-01-31"),
        ("machines" = Option<Vec<i64>>, Query, description = "Only what these machines sold; repeated"),
        ("locations" = Option<Vec<i64>>, Query, description = "Only what was sold at these locations; repeated"),
    ),
    responses((status = 200, description = "Revenue by currency", body = BTreeMap<String, Vec<Taken>>)))]
async fn summarize(
    State(app): State<App>,
    caller: Caller,
    mut params: ListParams,
) -> Result<Json<BTreeMap<String, Vec<Taken>>>> {
    caller.may(Permission::TransactionRead)?;
    let span = Span::take(&mut params)?;
    let named = Named::take(&mut params)?;
    params.end()?;
    let mut db = app.db.acquire().await?;
    let whose = named.resolve(&mut db, caller.group(), Error::Malformed).await?;
    let days = figures::by_day(&mut db, &whose, span).await?;
    let currencies: Vec<String> = days.iter().map(|day| day.currency.clone()).collect();
    let rates = Rates::of(&mut db, caller.group(), &currencies, span.last).await?;
    let mut taken: BTreeMap<String, Vec<Taken>> = BTreeMap::new();
    for day in days {
        let rate = rates.on(&day.currency, day.date);
        let row = Taken {
            currency: rate.map_or_else(|| day.currency.clone(), |rate| rate.base.clone()),
            currency_rate: rate.map_or(1.0, super::rates::Rate::shown),
            date: day.date,
            orginal_value: day.revenue,
            value: rate.map_or(day.revenue, |rate| rate.convert(day.revenue)),
        };
        taken.entry(day.currency).or_default().push(row);
    }
    Ok(Json(taken))
}

/// A product that sold best on some days.
#[derive(Debug, Serialize, ToSchema)]
struct BestSeller {
    /// What it is called.
    name: String,
    /// The days.
    values: Vec<SoldOn>,
}

/// How much was sold on a day.
#[derive(Debug, Serialize, ToSchema)]
struct SoldOn {
    /// The day.
    date: NaiveDate,
    /// How many pieces.
    value: i64,
}

/// List the best selling products of each day
///
/// Each product with the days on which it was among the best; the one with most pieces first.
#[utoipa::path(get, path = "/revenuetransaction/bestselling", tag = "revenuetransaction", operation_id = "list_bestselling_products",
    params(
        ("startDate" = String, Query, description = "The first day, or an instant on it", example = "2026-01-01"),
        ("endDate" = String, Query, description = "The last day, or an instant on it", example = "2026-01-31"),
        ("machines" = Option<Vec<i64>>, Query, description = "Only what these machines sold; repeated"),
        ("locations" = Option<Vec<i64>>, Query, description = "Only what was sold at these locations; repeated"),
        ("amount" = Option<i64>, Query, minimum = 1, maximum = 100, description = "Products a day at most (10 without it)"),
    ),
    responses((status = 200, description = "The products", body = Vec<BestSeller>)))]
async fn list_bestselling(
    State(app): State<App>,
    caller: Caller,
    mut params: ListParams,
) -> Result<Json<Vec<BestSeller>>> {
    caller.may(Permission::TransactionRead)?;
    let span = Span::take(&mut params)?;
    let amount = params.take_number("amount", 1, BEST.1)?.unwrap_or(BEST.0);
    let named = Named::take(&mut params)?;
    params.end()?;
    let mut db = app.db.acquire().await?;
    let whose = named.resolve(&mut db, caller.group(), Error::Malformed).await?;
    let mut sellers: Vec<BestSeller> = Vec::new();
    // The days of a product follow each other.
    for DayOfProduct { name, date, quantity } in figures::best(&mut db, &whose, span, amount).await? {
        let sold = SoldOn { date, value: quantity };
        match sellers.last_mut() {
            Some(seller) if seller.name == name => seller.values.push(sold),
            _ => sellers.push(BestSeller { name, values: vec![sold] }),
        }
    }
    Ok(Json(sellers))
}

/// What was sold in a period.
#[derive(Debug, Serialize, ToSchema)]
struct Sold {
    /// The currency of the revenue (ISO 4217).
    currency: String,
    /// How many pieces.
    products: i64,
    /// For how much, in minor units.
    revenue: i64,
}

/// What was sold in the periods that are under way.
#[derive(Debug, Serialize, ToSchema)]
struct Periods {
    /// Today.
    day: Sold,
    /// Since Monday.
    week: Sold,
    /// This month.
    month: Sold,
    /// This year.
    year: Sold,
}

/// Sum up today, this week, this month and this year
///
/// Under the code of each currency. What counts is the calendar at each location: where it is already
/// tomorrow, today is that.
#[utoipa::path(get, path = "/revenuetransaction/periods", tag = "revenuetransaction", operation_id = "sum_up_periods",
    params(
        ("machines" = Option<Vec<i64>>, Query, description = "Only what these machines sold; repeated"),
        ("locations" = Option<Vec<i64>>, Query, description = "Only what was sold at these locations; repeated"),
    ),
    responses((status = 200, description = "The periods by currency", body = BTreeMap<String, Vec<Periods>>)))]
async fn sum_up_periods(
    State(app): State<App>,
    caller: Caller,
    mut params: ListParams,
) -> Result<Json<BTreeMap<String, Vec<Periods>>>> {
    caller.may(Permission::TransactionRead)?;
    let named = Named::take(&mut params)?;
    params.end()?;
    let mut db = app.db.acquire().await?;
    let whose = named.resolve(&mut db, caller.group(), Error::Malformed).await?;
    let rows = figures::periods(&mut db, &whose, app.clock.now()).await?;
    let by_currency = rows.into_iter().map(|row| (row.currency.clone(), vec![periods(&row)]));
    Ok(Json(by_currency.collect()))
}

fn periods(row: &PeriodsOfCurrency) -> Periods {
    let sold = |products, revenue| Sold { currency: row.currency.clone(), products, revenue };
    Periods {
        day: sold(row.day_products, row.day_revenue),
        week: sold(row.week_products, row.week_revenue),
        month: sold(row.month_products, row.month_revenue),
        year: sold(row.year_products, row.year_revenue),
    }
}

/// Sum up the last three months by weekday and hour
///
/// Hours without a sale are left out; an hour in which two currencies were taken is there for each.
#[utoipa::path(get, path = "/revenuetransaction/heatmap", tag = "revenuetransaction", operation_id = "sum_up_hours",
    params(
        ("machines" = Option<Vec<i64>>, Query, description = "Only what these machines sold; repeated"),
        ("locations" = Option<Vec<i64>>, Query, description = "Only what was sold at these locations; repeated"),
    ),
    responses((status = 200, description = "The hours of a week", body = Vec<HourOfWeek>)))]
async fn heatmap(
    State(app): State<App>,
    caller: Caller,
    mut params: ListParams,
) -> Result<Json<Vec<HourOfWeek>>> {
    caller.may(Permission::TransactionRead)?;
    let named = Named::take(&mut params)?;
    params.end()?;
    let mut db = app.db.acquire().await?;
    let whose = named.resolve(&mut db, caller.group(), Error::Malformed).await?;
    Ok(Json(figures::hours(&mut db, &whose, app.clock.now()).await?))
}
