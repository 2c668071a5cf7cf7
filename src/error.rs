//! Faults and refusals as the API shows them: RFC 9457 problems.
//!
//! One table ([`Error::face`]) gives every variant its status and its type. What a voucher's
//! machine is told (`locked`, `expired`, …) is not an error: see [`crate::redemption`].

use crate::fairness::Limit;
use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use utoipa::ToSchema;

/// The result of anything that a request can set off.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// One thing wrong with a request, and where.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Issue {
    /// JSON pointer (RFC 6901) into the body, or `/name` of a path or query parameter.
    #[schema(value_type = String, examples("/voucherValue"))]
    pub pointer: Cow<'static, str>,
    /// What is wrong there.
    #[schema(value_type = String, examples("must be at least 0"))]
    pub detail: Cow<'static, str>,
}

impl Issue {
    /// `pointer` starts with a slash, or is empty for the whole body. What is long is cut: clients choose
    /// names and words that stand in both.
    pub fn at(pointer: impl Into<Cow<'static, str>>, detail: impl Into<Cow<'static, str>>) -> Self {
        Self { pointer: cut(pointer.into(), POINTER_MAX_BYTES), detail: cut(detail.into(), DETAIL_MAX_BYTES) }
    }
}

/// The longest pointer in an answer, in bytes.
const POINTER_MAX_BYTES: usize = 200;

/// The longest detail in an answer, in bytes.
const DETAIL_MAX_BYTES: usize = 1_000;

/// Ends a text that is too long with an ellipsis.
fn cut(text: Cow<'static, str>, max_bytes: usize) -> Cow<'static, str> {
    if text.len() <= max_bytes {
        return text;
    }
    format!("{}…", &text[..text.floor_char_boundary(max_bytes)]).into()
}

/// A store that Scrip needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Store {
    /// The source of truth.
    Postgres,
    /// What can be lost.
    Redis,
}

/// Why a request was not carried out.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Not readable as what it claims to be, or a query that names unknown columns.
    #[error("the request is malformed")]
    Malformed(Vec<Issue>),
    /// No token, or one that is not (or no longer) good.
    #[error("{0}")]
    Unauthorized(&'static str),
    /// The caller is known, and may not.
    #[error("{0}")]
    Forbidden(Cow<'static, str>),
    /// There is none, or none that the caller may know of.
    #[error("there is no such {0}")]
    NotFound(&'static str),
    /// It contradicts what is there.
    #[error("{0}")]
    Conflict(Cow<'static, str>),
    /// Another request with the same `Idempotency-Key` has not ended yet.
    #[error("a request with this Idempotency-Key is under way")]
    UnderWay,
    /// More was sent than is allowed.
    #[error("the {what} is larger than {limit_bytes} bytes")]
    TooLarge {
        /// What is too large: the body, or the part of it that has a limit of its own.
        what: &'static str,
        /// The limit in force.
        limit_bytes: usize,
    },
    /// What `If-Match` names is not what is there.
    #[error("it has changed since")]
    Changed,
    /// The body is of a type that is not read here.
    #[error("send {takes}")]
    UnsupportedMedia {
        /// What is read here.
        takes: &'static str,
    },
    /// None of the bytes that were asked for is there.
    #[error("it has no more than {length} bytes")]
    Beyond {
        /// How many there are.
        length: u64,
    },
    /// Readable, and wrong.
    #[error("the request is invalid")]
    Invalid(Vec<Issue>),
    /// A budget is used up.
    #[error("too many requests: {what}")]
    TooMany {
        /// Whose budget.
        what: &'static str,
        /// After this many seconds it is worth trying again.
        retry_after_s: u64,
    },
    /// Places that tenants share are taken, and as many wait for one as may.
    #[error("{} {what} are under way, try again", match limit {
        Limit::Share => "too many of your",
        Limit::Total => "too many",
    })]
    Crowded {
        /// The kind of request that there are too many of.
        what: &'static str,
        /// The limit that was met: the caller's share, or the places of all tenants together.
        limit: Limit,
        /// After this many seconds it is worth trying again.
        retry_after_s: u64,
    },
    /// The body did not come in time.
    #[error("the body took too long")]
    TooSlow,
    /// There is no room for another request.
    #[error("too many requests are under way, try again")]
    Busy,
    /// A store is away; nothing was promised.
    #[error("{store:?} is away, try again")]
    Unavailable {
        /// Its id.
        store: Store,
    },
    /// Ours to mend.
    #[error("something went wrong on our side")]
    Fault(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl Error {
    /// One invalid field.
    pub fn invalid(pointer: impl Into<Cow<'static, str>>, detail: impl Into<Cow<'static, str>>) -> Self {
        Self::Invalid(vec![Issue::at(pointer, detail)])
    }

    /// One unreadable part.
    pub fn malformed(pointer: impl Into<Cow<'static, str>>, detail: impl Into<Cow<'static, str>>) -> Self {
        Self::Malformed(vec![Issue::at(pointer, detail)])
    }

    /// A fault of ours.
    pub fn fault(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Fault(source.into())
    }

    /// What is wrong with what was asked for, if that is what is wrong: asking again won't help.
    pub fn refusal(&self) -> Option<String> {
        match self {
            Self::Invalid(issues) => {
                Some(issues.iter().map(|issue| &*issue.detail).collect::<Vec<_>>().join("; "))
            }
            _ => None,
        }
    }

    /// Status and type of each variant: what a client may rely on.
    pub const fn face(&self) -> (StatusCode, &'static str) {
        match self {
            Self::Malformed(_) => (StatusCode::BAD_REQUEST, "malformed"),
            Self::Unauthorized(_) => (StatusCode::UNAUTHORIZED, "unauthorized"),
            Self::Forbidden(_) => (StatusCode::FORBIDDEN, "forbidden"),
            Self::NotFound(_) => (StatusCode::NOT_FOUND, "not-found"),
            Self::Conflict(_) => (StatusCode::CONFLICT, "conflict"),
            Self::UnderWay => (StatusCode::CONFLICT, "under-way"),
            Self::TooLarge { .. } => (StatusCode::PAYLOAD_TOO_LARGE, "too-large"),
            Self::Changed => (StatusCode::PRECONDITION_FAILED, "precondition-failed"),
            Self::UnsupportedMedia { .. } => (StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported-media-type"),
            Self::Beyond { .. } => (StatusCode::RANGE_NOT_SATISFIABLE, "range-not-satisfiable"),
            Self::Invalid(_) => (StatusCode::UNPROCESSABLE_ENTITY, "invalid"),
            Self::TooMany { .. } | Self::Crowded { limit: Limit::Share, .. } => {
                (StatusCode::TOO_MANY_REQUESTS, "too-many-requests")
            }
            Self::Crowded { limit: Limit::Total, .. } | Self::Busy => {
                (StatusCode::SERVICE_UNAVAILABLE, "busy")
            }
            Self::TooSlow => (StatusCode::REQUEST_TIMEOUT, "too-slow"),
            Self::Unavailable { .. } => (StatusCode::SERVICE_UNAVAILABLE, "unavailable"),
            Self::Fault(_) => (StatusCode::INTERNAL_SERVER_ERROR, "fault"),
        }
    }

    /// The problem document of this error.
    pub fn problem(&self) -> Problem {
        let (status, kind) = self.face();
        let detail = self.to_string();
        let errors = match self {
            Self::Malformed(issues) | Self::Invalid(issues) => issues.clone(),
            _ => Vec::new(),
        };
        let message = match errors.first() {
            Some(issue) if !issue.pointer.is_empty() => format!("{}: {}", issue.pointer, issue.detail),
            Some(issue) => issue.detail.to_string(),
            None => detail.clone(),
        };
        Problem {
            kind: format!("/docs/problems/{kind}"),
            title: status.canonical_reason().unwrap_or_default().to_owned(),
            status: status.as_u16(),
            detail,
            errors,
            message,
        }
    }
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        if postgres_is_away(&error) || gave_way(&error) {
            tracing::warn!(error = %error, "postgres did not answer");
            Self::Unavailable { store: Store::Postgres }
        } else {
            Self::fault(error)
        }
    }
}

/// Whether the statement failed for want of a server, as opposed to its own faults.
/// Outcomes of statements that were under way are then unknown.
pub fn postgres_is_away(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::Protocol(_)
        | sqlx::Error::WorkerCrashed => true,
        sqlx::Error::Database(error) => error.code().is_some_and(|code| {
            // Connection trouble, out of resources, shutting down, lock not had in time, read-only standby.
            matches!(code.get(..2), Some("08" | "53" | "57")) || code == "55P03" || code == "25006"
        }),
        _ => false,
    }
}

/// Whether the transaction was ended for another that it stood in the way of; it can be tried again.
fn gave_way(error: &sqlx::Error) -> bool {
    error
        .as_database_error()
        .and_then(sqlx::error::DatabaseError::code)
        .is_some_and(|code| code.starts_with("40"))
}

/// Whether a statement ran into the named constraint or unique index.
pub fn violates(error: &sqlx::Error, constraint: &str) -> bool {
    error.as_database_error().is_some_and(|error| error.constraint() == Some(constraint))
}

/// An error document (RFC 9457); `message` is for clients that predate it.
#[derive(Debug, Serialize, ToSchema)]
pub struct Problem {
    /// Identifies the kind of problem; served by this server, with causes and cures.
    #[serde(rename = "type")]
    #[schema(examples("/docs/problems/invalid"))]
    pub kind: String,
    /// The status in words.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What is wrong, in a sentence.
    pub detail: String,
    /// Each field that is wrong.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<Issue>,
    /// The most useful of the above in one line.
    pub message: String,
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        if let Self::Fault(source) = &self {
            tracing::error!(error = %source, source = ?source.source(), "request failed");
        }
        let problem = self.problem();
        let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, axum::Json(problem)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        match self {
            Self::TooMany { retry_after_s, .. } | Self::Crowded { retry_after_s, .. } => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from(retry_after_s));
            }
            Self::Unavailable { .. } | Self::Busy | Self::UnderWay => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
            }
            Self::Beyond { length } => {
                headers.extend(
                    HeaderValue::try_from(format!("bytes */{length}"))
                        .map(|length| (header::CONTENT_RANGE, length)),
                );
            }
            Self::Unauthorized(_) => {
                headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            _ => {}
        }
        response
    }
}
