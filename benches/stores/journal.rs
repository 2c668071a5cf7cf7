//! The journal by the size of its batches: so many entries handed over at once are one statement.

use chrono::{DateTime, Utc};
use criterion::{BenchmarkId, Criterion, Throughput};
use futures_util::future::join_all;
use scrip::{
    config::Config,
    postgres::schema::MIGRATIONS,
    redemption::{
        code::Code,
        journal::{Entry, Journal, Outcome, fingerprint, idempotency_key},
    },
    telemetry::months,
    time::{Clock, from_millis},
};
use sqlx::{AssertSqlSafe, Connection, PgConnection, PgPool, postgres::PgConnectOptions};
use std::{
    str::FromStr,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{runtime::Runtime, task::unconstrained};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

const SIZES: [usize; 5] = [1, 8, 64, 256, 512];
/// A multiple of every size: batches go to vouchers in turn, and none has one voucher twice.
const VOUCHERS: usize = 8_192;
const MACHINE: i64 = 21;
const LOCATION: i64 = 2;

/// A database of the bench's own; gone when it is dropped.
struct Database<'a> {
    runtime: &'a Runtime,
    admin_url: &'a str,
    name: String,
}

/// A journal over a campaign without limits.
struct Ledger<'a> {
    runtime: &'a Runtime,
    db: PgPool,
    journal: Journal,
    stop: CancellationToken,
    campaign: i64,
    vouchers: Vec<Uuid>,
    orders: usize,
}

/// Measures all sizes.
pub(super) fn bench(c: &mut Criterion, url: &str) {
    // One thread: the lane finds all entries of a round in its queue when its turn comes.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let database = Database::new(&runtime, url);
    let mut ledger = Ledger::new(&runtime, &database);
    ledger.check_that_a_round_is_a_batch();
    let mut group = c.benchmark_group("journal");
    for size in SIZES {
        group.throughput(Throughput::Elements(size as u64));
        group.bench_function(BenchmarkId::from_parameter(size), |b| {
            b.iter_custom(|rounds| (0..rounds).map(|_| ledger.round(size)).sum());
        });
    }
    group.finish();
    ledger.close();
}

impl<'a> Database<'a> {
    fn new(runtime: &'a Runtime, admin_url: &'a str) -> Self {
        let name = format!("scrip_bench_{}", std::process::id());
        let database = Self { runtime, admin_url, name };
        database.execute(format!("CREATE DATABASE {}", database.name));
        database
    }

    fn options(&self) -> PgConnectOptions {
        PgConnectOptions::from_str(self.admin_url).unwrap().database(&self.name)
    }

    fn execute(&self, sql: String) {
        self.runtime.block_on(async {
            let mut db = PgConnection::connect(self.admin_url).await.unwrap();
            sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut db).await.unwrap();
        });
    }
}

impl Drop for Database<'_> {
    fn drop(&mut self) {
        self.execute(format!("DROP DATABASE {} WITH (FORCE)", self.name));
    }
}

impl<'a> Ledger<'a> {
    fn new(runtime: &'a Runtime, database: &Database<'_>) -> Self {
        let (options, stop) = (database.options(), CancellationToken::new());
        runtime.block_on(async {
            let db = PgPool::connect_with(options.clone()).await.unwrap();
            let (campaign, vouchers) = settle(&db).await;
            let (journal, lanes) = Journal::new(&Config::default(), &options, &db, &Arc::default(), &stop);
            for lane in lanes {
                tokio::spawn(lane);
            }
            while !journal.is_ready() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            Self { runtime, db, journal, stop, campaign, vouchers, orders: 0 }
        })
    }

    /// The time from handing over so many entries to the last one's answer.
    fn round(&mut self, size: usize) -> Duration {
        let entries: Vec<Entry> = (self.orders..self.orders + size).map(|order| self.entry(order)).collect();
        self.orders += size;
        let start = Instant::now();
        let submitted = entries.into_iter().map(|entry| self.journal.submit(entry, None));
        // Unconstrained: all of them are handed over before the lane has its turn.
        let outcomes = self.runtime.block_on(unconstrained(join_all(submitted)));
        let took = start.elapsed();
        assert!(outcomes.iter().all(|outcome| *outcome == Ok(Outcome::Entered { voucher_value: 100 })));
        took
    }

    /// What the numbers mean rests on it.
    fn check_that_a_round_is_a_batch(&mut self) {
        for size in SIZES {
            let from = self.orders;
            self.round(size);
            let orders: Vec<String> = (from..self.orders).map(|order| order.to_string()).collect();
            let transactions = sqlx::query_as(
                "SELECT count(*), count(DISTINCT xmin::text) FROM redemption WHERE order_id = ANY ($1)",
            );
            let counted: (i64, i64) =
                self.runtime.block_on(transactions.bind(orders).fetch_one(&self.db)).unwrap();
            assert_eq!(counted, (size as i64, 1), "entries, transactions");
        }
    }

    fn entry(&self, order: usize) -> Entry {
        let voucher = order % VOUCHERS;
        let order_id = order.to_string();
        Entry {
            key: idempotency_key(&Code::parse(&code(voucher)).unwrap(), true, MACHINE, &order_id),
            fingerprint: fingerprint(250, None, []),
            voucher: self.vouchers[voucher],
            version: 1,
            campaign: self.campaign,
            campaign_version: 1,
            campaign_type: "discount",
            machine: MACHINE,
            location: LOCATION,
            requester: "vm-a-1".to_owned(),
            request: format!(r#"{{"deviceId":"vm-a-1","order":{{"id":"{order_id}","amount":250}}}}"#),
            order_id,
            order_amount: 250,
            amount_off: 100,
            value: 100,
            limit: None,
            initial: None,
            period: DateTime::UNIX_EPOCH,
            ended: None,
            currency: "EUR".into(),
            now: now(),
            since: tokio::time::Instant::now(),
        }
    }

    fn close(self) {
        self.stop.cancel();
        self.runtime.block_on(self.db.close());
    }
}

fn now() -> DateTime<Utc> {
    from_millis(1_795_500_000_000)
}

fn code(number: usize) -> String {
    format!("BENCH-{number}")
}

/// Fills a database with the world of the tests, and a campaign with its vouchers.
async fn settle(db: &PgPool) -> (i64, Vec<Uuid>) {
    MIGRATIONS.run(db).await.unwrap();
    months::look_after(db, Clock::default().now().date_naive(), 0).await.unwrap();
    sqlx::raw_sql(include_str!("../../tests/it/support/world.sql")).execute(db).await.unwrap();
    let campaign: i64 = sqlx::query_scalar(
        "INSERT INTO campaign (user_group, name, total_vouchers, type, voucher_value, status, status_wanted) \
         VALUES (2, 'Bench', 0, 'discount', 100, 'active', 'active') RETURNING id",
    )
    .fetch_one(db)
    .await
    .unwrap();
    let vouchers: Vec<Uuid> = (0..VOUCHERS).map(|_| Uuid::now_v7()).collect();
    let codes: Vec<String> = (0..VOUCHERS).map(code).collect();
    sqlx::query(
        "INSERT INTO voucher (id, campaign, code, key, generated, inherits) \
         SELECT new.id, $1, new.code, new.code, false, true FROM unnest($2::uuid[], $3::text[]) AS new(id, code)",
    )
    .bind(campaign)
    .bind(&vouchers)
    .bind(codes)
    .execute(db)
    .await
    .unwrap();
    sqlx::query("ANALYZE").execute(db).await.unwrap();
    (campaign, vouchers)
}
