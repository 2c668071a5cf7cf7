//! Redis: what changes with every vend, one hash a code and one packed string a voucher.
//!
//! The only module that speaks Redis. Everything here can be lost: a copy that is missing, of an
//! older epoch or of another version is loaded from Postgres again. `{code}` in a key is its
//! cluster hash tag.

mod link;
pub mod record;
mod scripts;

use super::voucher::{Facts, Refusal, State};
use crate::config::Config;
use chrono::{DateTime, Utc};
use deadpool_redis::redis::{AsyncCommands, RedisError, Value, aio::MultiplexedConnection};
use link::Link;
pub use record::Copy;
use scripts::Invocation;
pub use scripts::all as scripts;
use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};
use uuid::Uuid;

/// Days after which Redis forgets a code that nobody has loaded again.
const KEEP_DAYS: u32 = 7;

/// Two words and seven longs.
const CLAIM_BYTES: usize = 2 * 4 + 7 * 8;

/// Redis did not answer, or not as expected: go by Postgres.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Away;

/// Where a reservation is noted until Postgres has confirmed it.
#[derive(Clone, Debug)]
pub struct Mark {
    key: String,
    field: Vec<u8>,
}

/// What a script says to a request for a lock or a reservation.
#[derive(Clone, Debug)]
pub enum Admission {
    /// There is no copy to go by.
    Missing,
    /// The caller's facts are of another version than the copy's.
    Changed,
    /// The counters, the balance or another's lock forbid it; the copy as it is.
    Refused(Refusal, Copy),
    /// Done; the copy as it became.
    Granted(Copy),
}

/// What a lock or a reservation is asked with.
#[derive(Clone, Copy, Debug)]
pub struct Claim<'a> {
    /// The voucher's facts, as the caller decided by.
    pub facts: &'a Facts,
    /// The present.
    pub now: DateTime<Utc>,
    /// Start of the current period by the voucher's terms.
    pub period: DateTime<Utc>,
    /// The balance that a period starts with.
    pub initial: i64,
    /// Redemptions in a period.
    pub limit: Option<i64>,
    /// Cents of balance that there must be.
    pub need: i64,
    /// Who asks.
    pub machine: i64,
}

impl Claim<'_> {
    /// Packs it as `lua/lib/claim.lua` reads it; `hold_ms` is until when to hold the voucher.
    fn pack(&self, epoch: u32, hold_ms: i64) -> [u8; CLAIM_BYTES] {
        let mut bytes = [0; CLAIM_BYTES];
        let (words, longs) = bytes.split_at_mut(8);
        words[..4].copy_from_slice(&epoch.to_le_bytes());
        words[4..].copy_from_slice(&self.facts.version.to_le_bytes());
        let numbers = [
            self.now.timestamp_millis(),
            self.period.timestamp_millis(),
            self.initial,
            self.limit.unwrap_or(-1),
            self.need,
            self.machine,
            hold_ms,
        ];
        for (place, number) in longs.chunks_exact_mut(8).zip(numbers) {
            place.copy_from_slice(&number.to_le_bytes());
        }
        bytes
    }
}

/// The handle on Redis.
#[derive(Debug)]
pub struct Hot {
    prefix: String,
    link: Link,
    /// The installation's epoch as far as known; 0 until Postgres has said.
    epoch: AtomicU32,
    /// For what may take long (evictions, rebuilds), so that it does not hold up a vend.
    pool: deadpool_redis::Pool,
}

impl Hot {
    /// Connects later: see [`Hot::supervise`].
    pub fn new(config: &Config) -> Result<Self, String> {
        let link = Link::new(config).map_err(|error| format!("REDIS_URL: {error}"))?;
        let manager =
            deadpool_redis::Manager::new(link.info()).map_err(|error| format!("REDIS_URL: {error}"))?;
        let timeout = Some(Duration::from_millis(config.redis_timeout_ms));
        let pool = deadpool_redis::Pool::builder(manager)
            .max_size(2)
            .runtime(deadpool_redis::Runtime::Tokio1)
            .wait_timeout(timeout)
            .create_timeout(timeout)
            .recycle_timeout(timeout)
            .build()
            .map_err(|error| error.to_string())?;
        Ok(Self { prefix: config.redis_prefix.clone(), link, epoch: AtomicU32::new(0), pool })
    }

    /// Whether Redis answers, as far as known.
    pub fn is_up(&self) -> bool {
        self.link.is_up()
    }

    /// Takes note of the installation's epoch; it only ever rises.
    pub fn set_epoch(&self, epoch: u32) {
        self.epoch.fetch_max(epoch, Ordering::SeqCst);
    }

    /// The installation's epoch as far as known.
    pub fn epoch(&self) -> u32 {
        self.epoch.load(Ordering::SeqCst)
    }

    /// Keeps the connection: connects, watches, and connects again when it breaks. `arrived` is told
    /// which server it is (its run id) before anyone else may use it; `gone` that it broke.
    pub async fn supervise<F: Future<Output = ()>>(&self, arrived: impl Fn(String) -> F, gone: impl Fn()) {
        self.link.supervise(arrived, gone).await;
    }

    fn key(&self, code: &str) -> String {
        format!("{}:v:{{{code}}}", self.prefix)
    }

    fn connection(&self) -> Result<MultiplexedConnection, Away> {
        self.link.connection().ok_or(Away)
    }

    /// Any failure of the hot connection: the caller goes by Postgres, the link sees to the rest.
    fn failed(&self, error: &RedisError) -> Away {
        tracing::warn!(error = %error, "redis failed");
        metrics::counter!("scrip_redis_failures_total").increment(1);
        if !matches!(error.kind(), deadpool_redis::redis::ErrorKind::Server(_))
            || error.to_string().contains("READONLY")
        {
            self.link.suspect();
        }
        Away
    }

    async fn run(&self, invocation: Invocation) -> Result<Vec<Value>, Away> {
        let mut connection = self.connection()?;
        invocation.run(&mut connection).await.map_err(|error| self.failed(&error))
    }

    /// The copies of a code that are worth something.
    pub async fn read(&self, code: &str) -> Result<Vec<Copy>, Away> {
        let mut connection = self.connection()?;
        let fields: Vec<(Vec<u8>, Vec<u8>)> =
            connection.hgetall(self.key(code)).await.map_err(|error| self.failed(&error))?;
        let epoch = self.epoch();
        // One worthless copy makes the code's set incomplete: then none of them counts.
        let complete = |copies: &Vec<Copy>| copies.iter().all(|copy| copy.epoch != 0 && copy.epoch >= epoch);
        Ok(Copy::unpack_all(&fields).filter(complete).unwrap_or_default())
    }

    /// Takes or renews a lock.
    pub async fn lock(&self, code: &str, claim: Claim<'_>, till: DateTime<Utc>) -> Result<Admission, Away> {
        self.claim(scripts::lock(), code, claim, till.timestamp_millis()).await
    }

    /// Reserves one redemption.
    pub async fn reserve(&self, code: &str, claim: Claim<'_>) -> Result<Admission, Away> {
        self.claim(scripts::redeem(), code, claim, 0).await
    }

    async fn claim(
        &self,
        script: &'static scripts::Script,
        code: &str,
        claim: Claim<'_>,
        hold_ms: i64,
    ) -> Result<Admission, Away> {
        let id = claim.facts.id;
        let invocation =
            script.key(self.key(code)).arg(id.as_bytes()).arg(&claim.pack(self.epoch(), hold_ms));
        admission(id, &self.run(invocation).await?).ok_or(Away)
    }

    /// Takes away the marks of reservations that are now committed; returns how many each left in its
    /// copy, which is below 0 where that copy was replaced in the meantime.
    pub async fn settle(&self, marks: &[&Mark]) -> Result<Vec<i64>, Away> {
        let mut connection = self.connection()?;
        let mut pipeline = deadpool_redis::redis::pipe();
        for mark in marks {
            pipeline.hincr(&mark.key, &mark.field, -1);
        }
        pipeline.query_async(&mut connection).await.map_err(|error| self.failed(&error))
    }

    /// The mark of the reservation that `copy` was granted with.
    pub fn mark(&self, code: &str, copy: &Copy) -> Mark {
        Mark { key: self.key(code), field: copy.marks() }
    }

    /// Gives a lock back; whether there was one.
    pub async fn release(
        &self,
        code: &str,
        id: Uuid,
        machine: i64,
        now: DateTime<Utc>,
    ) -> Result<bool, Away> {
        let invocation = scripts::release()
            .key(self.key(code))
            .arg(id.as_bytes())
            .arg(machine)
            .arg(now.timestamp_millis());
        let reply = self.run(invocation).await?;
        Ok(word(&reply) == Some("released"))
    }

    /// Puts all vouchers of a code there as Postgres has them, and returns what is there then.
    /// `force` replaces even what is of the same revision, reservations and all.
    pub async fn load(
        &self,
        code: &str,
        vouchers: &[(&Facts, State, i64)],
        force: bool,
        now: DateTime<Utc>,
    ) -> Result<Vec<Copy>, Away> {
        metrics::counter!("scrip_redis_loads_total").increment(1);
        let generation = rand::random();
        let epoch = self.epoch().max(1);
        let invocation = scripts::load()
            .key(self.key(code))
            .arg(epoch)
            .arg(now.timestamp_millis())
            .arg(KEEP_DAYS * 24 * 3600)
            .arg(u8::from(force));
        let invocation = vouchers.iter().fold(invocation, |invocation, (facts, state, revision)| {
            let copy = Copy::new(facts, *state, *revision, epoch, generation);
            invocation.arg(facts.id.as_bytes()).arg(copy.pack())
        });
        let reply = self.run(invocation).await?;
        let copies = reply.iter().skip(1).zip(vouchers).map(|(bytes, (facts, ..))| match bytes {
            Value::BulkString(bytes) => Copy::unpack(facts.id.as_bytes(), bytes),
            _ => None,
        });
        copies.collect::<Option<Vec<_>>>().ok_or(Away)
    }

    /// Makes the copies of these codes worthless; locks in force outlive that.
    pub async fn evict(&self, codes: &[String], now: DateTime<Utc>) -> Result<(), Away> {
        let mut connection = self.pool.get().await.map_err(|_| Away)?;
        for code in codes {
            let invocation = scripts::evict().key(self.key(code)).arg(now.timestamp_millis());
            invocation.run(&mut connection).await.map_err(|_| Away)?;
        }
        Ok(())
    }

    /// The copies of many codes at once, in any state, for those who look on: the console, `verify`.
    pub async fn survey(&self, codes: &[&str]) -> Result<Vec<Vec<Copy>>, Away> {
        let mut connection = self.pool.get().await.map_err(|_| Away)?;
        let mut pipeline = deadpool_redis::redis::pipe();
        for code in codes {
            pipeline.hgetall(self.key(code));
        }
        let hashes: Vec<Vec<(Vec<u8>, Vec<u8>)>> =
            pipeline.query_async(&mut connection).await.map_err(|_| Away)?;
        let epoch = self.epoch();
        let fresh = |fields: Vec<(Vec<u8>, Vec<u8>)>| {
            let copies = Copy::unpack_all(&fields).unwrap_or_default();
            copies.into_iter().filter(|copy| copy.epoch != 0 && copy.epoch >= epoch).collect()
        };
        Ok(hashes.into_iter().map(fresh).collect())
    }
}

/// The first word of a reply.
fn word(reply: &[Value]) -> Option<&str> {
    match reply.first() {
        Some(Value::BulkString(bytes)) => std::str::from_utf8(bytes).ok(),
        _ => None,
    }
}

/// Decodes the reply of `lock.lua` and `redeem.lua`.
fn admission(id: Uuid, reply: &[Value]) -> Option<Admission> {
    let copy = || {
        let Some(Value::BulkString(bytes)) = reply.get(1) else { return None };
        let mut copy = Copy::unpack(id.as_bytes(), bytes)?;
        if let Some(Value::BulkString(marks)) = reply.get(2) {
            copy.pending = record::number(marks)?;
        }
        Some(copy)
    };
    Some(match word(reply)? {
        "missing" => Admission::Missing,
        "changed" => Admission::Changed,
        "redemption_limit_reached" => Admission::Refused(Refusal::RedemptionLimitReached, copy()?),
        "insufficient_balance" => Admission::Refused(Refusal::InsufficientBalance, copy()?),
        "locked" => {
            let copy = copy()?;
            Admission::Refused(Refusal::Locked { till: copy.state.lock?.till }, copy)
        }
        "held" | "reserved" => Admission::Granted(copy()?),
        _ => return None,
    })
}
