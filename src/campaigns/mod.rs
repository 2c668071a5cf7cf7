//! Campaigns and their vouchers: making them, changing them, listing them, counting them.
//!
//! A campaign holds terms: what a voucher is worth, how often it may be used, from when until when.
//! Its vouchers follow those terms ([`generation`] makes them in the background) or, posted one by
//! one, bring their own. What happens to a voucher at a machine is [`crate::redemption`]'s story.
//!
//! Everything here is scoped to the caller's user group and those below it; what lies outside is
//! answered as if it were not there.

pub mod campaign;
mod campaign_http;
pub(crate) mod campaign_store;
mod export;
pub mod generation;
pub mod lines;
pub mod links;
pub mod logs;
pub mod own_codes;
pub mod prints;
pub mod properties;
pub mod rules;
mod schedule;
pub mod stats;
pub mod style;
pub mod terms;
pub mod voucher;
pub mod voucher_change;
pub mod voucher_draft;
mod voucher_http;
pub(crate) mod voucher_list;
pub(crate) mod voucher_store;

use crate::app::App;
use utoipa_axum::router::OpenApiRouter;

/// What this area serves.
pub fn routes() -> OpenApiRouter<App> {
    campaign_http::routes().merge(voucher_http::routes())
}
