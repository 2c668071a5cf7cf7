//! Puts right in Redis what a fault left there: one way for everything, "read it from Postgres, write
//! it to Redis".

use super::{find, hot::Mark, voucher::State};
use crate::{app::App, crash, error::Store};
use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::sync::mpsc;

/// Codes waiting to be put right at most; beyond that everything in Redis is declared worthless.
const QUEUE_MAX: usize = 50_000;

/// Codes put right in one go.
const BATCH_MAX: usize = 1_024;

/// Between two goes. Putting a code right disturbs redemptions of it that are under way, whose code
/// is then handed in again: so that it is, once they are over, and not once for each of them.
const LINGER: Duration = Duration::from_millis(50);

/// Between two attempts while a store is away, and between the first two of a code that cannot be written.
const PAUSE: Duration = Duration::from_millis(250);

/// Between two attempts of such a code at most.
const PAUSE_MAX: Duration = Duration::from_secs(4);

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
    /// Puts right what is handed in, until the server stops. A code that cannot be put right now keeps none
    /// of the others waiting.
    pub async fn run(mut self, app: App) {
        let mut batch = Vec::new();
        let mut put_off = PutOff::default();
        loop {
            tokio::select! {
                _ = self.queue.recv_many(&mut batch, BATCH_MAX) => {}
                () = tokio::time::sleep(PAUSE), if !put_off.is_empty() => {}
                () = app.stop.cancelled() => return,
            }
            metrics::gauge!("scrip_reconcile_queue_depth").set((self.queue.len() + put_off.len()) as f64);
            let mut codes: HashSet<Box<str>> = batch.drain(..).collect();
            codes.extend(put_off.due(Instant::now()));
            for code in codes {
                if app.stop.is_cancelled() {
                    return;
                }
                let is_away = !app.hot.is_up() || app.stores.since(Store::Postgres).is_some();
                if !is_away && app.liveness.unless_cut(self.put_right(&app, &code)).await == Some(true) {
                    metrics::counter!("scrip_reconciled_total").increment(1);
                    put_off.done(&code);
                } else if !put_off.again(code, Instant::now(), is_away) {
                    self.overflowed.store(true, Ordering::Relaxed);
                }
            }
            tokio::select! {
                () = tokio::time::sleep(LINGER) => {}
                () = app.stop.cancelled() => return,
            }
        }
    }

    /// `false` if it has to be tried again.
    async fn put_right(&self, app: &App, code: &str) -> bool {
        if self.overflowed.swap(false, Ordering::Relaxed) && super::epoch::raise(app).await.is_err() {
            self.overflowed.store(true, Ordering::Relaxed);
            return false;
        }
        match find::load_key(app, code, true, None, |_| true).await {
            Ok((rows, copies)) => rows.is_empty() || !copies.is_empty(),
            Err(_) => false,
        }
    }
}

/// Codes that could not be put right, and when each is tried again.
#[derive(Debug, Default)]
struct PutOff(HashMap<Box<str>, Turn>);

#[derive(Clone, Copy, Debug)]
struct Turn {
    due: Instant,
    pause: Duration,
}

impl PutOff {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn len(&self) -> usize {
        self.0.len()
    }

    /// The codes whose turn it is.
    fn due(&self, now: Instant) -> Vec<Box<str>> {
        let due = self.0.iter().filter(|(_, turn)| turn.due <= now);
        due.map(|(code, _)| code.clone()).collect()
    }

    /// Puts a code off, each time for longer unless a store is away; `false` if there are too many.
    fn again(&mut self, code: Box<str>, now: Instant, is_away: bool) -> bool {
        if self.0.len() >= QUEUE_MAX && !self.0.contains_key(&code) {
            return false;
        }
        let pause = match self.0.get(&code) {
            Some(turn) if !is_away => (turn.pause * 2).min(PAUSE_MAX),
            _ => PAUSE,
        };
        self.0.insert(code, Turn { due: now + pause, pause });
        true
    }

    fn done(&mut self, code: &str) {
        self.0.remove(code);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_put_off_for_longer_each_time_but_not_while_a_store_is_away() {
        let start = Instant::now();
        let mut put_off = PutOff::default();
        let mut due_after = |is_away| {
            assert!(put_off.again("A".into(), start, is_away));
            let pauses = (0..200).map(|steps| PAUSE * steps);
            pauses.into_iter().find(|pause| !put_off.due(start + *pause).is_empty())
        };
        assert_eq!([false, false, false].map(&mut due_after), [1, 2, 4].map(|steps| Some(PAUSE * steps)));
        assert_eq!(due_after(true), Some(PAUSE));
        for _ in 0..20 {
            due_after(false);
        }
        assert_eq!(due_after(false), Some(PAUSE_MAX));
        put_off.done("A");
        assert!(put_off.is_empty());
    }
}
