//! Where machines stand.

use crate::{
    identity::directory::UserGroup,
    resource::{Name, Preset, Ref, Text, field::Degrees, resource},
};
use chrono_tz::Tz;

resource! {
    /// A place where machines stand. Its time zone decides what a day is for them.
    Location "location" at "/location" in "location";
    may FleetRead, FleetWrite;
    reach Shared("shared_location");
    does ALL;
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
        /// What other systems call it.
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
