//! Users and the tree of their groups: who is there, below whom, allowed what.
//!
//! Both are kept when they are deleted, so that whatever names them goes on making sense; they are
//! switched off, and no longer shown. Nobody gives away more than it has: a group never allows more
//! than the group above it, and a key makes nobody who may do more than the key itself.

mod erasure;
pub mod group;
mod group_http;
mod group_store;
pub mod operator;
mod reach;
pub mod record;
pub mod user;
mod user_http;
mod user_store;

use crate::app::App;
use utoipa_axum::router::OpenApiRouter;

/// What this area serves.
pub fn routes() -> OpenApiRouter<App> {
    user_http::routes().merge(group_http::routes())
}
