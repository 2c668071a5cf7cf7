//! The loops that work off the queue: in each server one job at a time of every kind, so that a long
//! one keeps none of another kind waiting.

use super::{Claim, Kind, Ran, claim};
use crate::{
    app::App,
    author,
    error::{Error, Result},
};
use chrono::TimeDelta;
use futures_util::future::join_all;
use std::time::Duration;
use tokio::sync::Notify;

/// How long a job waits at most where no notice wakes the worker.
const POLL: Duration = Duration::from_secs(1);

/// How long a job waits that came too early.
const TOO_EARLY: TimeDelta = TimeDelta::seconds(1);

/// What wakes the workers of this server.
#[derive(Debug)]
pub struct Bell(Vec<Notify>);

impl Default for Bell {
    fn default() -> Self {
        Self(Kind::ALL.iter().map(|_| Notify::new()).collect())
    }
}

impl Bell {
    /// Says that there may be a job to do.
    pub fn ring(&self) {
        self.0.iter().for_each(Notify::notify_one);
    }
}

/// Works until the server stops: whenever Postgres says that a job is due, and once a second in any case.
pub async fn work(app: App) {
    join_all(Kind::ALL.iter().zip(&app.jobs_due.0).map(|(kind, bell)| work_on(&app, *kind, bell))).await;
}

async fn work_on(app: &App, kind: Kind, bell: &Notify) {
    while !app.stop.is_cancelled() {
        match work_one_of(app, kind).await {
            Ok(true) => continue,
            Ok(false) => {}
            Err(error) => tracing::warn!(error = %error, "the job queue did not answer"),
        }
        tokio::select! {
            () = bell.notified() => {}
            () = tokio::time::sleep(POLL) => {}
            () = app.stop.cancelled() => {}
        }
    }
}

/// Claims one job of any kind and works on it; false if none is due.
pub async fn work_one(app: &App) -> Result<bool> {
    for kind in Kind::ALL {
        if work_one_of(app, *kind).await? {
            return Ok(true);
        }
    }
    Ok(false)
}

async fn work_one_of(app: &App, kind: Kind) -> Result<bool> {
    let Some(claim) = claim(app, kind).await? else { return Ok(false) };
    tracing::info!(job.id = claim.id, job.kind = ?claim.kind, job.subject = claim.subject, "job claimed");
    if claim.attempts > claim.kind.attempts_max() {
        // Nobody lived to note a fault: the attempts themselves end their servers.
        claim.failed(app, &Error::fault("every worker that took it died")).await?;
        return Ok(true);
    }
    // In a task of its own, which is dropped with its connections alone: a COPY that is, leaves one out of step.
    let (worker, its) = (app.clone(), claim.clone());
    let work = app.tasks.spawn(async move {
        let run = author::system(its.kind.author(), Box::pin(its.kind.run(&worker, &its)));
        worker.liveness.while_up(run).await
    });
    let outcome = tokio::select! {
        outcome = work => outcome.unwrap_or_else(|panic| Err(Error::fault(panic))),
        // The work will find out by itself, at its next step.
        () = keep(app, &claim) => Ok(Ran::Lost),
    };
    match outcome {
        Ok(Ran::Paused | Ran::Yielded) => claim.give_back(app, None).await?,
        Ok(Ran::TooEarly) => claim.give_back(app, Some(app.clock.now() + TOO_EARLY)).await?,
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
