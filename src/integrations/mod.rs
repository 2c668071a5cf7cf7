//! Other systems that are told of what happens: of sales, of vouchers, of campaigns.
//!
//! - [`integration`]: who is told of what. [`delivery`]: how it gets there.
//! - [`rights`]: what one may be told. [`validations`]: what no trigger puts aside. [`history`]: what was delivered, and once more.

pub mod delivery;
pub mod history;
pub mod integration;
pub mod rights;
pub mod validations;

use crate::{
    app::App,
    resource::{self, Resource, Spec},
};
use utoipa_axum::router::OpenApiRouter;

/// The plain resources of this area.
pub fn resources() -> Vec<&'static Spec> {
    vec![integration::Integration::spec()]
}

/// What this area serves.
pub fn routes() -> OpenApiRouter<App> {
    resource::routes(&resources()).merge(integration::routes()).merge(history::routes())
}
