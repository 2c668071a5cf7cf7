//! The page that the links of mails lead to: a new password, and nothing else on it.

use crate::app::App;
use axum::{
    Router,
    http::{HeaderName, HeaderValue, header},
    response::{IntoResponse, Response},
    routing::get,
};

const PAGE: &str = include_str!("../../templates/account/password.html");
const STYLE: &str = include_str!("../../templates/account/password.css");
const SCRIPT: &str = include_str!("../../templates/account/password.js");

/// What the page may do: load its two files, and ask this server.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The page under both of its addresses, and its files.
pub fn pages() -> Router<App> {
    let page = |endpoint: &'static str| {
        move || async move { file("text/html; charset=utf-8", PAGE.replace("{{ endpoint }}", endpoint)) }
    };
    Router::new()
        .route("/account/activate", get(page("activate")))
        .route("/account/reset", get(page("resetpassword")))
        .route("/account/restore", get(page("restore")))
        .route("/account/password.css", get(|| async { file("text/css; charset=utf-8", STYLE) }))
        .route("/account/password.js", get(|| async { file("text/javascript; charset=utf-8", SCRIPT) }))
}

fn file(kind: &'static str, body: impl IntoResponse) -> Response {
    let headers: [(HeaderName, HeaderValue); 5] = [
        (header::CONTENT_TYPE, HeaderValue::from_static(kind)),
        (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)),
        (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    (headers, body).into_response()
}
