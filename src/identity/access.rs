//! What each account and key may do, kept in memory and dropped when Postgres says it changed.
//!
//! Every request asks here, so a known caller costs one look-up (and a key one SHA-256). While
//! Postgres is away those who are known go on; nobody else gets in. Unknown keys are not remembered:
//! one that is made a moment later must work, and guesses must not push out those that are good.

use super::{
    groups,
    permission::{Permission, Permissions},
    secrets,
};
use crate::{
    error::Result,
    security::{self, Event},
};
use chrono::{DateTime, Utc};
use quick_cache::sync::Cache;
use sqlx::PgPool;
use std::{
    collections::HashMap,
    fmt,
    hash::Hash,
    net::IpAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};
use uuid::Uuid;

/// Accounts and keys that are kept, each.
const KEPT_MAX: usize = 100_000;

/// What every API key begins with, so that people and secret scanners recognise one.
pub const KEY_PREFIX: &str = "scrip_";

/// Which kind of caller it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Who {
    /// A person.
    Account(i64),
    /// A device or an integration, by its key's id.
    Key {
        /// The key's id.
        id: i64,
        /// The one machine that it speaks for; any machine of its group or below without one.
        machine: Option<i64>,
    },
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Account(id) => write!(f, "account:{id}"),
            Self::Key { id, .. } => write!(f, "key:{id}"),
        }
    }
}

/// What one account or key may do.
#[derive(Debug)]
pub struct Grant {
    /// Whose it is.
    pub who: Who,
    /// The user group that it acts for.
    pub group: i64,
    /// That group and those above it, on which its permissions rest.
    pub line: Box<[i64]>,
    /// What its group (and, for a key, its scopes) allows.
    pub permissions: Permissions,
    /// Of an account: access tokens of another generation are of sessions that were ended.
    pub generation: i64,
    /// Of an account: log-ins that ended before their access tokens did.
    pub ended: Vec<Uuid>,
    /// Of a key: the account that answers for it.
    pub owner: Option<i64>,
    /// Of a key: until when it is good.
    pub expires_at: Option<DateTime<Utc>>,
}

impl Grant {
    /// Whether it allows `permission`.
    pub fn allows(&self, permission: Permission) -> bool {
        self.permissions.contains(permission)
    }
}

/// The grants in memory.
#[derive(Debug)]
pub struct Access {
    accounts: Cache<i64, Arc<Grant>>,
    /// By the key's SHA-256.
    keys: Cache<[u8; 32], Arc<Grant>>,
    /// Counts what was dropped, so that a grant that was being loaded meanwhile is not kept.
    drops: AtomicU64,
    /// When and from where each key was last used, as far as it is not yet written down.
    used: Mutex<HashMap<i64, Use>>,
}

/// A use of a key.
type Use = (DateTime<Utc>, Option<IpAddr>);

impl Default for Access {
    fn default() -> Self {
        Self {
            accounts: Cache::new(KEPT_MAX),
            keys: Cache::new(KEPT_MAX),
            drops: AtomicU64::new(0),
            used: Mutex::default(),
        }
    }
}

impl Access {
    /// What `account` may do; None if it may do nothing (any more).
    pub async fn of_account(&self, db: &PgPool, account: i64) -> Result<Option<Arc<Grant>>> {
        self.kept(&self.accounts, &account, load_account(db, account)).await
    }

    /// What the bearer of `key` may do at `now`; None if it is not (or no longer) a key.
    pub async fn of_key(
        &self,
        db: &PgPool,
        key: &str,
        now: DateTime<Utc>,
        address: Option<IpAddr>,
    ) -> Result<Option<Arc<Grant>>> {
        if key.len() != KEY_PREFIX.len() + secrets::LENGTH {
            return Ok(None);
        }
        let digest = secrets::digest(key);
        let grant = self.kept(&self.keys, &digest, load_key(db, digest, address)).await?;
        let Some(grant) = grant else { return Ok(None) };
        if grant.expires_at.is_some_and(|end| end <= now) {
            security::note(Event::ExpiredKeyUsed, Some(grant.who), address, "");
            return Ok(None);
        }
        if let Who::Key { id, .. } = grant.who {
            self.used().insert(id, (now, address));
        }
        Ok(Some(grant))
    }

    /// The grant under `key`, loaded once however many ask for it at a time.
    async fn kept<K: Clone + Eq + Hash>(
        &self,
        cache: &Cache<K, Arc<Grant>>,
        key: &K,
        load: impl Future<Output = Result<Option<Grant>>>,
    ) -> Result<Option<Arc<Grant>>> {
        let place = match cache.get_value_or_guard_async(key).await {
            Ok(grant) => return Ok(Some(grant)),
            Err(place) => place,
        };
        let drops = self.drops.load(Ordering::SeqCst);
        let Some(grant) = load.await?.map(Arc::new) else { return Ok(None) };
        // It may have been read before the change that a notice has told of since. Those who wait for it
        // then load it again: they may have asked after the change.
        let is_current = || self.drops.load(Ordering::SeqCst) == drops;
        if is_current() && place.insert(grant.clone()).is_ok() && !is_current() {
            cache.remove(key);
        }
        Ok(Some(grant))
    }

    /// Drops what a notice from Postgres is about: `account`, `key` or `group`.
    pub fn on_notice(&self, noun: &str, id: i64) {
        match noun {
            "account" => {
                self.drops.fetch_add(1, Ordering::SeqCst);
                self.accounts.remove(&id);
                self.keys.retain(|_, grant| grant.owner != Some(id));
            }
            "key" => {
                self.drops.fetch_add(1, Ordering::SeqCst);
                self.keys.retain(|_, grant| !matches!(grant.who, Who::Key { id: key, .. } if key == id));
            }
            // A group's permissions bear on all below it, and on nobody else.
            "group" => {
                self.drops.fetch_add(1, Ordering::SeqCst);
                self.accounts.retain(|_, grant| !grant.line.contains(&id));
                self.keys.retain(|_, grant| !grant.line.contains(&id));
            }
            _ => {}
        }
    }

    /// Drops everything: notices may have been missed.
    pub fn clear(&self) {
        self.drops.fetch_add(1, Ordering::SeqCst);
        self.accounts.clear();
        self.keys.clear();
    }

    /// Writes down when and from where keys were last used; what can't be written now is left for the next time.
    pub async fn flush_last_used(&self, db: &PgPool) -> Result<()> {
        let used = std::mem::take(&mut *self.used());
        if used.is_empty() {
            return Ok(());
        }
        let mut columns: (Vec<i64>, Vec<DateTime<Utc>>, Vec<Option<String>>) = Default::default();
        columns.extend(used.iter().map(|(&id, (at, from))| (id, *at, from.map(|from| from.to_string()))));
        // Several servers do this for the same keys: locked in order, they can't block each other.
        let written = sqlx::query(
            "WITH used AS (
                 SELECT k.id, u.at, u.host FROM api_key k
                 JOIN unnest($1::bigint[], $2::timestamptz[], $3::text[]) u (id, at, host) USING (id)
                 ORDER BY k.id FOR NO KEY UPDATE OF k)
             UPDATE api_key k SET last_used_at = used.at, last_used_from = used.host::inet
             FROM used WHERE k.id = used.id AND k.last_used_at IS DISTINCT FROM GREATEST(k.last_used_at, used.at)",
        )
        .bind(columns.0)
        .bind(columns.1)
        .bind(columns.2)
        .execute(db)
        .await;
        if written.is_err() {
            let mut newer = self.used();
            for (id, last) in used {
                newer.entry(id).or_insert(last);
            }
        }
        written?;
        Ok(())
    }

    fn used(&self) -> MutexGuard<'_, HashMap<i64, Use>> {
        self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn load_account(db: &PgPool, account: i64) -> Result<Option<Grant>> {
    let found: Option<(i64, i64)> = sqlx::query_as(
        "SELECT user_group, session_generation FROM account WHERE id = $1 AND disabled_at IS NULL",
    )
    .bind(account)
    .fetch_optional(db)
    .await?;
    let Some((group, generation)) = found else { return Ok(None) };
    let Some((permissions, line)) = groups::standing(db, group).await? else { return Ok(None) };
    let ended = sqlx::query_scalar("SELECT family FROM ended_session WHERE account = $1");
    let ended = ended.bind(account).fetch_all(db).await?;
    let who = Who::Account(account);
    Ok(Some(Grant { who, group, line, permissions, generation, ended, owner: None, expires_at: None }))
}

/// A key as it is stored.
#[derive(sqlx::FromRow)]
struct StoredKey {
    id: i64,
    user_group: i64,
    machine: Option<i64>,
    scopes: Vec<String>,
    owner: Option<i64>,
    expires_at: Option<DateTime<Utc>>,
    /// It was revoked, or its owner is no user any more.
    ended: bool,
}

async fn load_key(db: &PgPool, digest: [u8; 32], address: Option<IpAddr>) -> Result<Option<Grant>> {
    const SQL: &str = "
        SELECT k.id, k.user_group, k.machine, k.scopes, k.owner, k.expires_at,
               k.revoked_at IS NOT NULL OR a.disabled_at IS NOT NULL AS ended
        FROM api_key k LEFT JOIN account a ON a.id = k.owner WHERE k.hash = $1";
    let key: Option<StoredKey> = sqlx::query_as(SQL).bind(&digest[..]).fetch_optional(db).await?;
    let Some(key) = key else { return Ok(None) };
    let who = Who::Key { id: key.id, machine: key.machine };
    if key.ended {
        security::note(Event::RevokedKeyUsed, Some(who), address, "");
        return Ok(None);
    }
    let Some((allowed, line)) = groups::standing(db, key.user_group).await? else { return Ok(None) };
    let mut permissions = allowed.and(Permissions::named(&key.scopes));
    if key.machine.is_some() {
        permissions = permissions.and(Permission::OF_ONE_MACHINE.into_iter().collect());
    }
    let StoredKey { user_group: group, owner, expires_at, .. } = key;
    Ok(Some(Grant { who, group, line, permissions, generation: 0, ended: Vec::new(), owner, expires_at }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{Error, Store};
    use std::{cell::Cell, future::ready};

    fn grant(who: Who) -> Grant {
        of_group(who, &[1])
    }

    fn of_group(who: Who, line: &[i64]) -> Grant {
        Grant {
            who,
            group: line[0],
            line: line.into(),
            permissions: Permissions::ALL,
            generation: 0,
            ended: Vec::new(),
            owner: None,
            expires_at: None,
        }
    }

    #[tokio::test]
    async fn many_who_ask_at_a_time_load_once() {
        let access = Access::default();
        let loads = Cell::new(0);
        let ask = || {
            access.kept(&access.accounts, &7, async {
                loads.set(loads.get() + 1);
                tokio::task::yield_now().await;
                Ok(Some(grant(Who::Account(7))))
            })
        };
        let (one, two, three) = tokio::join!(ask(), ask(), ask());
        assert!([one, two, three].iter().all(|asked| matches!(asked, Ok(Some(_)))));
        assert_eq!(loads.get(), 1);
    }

    #[tokio::test]
    async fn what_changed_while_it_was_loaded_is_not_kept() {
        let who = Who::Key { id: 3, machine: None };
        for (noun, id, kept) in [("key", 3, false), ("group", 1, false), ("machine", 3, true)] {
            let access = Access::default();
            let read_then_changed = async {
                access.on_notice(noun, id);
                Ok(Some(grant(who)))
            };
            access.kept(&access.keys, &[0; 32], read_then_changed).await.unwrap();
            assert_eq!(access.keys.get(&[0; 32]).is_some(), kept, "{noun}");
        }
    }

    #[tokio::test]
    async fn a_notice_about_a_group_drops_those_below_it_alone() {
        let access = Access::default();
        for (id, line) in [(1, &[1][..]), (2, &[2, 1]), (3, &[3, 2, 1]), (4, &[4, 1])] {
            let account = ready(Ok(Some(of_group(Who::Account(id), line))));
            access.kept(&access.accounts, &id, account).await.unwrap();
            let key = ready(Ok(Some(of_group(Who::Key { id, machine: None }, line))));
            access.kept(&access.keys, &[id as u8; 32], key).await.unwrap();
        }
        access.on_notice("group", 2);
        let kept: Vec<_> = (1..=4)
            .filter(|id| access.accounts.get(id).is_some() && access.keys.get(&[*id as u8; 32]).is_some())
            .collect();
        assert_eq!(kept, [1, 4]);
        assert!(access.accounts.get(&3).is_none() && access.keys.get(&[2; 32]).is_none());
    }

    #[tokio::test]
    async fn a_notice_drops_what_it_names_and_refusals_are_not_kept() {
        let access = Access::default();
        for id in [1, 2] {
            let found = || ready(Ok(Some(grant(Who::Account(id)))));
            access.kept(&access.accounts, &id, found()).await.unwrap();
        }
        access.on_notice("account", 1);
        assert!(access.accounts.get(&1).is_none() && access.accounts.get(&2).is_some());
        assert!(access.kept(&access.accounts, &1, ready(Ok(None))).await.unwrap().is_none());
        let away = ready(Err(Error::Unavailable { store: Store::Postgres }));
        assert!(access.kept(&access.accounts, &1, away).await.is_err());
        let made = ready(Ok(Some(grant(Who::Account(1)))));
        assert!(access.kept(&access.accounts, &1, made).await.unwrap().is_some());
        access.clear();
        assert!(access.accounts.is_empty());
    }
}
