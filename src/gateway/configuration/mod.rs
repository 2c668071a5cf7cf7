//! How machines' gateways are configured: what is wanted, and what the gateways say of it.
//!
//! Every change gets a version ([`standing`]); a gateway fetches the version in force and reports what
//! became of it. One lock, on the machine's row, puts changes, fetches and reports in order.

pub mod bulk;
mod bulk_http;
mod http;
pub mod request;
pub mod settings;
pub mod standing;
mod store;
mod template;

use crate::app::App;
use utoipa_axum::router::OpenApiRouter;

pub(super) fn routes() -> OpenApiRouter<App> {
    http::routes().merge(bulk_http::routes()).merge(template::routes())
}
