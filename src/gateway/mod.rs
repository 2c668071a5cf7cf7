//! What machines' gateways fetch: how they are to be configured, and what they are to do.
//!
//! A gateway calls; nobody calls it. So what is wanted of a machine is stored, waits until its gateway
//! asks, and is wanted until the gateway has said what became of it.

pub mod commands;
pub mod configuration;
pub mod station;

use crate::app::App;
use utoipa_axum::router::OpenApiRouter;

/// What this area serves.
pub fn routes() -> OpenApiRouter<App> {
    configuration::routes().merge(commands::routes())
}
