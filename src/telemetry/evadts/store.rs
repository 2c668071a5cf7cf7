//! Audits and their reads in Postgres, and what an import has to know of a machine.

use super::counters::Counters;
use crate::{
    error::Result,
    http::list::{Column, Ids, Kind, Listing},
    telemetry::record::{Event, hot_and_archived},
};
use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::{FromRow, PgConnection, PgPool, types::Json};
use std::collections::HashSet;

/// Refused files that are kept of a machine: the latest.
const REFUSED_MAX: i64 = 20;

/// What audits can be listed by.
pub(super) static AUDITS: Listing = Listing {
    select: "a.id, a.arrived_at, a.status, a.checksum, length(a.file)::bigint AS bytes, a.summary, a.errors",
    from: "audit a",
    ids: Ids::Sequence("audit"),
    order: None,
    columns: &[
        Column::new("id", "a.id", Kind::Int),
        Column::new("arrivedAt", "a.arrived_at", Kind::Instant),
        Column::new("status", "a.status", Kind::Word(&["imported", "refused"])),
        Column::new("checksum", "a.checksum", Kind::Word(&["ok", "absent"])),
        Column::new("bytes", "length(a.file)::bigint", Kind::Int),
    ],
};

/// An audit without its file.
#[derive(Debug, FromRow)]
pub(super) struct Audit {
    pub(super) id: i64,
    pub(super) arrived_at: DateTime<Utc>,
    pub(super) status: String,
    pub(super) checksum: Option<String>,
    pub(super) bytes: i64,
    pub(super) summary: Option<Value>,
    pub(super) errors: Option<Value>,
}

/// A file that has arrived.
pub(super) struct Arrived<'a> {
    pub(super) machine: i64,
    pub(super) user_group: i64,
    pub(super) at: DateTime<Utc>,
    pub(super) sha256: &'a [u8],
    pub(super) file: &'a [u8],
}

/// The counters of a machine at one time.
#[derive(Debug, FromRow)]
pub(super) struct Read {
    pub(super) read_at: DateTime<Utc>,
    #[sqlx(json)]
    pub(super) counters: Counters,
}

/// Why a read is held against no other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Apart {
    /// It was cut off before its end.
    Cut,
    /// It is of another machine.
    Another,
}

impl Apart {
    fn word(self) -> &'static str {
        match self {
            Self::Cut => "cut",
            Self::Another => "another",
        }
    }
}

/// A product of the machine.
#[derive(Debug, FromRow)]
pub(super) struct Product {
    pub(super) id: i64,
    pub(super) plu: i64,
    pub(super) name: String,
    pub(super) report_name: Option<String>,
    pub(super) barcode: Option<String>,
    pub(super) remote_price: Option<i64>,
}

/// The same file, if it has arrived before.
pub(super) async fn known(db: &mut PgConnection, machine: i64, sha256: &[u8]) -> Result<Option<Audit>> {
    const SQL: &str = "
        SELECT id, arrived_at, status, checksum, length(file)::bigint AS bytes, summary, errors
        FROM audit WHERE machine = $1 AND sha256 = $2";
    Ok(sqlx::query_as(SQL).bind(machine).bind(sha256).fetch_optional(db).await?)
}

/// Keeps a file that is imported, be it that it was refused before; its summary follows.
pub(super) async fn keep(db: &mut PgConnection, arrived: &Arrived<'_>, checksum: &str) -> Result<i64> {
    const SQL: &str = "
        INSERT INTO audit (machine, user_group, arrived_at, sha256, file, status, checksum)
        VALUES ($1, $2, $3, $4, $5, 'imported', $6)
        ON CONFLICT ON CONSTRAINT audit_sha256 DO UPDATE SET user_group = EXCLUDED.user_group,
            arrived_at = EXCLUDED.arrived_at, status = EXCLUDED.status, checksum = EXCLUDED.checksum, errors = NULL
        RETURNING id";
    let insert = sqlx::query_scalar(SQL).bind(arrived.machine).bind(arrived.user_group).bind(arrived.at);
    Ok(insert.bind(arrived.sha256).bind(arrived.file).bind(checksum).fetch_one(db).await?)
}

/// Says what became of it.
pub(super) async fn summarise(db: &mut PgConnection, audit: i64, summary: &Value) -> Result<()> {
    sqlx::query("UPDATE audit SET summary = $2 WHERE id = $1").bind(audit).bind(summary).execute(db).await?;
    Ok(())
}

/// Keeps a file that is refused, to be looked at, and forgets the oldest of them.
pub(super) async fn refuse(db: &mut PgConnection, arrived: &Arrived<'_>, errors: &Value) -> Result<()> {
    const INSERT: &str = "
        INSERT INTO audit (machine, user_group, arrived_at, sha256, file, status, errors)
        VALUES ($1, $2, $3, $4, $5, 'refused', $6)";
    const FORGET: &str = "
        DELETE FROM audit WHERE id IN (
            SELECT id FROM audit WHERE machine = $1 AND status = 'refused' ORDER BY id DESC OFFSET $2)";
    let insert = sqlx::query(INSERT).bind(arrived.machine).bind(arrived.user_group).bind(arrived.at);
    insert.bind(arrived.sha256).bind(arrived.file).bind(errors).execute(&mut *db).await?;
    sqlx::query(FORGET).bind(arrived.machine).bind(REFUSED_MAX).execute(db).await?;
    Ok(())
}

/// The last read until then.
pub(super) async fn before(db: &mut PgConnection, machine: i64, at: DateTime<Utc>) -> Result<Option<Read>> {
    const SQL: &str = "
        SELECT read_at, counters FROM audit_read WHERE machine = $1 AND read_at <= $2 AND apart IS NULL
        ORDER BY read_at DESC, id DESC LIMIT 1";
    Ok(sqlx::query_as(SQL).bind(machine).bind(at).fetch_optional(db).await?)
}

/// The first read after that.
pub(super) async fn after(db: &mut PgConnection, machine: i64, at: DateTime<Utc>) -> Result<Option<Read>> {
    const SQL: &str = "
        SELECT read_at, counters FROM audit_read WHERE machine = $1 AND read_at > $2 AND apart IS NULL
        ORDER BY read_at, id LIMIT 1";
    Ok(sqlx::query_as(SQL).bind(machine).bind(at).fetch_optional(db).await?)
}

/// Keeps a read; `apart` says why no other is held against it, if none is.
pub(super) async fn keep_read(
    db: &mut PgConnection,
    audit: i64,
    machine: i64,
    read: &Read,
    apart: Option<Apart>,
) -> Result<()> {
    const SQL: &str =
        "INSERT INTO audit_read (audit, machine, read_at, counters, apart) VALUES ($1, $2, $3, $4, $5)";
    let insert = sqlx::query(SQL).bind(audit).bind(machine).bind(read.read_at).bind(Json(&read.counters));
    insert.bind(apart.map(Apart::word)).execute(db).await?;
    Ok(())
}

/// Has counting begin with the first read that came of a machine with another serial number, if it came
/// before `since` and nothing with the old one has come meanwhile. Returns whether it does.
pub(super) async fn adopt(
    db: &mut PgConnection,
    machine: i64,
    serial: &str,
    since: DateTime<Utc>,
) -> Result<bool> {
    const SQL: &str = "
        WITH later AS (
            SELECT r.id, a.arrived_at FROM audit_read r JOIN audit a ON a.id = r.audit
            WHERE r.machine = $1 AND r.apart = 'another' AND r.counters->>'serial' = $2
              AND r.id > (SELECT COALESCE(max(id), 0) FROM audit_read WHERE machine = $1 AND apart IS NULL))
        UPDATE audit_read SET apart = NULL
        WHERE id = (SELECT id FROM later WHERE arrived_at <= $3 ORDER BY id LIMIT 1)";
    let adopt = sqlx::query(SQL).bind(machine).bind(serial).bind(since).execute(db).await?;
    Ok(adopt.rows_affected() > 0)
}

/// Returns `true` if the machine sent sales itself of that time.
pub(super) async fn has_sent(
    db: &mut PgConnection,
    machine: i64,
    since: DateTime<Utc>,
    until: DateTime<Utc>,
) -> Result<bool> {
    const SQL: &str = "
        SELECT EXISTS (SELECT FROM revenue_transaction_ever
        WHERE machine = $1 AND occurred_at > $2 AND occurred_at <= $3 AND remote IS NOT NULL)";
    Ok(sqlx::query_scalar(SQL).bind(machine).bind(since).bind(until).fetch_one(db).await?)
}

/// The machine's products.
pub(super) async fn products(db: &mut PgConnection, machine: i64) -> Result<Vec<Product>> {
    const SQL: &str = "
        SELECT id, plu, name, report_name, barcode, remote_price FROM product WHERE machine = $1 ORDER BY id";
    Ok(sqlx::query_as(SQL).bind(machine).fetch_all(db).await?)
}

/// Writes down what the machine asks for products.
pub(super) async fn price(db: &mut PgConnection, prices: &[(i64, i64)], now: DateTime<Utc>) -> Result<()> {
    const SQL: &str = "
        UPDATE product SET remote_price = u.price, updated_at = $3
        FROM unnest($1::bigint[], $2::bigint[]) AS u(id, price) WHERE product.id = u.id";
    let (ids, prices): (Vec<i64>, Vec<i64>) = prices.iter().copied().unzip();
    sqlx::query(SQL).bind(ids).bind(prices).bind(now).execute(db).await?;
    Ok(())
}

/// What the machine reported itself between two reads: how many sales, and for how much.
pub(super) async fn reported(
    db: &mut PgConnection,
    machine: i64,
    since: DateTime<Utc>,
    until: DateTime<Utc>,
    currency: &str,
) -> Result<(i64, i64)> {
    const SQL: &str = "
        SELECT count(*), COALESCE(sum(price), 0)::bigint FROM revenue_transaction_ever
        WHERE machine = $1 AND occurred_at > $2 AND occurred_at <= $3 AND remote IS NOT NULL AND currency = $4";
    let sum = sqlx::query_as(SQL).bind(machine).bind(since).bind(until).bind(currency);
    Ok(sum.fetch_one(db).await?)
}

/// Which of these events are written already.
pub(super) async fn written(
    db: &mut PgConnection,
    machine: i64,
    events: &[Event],
) -> Result<HashSet<(String, DateTime<Utc>)>> {
    const SQL: &str =
        "SELECT code, occurred_at FROM machine_log_ever WHERE machine = $1 AND occurred_at = ANY($2)";
    let instants: Vec<DateTime<Utc>> = events.iter().map(|event| event.occurred_at).collect();
    let found: Vec<_> = sqlx::query_as(SQL).bind(machine).bind(instants).fetch_all(db).await?;
    Ok(found.into_iter().collect())
}

/// Which of these codes have an event that lasts.
pub(super) async fn lasting(
    db: &mut PgConnection,
    machine: i64,
    codes: &[String],
) -> Result<HashSet<String>> {
    const SQL: &str = "
        SELECT DISTINCT code FROM machine_log_ever
        WHERE machine = $1 AND code = ANY($2) AND resolved_at IS NULL AND type > 1";
    let codes: Vec<String> = sqlx::query_scalar(SQL).bind(machine).bind(codes).fetch_all(db).await?;
    Ok(codes.into_iter().collect())
}

/// Ends what audits have begun of these codes.
pub(super) async fn end(
    db: &mut PgConnection,
    machine: i64,
    codes: &[String],
    at: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<u64> {
    const END: [&str; 2] = hot_and_archived!(
        "UPDATE ",
        "machine_log",
        " SET resolved_at = GREATEST($3, occurred_at), updated_at = $4,
              duration = GREATEST(extract(epoch FROM $3::timestamptz - occurred_at)::bigint, 0)
          WHERE machine = $1 AND code = ANY($2) AND resolved_at IS NULL AND type > 1 AND remote IS NULL"
    );
    let mut ended = 0;
    for sql in END {
        let end = sqlx::query(sql).bind(machine).bind(codes).bind(at).bind(now);
        ended += end.execute(&mut *db).await?.rows_affected();
    }
    Ok(ended)
}

/// An audit of a machine while it was one of `group`'s or of a group below.
pub(super) async fn one(
    db: &PgPool,
    group: i64,
    machine: i64,
    id: i64,
) -> Result<Option<(Audit, Vec<Read>)>> {
    const AUDIT: &str = "
        SELECT id, arrived_at, status, checksum, length(file)::bigint AS bytes, summary, errors FROM audit
        WHERE id = $1 AND machine = $2
            AND user_group IN (SELECT descendant FROM user_group_tree WHERE ancestor = $3)";
    const READS: &str = "SELECT read_at, counters FROM audit_read WHERE audit = $1 ORDER BY id";
    let audit = sqlx::query_as(AUDIT).bind(id).bind(machine).bind(group).fetch_optional(db).await?;
    let Some(audit) = audit else { return Ok(None) };
    Ok(Some((audit, sqlx::query_as(READS).bind(id).fetch_all(db).await?)))
}

/// The file of such an audit.
pub(super) async fn file(db: &PgPool, group: i64, machine: i64, id: i64) -> Result<Option<Vec<u8>>> {
    const SQL: &str = "
        SELECT file FROM audit WHERE id = $1 AND machine = $2
            AND user_group IN (SELECT descendant FROM user_group_tree WHERE ancestor = $3)";
    Ok(sqlx::query_scalar(SQL).bind(id).bind(machine).bind(group).fetch_optional(db).await?)
}
