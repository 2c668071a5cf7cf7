//! The loop that works off the queue: one job at a time in each server.

use super::{Claim, Ran, claim};
use crate::{
    app::App,
    error::{Error, Result},
};
use std::time::Duration;

/// How long a job waits at most where no notice wakes the worker.
const POLL: Duration = Duration::from_secs(1);

/// Works until the server stops: whenever Postgres says that a job is due, and once a second in any case.
pub async fn work(app: App) {
    while !app.stop.is_cancelled() {
        match work_one(&app).await {
            Ok(true) => continue,
            Ok(false) => {}
            Err(error) => tracing::warn!(error = %error, "the job queue did not answer"),
        }
        tokio::select! {
            () = app.jobs_due.notified() => {}
            () = tokio::time::sleep(POLL) => {}
            () = app.stop.cancelled() => {}
        }
    }
}

/// Claims one job and works on it; false if none is due.
pub async fn work_one(app: &App) -> Result<bool> {
    let Some(claim) = claim(app).await? else { return Ok(false) };
    tracing::info!(job.id = claim.id, job.kind = ?claim.kind, job.subject = claim.subject, "job claimed");
    if claim.attempts > claim.kind.attempts_max() {
        // Nobody lived to note a fault: the attempts themselves end their servers.
        claim.failed(app, &Error::fault("every worker that took it died")).await?;
        return Ok(true);
    }
    // In a task of its own, which is never dropped: a COPY that is, leaves a connection out of step.
    let (worker, its) = (app.clone(), claim.clone());
    let work = app.tasks.spawn(async move { its.kind.run(&worker, &its).await });
    let outcome = tokio::select! {
        outcome = work => outcome.unwrap_or_else(|panic| Err(Error::fault(panic))),
        // The work will find out by itself, at its next step.
        () = keep(app, &claim) => Ok(Ran::Lost),
    };
    match outcome {
        Ok(Ran::Paused) => claim.give_back(app).await?,
        Ok(ran) => tracing::info!(job.id = claim.id, outcome = ?ran, "job left"),
        Err(error) => {
            tracing::warn!(job.id = claim.id, error = %super::reason(&error), "job failed");
            claim.failed(app, &error).await?;
        }
    }
    Ok(true)
}

/// Extends the lease for as long as the job is ours; returns when it is not.
async fn keep(app: &App, claim: &Claim) {
    let third = Duration::from_millis(app.config.job_lease_s.max(1) * 1_000 / 3);
    loop {
        tokio::time::sleep(third).await;
        match claim.extend(app).await {
            Ok(true) => {}
            Ok(false) => return,
            // The work itself will run into it, or it will be over by then.
            Err(error) => tracing::warn!(job.id = claim.id, error = %error, "lease not extended"),
        }
    }
}
