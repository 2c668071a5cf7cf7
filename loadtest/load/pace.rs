//! A fixed rate: a thread says when the next request is due, whoever is free sends it.
//!
//! The thread sleeps to within 0.1 ms, where the runtime's own timer would send a millisecond's requests at once.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};
use tokio::sync::Semaphore;

/// The requests that are due and not yet sent.
pub(crate) struct Pace {
    due: Arc<Semaphore>,
    start: Instant,
    per_second: f64,
    taken: AtomicU64,
}

/// The right to send one request.
pub(crate) struct Ticket {
    /// The instant that its latency counts from.
    pub(crate) since: Instant,
    /// How late this program was, if it was its own doing.
    pub(crate) late: Option<Duration>,
}

impl Pace {
    pub(crate) fn start(per_second: f64) -> Self {
        let due = Arc::new(Semaphore::new(0));
        let start = Instant::now();
        let giver = Arc::clone(&due);
        thread::spawn(move || {
            for n in 0.. {
                thread::sleep(instant(start, per_second, n).saturating_duration_since(Instant::now()));
                if giver.is_closed() {
                    return;
                }
                giver.add_permits(1);
            }
        });
        Self { due, start, per_second, taken: AtomicU64::new(0) }
    }

    /// Waits for the next request to be due; none after [`Self::stop`].
    ///
    /// If one was due already, all connections were waiting for the server, and the wait counts as
    /// latency. If not, only this program's wake-up stands between the intended instant and now, and
    /// says nothing of the server.
    pub(crate) async fn ticket(&self) -> Option<Ticket> {
        let behind = if let Ok(permit) = self.due.try_acquire() {
            permit.forget();
            true
        } else {
            self.due.acquire().await.ok()?.forget();
            false
        };
        let n = self.taken.fetch_add(1, Ordering::Relaxed);
        let intended = instant(self.start, self.per_second, n);
        if behind {
            return Some(Ticket { since: intended, late: None });
        }
        let now = Instant::now();
        Some(Ticket { since: now, late: Some(now.saturating_duration_since(intended)) })
    }

    pub(crate) fn stop(&self) {
        self.due.close();
    }
}

fn instant(start: Instant, per_second: f64, n: u64) -> Instant {
    start + Duration::from_secs_f64(n as f64 / per_second)
}
