//! The log of what devices asked: gathered in memory, written in batches by COPY, never waited for.
//!
//! Redemptions are not here: the journal is their log.

use crate::{error::postgres_is_away, integrations::validations};
use chrono::{DateTime, SecondsFormat, Utc};
use sqlx::{Connection, PgConnection, PgPool};
use std::{fmt::Write, time::Duration};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// Entries in one COPY at most.
const BATCH_MAX: usize = 2_000;

/// How long the first entry of a batch waits for more. Short, because a large batch takes a core from
/// those who vend while it is written; not nothing, because each batch has a price of its own.
const LINGER: Duration = Duration::from_millis(5);

/// Between two attempts to write while Postgres is away.
const PAUSE: Duration = Duration::from_millis(500);

/// Times that Postgres may refuse a batch before it is dropped.
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
    /// The device as it called itself.
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
}

/// Where entries are handed in.
#[derive(Debug)]
pub struct Audit(mpsc::Sender<Logged>);

impl Audit {
    /// The log, and what writes it for the caller to run; that ends after `stop`, when all is written.
    pub fn new(
        db: PgPool,
        queue_max: usize,
        stop: CancellationToken,
    ) -> (Self, impl Future<Output = ()> + use<>) {
        let (sender, queue) = mpsc::channel(queue_max.max(1));
        (Self(sender), write(db, queue, stop))
    }

    /// Hands in an entry. With Postgres away for long, entries are dropped and counted.
    pub fn log(&self, entry: Logged) {
        if self.0.try_send(entry).is_err() {
            metrics::counter!("scrip_log_entries_dropped_total").increment(1);
        }
    }
}

async fn write(db: PgPool, mut queue: mpsc::Receiver<Logged>, stop: CancellationToken) {
    let mut batch = Vec::with_capacity(BATCH_MAX);
    let mut failures = 0;
    let mut audience = validations::Audience::default();
    loop {
        let stopping = stop.is_cancelled();
        if !stopping && batch.is_empty() {
            tokio::select! {
                _ = queue.recv_many(&mut batch, 1) => tokio::time::sleep(LINGER).await,
                () = stop.cancelled() => {}
            }
        }
        while batch.len() < BATCH_MAX
            && let Ok(entry) = queue.try_recv()
        {
            batch.push(entry);
        }
        metrics::gauge!("scrip_log_queue_depth").set(queue.len() as f64);
        if batch.is_empty() {
            if stopping {
                return;
            }
            continue;
        }
        match write_down(&db, &batch, &mut audience).await {
            Ok(()) => {
                batch.clear();
                failures = 0;
            }
            Err(error) => {
                tracing::warn!(error = %error, entries = batch.len(), "the voucher log cannot be written");
                if stopping {
                    return;
                }
                // What Postgres refuses again and again must not hold up the rest.
                failures += u32::from(!postgres_is_away(&error));
                if failures > ATTEMPTS_MAX {
                    metrics::counter!("scrip_log_entries_dropped_total").increment(batch.len() as u64);
                    batch.clear();
                    failures = 0;
                }
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

/// Writes a batch, and with it what integrations are to be told of it.
async fn write_down(
    db: &PgPool,
    batch: &[Logged],
    audience: &mut validations::Audience,
) -> Result<(), sqlx::Error> {
    let mut connection = db.acquire().await?;
    if !audience.listens(&mut connection).await? {
        return copy(&mut connection, batch).await;
    }
    let mut tx = connection.begin().await?;
    copy(&mut tx, batch).await?;
    validations::put_aside(&mut tx, batch).await?;
    tx.commit().await
}

async fn copy(connection: &mut PgConnection, batch: &[Logged]) -> Result<(), sqlx::Error> {
    let mut text = String::with_capacity(batch.len() * 400);
    for entry in batch {
        let _ = write!(text, "{}\t{}\t{}\t", entry.voucher, entry.action.word(), entry.success);
        escape(&mut text, &entry.requester);
        let _ = write!(text, "\t{}\t", entry.location);
        escape(&mut text, &entry.request);
        text.push('\t');
        escape(&mut text, &entry.response);
        text.push('\t');
        escape(&mut text, &entry.currency);
        let _ = writeln!(text, "\t{}", entry.at.to_rfc3339_opts(SecondsFormat::Millis, true));
    }
    let mut copy = connection
        .copy_in_raw(
            "COPY voucher_log (voucher, action, success, requester, location, request, response, currency, created_at) \
             FROM STDIN",
        )
        .await?;
    copy.send(text.into_bytes()).await?;
    copy.finish().await?;
    Ok(())
}

/// As the text format of COPY wants it.
fn escape(text: &mut String, value: &str) {
    for c in value.chars() {
        match c {
            '\\' => text.push_str("\\\\"),
            '\t' => text.push_str("\\t"),
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            '\0' => {}
            c => text.push(c),
        }
    }
}
