//! Scripts beside GET and HGETALL: 64 commands at once on one connection, as the server sends them.

use chrono::{DateTime, Utc};
use criterion::{Criterion, Throughput};
use deadpool_redis::redis::{Client, Cmd, Value, aio::MultiplexedConnection, cmd};
use futures_util::future::join_all;
use scrip::{
    redemption::{
        hot::{self, Copy},
        voucher::{Facts, OwnTerms, State},
    },
    time::from_millis,
};
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;
use uuid::Uuid;

/// Commands under way at once.
const AT_ONCE: usize = 64;
/// Codes that they go to in turn.
const CODES: usize = 8_192;
const MACHINE: i64 = 21;

/// A command about a voucher.
#[derive(Clone, Copy, Debug)]
enum Command {
    /// A plain string of a record's size.
    Get,
    /// What a validate reads.
    HgetAll,
    Lock,
    Release,
    Redeem,
    /// What follows a redeem once it is committed.
    Settle,
}

impl Command {
    const ALL: [(&'static str, Self); 6] = [
        ("get", Self::Get),
        ("hgetall", Self::HgetAll),
        ("lock", Self::Lock),
        ("release", Self::Release),
        ("redeem", Self::Redeem),
        ("settle", Self::Settle),
    ];

    /// What has to be done first for it to be granted.
    const fn first(self) -> Option<Self> {
        match self {
            Self::Release => Some(Self::Lock),
            Self::Settle => Some(Self::Redeem),
            _ => None,
        }
    }

    /// Whether a reply is what the command was sent for.
    fn is_done(self, reply: &Value) -> bool {
        let said = |word: &str| match reply {
            Value::Array(parts) => parts.first() == Some(&Value::BulkString(word.into())),
            _ => false,
        };
        match self {
            Self::Get => matches!(reply, Value::BulkString(_)),
            Self::HgetAll => matches!(reply, Value::Array(fields) if !fields.is_empty()),
            Self::Lock => said("held"),
            Self::Release => said("released"),
            Self::Redeem => said("reserved"),
            Self::Settle => matches!(reply, Value::Int(left) if *left >= 0),
        }
    }
}

/// A Redis with one voucher a code, all under one prefix.
struct Codes {
    runtime: Runtime,
    connection: MultiplexedConnection,
    prefix: String,
    copies: Vec<Copy>,
    /// The digest that Redis knows a script by.
    digests: Vec<(&'static str, String)>,
    next: usize,
}

/// Measures all commands, and leaves nothing behind.
pub(super) fn bench(c: &mut Criterion, url: &str) {
    let mut codes = Codes::new(url);
    let mut group = c.benchmark_group("redis");
    group.throughput(Throughput::Elements(AT_ONCE as u64));
    for (name, command) in Command::ALL {
        group.bench_function(name, |b| {
            b.iter_custom(|rounds| (0..rounds).map(|_| codes.round(command)).sum());
        });
    }
    group.finish();
    codes.delete();
}

impl Codes {
    fn new(url: &str) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let client = Client::open(url).unwrap();
        let connection = runtime.block_on(client.get_multiplexed_async_connection()).unwrap();
        let mut codes = Self {
            runtime,
            connection,
            prefix: format!("bench-{}", Uuid::new_v4()),
            copies: (0..CODES).map(copy).collect(),
            digests: Vec::new(),
            next: 0,
        };
        for script in hot::scripts() {
            let load = cmd("SCRIPT").arg("LOAD").arg(script.code()).to_owned();
            let [Value::BulkString(digest)] = &codes.send(&[load])[..] else {
                panic!("{} is not loaded", script.name)
            };
            codes.digests.push((script.name, String::from_utf8(digest.clone()).unwrap()));
        }
        for copy in &codes.copies {
            let packed = copy.pack();
            let set = cmd("SET").arg(codes.plain(copy)).arg(&packed).to_owned();
            let hset = cmd("HSET").arg(codes.key(copy)).arg(copy.id.as_bytes()).arg(&packed).to_owned();
            codes.send(&[set, hset]);
        }
        codes
    }

    /// The time that so many commands at once take, whatever has to be done before left out.
    fn round(&mut self, command: Command) -> Duration {
        let from = self.next;
        self.next = (from + AT_ONCE) % CODES;
        let copies = &self.copies[from..from + AT_ONCE];
        if let Some(first) = command.first() {
            let commands: Vec<Cmd> = copies.iter().map(|copy| self.command(first, copy)).collect();
            self.send(&commands);
        }
        let commands: Vec<Cmd> = copies.iter().map(|copy| self.command(command, copy)).collect();
        let start = Instant::now();
        let replies = self.send(&commands);
        let took = start.elapsed();
        for reply in replies {
            assert!(command.is_done(&reply), "{command:?}: {reply:?}");
        }
        took
    }

    fn send(&self, commands: &[Cmd]) -> Vec<Value> {
        let replies = commands.iter().map(|command| {
            let mut connection = self.connection.clone();
            async move { command.query_async(&mut connection).await.unwrap() }
        });
        self.runtime.block_on(join_all(replies))
    }

    fn command(&self, command: Command, copy: &Copy) -> Cmd {
        let till = now() + Duration::from_secs(30);
        match command {
            Command::Get => cmd("GET").arg(self.plain(copy)).to_owned(),
            Command::HgetAll => cmd("HGETALL").arg(self.key(copy)).to_owned(),
            Command::Lock => self.claim("lock", copy).arg(till.timestamp_millis()).to_owned(),
            Command::Redeem => self.claim("redeem", copy),
            Command::Release => {
                self.script("release", copy).arg(MACHINE).arg(now().timestamp_millis()).to_owned()
            }
            Command::Settle => cmd("HINCRBY").arg(self.key(copy)).arg(copy.marks()).arg(-1).to_owned(),
        }
    }

    fn script(&self, name: &str, copy: &Copy) -> Cmd {
        let (_, digest) = self.digests.iter().find(|(known, _)| *known == name).unwrap();
        cmd("EVALSHA").arg(digest).arg(1).arg(self.key(copy)).arg(copy.id.as_bytes()).to_owned()
    }

    /// A call of `lock` or `redeem`: no limit, no balance, the period that the copy is in.
    fn claim(&self, name: &str, copy: &Copy) -> Cmd {
        let (now, period) = (now().timestamp_millis(), copy.state.period.timestamp_millis());
        let mut call = self.script(name, copy);
        call.arg(copy.epoch).arg(copy.version).arg(now).arg(period).arg(0).arg(-1).arg(0).arg(MACHINE);
        call
    }

    fn key(&self, copy: &Copy) -> String {
        format!("{}:v:{{{}}}", self.prefix, copy.id.simple())
    }

    fn plain(&self, copy: &Copy) -> String {
        format!("{}:plain:{}", self.prefix, copy.id.simple())
    }

    fn delete(&self) {
        for copy in &self.copies {
            self.send(&[cmd("DEL").arg(self.key(copy)).arg(self.plain(copy)).to_owned()]);
        }
    }
}

fn now() -> DateTime<Utc> {
    from_millis(1_795_500_000_000)
}

fn copy(number: usize) -> Copy {
    let facts = Facts {
        id: Uuid::from_u128(number as u128 + 1),
        code: "00000-ABCDEFGHJKMN".into(),
        generated: true,
        campaign: 1,
        version: 1,
        active: true,
        created_at: now(),
        own: OwnTerms::default(),
        terms_since: now(),
        rules: Vec::new(),
    };
    Copy::new(&facts, State { period: now(), count: 0, balance: 0, lock: None }, 1, 1, 1)
}
