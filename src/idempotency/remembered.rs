//! Answers by their keys in Postgres.

use super::with;
use crate::error::{Error, Result};
use axum::{
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgConnection;

/// The time for which an answer is remembered.
pub const KEPT: TimeDelta = TimeDelta::days(7);

/// Marks an answer that was given before.
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// A key, for who has sent it and what it was sent for.
#[derive(Debug)]
pub(super) struct Claim {
    pub(super) account: Option<i64>,
    pub(super) api_key: Option<i64>,
    pub(super) operation: String,
    pub(super) key: String,
    pub(super) request: Vec<u8>,
}

/// An answer that was given before.
#[derive(Debug, sqlx::FromRow)]
pub(super) struct Remembered {
    request: Vec<u8>,
    status: i32,
    answer: Option<String>,
}

impl Claim {
    /// Holds the key until the transaction ends, or says (409) that another request with it is under way.
    pub(super) async fn hold(&self, tx: &mut PgConnection) -> Result<()> {
        const SQL: &str = "
            SELECT pg_try_advisory_xact_lock(hashtextextended(concat_ws(' ', 'idempotency', $1, '/', $2, $3, $4), 0))";
        let held = sqlx::query_scalar(SQL)
            .bind(self.account)
            .bind(self.api_key)
            .bind(&self.operation)
            .bind(&self.key)
            .fetch_one(tx)
            .await?;
        if held { Ok(()) } else { Err(Error::UnderWay) }
    }

    /// Ends the request if its key has an answer: with that, or (409) because another body had it.
    pub(super) async fn expect_new(&self, db: &mut PgConnection, now: DateTime<Utc>) -> Result<()> {
        const SQL: &str = "
            SELECT request, status, answer FROM idempotency_key
            WHERE (account = $1 OR api_key = $2) AND operation = $3 AND key = $4 AND created_at > $5";
        let found: Option<Remembered> = sqlx::query_as(SQL)
            .bind(self.account)
            .bind(self.api_key)
            .bind(&self.operation)
            .bind(&self.key)
            .bind(now - KEPT)
            .fetch_optional(db)
            .await?;
        let Some(found) = found else { return Ok(()) };
        if found.request != self.request {
            return Err(Error::Conflict("another request had this Idempotency-Key".into()));
        }
        with(|keyed| keyed.answer = Some(found));
        Err(Error::Conflict("the request was answered before".into()))
    }

    /// Keeps the answer with what was created. One that is too old gives its place.
    pub(super) async fn remember(
        &self,
        tx: &mut PgConnection,
        status: StatusCode,
        answer: Option<&str>,
        now: DateTime<Utc>,
    ) -> Result<()> {
        const OLD: &str = "
            DELETE FROM idempotency_key WHERE (account = $1 OR api_key = $2) AND operation = $3 AND key = $4";
        const NEW: &str = "
            INSERT INTO idempotency_key (account, api_key, operation, key, request, status, answer, created_at)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
        let named = |sql| {
            sqlx::query(sql).bind(self.account).bind(self.api_key).bind(&self.operation).bind(&self.key)
        };
        named(OLD).execute(&mut *tx).await?;
        let new = named(NEW).bind(&self.request).bind(i32::from(status.as_u16())).bind(answer).bind(now);
        new.execute(tx).await?;
        Ok(())
    }
}

impl IntoResponse for Remembered {
    fn into_response(self) -> Response {
        let status = u16::try_from(self.status).ok().and_then(|status| StatusCode::from_u16(status).ok());
        let mut response = match self.answer {
            Some(json) => {
                ([(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))], json).into_response()
            }
            None => ().into_response(),
        };
        *response.status_mut() = status.unwrap_or(StatusCode::OK);
        response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
        response
    }
}
