//! What machines sell: products, and the flavours and extras that they can be had with.
//!
//! Every machine has an assortment of its own: prices and places differ from one to the next. One by
//! one, products are plain resources; as a whole, an assortment is replaced, copied to other
//! machines, or converted from products with composed numbers ([`split`] has the rule).

mod http;
pub mod offer;
pub mod plu;
pub mod preview;
pub mod product;
pub mod split;
mod store;

pub use store::copy;

use crate::{
    app::App,
    resource::{self, Resource, Spec},
};
use utoipa_axum::router::OpenApiRouter;

/// The plain resources of this area.
pub fn resources() -> Vec<&'static Spec> {
    vec![product::Product::spec(), product::ProductFlavour::spec(), product::ProductExtra::spec()]
}

/// What this area serves.
pub fn routes() -> OpenApiRouter<App> {
    resource::routes(&resources()).merge(http::routes())
}
