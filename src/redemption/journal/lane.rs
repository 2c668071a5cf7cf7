//! A lane: one connection to Postgres, one batch under way, no timer. What arrives during a commit
//! goes into the next.

use super::{
    Entry, Lost, Outcome,
    apart::{is_lock_timeout, write_apart},
    batch::{self, Group},
};
use crate::{
    config::Config,
    crash,
    error::postgres_is_away,
    postgres::{self, CONNECT_WITHIN, Liveness, barrier, warnings::hearing},
    redemption::reconcile::Reservation,
};
use futures_util::future::{self, BoxFuture};
use sqlx::{Connection, Executor, PgConnection, PgPool, postgres::PgConnectOptions};
use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::{
    sync::{mpsc, oneshot},
    time::Instant,
};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// Between two attempts to connect.
const PAUSE: Duration = Duration::from_millis(200);

/// An entry is answered so long after its time at the latest: a commit that is nearly done is waited for.
pub(super) const GRACE: Duration = Duration::from_millis(500);

/// An answer to a ping that takes longer counts as none.
const PING_WITHIN: Duration = Duration::from_secs(1);

/// What a lane needs besides its queue.
#[derive(Clone, Debug)]
pub(super) struct Means {
    pub(super) options: PgConnectOptions,
    /// For entries that are written apart from the rest.
    pub(super) pool: PgPool,
    pub(super) liveness: Arc<Liveness>,
    pub(super) connected: Arc<[AtomicBool]>,
    pub(super) number: usize,
    pub(super) stop: CancellationToken,
}

/// An entry, and who waits for it.
#[derive(Debug)]
pub(super) struct Submission {
    pub(super) entry: Entry,
    pub(super) reserved: Option<Reservation>,
    pub(super) answer: oneshot::Sender<Result<Outcome, Lost>>,
    /// Nobody waits for it after this: it is not written then.
    pub(super) give_up_at: Instant,
    /// Its voucher had more in a batch than it could bear: one at a time from now on.
    pub(super) alone: bool,
}

impl Submission {
    /// It is committed; `taken_later` cents were taken by entries after it.
    pub(super) fn entered(mut self, spent: &batch::Spent, taken_later: i64) {
        if let Some(reserved) = self.reserved.take() {
            reserved.commit(|state| spent.agrees_with(state));
        }
        let voucher_value = spent.value_after(&self.entry, taken_later);
        self.answer(Ok(Outcome::Entered { voucher_value }));
    }

    pub(super) fn answer(self, outcome: Result<Outcome, Lost>) {
        if let (Some(reserved), Ok(Outcome::Refused)) = (self.reserved, outcome) {
            // Whoever waits reads the voucher again, and writes what it read to Redis.
            reserved.settled();
        }
        // A client that has hung up learns the outcome when it asks again.
        let _ = self.answer.send(outcome);
    }
}

/// One connection's share of the vouchers.
#[derive(Debug)]
pub(super) struct Lane {
    means: Means,
    queue: mpsc::Receiver<Submission>,
    waiting: VecDeque<Submission>,
    batch_max: usize,
    lock_wait_ms: u64,
    /// Known orders are looked for before a batch is written.
    look: bool,
}

impl Lane {
    pub(super) fn new(config: &Config, means: Means, queue: mpsc::Receiver<Submission>) -> Self {
        Self {
            means,
            queue,
            waiting: VecDeque::new(),
            batch_max: config.journal_batch_max.max(1),
            lock_wait_ms: config.journal_lock_wait_ms,
            look: false,
        }
    }

    /// Runs until it is told to stop and has answered what it had accepted.
    pub(super) async fn run(mut self) {
        while let Some((mut connection, mut cut)) = self.connect().await {
            self.set_connected(true);
            self.write_through(&mut connection, &mut cut).await;
            self.set_connected(false);
        }
    }

    /// Writes batch after batch, until the connection is no good any more, or nothing more will come. A
    /// batch is answered once the next is on its way, so that Postgres need not wait for that.
    async fn write_through(&mut self, connection: &mut PgConnection, cut: &mut Cut) {
        let mut committed = None;
        loop {
            self.take_queued();
            if self.waiting.is_empty() {
                if let Some(committed) = committed.take() {
                    answer(committed, &mut self.waiting);
                }
                if !self.gather(cut).await {
                    return;
                }
            }
            if self.means.liveness.is_stalled() {
                // Each batch would leave a backend behind that waits for the standby.
                self.turn_away(|_| true);
                continue;
            }
            let batch = self.form_batch();
            if !batch.is_empty() {
                committed = match self.commit(connection, cut, batch, committed.take()).await {
                    Ok(committed) => committed,
                    Err(Broken) => return,
                };
            }
        }
    }

    fn set_connected(&self, connected: bool) {
        self.means.connected[self.means.number].store(connected, Ordering::Relaxed);
    }

    /// Answers those who wait that they wait in vain.
    fn turn_away(&mut self, is_hopeless: impl Fn(&Submission) -> bool) {
        let (hopeless, others): (VecDeque<_>, _) =
            std::mem::take(&mut self.waiting).into_iter().partition(is_hopeless);
        self.waiting = others;
        for submission in hopeless {
            submission.answer(Err(Lost::NotWritten));
        }
    }

    /// Connects, however often it takes; until then nobody is kept waiting. `None` once stopped.
    async fn connect(&mut self) -> Option<(PgConnection, Cut)> {
        loop {
            // One attempt is waited for by those who have the time.
            let made_by = Instant::now() + CONNECT_WITHIN;
            self.turn_away(|submission| submission.give_up_at < made_by);
            let attempt = async {
                let cut: Cut = Box::pin(self.means.liveness.until_cut());
                let mut connection = postgres::connect(&self.means.options).await?;
                // One plan for the one statement, linear in the batch whatever the planner believes.
                let settings = format!(
                    "SET lock_timeout = {}; SET statement_timeout = 0; SET plan_cache_mode = force_generic_plan; SET jit = off; \
                     SET enable_nestloop = off; SET enable_mergejoin = off; SET enable_seqscan = off; SET enable_bitmapscan = off",
                    self.lock_wait_ms
                );
                postgres::limited(CONNECT_WITHIN, connection.execute(sqlx::AssertSqlSafe(settings))).await?;
                Ok::<_, sqlx::Error>((connection, cut))
            };
            tokio::select! {
                connected = attempt => match connected {
                    Ok(connected) => return Some(connected),
                    Err(error) => tracing::warn!(error = %error, "the journal cannot reach postgres"),
                },
                () = self.means.stop.cancelled() => return None,
            }
            self.turn_away(|_| true);
            let pause = tokio::time::sleep(PAUSE);
            tokio::pin!(pause);
            loop {
                tokio::select! {
                    () = &mut pause => break,
                    () = self.means.stop.cancelled() => return None,
                    submission = self.queue.recv() => submission?.answer(Err(Lost::NotWritten)),
                }
            }
        }
    }

    /// Waits for something to do, then takes all there is. `false` once stopped, or if the connection is given up.
    async fn gather(&mut self, cut: &mut Cut) -> bool {
        if self.waiting.is_empty() {
            let first = tokio::select! {
                biased;
                first = self.queue.recv() => first,
                () = cut => None,
                () = self.means.stop.cancelled() => None,
            };
            let Some(first) = first else { return false };
            self.waiting.push_back(first);
            // Redis admits many at once: those who are ready to submit come along with the first.
            tokio::task::yield_now().await;
        }
        self.take_queued();
        true
    }

    fn take_queued(&mut self) {
        while let Ok(submission) = self.queue.try_recv() {
            self.waiting.push_back(submission);
        }
    }

    /// The next batch: what is waiting, in order, less what has to go separately.
    fn form_batch(&mut self) -> Vec<Submission> {
        let now = Instant::now();
        let mut gathering = Gathering::default();
        let mut later = VecDeque::new();
        while let Some(submission) = self.waiting.pop_front() {
            if submission.give_up_at <= now {
                submission.answer(Err(Lost::NotWritten));
            } else if gathering.batch.len() >= self.batch_max || !gathering.takes(&submission) {
                later.push_back(submission);
            } else {
                gathering.batch.push(submission);
            }
        }
        self.waiting = later;
        metrics::gauge!("scrip_journal_queue_depth").set(self.waiting.len() as f64);
        gathering.batch
    }

    /// Writes a batch, and answers the one `before` meanwhile.
    async fn commit(
        &mut self,
        connection: &mut PgConnection,
        cut: &mut Cut,
        batch: Vec<Submission>,
        before: Option<Committed>,
    ) -> Result<Option<Committed>, Broken> {
        crash::point("journal-before-write");
        metrics::histogram!("scrip_journal_batch_size").record(batch.len() as f64);
        let answered = async {
            if let Some(before) = before {
                answer(before, &mut self.waiting);
            }
        };
        let give_up_at = batch.iter().map(|submission| submission.give_up_at).min();
        let late = tokio::time::sleep_until(give_up_at.unwrap_or_else(Instant::now) + GRACE);
        let (liveness, look) = (&self.means.liveness, &mut self.look);
        let writing = async {
            tokio::select! {
                biased;
                written = write_and_confirm(connection, &batch, look, liveness) => Some(written),
                () = cut => None,
                () = late => None,
            }
        };
        let (written, ()) = future::join(writing, answered).await;
        let Some(written) = written else {
            tracing::warn!(entries = batch.len(), "a batch was given up: postgres does not answer");
            return Err(give_up(batch));
        };
        match written {
            Ok(spent) => {
                crash::point("journal-after-commit");
                Ok(Some(Committed { batch, spent }))
            }
            Err(error) if postgres_is_away(&error) && !is_lock_timeout(&error) => {
                tracing::warn!(error = %error, entries = batch.len(), "a batch was lost with its connection");
                let broken = give_up(batch);
                if is_read_only(&error) {
                    return Err(broken);
                }
                postgres::limited(PING_WITHIN, connection.ping()).await.map(|()| None).map_err(|_| broken)
            }
            Err(error) => {
                // One of them is to blame; the others must not suffer for it.
                tracing::info!(error = %error, entries = batch.len(), "a batch is written one by one");
                metrics::counter!("scrip_journal_batches_split_total").increment(1);
                for submission in batch {
                    tokio::spawn(write_apart(self.means.clone(), submission));
                }
                Ok(None)
            }
        }
    }
}

/// A batch that is true, and waits for its answers.
struct Committed {
    batch: Vec<Submission>,
    spent: HashMap<Uuid, batch::Spent>,
}

/// The connection is no good any more.
struct Broken;

/// Done when the connection that it came with is given up.
type Cut = BoxFuture<'static, ()>;

/// Answers entries of which nobody knows whether they were written.
fn give_up(batch: Vec<Submission>) -> Broken {
    for submission in batch {
        submission.answer(Err(Lost::Unknown));
    }
    Broken
}

/// [`write`]; and where commits have to be on a standby and the wait for that was cut short, the proof that
/// this one is.
async fn write_and_confirm(
    connection: &mut PgConnection,
    batch: &[Submission],
    look: &mut bool,
    liveness: &Liveness,
) -> Result<HashMap<Uuid, batch::Spent>, sqlx::Error> {
    if !liveness.replicates() {
        return write(connection, batch, look).await;
    }
    let (written, was_cut_short) = hearing(write(connection, batch, look)).await;
    if was_cut_short {
        barrier::confirm(connection).await?;
    }
    written
}

/// Writes a batch; once more, with a look, if an order of it turns out to be known: the others must not
/// suffer for it. Repeats come in swarms, so that the next batches look at once, until all of one is entered.
async fn write(
    connection: &mut PgConnection,
    batch: &[Submission],
    look: &mut bool,
) -> Result<HashMap<Uuid, batch::Spent>, sqlx::Error> {
    let groups = groups(batch);
    let mut written = batch::write(connection, &groups, *look).await;
    if !*look && written.as_ref().is_err_and(batch::is_repeat) {
        metrics::counter!("scrip_journal_batches_repeated_total").increment(1);
        *look = true;
        written = batch::write(connection, &groups, true).await;
    }
    *look &= written.as_ref().map_or(true, |spent| spent.len() < groups.len());
    written
}

/// Answers a batch; what has to be tried again by itself is left `waiting`.
fn answer(Committed { batch, spent }: Committed, waiting: &mut VecDeque<Submission>) {
    let mut taken_later: HashMap<Uuid, i64> = HashMap::new();
    let mut members: HashMap<Uuid, usize> = HashMap::new();
    for submission in &batch {
        *taken_later.entry(submission.entry.voucher).or_default() += submission.entry.amount_off;
        *members.entry(submission.entry.voucher).or_default() += 1;
    }
    for mut submission in batch {
        let voucher = submission.entry.voucher;
        if let Some(spent) = spent.get(&voucher) {
            let rest = taken_later.entry(voucher).or_default();
            *rest -= submission.entry.amount_off;
            submission.entered(spent, *rest);
        } else if members.get(&voucher) == Some(&1) {
            // Whoever else waits for this voucher one by one has to look again as well.
            let (same, others): (VecDeque<_>, _) = std::mem::take(waiting)
                .into_iter()
                .partition(|other| other.alone && other.entry.voucher == voucher);
            *waiting = others;
            for other in same {
                other.answer(Ok(Outcome::Refused));
            }
            submission.answer(Ok(Outcome::Refused));
        } else {
            submission.alone = true;
            waiting.push_back(submission);
        }
    }
}

fn groups(batch: &[Submission]) -> BTreeMap<Uuid, Group<'_>> {
    let mut groups: BTreeMap<Uuid, Group<'_>> = BTreeMap::new();
    for submission in batch {
        groups.entry(submission.entry.voucher).or_default().entries.push(&submission.entry);
    }
    groups
}

/// Returns `true` if this is no primary (any more).
fn is_read_only(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some_and(|error| error.code().as_deref() == Some("25006"))
}

/// A batch in the making, and what may still join it.
#[derive(Default)]
struct Gathering {
    batch: Vec<Submission>,
    campaigns: HashMap<i64, i64>,
    vouchers: HashMap<Uuid, usize>,
    keys: std::collections::HashSet<Uuid>,
}

impl Gathering {
    /// Whether an entry can be written by the same statement as those gathered: the guard compares
    /// one set of terms a voucher and one version a campaign, and an order is entered once.
    fn takes(&mut self, submission: &Submission) -> bool {
        let entry = &submission.entry;
        let at = self.batch.len();
        // The guard of one that comes late has a condition more, which is for one entry alone.
        let late = entry.ended.is_some() || self.batch.first().is_some_and(|one| one.entry.ended.is_some());
        if late && at > 0 {
            return false;
        }
        if *self.campaigns.entry(entry.campaign).or_insert(entry.campaign_version) != entry.campaign_version
            || self.keys.contains(&entry.key)
        {
            return false;
        }
        let first = *self.vouchers.entry(entry.voucher).or_insert(at);
        if let Some(other) = self.batch.get(first) {
            let terms = |entry: &Entry| (entry.version, entry.limit, entry.initial, entry.period);
            if submission.alone || other.alone || terms(entry) != terms(&other.entry) {
                return false;
            }
        }
        self.keys.insert(entry.key);
        true
    }
}
