//! Charts that users put together into reports, and what they can ask for.
//!
//! - [`report`]: user reports, and copies of them. [`chart`], [`http`]: their charts.
//! - [`criteria`]: the language that charts ask in. [`source`]: all that can be asked of which tables.
//!   [`plan`]: whether it makes sense. [`period`]: its times. [`statement`]: what Postgres is asked.
//! - [`template`]: what each type of chart asks for by itself. [`data`]: the answers.

pub mod chart;
pub mod criteria;
pub mod data;
mod http;
pub mod period;
pub mod plan;
pub mod report;
pub mod source;
pub mod statement;
pub mod template;

use crate::{
    app::App,
    resource::{self, Resource, Spec},
};
use utoipa_axum::router::OpenApiRouter;

/// The plain resources of this area.
pub fn resources() -> Vec<&'static Spec> {
    vec![report::UserReport::spec()]
}

/// What this area serves.
pub fn routes() -> OpenApiRouter<App> {
    resource::routes(&resources()).merge(report::routes()).merge(http::routes()).merge(template::routes())
}
