//! Links to files that a browser can follow: an address with a token of its own, good for one path and
//! a few minutes, and for no longer than the account that it was shown to.

use super::{Caller, caller};
use crate::{
    app::App,
    error::{Error, Result},
};
use axum::{
    extract::{FromRequestParts, OriginalUri},
    http::{Uri, request::Parts},
};

/// The query parameter that a link's token is in.
pub const TOKEN: &str = "token";

/// The address of the file at `path` (which begins with a slash) for `caller`. An API key is no part of
/// it: who has one sends it along.
pub fn to(app: &App, caller: &Caller, path: &str) -> Result<String> {
    let url = format!("{}/v1{path}", app.config.public_url.trim_end_matches('/'));
    let (Some(account), Some(family)) = (caller.account(), caller.family) else { return Ok(url) };
    let life_s = app.config.link_s;
    let token =
        app.tokens.issue_link(account, caller.grant.generation, family, path, life_s, app.clock.now())?;
    Ok(format!("{url}?{TOKEN}={token}"))
}

/// The same address without the token, which no handler has to know of.
fn without_token(uri: &Uri) -> Uri {
    let is_token = |pair: &&str| form_urlencoded::parse(pair.as_bytes()).any(|(name, _)| name == TOKEN);
    let query = uri.query().unwrap_or_default();
    let rest: Vec<_> = query.split('&').filter(|pair| !is_token(pair)).collect();
    // A part of an address that was read is one itself.
    format!("{}?{}", uri.path(), rest.join("&")).parse().unwrap_or_default()
}

/// The caller of a request for a file: by the token in its link, or else as everywhere.
#[derive(Clone, Debug)]
pub struct Visitor(pub Caller);

impl FromRequestParts<App> for Visitor {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self> {
        let query = parts.uri.query().unwrap_or_default().as_bytes();
        let Some((_, token)) = form_urlencoded::parse(query).find(|(name, _)| name == TOKEN) else {
            return Caller::from_request_parts(parts, app).await.map(Self);
        };
        let uri = parts.extensions.get::<OriginalUri>().map_or(&parts.uri, |original| &original.0);
        let path = uri.path().strip_prefix("/v1").unwrap_or(uri.path());
        let caller = match app.tokens.read_link(&token, path, app.clock.now()) {
            Some(claims) => {
                caller::of_session(app, claims.account, claims.generation, claims.family, parts).await?
            }
            None => None,
        };
        parts.uri = without_token(&parts.uri);
        let caller =
            caller.ok_or(Error::Unauthorized("the link is not good, or no longer: ask for a new one"))?;
        Ok(Self(caller))
    }
}
