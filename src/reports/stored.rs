//! Reports that are kept to be run again: over which periods, and of what.

use super::period::Period;
use crate::{
    app::App,
    error::Result,
    fleet::{
        catalogue::{MachineModel, MachineType, Manufacturer},
        location::{Location, LocationGroup},
        machine::{Machine, MachineGroup},
    },
    http::{Caller, Json, Unread, extract::JsonBytes},
    identity::directory::{User, UserGroup},
    resource::{
        Name, Preset, Ref, Resource,
        handlers::{self, Done},
        resource,
    },
};
use axum::{extract::State, http::StatusCode};
use utoipa_axum::{router::OpenApiRouter, routes};

resource! {
    /// A report that is kept to be run again.
    Report "report" at "/report" in "report";
    may ReportRead, ReportWrite;
    reach Own;
    does ASSOCIATED;
    takes {
        /// Its name: `Report` and its id without one.
        #[eg("\"This year, and the one before\"")]
        name: Preset<Name>,
        /// The period that it is of; it is a draft without one.
        #[eg("{\"startDate\": \"2026-01-01 00:00:00\", \"endDate\": \"2026-03-31 23:59:59\", \"type\": \"fixed date\"}")]
        period1: Option<Period>,
        /// The period that it compares that with.
        #[eg("{\"startDate\": \"2025-01-01 00:00:00\", \"endDate\": \"2025-03-31 23:59:59\", \"type\": \"fixed date\"}")]
        period2: Option<Period>,
    }
    once {
        /// Its user group: the caller's without it.
        user_group: Preset<Ref<UserGroup>>,
    }
    shows {
        /// Who stored it, if that was a person who is still there.
        #[named("user")]
        account: Option<Ref<User>>,
    }
    sets {
        /// Only what happened at the locations of these groups.
        location_group: LocationGroup = "report_location_group" ("report", "location_group") mentioned,
        /// Only what happened at these locations.
        locations: Location = "report_location" ("report", "location") mentioned,
        /// Only what the machines of these groups did.
        machine_groups: MachineGroup = "report_machine_group" ("report", "machine_group") mentioned,
        /// Only what machines of these models did.
        machine_models: MachineModel = "report_machine_model" ("report", "machine_model") mentioned,
        /// Only what machines of these types did.
        machine_types: MachineType = "report_machine_type" ("report", "machine_type") mentioned,
        /// Only what these machines did.
        machines: Machine = "report_machine" ("report", "machine") mentioned,
        /// Only what the machines of these makers did.
        #[alias("manufacturers")]
        manufactures: Manufacturer = "report_manufacturer" ("report", "manufacturer") mentioned,
    }
}

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(create))
}

/// Store a report
#[utoipa::path(post, path = "/report", tag = "report", operation_id = "create_report",
    request_body(content = ref("#/components/schemas/ReportDraft")),
    responses((status = 201, description = "The report was stored", body = Done)))]
async fn create(
    State(app): State<App>,
    caller: Caller,
    body: Unread<JsonBytes>,
) -> Result<(StatusCode, Json<Done>)> {
    let spec = Report::spec();
    let mut columns = spec.receive(&app, &caller, body).await?;
    if let Some(account) = caller.account() {
        columns.insert("account".to_owned(), account.into());
    }
    handlers::created(&app, spec, &caller, None, columns).await
}
