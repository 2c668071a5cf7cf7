//! Who calls, for which user group, allowed what.

use crate::{
    app::App,
    error::{Error, Result},
};
use axum::{extract::FromRequestParts, http::request::Parts};
use std::sync::Arc;

/// Something that a group's members can be allowed, as `area.action`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Permission {
    /// See campaigns, their statistics and progress.
    CampaignRead,
    /// Create, change and delete campaigns.
    CampaignWrite,
    /// See vouchers and their logs.
    VoucherRead,
    /// Create and change vouchers.
    VoucherWrite,
    /// Validate, redeem, release and roll back for machines.
    VoucherRedeem,
    /// See API keys.
    ApiKeyRead,
    /// Create and revoke API keys.
    ApiKeyWrite,
}

/// Which kind of caller it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Who {
    /// A person.
    Account(i64),
    /// A device or an integration, by its key's id.
    Key {
        /// The key's id.
        id: i64,
        /// The one machine that it speaks for; any machine of its group or below without one.
        machine: Option<i64>,
    },
}

/// What one account or key may do: what [`Caller`] is made from, kept in memory.
#[derive(Debug)]
pub struct Grant {
    /// Whose it is.
    pub who: Who,
    /// The user group that it acts for.
    pub group: i64,
    /// What its group (and, for a key, its scopes) allows.
    pub permissions: Vec<Permission>,
}

/// The caller of a request: its extractor refuses those without a good token.
#[derive(Clone, Debug)]
pub struct Caller(pub Arc<Grant>);

impl Caller {
    /// The user group that the caller acts for: it sees what belongs to it or to a group below.
    pub fn group(&self) -> i64 {
        self.0.group
    }

    /// Refuses (403) a caller who lacks `permission`.
    pub fn may(&self, permission: Permission) -> Result<()> {
        if self.0.permissions.contains(&permission) {
            Ok(())
        } else {
            Err(Error::Forbidden("your group does not allow this".into()))
        }
    }
}

impl FromRequestParts<App> for Caller {
    type Rejection = Error;

    async fn from_request_parts(_parts: &mut Parts, _app: &App) -> Result<Self> {
        Err(Error::Unauthorized("send a token: Authorization: Bearer …"))
    }
}
