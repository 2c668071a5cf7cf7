//! What can go wrong with machines, and how each says so.
//!
//! An identity is something that can go wrong with a type of machine; a profile is a dialect that
//! machines of a maker report it in; a code is the word of one dialect for one identity.

use super::catalogue::{MachineType, Manufacturer};
use crate::{
    identity::directory::UserGroup,
    resource::{Name, Preset, Ref, Text, resource},
};

resource! {
    /// The dialect in which machines report what goes wrong.
    ErrorProfile "error profile" at "/errorprofile" in "error_profile";
    area "errorprofile";
    may FleetRead, FleetWrite;
    reach Downwards;
    does ALL;
    takes {
        /// What people call it.
        #[eg("\"Coffee, protocol 3\"")]
        name: Name,
        /// Which type of machine speaks it.
        machine_type: Ref<MachineType>,
        /// Whose machines speak it.
        manufacturer: Ref<Manufacturer>,
    }
    once {
        /// Its user group: the caller's without it.
        user_group: Preset<Ref<UserGroup>>,
    }
}

resource! {
    /// Something that can go wrong with a type of machine.
    ErrorIdentity "error identity" at "/erroridentity" in "error_identity";
    area "erroridentity";
    may FleetRead, FleetWrite;
    reach Downwards;
    does ALL;
    takes {
        /// Which type of machine it happens to.
        machine_type: Ref<MachineType>,
        /// Its name, which is also the key of its translations.
        #[eg("\"water_tank_empty\"")]
        error: Text<200>,
    }
    once {
        /// Its user group: the caller's without it.
        user_group: Preset<Ref<UserGroup>>,
    }
}

resource! {
    /// What a machine sends when something goes wrong.
    ErrorCode "error code" at "/errorcode" in "error_code";
    area "errorcode";
    may FleetRead, FleetWrite;
    reach Downwards;
    does ALL;
    takes {
        /// What has gone wrong.
        error_identity: Ref<ErrorIdentity>,
        /// Whose machines send it.
        error_profile: Ref<ErrorProfile>,
        /// What they send.
        #[eg("\"E42\"")]
        code: Option<Text<200>>,
    }
    once {
        /// Its user group: the caller's without it.
        user_group: Preset<Ref<UserGroup>>,
    }
}
