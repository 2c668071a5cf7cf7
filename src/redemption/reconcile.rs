//! Puts right in Redis what a fault left there: one way for everything, "read it from Postgres, write
//! it to Redis".

use super::{find, hot::Mark, voucher::State};
use crate::{app::App, crash};
use std::{
    collections::HashSet,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::sync::mpsc;

/// Codes waiting to be put right at most; beyond that everything in Redis is declared worthless.
const QUEUE_MAX: usize = 50_000;

/// Codes put right in one go.
const BATCH_MAX: usize = 1_024;

/// Between two goes. Putting a code right disturbs redemptions of it that are under way, whose code
/// is then handed in again: so that it is, once they are over, and not once for each of them.
const LINGER: Duration = Duration::from_millis(50);

/// Between two attempts while a store is away.
const PAUSE: Duration = Duration::from_millis(250);

/// Reservations whose marks are taken away in one go.
const SETTLED_AT_ONCE: usize = 512;

/// Where codes and reservations are handed in.
#[derive(Clone, Debug)]
pub struct Reconcile {
    codes: mpsc::Sender<Box<str>>,
    committed: mpsc::Sender<Reservation>,
    overflowed: Arc<AtomicBool>,
}

/// A code that Redis has, or is about to have, otherwise than Postgres. Dropped, it is put right.
#[derive(Debug)]
pub struct Reservation {
    code: Option<Box<str>>,
    /// The mark of the reservation and the copy that it was made in; `None` where there was none.
    made: Option<(Mark, State)>,
    /// Whether Postgres then had the same as that copy.
    agrees: bool,
    reconcile: Reconcile,
}

impl Reservation {
    /// Postgres has confirmed it: the mark has to go. `agrees` says whether the copy, if nothing else
    /// is outstanding in it, is what the row became.
    pub fn commit(mut self, agrees: impl FnOnce(&State) -> bool) {
        self.agrees = self.made.as_ref().is_some_and(|(_, state)| agrees(state));
        let committed = self.reconcile.committed.clone();
        // If that is not to be, it is dropped.
        let _ = committed.try_send(self);
    }

    /// Redis is as it should be.
    pub fn settled(mut self) {
        self.code = None;
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        if let Some(code) = self.code.take()
            && self.reconcile.codes.try_send(code).is_err()
        {
            self.reconcile.overflowed.store(true, Ordering::Relaxed);
        }
    }
}

/// The receiving end of [`Reconcile`].
#[derive(Debug)]
pub struct Backlog {
    queue: mpsc::Receiver<Box<str>>,
    overflowed: Arc<AtomicBool>,
}

/// The receiving end of [`Reservation::commit`].
#[derive(Debug)]
pub struct Committed(mpsc::Receiver<Reservation>);

impl Reconcile {
    /// All three ends.
    pub fn new() -> (Self, Backlog, Committed) {
        let (codes, queue) = mpsc::channel(QUEUE_MAX);
        let (committed, settling) = mpsc::channel(QUEUE_MAX);
        let overflowed = Arc::new(AtomicBool::new(false));
        let reconcile = Self { codes, committed, overflowed: Arc::clone(&overflowed) };
        (reconcile, Backlog { queue, overflowed }, Committed(settling))
    }

    /// Something was reserved in Redis for this code, under `mark`, and made of its copy what `state` is.
    pub fn reserved(&self, code: &str, mark: Mark, state: State) -> Reservation {
        Reservation {
            code: Some(code.into()),
            made: Some((mark, state)),
            agrees: false,
            reconcile: self.clone(),
        }
    }

    /// Something became different in Postgres, or may have become different in Redis.
    pub fn watch(&self, code: &str) -> Reservation {
        Reservation { code: Some(code.into()), made: None, agrees: false, reconcile: self.clone() }
    }
}

impl Committed {
    /// Takes away the marks of what was committed, until the server stops.
    pub async fn run(mut self, app: App) {
        let mut batch: Vec<Reservation> = Vec::new();
        loop {
            tokio::select! {
                biased;
                _ = self.0.recv_many(&mut batch, SETTLED_AT_ONCE) => {}
                () = app.stop.cancelled() => return,
            }
            crash::point("redeem-before-settle");
            let marks: Vec<&Mark> =
                batch.iter().filter_map(|one| one.made.as_ref().map(|made| &made.0)).collect();
            // With Redis away none is left settled: all of them are put right when it is back.
            let left = app.hot.settle(&marks).await.unwrap_or_default();
            for (reservation, left) in batch.drain(..).zip(left) {
                // Below nothing: the copy was replaced, perhaps by one of before the commit. Nothing: this
                // was the last one, and what is there now has to be what Postgres has.
                if left > 0 || (left == 0 && reservation.agrees) {
                    reservation.settled();
                }
            }
        }
    }
}

impl Backlog {
    /// Puts right what is handed in, until the server stops.
    pub async fn run(mut self, app: App) {
        let mut batch = Vec::new();
        loop {
            tokio::select! {
                _ = self.queue.recv_many(&mut batch, BATCH_MAX) => {}
                () = app.stop.cancelled() => return,
            }
            metrics::gauge!("scrip_reconcile_queue_depth").set(self.queue.len() as f64);
            let codes: HashSet<Box<str>> = batch.drain(..).collect();
            for code in codes {
                metrics::counter!("scrip_reconciled_total").increment(1);
                while !self.put_right(&app, &code).await {
                    tokio::select! {
                        () = tokio::time::sleep(PAUSE) => {}
                        () = app.stop.cancelled() => return,
                    }
                }
            }
            tokio::select! {
                () = tokio::time::sleep(LINGER) => {}
                () = app.stop.cancelled() => return,
            }
        }
    }

    /// `false` while a store is away.
    async fn put_right(&self, app: &App, code: &str) -> bool {
        if !app.hot.is_up() {
            return false;
        }
        if self.overflowed.swap(false, Ordering::Relaxed) && super::epoch::raise(app).await.is_err() {
            self.overflowed.store(true, Ordering::Relaxed);
            return false;
        }
        match find::load_key(app, code, true, None).await {
            Ok((rows, copies)) => rows.is_empty() || !copies.is_empty(),
            Err(_) => false,
        }
    }
}
