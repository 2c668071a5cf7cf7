//! Work of a size that callers choose, off the threads that answer requests: a few pieces at once, with a
//! share of them for each user group.

use crate::{
    error::{Error, Result},
    fairness::{Gate, Limits},
};
use std::time::Duration;

/// Bodies this small are worked on in place: to hand them over would take longer.
pub const INLINE_MAX_BYTES: usize = 16 << 10;

/// Pieces that wait at most. Each holds its request's body.
const WAITING_MAX: usize = 256;

/// How long one waits.
const PATIENCE: Duration = Duration::from_secs(30);

/// Where such work is done.
#[derive(Debug)]
pub struct Offload(Gate);

impl Default for Offload {
    fn default() -> Self {
        let places = std::thread::available_parallelism().map_or(1, usize::from);
        Self::new(places)
    }
}

impl Offload {
    fn new(places: usize) -> Self {
        Self(Gate::new(Limits {
            what: "large bodies",
            places,
            share: places.div_ceil(2),
            waiting: WAITING_MAX,
            patience: PATIENCE,
            retry_after_s: 1,
        }))
    }

    /// Does work on so many bytes of a group's: here if they are few, else when it is the group's turn. Work
    /// that has begun goes on if its request is given up, and keeps its place until it is done.
    pub async fn run<T: Send + 'static>(
        &self,
        group: i64,
        bytes: usize,
        work: impl FnOnce() -> Result<T> + Send + 'static,
    ) -> Result<T> {
        if bytes <= INLINE_MAX_BYTES {
            return work();
        }
        let place = self.0.enter(group).await?;
        let work = move || {
            let done = work();
            drop(place);
            done
        };
        tokio::task::spawn_blocking(work).await.map_err(Error::fault)?
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    const LARGE: usize = INLINE_MAX_BYTES + 1;

    #[tokio::test]
    async fn what_is_small_is_done_on_the_spot() {
        let offload = Offload::default();
        let here = std::thread::current().id();
        let place = |bytes| offload.run(1, bytes, || Ok(std::thread::current().id()));
        assert_eq!(place(INLINE_MAX_BYTES).await.unwrap(), here);
        assert_ne!(place(LARGE).await.unwrap(), here);
    }

    #[tokio::test]
    async fn a_group_waits_for_itself_alone() {
        let offload = Offload::new(2);
        let (go_on, told) = mpsc::channel::<()>();
        let first = offload.run(1, LARGE, move || told.recv().map_err(Error::fault));
        let more = futures_util::future::join_all((0..9).map(|_| offload.run(1, LARGE, || Ok(()))));
        let other = async {
            assert_eq!(offload.run(2, LARGE, || Ok(7)).await.unwrap(), 7);
            go_on.send(()).unwrap();
        };
        let (first, more, ()) = tokio::join!(first, more, other);
        assert!(first.is_ok() && more.iter().all(Result::is_ok));
    }
}
