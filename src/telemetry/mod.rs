//! What machines send: sales, payments, events, signs of life and audits, kept by month and summed up as
//! they arrive.

pub mod booking;
mod clock;
pub mod evadts;
mod events;
pub mod history;
mod ingest;
pub mod months;
pub mod offline;
pub mod rates;
pub mod record;
pub mod recount;
mod sale_payments;
pub mod selection;
pub mod sender;
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
    resource::routes(&resources())
        .merge(ingest::routes())
        .merge(evadts::routes())
        .merge(events::routes())
        .merge(shift::routes())
        .merge(sums::routes())
}

/// What has to be done all the time, for machines that send and for those that do not; until the
/// server stops.
pub async fn work(app: App) {
    tokio::join!(booking::keep(app.clone()), months::keep(app.clone()), offline::watch(app));
}
