//! Opening hours in Postgres.

use super::{InForce, Level, OpeningHours, Source, Span};
use crate::{
    campaigns::terms,
    error::{Error, Result},
    resource::{reach, store},
    transaction,
};
use sqlx::{AssertSqlSafe, PgConnection, PgPool, QueryBuilder};

impl Level {
    /// What stands below and can have opening hours of its own, and which rows of its table: those
    /// whose column is one of what is found for the id that follows.
    const fn below(self) -> &'static [(Self, &'static str)] {
        match self {
            Self::Machine => &[],
            Self::MachineGroup => &[(
                Self::Machine,
                "this.id IN (SELECT machine FROM machine_group_machine WHERE machine_group = ",
            )],
            Self::Location => &[(Self::Machine, "this.location IN (")],
            Self::LocationGroup => &[
                (
                    Self::Machine,
                    "this.location IN (SELECT location FROM location_group_location WHERE location_group = ",
                ),
                (
                    Self::Location,
                    "this.id IN (SELECT location FROM location_group_location WHERE location_group = ",
                ),
            ],
        }
    }
}

/// Returns what is in force for a machine, or what is set for anything else, if `group` sees it.
pub(super) async fn fetch(db: &PgPool, group: i64, level: Level, id: i64) -> Result<Vec<InForce>> {
    let spec = level.spec();
    store::find(db, spec, group, None, id).await?;
    if level == Level::Machine {
        return in_force(&mut *db.acquire().await?, id).await;
    }
    let sql = format!(
        "SELECT day, start_time, end_time FROM opening_hours WHERE {} = $1 ORDER BY day, start_time",
        spec.table
    );
    let spans: Vec<Span> = sqlx::query_as(AssertSqlSafe(sql)).bind(id).fetch_all(db).await?;
    let from = Source { resource: level, id };
    Ok(spans.into_iter().map(|span| InForce { span, from }).collect())
}

/// Sets the opening hours of something that `group` may change, and takes away those of everything
/// below that it may change, too.
pub(super) async fn replace(db: &PgPool, group: i64, level: Level, id: i64, spans: &[Span]) -> Result<()> {
    let spec = level.spec();
    let column = spec.table;
    let mut tx = transaction::begin(db).await?;
    // Whoever sets the same at the same time waits, so that spans of one are not mixed with another's.
    store::lock(&mut tx, spec, group, None, id).await?;
    let own = format!("DELETE FROM opening_hours WHERE {column} = $1");
    sqlx::query(AssertSqlSafe(own)).bind(id).execute(&mut *tx).await?;
    for (inner, rows) in level.below() {
        let inner = inner.spec();
        let mut sql = QueryBuilder::new("DELETE FROM opening_hours WHERE ");
        sql.push(inner.table).push(" IN (SELECT this.id FROM ").push(inner.table).push(" this WHERE ");
        sql.push(rows).push_bind(id).push(") AND ");
        reach::writable(&mut sql, inner, group);
        sql.push(")").build().execute(&mut *tx).await?;
    }
    let add = format!(
        "INSERT INTO opening_hours ({column}, day, start_time, end_time)
         SELECT $1, span.* FROM unnest($2::smallint[], $3::time[], $4::time[]) span"
    );
    sqlx::query(AssertSqlSafe(add))
        .bind(id)
        .bind(spans.iter().map(|span| span.day).collect::<Vec<_>>())
        .bind(spans.iter().map(|span| span.start_time).collect::<Vec<_>>())
        .bind(spans.iter().map(|span| span.end_time).collect::<Vec<_>>())
        .execute(&mut *tx)
        .await?;
    tx.commit().await?;
    Ok(())
}

/// Returns the opening hours in force for a machine: its own, or else the newest of those set above it. Those of a
/// group count if it belongs to the machine's user group or one above that: nobody below sets hours for the machine.
pub async fn effective(db: &mut PgConnection, machine: i64) -> Result<OpeningHours> {
    const ZONE: &str =
        "SELECT l.time_zone FROM machine m JOIN location l ON l.id = m.location WHERE m.id = $1";
    let zone: Option<String> = sqlx::query_scalar(ZONE).bind(machine).fetch_optional(&mut *db).await?;
    let zone = zone.ok_or(Error::NotFound("machine"))?;
    let spans = in_force(db, machine).await?.into_iter().map(|row| row.span).collect();
    Ok(OpeningHours { spans, zone: terms::zone(&zone) })
}

/// Returns the spans in force for a machine, each with what it is set for.
async fn in_force(db: &mut PgConnection, machine: i64) -> Result<Vec<InForce>> {
    const SPANS: &str = "
        WITH place AS (SELECT location, user_group FROM machine WHERE id = $1),
        above AS (SELECT t.ancestor AS user_group FROM user_group_tree t JOIN place ON t.descendant = place.user_group),
        heard AS (
            SELECT * FROM opening_hours WHERE machine = $1
            UNION ALL
            SELECT h.* FROM opening_hours h JOIN machine_group_machine g USING (machine_group)
            JOIN machine_group own ON own.id = g.machine_group JOIN above USING (user_group) WHERE g.machine = $1
            UNION ALL
            SELECT h.* FROM opening_hours h JOIN place USING (location)
            UNION ALL
            SELECT h.* FROM opening_hours h JOIN location_group_location g USING (location_group)
            JOIN place ON place.location = g.location
            JOIN location_group own ON own.id = g.location_group JOIN above ON above.user_group = own.user_group
        ),
        heeded AS (SELECT * FROM heard ORDER BY machine IS NULL, id DESC LIMIT 1)
        SELECT h.day, h.start_time, h.end_time,
            CASE WHEN h.machine IS NOT NULL THEN 'machine' WHEN h.machine_group IS NOT NULL THEN 'machinegroup'
                WHEN h.location IS NOT NULL THEN 'location' ELSE 'locationgroup' END AS resource,
            COALESCE(h.machine, h.machine_group, h.location, h.location_group) AS id
        FROM heard h JOIN heeded w
        ON (h.machine, h.machine_group, h.location, h.location_group)
            IS NOT DISTINCT FROM (w.machine, w.machine_group, w.location, w.location_group)
        ORDER BY h.day, h.start_time";
    Ok(sqlx::query_as(SPANS).bind(machine).fetch_all(db).await?)
}
