//! Alerts: what is looked out for, and who is told.
//!
//! An observer looks out for something at machines: that it happens so often, that it lasts, or that it
//! fails to happen. Where it stands with each machine is a watch: quiet or firing. What a watch should be is
//! worked out from what machines have sent ([`facts`]) by rules that know no database ([`verdict`]).
//!
//! Watches are looked at when something arrives that may matter to them, which triggers note, and when they
//! are due by themselves ([`schedule`]). Both are rows: nothing is forgotten when a server stops, and of any
//! number of servers one changes a watch, in the transaction that also notes what is to be told. What was
//! noted is told some moments later, all of it in one mail to each recipient ([`digest`]).

pub mod digest;
pub mod facts;
mod http;
pub mod observer;
pub mod recipient;
pub mod schedule;
pub mod verdict;

use crate::{
    app::App,
    resource::{self, Resource, Spec},
};
use utoipa_axum::router::OpenApiRouter;

/// The plain resources of this area.
pub fn resources() -> Vec<&'static Spec> {
    vec![recipient::AlertGroup::spec(), recipient::AlertRecipient::spec(), observer::AlertObserver::spec()]
}

/// What this area serves.
pub fn routes() -> OpenApiRouter<App> {
    resource::routes(&resources()).merge(http::routes())
}
