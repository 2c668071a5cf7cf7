//! Passwords: argon2id, kept as PHC strings.
//!
//! Hashing takes memory and a core on purpose, so it runs beside the async workers and only so many
//! at once. A user who doesn't exist costs as much as one who does.

use crate::{
    config::Config,
    error::{Error, Result},
};
use argon2::{
    Algorithm, Argon2, Params, Version,
    password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash},
};
use secrecy::{ExposeSecret, SecretString};
use std::{fmt, sync::Arc};
use tokio::sync::Semaphore;

/// Hashes and checks passwords.
pub struct Passwords {
    argon2: Argon2<'static>,
    /// How many may be hashed at once.
    turns: Arc<Semaphore>,
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
        Ok(Self { argon2, turns: Arc::new(Semaphore::new(config.argon2_parallel_max.max(1))), nobodys })
    }

    /// The PHC string to store for `password`.
    pub async fn hash(&self, password: SecretString) -> Result<String> {
        let argon2 = self.argon2.clone();
        self.in_turn(move || hash(&argon2, password.expose_secret().as_bytes())).await?
    }

    /// Whether `stored` is of `password`; without one it takes the same time to say no.
    pub async fn matches(&self, password: SecretString, stored: Option<String>) -> Result<bool> {
        let argon2 = self.argon2.clone();
        let nobodys = self.nobodys.clone();
        self.in_turn(move || {
            let phc = stored.as_deref().unwrap_or(&nobodys);
            let right = PasswordHash::new(phc)
                .is_ok_and(|phc| argon2.verify_password(password.expose_secret().as_bytes(), &phc).is_ok());
            right && stored.is_some()
        })
        .await
    }

    /// Runs `work` off the async workers when it is its turn. The turn ends with the work, also
    /// where the request is given up before that.
    async fn in_turn<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
        let turn = self.turns.clone().acquire_owned().await.map_err(Error::fault)?;
        tokio::task::spawn_blocking(move || {
            let done = work();
            drop(turn);
            done
        })
        .await
        .map_err(Error::fault)
    }
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

    fn secret(text: &str) -> SecretString {
        SecretString::from(text)
    }

    #[tokio::test]
    async fn a_password_matches_its_own_hash_alone() {
        let config = Config { argon2_memory_kib: 64, argon2_passes: 1, ..Config::default() };
        let passwords = Passwords::new(&config).unwrap();
        let stored = passwords.hash(secret("correct horse")).await.unwrap();
        assert!(stored.starts_with("$argon2id$v=19$m=64,t=1,p=1$"), "{stored}");
        assert!(passwords.matches(secret("correct horse"), Some(stored.clone())).await.unwrap());
        assert!(!passwords.matches(secret("battery staple"), Some(stored)).await.unwrap());
        assert!(!passwords.matches(secret("correct horse"), None).await.unwrap());
        assert!(!passwords.matches(secret("correct horse"), Some("not a hash".to_owned())).await.unwrap());
    }
}
