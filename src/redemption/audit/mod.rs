//! The log of what devices asked: gathered in memory, written down by the [`sheet`], never waited for, and
//! [filed](filing) when there is time.
//!
//! Redemptions are not here: the journal is their log.

pub mod filing;
mod sheet;

use crate::{
    error::postgres_is_away,
    integrations::validations,
    postgres::{Liveness, silent},
};
use chrono::{DateTime, Utc};
use sqlx::{Connection, PgPool};
use std::{
    borrow::Cow,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// Entries on one sheet at most.
const SHEET_MAX: usize = 1_000;

/// How long the first entry of a sheet waits for more. Short, because a large sheet takes a core from
/// those who vend while it is written; not nothing, because each sheet has a price of its own.
const LINGER: Duration = Duration::from_millis(5);

/// How long an entry may take until it is written down under the time at which it was asked. The log is listed
/// in the order of time, and whoever follows it passes over no entry: so a later one has its place by when it
/// is written down.
pub const LATE: Duration = Duration::from_millis(500);

/// Between two attempts to write while Postgres is away.
const PAUSE: Duration = Duration::from_millis(500);

/// Times that Postgres may refuse a sheet before it is dropped.
const ATTEMPTS_MAX: u32 = 5;

/// What a device asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Would it be good?
    Validate,
    /// Spend it (and was refused).
    Redeem,
    /// Give a lock back.
    Release,
    /// Undo a redemption.
    Rollback,
}

impl Action {
    const fn word(self) -> &'static str {
        match self {
            Self::Validate => "validate",
            Self::Redeem => "redeem",
            Self::Release => "release",
            Self::Rollback => "rollback",
        }
    }
}

/// Names a person in a machine's place, for the journal and the log: no host name has a colon. The account's number
/// alone, so that entries keep nothing of a person who is erased.
pub fn requester_of(account: i64) -> String {
    format!("{PERSON}{account}")
}

/// How the name of a person in a machine's place begins.
const PERSON: &str = "user:#";

/// One entry.
#[derive(Debug)]
pub struct Logged {
    /// Of which voucher.
    pub voucher: Uuid,
    /// What was asked.
    pub action: Action,
    /// Whether it was granted.
    pub success: bool,
    /// Which machine that is.
    pub machine: i64,
    /// Whose machine.
    pub group: i64,
    /// The device as it called itself, or the person in its place.
    pub requester: String,
    /// Where it stood.
    pub location: i64,
    /// The request's body.
    pub request: String,
    /// The answer's body.
    pub response: String,
    /// ISO 4217.
    pub currency: Box<str>,
    /// When.
    pub at: DateTime<Utc>,
    /// The same, by a clock that tells how long ago that was.
    pub since: Instant,
}

impl Logged {
    /// The device as it was called, by itself or by the person in its place.
    pub fn device_id(&self) -> Cow<'_, str> {
        #[derive(serde::Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Request {
            device_id: String,
        }
        if !self.requester.starts_with(PERSON) {
            return Cow::Borrowed(&self.requester);
        }
        let request: Option<Request> = serde_json::from_str(&self.request).ok();
        request.map_or(Cow::Borrowed(&self.requester), |request| request.device_id.into())
    }

    /// When it is written down, if that is late.
    fn written_at(&self) -> Option<DateTime<Utc>> {
        let waited = self.since.elapsed();
        (waited > LATE).then(|| self.at + waited)
    }
}

/// Where entries are handed in.
#[derive(Debug)]
pub struct Audit(mpsc::Sender<Logged>);

impl Audit {
    /// The log, and what writes it for the caller to run; that ends after `stop`, when all is written.
    pub fn new(
        db: PgPool,
        liveness: Arc<Liveness>,
        queue_max: usize,
        stop: CancellationToken,
    ) -> (Self, impl Future<Output = ()> + use<>) {
        let (sender, queue) = mpsc::channel(queue_max.max(1));
        (Self(sender), write(db, liveness, queue, stop))
    }

    /// Hands in an entry. With Postgres away for long, entries are dropped and counted.
    pub fn log(&self, entry: Logged) {
        if self.0.try_send(entry).is_err() {
            metrics::counter!("scrip_log_entries_dropped_total").increment(1);
        }
    }
}

async fn write(
    db: PgPool,
    liveness: Arc<Liveness>,
    mut queue: mpsc::Receiver<Logged>,
    stop: CancellationToken,
) {
    let mut entries = Vec::with_capacity(SHEET_MAX);
    // Numbers tell entries of one millisecond apart: those of several servers should not be alike.
    let mut first = i64::from(rand::random::<u32>());
    let mut failures = 0;
    let mut audience = validations::Audience::default();
    loop {
        let stopping = stop.is_cancelled();
        if !stopping && entries.is_empty() {
            tokio::select! {
                _ = queue.recv_many(&mut entries, 1) => tokio::time::sleep(LINGER).await,
                () = stop.cancelled() => {}
            }
        }
        while entries.len() < SHEET_MAX
            && let Ok(entry) = queue.try_recv()
        {
            entries.push(entry);
        }
        metrics::gauge!("scrip_log_queue_depth").set(queue.len() as f64);
        if entries.is_empty() {
            if stopping {
                return;
            }
            continue;
        }
        let written = liveness.unless_cut(write_down(&db, first, &entries, &mut audience)).await;
        match written.unwrap_or_else(|| Err(silent())) {
            Ok(()) => {
                first += entries.len() as i64;
                entries.clear();
                failures = 0;
            }
            Err(error) => {
                tracing::warn!(error = %error, entries = entries.len(), "the voucher log cannot be written");
                if stopping {
                    return;
                }
                // What Postgres refuses again and again must not hold up the rest.
                failures += u32::from(!postgres_is_away(&error));
                if failures > ATTEMPTS_MAX {
                    metrics::counter!("scrip_log_entries_dropped_total").increment(entries.len() as u64);
                    entries.clear();
                    failures = 0;
                }
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

/// Writes a sheet, and with it what integrations are to be told of it.
async fn write_down(
    db: &PgPool,
    first: i64,
    entries: &[Logged],
    audience: &mut validations::Audience,
) -> Result<(), sqlx::Error> {
    let mut connection = db.acquire().await?;
    if !audience.listens(&mut connection).await? {
        return sheet::write(&mut connection, first, entries).await;
    }
    let mut tx = connection.begin().await?;
    sheet::write(&mut tx, first, entries).await?;
    validations::put_aside(&mut tx, entries).await?;
    tx.commit().await
}
