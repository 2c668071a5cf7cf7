//! Two servers on the same stores, machines before them, and what must hold afterwards.

use crate::{
    database::{self, Database},
    field::{Field, Heard, Order},
    load::Told,
    server::Server,
    stores::Stores,
    world,
};
use deadpool_redis::redis::{Client, aio::MultiplexedConnection};
use scrip::{
    app::App,
    config::Config,
    redemption::{
        code::Code,
        verify::{Report, verify},
    },
    time::Clock,
};
use secrecy::SecretString;
use sqlx::{PgPool, postgres::PgPoolOptions};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::sync::Barrier;
use uuid::Uuid;

/// How long service may need to be back by itself.
pub const BACK_WITHIN: Duration = Duration::from_secs(10);

/// Between two looks at whether something has become so.
pub const PAUSE: Duration = Duration::from_millis(25);

/// A reservation that nobody settles counts for this long, in these tests.
pub const STALE_MS: &str = "500";

/// A URL where no Redis is.
pub const NO_REDIS: &str = "redis://127.0.0.1:1";

/// Which stores, and whose keys in them.
#[derive(Clone, Debug)]
pub struct Place {
    /// Of Postgres.
    pub database_url: String,
    /// Of Redis.
    pub redis_url: String,
    /// Of the keys.
    pub prefix: String,
}

impl From<&Database> for Place {
    fn from(database: &Database) -> Self {
        let redis_url = database::url("SCRIP_TEST_REDIS_URL");
        Self { database_url: database.url.clone(), redis_url, prefix: database.name.clone() }
    }
}

impl From<&Stores> for Place {
    fn from(stores: &Stores) -> Self {
        let prefix = "scrip".to_owned();
        Self { database_url: stores.database_url.clone(), redis_url: stores.redis_url.clone(), prefix }
    }
}

/// Everybody's patience: a race is about who is given what, not about how long a busy machine takes to say so.
pub const PATIENT: &[(&str, &str)] =
    &[("SCRIP_DATABASE_WAIT_MS", "30000"), ("SCRIP_REDEEM_DEADLINE_MS", "30000")];

/// The two servers.
#[derive(Debug)]
pub struct Pair {
    /// The server processes.
    pub servers: [Server; 2],
    /// The machines' way to them.
    pub field: Field,
    /// The machines' host names.
    pub devices: Vec<String>,
    /// For tests to look into Postgres, and to meddle with it.
    pub db: PgPool,
    place: Place,
}

impl Pair {
    /// Starts both with `machines` machines.
    pub async fn start(place: impl Into<Place>, machines: i32) -> Self {
        Self::start_with(place, machines, [&[], &[]]).await
    }

    /// Starts both, each with more environment of its own.
    pub async fn start_with(
        place: impl Into<Place>,
        machines: i32,
        environments: [&[(&str, &str)]; 2],
    ) -> Self {
        let place = place.into();
        let db = PgPoolOptions::new().max_connections(4).connect_lazy(&place.database_url).unwrap();
        let devices = world::machines(&db, world::A, machines).await;
        let key = world::key(&db, world::A, None, &["voucher.redeem"]).await;
        let start = async |more: &[(&str, &str)]| {
            let environment = [("SCRIP_RESERVATION_STALE_MS", STALE_MS)];
            let environment = [&environment[..], more].concat();
            Server::on(&place.database_url, &place.redis_url, &place.prefix).start_with(&environment).await
        };
        let servers = [start(environments[0]).await, start(environments[1]).await];
        let field = Field::new([servers[0].url(""), servers[1].url("")], key);
        let pair = Self { servers, field, devices, db, place };
        let service = if pair.has_redis() { "full" } else { "degraded" };
        for (number, server) in pair.servers.iter().enumerate() {
            pair.wait_for(server, service).await;
            if pair.has_redis() {
                pair.wait_for_redis(number).await;
            }
        }
        pair
    }

    fn has_redis(&self) -> bool {
        self.place.redis_url != NO_REDIS
    }

    /// Waits until a server says that its service is so.
    pub async fn wait_for(&self, server: &Server, service: &str) {
        let ready =
            async || server.get("/health/ready", "").await.is_some_and(|(_, is)| is["service"] == service);
        becomes(&format!("service is {service}"), ready).await;
    }

    /// Waits until a server that was just started goes by Redis: it then gives locks there, and not in
    /// the voucher's row.
    pub async fn wait_for_redis(&self, server: usize) {
        let in_redis = async || {
            let code = self.voucher("discount", 1, Some(1)).await;
            let heard = self.field.validate(server, &code, &self.devices[0], Some(1)).await;
            let in_row: bool =
                sqlx::query_scalar("SELECT lock_owner IS NOT NULL FROM voucher WHERE code = $1")
                    .bind(&code)
                    .fetch_one(&self.db)
                    .await
                    .unwrap();
            heard.is_some_and(|heard| heard.status == 200) && !in_row
        };
        becomes("the server goes by Redis", in_redis).await;
    }

    /// Makes a campaign that machines of group a may use; returns its id.
    pub async fn campaign(&self, kind: &str, value: i64, limit: Option<i64>) -> i64 {
        sqlx::query_scalar(
            "INSERT INTO campaign (user_group, name, total_vouchers, type, voucher_value, redemption_limit, status, \
                                   status_wanted) \
             VALUES ($1, 'Summer', 0, $2, $3, $4, 'active', 'active') RETURNING id",
        )
        .bind(world::A)
        .bind(kind)
        .bind(value)
        .bind(limit)
        .fetch_one(&self.db)
        .await
        .unwrap()
    }

    /// Makes vouchers of a campaign; returns their codes.
    pub async fn vouchers(&self, campaign: i64, count: usize) -> Vec<String> {
        let codes: Vec<String> = (0..count).map(|number| format!("V{campaign}-{number}")).collect();
        let keys: Vec<String> =
            codes.iter().map(|code| Code::parse(code).unwrap().key().to_owned()).collect();
        let ids: Vec<Uuid> = codes.iter().map(|_| Uuid::now_v7()).collect();
        sqlx::query(
            "INSERT INTO voucher (id, campaign, code, key, generated, inherits, balance) \
             SELECT new.id, c.id, new.code, new.key, true, true, \
                    CASE c.type WHEN 'gift' THEN c.voucher_value END \
             FROM campaign c, unnest($2::uuid[], $3::text[], $4::text[]) AS new(id, code, key) WHERE c.id = $1",
        )
        .bind(campaign)
        .bind(ids)
        .bind(&codes)
        .bind(keys)
        .execute(&self.db)
        .await
        .unwrap();
        codes
    }

    /// Makes a campaign of one voucher; returns its code.
    pub async fn voucher(&self, kind: &str, value: i64, limit: Option<i64>) -> String {
        let campaign = self.campaign(kind, value, limit).await;
        self.vouchers(campaign, 1).await.remove(0)
    }

    /// A connection to Redis.
    pub async fn redis(&self) -> MultiplexedConnection {
        let client = Client::open(self.place.redis_url.as_str()).unwrap();
        client.get_multiplexed_async_connection().await.unwrap()
    }

    /// Where Redis holds the vouchers of a code.
    pub fn redis_key(&self, code: &str) -> String {
        format!("{}:v:{{{}}}", self.place.prefix, Code::parse(code).unwrap().key())
    }

    /// An order of one of the machines.
    pub fn order(&self, code: &str, device: usize, id: &str) -> Order {
        Order { code: code.to_owned(), device: self.devices[device].clone(), id: id.to_owned(), demand: None }
    }

    /// Sends orders at once, one to one server and the next to the other; returns their answers.
    pub async fn at_once(&self, orders: Vec<Order>) -> Vec<Heard> {
        let barrier = Arc::new(Barrier::new(orders.len()));
        let ask = |(number, order): (usize, Order)| {
            let (field, barrier) = (self.field.clone(), Arc::clone(&barrier));
            tokio::spawn(async move {
                barrier.wait().await;
                field.redeem(number, &order).await
            })
        };
        let asking: Vec<_> = orders.into_iter().enumerate().map(ask).collect();
        let mut answers = Vec::with_capacity(asking.len());
        for asked in asking {
            answers.push(asked.await.unwrap());
        }
        answers
    }

    /// How often the journal says that a voucher was redeemed.
    pub async fn count(&self, code: &str) -> i64 {
        sqlx::query_scalar(
            "SELECT count(*) FROM redemption r JOIN voucher v ON v.id = r.voucher WHERE v.code = $1",
        )
        .bind(code)
        .fetch_one(&self.db)
        .await
        .unwrap()
    }

    /// That the journal, the vouchers and Redis agree. Redis may need a moment.
    pub async fn assert_settled(&self) {
        let config = Config {
            database_url: SecretString::from(self.place.database_url.clone()),
            redis_url: SecretString::from(self.place.redis_url.clone()),
            redis_prefix: self.place.prefix.clone(),
            signing_secret: Some(SecretString::from("of the tests alone, 5f8f1e4b7f9a7b1d")),
            database_connections: 2,
            database_wait_ms: 30_000,
            redeem_deadline_ms: 30_000,
            ..Config::default()
        };
        let app = App::start(config, Clock::default()).unwrap();
        assert!(!self.has_redis() || app.ready(BACK_WITHIN).await, "both stores answer");
        let mut report = Report::default();
        let started = Instant::now();
        while started.elapsed() < BACK_WITHIN {
            report = verify(&app).await.unwrap();
            if report.differences.is_empty() {
                break;
            }
            tokio::time::sleep(PAUSE).await;
        }
        app.stop.cancel();
        assert!(report.differences.is_empty(), "{:#?}", report.differences);
        assert_eq!(report.copies.is_some(), self.has_redis());
    }

    /// That the journal holds exactly what the machines were told, nothing twice, within all limits,
    /// and that whoever was told "used up" was told the truth.
    pub async fn assert_true(&self, told: &[Told]) {
        let rows: Vec<(String, String, String)> = sqlx::query_as(
            "SELECT v.code, r.requester, r.order_id FROM redemption r JOIN voucher v ON v.id = r.voucher",
        )
        .fetch_all(&self.db)
        .await
        .unwrap();
        let journal: BTreeSet<_> = rows.iter().cloned().collect();
        assert_eq!(journal.len(), rows.len(), "an order is redeemed once");
        let name = |told: &Told| (told.order.code.clone(), told.order.device.clone(), told.order.id.clone());
        let acknowledged: BTreeSet<_> = told.iter().filter(|told| told.refusal.is_none()).map(name).collect();
        let lost: Vec<_> = acknowledged.difference(&journal).collect();
        assert!(lost.is_empty(), "acknowledged and not in the journal: {lost:?}");
        let phantoms: Vec<_> = journal.difference(&acknowledged).collect();
        assert!(phantoms.is_empty(), "in the journal and not acknowledged: {phantoms:?}");

        let states: Vec<(String, Option<i64>, i64, Option<i64>)> = sqlx::query_as(
            "SELECT v.code, c.redemption_limit, v.redemption_count, v.balance \
             FROM voucher v JOIN campaign c ON c.id = v.campaign",
        )
        .fetch_all(&self.db)
        .await
        .unwrap();
        for (code, limit, count, _) in &states {
            assert!(limit.is_none_or(|limit| *count <= limit), "{code} is redeemed {count} times");
        }
        let states: BTreeMap<_, _> =
            states.into_iter().map(|(code, limit, count, left)| (code, (limit, count, left))).collect();
        for told in told {
            let (limit, count, left) = states[&told.order.code];
            match told.refusal.as_deref() {
                None => {}
                Some("redemption_limit_reached") => assert_eq!(limit, Some(count), "{told:?}"),
                Some("insufficient_balance") => {
                    assert!(left < told.order.demand, "{told:?} with {left:?} left");
                }
                Some(_) => panic!("no reason to refuse: {told:?}"),
            }
        }
        self.assert_settled().await;
    }
}

/// Waits until something is so, as long as service may need to be back.
pub async fn becomes(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let started = Instant::now();
    while !is_so().await {
        assert!(started.elapsed() < BACK_WITHIN, "not within {BACK_WITHIN:?}: {what}");
        tokio::time::sleep(PAUSE).await;
    }
}
