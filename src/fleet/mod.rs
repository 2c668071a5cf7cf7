//! The fleet: machines, where they stand, what they are, and the words for what they report.
//!
//! Nearly all of it is plain, and declared: see [`crate::resource`]. What a machine, a location or a
//! profile can do besides stands beside its declaration.

pub mod catalogue;
pub mod device_id;
pub mod errors;
pub mod filter;
pub mod image;
pub mod language;
pub mod location;
pub mod machine;
mod machine_http;
pub mod opening_hours;
pub mod payments;
pub mod place;

use crate::{
    app::App,
    resource::{self, Resource, Spec},
};
use utoipa_axum::router::OpenApiRouter;

/// The plain resources of the fleet.
pub fn resources() -> Vec<&'static Spec> {
    vec![
        catalogue::Currency::spec(),
        catalogue::Manufacturer::spec(),
        catalogue::MachineType::spec(),
        catalogue::MachineModel::spec(),
        errors::ErrorProfile::spec(),
        errors::ErrorIdentity::spec(),
        errors::ErrorCode::spec(),
        payments::TransactionProfile::spec(),
        language::Language::spec(),
        language::Translation::spec(),
        location::Location::spec(),
        location::LocationGroup::spec(),
        image::Image::spec(),
        machine::Machine::spec(),
        machine::MachineGroup::spec(),
    ]
}

/// The endpoints of the fleet.
pub fn routes() -> OpenApiRouter<App> {
    resource::routes(&resources())
        .merge(location::routes())
        .merge(machine_http::routes())
        .merge(payments::routes())
        .merge(opening_hours::routes())
        .merge(image::routes())
}
