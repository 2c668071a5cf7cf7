//! The journal in Postgres: the only place where redemptions become true.
//!
//! Verbs hand an [`Entry`] to a [`Journal`]; a lane gathers what arrives while its last commit is
//! under way and writes all of it in one guarded statement ([`batch.sql`](batch)). The guard trusts
//! nobody: it compares versions of terms, limit, balance, lock and idempotency key once more.

mod apart;
mod batch;
mod lane;
pub mod locks;
pub mod rollback;
pub mod truth;

use super::{audit::LATE, code::Code, reconcile::Reservation};
use crate::{config::Config, postgres::Liveness};
use chrono::{DateTime, Utc};
use lane::{Lane, Means, Submission};
use sha2::{Digest, Sha256};
use sqlx::{PgPool, postgres::PgConnectOptions};
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};
use tokio::{
    sync::{mpsc, oneshot},
    time::{Duration, Instant},
};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// A redemption to be entered.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Idempotency key, and id in the journal: see [`idempotency_key`].
    pub key: Uuid,
    /// What was asked: see [`fingerprint`].
    pub fingerprint: Uuid,
    /// Of which voucher.
    pub voucher: Uuid,
    /// Version of the facts that it was admitted by.
    pub version: i64,
    /// Of which campaign.
    pub campaign: i64,
    /// Version of the campaign that it was admitted by.
    pub campaign_version: i64,
    /// What the campaign's vouchers are.
    pub campaign_type: &'static str,
    /// Which machine.
    pub machine: i64,
    /// Where it stood.
    pub location: i64,
    /// The device as it called itself.
    pub requester: String,
    /// The client's id of the order.
    pub order_id: String,
    /// What the purchase costs, in cents.
    pub order_amount: i64,
    /// What the voucher pays of it, in cents.
    pub amount_off: i64,
    /// A discount's value, in cents.
    pub value: i64,
    /// Redemptions in a period.
    pub limit: Option<i64>,
    /// A gift's balance at the start of a period; `None` for a discount.
    pub initial: Option<i64>,
    /// The last reset by the voucher's terms.
    pub period: DateTime<Utc>,
    /// The end of the voucher's span, where a lock carries the redemption past it: it is the only one then.
    pub ended: Option<DateTime<Utc>>,
    /// ISO 4217.
    pub currency: Box<str>,
    /// The request as it came.
    pub request: String,
    /// When it was asked.
    pub now: DateTime<Utc>,
    /// The same, by a clock that tells how long ago that was.
    pub since: Instant,
}

impl Entry {
    /// The time that it is entered under: when it was asked, or when it is written, where that is late (see
    /// [`LATE`]).
    fn entered_at(&self) -> DateTime<Utc> {
        let waited = self.since.elapsed();
        if waited > LATE { self.now + waited } else { self.now }
    }
}

/// What became of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Committed.
    Entered {
        /// A discount's value; a gift's balance after it.
        voucher_value: i64,
    },
    /// The guard says no: something is not as it was when the entry was admitted.
    Refused,
}

/// Why an entry's outcome is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lost {
    /// It was not written and will not be.
    NotWritten,
    /// The connection broke while it was being written: it may be committed, or not.
    Unknown,
}

/// The handle that verbs submit to.
#[derive(Debug)]
pub struct Journal {
    lanes: Vec<mpsc::Sender<Submission>>,
    connected: Arc<[AtomicBool]>,
    deadline: Duration,
    liveness: Arc<Liveness>,
}

impl Journal {
    /// The journal, and its lanes for the caller to run: each ends when `stop` is cancelled and
    /// what it had accepted is answered.
    pub fn new(
        config: &Config,
        options: &PgConnectOptions,
        pool: &PgPool,
        liveness: &Arc<Liveness>,
        stop: &CancellationToken,
    ) -> (Self, Vec<impl Future<Output = ()> + use<>>) {
        let lanes = config.journal_lanes.max(1);
        let connected: Arc<[AtomicBool]> = (0..lanes).map(|_| AtomicBool::new(false)).collect();
        let (senders, running) = (0..lanes)
            .map(|number| {
                let (sender, queue) = mpsc::channel(config.journal_queue_max.max(1));
                let means = Means {
                    options: options.clone(),
                    pool: pool.clone(),
                    liveness: Arc::clone(liveness),
                    connected: Arc::clone(&connected),
                    number,
                    stop: stop.clone(),
                };
                (sender, Lane::new(config, means, queue).run())
            })
            .unzip();
        let deadline = Duration::from_millis(config.redeem_deadline_ms);
        (Self { lanes: senders, connected, deadline, liveness: Arc::clone(liveness) }, running)
    }

    /// Whether an entry for this voucher has a chance to be written.
    pub fn is_up(&self, voucher: Uuid) -> bool {
        self.connected[self.lane(voucher)].load(Ordering::Relaxed) && !self.liveness.is_stalled()
    }

    /// Whether every lane has its connection.
    pub fn is_ready(&self) -> bool {
        self.connected.iter().all(|connected| connected.load(Ordering::Relaxed))
    }

    fn lane(&self, voucher: Uuid) -> usize {
        // The tail of a v7 id is random.
        (voucher.as_u64_pair().1 % self.lanes.len() as u64) as usize
    }

    /// Enters a redemption; returns when it is committed, refused, or known to be lost. Its reservation
    /// in Redis is settled with it, also where nobody waits for the answer any more.
    pub async fn submit(&self, entry: Entry, reserved: Option<Reservation>) -> Result<Outcome, Lost> {
        let lane = self.lane(entry.voucher);
        let (answer, outcome) = oneshot::channel();
        let give_up_at = Instant::now() + self.deadline;
        let submission = Submission { entry, reserved, answer, give_up_at, alone: false };
        // A full queue is overload: better a quick "try again" than a late answer.
        self.lanes[lane].try_send(submission).map_err(|_| {
            metrics::counter!("scrip_journal_rejected_total").increment(1);
            Lost::NotWritten
        })?;
        outcome.await.unwrap_or(Err(Lost::Unknown))
    }
}

/// 128 bits of SHA-256 over parts of which none contains a NUL.
fn digest<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> [u8; 16] {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part);
        hash.update([0]);
    }
    let (mut half, whole) = ([0; 16], hash.finalize());
    half.copy_from_slice(&whole[..16]);
    half
}

/// Bytes of an idempotency key that are of the code alone; `first_redemption` in Postgres counts on them.
const OF_CODE: usize = 4;

/// The key under which a redemption is known for ever: the voucher's code in whatever spelling, machine and
/// the client's order id; `generated` is said of the voucher. All of a voucher's keys start alike, so that
/// they are found together.
pub fn idempotency_key(code: &Code, generated: bool, machine: i64, order_id: &str) -> Uuid {
    let identity = code.identity(generated).as_bytes();
    let order = digest([identity, machine.to_string().as_bytes(), order_id.as_bytes()]);
    let mut key = digest([code.key().as_bytes()]);
    key[OF_CODE..].copy_from_slice(&order[..16 - OF_CODE]);
    Uuid::from_bytes(key)
}

/// Every key that an order can be known under where it is open which voucher its code means, or whether
/// that is still there.
pub fn idempotency_keys(code: &Code, machine: i64, order_id: &str) -> [Uuid; 2] {
    [false, true].map(|generated| idempotency_key(code, generated, machine, order_id))
}

/// What an order asks for, so that a repeat can be told from another order under the same id.
pub fn fingerprint<'a>(
    order_amount: i64,
    demand: Option<i64>,
    items: impl IntoIterator<Item = (&'a str, i64, i64)>,
) -> Uuid {
    let amounts = format!("{order_amount} {demand:?}");
    let items: Vec<String> =
        items.into_iter().map(|(product, quantity, price)| format!("{quantity} {price} {product}")).collect();
    Uuid::from_bytes(digest(std::iter::once(amounts.as_bytes()).chain(items.iter().map(String::as_bytes))))
}
