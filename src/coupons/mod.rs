//! Coupons: vouchers on paper.

pub mod lettering;
pub mod logo;
mod logo_http;
mod logo_store;

use crate::app::App;
use utoipa_axum::router::OpenApiRouter;

/// What this area serves.
pub fn routes() -> OpenApiRouter<App> {
    logo_http::routes()
}
