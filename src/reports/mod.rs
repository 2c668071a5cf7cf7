//! Reports: a report is a query, a row and a title; over one or two periods, as JSON and as CSV.
//!
//! - [`catalogue`]: the reports that there are. [`stored`]: those that are kept to be run again.
//! - [`period`]: from when until when, and [`cover`]: of which sums and rows that is made.
//! - [`answer`] runs a report, [`http`] serves it; [`transactions`] are the sales below it.

pub mod answer;
pub mod catalogue;
pub mod cover;
mod http;
pub mod period;
pub mod stored;
mod transactions;

use crate::{
    app::App,
    resource::{self, Resource, Spec},
};
use utoipa_axum::router::OpenApiRouter;

/// The plain resources of this area.
pub fn resources() -> Vec<&'static Spec> {
    vec![stored::Report::spec()]
}

/// What this area serves.
pub fn routes() -> OpenApiRouter<App> {
    resource::routes(&resources()).merge(stored::routes()).merge(http::routes()).merge(transactions::routes())
}
