//! Logs: one line a request, as text or JSON, filtered by `RUST_LOG`.
//!
//! A line names the route's pattern and never the path, a body or a header: those hold codes,
//! tokens and passwords.

use crate::config::LogFormat;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use std::io::IsTerminal;
use tracing_subscriber::EnvFilter;

/// What is logged where `RUST_LOG` does not say: sqlx would log statements that it finds slow.
const FILTER_DEFAULT: &str = "info,sqlx=warn";

/// Carries the request's id in both directions.
pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The longest request id that is taken over, in bytes.
const REQUEST_ID_MAX_BYTES: usize = 64;

/// Starts logging to standard error; a second start changes nothing.
pub fn start(format: LogFormat) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(FILTER_DEFAULT));
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    let started = match format {
        LogFormat::Text => subscriber.with_target(false).try_init(),
        LogFormat::Json => {
            subscriber.json().flatten_event(true).with_current_span(true).with_span_list(false).try_init()
        }
    };
    if let Err(error) = started {
        tracing::debug!(%error, "logging had started before");
    }
}

/// The caller's request id if it is a sane one, else a new one.
pub(super) fn request_id(headers: &HeaderMap) -> HeaderValue {
    let sane = |id: &&HeaderValue| {
        (1..=REQUEST_ID_MAX_BYTES).contains(&id.len())
            && id.as_bytes().iter().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(byte))
    };
    headers.get(REQUEST_ID).filter(sane).cloned().unwrap_or_else(|| {
        let mut text = [0; uuid::fmt::Simple::LENGTH];
        // It need not be hard to guess: the thread's own generator saves a system call.
        let id =
            uuid::Builder::from_random_bytes(rand::random()).into_uuid().simple().encode_lower(&mut text);
        HeaderValue::from_str(id).unwrap_or(HeaderValue::from_static("unknown"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_sane_request_id_is_taken_over() {
        let given = |id: &str| HeaderMap::from_iter([(REQUEST_ID, HeaderValue::from_str(id).unwrap())]);
        assert_eq!(request_id(&given("till-7.42_a")), "till-7.42_a");
        for odd in ["", "a b", "x\"y", &"a".repeat(65)] {
            assert_ne!(request_id(&given(odd)), odd);
        }
        assert_ne!(request_id(&HeaderMap::new()), request_id(&HeaderMap::new()));
    }
}
