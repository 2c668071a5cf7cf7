//! Alerts: what is looked out for, and who is told.

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
