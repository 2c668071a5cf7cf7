//! Dashboards and their widgets as they are shown and kept.

use crate::{
    error::{Error, Result},
    http::Caller,
    transaction,
};
use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::{FromRow, PgConnection, PgPool};
use std::collections::HashMap;
use utoipa::ToSchema;

/// Whose dashboards: a user's, or what the keys of a group share.
#[derive(Clone, Copy, Debug)]
pub struct Owner {
    account: Option<i64>,
    group: Option<i64>,
}

impl From<&Caller> for Owner {
    fn from(caller: &Caller) -> Self {
        let account = caller.account();
        Self { account, group: account.is_none().then(|| caller.group()) }
    }
}

/// A dashboard with its widgets.
#[derive(Debug, Serialize, ToSchema, FromRow)]
#[serde(rename_all = "camelCase")]
pub struct Dashboard {
    /// Its id.
    pub id: i64,
    /// Its name.
    pub name: String,
    /// What is on it.
    #[sqlx(skip)]
    pub widgets: Vec<Widget>,
    /// When it was created.
    #[serde(serialize_with = "crate::time::milliseconds")]
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    #[serde(serialize_with = "crate::time::milliseconds")]
    pub updated_at: DateTime<Utc>,
}

/// Something on a dashboard.
#[derive(Debug, Serialize, ToSchema, FromRow)]
#[serde(rename_all = "camelCase")]
pub struct Widget {
    /// Its id.
    pub id: i64,
    /// Its name.
    pub name: Option<String>,
    /// What it is: a number that clients give a meaning.
    pub widget_type: Option<i64>,
    /// The dashboard that it is on.
    pub dashboard: i64,
    /// What a client keeps of it, as it came.
    pub settings: Option<String>,
    /// When it was created.
    #[serde(serialize_with = "crate::time::seconds")]
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    #[serde(serialize_with = "crate::time::seconds")]
    pub updated_at: DateTime<Utc>,
}

/// All of an owner's, in the order in which they were made.
pub async fn list(db: &PgPool, owner: Owner) -> Result<Vec<Dashboard>> {
    const DASHBOARDS: &str = "SELECT * FROM dashboard WHERE account = $1 OR user_group = $2 ORDER BY id";
    const WIDGETS: &str = "SELECT * FROM widget WHERE dashboard = ANY($1) ORDER BY id";
    let mut dashboards: Vec<Dashboard> =
        sqlx::query_as(DASHBOARDS).bind(owner.account).bind(owner.group).fetch_all(db).await?;
    let ids: Vec<i64> = dashboards.iter().map(|dashboard| dashboard.id).collect();
    let widgets: Vec<Widget> = sqlx::query_as(WIDGETS).bind(ids).fetch_all(db).await?;
    let mut of: HashMap<i64, Vec<Widget>> = HashMap::new();
    for widget in widgets {
        of.entry(widget.dashboard).or_default().push(widget);
    }
    for dashboard in &mut dashboards {
        dashboard.widgets = of.remove(&dashboard.id).unwrap_or_default();
    }
    Ok(dashboards)
}

/// Bytes that are kept of an owner's widgets, without the one of this id.
pub async fn kept_bytes(db: &mut PgConnection, owner: Owner, besides: i64) -> Result<i64> {
    const SQL: &str = "
        SELECT COALESCE(sum(octet_length(w.settings)), 0)::bigint
        FROM widget w JOIN dashboard d ON d.id = w.dashboard
        WHERE (d.account = $1 OR d.user_group = $2) AND w.id <> $3";
    let kept = sqlx::query_scalar(SQL).bind(owner.account).bind(owner.group).bind(besides);
    Ok(kept.fetch_one(db).await?)
}

/// Makes one, unless the owner has `most` already.
pub async fn insert(
    db: &mut PgConnection,
    owner: Owner,
    name: &str,
    most: i64,
    now: DateTime<Utc>,
) -> Result<Option<i64>> {
    const SQL: &str = "
        INSERT INTO dashboard (account, user_group, name, created_at, updated_at)
        SELECT $1, $2, $3, $5, $5
        WHERE (SELECT count(*) FROM dashboard WHERE account = $1 OR user_group = $2) < $4 RETURNING id";
    let inserted =
        sqlx::query_scalar(SQL).bind(owner.account).bind(owner.group).bind(name).bind(most).bind(now);
    Ok(inserted.fetch_optional(db).await?)
}

/// Deletes one of an owner's, with its widgets.
pub async fn delete(db: &PgPool, owner: Owner, id: i64) -> Result<()> {
    const SQL: &str = "DELETE FROM dashboard WHERE id = $3 AND (account = $1 OR user_group = $2)";
    let mut tx = transaction::begin(db).await?;
    let deleted = sqlx::query(SQL).bind(owner.account).bind(owner.group).bind(id).execute(&mut *tx).await?;
    if deleted.rows_affected() == 0 { Err(Error::NotFound("dashboard")) } else { Ok(tx.commit().await?) }
}

/// Locks one of an owner's until the transaction ends, and counts its widgets.
pub async fn lock(db: &mut PgConnection, owner: Owner, id: i64) -> Result<i64> {
    const LOCK: &str = "
        SELECT FROM dashboard WHERE id = $3 AND (account = $1 OR user_group = $2) FOR NO KEY UPDATE";
    let locked = sqlx::query(LOCK).bind(owner.account).bind(owner.group).bind(id).fetch_optional(&mut *db);
    locked.await?.ok_or(Error::NotFound("dashboard"))?;
    let count = sqlx::query_scalar("SELECT count(*) FROM widget WHERE dashboard = $1").bind(id);
    Ok(count.fetch_one(db).await?)
}

/// Puts a widget on a dashboard.
pub async fn insert_widget(
    db: &mut PgConnection,
    dashboard: i64,
    name: Option<String>,
    widget_type: Option<i64>,
    now: DateTime<Utc>,
) -> Result<i64> {
    const SQL: &str = "
        INSERT INTO widget (dashboard, name, widget_type, created_at, updated_at)
        VALUES ($1, $2, $3, $4, $4) RETURNING id";
    let inserted = sqlx::query_scalar(SQL).bind(dashboard).bind(name).bind(widget_type).bind(now);
    Ok(inserted.fetch_one(db).await?)
}

/// A widget on one of an owner's dashboards.
macro_rules! widget {
    () => {
        "SELECT w.* FROM widget w JOIN dashboard d ON d.id = w.dashboard
         WHERE w.id = $3 AND (d.account = $1 OR d.user_group = $2)"
    };
}

/// A widget on one of an owner's dashboards.
pub async fn find_widget(db: &PgPool, owner: Owner, id: i64) -> Result<Widget> {
    let found = sqlx::query_as(widget!()).bind(owner.account).bind(owner.group).bind(id);
    found.fetch_optional(db).await?.ok_or(Error::NotFound("widget"))
}

/// The same, locked until the transaction ends.
pub async fn lock_widget(db: &mut PgConnection, owner: Owner, id: i64) -> Result<Widget> {
    const SQL: &str = concat!(widget!(), " FOR NO KEY UPDATE OF w");
    let found = sqlx::query_as(SQL).bind(owner.account).bind(owner.group).bind(id).fetch_optional(db).await?;
    found.ok_or(Error::NotFound("widget"))
}

/// Keeps a widget as it is.
pub async fn update_widget(db: &mut PgConnection, widget: &Widget) -> Result<()> {
    const SQL: &str = "
        UPDATE widget SET name = $2, widget_type = $3, dashboard = $4, settings = $5, updated_at = $6
        WHERE id = $1";
    let updated = sqlx::query(SQL)
        .bind(widget.id)
        .bind(&widget.name)
        .bind(widget.widget_type)
        .bind(widget.dashboard)
        .bind(&widget.settings)
        .bind(widget.updated_at);
    updated.execute(db).await?;
    Ok(())
}

/// Takes a widget off its dashboard.
pub async fn delete_widget(db: &PgPool, owner: Owner, id: i64) -> Result<()> {
    const SQL: &str = "
        DELETE FROM widget w USING dashboard d WHERE d.id = w.dashboard AND w.id = $3
          AND (d.account = $1 OR d.user_group = $2)";
    let mut tx = transaction::begin(db).await?;
    let deleted = sqlx::query(SQL).bind(owner.account).bind(owner.group).bind(id).execute(&mut *tx).await?;
    if deleted.rows_affected() == 0 { Err(Error::NotFound("widget")) } else { Ok(tx.commit().await?) }
}
