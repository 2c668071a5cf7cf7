//! Machines' configurations in Postgres.
//!
//! Whoever changes one locks the machine's row first and reads in a statement of its own afterwards:
//! a row that is joined to a locked one would be as old as the statement that waited for the lock.

use super::{
    settings::{Change, FLAT, Settings, Unfit},
    standing::{NeverWas, Standing, Verdict},
};
use crate::{
    app::App,
    error::{Error, Result},
    fleet::machine::ConfigState,
    http::list::{Column, Ids, Kind, Listing},
    seal::Place,
    transaction,
};
use chrono::{DateTime, Utc};
use sqlx::{PgConnection, PgExecutor};

const NOT_FOUND: Error = Error::NotFound("machine");

/// A machine's configuration, or that it has none yet.
#[derive(Clone, Debug, sqlx::FromRow)]
pub(super) struct Stored {
    /// The machine.
    pub(super) machine: i64,
    /// Its name.
    pub(super) name: String,
    /// How far it is on its way.
    #[sqlx(flatten)]
    pub(super) standing: Standing,
    /// Its kind.
    #[sqlx(flatten)]
    pub(super) settings: Settings,
    /// What the gateway said of the version that it last reported on.
    pub(super) details: Option<String>,
    /// What the gateway says that its configuration is.
    pub(super) reported: Option<String>,
    /// When it said so.
    pub(super) reported_at: Option<DateTime<Utc>>,
    /// When it last fetched something new.
    pub(super) sent_at: Option<DateTime<Utc>>,
    /// When it was last changed.
    pub(super) updated_at: Option<DateTime<Utc>>,
}

impl Stored {
    /// Where its key is sealed.
    pub(super) const fn place(&self) -> Place {
        Place { column: "machine_config.encryption_key", row: self.machine }
    }

    /// Carries out a change, as a new version.
    pub(super) fn change(&mut self, change: &Change, app: &App) -> Result<(), Unfit> {
        let place = self.place();
        change.apply(&mut self.settings, place, &app.keyring)?;
        self.standing.change();
        Ok(())
    }
}

/// The columns of [`Stored`]; a macro, so that constant statements can be put together from it.
macro_rules! columns {
    () => {
        "m.id AS machine, m.name, COALESCE(c.version, 0) AS version, COALESCE(c.sent, 0) AS sent,
         COALESCE(c.applied, 0) AS applied, COALESCE(c.failed, 0) AS failed, c.config, c.mode, c.ssid,
         c.encryption, c.encryption_key, c.apn, c.sharing, c.details, c.reported, c.reported_at, c.sent_at,
         c.updated_at"
    };
}

/// The tables that they are read from: machines without a configuration are among them.
macro_rules! from {
    () => {
        "machine m LEFT JOIN machine_config c ON c.machine = m.id"
    };
}

/// The configurations of machines as [`Stored`], and what they can be filtered and sorted by.
pub(super) static CONFIGURATIONS: Listing = Listing {
    select: concat!("m.id, ", columns!()),
    from: from!(),
    ids: Ids::Sequence("machine"),
    order: None,
    columns: &[
        Column::new("id", "m.id", Kind::Int),
        Column::new("name", "m.name", Kind::Text),
        Column::new("state", "m.config_state", Kind::Word(&["scheduled", "sent", "applied", "failed"])),
    ],
};

/// The configurations of machines, as they are now.
pub(super) async fn read_many(db: impl PgExecutor<'_>, machines: &[i64]) -> Result<Vec<Stored>> {
    const SQL: &str =
        concat!("SELECT ", columns!(), " FROM ", from!(), " WHERE m.id = ANY($1) ORDER BY m.id");
    Ok(sqlx::query_as(SQL).bind(machines).fetch_all(db).await?)
}

/// The configuration of a machine, as it is now.
pub(super) async fn read(db: impl PgExecutor<'_>, machine: i64) -> Result<Stored> {
    read_many(db, &[machine]).await?.pop().ok_or(NOT_FOUND)
}

/// The same, locked for the caller's transaction.
async fn lock(connection: &mut PgConnection, machine: i64) -> Result<Stored> {
    const SQL: &str = "SELECT FROM machine WHERE id = $1 FOR NO KEY UPDATE";
    sqlx::query(SQL).bind(machine).execute(&mut *connection).await?;
    read(connection, machine).await
}

/// Writes down configurations whose machines the caller has locked.
pub(super) async fn save(connection: &mut PgConnection, all: &[Stored], now: DateTime<Utc>) -> Result<()> {
    const CONFIG: &str = "
        INSERT INTO machine_config (machine, version, sent, applied, failed, config, mode, ssid, encryption,
            encryption_key, apn, sharing, details, reported, reported_at, sent_at, created_at, updated_at)
        SELECT *, $17, $17 FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[],
            $6::text[], $7::text[], $8::text[], $9::text[], $10::bytea[], $11::text[], $12::text[], $13::text[],
            $14::text[], $15::timestamptz[], $16::timestamptz[])
        ON CONFLICT (machine) DO UPDATE SET version = excluded.version, sent = excluded.sent,
            applied = excluded.applied, failed = excluded.failed, config = excluded.config, mode = excluded.mode,
            ssid = excluded.ssid, encryption = excluded.encryption, encryption_key = excluded.encryption_key,
            apn = excluded.apn, sharing = excluded.sharing, details = excluded.details,
            reported = excluded.reported, reported_at = excluded.reported_at, sent_at = excluded.sent_at,
            updated_at = CASE WHEN excluded.version > machine_config.version THEN excluded.updated_at
                ELSE machine_config.updated_at END";
    const STATE: &str = "
        UPDATE machine m SET config_state = n.state FROM unnest($1::bigint[], $2::text[]) n (machine, state)
        WHERE m.id = n.machine AND m.config_state IS DISTINCT FROM n.state";
    fn each<'a, T>(all: &'a [Stored], part: impl Fn(&'a Stored) -> T) -> Vec<T> {
        all.iter().map(part).collect()
    }
    let machines = each(all, |it| it.machine);
    sqlx::query(CONFIG)
        .bind(&machines)
        .bind(each(all, |it| it.standing.version))
        .bind(each(all, |it| it.standing.sent))
        .bind(each(all, |it| it.standing.applied))
        .bind(each(all, |it| it.standing.failed))
        .bind(each(all, |it| it.settings.config.as_deref()))
        .bind(each(all, |it| it.settings.mode.as_deref()))
        .bind(each(all, |it| it.settings.ssid.as_deref()))
        .bind(each(all, |it| it.settings.encryption.as_deref()))
        .bind(each(all, |it| it.settings.encryption_key.as_deref()))
        .bind(each(all, |it| it.settings.apn.as_deref()))
        .bind(each(all, |it| it.settings.sharing.as_deref()))
        .bind(each(all, |it| it.details.as_deref()))
        .bind(each(all, |it| it.reported.as_deref()))
        .bind(each(all, |it| it.reported_at))
        .bind(each(all, |it| it.sent_at))
        .bind(now)
        .execute(&mut *connection)
        .await?;
    let states = each(all, |it| it.standing.state().map(ConfigState::word));
    sqlx::query(STATE).bind(&machines).bind(states).execute(connection).await?;
    Ok(())
}

/// Wants something else of a machine.
pub(super) async fn change(app: &App, machine: i64, change: &Change) -> Result<()> {
    let mut transaction = transaction::begin(&app.db).await?;
    let mut stored = lock(&mut transaction, machine).await?;
    stored.change(change, app).map_err(|unfit| unfit.at(FLAT))?;
    save(&mut transaction, &[stored], app.clock.now()).await?;
    transaction.commit().await?;
    Ok(())
}

/// What a machine's gateway is to go by, handed out to it.
pub(super) async fn hand_out(app: &App, machine: i64) -> Result<Stored> {
    let stored = read(&app.db, machine).await?;
    // Nearly every fetch finds nothing new, and then there is nothing to write.
    let mut standing = stored.standing;
    if !standing.fetch() {
        return Ok(stored);
    }
    let now = app.clock.now();
    let mut transaction = transaction::begin(&app.db).await?;
    let mut stored = lock(&mut transaction, machine).await?;
    if stored.standing.fetch() {
        stored.sent_at = Some(now);
    }
    save(&mut transaction, std::slice::from_ref(&stored), now).await?;
    transaction.commit().await?;
    Ok(stored)
}

/// Takes down what became of a version.
pub(super) async fn report(
    app: &App,
    machine: i64,
    version: i64,
    verdict: Verdict,
    details: Option<String>,
) -> Result<()> {
    let mut transaction = transaction::begin(&app.db).await?;
    let mut stored = lock(&mut transaction, machine).await?;
    let in_force = stored
        .standing
        .report(version, verdict)
        .map_err(|NeverWas| Error::invalid("/version", "is not a version that there was"))?;
    if in_force {
        stored.details = details;
    }
    save(&mut transaction, &[stored], app.clock.now()).await?;
    transaction.commit().await?;
    Ok(())
}

/// Takes down what a gateway goes by of its own accord.
pub(super) async fn adopt(app: &App, machine: i64, config: String) -> Result<()> {
    let now = app.clock.now();
    let mut transaction = transaction::begin(&app.db).await?;
    let mut stored = lock(&mut transaction, machine).await?;
    let is_news = stored.settings.config.as_ref() != Some(&config);
    if is_news && stored.standing.adopt() {
        stored.settings.config = Some(config.clone());
        stored.details = None;
    }
    stored.reported = Some(config);
    stored.reported_at = Some(now);
    save(&mut transaction, &[stored], now).await?;
    transaction.commit().await?;
    Ok(())
}
