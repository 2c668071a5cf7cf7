//! The fleet: what stands where, what it looks like and when it sells.

pub mod image;
pub mod opening_hours;
pub mod place;

use crate::app::App;
use utoipa_axum::router::OpenApiRouter;

/// Every endpoint of the fleet.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().merge(image::routes()).merge(opening_hours::routes())
}
