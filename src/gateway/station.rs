//! The machine that a request is about, and its gateway's signs of life.

use crate::{
    app::App,
    error::{Error, Result},
    fleet::device_id::{self, DeviceId, Scope},
    http::{Caller, caller::Permission},
    telemetry::sender::Sender,
    transaction,
};
use chrono::{DateTime, Duration, Utc};
use sqlx::PgPool;

/// A gateway that calls more often than this is written down as seen once.
const SEEN_EVERY: Duration = Duration::seconds(5);

/// Finds the machine of this host name or gateway's number, if the caller may know of it. Look-ups that fail
/// are budgeted.
pub(crate) async fn named(app: &App, caller: &Caller, device_id: &str) -> Result<i64> {
    let id = DeviceId::parse(device_id).ok_or(Error::NotFound("machine"))?;
    if let Some(machine) = device_id::machine(&app.db, Scope::of(caller), id).await? {
        return Ok(machine);
    }
    if caller.machine().is_some() {
        return Err(device_id::other_machine());
    }
    app.guesses.unknown_device(caller.grant.who, &app.hot, app.clock.now()).await?;
    Err(Error::NotFound("machine"))
}

/// Whether there is a machine of this id that the caller may change.
pub(super) async fn is_in_reach(app: &App, caller: &Caller, machine: i64) -> Result<bool> {
    const SQL: &str = "
        SELECT EXISTS (SELECT FROM machine WHERE id = $1
            AND user_group IN (SELECT descendant FROM user_group_tree WHERE ancestor = $2))";
    let found = sqlx::query_scalar(SQL).bind(machine).bind(caller.group()).fetch_one(&app.db).await?;
    if found {
        bound(caller, machine)?;
    }
    Ok(found)
}

/// A key that is bound to one machine speaks for that machine alone.
pub(super) fn bound(caller: &Caller, machine: i64) -> Result<()> {
    if caller.machine().is_some_and(|own| own != machine) {
        return Err(device_id::other_machine());
    }
    Ok(())
}

/// Refuses a caller who is bound to one machine, where many are meant.
pub(super) fn unbound(caller: &Caller) -> Result<()> {
    if caller.machine().is_some() {
        return Err(Error::Forbidden("this key speaks for one machine alone".into()));
    }
    Ok(())
}

/// Whether it is a gateway that calls, and not a person who looks.
pub(super) fn is_gateway(caller: &Caller) -> bool {
    caller.account().is_none() && caller.grant.allows(Permission::GatewayUse)
}

/// Writes down that a machine's gateway called. Gateways call all the time, so the row is touched now
/// and then only: and at once where the machine was offline, which ends with this.
pub(super) async fn seen(db: &PgPool, machine: i64, now: DateTime<Utc>) -> Result<()> {
    const SQL: &str = "
        INSERT INTO machine_presence (machine, seen_at) SELECT id, $2 FROM machine WHERE id = $1
        ON CONFLICT (machine) DO UPDATE SET seen_at = GREATEST(machine_presence.seen_at, excluded.seen_at)
        WHERE machine_presence.seen_at IS NULL OR machine_presence.seen_at < $3
            OR machine_presence.offline_since IS NOT NULL
        RETURNING offline_since IS NOT NULL";
    let touched = sqlx::query_scalar(SQL).bind(machine).bind(now).bind(now - SEEN_EVERY);
    if touched.fetch_optional(db).await? == Some(true) {
        let mut tx = transaction::begin(db).await?;
        Sender::lock(&mut tx, machine, now).await?;
        tx.commit().await?;
    }
    Ok(())
}
