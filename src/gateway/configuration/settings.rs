//! What a gateway can be configured with, and how it is changed: pure.
//!
//! The key of a wireless network is sealed wherever it stays, and shown as [`MASK`] to those who may
//! not see it. A client that sends the mask back means the key that is there.

use crate::{
    campaigns::terms::Checks,
    error::{Error, Result},
    http::extract::present,
    seal::{Keyring, Place},
};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

/// Stands for a key that the caller may not see.
pub const MASK: &str = "••••••••";

/// The largest text of a gateway's own format, in bytes.
const CONFIG_MAX_BYTES: usize = 64 * 1024;

/// The longest name of a wireless network, in bytes (IEEE 802.11).
const SSID_MAX_BYTES: usize = 32;

/// The longest key, in characters, where the encryption sets no other bounds.
const KEY_MAX: usize = 128;

/// The longest mode or encryption, in characters.
const WORD_MAX: usize = 50;

/// The longest name of an access point, or of a way of sharing, in characters.
const NAME_MAX: usize = 100;

/// Says why a key does not go with its encryption.
pub const KEY_UNFIT: &str = "must have 8 to 63 characters, or 64 hexadecimal digits, for WPA";

/// What a gateway is configured with.
#[derive(Clone, Debug, Default, PartialEq, Eq, sqlx::FromRow)]
pub struct Settings {
    /// Text in the gateway's own format.
    pub config: Option<String>,
    /// What its wireless network is for: `station`, `ap`, …
    pub mode: Option<String>,
    /// The wireless network's name.
    pub ssid: Option<String>,
    /// How it is encrypted: `wpa2`, …
    pub encryption: Option<String>,
    /// Its key, sealed.
    pub encryption_key: Option<Vec<u8>>,
    /// The access point of its mobile network.
    pub apn: Option<String>,
    /// What it shares its connection by.
    pub sharing: Option<String>,
}

/// A change of settings: what is absent stays, and `None` takes away.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct Change {
    /// See [`Settings::config`].
    #[serde(deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub config: Option<Option<String>>,
    /// See [`Settings::mode`].
    #[serde(deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub mode: Option<Option<String>>,
    /// See [`Settings::ssid`].
    #[serde(deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub ssid: Option<Option<String>>,
    /// See [`Settings::encryption`].
    #[serde(deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub encryption: Option<Option<String>>,
    /// The key in clear; it is not written down with the rest.
    #[serde(skip)]
    pub encryption_key: Option<Option<SecretString>>,
    /// See [`Settings::apn`].
    #[serde(deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub apn: Option<Option<String>>,
    /// See [`Settings::sharing`].
    #[serde(deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub sharing: Option<Option<String>>,
}

/// Where the settings stand in a request.
#[derive(Clone, Copy, Debug)]
pub struct Pointers {
    config: &'static str,
    mode: &'static str,
    ssid: &'static str,
    encryption: &'static str,
    encryption_key: &'static str,
    apn: &'static str,
    sharing: &'static str,
}

/// Side by side.
pub const FLAT: Pointers = Pointers {
    config: "/config",
    mode: "/mode",
    ssid: "/ssid",
    encryption: "/encryption",
    encryption_key: "/encryptionKey",
    apn: "/apn",
    sharing: "/sharing",
};

/// In groups, as for many machines.
pub const NESTED: Pointers = Pointers {
    config: "/configuration/config/config",
    mode: "/configuration/wlan/mode",
    ssid: "/configuration/wlan/ssid",
    encryption: "/configuration/wlan/encryption",
    encryption_key: "/configuration/wlan/encryptionKey",
    apn: "/configuration/apn/apn",
    sharing: "/configuration/sharing/sharing",
};

impl Change {
    /// Notes what is wrong with it by itself; a mask in the key's place is no change of it.
    pub fn check(&mut self, checks: &mut Checks, at: Pointers) {
        let is_mask = |key: &SecretString| key.expose_secret() == MASK;
        if self.encryption_key.as_ref().is_some_and(|key| key.as_ref().is_some_and(is_mask)) {
            self.encryption_key = None;
        }
        config(checks, at.config, flat(self.config.as_ref()));
        checks.text(at.mode, flat(self.mode.as_ref()), WORD_MAX);
        checks.text(at.ssid, flat(self.ssid.as_ref()), SSID_MAX_BYTES);
        if flat(self.ssid.as_ref())
            .is_some_and(|ssid| ssid.len() > SSID_MAX_BYTES && ssid.chars().count() <= SSID_MAX_BYTES)
        {
            checks.wrong(at.ssid, "must have at most 32 bytes");
        }
        checks.text(at.encryption, flat(self.encryption.as_ref()), WORD_MAX);
        checks.text(at.apn, flat(self.apn.as_ref()), NAME_MAX);
        checks.text(at.sharing, flat(self.sharing.as_ref()), NAME_MAX);
        let Some(Some(key)) = &self.encryption_key else { return };
        checks.text(at.encryption_key, Some(key.expose_secret()), KEY_MAX);
        if !fits(flat(self.encryption.as_ref()), key.expose_secret()) {
            checks.wrong(at.encryption_key, KEY_UNFIT);
        }
    }

    /// Whether it changes nothing.
    pub const fn is_empty(&self) -> bool {
        let Self { config, mode, ssid, encryption, encryption_key, apn, sharing } = self;
        config.is_none()
            && mode.is_none()
            && ssid.is_none()
            && encryption.is_none()
            && encryption_key.is_none()
            && apn.is_none()
            && sharing.is_none()
    }

    /// Carries it out on the settings of a place; refuses a key that does not go with the encryption
    /// that there is then.
    pub fn apply(&self, settings: &mut Settings, place: Place, keyring: &Keyring) -> Result<(), Unfit> {
        let plain = [
            (&self.config, &mut settings.config),
            (&self.mode, &mut settings.mode),
            (&self.ssid, &mut settings.ssid),
            (&self.encryption, &mut settings.encryption),
            (&self.apn, &mut settings.apn),
            (&self.sharing, &mut settings.sharing),
        ];
        for (change, setting) in plain {
            if let Some(value) = change {
                setting.clone_from(value);
            }
        }
        match &self.encryption_key {
            Some(Some(key)) => {
                if !fits(settings.encryption.as_deref(), key.expose_secret()) {
                    return Err(Unfit::Key);
                }
                settings.encryption_key = Some(keyring.seal(place, key.expose_secret())?);
            }
            Some(None) => settings.encryption_key = None,
            None if self.encryption.is_some() => {
                // The key that is there has to go with another encryption now.
                let sealed = settings.encryption_key.as_deref();
                let kept = sealed.map(|sealed| keyring.open(place, sealed));
                if kept.is_some_and(|key| {
                    !key.is_some_and(|key| fits(settings.encryption.as_deref(), key.expose_secret()))
                }) {
                    return Err(Unfit::Key);
                }
            }
            None => {}
        }
        Ok(())
    }
}

/// Why a change can't be carried out.
#[derive(Debug)]
pub enum Unfit {
    /// The key does not go with the encryption.
    Key,
    /// Ours to mend.
    Fault(Error),
}

impl From<Error> for Unfit {
    fn from(error: Error) -> Self {
        Self::Fault(error)
    }
}

impl Unfit {
    /// As a refusal of a request with its settings in these places.
    pub fn at(self, pointers: Pointers) -> Error {
        match self {
            Self::Key => Error::invalid(pointers.encryption_key, KEY_UNFIT),
            Self::Fault(error) => error,
        }
    }
}

/// Text in a gateway's own format.
pub fn config(checks: &mut Checks, pointer: &'static str, config: Option<&str>) {
    checks.lines(pointer, config, CONFIG_MAX_BYTES);
    if config
        .is_some_and(|config| config.len() > CONFIG_MAX_BYTES && config.chars().count() <= CONFIG_MAX_BYTES)
    {
        checks.wrong(pointer, "must have at most 64 KiB");
    }
}

fn flat(change: Option<&Option<String>>) -> Option<&str> {
    change.and_then(Option::as_deref)
}

/// Whether a key goes with an encryption: WPA has bounds of its own.
fn fits(encryption: Option<&str>, key: &str) -> bool {
    let is_wpa = encryption
        .and_then(|encryption| encryption.trim_start().get(..3))
        .is_some_and(|start| start.eq_ignore_ascii_case("wpa"));
    let is_raw = key.len() == 64 && key.bytes().all(|byte| byte.is_ascii_hexdigit());
    !is_wpa || is_raw || (8..=63).contains(&key.chars().count())
}

/// A sealed key as a caller is shown it: in clear, or that there is one.
pub fn shown(sealed: Option<&[u8]>, place: Place, clear: Option<&Keyring>) -> Result<Option<String>> {
    match (sealed, clear) {
        (None, _) => Ok(None),
        (Some(_), None) => Ok(Some(MASK.to_owned())),
        (Some(sealed), Some(keyring)) => {
            let key = keyring.open(place, sealed).ok_or_else(|| {
                Error::fault(format!(
                    "{} of {} was sealed with a key that is not set",
                    place.column, place.row
                ))
            })?;
            Ok(Some(key.expose_secret().to_owned()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    const PLACE: Place = Place { column: "settings", row: 1 };

    fn keyring() -> Keyring {
        let signing = Some("of the tests alone, 5f8f1e4b7f9a7b1d".into());
        Keyring::new(&Config { signing_secret: signing, ..Config::default() }).unwrap()
    }

    fn change(json: &str, key: Option<&str>) -> Change {
        let change: Change = serde_json::from_str(json).unwrap();
        Change { encryption_key: key.map(|key| Some(key.into())), ..change }
    }

    fn pointer(mut change: Change) -> Option<String> {
        let mut checks = Checks::default();
        change.check(&mut checks, FLAT);
        checks.done().err().map(|error| error.problem().errors[0].pointer.to_string())
    }

    #[test]
    fn a_key_goes_with_its_encryption() {
        let hex = "0123456789abcdefABCDEF0123456789".repeat(2);
        for (encryption, key, good) in [
            ("wpa2", "12345678", true),
            ("wpa2", "1234567", false),
            ("WPA3-SAE", "1234567", false),
            ("wpa", &"x".repeat(63), true),
            ("wpa", &"x".repeat(64), false),
            ("wpa", &hex, true),
            ("wep", "12345", true),
            ("", "1", true),
            ("wp", "1", true),
            ("ééé", "1", true),
        ] {
            assert_eq!(fits(Some(encryption), key), good, "{encryption} {key}");
        }
        assert!(fits(None, "1"));
    }

    #[test]
    fn settings_have_bounds() {
        for (json, at) in [
            (r#"{"config":"a = 1\n\tb = 2\r\n"}"#.to_owned(), None),
            (r#"{"config":"a\u0000"}"#.to_owned(), Some("/config")),
            (format!(r#"{{"config":"{}"}}"#, "x".repeat(64 * 1024)), None),
            (format!(r#"{{"config":"{}"}}"#, "x".repeat(64 * 1024 + 1)), Some("/config")),
            (format!(r#"{{"config":"{}"}}"#, "é".repeat(33 * 1024)), Some("/config")),
            (format!(r#"{{"ssid":"{}"}}"#, "é".repeat(16)), None),
            (format!(r#"{{"ssid":"{}"}}"#, "é".repeat(17)), Some("/ssid")),
            (format!(r#"{{"ssid":"{}"}}"#, "x".repeat(33)), Some("/ssid")),
            (r#"{"mode":"a\u0007"}"#.to_owned(), Some("/mode")),
            (format!(r#"{{"mode":"{}"}}"#, "x".repeat(51)), Some("/mode")),
        ] {
            assert_eq!(pointer(change(&json, None)).as_deref(), at, "{json:.40}");
        }
        assert_eq!(pointer(change("{}", Some("a\nb"))).as_deref(), Some("/encryptionKey"));
        assert_eq!(
            pointer(change(r#"{"encryption":"wpa2"}"#, Some("short"))).as_deref(),
            Some("/encryptionKey")
        );
    }

    #[test]
    fn what_is_absent_stays_and_null_takes_away() {
        let keyring = keyring();
        let mut settings = Settings::default();
        let first = change(r#"{"ssid":"shop","mode":"station","encryption":"wpa2"}"#, Some("12345678"));
        first.apply(&mut settings, PLACE, &keyring).unwrap();
        let sealed = settings.encryption_key.clone();
        change(r#"{"mode":null,"apn":"m2m"}"#, None).apply(&mut settings, PLACE, &keyring).unwrap();
        assert_eq!(settings.ssid.as_deref(), Some("shop"));
        assert_eq!((settings.mode.as_deref(), settings.apn.as_deref()), (None, Some("m2m")));
        assert_eq!(settings.encryption_key, sealed);
        let key = shown(settings.encryption_key.as_deref(), PLACE, Some(&keyring)).unwrap();
        assert_eq!(key.as_deref(), Some("12345678"));
        let key = shown(settings.encryption_key.as_deref(), PLACE, None).unwrap();
        assert_eq!(key.as_deref(), Some(MASK));
        Change { encryption_key: Some(None), ..Change::default() }
            .apply(&mut settings, PLACE, &keyring)
            .unwrap();
        assert_eq!(settings.encryption_key, None);
    }

    #[test]
    fn a_mask_that_comes_back_is_no_change_of_the_key() {
        let mut change = change("{}", Some(MASK));
        change.check(&mut Checks::default(), FLAT);
        assert!(change.is_empty());
    }

    #[test]
    fn a_key_that_stays_has_to_go_with_a_new_encryption() {
        let keyring = keyring();
        let mut settings = Settings::default();
        change("{}", Some("12345")).apply(&mut settings, PLACE, &keyring).unwrap();
        let wpa = change(r#"{"encryption":"wpa2"}"#, None);
        assert!(matches!(wpa.apply(&mut settings.clone(), PLACE, &keyring), Err(Unfit::Key)));
        change("{}", Some("12345678")).apply(&mut settings, PLACE, &keyring).unwrap();
        wpa.apply(&mut settings, PLACE, &keyring).unwrap();
        let short = change("{}", Some("12345"));
        assert!(matches!(short.apply(&mut settings, PLACE, &keyring), Err(Unfit::Key)));
    }

    #[test]
    fn a_change_is_written_down_without_its_key() {
        let written =
            serde_json::to_string(&change(r#"{"mode":null,"ssid":"shop"}"#, Some("12345678"))).unwrap();
        assert_eq!(written, r#"{"mode":null,"ssid":"shop"}"#);
        let read: Change = serde_json::from_str(&written).unwrap();
        assert_eq!(read.mode, Some(None));
        assert!(read.config.is_none() && read.encryption_key.is_none());
    }
}
