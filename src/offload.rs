//! Work of a size that callers choose, off the threads that answer requests: a few pieces at once, and of
//! each user group one after the other.

use crate::error::{Error, Result};
use std::{
    collections::{HashMap, hash_map::Entry},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::Semaphore;

/// What is this small is done where it is: to hand it over would take longer.
pub const INLINE_MAX_BYTES: usize = 16 << 10;

/// Pieces that one group can have waiting. Each holds its request's body.
const WAITING_MAX: usize = 64;

/// Where such work is done.
#[derive(Debug)]
pub struct Offload {
    threads: Arc<Semaphore>,
    groups: Mutex<HashMap<i64, Line>>,
}

/// The pieces of one group.
#[derive(Debug)]
struct Line {
    turn: Arc<Semaphore>,
    length: usize,
}

/// A place in the line of a group; the line goes with its last place.
#[derive(Debug)]
struct Waiting<'a> {
    offload: &'a Offload,
    group: i64,
}

impl Default for Offload {
    fn default() -> Self {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        Self { threads: Arc::new(Semaphore::new(threads)), groups: Mutex::default() }
    }
}

impl Offload {
    /// Does work on so many bytes of a group's: here if they are few, else when it is the group's turn.
    /// A group with too much of it waiting is refused (429). Work goes on if its request is given up.
    pub async fn run<T: Send + 'static>(
        &self,
        group: i64,
        bytes: usize,
        work: impl FnOnce() -> Result<T> + Send + 'static,
    ) -> Result<T> {
        if bytes <= INLINE_MAX_BYTES {
            return work();
        }
        let (turn, _waiting) = self.queue(group)?;
        let turn = turn.acquire_owned().await.map_err(Error::fault)?;
        let thread = Arc::clone(&self.threads).acquire_owned().await.map_err(Error::fault)?;
        let work = move || {
            let done = work();
            drop((turn, thread));
            done
        };
        tokio::task::spawn_blocking(work).await.map_err(Error::fault)?
    }

    fn queue(&self, group: i64) -> Result<(Arc<Semaphore>, Waiting<'_>)> {
        let mut groups = self.groups();
        let line =
            groups.entry(group).or_insert_with(|| Line { turn: Arc::new(Semaphore::new(1)), length: 0 });
        if line.length >= WAITING_MAX {
            return Err(Error::TooMany {
                what: "large bodies of your group are being read",
                retry_after_s: 1,
            });
        }
        line.length += 1;
        Ok((Arc::clone(&line.turn), Waiting { offload: self, group }))
    }

    fn groups(&self) -> MutexGuard<'_, HashMap<i64, Line>> {
        self.groups.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if let Entry::Occupied(mut line) = self.offload.groups().entry(self.group) {
            line.get_mut().length -= 1;
            if line.get().length == 0 {
                line.remove();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    #[tokio::test]
    async fn what_is_small_is_done_on_the_spot() {
        let offload = Offload::default();
        let here = std::thread::current().id();
        let place = |bytes| offload.run(1, bytes, || Ok(std::thread::current().id()));
        assert_eq!(place(INLINE_MAX_BYTES).await.unwrap(), here);
        assert_ne!(place(INLINE_MAX_BYTES + 1).await.unwrap(), here);
    }

    #[tokio::test]
    async fn a_group_waits_for_itself_alone_and_not_without_end() {
        let offload = Offload { threads: Arc::new(Semaphore::new(2)), groups: Mutex::default() };
        let (go_on, told) = mpsc::channel::<()>();
        let large = INLINE_MAX_BYTES + 1;
        let first = offload.run(1, large, move || told.recv().map_err(Error::fault));
        let rest = futures_util::future::join_all((1..WAITING_MAX).map(|_| offload.run(1, large, || Ok(()))));
        let others = async {
            tokio::task::yield_now().await;
            assert!(matches!(offload.run(1, large, || Ok(())).await, Err(Error::TooMany { .. })));
            assert_eq!(offload.run(2, large, || Ok(7)).await.unwrap(), 7);
            go_on.send(()).unwrap();
        };
        let (first, rest, ()) = tokio::join!(first, rest, others);
        assert!(first.is_ok() && rest.iter().all(Result::is_ok));
        assert!(offload.groups().is_empty());
    }
}
