//! Puts right in Redis what a fault left there: one way for everything, "read it from Postgres, write
//! it to Redis".

use super::find;
use crate::app::App;
use std::{
    collections::HashSet,
    sync::atomic::{AtomicBool, Ordering},
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

/// Where codes are handed in.
#[derive(Debug)]
pub struct Reconcile {
    queue: mpsc::Sender<Box<str>>,
    overflowed: std::sync::Arc<AtomicBool>,
}

/// A code that has to be put right unless somebody says that it is.
#[derive(Debug)]
pub struct Reservation {
    code: Option<Box<str>>,
    queue: mpsc::Sender<Box<str>>,
    overflowed: std::sync::Arc<AtomicBool>,
}

impl Reservation {
    /// It is as it should be.
    pub fn settled(mut self) {
        self.code = None;
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        if let Some(code) = self.code.take()
            && self.queue.try_send(code).is_err()
        {
            self.overflowed.store(true, Ordering::Relaxed);
        }
    }
}

/// The receiving end of [`Reconcile`].
#[derive(Debug)]
pub struct Backlog {
    queue: mpsc::Receiver<Box<str>>,
    overflowed: std::sync::Arc<AtomicBool>,
}

impl Reconcile {
    /// Both ends.
    pub fn new() -> (Self, Backlog) {
        let (sender, queue) = mpsc::channel(QUEUE_MAX);
        let overflowed = std::sync::Arc::new(AtomicBool::new(false));
        (
            Self { queue: sender, overflowed: std::sync::Arc::clone(&overflowed) },
            Backlog { queue, overflowed },
        )
    }

    /// Something is about to become different in the two stores: dropped, the code is put right.
    pub fn watch(&self, code: &str) -> Reservation {
        Reservation {
            code: Some(code.into()),
            queue: self.queue.clone(),
            overflowed: std::sync::Arc::clone(&self.overflowed),
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
        match find::load_key(app, code, true).await {
            Ok((rows, copies)) => rows.is_empty() || !copies.is_empty(),
            Err(_) => false,
        }
    }
}
