//! What machines send: sales, payments, events, signs of life and audits, kept by month and summed up as
//! they arrive.

pub mod booking;
pub mod evadts;
mod ingest;
pub mod months;
pub mod offline;
pub mod record;
pub mod recount;
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
    resource::routes(&resources()).merge(ingest::routes()).merge(evadts::routes())
}

/// What has to be done all the time, for machines that send and for those that do not; until the
/// server stops.
pub async fn work(app: App) {
    tokio::join!(booking::keep(app.clone()), months::keep(app.clone()), offline::watch(app));
}
