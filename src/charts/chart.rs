//! Charts as they are shown and kept.

use super::{
    criteria::Criteria,
    template::{ChartType, View},
};
use crate::{
    error::{Error, Result},
    resource::{FieldType, field::words},
    transaction,
};
use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::{FromRow, PgConnection, PgExecutor, PgPool, Row, postgres::PgRow, types::Json};
use utoipa::ToSchema;

words! {
    /// What the charts of a report are a part of.
    ReportType {
        /// A user report.
        UserReport = "userreport",
    }
}

/// A chart of a user report.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Chart {
    /// Its id.
    pub id: i64,
    /// Its name.
    pub name: String,
    /// What it is about.
    #[serde(rename = "type")]
    #[schema(schema_with = ChartType::takes)]
    pub kind: ChartType,
    /// How it is drawn.
    #[schema(schema_with = View::takes)]
    pub view: View,
    /// What it asks for: what its type asks for by itself, unless it was given others.
    pub criteria: Criteria,
    /// Where it stands among the charts of its report.
    pub position: i64,
    /// The user report that it is a part of.
    pub report: i64,
    /// What `report` is.
    #[schema(schema_with = ReportType::takes)]
    pub report_type: ReportType,
    /// When it was created.
    #[serde(serialize_with = "crate::time::seconds")]
    pub create_at: DateTime<Utc>,
    /// When it was last changed.
    #[serde(serialize_with = "crate::time::seconds")]
    pub update_at: DateTime<Utc>,
}

impl FromRow<'_, PgRow> for Chart {
    fn from_row(row: &PgRow) -> sqlx::Result<Self> {
        let kind: ChartType = row.try_get("type")?;
        let criteria = match row.try_get::<Option<Json<Criteria>>, _>("criteria")? {
            Some(Json(criteria)) => criteria,
            None => kind.criteria().map_err(|error| sqlx::Error::Decode(error.into()))?.clone(),
        };
        Ok(Self {
            id: row.try_get("id")?,
            name: row.try_get("name")?,
            kind,
            view: row.try_get("view")?,
            criteria,
            position: row.try_get("position")?,
            report: row.try_get("report")?,
            report_type: ReportType::UserReport,
            create_at: row.try_get("created_at")?,
            update_at: row.try_get("updated_at")?,
        })
    }
}

/// A chart to be kept.
#[derive(Debug)]
pub struct Draft {
    /// Its name.
    pub name: String,
    /// What it is about.
    pub kind: ChartType,
    /// How it is drawn.
    pub view: View,
    /// What it asks for, if that is not what its type does by itself.
    pub criteria: Option<Criteria>,
    /// Where it stands; behind the others without one.
    pub position: Option<i64>,
}

/// A chart of a report that the group `$1` reaches.
const FIND: &str = "
    SELECT c.* FROM chart c JOIN user_report r ON r.id = c.report WHERE c.id = $2
      AND r.user_group IN (SELECT descendant FROM user_group_tree WHERE ancestor = $1)";

/// The one that `group` sees.
pub async fn find(db: impl PgExecutor<'_>, group: i64, id: i64) -> Result<Chart> {
    let found = sqlx::query_as(FIND).bind(group).bind(id).fetch_optional(db).await?;
    found.ok_or(Error::NotFound("chart"))
}

/// The same, locked until the transaction ends.
pub async fn lock(db: &mut PgConnection, group: i64, id: i64) -> Result<Chart> {
    const LOCKED: &str = "SELECT FROM chart WHERE id = $1 FOR NO KEY UPDATE";
    // Locked first, then read: what another has changed meanwhile is seen.
    sqlx::query(LOCKED).bind(id).execute(&mut *db).await?;
    find(db, group, id).await
}

/// The charts of a report, in their order.
pub async fn of_report(db: &PgPool, report: i64) -> Result<Vec<Chart>> {
    const SQL: &str = "SELECT * FROM chart WHERE report = $1 ORDER BY position, id";
    Ok(sqlx::query_as(SQL).bind(report).fetch_all(db).await?)
}

/// How many charts a report has, which is locked.
pub async fn count(db: &mut PgConnection, report: i64) -> Result<i64> {
    const SQL: &str = "SELECT count(*) FROM chart WHERE report = $1";
    Ok(sqlx::query_scalar(SQL).bind(report).fetch_one(db).await?)
}

/// Keeps a new chart of a report.
pub async fn insert(db: &mut PgConnection, report: i64, draft: Draft, now: DateTime<Utc>) -> Result<i64> {
    const SQL: &str = "
        INSERT INTO chart (report, name, type, view, criteria, position, created_at, updated_at)
        VALUES ($1, $2, $3, $4, $5,
                COALESCE($6, (SELECT max(position) + 1 FROM chart WHERE report = $1), 0), $7, $7) RETURNING id";
    let inserted = sqlx::query_scalar(SQL)
        .bind(report)
        .bind(draft.name)
        .bind(draft.kind)
        .bind(draft.view)
        .bind(draft.criteria.map(Json))
        .bind(draft.position)
        .bind(now);
    Ok(inserted.fetch_one(db).await?)
}

/// Keeps a chart as it is to be, as a part of `report`.
pub async fn update(
    db: &mut PgConnection,
    id: i64,
    report: i64,
    draft: Draft,
    now: DateTime<Utc>,
) -> Result<()> {
    const SQL: &str = "
        UPDATE chart SET report = $2, name = $3, type = $4, view = $5, criteria = $6,
            position = COALESCE($7, position), updated_at = $8 WHERE id = $1";
    let updated = sqlx::query(SQL)
        .bind(id)
        .bind(report)
        .bind(draft.name)
        .bind(draft.kind)
        .bind(draft.view)
        .bind(draft.criteria.map(Json))
        .bind(draft.position)
        .bind(now);
    updated.execute(db).await?;
    Ok(())
}

/// Deletes the one that `group` reaches.
pub async fn delete(db: &PgPool, group: i64, id: i64) -> Result<()> {
    const SQL: &str = "
        DELETE FROM chart c USING user_report r WHERE r.id = c.report AND c.id = $2
          AND r.user_group IN (SELECT descendant FROM user_group_tree WHERE ancestor = $1)";
    let mut tx = transaction::begin(db).await?;
    let deleted = sqlx::query(SQL).bind(group).bind(id).execute(&mut *tx).await?.rows_affected();
    if deleted == 0 { Err(Error::NotFound("chart")) } else { Ok(tx.commit().await?) }
}
