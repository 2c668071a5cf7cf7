//! The proof that what can be read is on a synchronous standby as well.
//!
//! Postgres shows a commit to others as soon as its wait for a standby ends, however it ends: who cancels
//! the wait, or ends the backend that waits, leaves a commit that a failover loses. So what is only read is
//! confirmed after a commit of our own: the log is replicated in order, and what came before is there too.

use super::{Liveness, connect, silent, warnings::hearing};
use crate::error::{Error, Result, Store};
use sqlx::{PgConnection, postgres::PgConnectOptions};
use std::{pin::pin, sync::Arc, time::Duration};
use tokio::{
    sync::{mpsc, oneshot},
    time::sleep,
};
use tokio_util::sync::CancellationToken;

/// A standby that takes longer to confirm a commit counts as gone.
const CONFIRMED_WITHIN: Duration = Duration::from_secs(1);

/// How often a standby is asked to confirm something although nobody waits for it.
const EVERY: Duration = Duration::from_secs(1);

/// Requests that share one commit at most.
const SHARED_MAX: usize = 1_024;

/// Where requests wait for the proof.
#[derive(Debug)]
pub struct Barrier {
    asks: mpsc::Sender<oneshot::Sender<()>>,
    liveness: Arc<Liveness>,
}

impl Barrier {
    /// The barrier, and its work for the caller to run.
    pub fn new(
        options: PgConnectOptions,
        liveness: Arc<Liveness>,
        stop: CancellationToken,
    ) -> (Self, impl Future<Output = ()> + use<>) {
        let (asks, asked) = mpsc::channel(SHARED_MAX);
        (Self { asks, liveness: Arc::clone(&liveness) }, run(asked, options, liveness, stop))
    }

    /// Returns once all that is visible now is on a standby, if commits are to be on one.
    pub async fn pass(&self) -> Result<()> {
        if !self.liveness.replicates() {
            return Ok(());
        }
        let unavailable = || Error::Unavailable { store: Store::Postgres };
        if self.liveness.is_stalled() {
            return Err(unavailable());
        }
        let (answer, passed) = oneshot::channel();
        self.asks.try_send(answer).map_err(|_| unavailable())?;
        passed.await.map_err(|_| unavailable())
    }
}

/// Returns once what this connection has committed is on a standby: after a commit whose wait nobody cut short.
pub async fn confirm(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    loop {
        let commit =
            sqlx::query("SELECT pg_logical_emit_message(true, 'scrip', '')").execute(&mut *connection);
        let (committed, was_cut_short) = hearing(commit).await;
        committed?;
        if !was_cut_short {
            return Ok(());
        }
    }
}

async fn run(
    mut asked: mpsc::Receiver<oneshot::Sender<()>>,
    options: PgConnectOptions,
    liveness: Arc<Liveness>,
    stop: CancellationToken,
) {
    let mut kept = None;
    let mut waiting = Vec::new();
    loop {
        tokio::select! {
            received = asked.recv_many(&mut waiting, SHARED_MAX) => if received == 0 { return },
            () = sleep(EVERY) => {}
            () = stop.cancelled() => return,
        }
        if waiting.is_empty() && !liveness.replicates() {
            continue;
        }
        let Some(passed) = stop.run_until_cancelled(pass(&mut kept, &options, &liveness)).await else {
            return;
        };
        match passed {
            Ok(()) => {
                liveness.set_stalled(false);
                for one in waiting.drain(..) {
                    // Whoever has gone learns it when it asks again.
                    let _ = one.send(());
                }
            }
            Err(error) => {
                tracing::debug!(%error, "commits are not confirmed");
                kept = None;
                waiting.clear();
            }
        }
    }
}

/// Waits for a commit that is confirmed; says meanwhile that there is none.
async fn pass(
    kept: &mut Option<PgConnection>,
    options: &PgConnectOptions,
    liveness: &Liveness,
) -> Result<(), sqlx::Error> {
    let mut cut = pin!(liveness.until_cut());
    let mut committing = pin!(async {
        let connection = match kept {
            Some(connection) => connection,
            None => kept.insert(connect(options).await?),
        };
        confirm(connection).await
    });
    loop {
        tokio::select! {
            passed = &mut committing => return passed,
            () = &mut cut => return Err(silent()),
            () = sleep(CONFIRMED_WITHIN) => liveness.set_stalled(true),
        }
    }
}
