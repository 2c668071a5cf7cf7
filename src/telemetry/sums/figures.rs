//! The statements behind the sums: over hours, days and months of sales.

use super::{super::selection::Selection, span::Span};
use crate::error::Result;
use chrono::{DateTime, NaiveDate, Utc};
use serde::Serialize;
use sqlx::{FromRow, PgConnection, Postgres, postgres::PgArguments, query::QueryAs};
use utoipa::ToSchema;

/// What is selected: `$1` to `$3`, bound by [`of`].
macro_rules! selected {
    () => {
        "user_group = ANY($1) AND ($2::bigint[] IS NULL OR machine = ANY($2))
         AND ($3::bigint[] IS NULL OR location = ANY($3))"
    };
}

/// Sums with what time it is where they belong, `$4` being the present. Where a location is gone, it
/// is as late as in Greenwich.
macro_rules! sums_with_their_now {
    () => {
        "sales_rollup r
         LEFT JOIN (SELECT id AS place, time_zone FROM location) l ON l.place = r.location,
         LATERAL (SELECT $4 AT TIME ZONE COALESCE(l.time_zone, 'UTC') AS here) o"
    };
}

fn of<'q, T>(sql: &'static str, whose: &'q Selection) -> QueryAs<'q, Postgres, T, PgArguments>
where
    T: for<'r> FromRow<'r, sqlx::postgres::PgRow>,
{
    let query = sqlx::query_as(sql).bind(&whose.groups).bind(&whose.machines).bind(&whose.locations);
    // Planned for these values, each time.
    query.persistent(false)
}

/// Revenue of a day in a currency.
#[derive(Debug, FromRow)]
pub(super) struct DayOfCurrency {
    pub currency: String,
    pub date: NaiveDate,
    pub revenue: i64,
}

/// By currency, then by day.
pub(super) async fn by_day(
    db: &mut PgConnection,
    whose: &Selection,
    span: Span,
) -> Result<Vec<DayOfCurrency>> {
    const SQL: &str = concat!(
        "SELECT currency, starts::date AS date, sum(revenue)::bigint AS revenue FROM sales_rollup WHERE ",
        selected!(),
        " AND grain = 'total_day' AND starts >= $4 AND starts <= $5
         GROUP BY 1, 2 HAVING sum(quantity) <> 0 OR sum(revenue) <> 0 ORDER BY 1, 2"
    );
    Ok(of(SQL, whose).bind(span.first).bind(span.last).fetch_all(db).await?)
}

/// How much was sold of a product on a day.
#[derive(Debug, FromRow)]
pub(super) struct DayOfProduct {
    pub name: String,
    pub date: NaiveDate,
    pub quantity: i64,
}

/// The `amount` best sold products of each day: by product, the best first, then by day.
pub(super) async fn best(
    db: &mut PgConnection,
    whose: &Selection,
    span: Span,
    amount: i64,
) -> Result<Vec<DayOfProduct>> {
    const SQL: &str = concat!(
        "SELECT name, date, quantity FROM (
             SELECT *, sum(quantity) OVER (PARTITION BY name) AS total FROM (
                 SELECT *, row_number() OVER (PARTITION BY date ORDER BY quantity DESC, name COLLATE \"C\") AS place
                 FROM (SELECT name, starts::date AS date, sum(quantity)::bigint AS quantity FROM sales_rollup WHERE ",
        selected!(),
        "        AND grain = 'day' AND starts >= $4 AND starts <= $5
                       GROUP BY 1, 2 HAVING sum(quantity) > 0) sold) ranked
             WHERE place <= $6) best
         ORDER BY total DESC, name COLLATE \"C\", date"
    );
    Ok(of(SQL, whose).bind(span.first).bind(span.last).bind(amount).fetch_all(db).await?)
}

/// What was sold for a currency in the periods that are under way.
#[derive(Debug, FromRow)]
pub(super) struct PeriodsOfCurrency {
    pub currency: String,
    pub day_products: i64,
    pub day_revenue: i64,
    pub week_products: i64,
    pub week_revenue: i64,
    pub month_products: i64,
    pub month_revenue: i64,
    pub year_products: i64,
    pub year_revenue: i64,
}

/// By currency. Days make a week, which may have begun last year, and months make a year.
pub(super) async fn periods(
    db: &mut PgConnection,
    whose: &Selection,
    now: DateTime<Utc>,
) -> Result<Vec<PeriodsOfCurrency>> {
    const SQL: &str = concat!(
        "SELECT currency,
                COALESCE(sum(quantity) FILTER (WHERE today), 0)::bigint AS day_products,
                COALESCE(sum(revenue) FILTER (WHERE today), 0)::bigint AS day_revenue,
                COALESCE(sum(quantity) FILTER (WHERE this_week), 0)::bigint AS week_products,
                COALESCE(sum(revenue) FILTER (WHERE this_week), 0)::bigint AS week_revenue,
                COALESCE(sum(quantity) FILTER (WHERE this_month), 0)::bigint AS month_products,
                COALESCE(sum(revenue) FILTER (WHERE this_month), 0)::bigint AS month_revenue,
                COALESCE(sum(quantity) FILTER (WHERE this_year), 0)::bigint AS year_products,
                COALESCE(sum(revenue) FILTER (WHERE this_year), 0)::bigint AS year_revenue
         FROM (
             SELECT currency, quantity, revenue,
                    grain = 'total_day' AND starts = date_trunc('day', here) AS today,
                    grain = 'total_day' AND date_trunc('week', starts) = date_trunc('week', here) AS this_week,
                    grain = 'total_month' AND starts = date_trunc('month', here) AS this_month,
                    grain = 'total_month' AND date_trunc('year', starts) = date_trunc('year', here) AS this_year
             FROM ",
        sums_with_their_now!(),
        "    WHERE ",
        selected!(),
        // No calendar is two days from another.
        "      AND (grain = 'total_day' AND starts >= ($4 AT TIME ZONE 'UTC') - interval '9 days'
                    OR grain = 'total_month' AND starts >= date_trunc('year', ($4 AT TIME ZONE 'UTC') - interval '2 days'))
         ) sums
         WHERE today OR this_week OR this_month OR this_year
         GROUP BY currency HAVING bool_or(quantity <> 0 OR revenue <> 0) ORDER BY currency"
    );
    Ok(of(SQL, whose).bind(now).fetch_all(db).await?)
}

/// What was sold in an hour of the week.
#[derive(Debug, FromRow, Serialize, ToSchema)]
pub(super) struct HourOfWeek {
    /// The day of the week: 1 is Monday, 7 is Sunday (ISO 8601).
    day: i32,
    /// The hour of the day: 0 to 23.
    hour: i32,
    /// How many pieces.
    count: i64,
    /// For how much, in minor units.
    total: i64,
    /// The currency of that (ISO 4217).
    currency: String,
}

/// Of the three months before today, and today.
pub(super) async fn hours(
    db: &mut PgConnection,
    whose: &Selection,
    now: DateTime<Utc>,
) -> Result<Vec<HourOfWeek>> {
    const SQL: &str = concat!(
        "SELECT extract(isodow FROM starts)::int AS day, extract(hour FROM starts)::int AS hour,
                sum(quantity)::bigint AS count, sum(revenue)::bigint AS total, currency
         FROM (SELECT starts, currency, sum(quantity) AS quantity, sum(revenue) AS revenue FROM ",
        sums_with_their_now!(),
        "      WHERE ",
        selected!(),
        // What the index is asked for: months differ by up to three days, calendars by less than two. And
        // what is in it by every calendar: the place's own is asked only near both ends.
        "        AND grain = 'hour' AND starts >= ($4 AT TIME ZONE 'UTC') - interval '3 months 5 days'
                 AND (starts >= ($4 AT TIME ZONE 'UTC') - interval '3 months' + interval '5 days'
                      AND starts < ($4 AT TIME ZONE 'UTC') - interval '1 day'
                      OR starts >= date_trunc('day', here) - interval '3 months'
                      AND starts < date_trunc('day', here) + interval '1 day')
               GROUP BY starts, currency) hours
         GROUP BY 1, 2, currency HAVING sum(quantity) <> 0 OR sum(revenue) <> 0 ORDER BY 1, 2, currency"
    );
    Ok(of(SQL, whose).bind(now).fetch_all(db).await?)
}
