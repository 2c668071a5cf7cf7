//! Entries that are written one by one: those of a batch that failed, since one of them is to blame.

use super::{
    Lost, Outcome,
    batch::{self, Group},
    lane::{GRACE, Means, Submission},
};
use crate::{
    error::postgres_is_away,
    postgres::{barrier, warnings::hearing},
};
use std::collections::BTreeMap;

/// Writes one entry of a batch that failed, for as long as it has. If that is not enough, nobody knows.
pub(super) async fn write_apart(means: Means, submission: Submission) {
    let _ = tokio::time::timeout_at(submission.give_up_at + GRACE, write_one(means, submission)).await;
}

/// Writes one entry on a connection of the pool.
async fn write_one(Means { pool, liveness, .. }: Means, submission: Submission) {
    let group = BTreeMap::from([(submission.entry.voucher, Group { entries: vec![&submission.entry] })]);
    // With a look: a repeat is what most likely failed the batch.
    let written = async {
        let mut connection = pool.acquire().await?;
        let (written, warned) = hearing(batch::write(&mut connection, &group, true)).await;
        if warned && liveness.replicates() {
            barrier::confirm(&mut connection).await?;
        }
        written
    }
    .await;
    let outcome = match &written {
        Ok(spent) => match spent.get(&submission.entry.voucher) {
            Some(spent) => return submission.entered(spent, 0),
            None => Ok(Outcome::Refused),
        },
        Err(error) if is_lock_timeout(error) || matches!(error, sqlx::Error::PoolTimedOut) => {
            Err(Lost::NotWritten)
        }
        Err(error) if postgres_is_away(error) => Err(Lost::Unknown),
        // The same order entered by someone else meanwhile, say: look again.
        Err(error) if error.as_database_error().is_some_and(|error| error.constraint().is_some()) => {
            Ok(Outcome::Refused)
        }
        Err(error) => {
            tracing::error!(error = %error, "a redemption cannot be written");
            Err(Lost::NotWritten)
        }
    };
    submission.answer(outcome);
}

/// Returns `true` if someone else held a row for too long.
pub(super) fn is_lock_timeout(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some_and(|error| error.code().as_deref() == Some("55P03"))
}
