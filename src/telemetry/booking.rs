//! Vouchers as payments: what redemptions leave behind is booked as payments of the method `code`.
//!
//! A redemption writes one row to a table without an index, in its own transaction; that costs it
//! least. Here these rows are taken from there to the payments, in one transaction a batch: a server
//! that dies in between has moved all of it or nothing.

use crate::{app::App, crash, error::Result, fleet::payments::PaymentMethod, lull::Lull, transaction};
use chrono::{DateTime, Utc};
use sqlx::{PgConnection, prelude::FromRow};
use uuid::Uuid;

/// Payments in one transaction at most: few, so that nobody who vends waits long for a core.
const BATCH_MAX: i64 = 500;

/// A payment as its redemption left it.
#[derive(FromRow)]
struct Left {
    id: i64,
    machine: i64,
    location: i64,
    price: i64,
    quantity: i16,
    currency: String,
    redemption: Uuid,
    occurred_at: DateTime<Utc>,
}

/// Books payments until the server stops, at quiet moments where there are some; of several servers, one at
/// a time.
pub async fn keep(app: App) {
    let mut lull = Lull::new();
    while lull.came(&app).await {
        match book(&app).await {
            Ok(booked) if booked == BATCH_MAX as u64 => {}
            Ok(_) => lull.nothing_left(),
            Err(error) => {
                tracing::warn!(error = %error, "payments are booked later");
                lull.nothing_left();
            }
        }
    }
}

/// Books one batch; says how many payments it was. It is none where another server is at it.
pub async fn book(app: &App) -> Result<u64> {
    const ANY: &str = "SELECT EXISTS (SELECT FROM voucher_payment)";
    const TAKE: &str = "
        DELETE FROM voucher_payment WHERE ctid = ANY (ARRAY(SELECT ctid FROM voucher_payment LIMIT $1))
        RETURNING id, machine, location, price, quantity, currency, redemption, occurred_at";
    if !sqlx::query_scalar(ANY).fetch_one(&app.db).await? {
        return Ok(0);
    }
    let mut tx = transaction::begin(&app.db).await?;
    if !alone(&mut tx).await? {
        return Ok(0);
    }
    let mut left: Vec<Left> = sqlx::query_as(TAKE).bind(BATCH_MAX).fetch_all(&mut *tx).await?;
    left.sort_by_key(|payment| (payment.machine, payment.occurred_at, payment.id));
    crash::point("booking-before-write");
    write(&mut tx, &left, app.clock.now()).await?;
    tx.commit().await?;
    Ok(left.len() as u64)
}

/// Whether nobody else books, or counts what was booked, until this transaction ends.
async fn alone(db: &mut PgConnection) -> Result<bool> {
    Ok(sqlx::query_scalar("SELECT pg_try_advisory_xact_lock(hashtext('booking'))").fetch_one(db).await?)
}

/// Keeps everyone from booking until this transaction ends.
pub(super) async fn halt(db: &mut PgConnection) -> Result<()> {
    sqlx::query("SELECT pg_advisory_xact_lock(hashtext('booking'))").execute(db).await?;
    Ok(())
}

/// Writes them to the payments of their machines, in the order of the machines as everyone locks them.
/// A machine may be gone by now: then they are the location's.
async fn write(db: &mut PgConnection, left: &[Left], now: DateTime<Utc>) -> Result<()> {
    const PRESENCE: &str = "
        INSERT INTO machine_presence (machine) SELECT id FROM machine WHERE id = ANY($1) ORDER BY id
        ON CONFLICT DO NOTHING";
    const LOCK: &str = "
        SELECT machine FROM machine_presence WHERE machine = ANY($1) ORDER BY machine FOR NO KEY UPDATE";
    const INSERT: &str = "
        INSERT INTO payment_transaction (redemption, machine, location, user_group, shift, occurred_at, time_zone,
            method, type, price, quantity, currency, exclude, created_at, updated_at)
        SELECT v.redemption, v.machine, v.location,
            COALESCE(m.user_group, l.user_group, (SELECT min(id) FROM user_group)),
            (SELECT s.id FROM shift s
             WHERE s.location = v.location AND s.opened_at <= v.occurred_at
                AND (s.closed IS NULL OR v.occurred_at < s.closed)
             ORDER BY s.opened_at DESC LIMIT 1),
            v.occurred_at, COALESCE(l.time_zone, 'UTC'), $1, shown.type, v.price, v.quantity, v.currency, shown.type = 'test', $2, $2
        FROM unnest($4::uuid[], $5::bigint[], $6::bigint[], $7::timestamptz[], $8::bigint[], $9::smallint[],
                $10::text[])
            WITH ORDINALITY AS v(redemption, machine, location, occurred_at, price, quantity, currency, place)
            LEFT JOIN machine m ON m.id = v.machine
            LEFT JOIN transaction_profile t ON t.id = m.transaction_profile
            LEFT JOIN location l ON l.id = v.location,
            LATERAL (SELECT COALESCE(t.payment_types_map ->> $1, $3) AS type) AS shown
        ORDER BY v.place";
    let mut machines: Vec<i64> = left.iter().map(|payment| payment.machine).collect();
    machines.dedup();
    sqlx::query(PRESENCE).bind(&machines).execute(&mut *db).await?;
    sqlx::query(LOCK).bind(&machines).execute(&mut *db).await?;
    let method = PaymentMethod::Code;
    sqlx::query(INSERT)
        .bind(method.word())
        .bind(now)
        .bind(method.usual_type().word())
        .bind(left.iter().map(|payment| payment.redemption).collect::<Vec<_>>())
        .bind(left.iter().map(|payment| payment.machine).collect::<Vec<_>>())
        .bind(left.iter().map(|payment| payment.location).collect::<Vec<_>>())
        .bind(left.iter().map(|payment| payment.occurred_at).collect::<Vec<_>>())
        .bind(left.iter().map(|payment| payment.price).collect::<Vec<_>>())
        .bind(left.iter().map(|payment| payment.quantity).collect::<Vec<_>>())
        .bind(left.iter().map(|payment| &*payment.currency).collect::<Vec<_>>())
        .execute(db)
        .await?;
    Ok(())
}
