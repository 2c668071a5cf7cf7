//! Background work on Postgres.
//!
//! A job is a row, enqueued in the transaction that wants it. A worker claims it, and commits that
//! claim before it starts; the claim holds for a lease, which the worker keeps extending. A job whose
//! worker has died is therefore claimed again, and its work goes on from where it was last committed.
//!
//! What keeps two workers apart is not the lease but [`Claim::lock`]: every transaction that does a
//! part of the work first locks the job's row and checks that it still belongs to this claim. A
//! worker that was only slow, or whose job was cancelled, finds out there and commits nothing.
//!
//! Jobs of one kind take turns by user group, and a long job gives its turn back after each batch while another
//! group waits: nobody waits for more than one batch of each. The jobs of one group keep their order.
//!
//! Whoever locks both locks the job's row before the row of what the job is about.

pub mod worker;

use crate::{
    app::App,
    campaigns::generation,
    coupons::print,
    error::{Error, Result},
    gateway::configuration::bulk,
    mail::{outbox, send},
    transaction,
};
use chrono::{DateTime, Duration, Utc};
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

pub use worker::work;

/// The longest wait before another attempt, in seconds.
const BACKOFF_MAX_S: i64 = 300;

/// What there is to do in the background.
#[derive(Clone, Copy, Debug, PartialEq, Eq, sqlx::Type)]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum Kind {
    /// Generates the vouchers of a campaign, which is the job's subject.
    GenerateVouchers,
    /// Sends the mail about an account that is the job's subject.
    SendMail,
    /// Sends the mail about alerts that is the job's subject.
    SendAlert,
    /// Sets the configuration of many machines: the job's subject says to what.
    ConfigureMachines,
    /// Makes the PDF of a campaign's coupons; the campaign is its subject.
    PrintCoupons,
}

impl Kind {
    /// Every kind.
    pub const ALL: &[Self] = &[
        Self::GenerateVouchers,
        Self::SendMail,
        Self::SendAlert,
        Self::ConfigureMachines,
        Self::PrintCoupons,
    ];

    /// The author that its changes are recorded with.
    const fn author(self) -> &'static str {
        match self {
            Self::GenerateVouchers => "job generate_vouchers",
            Self::SendMail => "job send_mail",
            Self::SendAlert => "job send_alert",
            Self::ConfigureMachines => "job configure_machines",
            Self::PrintCoupons => "job print_coupons",
        }
    }

    async fn run(self, app: &App, claim: &Claim) -> Result<Ran> {
        match self {
            Self::GenerateVouchers => generation::run(app, claim).await,
            Self::SendMail | Self::SendAlert => send::run(app, claim).await,
            Self::ConfigureMachines => bulk::run(app, claim).await,
            Self::PrintCoupons => print::run(app, claim).await,
        }
    }

    /// Attempts in a row that get nothing done before a job of this kind counts as failed.
    const fn attempts_max(self) -> i32 {
        match self {
            Self::GenerateVouchers | Self::ConfigureMachines | Self::PrintCoupons => 8,
            // Mail servers are away for hours now and then: this is a working day.
            Self::SendMail | Self::SendAlert => 100,
        }
    }

    /// What else becomes true when a job of this kind is given up.
    async fn abandoned(self, connection: &mut PgConnection, subject: i64) -> Result<()> {
        match self {
            Self::GenerateVouchers => generation::stop(connection, subject).await,
            Self::SendMail | Self::SendAlert => outbox::remove(connection, subject).await,
            Self::ConfigureMachines => bulk::stop(connection, subject).await,
            // What is printed so far is kept, for a resume.
            Self::PrintCoupons => Ok(()),
        }
    }
}

/// How a run ended, if not by a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ran {
    /// Everything is done, and the job says so.
    Done,
    /// The server stops; another one is to go on.
    Paused,
    /// It is another user group's turn.
    Yielded,
    /// Something else has to be done first: it is to be looked at again a little later.
    TooEarly,
    /// The job is no longer this worker's.
    Lost,
}

/// Where a job stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, utoipa::ToSchema, sqlx::Type)]
#[serde(rename_all = "lowercase")]
#[sqlx(type_name = "text", rename_all = "lowercase")]
#[schema(as = JobState)]
pub enum State {
    /// Waits for a worker.
    Queued,
    /// Under way.
    Running,
    /// All done.
    Done,
    /// Given up after several attempts.
    Failed,
    /// Stopped on request.
    Cancelled,
}

/// How far a job is.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Progress {
    /// Its id.
    pub id: i64,
    /// What it is about.
    pub subject: i64,
    /// Where it stands.
    pub state: State,
    /// How much there is to do.
    pub total: i64,
    /// How much of it is done.
    pub done: i64,
    /// Why it can't be done as it was asked for.
    pub problem: Option<String>,
}

/// Puts a job in the queue, within the caller's transaction.
pub async fn enqueue(
    connection: &mut PgConnection,
    kind: Kind,
    subject: i64,
    group: i64,
    total: i64,
    now: DateTime<Utc>,
) -> Result<i64> {
    const SQL: &str = "
        INSERT INTO job (kind, subject, user_group, total, run_at, created_at, updated_at)
        VALUES ($1, $2, $3, $4, $5, $5, $5) RETURNING id";
    let job = sqlx::query_scalar(SQL).bind(kind).bind(subject).bind(group).bind(total).bind(now);
    Ok(job.fetch_one(connection).await?)
}

/// The job of this kind and id, if it is `group`'s or a group's below it.
pub async fn fetch(db: &PgPool, kind: Kind, id: i64, group: i64) -> Result<Option<Progress>> {
    const SQL: &str = "
        SELECT id, subject, state, total, done, problem FROM job WHERE id = $1 AND kind = $2
        AND user_group IN (SELECT descendant FROM user_group_tree WHERE ancestor = $3)";
    Ok(sqlx::query_as(SQL).bind(id).bind(kind).bind(group).fetch_optional(db).await?)
}

/// The latest job of this kind about `subject`.
pub async fn latest(db: &PgPool, kind: Kind, subject: i64) -> Result<Option<Progress>> {
    const SQL: &str = "SELECT id, subject, state, total, done, problem FROM job WHERE kind = $1 AND subject = $2 ORDER BY id DESC LIMIT 1";
    Ok(sqlx::query_as(SQL).bind(kind).bind(subject).fetch_optional(db).await?)
}

/// The same, locked for the caller's transaction.
pub async fn lock_latest(
    connection: &mut PgConnection,
    kind: Kind,
    subject: i64,
) -> Result<Option<Progress>> {
    const SQL: &str = "
        SELECT id, subject, state, total, done, problem FROM job WHERE kind = $1 AND subject = $2
        ORDER BY id DESC LIMIT 1 FOR UPDATE";
    Ok(sqlx::query_as(SQL).bind(kind).bind(subject).fetch_optional(connection).await?)
}

/// Stops a job that the caller has locked: once this is committed, no more of it will be.
pub async fn cancel(connection: &mut PgConnection, job: i64, now: DateTime<Utc>) -> Result<()> {
    const SQL: &str = "
        UPDATE job SET state = 'cancelled', worker = NULL, leased_until = NULL, updated_at = $2 WHERE id = $1";
    sqlx::query(SQL).bind(job).bind(now).execute(connection).await?;
    Ok(())
}

/// Puts a job that has ended, and that the caller has locked, back in the queue.
pub async fn requeue(connection: &mut PgConnection, job: i64, now: DateTime<Utc>) -> Result<()> {
    const SQL: &str = "
        WITH queued AS (
            UPDATE job SET state = 'queued', attempts = 0, error = NULL, problem = NULL, run_at = $2,
                updated_at = $2
            WHERE id = $1 RETURNING id
        )
        SELECT pg_notify('scrip', 'job:' || id) FROM queued";
    sqlx::query(SQL).bind(job).bind(now).execute(connection).await?;
    Ok(())
}

/// Begins a job again that the caller has locked, whoever is at work on it: that worker loses it.
pub async fn restart(
    connection: &mut PgConnection,
    job: i64,
    run_at: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<()> {
    const SQL: &str = "
        UPDATE job SET state = 'queued', done = 0, worker = NULL, leased_until = NULL, attempts = 0, error = NULL,
            problem = NULL, run_at = $2, updated_at = $3
        WHERE id = $1";
    sqlx::query(SQL).bind(job).bind(run_at).bind(now).execute(connection).await?;
    Ok(())
}

/// The step after a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Another one.
    More,
    /// Another one, once the user groups that wait have had their turn.
    Yield,
    /// Nothing: it was the last.
    Complete,
}

/// A job in the hands of one worker.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Claim {
    /// The job.
    pub id: i64,
    /// What is to be done.
    pub kind: Kind,
    /// To what.
    pub subject: i64,
    /// How much there is to do.
    pub total: i64,
    /// Attempts so far that got nothing done, this one included.
    attempts: i32,
    /// Names this claim, and no other of the same job.
    worker: Uuid,
}

impl Claim {
    /// Locks the job for a transaction and says how much is done; `None` if it is no longer ours.
    pub async fn lock(&self, connection: &mut PgConnection) -> Result<Option<i64>> {
        const SQL: &str =
            "SELECT done FROM job WHERE id = $1 AND worker = $2 AND state = 'running' FOR UPDATE";
        Ok(sqlx::query_scalar(SQL).bind(self.id).bind(self.worker).fetch_optional(connection).await?)
    }

    /// Notes how much is done, in the transaction that has done it, and extends the lease.
    pub async fn advance(&self, connection: &mut PgConnection, done: i64, app: &App) -> Result<Next> {
        const SQL: &str = "
            UPDATE job SET done = $3, attempts = 0, leased_until = $4, updated_at = $5,
                state = CASE WHEN $3 >= total THEN 'done' ELSE state END
            WHERE id = $1 AND worker = $2
            RETURNING state = 'done',
                EXISTS (SELECT FROM job o WHERE o.kind = job.kind AND o.user_group < job.user_group
                    AND o.state = 'queued' AND o.run_at <= $5)
                OR EXISTS (SELECT FROM job o WHERE o.kind = job.kind AND o.user_group > job.user_group
                    AND o.state = 'queued' AND o.run_at <= $5)";
        let now = app.clock.now();
        let update =
            sqlx::query_as(SQL).bind(self.id).bind(self.worker).bind(done).bind(now + lease(app)).bind(now);
        Ok(match update.fetch_optional(connection).await? {
            Some((true, _)) => Next::Complete,
            Some((false, true)) => Next::Yield,
            Some((false, false)) | None => Next::More,
        })
    }

    /// Notes how much there is to do in all, where that was not known when the job was enqueued.
    pub async fn measure(&self, connection: &mut PgConnection, total: i64) -> Result<()> {
        const SQL: &str = "UPDATE job SET total = $3 WHERE id = $1 AND worker = $2";
        sqlx::query(SQL).bind(self.id).bind(self.worker).bind(total).execute(connection).await?;
        Ok(())
    }

    /// Takes the job away, in the transaction that has done the last of it: nobody will ask how it went.
    pub async fn dismiss(&self, connection: &mut PgConnection) -> Result<()> {
        const SQL: &str = "DELETE FROM job WHERE id = $1 AND worker = $2";
        sqlx::query(SQL).bind(self.id).bind(self.worker).execute(connection).await?;
        Ok(())
    }

    /// Extends the lease; false if the job is no longer ours.
    async fn extend(&self, app: &App) -> Result<bool> {
        const SQL: &str =
            "UPDATE job SET leased_until = $3 WHERE id = $1 AND worker = $2 AND state = 'running'";
        let until = app.clock.now() + lease(app);
        let update = sqlx::query(SQL).bind(self.id).bind(self.worker).bind(until);
        Ok(update.execute(&app.db).await?.rows_affected() == 1)
    }

    /// Hands the job back unfinished, to be claimed by the next: from `run_at` on, or in its old place.
    async fn give_back(&self, app: &App, run_at: Option<DateTime<Utc>>) -> Result<()> {
        const SQL: &str = "
            UPDATE job SET state = 'queued', worker = NULL, leased_until = NULL, run_at = COALESCE($3, run_at),
                attempts = GREATEST(attempts - 1, 0)
            WHERE id = $1 AND worker = $2 AND state = 'running'";
        sqlx::query(SQL).bind(self.id).bind(self.worker).bind(run_at).execute(&app.db).await?;
        Ok(())
    }

    /// Notes a fault: another attempt later, or the end. What is refused would be so again.
    async fn failed(&self, app: &App, fault: &Error) -> Result<()> {
        const RETRY: &str = "
            UPDATE job SET state = 'queued', worker = NULL, leased_until = NULL, error = $3, run_at = $4
            WHERE id = $1 AND worker = $2 AND state = 'running'";
        const GIVE_UP: &str = "
            UPDATE job SET state = 'failed', worker = NULL, leased_until = NULL, error = $3, updated_at = $4,
                problem = $5
            WHERE id = $1 AND worker = $2 AND state = 'running'";
        let text = reason(fault);
        let now = app.clock.now();
        let problem = fault.refusal();
        if problem.is_none() && self.attempts < self.kind.attempts_max() {
            let retry = sqlx::query(RETRY).bind(self.id).bind(self.worker).bind(text);
            retry.bind(now + backoff(self.attempts)).execute(&app.db).await?;
            return Ok(());
        }
        let mut transaction = transaction::begin(&app.db).await?;
        let give_up = sqlx::query(GIVE_UP).bind(self.id).bind(self.worker).bind(text).bind(now).bind(problem);
        if give_up.execute(&mut *transaction).await?.rows_affected() == 1 {
            self.kind.abandoned(&mut transaction, self.subject).await?;
        }
        transaction.commit().await?;
        Ok(())
    }
}

/// Claims a job of this kind that is due: a queued one, or one whose worker is silent. Of the user groups that
/// have one it is the turn of the one that was served longest ago; of its jobs, of the first.
async fn claim(app: &App, kind: Kind) -> Result<Option<Claim>> {
    // The groups are found by skipping from one to the next in the index of the queue.
    const SQL: &str = "
        WITH RECURSIVE tenant AS (
            (SELECT user_group FROM job WHERE kind = $4 AND state IN ('queued', 'running')
             ORDER BY user_group LIMIT 1)
            UNION ALL
            SELECT (SELECT j.user_group FROM job j
                    WHERE j.kind = $4 AND j.state IN ('queued', 'running') AND j.user_group > tenant.user_group
                    ORDER BY j.user_group LIMIT 1)
            FROM tenant WHERE tenant.user_group IS NOT NULL
        ), head AS (
            SELECT first.id, first.run_at, COALESCE(turn.taken, 0) AS taken
            FROM tenant
            CROSS JOIN LATERAL (
                SELECT j.id, j.run_at FROM job j
                WHERE j.kind = $4 AND j.user_group = tenant.user_group AND j.state IN ('queued', 'running')
                    AND CASE j.state WHEN 'queued' THEN j.run_at ELSE j.leased_until END <= $3
                ORDER BY j.run_at, j.id LIMIT 1
            ) first
            LEFT JOIN job_turn turn ON turn.kind = $4 AND turn.user_group = tenant.user_group
        ), claimed AS (
            UPDATE job SET state = 'running', worker = $1, leased_until = $2, attempts = attempts + 1,
                updated_at = $3
            WHERE id = (
                SELECT j.id FROM head JOIN job j ON j.id = head.id
                WHERE j.state IN ('queued', 'running')
                    AND CASE j.state WHEN 'queued' THEN j.run_at ELSE j.leased_until END <= $3
                ORDER BY head.taken, head.run_at, head.id LIMIT 1 FOR UPDATE OF j SKIP LOCKED
            )
            RETURNING id, kind, user_group, subject, total, attempts, worker
        ), turn AS (
            INSERT INTO job_turn (kind, user_group, taken)
            SELECT kind, user_group, nextval('job_turn_taken') FROM claimed
            ON CONFLICT (kind, user_group) DO UPDATE SET taken = EXCLUDED.taken
        )
        SELECT id, kind, subject, total, attempts, worker FROM claimed";
    let now = app.clock.now();
    let claim = sqlx::query_as(SQL).bind(Uuid::now_v7()).bind(now + lease(app)).bind(now).bind(kind);
    Ok(claim.fetch_optional(&app.db).await?)
}

fn lease(app: &App) -> Duration {
    Duration::seconds(app.config.job_lease_s as i64)
}

fn backoff(attempts: i32) -> Duration {
    Duration::seconds(2i64.pow(attempts.clamp(0, 16) as u32).min(BACKOFF_MAX_S))
}

/// A fault with its causes, for the job's row: nobody outside is shown it.
fn reason(fault: &Error) -> String {
    let mut text = fault.to_string();
    let mut cause = std::error::Error::source(fault);
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attempts_are_further_and_further_apart_up_to_a_limit() {
        let waits: Vec<_> = (1..=10).map(|attempts| backoff(attempts).num_seconds()).collect();
        assert_eq!(waits, [2, 4, 8, 16, 32, 64, 128, 256, 300, 300]);
    }
}
