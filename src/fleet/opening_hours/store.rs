//! Opening hours in Postgres.

use super::{OpeningHours, Resource, Span};
use crate::{
    campaigns::terms,
    error::{Error, Result},
    transaction,
};
use sqlx::{AssertSqlSafe, PgPool};

impl Resource {
    /// Its table, and the column of `opening_hours` that points there.
    const fn table(self) -> &'static str {
        match self {
            Self::Machine => "machine",
            Self::MachineGroup => "machine_group",
            Self::Location => "location",
            Self::LocationGroup => "location_group",
        }
    }

    const fn not_found(self) -> Error {
        Error::NotFound(match self {
            Self::Machine => "machine",
            Self::MachineGroup => "machine group",
            Self::Location => "location",
            Self::LocationGroup => "location group",
        })
    }

    /// What stands below it and can have opening hours: tables, and which of their rows.
    const fn below(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Machine => &[],
            Self::MachineGroup => {
                &[("machine", "id IN (SELECT machine FROM machine_group_machine WHERE machine_group = $1)")]
            }
            Self::Location => &[("machine", "location = $1")],
            Self::LocationGroup => &[
                (
                    "machine",
                    "location IN (SELECT location FROM location_group_location WHERE location_group = $1)",
                ),
                (
                    "location",
                    "id IN (SELECT location FROM location_group_location WHERE location_group = $1)",
                ),
            ],
        }
    }

    /// Whether groups above can let others read it.
    const fn is_shared(self) -> bool {
        matches!(self, Self::Location | Self::LocationGroup)
    }
}

/// What is set for a resource that `group` may see.
pub(super) async fn fetch(db: &PgPool, group: i64, resource: Resource, id: i64) -> Result<Vec<Span>> {
    let table = resource.table();
    let shared = if resource.is_shared() {
        format!(
            "OR id IN (SELECT {table} FROM user_group_{table}
                WHERE user_group IN (SELECT descendant FROM user_group_tree WHERE ancestor = $2))"
        )
    } else {
        String::new()
    };
    let seen = format!(
        "SELECT EXISTS (SELECT FROM {table} WHERE id = $1
            AND (user_group IN (SELECT descendant FROM user_group_tree WHERE ancestor = $2) {shared}))"
    );
    if !sqlx::query_scalar(AssertSqlSafe(seen)).bind(id).bind(group).fetch_one(db).await? {
        return Err(resource.not_found());
    }
    let spans = format!(
        "SELECT day, start_time, end_time FROM opening_hours WHERE {table} = $1 ORDER BY day, start_time"
    );
    Ok(sqlx::query_as(AssertSqlSafe(spans)).bind(id).fetch_all(db).await?)
}

/// Sets the opening hours of a resource that belongs to `group` or a group below it, and takes away
/// those of everything below the resource that does, too.
pub(super) async fn replace(
    db: &PgPool,
    group: i64,
    resource: Resource,
    id: i64,
    spans: &[Span],
) -> Result<()> {
    let table = resource.table();
    let mut transaction = transaction::begin(db).await?;
    // Whoever sets the same at the same time waits, so that the spans of one are not mixed with another's.
    let lock = format!(
        "SELECT id FROM {table} WHERE id = $1
         AND user_group IN (SELECT descendant FROM user_group_tree WHERE ancestor = $2) FOR NO KEY UPDATE"
    );
    let locked = sqlx::query(AssertSqlSafe(lock)).bind(id).bind(group).fetch_optional(&mut *transaction);
    locked.await?.ok_or(resource.not_found())?;

    let drop = format!("DELETE FROM opening_hours WHERE {table} = $1");
    sqlx::query(AssertSqlSafe(drop)).bind(id).execute(&mut *transaction).await?;
    for (inner, rows) in resource.below() {
        let drop = format!(
            "DELETE FROM opening_hours WHERE {inner} IN (SELECT id FROM {inner} WHERE {rows}
                AND user_group IN (SELECT descendant FROM user_group_tree WHERE ancestor = $2))"
        );
        sqlx::query(AssertSqlSafe(drop)).bind(id).bind(group).execute(&mut *transaction).await?;
    }

    let add = format!(
        "INSERT INTO opening_hours ({table}, day, start_time, end_time)
         SELECT $1, span.* FROM unnest($2::smallint[], $3::time[], $4::time[]) span"
    );
    sqlx::query(AssertSqlSafe(add))
        .bind(id)
        .bind(spans.iter().map(|span| span.day).collect::<Vec<_>>())
        .bind(spans.iter().map(|span| span.start_time).collect::<Vec<_>>())
        .bind(spans.iter().map(|span| span.end_time).collect::<Vec<_>>())
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await?;
    Ok(())
}

/// What holds for a machine: its own, or else the newest of what is set above it.
pub async fn effective(db: &PgPool, machine: i64) -> Result<OpeningHours> {
    const ZONE: &str =
        "SELECT l.time_zone FROM machine m JOIN location l ON l.id = m.location WHERE m.id = $1";
    const SPANS: &str = "
        WITH place AS (SELECT location FROM machine WHERE id = $1),
        heard AS (
            SELECT * FROM opening_hours WHERE machine = $1
            UNION ALL
            SELECT h.* FROM opening_hours h JOIN machine_group_machine g USING (machine_group) WHERE g.machine = $1
            UNION ALL
            SELECT h.* FROM opening_hours h JOIN place USING (location)
            UNION ALL
            SELECT h.* FROM opening_hours h JOIN location_group_location g USING (location_group)
            JOIN place ON place.location = g.location
        ),
        heeded AS (SELECT * FROM heard ORDER BY machine IS NULL, id DESC LIMIT 1)
        SELECT h.day, h.start_time, h.end_time FROM heard h JOIN heeded w
        ON (h.machine, h.machine_group, h.location, h.location_group)
            IS NOT DISTINCT FROM (w.machine, w.machine_group, w.location, w.location_group)
        ORDER BY h.day, h.start_time";
    let zone: Option<String> = sqlx::query_scalar(ZONE).bind(machine).fetch_optional(db).await?;
    let zone = zone.ok_or(Resource::Machine.not_found())?;
    let spans = sqlx::query_as(SPANS).bind(machine).fetch_all(db).await?;
    Ok(OpeningHours { spans, zone: terms::zone(&zone) })
}
