//! Work that can wait for a lull: it leaves the cores to those who vend, but not for ever.

use crate::app::App;
use std::time::{Duration, Instant};
use tokio::runtime::Handle;

/// How long to wait for more work once all is done: what has come meanwhile is done together.
const PAUSE: Duration = Duration::from_millis(500);

/// How long to rest after a piece of work, in times of what it took: in a lull, and beside a rush.
const REST: u32 = 1;
const REST_IN_A_RUSH: u32 = 4;

/// It is a rush while this server's threads are busy for more than this share of the time.
const BUSY: f64 = 0.25;

/// Between two looks whether a rush is over.
const MOMENT: Duration = Duration::from_millis(50);

/// A rush is waited out for so long; then work is done beside it.
const PATIENCE: Duration = Duration::from_secs(10);

/// Says when the next piece of work may be done.
#[derive(Debug)]
pub struct Lull {
    threads: Threads,
    rush: Rush,
    began: Instant,
    left: bool,
}

impl Lull {
    /// For work that begins with the server.
    pub fn new() -> Self {
        Self { threads: Threads::new(), rush: Rush::default(), began: Instant::now(), left: false }
    }

    /// Waits until the next piece of work may be done; `false` once the server stops.
    pub async fn came(&mut self, app: &App) -> bool {
        let rest = if self.rush.since.is_some() { REST_IN_A_RUSH } else { REST };
        let pause = if self.left { PAUSE.min(rest * self.began.elapsed()) } else { PAUSE };
        let stop = app.stop.clone();
        let came = stop.run_until_cancelled(async {
            tokio::time::sleep(pause).await;
            while self.rush.is_on(self.threads.busy(), Instant::now()) {
                tokio::time::sleep(MOMENT).await;
            }
        });
        let came = came.await.is_some();
        self.began = Instant::now();
        self.left = true;
        came
    }

    /// There is no more work, or it can't be done at the moment.
    pub fn nothing_left(&mut self) {
        self.left = false;
    }
}

impl Default for Lull {
    fn default() -> Self {
        Self::new()
    }
}

/// A rush, as far as it is to be waited out.
#[derive(Debug, Default)]
struct Rush {
    since: Option<Instant>,
}

impl Rush {
    fn is_on(&mut self, busy: f64, now: Instant) -> bool {
        if busy <= BUSY {
            self.since = None;
            return false;
        }
        now.duration_since(*self.since.get_or_insert(now)) < PATIENCE
    }
}

/// The threads that this server does its work on.
#[derive(Debug)]
struct Threads {
    worked: Duration,
    looked: Instant,
}

impl Threads {
    fn new() -> Self {
        Self { worked: worked(), looked: Instant::now() }
    }

    /// The share of the time since the last look that they were busy.
    fn busy(&mut self) -> f64 {
        let (before, since) = (self.worked, self.looked);
        *self = Self::new();
        let time = self.looked.duration_since(since) * Handle::current().metrics().num_workers() as u32;
        self.worked.saturating_sub(before).div_duration_f64(time.max(Duration::from_nanos(1)))
    }
}

fn worked() -> Duration {
    let runtime = Handle::current().metrics();
    (0..runtime.num_workers()).map(|thread| runtime.worker_total_busy_duration(thread)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rush_is_waited_out_but_not_for_ever() {
        let start = Instant::now();
        let mut rush = Rush::default();
        let mut is_on = |busy, seconds| rush.is_on(busy, start + Duration::from_secs(seconds));
        assert!(!is_on(0.1, 0), "a lull");
        assert!(is_on(0.9, 5));
        assert!(is_on(0.9, 14));
        assert!(!is_on(0.9, 15), "long enough");
        assert!(!is_on(0.9, 20), "until it is over");
        assert!(!is_on(0.2, 21));
        assert!(is_on(0.9, 22), "another one");
    }

    #[tokio::test]
    async fn work_counts_as_busy() {
        let before = worked();
        tokio::spawn(async {
            let until = Instant::now() + Duration::from_millis(5);
            while Instant::now() < until {}
        })
        .await
        .unwrap();
        // It is counted once the thread has nothing to do.
        tokio::time::sleep(Duration::from_millis(1)).await;
        assert!(worked().saturating_sub(before) >= Duration::from_millis(5));
    }
}
