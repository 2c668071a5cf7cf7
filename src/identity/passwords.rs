//! Passwords: argon2id, kept as PHC strings.
//!
//! Hashing takes memory and a core on purpose, so it runs beside the async workers and only so many
//! at once. A user who doesn't exist costs as much as one who does.

use crate::{
    config::Config,
    error::{Error, Result},
    fairness::{Gate, Limits, Place},
};
use argon2::{
    Algorithm, Argon2, Params, Version,
    password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash},
};
use secrecy::{ExposeSecret, SecretString};
use std::{
    fmt,
    net::{IpAddr, Ipv6Addr},
    sync::Arc,
    time::Duration,
};

/// How long a log-in waits for its turn.
const PATIENCE: Duration = Duration::from_secs(5);

/// A turn to hash a password.
pub type Turn = Place<Network>;

/// Where a log-in comes from: an address, or a network of which a client can have every address.
pub type Network = Option<IpAddr>;

/// The network of an address: of IPv6 the first half, which is what a customer line has.
pub fn network(address: Option<IpAddr>) -> Network {
    address.map(|address| match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
    })
}

/// Hashes and checks passwords.
pub struct Passwords {
    argon2: Argon2<'static>,
    /// Passwords that may be hashed at once, shared between the networks that they are sent from.
    turns: Gate<Network>,
    /// Of a password that nobody has: what is checked for users who don't exist.
    nobodys: Arc<str>,
}

impl Passwords {
    /// With the costs that `config` names.
    pub fn new(config: &Config) -> Result<Self> {
        let params =
            Params::new(config.argon2_memory_kib, config.argon2_passes, 1, None).map_err(Error::fault)?;
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let nobodys = hash(&argon2, &rand::random::<[u8; 32]>())?.into();
        let places = config.argon2_parallel_max;
        let turns = Gate::new(Limits {
            what: "log-ins",
            places,
            // Each takes some ten milliseconds: who comes alone need not leave places empty.
            share: places,
            waiting: config.logins_waiting_max,
            patience: PATIENCE,
            retry_after_s: 2,
        });
        Ok(Self { argon2, turns, nobodys })
    }

    /// Waits for a turn to hash for this client. To be taken before the account is looked up, so that log-ins
    /// that wait hold no connection to Postgres either.
    pub async fn turn(&self, from: Option<IpAddr>) -> Result<Turn> {
        self.turns.enter(network(from)).await
    }

    /// The PHC string to store for `password`.
    pub async fn hash(&self, turn: Turn, password: SecretString) -> Result<String> {
        let argon2 = self.argon2.clone();
        in_turn(turn, move || hash(&argon2, password.expose_secret().as_bytes())).await?
    }

    /// Whether `stored` is of `password`; without one it takes the same time to say no.
    pub async fn matches(&self, turn: Turn, password: SecretString, stored: Option<String>) -> Result<bool> {
        let argon2 = self.argon2.clone();
        let nobodys = self.nobodys.clone();
        in_turn(turn, move || {
            let phc = stored.as_deref().unwrap_or(&nobodys);
            let right = PasswordHash::new(phc)
                .is_ok_and(|phc| argon2.verify_password(password.expose_secret().as_bytes(), &phc).is_ok());
            right && stored.is_some()
        })
        .await
    }
}

/// Runs `work` off the async workers. The turn ends with the work, also where the request is given up before
/// that.
async fn in_turn<T: Send + 'static>(turn: Turn, work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(move || {
        let done = work();
        drop(turn);
        done
    })
    .await
    .map_err(Error::fault)
}

fn hash(argon2: &Argon2<'_>, password: &[u8]) -> Result<String> {
    Ok(argon2.hash_password(password).map_err(Error::fault)?.to_string())
}

impl fmt::Debug for Passwords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Passwords").field("argon2", &self.argon2.params()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::future::join_all;

    fn secret(text: &str) -> SecretString {
        SecretString::from(text)
    }

    #[tokio::test]
    async fn a_password_matches_its_own_hash_alone() {
        let config = Config { argon2_memory_kib: 64, argon2_passes: 1, ..Config::default() };
        let passwords = Passwords::new(&config).unwrap();
        let turn = || async { passwords.turn(None).await.unwrap() };
        let stored = passwords.hash(turn().await, secret("correct horse")).await.unwrap();
        assert!(stored.starts_with("$argon2id$v=19$m=64,t=1,p=1$"), "{stored}");
        assert!(
            passwords.matches(turn().await, secret("correct horse"), Some(stored.clone())).await.unwrap()
        );
        assert!(!passwords.matches(turn().await, secret("battery staple"), Some(stored)).await.unwrap());
        assert!(!passwords.matches(turn().await, secret("correct horse"), None).await.unwrap());
        assert!(
            !passwords
                .matches(turn().await, secret("correct horse"), Some("not a hash".to_owned()))
                .await
                .unwrap()
        );
    }

    #[test]
    fn one_line_has_one_network() {
        let of = |text: &str| network(Some(text.parse().unwrap()));
        assert_eq!(of("2001:db8:1:2::1"), of("2001:db8:1:2:ffff::9"));
        assert_ne!(of("2001:db8:1:2::1"), of("2001:db8:1:3::1"));
        assert_ne!(of("192.0.2.1"), of("192.0.2.2"));
    }

    #[tokio::test]
    async fn a_flood_from_one_address_is_refused_and_another_is_not() {
        let config = Config {
            argon2_memory_kib: 64,
            argon2_passes: 1,
            argon2_parallel_max: 1,
            logins_waiting_max: 4,
            ..Config::default()
        };
        let passwords = Passwords::new(&config).unwrap();
        let busy = passwords.turns.try_enter(None).unwrap();
        let from = |address: &str| Some(address.parse().unwrap());
        let log_in = async |address| {
            let turn = passwords.turn(from(address)).await?;
            passwords.matches(turn, secret("x"), None).await
        };
        let flood = join_all((0..20).map(|_| log_in("192.0.2.1")));
        let (flooded, owner, ()) = tokio::join!(flood, log_in("192.0.2.2"), async { drop(busy) });
        assert!(owner.is_ok(), "{owner:?}");
        let refused = flooded.iter().filter(|outcome| matches!(outcome, Err(Error::Crowded { .. }))).count();
        assert_eq!(refused, 17, "four wait, and the newest of them makes room");
    }
}
