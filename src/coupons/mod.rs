//! Coupons: vouchers on paper.
//!
//! What a coupon says comes from its campaign and its voucher ([`store`]); [`wording`] writes amounts
//! and dates as people do, [`lettering`] turns text into glyphs, [`symbol`] and [`bars`] turn codes into
//! what a scanner reads. [`layout`] gives each its place in a cell of a [`sheet`], and the [`press`]
//! writes the PDF. None of these does I/O.
//!
//! A campaign is printed in the background, in parts ([`print`](mod@print)); a single voucher when its coupon is
//! downloaded. Both go through the [`shop`].

pub mod area;
pub mod bars;
pub mod bundle;
mod campaign_http;
pub mod composer;
pub mod coupon;
pub mod layout;
pub mod lettering;
pub mod logo;
mod logo_http;
mod logo_store;
pub mod notes;
pub mod options;
pub mod press;
pub mod print;
mod progress;
pub mod recent;
pub mod sheet;
pub mod shop;
mod store;
pub mod symbol;
pub mod unprintable;
mod voucher_http;
pub mod wording;

use crate::app::App;
use utoipa_axum::router::OpenApiRouter;

/// What this area serves.
pub fn routes() -> OpenApiRouter<App> {
    campaign_http::routes().merge(voucher_http::routes()).merge(progress::routes()).merge(logo_http::routes())
}
