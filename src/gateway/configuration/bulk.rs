//! Sets the configuration of many machines, as a job.
//!
//! Which machines is fixed when the change is accepted: one outcome is written for each. A batch is
//! one transaction: it locks the job, takes the outcomes that are pending, changes those machines and
//! says what became of each. Whoever is killed when, every machine is changed once.

use super::{
    settings::{Change, KEY_UNFIT, Unfit},
    store,
};
use crate::{
    app::App,
    crash,
    error::{Error, Result},
    jobs::{self, Claim, Kind, Next, Ran},
    seal::Place,
    transaction,
};
use secrecy::ExposeSecret;
use serde::Serialize;
use sqlx::{PgConnection, types::Json};
use std::collections::HashMap;
use utoipa::ToSchema;

/// The kind of job that this is.
pub const KIND: Kind = Kind::ConfigureMachines;

/// What became of the change for one machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema, sqlx::Type)]
#[serde(rename_all = "lowercase")]
#[sqlx(type_name = "text", rename_all = "lowercase")]
#[schema(as = MachineConfigOutcomeState)]
pub enum Outcome {
    /// It is still to be made.
    Pending,
    /// It waits for the machine's gateway to fetch it.
    Scheduled,
    /// It does not go with what the machine has; see `details`.
    Failed,
    /// The machine was deleted, or is another group's by now.
    Gone,
}

impl Outcome {
    const fn word(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Scheduled => "scheduled",
            Self::Failed => "failed",
            Self::Gone => "gone",
        }
    }
}

/// Where a change's key is sealed.
const fn place(change: i64) -> Place {
    Place { column: "machine_config_change.encryption_key", row: change }
}

/// Accepts a change for machines that the caller may change; returns the job.
pub(super) async fn accept(
    app: &App,
    group: i64,
    account: Option<i64>,
    change: &Change,
    machines: &[i64],
) -> Result<i64> {
    const ID: &str = "SELECT draw_ids('machine_config_change', 1)";
    const CHANGE: &str = "
        INSERT INTO machine_config_change (id, user_group, settings, encryption_key, created_by, created_at)
        VALUES ($1, $2, $3, $4, $5, $6)";
    const OUTCOMES: &str = "
        INSERT INTO machine_config_outcome (change, machine, hostname)
        SELECT $1, id, hostname FROM machine WHERE id = ANY($2) ORDER BY id";
    let now = app.clock.now();
    let key = change.encryption_key.as_ref();
    let mut settings = serde_json::to_value(change).map_err(Error::fault)?;
    if matches!(key, Some(None)) {
        // That the key is to be taken away may be written down; the key may not.
        settings["encryptionKey"] = serde_json::Value::Null;
    }
    let mut transaction = transaction::begin(&app.db).await?;
    let id: i64 = sqlx::query_scalar(ID).fetch_one(&mut *transaction).await?;
    let sealed = match key {
        Some(Some(key)) => Some(app.keyring.seal(place(id), key.expose_secret())?),
        _ => None,
    };
    let insert = sqlx::query(CHANGE).bind(id).bind(group).bind(settings).bind(sealed).bind(account).bind(now);
    insert.execute(&mut *transaction).await?;
    let insert = sqlx::query(OUTCOMES).bind(id).bind(machines).execute(&mut *transaction).await?;
    let total = insert.rows_affected() as i64;
    let job = jobs::enqueue(&mut transaction, KIND, id, group, total, now).await?;
    transaction.commit().await?;
    Ok(job)
}

/// Works batch by batch until every machine has its outcome, it is another group's turn, the server stops, or the
/// job is taken away.
pub async fn run(app: &App, claim: &Claim) -> Result<Ran> {
    while !app.stop.is_cancelled() {
        match batch(app, claim).await? {
            Some(Next::Complete) => return Ok(Ran::Done),
            Some(Next::Yield) => return Ok(Ran::Yielded),
            Some(Next::More) => {}
            None => return Ok(Ran::Lost),
        }
    }
    Ok(Ran::Paused)
}

/// Forgets the key of a change that has ended.
pub async fn stop(connection: &mut PgConnection, change: i64) -> Result<()> {
    const SQL: &str = "UPDATE machine_config_change SET encryption_key = NULL WHERE id = $1";
    sqlx::query(SQL).bind(change).execute(connection).await?;
    Ok(())
}

/// Changes the next machines; `None` if the job is no longer ours.
async fn batch(app: &App, claim: &Claim) -> Result<Option<Next>> {
    const PENDING: &str = "
        SELECT machine FROM machine_config_outcome WHERE change = $1 AND state = 'pending' ORDER BY id LIMIT $2";
    let mut transaction = transaction::begin(&app.db).await?;
    let Some(done) = claim.lock(&mut transaction).await? else { return Ok(None) };
    let limit = app.config.configuration_batch.max(1) as i64;
    let pending: Vec<i64> =
        sqlx::query_scalar(PENDING).bind(claim.subject).bind(limit).fetch_all(&mut *transaction).await?;
    let outcomes = configure(app, &mut transaction, claim.subject, &pending).await?;
    settle(&mut transaction, claim.subject, &pending, &outcomes).await?;
    let done = done + pending.len() as i64;
    if done >= claim.total {
        stop(&mut transaction, claim.subject).await?;
    }
    let next = claim.advance(&mut transaction, done, app).await?;
    crash::point("configuration-before-commit");
    transaction.commit().await?;
    crash::point("configuration-after-commit");
    Ok(Some(next))
}

/// Changes those of the machines that are there and still the group's; says what became of each.
async fn configure(
    app: &App,
    connection: &mut PgConnection,
    id: i64,
    machines: &[i64],
) -> Result<HashMap<i64, Outcome>> {
    const LOCK: &str = "
        SELECT m.id FROM machine m
        WHERE m.id = ANY($2) AND m.user_group IN (
            SELECT t.descendant FROM user_group_tree t JOIN machine_config_change c ON c.user_group = t.ancestor
            WHERE c.id = $1)
        ORDER BY m.id FOR NO KEY UPDATE OF m";
    let change = read(app, connection, id).await?;
    let there: Vec<i64> =
        sqlx::query_scalar(LOCK).bind(id).bind(machines).fetch_all(&mut *connection).await?;
    let mut outcomes = HashMap::new();
    let mut changed = Vec::new();
    for mut stored in store::read_many(&mut *connection, &there).await? {
        let outcome = match stored.change(&change, app) {
            Ok(()) => Outcome::Scheduled,
            Err(Unfit::Key) => Outcome::Failed,
            Err(Unfit::Fault(error)) => return Err(error),
        };
        outcomes.insert(stored.machine, outcome);
        if outcome == Outcome::Scheduled {
            changed.push(stored);
        }
    }
    store::save(connection, &changed, app.clock.now()).await?;
    Ok(outcomes)
}

async fn read(app: &App, connection: &mut PgConnection, id: i64) -> Result<Change> {
    const SQL: &str = "SELECT settings, encryption_key FROM machine_config_change WHERE id = $1";
    let (Json(mut settings), sealed): (Json<serde_json::Map<String, serde_json::Value>>, Option<Vec<u8>>) =
        sqlx::query_as(SQL).bind(id).fetch_one(connection).await?;
    let takes_away = settings.remove("encryptionKey").is_some();
    let mut change: Change =
        serde_json::from_value(serde_json::Value::Object(settings)).map_err(Error::fault)?;
    change.encryption_key = match sealed {
        Some(sealed) => {
            let key = app.keyring.open(place(id), &sealed);
            Some(Some(key.ok_or_else(|| Error::fault("the key of the change was sealed with another key"))?))
        }
        None => takes_away.then_some(None),
    };
    Ok(change)
}

/// Writes down what became of each machine.
async fn settle(
    connection: &mut PgConnection,
    id: i64,
    machines: &[i64],
    outcomes: &HashMap<i64, Outcome>,
) -> Result<()> {
    const SQL: &str = "
        UPDATE machine_config_outcome o SET state = n.state, details = n.details
        FROM unnest($2::bigint[], $3::text[], $4::text[]) n (machine, state, details)
        WHERE o.change = $1 AND o.machine = n.machine";
    let states: Vec<_> =
        machines.iter().map(|machine| outcomes.get(machine).copied().unwrap_or(Outcome::Gone)).collect();
    let details = |outcome: &Outcome| match outcome {
        Outcome::Failed => Some(format!("the key of the wireless network {KEY_UNFIT}")),
        Outcome::Gone => Some("the machine is no longer there".to_owned()),
        Outcome::Pending | Outcome::Scheduled => None,
    };
    let details: Vec<_> = states.iter().map(details).collect();
    let words: Vec<_> = states.iter().map(|outcome| outcome.word()).collect();
    sqlx::query(SQL).bind(id).bind(machines).bind(words).bind(details).execute(connection).await?;
    Ok(())
}
