//! Commands in Postgres.

use super::command::{Acknowledgement, Command, Due, State};
use crate::{
    error::{Error, Result},
    http::list::{Column, Ids, Kind, Listing},
    ids, transaction,
};
use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

/// Commands that a gateway is given at a time.
const DUE_MAX: i64 = 100;

/// Commands that are noted as expired at a time.
const LAPSED_MAX: i64 = 5_000;

/// The columns of [`Command`]; a macro, so that constant statements can be put together from it.
macro_rules! columns {
    () => {
        "c.id, c.machine, m.hostname, c.command, c.params, c.batch, c.state, c.created_by, c.created_at, c.expires_at,
         c.delivered_at, c.attempts, c.acknowledged_at, c.details"
    };
}

/// Commands as [`Command`], and what they can be filtered and sorted by.
pub(super) static COMMANDS: Listing = Listing {
    select: columns!(),
    from: "command c JOIN machine m ON m.id = c.machine",
    ids: Ids::Time("command"),
    order: None,
    columns: &[
        Column::new("id", "c.id", Kind::Uuid),
        Column::new("machine", "c.machine", Kind::Int),
        Column::new("hostname", "m.hostname", Kind::Text),
        Column::new("command", "c.command", Kind::Text),
        Column::new("batch", "c.batch", Kind::Uuid),
        Column::new("state", "c.state", Kind::Word(&["pending", "delivered", "done", "failed", "expired"])),
        Column::new("createdBy", "c.created_by", Kind::Int),
        Column::new("createdAt", "c.created_at", Kind::Instant),
        Column::new("expiresAt", "c.expires_at", Kind::Instant),
        Column::new("deliveredAt", "c.delivered_at", Kind::Instant),
        Column::new("attempts", "c.attempts", Kind::Int),
        Column::new("acknowledgedAt", "c.acknowledged_at", Kind::Instant),
        Column::new("details", "c.details", Kind::Text),
    ],
};

const NOT_FOUND: Error = Error::NotFound("command");

/// What machines are to be told.
#[derive(Debug)]
pub(super) struct Order<'a> {
    pub(super) command: &'a str,
    pub(super) params: Value,
    pub(super) batch: Option<Uuid>,
    pub(super) created_by: Option<i64>,
    pub(super) created_at: DateTime<Utc>,
    pub(super) expires_at: DateTime<Utc>,
}

/// Stores a command for each of the machines that are still there; returns the commands' ids.
pub(super) async fn give(db: &mut PgConnection, order: Order<'_>, machines: &[i64]) -> Result<Vec<Uuid>> {
    const SQL: &str = "
        INSERT INTO command (id, machine, command, params, batch, created_by, created_at, expires_at)
        SELECT n.id, m.id, $3, $4, $5, $6, $7, $8
        FROM unnest($1::uuid[], $2::bigint[]) n (id, machine) JOIN machine m ON m.id = n.machine
        ORDER BY m.id FOR KEY SHARE OF m RETURNING id";
    let ids = ids::draw(db, "command", machines.len()).await?;
    let insert = sqlx::query_scalar(SQL)
        .bind(ids)
        .bind(machines)
        .bind(order.command)
        .bind(order.params)
        .bind(order.batch)
        .bind(order.created_by)
        .bind(order.created_at)
        .bind(order.expires_at);
    Ok(insert.fetch_all(db).await?)
}

/// What a machine is to do now, in order: what it was not given yet, and what it was and has not
/// answered. Each of it counts as delivered from here on.
pub(super) async fn due(db: &PgPool, machine: i64, now: DateTime<Utc>) -> Result<Vec<Due>> {
    const SQL: &str = "
        WITH due AS (
            SELECT id FROM command
            WHERE machine = $1 AND state IN ('pending', 'delivered') AND expires_at > $2
            ORDER BY place LIMIT $3 FOR UPDATE
        )
        UPDATE command c SET state = 'delivered', attempts = attempts + 1,
            delivered_at = COALESCE(delivered_at, $2)
        FROM due WHERE c.id = due.id RETURNING c.id, c.command, c.params, c.expires_at, c.place";
    let mut due: Vec<Due> = sqlx::query_as(SQL).bind(machine).bind(now).bind(DUE_MAX).fetch_all(db).await?;
    due.sort_unstable_by_key(|due| due.place);
    Ok(due)
}

/// Takes down what became of a command. Said again, it changes nothing; another result contradicts it.
/// A command that was carried out after its time was carried out all the same.
pub(super) async fn acknowledge(
    db: &PgPool,
    machine: i64,
    id: Uuid,
    said: Acknowledgement,
    now: DateTime<Utc>,
) -> Result<()> {
    const LOCK: &str = "SELECT state FROM command WHERE id = $1 AND machine = $2 FOR UPDATE";
    const NOTE: &str = "UPDATE command SET state = $2, acknowledged_at = $3, details = $4 WHERE id = $1";
    let state = State::from(said.result);
    let mut transaction = transaction::begin(db).await?;
    let before: Option<State> =
        sqlx::query_scalar(LOCK).bind(id).bind(machine).fetch_optional(&mut *transaction).await?;
    match before.ok_or(NOT_FOUND)? {
        before if before == state => return Ok(()),
        State::Done | State::Failed => {
            return Err(Error::Conflict("the command was acknowledged with another result".into()));
        }
        State::Pending | State::Delivered | State::Expired => {}
    }
    let note = sqlx::query(NOTE).bind(id).bind(state).bind(now).bind(said.details);
    note.execute(&mut *transaction).await?;
    transaction.commit().await?;
    Ok(())
}

/// A command to a machine that belongs to `group` or a group below it.
pub(super) async fn fetch(db: &PgPool, group: i64, id: Uuid) -> Result<Command> {
    const SQL: &str = concat!(
        "SELECT ",
        columns!(),
        " FROM command c JOIN machine m ON m.id = c.machine WHERE c.id = $1
          AND m.user_group IN (SELECT descendant FROM user_group_tree WHERE ancestor = $2)"
    );
    sqlx::query_as(SQL).bind(id).bind(group).fetch_optional(db).await?.ok_or(NOT_FOUND)
}

/// Notes which commands have expired, so that they can be looked for by their state. They are so
/// without it: this only catches up with the clock, and leaves what somebody is at.
pub(super) async fn note_expired(db: &PgPool, now: DateTime<Utc>) -> Result<()> {
    const SQL: &str = "
        UPDATE command SET state = 'expired' WHERE id IN (
            SELECT id FROM command WHERE state IN ('pending', 'delivered') AND expires_at <= $1
            ORDER BY expires_at LIMIT $2 FOR UPDATE SKIP LOCKED
        )";
    sqlx::query(SQL).bind(now).bind(LAPSED_MAX).execute(db).await?;
    Ok(())
}
