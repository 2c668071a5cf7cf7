//! Shifts: the time between two counts of a location's takings.

use crate::{
    app::App,
    error::{Error, Result},
    fleet::location::Location,
    http::{Caller, Json, Unread, caller::Permission},
    idempotency::Creation,
    resource::{Resource, reach, resource, store},
};
use axum::{extract::State, http::StatusCode};
use chrono::{DateTime, Duration, Utc};
use serde::Deserialize;
use serde_json::value::RawValue;
use sqlx::{PgConnection, Postgres, QueryBuilder};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

resource! {
    /// The time between two counts of a location's takings. What happened in it belongs to it, however
    /// late it arrives.
    Shift "shift" at "/shift" in "shift";
    from "JOIN location place ON place.id = this.location";
    owner "place.user_group";
    may TransactionRead, ShiftWrite;
    reach Own;
    does READ;
    lists {
        /// Where it is.
        location: i64,
        /// The one before it there.
        previous_shift: Option<i64>,
        /// When it was closed; the one that is open was not.
        closed: Option<DateTime<Utc>>,
    }
    shows {
        /// Its first sale.
        first_transaction: Option<i64> = "(SELECT t.id FROM revenue_transaction_ever t WHERE t.location = this.location AND t.shift = this.id AND t.occurred_at >= this.opened_at AND t.occurred_at < COALESCE(this.closed, 'infinity') ORDER BY t.occurred_at, t.id LIMIT 1)",
        /// Its last sale.
        last_transaction: Option<i64> = "(SELECT t.id FROM revenue_transaction_ever t WHERE t.location = this.location AND t.shift = this.id AND t.occurred_at >= this.opened_at AND t.occurred_at < COALESCE(this.closed, 'infinity') ORDER BY t.occurred_at DESC, t.id DESC LIMIT 1)",
    }
}

/// Whoever presses within this time of another means the same as the other: a shift is not closed
/// again while the hand is still on the button.
const SAME_PRESS: Duration = Duration::seconds(1);

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(create))
}

/// Where a shift ends and the next begins.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Press {
    /// The location.
    #[schema(examples(2))]
    location: i64,
}

/// Close a location's shift and open the next
///
/// The first time, there is only one to open. Who asks while another does, or within a second of it,
/// is answered with the shift that the other has opened, and closes nothing. Sales and payments with a
/// later time, by the clock of a machine that is ahead, go to the next shift.
#[utoipa::path(post, path = "/shift", tag = "shift", operation_id = "create_shift", request_body = Press,
    responses((status = 201, description = "The shift that is open now", body = Shift)))]
async fn create(
    State(app): State<App>,
    caller: Caller,
    body: Unread<Json<Press>>,
) -> Result<(StatusCode, Json<Box<RawValue>>)> {
    let Json(Press { location }) = body.read(&app, &caller, Permission::ShiftWrite).await?;
    let seen = open_at(&app.db, location).await?.map(|open| open.id);
    let mut tx = Creation::begin(&app.db, app.clock.now()).await?;
    lock_place(&mut tx, &caller, location).await?;
    let open = open_at(&mut *tx, location).await?;
    let id = match open {
        Some(open) if is_same_press(&open, seen, app.clock.now()) => open.id,
        _ => {
            hold_machines(&mut tx, location, app.clock.now()).await?;
            turn(&mut tx, location, open.map(|open| open.id), app.clock.now()).await?
        }
    };
    let shown = store::find(&mut *tx, Shift::spec(), caller.group(), None, id).await?;
    tx.commit(StatusCode::CREATED, shown).await
}

/// A shift that is open.
#[derive(Clone, Copy, Debug, sqlx::FromRow)]
struct Open {
    id: i64,
    opened_at: DateTime<Utc>,
}

/// Whether the shift was opened by somebody who pressed together with the caller, who had `seen`
/// another one open, or none.
fn is_same_press(open: &Open, seen: Option<i64>, now: DateTime<Utc>) -> bool {
    seen != Some(open.id) || now - open.opened_at < SAME_PRESS
}

async fn open_at(db: impl sqlx::PgExecutor<'_>, location: i64) -> Result<Option<Open>> {
    const SQL: &str = "SELECT id, opened_at FROM shift WHERE location = $1 AND closed IS NULL";
    Ok(sqlx::query_as(SQL).bind(location).fetch_optional(db).await?)
}

/// One at a time, of those whose location it is.
async fn lock_place(db: &mut PgConnection, caller: &Caller, location: i64) -> Result<()> {
    let mut sql = QueryBuilder::<Postgres>::new("SELECT FROM location this WHERE id = ");
    sql.push_bind(location).push(" AND ");
    reach::writable(&mut sql, Location::spec(), caller.group());
    let found = sql.push(" FOR NO KEY UPDATE").build().fetch_optional(db).await?;
    found.map(drop).ok_or_else(|| Error::invalid("/location", "is no location of yours"))
}

/// Keeps anything from arriving meanwhile for machines that are here, or have sent for the shift what
/// is to leave it. Whoever writes for several machines locks them in this order.
async fn hold_machines(db: &mut PgConnection, location: i64, now: DateTime<Utc>) -> Result<()> {
    const SQL: [&str; 2] = [
        "INSERT INTO machine_presence (machine) SELECT id FROM machine WHERE location = $1 ORDER BY id
         ON CONFLICT DO NOTHING",
        "SELECT FROM machine_presence
         WHERE machine IN (SELECT id FROM machine WHERE location = $1
                           UNION SELECT machine FROM revenue_transaction WHERE location = $1 AND occurred_at >= $2
                           UNION SELECT machine FROM payment_transaction WHERE location = $1 AND occurred_at >= $2)
         ORDER BY machine FOR NO KEY UPDATE",
    ];
    let [make, hold] = SQL;
    sqlx::query(make).bind(location).execute(&mut *db).await?;
    sqlx::query(hold).bind(location).bind(now).execute(db).await?;
    Ok(())
}

/// Closes a shift, opens the next, and hands over what happened since by the machines' clocks.
async fn turn(db: &mut PgConnection, location: i64, closing: Option<i64>, now: DateTime<Utc>) -> Result<i64> {
    const CLOSE: &str = "UPDATE shift SET closed = $2, updated_at = $2 WHERE id = $1";
    const OPEN: &str = "
        INSERT INTO shift (location, previous_shift, opened_at, created_at, updated_at)
        VALUES ($1, $2, $3, $3, $3) RETURNING id";
    const FOLLOW: [&str; 3] = [
        "UPDATE location SET active_shift = $1 WHERE id = $2",
        "UPDATE revenue_transaction SET shift = $1, updated_at = $4
         WHERE location = $2 AND shift IS NOT DISTINCT FROM $3 AND occurred_at >= $4",
        "UPDATE payment_transaction SET shift = $1, updated_at = $4
         WHERE location = $2 AND shift IS NOT DISTINCT FROM $3 AND occurred_at >= $4",
    ];
    if let Some(closing) = closing {
        sqlx::query(CLOSE).bind(closing).bind(now).execute(&mut *db).await?;
    }
    let next: i64 =
        sqlx::query_scalar(OPEN).bind(location).bind(closing).bind(now).fetch_one(&mut *db).await?;
    let [place, sales, payments] = FOLLOW;
    sqlx::query(place).bind(next).bind(location).execute(&mut *db).await?;
    for sql in [sales, payments] {
        sqlx::query(sql).bind(next).bind(location).bind(closing).bind(now).execute(&mut *db).await?;
    }
    Ok(next)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_presses_together_with_another_closes_nothing() {
        let at = |millis| DateTime::from_timestamp_millis(millis).unwrap();
        let open = Open { id: 7, opened_at: at(5_000) };
        assert!(is_same_press(&open, Some(6), at(60_000)), "another one was open when it was pressed");
        assert!(is_same_press(&open, None, at(60_000)), "none was");
        assert!(is_same_press(&open, Some(7), at(5_999)), "the button was hit twice");
        assert!(is_same_press(&open, Some(7), at(4_000)), "by a server whose clock is behind");
        assert!(!is_same_press(&open, Some(7), at(6_000)));
    }
}
