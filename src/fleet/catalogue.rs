//! What machines are: types, makers and models, and the currencies that they take.

use super::{errors::ErrorProfile, image::Image};
use crate::{
    identity::directory::UserGroup,
    resource::{Name, Preset, Ref, resource},
};

resource! {
    /// A currency of ISO 4217. Its id is its number there: 978 is the euro.
    Currency "currency" at "/currency" in "currency";
    owner "NULL::bigint";
    may FleetRead, FleetWrite;
    reach World;
    does READ;
    lists {
        /// Its code.
        #[eg("\"EUR\"")]
        code: String,
        /// Its name.
        #[eg("\"Euro\"")]
        name: String,
        /// Digits of its minor unit: 2 where cents are counted.
        #[eg("2")]
        exponent: i64,
    }
}

resource! {
    /// A type of machine: what it sells, roughly.
    MachineType "machine type" at "/machinetype" in "machine_type";
    area "machinetype";
    may FleetRead, FleetWrite;
    reach Downwards;
    does ALL;
    takes {
        /// What people call it.
        #[eg("\"Coffee\"")]
        name: Name,
    }
    once {
        /// Its user group: the caller's without it.
        user_group: Preset<Ref<UserGroup>>,
    }
}

resource! {
    /// A maker of machines.
    Manufacturer "manufacturer" at "/manufacturer" in "manufacturer";
    may FleetRead, FleetWrite;
    reach Downwards;
    does ALL;
    takes {
        /// What people call it.
        #[eg("\"Automaat BV\"")]
        name: Name,
    }
    once {
        /// Its user group: the caller's without it.
        user_group: Preset<Ref<UserGroup>>,
    }
    sets {
        /// Types of machine that it makes.
        machine_types: MachineType = "manufacturer_machine_type" ("manufacturer", "machine_type") mentioned,
    }
}

resource! {
    /// A model of machine.
    MachineModel "machine model" at "/machinemodel" in "machine_model";
    area "machinemodel";
    may FleetRead, FleetWrite;
    reach Downwards;
    does ALL;
    takes {
        /// What people call it.
        #[eg("\"Barista 8\"")]
        name: Name,
        /// Who makes it.
        manufacturer: Ref<Manufacturer>,
        /// Which type of machine it is.
        machine_type: Option<Ref<MachineType>>,
        /// What its machines report when something goes wrong.
        error_profile: Ref<ErrorProfile>,
        /// What it looks like.
        image: Option<Ref<Image>>,
    }
    once {
        /// Its user group: the caller's without it.
        user_group: Preset<Ref<UserGroup>>,
    }
}
