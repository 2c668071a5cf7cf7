//! Warnings of Postgres beside its answers.
//!
//! A commit whose wait for a standby was cancelled succeeds, with a warning. sqlx hands warnings to the log
//! alone, so they are heard there: while a statement is waited for, this is the log of its thread.

use std::{cell::Cell, future::poll_fn, pin::pin, sync::LazyLock};
use tracing::{
    Dispatch, Event, Level, Metadata, Subscriber,
    dispatcher::with_default,
    level_filters::LevelFilter,
    span::{Attributes, Id, Record},
};

/// The target of sqlx's log of warnings.
const TARGET: &str = "sqlx::postgres::notice";

thread_local! {
    /// Warnings heard on this thread so far.
    static HEARD: Cell<u64> = const { Cell::new(0) };
}

static LOG: LazyLock<Dispatch> = LazyLock::new(|| Dispatch::new(Counting));

/// Waits for an answer of Postgres; returns with it whether there was a warning.
pub async fn hearing<T>(asked: impl Future<Output = T>) -> (T, bool) {
    let mut asked = pin!(asked);
    let mut warned = false;
    let answer = poll_fn(|context| {
        let before = HEARD.get();
        let polled = with_default(&LOG, || asked.as_mut().poll(context));
        warned |= HEARD.get() != before;
        polled
    })
    .await;
    (answer, warned)
}

/// Counts warnings, and throws them away.
struct Counting;

impl Subscriber for Counting {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == TARGET && *metadata.level() <= Level::WARN
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(LevelFilter::WARN)
    }

    fn event(&self, _: &Event<'_>) {
        HEARD.set(HEARD.get() + 1);
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn warnings_of_postgres_are_heard_and_nothing_else() {
        let says = |warn: bool| async move {
            tokio::task::yield_now().await;
            tracing::warn!("of our own");
            tracing::info!(target: TARGET, "a notice");
            if warn {
                tracing::warn!(target: TARGET, "a wait was cancelled");
            }
            7
        };
        assert_eq!(hearing(says(false)).await, (7, false));
        assert_eq!(hearing(says(true)).await, (7, true));
        says(true).await;
        assert_eq!(hearing(says(false)).await, (7, false));
    }
}
