//! `/.well-known/security.txt` (RFC 9116): whom to tell of a hole in this installation.

use crate::{
    app::App,
    error::{Error, Result},
};
use axum::{
    Router,
    extract::State,
    http::{HeaderName, header},
    routing::get,
};
use chrono::{Days, SecondsFormat};

/// The time that it is good for; it is written anew each time that it is asked for.
const GOOD_FOR: Days = Days::new(180);

pub(super) fn pages() -> Router<App> {
    Router::new().route("/.well-known/security.txt", get(read))
}

/// Writes the file; there is none where the operator names no contact.
async fn read(State(app): State<App>) -> Result<([(HeaderName, &'static str); 1], String)> {
    let contact = app.config.security_contact.as_deref().ok_or(Error::NotFound("file"))?;
    // An address alone is meant for mail.
    let scheme = if contact.contains(':') { "" } else { "mailto:" };
    let expires = (app.clock.now() + GOOD_FOR).to_rfc3339_opts(SecondsFormat::Secs, true);
    let server = app.config.public_url.trim_end_matches('/');
    let text = format!(
        "Contact: {scheme}{contact}\nExpires: {expires}\nCanonical: {server}/.well-known/security.txt\n\
         Preferred-Languages: en\n"
    );
    Ok(([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], text))
}
