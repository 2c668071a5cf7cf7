//! Each script of `lua/` alone, on a real Redis: every reply that its header documents, and what it
//! leaves behind.

use crate::database;
use chrono::{DateTime, Duration, Utc};
use deadpool_redis::redis::{AsyncCommands, Client, RedisResult, Value, aio::MultiplexedConnection, cmd};
use regex::Regex;
use scrip::{
    redemption::{
        hot::{Copy, scripts},
        voucher::{Facts, Lock, OwnTerms, State},
    },
    time::from_millis,
};
use std::{cell::RefCell, collections::BTreeSet};
use uuid::Uuid;

const EPOCH: u32 = 7;
const VERSION: u32 = 3;
const MACHINE: i64 = 21;
const OTHER: i64 = 22;
/// Seconds that a code is kept.
const KEEP: i64 = 600;

/// A Redis with one code in it, and the replies of one script so far.
struct Bench {
    script: &'static str,
    redis: MultiplexedConnection,
    key: String,
    seen: RefCell<BTreeSet<String>>,
}

/// The first word of a reply, and the records after it.
type Reply = (String, Vec<Copy>);

fn now() -> DateTime<Utc> {
    from_millis(1_780_000_000_000)
}

fn id() -> Uuid {
    Uuid::from_u128(0x0123_4567_89ab_cdef_0123_4567_89ab_cdef)
}

/// A copy of a voucher that was redeemed twice and has 60 cents left.
fn copy() -> Copy {
    let facts = Facts {
        id: id(),
        code: "00000-ABC".into(),
        generated: true,
        campaign: 7,
        version: VERSION,
        active: true,
        created_at: now(),
        own: OwnTerms::default(),
        terms_since: now(),
        rules: Vec::new(),
    };
    let period = now() - Duration::hours(1);
    let mut copy = Copy::new(&facts, State { period, count: 2, balance: 60, lock: None }, 9, EPOCH, 40);
    copy.since_ms = 5;
    copy
}

#[expect(clippy::unnecessary_wraps, reason = "it stands where there may be none")]
fn locked(owner: i64, seconds: i64) -> Option<Lock> {
    Some(Lock { owner, till: now() + Duration::seconds(seconds) })
}

fn number(number: i64) -> Vec<u8> {
    number.to_string().into_bytes()
}

/// What `lock.lua` and `redeem.lua` are asked with.
struct Claim {
    epoch: u32,
    version: u32,
    period: DateTime<Utc>,
    limit: i64,
    need: i64,
}

const INITIAL: i64 = 100;

impl Claim {
    fn usual() -> Self {
        Self { epoch: EPOCH, version: VERSION, period: copy().state.period, limit: 5, need: 60 }
    }

    fn args(&self) -> Vec<Vec<u8>> {
        self.packed(0)
    }

    /// Of a redemption of a voucher whose span ends in so many seconds.
    fn closing_args(&self, seconds: i64) -> Vec<Vec<u8>> {
        self.packed(-(now() + Duration::seconds(seconds)).timestamp_millis())
    }

    fn lock_args(&self) -> Vec<Vec<u8>> {
        self.packed((now() + Duration::seconds(30)).timestamp_millis())
    }

    /// As `lua/lib/claim.lua` documents it.
    fn packed(&self, hold_ms: i64) -> Vec<Vec<u8>> {
        let words = [self.epoch, self.version].map(u32::to_le_bytes);
        let numbers = [
            now().timestamp_millis(),
            self.period.timestamp_millis(),
            INITIAL,
            self.limit,
            self.need,
            MACHINE,
            hold_ms,
        ];
        vec![id().as_bytes().to_vec(), [words.concat(), numbers.map(i64::to_le_bytes).concat()].concat()]
    }
}

/// A copy as scripts show it to those who know its facts.
fn bare(copy: &Copy) -> Copy {
    let mut bare = Copy::unpack(id().as_bytes(), &copy.pack()[..68]).unwrap();
    bare.pending = copy.pending;
    bare
}

impl Bench {
    async fn new(script: &'static str) -> Self {
        let client = Client::open(database::url("SCRIP_TEST_REDIS_URL")).unwrap();
        let redis = client.get_multiplexed_async_connection().await.unwrap();
        let key = format!("lua-{}:v:{{00000-ABC}}", Uuid::new_v4());
        Self { script, redis, key, seen: RefCell::default() }
    }

    async fn eval(&self, keys: &[&str], args: &[Vec<u8>]) -> RedisResult<Vec<Value>> {
        let code = scripts().into_iter().find(|script| script.name == self.script).unwrap().code();
        cmd("EVAL").arg(code).arg(keys.len()).arg(keys).arg(args).query_async(&mut self.redis.clone()).await
    }

    async fn call(&self, args: &[Vec<u8>]) -> Reply {
        let reply = self.eval(&[&self.key], args).await.unwrap();
        let mut parts = reply.into_iter().map(|part| match part {
            Value::BulkString(bytes) => bytes,
            other => panic!("{other:?}"),
        });
        let word = String::from_utf8(parts.next().unwrap()).unwrap();
        self.seen.borrow_mut().insert(word.clone());
        let mut copies: Vec<Copy> = Vec::new();
        for bytes in parts {
            match (Copy::unpack(id().as_bytes(), &bytes), copies.last_mut()) {
                (Some(copy), _) => copies.push(copy),
                // Behind the record of a refusal: its reservations.
                (None, Some(copy)) => copy.pending = String::from_utf8(bytes).unwrap().parse().unwrap(),
                (None, None) => panic!("neither a record nor a number: {bytes:?}"),
            }
        }
        (word, copies)
    }

    /// Puts this in Redis, and nothing else.
    async fn put(&self, copies: &[Copy]) {
        let mut redis = self.redis.clone();
        redis.del::<_, ()>(&self.key).await.unwrap();
        for copy in copies {
            redis.hset::<_, _, _, ()>(&self.key, copy.id.as_bytes(), copy.pack()).await.unwrap();
            if copy.pending > 0 {
                redis.hset::<_, _, _, ()>(&self.key, copy.marks(), copy.pending).await.unwrap();
            }
        }
    }

    async fn there(&self) -> Vec<Copy> {
        let fields: Vec<(Vec<u8>, Vec<u8>)> = self.redis.clone().hgetall(&self.key).await.unwrap();
        Copy::unpack_all(&fields).unwrap()
    }

    /// That every documented reply was seen and no other, and that keys and arguments are counted.
    async fn close(self, args: &[Vec<u8>]) {
        let code = scripts().into_iter().find(|script| script.name == self.script).unwrap().code();
        let word = Regex::new(r#"^--   \{ "(\w+)""#).unwrap();
        let documented: BTreeSet<String> =
            code.lines().filter_map(|line| Some(word.captures(line)?[1].to_owned())).collect();
        assert_eq!(*self.seen.borrow(), documented, "{}", self.script);
        for (keys, args) in [
            (vec![], args.to_vec()),
            (vec![self.key.as_str(), self.key.as_str()], args.to_vec()),
            (vec![self.key.as_str()], args[..args.len() - 1].to_vec()),
            (vec![self.key.as_str()], args.iter().cloned().chain([number(1)]).collect()),
        ] {
            let error = self.eval(&keys, &args).await.unwrap_err().to_string();
            assert!(error.contains(": 1 key, "), "{error}");
        }
        self.redis.clone().del::<_, ()>(&self.key).await.unwrap();
    }
}

/// A copy, a claim, and the word that the two must come to.
type Case = (&'static str, Option<Copy>, Claim);

/// What stands in the way of a lock as of a redemption, in order of precedence.
fn refusals() -> Vec<Case> {
    let of = |change: fn(&mut Copy)| {
        let mut copy = copy();
        change(&mut copy);
        Some(copy)
    };
    vec![
        ("missing", None, Claim::usual()),
        ("missing", of(|copy| copy.epoch = EPOCH - 1), Claim::usual()),
        ("missing", of(|copy| copy.epoch = 0), Claim { epoch: 0, ..Claim::usual() }),
        ("missing", of(|copy| (copy.epoch, copy.version) = (1, 1)), Claim::usual()),
        ("changed", of(|copy| copy.version += 1), Claim::usual()),
        ("changed", of(|copy| copy.version -= 1), Claim { limit: 2, ..Claim::usual() }),
        ("redemption_limit_reached", of(|_| {}), Claim { limit: 2, ..Claim::usual() }),
        ("redemption_limit_reached", of(|_| {}), Claim { limit: 0, need: 61, ..Claim::usual() }),
        ("insufficient_balance", of(|_| {}), Claim { need: 61, ..Claim::usual() }),
        (
            "insufficient_balance",
            of(|copy| copy.state.lock = locked(OTHER, 9)),
            Claim { need: 61, ..Claim::usual() },
        ),
        ("locked", of(|copy| copy.state.lock = locked(OTHER, 9)), Claim::usual()),
        ("locked", of(|copy| (copy.state.lock, copy.pending) = (locked(OTHER, 9), 2)), Claim::usual()),
        (
            "locked",
            of(|copy| copy.state.lock = locked(OTHER, 9)),
            Claim { limit: -1, need: 0, ..Claim::usual() },
        ),
    ]
}

async fn refuse(bench: &Bench, args: fn(&Claim) -> Vec<Vec<u8>>) {
    for (word, there, claim) in refusals() {
        bench.put(there.as_slice()).await;
        let (said, records) = bench.call(&args(&claim)).await;
        assert_eq!(said, word);
        let shown = !["missing", "changed"].contains(&word);
        assert_eq!(records, there.as_ref().filter(|_| shown).map(bare).as_slice(), "{word}");
        assert_eq!(bench.there().await, there.as_slice(), "{word} changes nothing");
    }
    // A refusal shows the new period, in which this is the balance.
    bench.put(&[copy()]).await;
    let (said, records) = bench.call(&args(&Claim { period: now(), need: 101, ..Claim::usual() })).await;
    let state = State { period: now(), count: 0, balance: INITIAL, lock: None };
    assert_eq!((said.as_str(), records[0].state), ("insufficient_balance", state));
    assert_eq!(bench.there().await, [copy()]);
}

#[tokio::test]
async fn lock_holds_what_can_be_used() {
    let bench = Bench::new("lock").await;
    refuse(&bench, Claim::lock_args).await;
    for before in [None, locked(MACHINE, 9), locked(MACHINE, -9), locked(OTHER, 0)] {
        let mut there = copy();
        there.state.lock = before;
        bench.put(&[there.clone()]).await;
        let held = bench.call(&Claim::usual().lock_args()).await;
        there.state.lock = locked(MACHINE, 30);
        assert_eq!(held, ("held".to_owned(), vec![bare(&there)]), "{before:?}");
        assert_eq!(bench.there().await, [there]);
    }
    bench.put(&[copy()]).await;
    bench.call(&Claim { period: now(), limit: 1, need: 100, ..Claim::usual() }.lock_args()).await;
    let state = State { period: now(), count: 0, balance: INITIAL, lock: locked(MACHINE, 30) };
    assert_eq!(bench.there().await[0].state, state, "a period that has begun is kept");
    bench.close(&Claim::usual().lock_args()).await;
}

#[tokio::test]
async fn redeem_reserves_one() {
    let bench = Bench::new("redeem").await;
    refuse(&bench, Claim::args).await;
    for (lock, shown, kept) in [
        (None, None, None),
        (locked(MACHINE, 9), locked(MACHINE, 9), None),
        (locked(OTHER, 0), locked(OTHER, 0), locked(OTHER, 0)),
    ] {
        let mut there = copy();
        there.state.lock = lock;
        bench.put(&[there.clone()]).await;
        let (word, records) = bench.call(&Claim { need: 25, ..Claim::usual() }.args()).await;
        (there.state.count, there.state.balance) = (3, 35);
        (there.since_ms, there.state.lock) = (now().timestamp_millis(), shown);
        assert_eq!((word.as_str(), &records[..]), ("reserved", &[bare(&there)][..]));
        (there.state.lock, there.pending) = (kept, 1);
        assert_eq!(bench.there().await, [there]);
    }
    // About the end of its span, a lock goes on; after that it is needed.
    let mut there = copy();
    for (ends, lock, word) in [
        (1, None, "reserved"),
        (1, locked(MACHINE, 9), "reserved"),
        (0, locked(MACHINE, 9), "reserved"),
        (-9, locked(MACHINE, 1), "reserved"),
        (0, locked(MACHINE, 0), "expired"),
        (0, None, "expired"),
        (-9, locked(OTHER, 9), "expired"),
    ] {
        there.state.lock = lock;
        bench.put(std::slice::from_ref(&there)).await;
        let (said, records) = bench.call(&Claim { need: 25, ..Claim::usual() }.closing_args(ends)).await;
        assert_eq!(said, word, "{ends} {lock:?}");
        assert_eq!(
            (records[0].state.lock, bench.there().await[0].state.lock),
            (lock, lock),
            "{ends} {lock:?}"
        );
    }
    // One more that is not confirmed, in a new period.
    let mut pending = copy();
    pending.pending = 2;
    bench.put(&[pending.clone()]).await;
    bench.call(&Claim { period: now(), need: 0, limit: -1, ..Claim::usual() }.args()).await;
    let there = bench.there().await.remove(0);
    assert_eq!((there.pending, there.since_ms), (3, now().timestamp_millis()));
    assert_eq!(there.state, State { period: now(), count: 1, balance: INITIAL, lock: None });
    bench.close(&Claim::usual().args()).await;
}

#[tokio::test]
async fn release_ends_the_machines_own_lock() {
    let bench = Bench::new("release").await;
    let args = [id().as_bytes().to_vec(), number(MACHINE), number(now().timestamp_millis())];
    bench.put(&[]).await;
    assert_eq!(bench.call(&args).await.0, "not_held");
    for lock in [None, locked(OTHER, 9), locked(MACHINE, 0)] {
        let mut there = copy();
        there.state.lock = lock;
        bench.put(&[there.clone()]).await;
        assert_eq!(bench.call(&args).await.0, "not_held", "{lock:?}");
        assert_eq!(bench.there().await, [there]);
    }
    let mut there = copy();
    there.state.lock = locked(MACHINE, 1);
    bench.put(&[there]).await;
    assert_eq!(bench.call(&args).await.0, "released");
    assert_eq!(bench.there().await, [copy()]);
    bench.close(&args).await;
}

fn load_args(force: bool, copies: &[&Copy]) -> Vec<Vec<u8>> {
    let head = [i64::from(EPOCH), now().timestamp_millis(), KEEP, i64::from(force), 0].map(number);
    let pairs = copies.iter().flat_map(|copy| [copy.id.as_bytes().to_vec(), copy.pack()]);
    head.into_iter().chain(pairs).collect()
}

#[tokio::test]
async fn load_keeps_what_is_newer_unless_it_is_forced_out() {
    let bench = Bench::new("load").await;
    let loaded = copy();
    let there = |change: fn(&mut Copy)| {
        let mut there = copy();
        (there.generation, there.pending) = (41, 2);
        change(&mut there);
        there
    };
    for (force, there, keeps, word) in [
        (false, there(|_| {}), true, "loaded"),
        (true, there(|_| {}), false, "loaded"),
        (false, there(|copy| copy.revision += 1), true, "loaded"),
        (true, there(|copy| copy.revision += 1), false, "replaced"),
        (false, there(|copy| copy.revision -= 1), false, "loaded"),
        (false, there(|copy| copy.version += 1), false, "loaded"),
        (false, there(|copy| copy.epoch -= 1), false, "loaded"),
        (true, there(|copy| (copy.epoch, copy.revision) = (EPOCH - 1, 99)), false, "loaded"),
        (false, there(|copy| (copy.epoch, copy.revision) = (0, 99)), false, "loaded"),
        (false, there(|copy| (copy.epoch, copy.revision) = (EPOCH + 1, 99)), true, "loaded"),
    ] {
        bench.put(std::slice::from_ref(&there)).await;
        let expected = if keeps { there } else { loaded.clone() };
        let reply = bench.call(&load_args(force, &[&loaded])).await;
        let mut shown = expected.clone();
        shown.pending = 0;
        assert_eq!(reply, (word.to_owned(), vec![shown]), "the reply leaves reservations out");
        assert_eq!(bench.there().await, [expected]);
    }
    bench.put(&[]).await;
    bench.call(&load_args(false, &[&loaded])).await;
    assert_eq!(bench.there().await, std::slice::from_ref(&loaded));
    // A load of what was read before an eviction comes too late.
    bench.redis.clone().hset::<_, _, _, ()>(&bench.key, "evictions", 1).await.unwrap();
    assert_eq!(bench.call(&load_args(true, &[&loaded])).await, ("outdated".to_owned(), vec![]));
    let mut since = load_args(true, &[&loaded]);
    since[4] = number(1);
    assert_eq!(bench.call(&since).await.0, "loaded");
    let evictions: i64 = bench.redis.clone().hget(&bench.key, "evictions").await.unwrap();
    assert_eq!((evictions, bench.there().await), (1, vec![loaded]));
    let left: i64 = bench.redis.clone().ttl(&bench.key).await.unwrap();
    assert!((1..=KEEP).contains(&left), "{left}");
    bench.close(&load_args(false, &[&copy()])).await;
}

#[tokio::test]
async fn load_keeps_locks_and_drops_vouchers_that_are_gone() {
    let bench = Bench::new("load").await;
    for (before, new, after) in [
        (locked(OTHER, 9), None, locked(OTHER, 9)),
        (locked(OTHER, 0), None, None),
        (locked(OTHER, 9), locked(MACHINE, 0), locked(OTHER, 9)),
        (locked(OTHER, 9), locked(MACHINE, 5), locked(MACHINE, 5)),
        (None, locked(MACHINE, 5), locked(MACHINE, 5)),
    ] {
        for (epoch, revisions_later) in [(0, 0), (EPOCH, 1)] {
            let (mut there, mut loaded) = (copy(), copy());
            (there.epoch, there.state.lock) = (epoch, before);
            there.revision += revisions_later;
            loaded.state.lock = new;
            let mut gone = copy();
            gone.id = Uuid::from_u128(5);
            bench.put(&[there, gone]).await;
            let (_, records) = bench.call(&load_args(true, &[&loaded])).await;
            loaded.state.lock = after;
            assert_eq!(records, [loaded.clone()], "{before:?} {new:?}");
            assert_eq!(bench.there().await, [loaded]);
        }
    }
    bench.redis.clone().hset::<_, _, _, ()>(&bench.key, "evictions", 1).await.unwrap();
    assert_eq!(bench.call(&load_args(true, &[&copy()])).await.0, "outdated");
    bench.close(&load_args(false, &[&copy()])).await;
}

#[tokio::test]
async fn evict_leaves_nothing_but_locks() {
    let bench = Bench::new("evict").await;
    let args = [number(now().timestamp_millis()), number(KEEP)];
    let count = async || -> i64 { bench.redis.clone().hget(&bench.key, "evictions").await.unwrap() };
    let (mut held, mut lapsed) = (copy(), copy());
    held.state.lock = locked(OTHER, 9);
    (lapsed.id, lapsed.state.lock) = (Uuid::from_u128(5), locked(OTHER, 0));
    let mut free = copy();
    free.id = Uuid::from_u128(6);
    bench.put(&[held.clone(), lapsed, free]).await;
    assert_eq!(bench.call(&args).await.0, "evicted");
    held.epoch = 0;
    assert_eq!((bench.there().await, count().await), (vec![held], 1));
    assert_eq!(bench.call(&args).await.0, "evicted");
    assert_eq!(count().await, 2, "each eviction counts");
    bench.put(&[]).await;
    assert_eq!(bench.call(&args).await.0, "evicted");
    assert_eq!((bench.there().await, count().await), (vec![], 1));
    let left: i64 = bench.redis.clone().ttl(&bench.key).await.unwrap();
    assert!((1..=KEEP).contains(&left), "{left}");
    bench.close(&args).await;
}
