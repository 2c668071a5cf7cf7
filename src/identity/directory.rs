//! Users and user groups as lists show them. Creating, changing and disabling them has rules, and
//! handlers of its own.

use crate::{
    alerts::{
        observer::AlertObserver,
        recipient::{AlertGroup, AlertRecipient},
    },
    fleet::{
        catalogue::{MachineModel, Manufacturer},
        errors::{ErrorCode, ErrorProfile},
        language::{Language, Translation},
        location::{Location, LocationGroup},
        machine::{Machine, MachineGroup},
    },
    resource::{Flag, Ref, resource},
};
use chrono::{DateTime, Utc};

resource! {
    /// A user group: what belongs to it is seen by its users, and by those of the groups above it.
    UserGroup "user group" at "/usergroup" in "user_group";
    area "usergroup";
    owner "CASE WHEN NOT this.deleted THEN this.id END";
    may UserGroupRead, UserGroupWrite;
    reach Own;
    does READ;
    lists {
        /// What people call it.
        #[eg("\"Polder Automaten\"")]
        name: String,
        /// The group above it; none for a root.
        parent: Option<Ref<UserGroup>>,
        /// The user who answers for it.
        admin: Option<i64>,
        /// When it was disabled, if it is.
        disabled_at: Option<DateTime<Utc>>,
    }
    shows {
        /// Whether it was deleted.
        deleted: bool,
    }
    sets {
        /// Locations of the groups above that it reads. Its own are shown with them.
        locations: Location = "user_group_location" ("user_group", "location") owned,
        /// Groups of locations of the groups above that it reads. Its own are shown with them.
        location_groups: LocationGroup = "user_group_location_group" ("user_group", "location_group") owned,
    }
    backward {
        users: User = "this.user_group",
        error_codes: ErrorCode = "this.user_group",
        error_profiles: ErrorProfile = "this.user_group",
        manufacturers: Manufacturer = "this.user_group",
        machine_models: MachineModel = "this.user_group",
        machine_groups: MachineGroup = "this.user_group",
        machine: Machine = "this.user_group",
        languages: Language = "this.user_group",
        translations: Translation = "this.user_group",
        alert_groups: AlertGroup = "this.user_group",
        alert_recipients: AlertRecipient = "this.user_group",
        alert_observers: AlertObserver = "this.user_group",
    }
}

resource! {
    /// Someone who logs in.
    User "user" at "/user" in "account";
    area "user";
    owner "CASE WHEN this.disabled_at IS NULL THEN this.user_group END";
    may UserRead, UserWrite;
    reach Own;
    does READ;
    lists {
        /// The name that it logs in with.
        username: String,
        /// Where it gets its mail.
        email: String,
        /// What it is addressed in.
        language: Ref<Language>,
        /// What it belongs to, and has its permissions from.
        user_group: Ref<UserGroup>,
        /// 1 once it has confirmed its e-mail address, 0 before.
        email_confirmed: Flag,
        /// When it was disabled, if it is.
        disabled_at: Option<DateTime<Utc>>,
    }
    shows {
        /// When its password has to be replaced, if ever.
        #[named("password_expires")]
        password_expires: Option<DateTime<Utc>>,
    }
}
