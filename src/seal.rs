//! Secrets that have to be given back in clear, sealed while they are at rest.
//!
//! XChaCha20-Poly1305, with a key derived from what the operator has set. What is sealed is tied to
//! its purpose and its row: copied into another row it can't be opened. A byte in front names the key,
//! so that a new one can be set while there is still something sealed with the one before.

use crate::{
    config::Config,
    error::{Error, Result},
};
use chacha20poly1305::{
    KeyInit, XChaCha20Poly1305, XNonce,
    aead::{Aead, Payload},
};
use hkdf::Hkdf;
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;
use std::fmt;

/// Bytes in front of the nonce: the version of this format, and the key's name.
const HEADER_BYTES: usize = 2;

/// Bytes of the nonce, which is drawn by chance: there are enough that none comes twice.
const NONCE_BYTES: usize = 24;

/// The one format that there is.
const FORMAT: u8 = 1;

/// What is derived from an operator's secret for this use, and for no other.
const DERIVATION: &[u8] = b"scrip secrets at rest 1";

/// The keys of an installation.
pub struct Keyring {
    /// What new secrets are sealed with.
    current: Key,
    /// What old ones may be sealed with.
    earlier: Vec<Key>,
}

struct Key {
    /// Tells keys apart, and says nothing about them.
    name: u8,
    cipher: XChaCha20Poly1305,
}

/// What a secret is, and whose: it can be opened for this alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The table and column that it stands in.
    pub column: &'static str,
    /// The row.
    pub row: i64,
}

impl Place {
    fn associated(self) -> Vec<u8> {
        format!("{}:{}", self.column, self.row).into_bytes()
    }
}

impl Key {
    fn derive(secret: &SecretString) -> Result<Self> {
        let mut derived = [0; 33];
        Hkdf::<Sha256>::new(None, secret.expose_secret().as_bytes())
            .expand(DERIVATION, &mut derived)
            .map_err(|error| Error::fault(error.to_string()))?;
        let [key @ .., name] = derived;
        Ok(Self { name, cipher: XChaCha20Poly1305::new(&key.into()) })
    }
}

impl Keyring {
    /// The keys that an operator has set.
    pub fn new(config: &Config) -> Result<Self> {
        let secrets = config.secret_keys().map_err(Error::fault)?;
        let mut keys = secrets.into_iter().map(Key::derive).collect::<Result<Vec<_>>>()?.into_iter();
        let current = keys.next().ok_or_else(|| Error::fault("there is no key to seal with"))?;
        Ok(Self { current, earlier: keys.collect() })
    }

    /// Seals a secret for its place.
    pub fn seal(&self, place: Place, secret: &str) -> Result<Vec<u8>> {
        let nonce: [u8; NONCE_BYTES] = rand::random();
        let associated = place.associated();
        let payload = Payload { msg: secret.as_bytes(), aad: &associated };
        let closed = self.current.cipher.encrypt(&XNonce::from(nonce), payload);
        let closed = closed.map_err(|_| Error::fault("a secret can't be sealed"))?;
        Ok([&[FORMAT, self.current.name], &nonce[..], &closed].concat())
    }

    /// Opens what was sealed for this place; `None` if it was not, or with a key that is not here.
    pub fn open(&self, place: Place, sealed: &[u8]) -> Option<SecretString> {
        let (&[format, name], rest) = sealed.split_first_chunk::<HEADER_BYTES>()?;
        let (nonce, closed) = rest.split_first_chunk::<NONCE_BYTES>()?;
        if format != FORMAT {
            return None;
        }
        let associated = place.associated();
        let nonce = XNonce::from(*nonce);
        // Two keys may have the same name: it is one byte.
        let keys = std::iter::once(&self.current).chain(&self.earlier).filter(|key| key.name == name);
        let mut opened =
            keys.filter_map(|key| key.cipher.decrypt(&nonce, Payload { msg: closed, aad: &associated }).ok());
        String::from_utf8(opened.next()?).ok().map(SecretString::from)
    }
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Keyring of {} keys", 1 + self.earlier.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SIGNING: &str = "of the tests alone, 5f8f1e4b7f9a7b1d";
    const FIRST: &str = "the first of the tests' secret keys";
    const SECOND: &str = "the second of the tests' secret keys";
    const PLACE: Place = Place { column: "network.key", row: 7 };

    fn keyring(current: Option<&str>, previous: Option<&str>) -> Keyring {
        Keyring::new(&Config {
            signing_secret: Some(SIGNING.into()),
            secret_key: current.map(Into::into),
            secret_key_previous: previous.map(Into::into),
            ..Config::default()
        })
        .unwrap()
    }

    fn opened(keyring: &Keyring, place: Place, sealed: &[u8]) -> Option<String> {
        keyring.open(place, sealed).map(|secret| secret.expose_secret().to_owned())
    }

    #[test]
    fn a_new_key_opens_what_the_one_before_has_sealed_and_a_third_does_not() {
        let by_signing = keyring(None, None).seal(PLACE, "hunter22").unwrap();
        let by_first = keyring(Some(FIRST), None).seal(PLACE, "hunter22").unwrap();
        let rotated = keyring(Some(SECOND), Some(FIRST));
        for sealed in [&by_signing, &by_first, &rotated.seal(PLACE, "hunter22").unwrap()] {
            assert_eq!(opened(&rotated, PLACE, sealed).as_deref(), Some("hunter22"));
        }
        assert_eq!(opened(&keyring(Some(SECOND), None), PLACE, &by_first), None);
        assert_eq!(opened(&keyring(None, None), PLACE, &by_first), None);
    }

    #[test]
    fn a_secret_is_good_in_its_place_alone() {
        let keyring = keyring(None, None);
        let sealed = keyring.seal(PLACE, "hunter22").unwrap();
        assert_eq!(opened(&keyring, Place { row: 8, ..PLACE }, &sealed), None);
        assert_eq!(opened(&keyring, Place { column: "other.key", ..PLACE }, &sealed), None);
        assert_ne!(keyring.seal(PLACE, "hunter22").unwrap(), sealed, "the same secret never looks the same");
    }

    #[test]
    fn a_secret_key_is_as_good_as_a_signing_secret() {
        let short = Config {
            signing_secret: Some(SIGNING.into()),
            secret_key: Some("short".into()),
            ..Config::default()
        };
        assert!(short.secret_keys().unwrap_err().starts_with("SCRIP_SECRET_KEY is shorter"));
    }

    proptest! {
        #[test]
        fn what_is_sealed_opens_and_what_was_touched_does_not(
            secret in "\\PC{0,70}", at in any::<prop::sample::Index>(), flip in 1u8..,
        ) {
            let keyring = keyring(Some(FIRST), None);
            let mut sealed = keyring.seal(PLACE, &secret).unwrap();
            prop_assert_eq!(opened(&keyring, PLACE, &sealed), Some(secret));
            let at = at.index(sealed.len());
            sealed[at] ^= flip;
            prop_assert_eq!(opened(&keyring, PLACE, &sealed), None);
            prop_assert_eq!(opened(&keyring, PLACE, &sealed[..at]), None);
        }
    }
}
