//! Logging in with a password, and how often one may try.

use super::{access::Who, groups, look::spelled, passwords, sessions, sessions::Session};
use crate::{
    app::App,
    budget::{Budgets, Try},
    config::Config,
    error::{Error, Result},
    redemption::hot::Hot,
    security::{self, Event},
};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use chrono::{DateTime, Days, Utc};
use governor::{
    DefaultKeyedRateLimiter, Quota, RateLimiter,
    clock::{Clock, DefaultClock},
};
use secrecy::SecretString;
use sha2::{Digest, Sha256};
use std::{
    fmt,
    hash::{BuildHasher, RandomState},
    net::IpAddr,
    num::NonZeroU32,
    sync::atomic::{AtomicU32, Ordering},
};

/// One answer for a wrong password and a name that is not there.
const REFUSED: Error = Error::Unauthorized("no user has this name and password");

/// After this many requests, addresses that have their whole budget again are forgotten.
const REQUESTS_BETWEEN_SWEEPS: u32 = 1_024;

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

/// Opens a session for the account of this user name (or e-mail address) and password, for who comes from `address`.
pub async fn login(
    app: &App,
    username: &str,
    password: SecretString,
    address: Option<IpAddr>,
) -> Result<Session> {
    let used_up = |error: Error| {
        security::note(Event::BudgetUsedUp, None, None, "log-ins");
        error
    };
    let host = app.logins.host(address).map_err(used_up)?;
    let turn = app.passwords.turn(address).await?;
    let account = find(app, username).await?;
    let is_known = match (&account, address) {
        (Some(account), Some(address)) => has_logged_in_from(app, account.id, address).await?,
        _ => false,
    };
    let name = account.as_ref().map_or_else(|| unknown_name(username), |account| account.id.to_string());
    let tries = app.logins.name(host, &name, address, is_known).map_err(used_up)?;
    let stored = account.as_ref().and_then(|account| account.password_hash.clone());
    let right = app.passwords.matches(turn, password, stored).await?;
    let who = account.as_ref().map(|account| Who::Account(account.id));
    let refused = |error: Error| {
        security::note(Event::LogInFailed, who, None, "");
        error
    };
    let Some(account) = account.filter(|account| right && account.enabled) else {
        tries.failed(&app.hot, app.clock.now()).await;
        return Err(refused(REFUSED));
    };
    if groups::allowed(&app.db, account.user_group).await?.is_none() {
        return Err(refused(REFUSED));
    }
    if account.password_expires.is_some_and(|expires| expires <= app.clock.now()) {
        return Err(refused(Error::Unauthorized("this password has expired: set a new one")));
    }
    let session = sessions::open(app, account.id, account.session_generation).await?;
    let session = session.ok_or_else(|| refused(REFUSED))?;
    if let Some(address) = address {
        note_address(app, account.id, address).await?;
    }
    security::note(Event::LoggedIn, who, None, "");
    Ok(session)
}

/// Returns `true` if the account has logged in from this address lately.
async fn has_logged_in_from(app: &App, account: i64, address: IpAddr) -> Result<bool> {
    const SQL: &str = "
        SELECT EXISTS (SELECT FROM login_address WHERE account = $1 AND address = $2::inet AND last_at > $3)";
    let since = known_since(app);
    let known = sqlx::query_scalar(SQL).bind(account).bind(network(address)).bind(since);
    Ok(known.fetch_one(&app.db).await?)
}

/// The instant since when an account must have logged in from an address to be known there.
fn known_since(app: &App) -> DateTime<Utc> {
    let keep = Days::new(app.config.login_addresses_keep_days.into());
    let since = app.clock.now().checked_sub_days(keep).filter(|_| app.config.login_addresses_keep_days > 0);
    since.unwrap_or(DateTime::UNIX_EPOCH)
}

/// Notes that an account has logged in from an address, and forgets those from which it has not for long.
async fn note_address(app: &App, account: i64, address: IpAddr) -> Result<()> {
    const SQL: &str = "
        WITH old AS (DELETE FROM login_address WHERE account = $1 AND last_at <= $4 AND address <> $2::inet)
        INSERT INTO login_address (account, address, last_at) VALUES ($1, $2::inet, $3)
        ON CONFLICT (account, address) DO UPDATE SET last_at = EXCLUDED.last_at";
    let note =
        sqlx::query(SQL).bind(account).bind(network(address)).bind(app.clock.now()).bind(known_since(app));
    note.execute(&app.db).await?;
    Ok(())
}

/// Finds the account that a user name or an address means. User names are not given twice within a tree of groups
/// alone, and addresses can be claimed: the oldest account with a password that has the name goes first, then the one
/// that has confirmed the address. A name that is an address counts once that is confirmed.
async fn find(app: &App, username: &str) -> Result<Option<Account>> {
    // Postgres has no NUL in text, so nobody has it in their name.
    if username.contains('\0') {
        return Ok(None);
    }
    Ok(sqlx::query_as(
        "SELECT id, user_group, password_hash, password_expires, disabled_at IS NULL AS enabled,
                session_generation
         FROM account WHERE lower(username) IN (lower($1), lower($2)) OR lower(email) = lower($1)
         ORDER BY disabled_at IS NULL DESC, password_hash IS NOT NULL DESC,
                  lower(username) = lower($1) AND (email_confirmed OR strpos(username, '@') = 0) DESC,
                  email_confirmed DESC, lower(username) = lower($1) DESC, lower(username) = lower($2) DESC, id
         LIMIT 1",
    )
    .bind(username)
    .bind(spelled(username))
    .fetch_optional(&app.db)
    .await?)
}

/// Budgets of failed log-ins. An owner is not locked out by who fails elsewhere: the budget of a name from all
/// addresses binds those alone from which it has not logged in.
#[derive(Debug)]
pub struct Logins {
    hosts: Budgets<String>,
    names_at_hosts: Budgets<String>,
    names: Budgets<String>,
    strangers: Budgets<&'static str>,
}

/// The part that an attempt to log in takes in each budget that binds it.
#[derive(Debug)]
pub struct LoginTries<'a> {
    each: [Option<Try<'a, String>>; 3],
    strangers: Option<Try<'a, &'static str>>,
}

impl Logins {
    /// As configured.
    pub fn new(config: &Config) -> Self {
        let name = config.logins_per_minute;
        Self {
            hosts: Budgets::new(
                "login-address",
                "failed log-ins from this address",
                config.logins_per_address_per_minute,
            ),
            names_at_hosts: Budgets::new("login", "failed log-ins with this name", name),
            names: Budgets::new("login-name", "failed log-ins with this name", name.saturating_mul(10)),
            strangers: Budgets::new(
                "login-strangers",
                "failed log-ins from addresses that are not known",
                config.logins_of_strangers_per_minute,
            ),
        }
    }

    /// Takes a part of an address' budget, before anything is looked up. One without an address has no such budget.
    fn host(&self, address: Option<IpAddr>) -> Result<Option<Try<'_, String>>> {
        address.map(|address| self.hosts.take_now(network(address))).transpose()
    }

    /// Takes a part of the budgets of a name; `is_known` says that it has logged in from this address.
    fn name<'a>(
        &'a self,
        host: Option<Try<'a, String>>,
        name: &str,
        address: Option<IpAddr>,
        is_known: bool,
    ) -> Result<LoginTries<'a>> {
        let from = address.map(network).unwrap_or_default();
        let at_host = Some(self.names_at_hosts.take_now(format!("{name}@{from}"))?);
        let anywhere = if is_known { None } else { Some(self.names.take_now(name.to_owned())?) };
        let strangers = if is_known { None } else { Some(self.strangers.take_now("all")?) };
        Ok(LoginTries { each: [host, at_host, anywhere], strangers })
    }
}

impl LoginTries<'_> {
    /// Counts a failed log-in in each of its budgets.
    async fn failed(self, hot: &Hot, now: DateTime<Utc>) {
        // One that is exceeded by other servers' failures refuses the next, not this one.
        for tried in self.each.into_iter().flatten() {
            tried.failed(hot, now).await.ok();
        }
        if let Some(tried) = self.strangers {
            tried.failed(hot, now).await.ok();
        }
    }
}

/// The network that budgets are for.
fn network(address: IpAddr) -> String {
    passwords::network(Some(address)).map(|network| network.to_string()).unwrap_or_default()
}

/// Stands for a name that nobody has; short, and the same on every server.
fn unknown_name(name: &str) -> String {
    let digest = Sha256::digest(name.to_lowercase().as_bytes());
    format!("nobody-{}", BASE64_URL_SAFE_NO_PAD.encode(&digest[..16]))
}

/// How often mails for a new password may be asked for. Each server counts its own.
pub struct Resets {
    /// Names the request, for the refusal of one too many.
    what: &'static str,
    /// By a hash of the address, so that long ones take no room.
    budgets: DefaultKeyedRateLimiter<u64>,
    hasher: RandomState,
    since_sweep: AtomicU32,
}

impl Resets {
    /// `per_hour` requests for a new password, at once or spread out.
    pub fn of_address(per_hour: u32) -> Self {
        Self::new("requests for a new password with this address", Quota::per_hour(at_least_one(per_hour)))
    }

    /// `per_minute` requests for new passwords of anyone, from one client.
    pub fn of_client(per_minute: u32) -> Self {
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

    /// Takes one request from the budget of `address`.
    pub fn spend(&self, address: &str) -> Result<()> {
        if self.since_sweep.fetch_add(1, Ordering::Relaxed).is_multiple_of(REQUESTS_BETWEEN_SWEEPS) {
            self.budgets.retain_recent();
        }
        let address = self.hasher.hash_one(address.to_lowercase());
        self.budgets.check_key(&address).map_err(|refused| Error::TooMany {
            what: self.what,
            retry_after_s: refused.wait_time_from(DefaultClock::default().now()).as_secs() + 1,
        })
    }
}

fn at_least_one(attempts: u32) -> NonZeroU32 {
    NonZeroU32::new(attempts).unwrap_or(NonZeroU32::MIN)
}

impl fmt::Debug for Resets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resets").field("addresses", &self.budgets.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_address_has_a_budget_whatever_its_case() {
        let resets = Resets::of_address(3);
        for address in ["ann@example.com", "ANN@example.com", "Ann@example.com"] {
            resets.spend(address).unwrap();
        }
        assert!(matches!(resets.spend("ann@example.com"), Err(Error::TooMany { .. })));
        resets.spend("bob@example.com").unwrap();
    }

    #[test]
    fn unknown_names_are_told_apart_whatever_their_case() {
        assert_eq!(unknown_name("Zoe"), unknown_name("ZOE"));
        assert_ne!(unknown_name("zoe"), unknown_name("zo"));
    }

    #[test]
    fn an_owner_at_a_known_address_is_bound_by_its_own_failures_alone() {
        let logins = Logins::new(&Config { logins_per_minute: 1, ..Config::default() });
        let address = |last: u8| Some(IpAddr::from([192, 0, 2, last]));
        let held: Vec<_> =
            (0..10).map(|last| logins.name(None, "7", address(last), false).unwrap()).collect();
        assert!(logins.name(None, "7", address(10), false).is_err(), "too many fail everywhere");
        assert!(logins.name(None, "8", address(10), false).is_ok());
        let owner = logins.name(None, "7", address(10), true).unwrap();
        assert!(logins.name(None, "7", address(10), true).is_err(), "too many fail there");
        drop((held, owner));
        assert!(logins.name(None, "7", address(10), false).is_ok(), "nothing has failed");
    }
}
