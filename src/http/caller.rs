//! Who calls, for which user group, allowed what.

use super::peer::ClientAddress;
pub use crate::identity::{
    access::{Grant, Who},
    permission::{Permission, Permissions},
};
use crate::{
    app::App,
    author,
    error::{Error, Result},
    identity::access::KEY_PREFIX,
};
use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, header, request::Parts},
};
use std::sync::Arc;
use uuid::Uuid;

/// The caller of a request, and the log-in of one who is logged in: its extractor refuses those without a good token.
#[derive(Clone, Debug)]
pub struct Caller {
    /// Its permissions, and the user group that it acts for.
    pub grant: Arc<Grant>,
    /// Where the request came from.
    pub address: ClientAddress,
    /// The log-in that its access token goes back to.
    pub(super) family: Option<Uuid>,
}

impl Caller {
    /// The caller that a grant is for; changes that it makes are noted as its own.
    fn of(grant: Arc<Grant>, family: Option<Uuid>, parts: &Parts) -> Self {
        author::is_caller(&grant);
        Self { grant, address: ClientAddress::of(parts), family }
    }

    /// The user group that the caller acts for: it sees what belongs to it or to a group below.
    pub fn group(&self) -> i64 {
        self.grant.group
    }

    /// The account, if a person calls.
    pub fn account(&self) -> Option<i64> {
        match self.grant.who {
            Who::Account(id) => Some(id),
            Who::Key { .. } => None,
        }
    }

    /// The one machine that the caller speaks for, if it is bound to one.
    pub fn machine(&self) -> Option<i64> {
        match self.grant.who {
            Who::Account(_) => None,
            Who::Key { machine, .. } => machine,
        }
    }

    /// Refuses (403) a caller who lacks `permission`.
    pub fn may(&self, permission: Permission) -> Result<()> {
        if self.grant.allows(permission) {
            Ok(())
        } else {
            Err(Error::Forbidden(format!("this needs the permission {permission}").into()))
        }
    }
}

impl FromRequestParts<App> for Caller {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self> {
        let token =
            bearer(&parts.headers).ok_or(Error::Unauthorized("send a token: Authorization: Bearer …"))?;
        let now = app.clock.now();
        let caller = if token.starts_with(KEY_PREFIX) {
            let grant = app.access.of_key(&app.vends, token, now, ClientAddress::of(parts).0).await?;
            grant.map(|grant| Self::of(grant, None, parts))
        } else if let Some(claims) = app.tokens.read(token, now) {
            of_session(app, claims.account, claims.generation, claims.family, parts).await?
        } else {
            None
        };
        caller.ok_or(Error::Unauthorized("the token is not good, or no longer"))
    }
}

/// The caller of a session, unless it was ended.
pub(super) async fn of_session(
    app: &App,
    account: i64,
    generation: i64,
    family: Uuid,
    parts: &Parts,
) -> Result<Option<Caller>> {
    let grant = app.access.of_account(&app.db, account).await?;
    let grant = grant.filter(|grant| grant.generation == generation && !grant.ended.contains(&family));
    Ok(grant.map(|grant| Caller::of(grant, Some(family), parts)))
}

/// The token that was sent, if exactly one was.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut sent = headers.get_all(header::AUTHORIZATION).iter();
    let (scheme, token) = sent.next()?.to_str().ok()?.split_once(' ')?;
    (scheme.eq_ignore_ascii_case("bearer") && sent.next().is_none()).then(|| token.trim())
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    #[test]
    fn a_token_is_read_from_a_single_bearer_header() {
        let sent = |values: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(header::AUTHORIZATION, HeaderValue::from_static(value));
            }
            bearer(&headers).map(str::to_owned)
        };
        assert_eq!(sent(&["Bearer abc"]).as_deref(), Some("abc"));
        assert_eq!(sent(&["bearer  abc "]).as_deref(), Some("abc"));
        for bad in [&[][..], &["abc"], &["Basic abc"], &["Bearer"], &["Bearer abc", "Bearer def"]] {
            assert_eq!(sent(bad), None, "{bad:?}");
        }
    }
}
