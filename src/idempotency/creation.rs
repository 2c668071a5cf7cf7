//! The transaction of something that is created, with the answer that is remembered in it.

use super::{claim, remembered::Claim};
use crate::{
    crash,
    error::{Error, Result},
    http::Json,
    transaction,
};
use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::{PgConnection, PgPool, PgTransaction};
use std::ops::{Deref, DerefMut};

/// A transaction that creates something for a request. It ends with the answer to that request, so that no handler
/// can commit and forget to remember what it says.
#[derive(Debug)]
pub struct Creation {
    tx: PgTransaction<'static>,
    claim: Option<Claim>,
    now: DateTime<Utc>,
}

impl Creation {
    /// Begins one. Where the request's key has an answer, or another request with it is under way, it ends here.
    pub async fn begin(db: &PgPool, now: DateTime<Utc>) -> Result<Self> {
        let mut tx = transaction::begin(db).await?;
        let claim = claim();
        if let Some(claim) = &claim {
            claim.hold(&mut tx).await?;
            claim.expect_new(&mut tx, now).await?;
        }
        Ok(Self { tx, claim, now })
    }

    /// Gives up what was done; the key is free again when this returns.
    pub async fn rollback(self) -> Result<()> {
        Ok(self.tx.rollback().await?)
    }

    /// Commits, and answers with `body`.
    pub async fn commit<T: Serialize>(self, status: StatusCode, body: T) -> Result<(StatusCode, Json<T>)> {
        let text = self.claim.is_some().then(|| serde_json::to_string(&body)).transpose();
        self.end(status, text.map_err(Error::fault)?).await?;
        Ok((status, Json(body)))
    }

    /// Commits, and answers with `body`, of which only `lasting` is remembered: the rest is a secret.
    pub async fn commit_secret<T: Serialize>(
        self,
        status: StatusCode,
        body: T,
        lasting: impl Serialize,
    ) -> Result<(StatusCode, Json<T>)> {
        let text = self.claim.is_some().then(|| serde_json::to_string(&lasting)).transpose();
        self.end(status, text.map_err(Error::fault)?).await?;
        Ok((status, Json(body)))
    }

    /// Commits, and answers without a body.
    pub async fn commit_silent(self, status: StatusCode) -> Result<StatusCode> {
        self.end(status, None).await?;
        Ok(status)
    }

    async fn end(mut self, status: StatusCode, answer: Option<String>) -> Result<()> {
        if let Some(claim) = &self.claim {
            claim.remember(&mut self.tx, status, answer.as_deref(), self.now).await?;
            crash::point("creation-before-commit");
        }
        self.tx.commit().await?;
        if self.claim.is_some() {
            crash::point("creation-after-commit");
        }
        Ok(())
    }
}

impl Deref for Creation {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        &self.tx
    }
}

impl DerefMut for Creation {
    fn deref_mut(&mut self) -> &mut PgConnection {
        &mut self.tx
    }
}
