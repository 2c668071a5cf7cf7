//! Coupons: vouchers on paper.

pub mod area;
pub mod bars;
pub mod composer;
pub mod coupon;
pub mod layout;
pub mod lettering;
pub mod logo;
mod logo_http;
mod logo_store;
pub mod press;
pub mod recent;
pub mod sheet;
pub mod symbol;
pub mod wording;

use crate::app::App;
use utoipa_axum::router::OpenApiRouter;

/// What this area serves.
pub fn routes() -> OpenApiRouter<App> {
    logo_http::routes()
}
