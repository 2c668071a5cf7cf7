//! Commands: what machines are told to do.
//!
//! A command is stored before it is acknowledged, and waits for its machine's gateway, which polls
//! ([`poll`]). It is delivered at least once and in order, again and again until the gateway says what
//! became of it; its id tells the gateway which it has carried out already. One that is not fetched in
//! time expires.

pub mod command;
mod poll;
mod send;
mod store;
pub mod waiting;

pub use poll::POLL;

use crate::app::App;
use utoipa_axum::router::OpenApiRouter;

pub(super) fn routes() -> OpenApiRouter<App> {
    send::routes().merge(poll::routes())
}
