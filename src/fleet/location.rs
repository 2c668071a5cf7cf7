//! Where machines stand.

use super::place;
use crate::{
    app::App,
    error::Result,
    http::{Caller, Json, Path, Unread, extract::JsonBytes, written_back::Absent},
    identity::directory::UserGroup,
    resource::{
        Columns, Name, Preset, Ref, Resource, Text,
        field::Degrees,
        handlers::{self, Done},
        resource,
    },
};
use axum::{extract::State, http::StatusCode};
use chrono_tz::Tz;
use serde_json::Value;
use utoipa_axum::{router::OpenApiRouter, routes};

resource! {
    /// A place where machines stand. Its time zone decides what a day is for them.
    Location "location" at "/location" in "location";
    may FleetRead, FleetWrite;
    reach Shared("shared_location");
    does NO_CHANGE;
    takes {
        /// What people call it.
        #[eg("\"Centraal\"")]
        name: Name,
        /// Street and number.
        #[eg("\"Stationsplein 1\"")]
        address: Text<200>,
        /// Postcode.
        #[eg("\"1012 AB\"")]
        postcode: Text<20>,
        /// Town or city.
        #[eg("\"Amsterdam\"")]
        city: Text<200>,
        /// Country: its name or its ISO 3166 code.
        #[eg("\"NL\"")]
        country: Text<100>,
        /// Degrees north.
        #[eg("52.379")]
        latitude: Option<Degrees<90>>,
        /// Degrees east.
        #[eg("4.9")]
        longitude: Option<Degrees<180>>,
        /// Its id in a directory of places.
        place_id: Option<Text<500>>,
        /// What other systems call it. Rules of vouchers go by it where the group of their campaign, or one above
        /// that, wrote it: by another's word, operators could let vouchers in wherever they like.
        #[eg("\"AMS-01\"")]
        external_ref: Option<Text<200>>,
        /// Its time zone: by its coordinates without it, or else Europe/Amsterdam.
        #[eg("\"Europe/Amsterdam\"")]
        time_zone: Preset<Tz>,
    }
    once {
        /// Its user group: the caller's without it.
        user_group: Preset<Ref<UserGroup>>,
    }
    shows {
        /// The shift that is open here.
        active_shift: Option<i64>,
    }
    sets {
        /// Groups that it is in.
        location_groups: LocationGroup = "location_group_location" ("location", "location_group"),
    }
    backward { machines: super::machine::Machine = "this.location" }
}

resource! {
    /// Locations that are dealt with together.
    LocationGroup "location group" at "/locationgroup" in "location_group";
    area "locationgroup";
    may FleetRead, FleetWrite;
    reach Shared("shared_location_group");
    does ALL;
    takes {
        /// What people call it.
        #[eg("\"Stations\"")]
        name: Name,
    }
    once {
        /// Its user group: the caller's without it.
        user_group: Preset<Ref<UserGroup>>,
    }
    sets {
        /// Locations in it.
        locations: Location = "location_group_location" ("location_group", "location"),
    }
}

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(create)).routes(routes!(update))
}

/// Create a location
///
/// Without a time zone it gets that of its coordinates.
#[utoipa::path(post, path = "/location", tag = "location", operation_id = "create_location",
    request_body(content = ref("#/components/schemas/LocationDraft")),
    responses((status = 201, description = "The location was created", body = Done)))]
async fn create(
    State(app): State<App>,
    caller: Caller,
    body: Unread<JsonBytes>,
) -> Result<(StatusCode, Json<Done>)> {
    let spec = Location::spec();
    let columns = with_writer(with_zone(spec.receive(&app, &caller, body).await?).await, &caller);
    handlers::created(&app, spec, &caller, None, columns).await
}

/// Change a location
///
/// What is absent stays; `null` takes away. New coordinates bring their time zone, unless one is given.
#[utoipa::path(put, path = "/location/{id}", tag = "location", operation_id = "update_location",
    params(("id" = i64, Path, description = "The location")),
    request_body(content = ref("#/components/schemas/LocationPatch")),
    responses((status = 200, description = "The location was changed", body = Done)))]
async fn update(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<i64>,
    body: Unread<JsonBytes>,
) -> Result<Json<Done>> {
    let spec = Location::spec();
    let columns = spec.receive_change(&app, &caller, (None, id), Absent::Stays, body).await?;
    let columns = with_writer(with_zone(columns).await, &caller);
    handlers::updated(&app, spec, &caller, None, id, columns).await
}

/// Adds to the columns the group that writes the reference, if one does.
fn with_writer(mut columns: Columns, caller: &Caller) -> Columns {
    if columns.contains_key("external_ref") {
        columns.insert("external_ref_group".to_owned(), caller.group().into());
    }
    columns
}

/// The columns, with the zone that their coordinates lie in where none is given.
async fn with_zone(mut columns: Columns) -> Columns {
    let degrees = |name| columns.get(name).and_then(Value::as_f64);
    if !columns.contains_key("time_zone")
        && let (Some(latitude), Some(longitude)) = (degrees("latitude"), degrees("longitude"))
        && let Some(zone) = place::zone_at(latitude, longitude).await
    {
        columns.insert("time_zone".to_owned(), zone.name().into());
    }
    columns
}
