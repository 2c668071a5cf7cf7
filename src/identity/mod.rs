//! Who is calling and what they may do: log-in, tokens, API keys, groups and permissions.
//!
//! A person logs in and gets a short access token and a refresh token that rotates; a device or an
//! integration has an API key. Either is turned into a [`access::Grant`], which the caller of a
//! request is made from. Of every secret that is handed out, only its SHA-256 is stored.

pub mod access;
pub mod directory;
pub mod groups;
mod hs256;
pub mod http;
pub mod keys;
pub mod login;
pub mod look;
pub mod password_page;
pub mod password_rules;
pub mod passwords;
pub mod permission;
pub mod profile;
pub mod recovery;
pub mod recovery_http;
mod secrets;
pub mod sessions;
pub mod tokens;

use crate::{
    app::App,
    resource::{self, Resource, Spec},
};
use utoipa_axum::router::OpenApiRouter;

/// The plain resources of identity.
pub fn resources() -> Vec<&'static Spec> {
    vec![directory::User::spec(), directory::UserGroup::spec()]
}

/// The endpoints of identity.
pub fn routes() -> OpenApiRouter<App> {
    resource::routes(&resources()).merge(http::routes()).merge(recovery_http::routes())
}
