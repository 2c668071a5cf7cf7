//! What machines send: sales, payments, events, signs of life and audits, kept by month and summed up as
//! they arrive.

pub mod evadts;
pub mod offline;
pub mod record;
pub mod selection;
pub mod sender;

use crate::{
    app::App,
    resource::{self, Spec},
};
use utoipa_axum::router::OpenApiRouter;

/// The plain resources of this area.
pub fn resources() -> Vec<&'static Spec> {
    Vec::new()
}

/// What this area serves.
pub fn routes() -> OpenApiRouter<App> {
    resource::routes(&resources())
}
