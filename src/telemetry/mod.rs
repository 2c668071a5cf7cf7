//! What machines send: sales, payments, events, signs of life and audits, kept by month and summed up as
//! they arrive.

mod events;
pub mod history;
pub mod rates;
pub mod selection;
pub mod shift;
mod sums;

use crate::{
    app::App,
    resource::{self, Resource, Spec},
};
use utoipa_axum::router::OpenApiRouter;

/// The plain resources of this area.
pub fn resources() -> Vec<&'static Spec> {
    vec![
        history::RevenueTransaction::spec(),
        history::PaymentTransaction::spec(),
        history::Log::spec(),
        shift::Shift::spec(),
        rates::CurrencyRate::spec(),
    ]
}

/// What this area serves.
pub fn routes() -> OpenApiRouter<App> {
    resource::routes(&resources()).merge(events::routes()).merge(shift::routes()).merge(sums::routes())
}
