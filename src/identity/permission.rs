//! What a group's members can be allowed.

use serde::{
    Deserialize, Serialize,
    de::{IntoDeserializer, value::Error},
};
use std::{fmt, str::FromStr};
use utoipa::ToSchema;

/// Something that a group's members can be allowed, as `area.action`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
pub enum Permission {
    /// See campaigns, their statistics and progress.
    #[serde(rename = "campaign.read")]
    CampaignRead,
    /// Create, change and delete campaigns.
    #[serde(rename = "campaign.write")]
    CampaignWrite,
    /// See vouchers and their logs.
    #[serde(rename = "voucher.read")]
    VoucherRead,
    /// Create and change vouchers.
    #[serde(rename = "voucher.write")]
    VoucherWrite,
    /// Validate, redeem, release and roll back for machines.
    #[serde(rename = "voucher.redeem")]
    VoucherRedeem,
    /// See API keys.
    #[serde(rename = "apikey.read")]
    ApiKeyRead,
    /// Create and revoke API keys.
    #[serde(rename = "apikey.write")]
    ApiKeyWrite,
    /// See users.
    #[serde(rename = "user.read")]
    UserRead,
    /// Create, change and disable users.
    #[serde(rename = "user.write")]
    UserWrite,
    /// See user groups.
    #[serde(rename = "usergroup.read")]
    UserGroupRead,
    /// Create, change and disable user groups.
    #[serde(rename = "usergroup.write")]
    UserGroupWrite,
    /// See machines, locations and what belongs to them.
    #[serde(rename = "fleet.read")]
    FleetRead,
    /// Create, change and delete machines, locations and what belongs to them.
    #[serde(rename = "fleet.write")]
    FleetWrite,
    /// See what machines sell.
    #[serde(rename = "assortment.read")]
    AssortmentRead,
    /// Change what machines sell.
    #[serde(rename = "assortment.write")]
    AssortmentWrite,
    /// See how machines are configured, but for the keys of their networks.
    #[serde(rename = "config.read")]
    ConfigRead,
    /// Configure machines.
    #[serde(rename = "config.write")]
    ConfigWrite,
    /// See the keys of the networks that machines are in.
    #[serde(rename = "config.secret")]
    ConfigSecret,
    /// See what machines were told to do, and what became of it.
    #[serde(rename = "command.read")]
    CommandRead,
    /// Tell machines what to do.
    #[serde(rename = "command.send")]
    CommandSend,
    /// See languages and translations.
    #[serde(rename = "translation.read")]
    TranslationRead,
    /// Create, change and delete languages and translations.
    #[serde(rename = "translation.write")]
    TranslationWrite,
    /// Do what a machine's gateway does: send in what happened, fetch configuration and commands.
    #[serde(rename = "gateway.use")]
    GatewayUse,
    /// See what machines sold, what was paid and what happened to them.
    #[serde(rename = "transaction.read")]
    TransactionRead,
    /// Close shifts.
    #[serde(rename = "shift.write")]
    ShiftWrite,
    /// See reports, stored ones and their charts, and the rates of currencies.
    #[serde(rename = "report.read")]
    ReportRead,
    /// Store, change and delete reports and charts, and keep the rates of currencies.
    #[serde(rename = "report.write")]
    ReportWrite,
    /// See who is told of what, and what is the matter.
    #[serde(rename = "alert.read")]
    AlertRead,
    /// Decide who is told of what.
    #[serde(rename = "alert.write")]
    AlertWrite,
    /// See dashboards.
    #[serde(rename = "dashboard.read")]
    DashboardRead,
    /// Create, change and delete dashboards.
    #[serde(rename = "dashboard.write")]
    DashboardWrite,
    /// See integrations and what was delivered to them.
    #[serde(rename = "integration.read")]
    IntegrationRead,
    /// Create, change and delete integrations.
    #[serde(rename = "integration.write")]
    IntegrationWrite,
    /// See who changed what, of what one may see.
    #[serde(rename = "activity.read")]
    ActivityRead,
    /// Validate, redeem, release and roll back in a machine's place, as a person who is named in the log.
    #[serde(rename = "voucher.onbehalf")]
    VoucherOnBehalf,
}

impl Permission {
    /// All that there are, each at the place of its number.
    pub const EVERY: [Self; 35] = [
        Self::CampaignRead,
        Self::CampaignWrite,
        Self::VoucherRead,
        Self::VoucherWrite,
        Self::VoucherRedeem,
        Self::ApiKeyRead,
        Self::ApiKeyWrite,
        Self::UserRead,
        Self::UserWrite,
        Self::UserGroupRead,
        Self::UserGroupWrite,
        Self::FleetRead,
        Self::FleetWrite,
        Self::AssortmentRead,
        Self::AssortmentWrite,
        Self::ConfigRead,
        Self::ConfigWrite,
        Self::ConfigSecret,
        Self::CommandRead,
        Self::CommandSend,
        Self::TranslationRead,
        Self::TranslationWrite,
        Self::GatewayUse,
        Self::TransactionRead,
        Self::ShiftWrite,
        Self::ReportRead,
        Self::ReportWrite,
        Self::AlertRead,
        Self::AlertWrite,
        Self::DashboardRead,
        Self::DashboardWrite,
        Self::IntegrationRead,
        Self::IntegrationWrite,
        Self::ActivityRead,
        Self::VoucherOnBehalf,
    ];

    /// The permissions that a key bound to one machine can have: the operations that it allows are about a machine that is
    /// named, or leave out all others. Everything else is about a group.
    pub const OF_ONE_MACHINE: [Self; 4] =
        [Self::VoucherRedeem, Self::GatewayUse, Self::CommandRead, Self::CommandSend];
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}

impl FromStr for Permission {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        Self::deserialize(name.into_deserializer())
    }
}

/// A set of permissions, small enough to be copied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Permissions(u64);

impl Permissions {
    /// Every permission that there is.
    pub const ALL: Self = Self(u64::MAX);

    /// The permissions of these names. One that is unknown here is left out: it allows nothing
    /// that this version guards, and a newer one on the same database may have it.
    pub fn named(names: &[String]) -> Self {
        names.iter().filter_map(|name| name.parse().ok()).collect()
    }

    /// Whether `permission` is among them.
    pub const fn contains(self, permission: Permission) -> bool {
        self.0 & (1 << permission as u64) != 0
    }

    /// Whether `other` allows all of it, of what this version knows.
    pub fn within(self, other: Self) -> bool {
        self.each().all(|permission| other.contains(permission))
    }

    /// Each of them that this version knows, in the order of their numbers.
    pub fn each(self) -> impl Iterator<Item = Permission> {
        Permission::EVERY.into_iter().filter(move |&permission| self.contains(permission))
    }

    /// What both allow.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
}

impl FromIterator<Permission> for Permissions {
    fn from_iter<I: IntoIterator<Item = Permission>>(permissions: I) -> Self {
        Self(permissions.into_iter().fold(0, |set, permission| set | 1 << permission as u64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_permission_reads_back_from_its_name() {
        for permission in [Permission::CampaignRead, Permission::VoucherRedeem, Permission::FleetWrite] {
            assert_eq!(permission.to_string().parse(), Ok(permission));
        }
        assert_eq!(Permission::VoucherRedeem.to_string(), "voucher.redeem");
        assert!("voucher.steal".parse::<Permission>().is_err());
    }

    #[test]
    fn every_permission_is_known_at_the_place_of_its_number() {
        for (number, permission) in Permission::EVERY.into_iter().enumerate() {
            assert_eq!(permission as usize, number, "{permission}");
        }
        let schema = serde_json::to_value(<Permission as utoipa::PartialSchema>::schema()).unwrap();
        let documented = schema["oneOf"].as_array().or(schema["enum"].as_array()).unwrap().len();
        assert_eq!(documented, Permission::EVERY.len(), "{schema}");
    }

    #[test]
    fn a_set_is_within_another_that_has_all_of_it() {
        let read = Permissions::from_iter([Permission::UserRead]);
        let both = Permissions::from_iter([Permission::UserRead, Permission::UserWrite]);
        assert!(read.within(both) && !both.within(read) && both.within(Permissions::ALL));
        assert!(Permissions::ALL.within(Permission::EVERY.into_iter().collect()));
        assert_eq!(both.each().collect::<Vec<_>>(), [Permission::UserRead, Permission::UserWrite]);
    }

    #[test]
    fn a_set_holds_what_was_put_in_and_no_more() {
        let names = ["voucher.redeem", "fleet.write", "from.tomorrow"].map(str::to_owned);
        let set = Permissions::named(&names);
        assert!(set.contains(Permission::VoucherRedeem) && set.contains(Permission::FleetWrite));
        assert!(!set.contains(Permission::VoucherRead) && !set.contains(Permission::CampaignRead));
        assert_eq!(set.and(Permissions::ALL), set);
        let redeem = Permissions::from_iter([Permission::VoucherRedeem]);
        assert_eq!(set.and(redeem), redeem);
    }
}
