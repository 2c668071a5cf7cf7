//! The health of Postgres as far as it is known, for all who wait for it.

use crate::error::{Error, Result, Store};
use std::{
    future::pending,
    sync::atomic::{AtomicI64, AtomicU8, AtomicU64, Ordering},
    time::{Duration, Instant},
};
use tokio::sync::watch;

/// Where commits are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Replication {
    /// Nobody has asked yet.
    Unknown,
    /// On this Postgres alone.
    Local,
    /// On a synchronous standby as well, before they are confirmed.
    Synchronous,
    /// On this Postgres, waiting for a standby that does not confirm them.
    Stalled,
}

/// An answer of Postgres counts as a sign of life for so long.
const FRESH_MS: u64 = 100;

/// The state that [`probe`](super::probe) keeps up.
#[derive(Debug)]
pub struct Liveness {
    started: Instant,
    /// When Postgres last answered, in milliseconds since the start.
    heard_ms: AtomicU64,
    /// When connections were last given up.
    cuts: watch::Sender<Option<Instant>>,
    replication: AtomicU8,
    /// The furthest that the write-ahead log was seen at, in bytes.
    position: AtomicI64,
}

impl Default for Liveness {
    fn default() -> Self {
        Self {
            started: Instant::now(),
            heard_ms: AtomicU64::new(0),
            cuts: watch::Sender::new(None),
            replication: AtomicU8::new(Replication::Unknown as u8),
            position: AtomicI64::new(0),
        }
    }
}

impl Liveness {
    fn now_ms(&self) -> u64 {
        self.started.elapsed().as_millis() as u64
    }

    /// Takes note of an answer.
    pub(super) fn heard(&self) {
        self.heard_ms.store(self.now_ms(), Ordering::Relaxed);
    }

    /// Returns `true` if Postgres has answered just now.
    pub(super) fn was_just_heard(&self) -> bool {
        self.now_ms().saturating_sub(self.heard_ms.load(Ordering::Relaxed)) < FRESH_MS
    }

    /// Gives up every connection that there is: whoever waits for one is told.
    pub fn cut(&self) {
        self.cuts.send_replace(Some(Instant::now()));
    }

    /// Returns `true` if a connection of this age was given up.
    pub fn is_cut(&self, age: Duration) -> bool {
        self.cuts.borrow().is_some_and(|cut| cut.elapsed() < age)
    }

    /// Returns when connections of now are given up.
    pub fn until_cut(&self) -> impl Future<Output = ()> + use<> {
        let mut cuts = self.cuts.subscribe();
        async move {
            if cuts.changed().await.is_err() {
                pending::<()>().await;
            }
        }
    }

    /// Waits for what needs Postgres. `None` if the connections of now are given up first.
    pub async fn unless_cut<T>(&self, needs_postgres: impl Future<Output = T>) -> Option<T> {
        let cut = self.until_cut();
        tokio::select! {
            biased;
            done = needs_postgres => Some(done),
            () = cut => None,
        }
    }

    /// [`Liveness::unless_cut`] for what can fail anyway.
    pub async fn while_up<T>(&self, needs_postgres: impl Future<Output = Result<T>>) -> Result<T> {
        let done = self.unless_cut(needs_postgres).await;
        done.unwrap_or(Err(Error::Unavailable { store: Store::Postgres }))
    }

    /// Where commits are.
    pub fn replication(&self) -> Replication {
        match self.replication.load(Ordering::Relaxed) {
            1 => Replication::Local,
            2 => Replication::Synchronous,
            3 => Replication::Stalled,
            _ => Replication::Unknown,
        }
    }

    /// Returns `true` if a commit may be visible here before a standby has it. `true` until that is known.
    pub fn replicates(&self) -> bool {
        self.replication() != Replication::Local
    }

    /// Returns `true` if commits wait for a standby that does not answer.
    pub fn is_stalled(&self) -> bool {
        self.replication() == Replication::Stalled
    }

    /// Takes note of what Postgres is set to; a stall lasts until a commit has been confirmed.
    pub(super) fn set_replicates(&self, replicates: bool) {
        match (replicates, self.replication()) {
            (false, _) => self.replication.store(Replication::Local as u8, Ordering::Relaxed),
            (true, Replication::Stalled) => {}
            (true, _) => self.replication.store(Replication::Synchronous as u8, Ordering::Relaxed),
        }
    }

    /// Takes note of whether a commit was confirmed in time.
    pub(super) fn set_stalled(&self, stalled: bool) {
        let (from, to) = if stalled {
            (Replication::Synchronous, Replication::Stalled)
        } else {
            (Replication::Stalled, Replication::Synchronous)
        };
        let changed =
            self.replication.compare_exchange(from as u8, to as u8, Ordering::Relaxed, Ordering::Relaxed);
        if changed.is_ok() {
            if stalled {
                tracing::warn!("no synchronous standby confirms commits: nothing can be acknowledged");
            } else {
                tracing::info!("a synchronous standby confirms commits again");
            }
            metrics::gauge!("scrip_replication_stalled").set(f64::from(u8::from(stalled)));
        }
    }

    /// Takes note of where the log is; `false` if it was further before.
    pub(super) fn is_ahead(&self, position: i64) -> bool {
        self.position.swap(position, Ordering::Relaxed) <= position
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_made_before_a_cut_are_given_up() {
        let liveness = Liveness::default();
        assert!(!liveness.is_cut(Duration::from_mins(1)));
        liveness.cut();
        assert!(liveness.is_cut(Duration::from_mins(1)));
        assert!(!liveness.is_cut(Duration::ZERO), "those of later are not");
    }

    #[tokio::test]
    async fn who_waits_is_told_of_a_cut_and_of_no_earlier_one() {
        let liveness = Liveness::default();
        liveness.cut();
        assert_eq!(liveness.unless_cut(async { 7 }).await, Some(7));
        let cut = async {
            tokio::task::yield_now().await;
            liveness.cut();
        };
        let (waited, ()) = tokio::join!(liveness.unless_cut(pending::<()>()), cut);
        assert_eq!(waited, None);
    }

    #[test]
    fn a_stall_ends_with_a_commit_that_is_confirmed_or_without_replication() {
        let liveness = Liveness::default();
        assert!(liveness.replicates(), "as long as nobody knows");
        liveness.set_replicates(true);
        liveness.set_stalled(true);
        liveness.set_replicates(true);
        assert!(liveness.is_stalled());
        liveness.set_stalled(false);
        assert_eq!(liveness.replication(), Replication::Synchronous);
        liveness.set_stalled(true);
        liveness.set_replicates(false);
        assert_eq!(liveness.replication(), Replication::Local);
        liveness.set_stalled(true);
        assert!(!liveness.is_stalled(), "nothing waits where nothing is replicated");
    }

    #[test]
    fn a_log_that_went_back_is_noticed() {
        let liveness = Liveness::default();
        assert!(liveness.is_ahead(10) && liveness.is_ahead(10));
        assert!(!liveness.is_ahead(9));
        assert!(liveness.is_ahead(9), "and then it is what it is");
    }
}
