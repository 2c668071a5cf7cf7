//! The least that a client has to move, so that nothing waits for one for ever.

use crate::config::Config;
use std::{
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::time::{Instant, Sleep, sleep_until};

/// The demand: so many bytes in each window of time, and everything by an end.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    window: Duration,
    bytes_min: usize,
    whole: Option<Duration>,
}

impl Pace {
    /// Demands the configured rate of one who sends a body, and the whole body in time.
    pub(super) fn of_bodies(config: &Config) -> Self {
        Self { whole: Some(Duration::from_secs(config.body_max_s)), ..Self::of_answers(config) }
    }

    /// Demands the configured rate of one who takes an answer, however long that is.
    pub(super) fn of_answers(config: &Config) -> Self {
        let window_s = config.client_window_s.max(1);
        let bytes_min = config.client_bytes_per_s_min.saturating_mul(usize::try_from(window_s).unwrap_or(1));
        Self { window: Duration::from_secs(window_s), bytes_min, whole: None }
    }
}

/// One wait for a client: made when it begins, dropped when it is over.
#[derive(Debug)]
pub(super) struct Wait {
    pace: Pace,
    moved: usize,
    end: Option<Instant>,
    timer: Pin<Box<Sleep>>,
}

impl Wait {
    pub(super) fn new(pace: Pace) -> Self {
        let now = Instant::now();
        let end = pace.whole.and_then(|whole| now.checked_add(whole));
        Self { pace, moved: 0, end, timer: Box::pin(sleep_until(next(now, pace, end))) }
    }

    /// Counts what the client has moved in this window.
    pub(super) fn moved(&mut self, bytes: usize) {
        self.moved = self.moved.saturating_add(bytes);
    }

    /// Ready when the client is too slow; to be asked whenever it has to be waited for.
    pub(super) fn poll_too_slow(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            ready!(self.timer.as_mut().poll(cx));
            let now = Instant::now();
            if self.moved < self.pace.bytes_min || self.end.is_some_and(|end| end <= now) {
                return Poll::Ready(());
            }
            self.moved = 0;
            self.timer.as_mut().reset(next(now, self.pace, self.end));
        }
    }
}

/// The end of the window that begins now.
fn next(now: Instant, pace: Pace, end: Option<Instant>) -> Instant {
    let window = now + pace.window;
    end.map_or(window, |end| end.min(window))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::poll_fn;

    const HOUR: Duration = Duration::from_hours(1);

    #[tokio::test]
    async fn a_client_that_moves_too_little_in_a_window_is_too_slow() {
        let mut wait = Wait::new(Pace { window: Duration::from_millis(1), bytes_min: 100, whole: None });
        wait.moved(99);
        poll_fn(|cx| wait.poll_too_slow(cx)).await;
        assert_eq!(wait.moved, 99, "the first window has ended it");
        let mut wait = Wait::new(Pace { window: Duration::from_millis(1), bytes_min: 100, whole: None });
        wait.moved(100);
        poll_fn(|cx| wait.poll_too_slow(cx)).await;
        assert_eq!(wait.moved, 0, "the first window was well, and a second has ended it");
    }

    #[tokio::test]
    async fn the_whole_has_an_end_however_fast_it_comes() {
        let mut wait = Wait::new(Pace { window: HOUR, bytes_min: 1, whole: Some(Duration::from_millis(1)) });
        wait.moved(1_000_000);
        poll_fn(|cx| wait.poll_too_slow(cx)).await;
        let mut wait = Wait::new(Pace { window: HOUR, bytes_min: 1, whole: Some(HOUR) });
        let is_too_slow = poll_fn(|cx| Poll::Ready(wait.poll_too_slow(cx).is_ready())).await;
        assert!(!is_too_slow);
    }
}
