//! Redis: what changes with every vend, one hash a code and one packed string a voucher.
//!
//! The only module that speaks Redis. Everything here can be lost: a copy that is missing, of an
//! older epoch or of another version is loaded from Postgres again. `{code}` in a key is its
//! cluster hash tag.

mod link;
mod pipeline;
pub mod record;
mod resp;
mod scripts;

use super::voucher::{Facts, Refusal, State};
use crate::config::Config;
use chrono::{DateTime, Utc};
use link::Link;
use pipeline::{Answer, Failure, Pipeline};
pub use record::Copy;
use resp::Reply;
pub use scripts::all as scripts;
use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};
use uuid::Uuid;

/// Seconds after which Redis forgets a code that nobody has loaded again: seven days.
const KEEP_S: i64 = 7 * 24 * 3600;

/// The field that counts how often a code was evicted.
const EVICTIONS: &str = "evictions";

/// Two words and seven longs.
const CLAIM_BYTES: usize = 2 * 4 + 7 * 8;

/// What a server says that cannot be written to.
const UNWRITABLE: [&str; 7] =
    ["READONLY", "MISCONF", "OOM", "NOAUTH", "LOADING", "MASTERDOWN", "CLUSTERDOWN"];

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

/// The content of Redis for a code.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// Its copies, if all of them are worth something.
    pub copies: Vec<Copy>,
    /// The number of its evictions by then: what is read from Postgres next is loaded if there was none since.
    pub evictions: i64,
}

/// The copies in Redis of a code once it was loaded.
#[derive(Clone, Debug, Default)]
pub struct Loaded {
    /// The copies, in the order in which they were given.
    pub copies: Vec<Copy>,
    /// Whether a copy of a later revision was forced out.
    pub replaced: bool,
    /// Whether nothing was loaded, because the code was evicted after Postgres was read.
    pub outdated: bool,
}

/// What a lock or a reservation is asked with.
#[derive(Clone, Copy, Debug)]
pub struct Claim<'a> {
    /// The voucher's facts, as the caller decided by.
    pub facts: &'a Facts,
    /// The present.
    pub now: DateTime<Utc>,
    /// The last reset by the voucher's terms.
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
    /// Packs it as `lua/lib/claim.lua` reads it.
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
        if config.redis_prefix.contains(['{', '}']) {
            return Err(
                "SCRIP_REDIS_PREFIX must not contain { or }: they would take the place of the code's own, \
                        by which a cluster shares out keys"
                    .to_owned(),
            );
        }
        let link = Link::new(config)?;
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

    /// Has the connection made anew: what Redis holds is out of date, and could not be taken out.
    pub fn distrust(&self) {
        if let Some(connection) = self.link.connection() {
            self.link.suspect(&connection);
        }
    }

    /// Sees that what answers, if anything does, is a Redis that can be worked with. The error is for the operator.
    pub async fn check(&self) -> Result<(), String> {
        match self.link.connect().await {
            Err(Failure::Unfit(reason)) => Err(format!("REDIS_URL leads to {reason}")),
            _ => Ok(()),
        }
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

    fn connection(&self) -> Result<Arc<Pipeline>, Away> {
        self.link.connection().ok_or(Away)
    }

    /// Any failure of the hot connection: the caller goes by Postgres, the link sees to the rest.
    fn failed(&self, connection: &Arc<Pipeline>, failure: &Failure) -> Away {
        tracing::warn!(error = %failure, "redis failed");
        metrics::counter!("scrip_redis_failures_total").increment(1);
        let is_usable = match failure {
            Failure::Broken(_) | Failure::Unfit(_) => false,
            Failure::Refused(text) => !UNWRITABLE.iter().any(|code| text.contains(code)),
        };
        if !is_usable {
            self.link.suspect(connection);
        }
        Away
    }

    async fn run(&self, script: &scripts::Script, code: &str, args: &[&[u8]]) -> Result<Answer, Away> {
        let connection = self.connection()?;
        let answer = script.run(&connection, &self.key(code), args).await;
        answer.map_err(|failure| self.failed(&connection, &failure))
    }

    /// Reads the copies of a code.
    pub async fn read(&self, code: &str) -> Result<Found, Away> {
        let connection = self.connection()?;
        let key = self.key(code);
        let answer = connection.ask([b"HGETALL".as_slice(), key.as_bytes()].into_iter()).await;
        let answer = answer.map_err(|failure| self.failed(&connection, &failure))?;
        let reply = answer.reply();
        let pairs = reply.items().chunks_exact(2).map(|pair| Some((pair[0].bytes()?, pair[1].bytes()?)));
        let fields: Vec<(&[u8], &[u8])> = pairs.collect::<Option<_>>().ok_or(Away)?;
        let epoch = self.epoch();
        // One worthless copy makes the code's set incomplete: then none of them counts.
        let complete = |copies: &Vec<Copy>| copies.iter().all(|copy| copy.epoch != 0 && copy.epoch >= epoch);
        let evictions = fields.iter().find(|(field, _)| *field == EVICTIONS.as_bytes());
        Ok(Found {
            copies: Copy::unpack_all(&fields).filter(complete).unwrap_or_default(),
            evictions: evictions.and_then(|(_, count)| record::count(count)).unwrap_or(0),
        })
    }

    /// Reads the number of a code's evictions.
    pub async fn evictions(&self, code: &str) -> Result<i64, Away> {
        let connection = self.connection()?;
        let key = self.key(code);
        let parts = [b"HGET".as_slice(), key.as_bytes(), EVICTIONS.as_bytes()];
        let answer = connection.ask(parts.into_iter()).await;
        let answer = answer.map_err(|failure| self.failed(&connection, &failure))?;
        Ok(answer.reply().bytes().and_then(record::count).unwrap_or(0))
    }

    /// Takes or renews a lock.
    pub async fn lock(&self, code: &str, claim: Claim<'_>, till: DateTime<Utc>) -> Result<Admission, Away> {
        self.claim(scripts::lock(), code, claim, till.timestamp_millis()).await
    }

    /// Reserves one redemption. With `ends`, when the voucher's span does, the holder of a lock may redeem
    /// after that, and goes on holding the voucher: it gives its lock back once this is committed.
    pub async fn reserve(
        &self,
        code: &str,
        claim: Claim<'_>,
        ends: Option<DateTime<Utc>>,
    ) -> Result<Admission, Away> {
        self.claim(scripts::redeem(), code, claim, -ends.map_or(0, |ends| ends.timestamp_millis())).await
    }

    async fn claim(
        &self,
        script: &'static scripts::Script,
        code: &str,
        claim: Claim<'_>,
        hold_ms: i64,
    ) -> Result<Admission, Away> {
        let id = claim.facts.id;
        let claim = claim.pack(self.epoch(), hold_ms);
        let answer = self.run(script, code, &[id.as_bytes(), &claim]).await?;
        admission(id, &answer.reply()).ok_or(Away)
    }

    /// Takes away the marks of reservations that are now committed; returns how many each left in its
    /// copy, which is below 0 where that copy was replaced in the meantime.
    pub async fn settle(&self, marks: &[&Mark]) -> Result<Vec<i64>, Away> {
        let connection = self.connection()?;
        let pack = |out: &mut Vec<u8>| {
            for mark in marks {
                let parts = [b"HINCRBY".as_slice(), mark.key.as_bytes(), &mark.field, b"-1"];
                resp::pack(out, parts.into_iter());
            }
        };
        let answer = connection.send(marks.len(), pack).await;
        let answer = answer.map_err(|failure| self.failed(&connection, &failure))?;
        let replies = answer.replies().map_err(|failure| self.failed(&connection, &failure))?;
        let counts = replies.iter().map(|reply| match reply {
            Reply::Number(count) => Some(*count),
            _ => None,
        });
        counts.collect::<Option<_>>().ok_or(Away)
    }

    /// The mark of the reservation that `copy` was granted with.
    pub fn mark(&self, code: &str, copy: &Copy) -> Mark {
        Mark { key: self.key(code), field: copy.marks() }
    }

    /// Adds a failure to the budget `name` of `key`, of `capacity` failures a minute. Returns those that are not
    /// made up for, on all servers.
    pub async fn spend(
        &self,
        name: &str,
        key: &impl fmt::Display,
        capacity: f64,
        now: DateTime<Utc>,
    ) -> Result<f64, Away> {
        let connection = self.connection()?;
        let key = format!("{}:b:{{{name}:{key}}}", self.prefix);
        let (now_ms, capacity) = (now.timestamp_millis().to_string(), capacity.to_string());
        let args = [now_ms.as_bytes(), capacity.as_bytes()];
        let answer = scripts::spend().run(&connection, &key, &args).await;
        let answer = answer.map_err(|failure| self.failed(&connection, &failure))?;
        let reply = answer.reply();
        let spent = reply.items().get(1).and_then(Reply::bytes).filter(|_| word(&reply) == Some("spent"));
        spent.and_then(|spent| std::str::from_utf8(spent).ok()?.parse().ok()).ok_or(Away)
    }

    /// Gives a lock back; whether there was one.
    pub async fn release(
        &self,
        code: &str,
        id: Uuid,
        machine: i64,
        now: DateTime<Utc>,
    ) -> Result<bool, Away> {
        let (machine, now_ms) = (machine.to_string(), now.timestamp_millis().to_string());
        let args = [id.as_bytes().as_slice(), machine.as_bytes(), now_ms.as_bytes()];
        let answer = self.run(scripts::release(), code, &args).await?;
        Ok(word(&answer.reply()) == Some("released"))
    }

    /// Puts all vouchers of a code there as Postgres has them, and returns what is there then.
    /// `force` replaces whatever is there, reservations and all. Loads nothing if the code was evicted more
    /// often than `evictions`: what was read from Postgres may be out of date.
    pub async fn load(
        &self,
        code: &str,
        vouchers: &[(&Facts, State, i64)],
        force: bool,
        evictions: i64,
        now: DateTime<Utc>,
    ) -> Result<Loaded, Away> {
        metrics::counter!("scrip_redis_loads_total").increment(1);
        let generation = rand::random();
        let epoch = self.epoch().max(1);
        let numbers = [i64::from(epoch), now.timestamp_millis(), KEEP_S, i64::from(force), evictions];
        let numbers = numbers.map(|number| number.to_string());
        let packed: Vec<Vec<u8>> = vouchers
            .iter()
            .map(|(facts, state, revision)| Copy::new(facts, *state, *revision, epoch, generation).pack())
            .collect();
        let copies = vouchers.iter().zip(&packed);
        let copies = copies.flat_map(|((facts, ..), packed)| [facts.id.as_bytes().as_slice(), packed]);
        let args: Vec<&[u8]> = numbers.iter().map(String::as_bytes).chain(copies).collect();
        let answer = self.run(scripts::load(), code, &args).await?;
        let reply = answer.reply();
        if word(&reply) == Some("outdated") {
            return Ok(Loaded { outdated: true, ..Loaded::default() });
        }
        let records = reply.items().iter().skip(1).zip(vouchers);
        let copies = records.map(|(record, (facts, ..))| Copy::unpack(facts.id.as_bytes(), record.bytes()?));
        let copies = copies.collect::<Option<Vec<_>>>().ok_or(Away)?;
        Ok(Loaded { copies, replaced: word(&reply) == Some("replaced"), outdated: false })
    }

    /// Makes the copies of these codes worthless; locks in force outlive that.
    pub async fn evict(&self, codes: &[String], now: DateTime<Utc>) -> Result<(), Away> {
        if codes.is_empty() {
            return Ok(());
        }
        let mut connection = self.pool.get().await.map_err(|_| Away)?;
        for code in codes {
            let key = self.key(code);
            let args = [now.timestamp_millis(), KEEP_S];
            let evicted = scripts::evict().run_aside(&mut connection, &key, &args);
            evicted.await.map_err(|_| Away)?;
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

/// The first word of a script's reply.
fn word<'a>(reply: &Reply<'a>) -> Option<&'a str> {
    std::str::from_utf8(reply.items().first()?.bytes()?).ok()
}

/// Decodes the reply of `lock.lua` and `redeem.lua`.
fn admission(id: Uuid, reply: &Reply<'_>) -> Option<Admission> {
    let bytes = |at: usize| reply.items().get(at).and_then(Reply::bytes);
    let copy = || {
        let mut copy = Copy::unpack(id.as_bytes(), bytes(1)?)?;
        if let Some(marks) = bytes(2) {
            copy.pending = record::number(marks)?;
        }
        Some(copy)
    };
    Some(match word(reply)? {
        "missing" => Admission::Missing,
        "changed" => Admission::Changed,
        "expired" => Admission::Refused(Refusal::Expired, copy()?),
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
