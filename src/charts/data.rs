//! What a chart shows: its criteria asked of the rows that the caller sees.

use super::{
    criteria::Criteria,
    plan::{Moment, Plan},
    statement::Asker,
};
use crate::{
    app::App,
    error::{Error, Result},
    http::Caller,
    transaction,
};
use chrono::{DateTime, Duration, Utc};
use chrono_tz::Tz;
use serde_json::value::RawValue;
use sqlx::PgConnection;

/// For so long anybody waits for a chart, in seconds.
const PATIENCE_S: u32 = 10;

/// The zones of the places of a group: its own, those of the groups below, and those above, which may
/// share theirs; and wherever its machines stand otherwise.
pub async fn zones(db: &mut PgConnection, group: i64) -> Result<Vec<Tz>> {
    const SQL: &str = "
        SELECT DISTINCT time_zone FROM location WHERE user_group IN (
            SELECT descendant FROM user_group_tree WHERE ancestor = $1
            UNION ALL SELECT ancestor FROM user_group_tree WHERE descendant = $1)
        OR id IN (SELECT location FROM machine WHERE user_group IN (
            SELECT descendant FROM user_group_tree WHERE ancestor = $1))";
    let names: Vec<String> = sqlx::query_scalar(SQL).bind(group).fetch_all(db).await?;
    let zones: Vec<Tz> = names.iter().filter_map(|name| name.parse().ok()).collect();
    Ok(if zones.is_empty() { vec![Tz::UTC] } else { zones })
}

/// Refuses criteria that make no sense.
pub async fn check(db: &mut PgConnection, criteria: &Criteria, group: i64, now: DateTime<Utc>) -> Result<()> {
    let zones = zones(db, group).await?;
    Plan::of(criteria, Moment { now, zones: &zones }).map(drop).map_err(Error::Invalid)
}

/// The rows that criteria ask for, of the caller's groups.
pub async fn rows(app: &App, caller: &Caller, criteria: &Criteria) -> Result<Vec<Box<RawValue>>> {
    const GROUPS: &str = "SELECT descendant FROM user_group_tree WHERE ancestor = $1";
    const LANGUAGE: &str = "SELECT language FROM account WHERE id = $1";
    let reading = app.reads.chart(caller.group()).await?;
    let now = app.clock.now();
    let mut tx = transaction::look(&reading, PATIENCE_S).await?;
    let zones = zones(&mut tx, caller.group()).await?;
    let moment = Moment { now, zones: &zones };
    let plan = Plan::of(criteria, moment).map_err(Error::Invalid)?;
    let asker = Asker {
        groups: sqlx::query_scalar(GROUPS).bind(caller.group()).fetch_all(&mut *tx).await?,
        group: caller.group(),
        language: sqlx::query_scalar(LANGUAGE).bind(caller.account()).fetch_optional(&mut *tx).await?,
        online_since: now - Duration::seconds(app.config.heartbeat_s as i64),
    };
    let mut statement = plan.statement(&asker, moment);
    let found = statement.build_query_scalar::<String>().persistent(false).fetch_all(&mut *tx).await;
    let rows = found.map_err(|error| transaction::too_long(error, "/criteria"))?;
    tx.commit().await?;
    drop(reading);
    rows.into_iter().map(|row| RawValue::from_string(row).map_err(Error::fault)).collect()
}
