//! How requests bring settings: side by side for one machine, in groups for many.

use super::settings::Change;
use crate::http::extract::present;
use secrecy::SecretString;
use serde::Deserialize;
use utoipa::ToSchema;

/// Declares a request that has the settings side by side, besides fields of its own.
macro_rules! with_settings {
    ($(#[$meta:meta])* $name:ident { $($(#[$field_meta:meta])* $field:ident: $kind:ty,)* }) => {
        $(#[$meta])*
        #[derive(Debug, serde::Deserialize, utoipa::ToSchema)]
        #[serde(deny_unknown_fields, rename_all = "camelCase")]
        pub(super) struct $name {
            $($(#[$field_meta])* pub(super) $field: $kind,)*
            /// Text in the gateway's own format: 64 KiB at most.
            #[serde(default, deserialize_with = "crate::http::extract::present")]
            #[schema(value_type = Option<String>, max_length = 65_536)]
            pub(super) config: Option<Option<String>>,
            /// What the wireless network is for.
            #[serde(default, deserialize_with = "crate::http::extract::present")]
            #[schema(value_type = Option<String>, max_length = 50, examples("station"))]
            pub(super) mode: Option<Option<String>>,
            /// The wireless network's name: 32 bytes at most.
            #[serde(default, deserialize_with = "crate::http::extract::present")]
            #[schema(value_type = Option<String>, max_length = 32)]
            pub(super) ssid: Option<Option<String>>,
            /// How the wireless network is encrypted.
            #[serde(default, deserialize_with = "crate::http::extract::present")]
            #[schema(value_type = Option<String>, max_length = 50, examples("wpa2"))]
            pub(super) encryption: Option<Option<String>>,
            /// The wireless network's key; the mask that it is shown as leaves it as it is.
            #[serde(default, deserialize_with = "crate::http::extract::present")]
            #[schema(value_type = Option<String>, max_length = 128, examples("correct horse"))]
            pub(super) encryption_key: Option<Option<secrecy::SecretString>>,
            /// The access point of the mobile network.
            #[serde(default, deserialize_with = "crate::http::extract::present")]
            #[schema(value_type = Option<String>, max_length = 100)]
            pub(super) apn: Option<Option<String>>,
            /// What the gateway shares its connection by.
            #[serde(default, deserialize_with = "crate::http::extract::present")]
            #[schema(value_type = Option<String>, max_length = 100)]
            pub(super) sharing: Option<Option<String>>,
        }

        impl $name {
            /// What it says of the settings.
            pub(super) fn change(&mut self) -> $crate::gateway::configuration::settings::Change {
                $crate::gateway::configuration::settings::Change {
                    config: self.config.take(),
                    mode: self.mode.take(),
                    ssid: self.ssid.take(),
                    encryption: self.encryption.take(),
                    encryption_key: self.encryption_key.take(),
                    apn: self.apn.take(),
                    sharing: self.sharing.take(),
                }
            }
        }
    };
}
pub(super) use with_settings;

/// Settings in groups.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MachinesConfiguration {
    /// The gateway's own configuration.
    #[serde(default)]
    pub config: MachinesConfigText,
    /// The wireless network.
    #[serde(default)]
    pub wlan: MachinesConfigWlan,
    /// The mobile network.
    #[serde(default)]
    pub apn: MachinesConfigApn,
    /// The connection that it shares.
    #[serde(default)]
    pub sharing: MachinesConfigSharing,
}

/// A gateway's own configuration.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MachinesConfigText {
    /// Text in the gateway's own format: 64 KiB at most.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>, max_length = 65_536)]
    pub config: Option<Option<String>>,
}

/// A wireless network.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct MachinesConfigWlan {
    /// What it is for.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>, max_length = 50, examples("station"))]
    pub mode: Option<Option<String>>,
    /// Its name: 32 bytes at most.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>, max_length = 32)]
    pub ssid: Option<Option<String>>,
    /// How it is encrypted.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>, max_length = 50, examples("wpa2"))]
    pub encryption: Option<Option<String>>,
    /// Its key; the mask that keys are shown as leaves each machine's as it is.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>, max_length = 128, examples("correct horse"))]
    pub encryption_key: Option<Option<SecretString>>,
}

/// A mobile network.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MachinesConfigApn {
    /// Its access point.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>, max_length = 100)]
    pub apn: Option<Option<String>>,
}

/// A connection that is shared.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MachinesConfigSharing {
    /// What it is shared by.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>, max_length = 100)]
    pub sharing: Option<Option<String>>,
}

impl From<MachinesConfiguration> for Change {
    fn from(configuration: MachinesConfiguration) -> Self {
        let MachinesConfiguration { config, wlan, apn, sharing } = configuration;
        Self {
            config: config.config,
            mode: wlan.mode,
            ssid: wlan.ssid,
            encryption: wlan.encryption,
            encryption_key: wlan.encryption_key,
            apn: apn.apn,
            sharing: sharing.sharing,
        }
    }
}
