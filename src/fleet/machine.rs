//! Vending machines, and groups of them.

use super::{
    catalogue::{Currency, MachineModel, MachineType, Manufacturer},
    location::Location,
    payments::TransactionProfile,
};
use crate::{
    alerts::observer::AlertObserver,
    identity::directory::UserGroup,
    resource::{
        Flag, Hostname, Name, Note, Preset, Ref, Text, Whole, field::words, instant::Exact, resource,
    },
};

words! {
    /// How far a machine's configuration is on its way.
    ConfigState {
        /// It waits for the machine's gateway.
        Scheduled = "scheduled",
        /// The gateway has fetched it.
        Sent = "sent",
        /// The machine works with it.
        Applied = "applied",
        /// The machine could not.
        Failed = "failed",
    }
}

/// The event of a machine that is not heard of: noticed here, not sent by it.
pub const OFFLINE: &str = "CM_OFFLINE";

resource! {
    /// A vending machine.
    Machine "machine" at "/machine" in "machine";
    may FleetRead, FleetWrite;
    reach Own;
    does NO_CREATE;
    takes {
        /// What people call it.
        #[eg("\"Coffee corner, 3rd floor\"")]
        name: Name,
        /// Where it stands.
        location: Ref<Location>,
        /// Which model it is.
        machine_model: Ref<MachineModel>,
        /// Which type of machine it is.
        machine_type: Ref<MachineType>,
        /// Who made it.
        manufacturer: Ref<Manufacturer>,
        /// The number of its currency (ISO 4217).
        #[eg("978")]
        currency: Ref<Currency>,
        /// The number of its account with whoever pays.
        debtor: Option<Whole<0, { i64::MAX }>>,
        /// A word to find it by.
        tag: Option<Text<200>>,
        /// Whatever is worth knowing of it.
        notes: Option<Note>,
        /// Whether its prices are those kept here, not those it sends.
        virtual_prices: Preset<Flag>,
        /// Whether it is in use.
        active: Preset<Flag>,
        /// The number that its gateway goes by; no other machine of the tenant has it.
        gateway: Option<Whole<0, { i64::MAX }>>,
        /// How its payments are named and grouped in reports.
        transaction_profile: Option<Ref<TransactionProfile>>,
        /// Whether what it sells is kept here, rather than at the machine.
        is_managed_assortment: Preset<Flag>,
        /// Whether somebody subscribes to it.
        has_subscription: Preset<Flag>,
        /// Rules that its gateway goes by.
        rule_set: Option<Note>,
    }
    once {
        /// What it is called in the network: what it signs in with, in any case. No other machine of the tenant
        /// (the group below the root that it belongs to, with all below) is called so. Digits alone are refused:
        /// they stand for a gateway's number.
        #[eg("\"vm-0001\"")]
        hostname: Hostname,
        /// Its user group: the caller's without it.
        user_group: Preset<Ref<UserGroup>>,
    }
    lists {
        /// How far its configuration is on its way; none was ever set without it.
        config_state: Option<ConfigState>,
    }
    shows {
        /// When it was last heard of.
        seen_at: Option<Exact> = "(SELECT p.seen_at FROM machine_presence p WHERE p.machine = this.id)",
        /// Its latest sale.
        last_revenuetransaction: Option<i64> = "(SELECT p.last_revenuetransaction FROM machine_presence p WHERE p.machine = this.id)",
        /// Its latest event.
        last_log: Option<i64> = "(SELECT p.last_log FROM machine_presence p WHERE p.machine = this.id)",
        /// The latest that its sensors sent.
        last_iotevent: Option<i64> = "(SELECT p.last_iotevent FROM machine_presence p WHERE p.machine = this.id)",
        /// The latest that it sold.
        last_sold_id: Option<i64> = "(SELECT p.last_sold FROM machine_presence p WHERE p.machine = this.id)",
        /// Its own number of the latest sale that has arrived.
        revenuetransaction_synced: Option<i64> = "(SELECT p.revenuetransaction_synced FROM machine_presence p WHERE p.machine = this.id)",
        /// Its own number of the latest event that has arrived.
        log_synced: Option<i64> = "(SELECT p.log_synced FROM machine_presence p WHERE p.machine = this.id)",
        /// Its own number of the latest that has arrived of its sensors.
        iotevent_synced: Option<i64> = "(SELECT p.iotevent_synced FROM machine_presence p WHERE p.machine = this.id)",
    }
    sets {
        /// Groups that it is in.
        machine_groups: MachineGroup = "machine_group_machine" ("machine", "machine_group"),
    }
    views {
        /// What looks at it.
        alert_observers: AlertObserver = "alert_observed" ("machine", "alert_observer"),
    }
}

resource! {
    /// Machines that are dealt with together.
    MachineGroup "machine group" at "/machinegroup" in "machine_group";
    area "machinegroup";
    may FleetRead, FleetWrite;
    reach Own;
    does ALL;
    takes {
        /// What people call it.
        #[eg("\"Ground floor\"")]
        name: Name,
    }
    once {
        /// Its user group: the caller's without it.
        user_group: Preset<Ref<UserGroup>>,
    }
    sets {
        /// Machines in it.
        machines: Machine = "machine_group_machine" ("machine_group", "machine"),
    }
}
