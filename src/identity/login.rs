//! Logging in with a password, and how often one may try.

use super::{groups, sessions, sessions::Session};
use crate::{
    app::App,
    error::{Error, Result},
};
use chrono::{DateTime, Utc};
use governor::{
    DefaultKeyedRateLimiter, Quota, RateLimiter,
    clock::{Clock, DefaultClock},
};
use secrecy::SecretString;
use std::{
    fmt,
    hash::{BuildHasher, RandomState},
    net::IpAddr,
    num::NonZeroU32,
    sync::atomic::{AtomicU32, Ordering},
};

/// One answer for a wrong password and a name that is not there.
const REFUSED: Error = Error::Unauthorized("no user has this name and password");

/// After this many attempts, names that have their whole budget again are forgotten.
const ATTEMPTS_BETWEEN_SWEEPS: u32 = 1_024;

/// What is needed of an account to log in.
#[derive(sqlx::FromRow)]
struct Account {
    id: i64,
    user_group: i64,
    password_hash: Option<String>,
    password_expires: Option<DateTime<Utc>>,
    enabled: bool,
    session_generation: i64,
}

/// Opens a session for the account of this user name (or e-mail address) and password.
pub async fn login(
    app: &App,
    username: &str,
    password: SecretString,
    from: Option<IpAddr>,
) -> Result<Session> {
    app.attempts.spend(username)?;
    let turn = app.passwords.turn(from).await?;
    let account = find(app, username).await?;
    let stored = account.as_ref().and_then(|account| account.password_hash.clone());
    let right = app.passwords.matches(turn, password, stored).await?;
    let Some(account) = account.filter(|account| right && account.enabled) else { return Err(REFUSED) };
    if groups::allowed(&app.db, account.user_group).await?.is_none() {
        return Err(REFUSED);
    }
    if account.password_expires.is_some_and(|expires| expires <= app.clock.now()) {
        return Err(Error::Unauthorized("this password has expired: set a new one"));
    }
    sessions::open(app, account.id, account.session_generation).await?.ok_or(REFUSED)
}

/// Someone whose user name is another's e-mail address goes by the user name.
async fn find(app: &App, username: &str) -> Result<Option<Account>> {
    // Postgres has no NUL in text, so nobody has it in their name.
    if username.contains('\0') {
        return Ok(None);
    }
    Ok(sqlx::query_as(
        "SELECT id, user_group, password_hash, password_expires, disabled_at IS NULL AS enabled,
                session_generation
         FROM account WHERE lower(username) = lower($1) OR lower(email) = lower($1)
         ORDER BY lower(username) = lower($1) DESC LIMIT 1",
    )
    .bind(username)
    .fetch_optional(&app.db)
    .await?)
}

/// How often one name may try something, whether or not anybody has it. Each server counts its own.
pub struct Attempts {
    /// What is tried, for who is told that it was too often.
    what: &'static str,
    /// By a hash of the name, so that long names take no room.
    budgets: DefaultKeyedRateLimiter<u64>,
    hasher: RandomState,
    since_sweep: AtomicU32,
}

impl Attempts {
    /// `per_minute` attempts to log in, at once or spread out.
    pub fn to_log_in(per_minute: u32) -> Self {
        Self::new("attempts to log in with this name", Quota::per_minute(at_least_one(per_minute)))
    }

    /// `per_hour` requests for a new password, at once or spread out.
    pub fn to_reset(per_hour: u32) -> Self {
        Self::new("requests for a new password with this address", Quota::per_hour(at_least_one(per_hour)))
    }

    /// `per_minute` requests for new passwords of anyone, from one client.
    pub fn to_reset_from(per_minute: u32) -> Self {
        Self::new("requests for a new password from this client", Quota::per_minute(at_least_one(per_minute)))
    }

    fn new(what: &'static str, quota: Quota) -> Self {
        Self {
            what,
            budgets: RateLimiter::keyed(quota),
            hasher: RandomState::new(),
            since_sweep: AtomicU32::new(0),
        }
    }

    /// Takes one attempt from the budget of `name`.
    pub fn spend(&self, name: &str) -> Result<()> {
        if self.since_sweep.fetch_add(1, Ordering::Relaxed).is_multiple_of(ATTEMPTS_BETWEEN_SWEEPS) {
            self.budgets.retain_recent();
        }
        let name = self.hasher.hash_one(name.to_lowercase());
        self.budgets.check_key(&name).map_err(|refused| Error::TooMany {
            what: self.what,
            retry_after_s: refused.wait_time_from(DefaultClock::default().now()).as_secs() + 1,
        })
    }
}

fn at_least_one(attempts: u32) -> NonZeroU32 {
    NonZeroU32::new(attempts).unwrap_or(NonZeroU32::MIN)
}

impl fmt::Debug for Attempts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attempts").field("names", &self.budgets.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_has_a_budget_whatever_its_case() {
        let attempts = Attempts::to_log_in(3);
        for name in ["ann", "ANN", "Ann"] {
            attempts.spend(name).unwrap();
        }
        let Err(Error::TooMany { retry_after_s, .. }) = attempts.spend("ann") else {
            panic!("a fourth attempt")
        };
        assert!((1..=21).contains(&retry_after_s), "{retry_after_s}");
        attempts.spend("bob").unwrap();
    }

    #[test]
    fn names_in_use_are_kept_and_swept_in_time() {
        let attempts = Attempts::to_log_in(600_000);
        for number in 0..3 * ATTEMPTS_BETWEEN_SWEEPS {
            attempts.spend(&format!("user {number}")).unwrap();
        }
        // A budget of 600,000 a minute is whole again after 0.1 ms.
        std::thread::sleep(std::time::Duration::from_millis(1));
        attempts.spend("last").unwrap();
        assert!(attempts.budgets.len() < 10, "{attempts:?}");
    }
}
