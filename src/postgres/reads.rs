//! Connections for what people look up: lists, exports, reports, charts and sums.
//!
//! They have a pool of their own. Whatever is asked for there, everything that writes finds connections in its
//! own; and the time limit of a look-up is a setting of these connections, which costs
//! neither a round trip nor anything on the way of a redemption. [`Gate`]s share the pool between tenants.

use crate::{
    config::Config,
    error::Result,
    fairness::{Gate, Limits, Place},
    postgres::{self, Liveness},
};
use sqlx::{PgPool, postgres::PgConnectOptions};
use std::{ops::Deref, sync::Arc, time::Duration};

/// Exports, reports and charts that one server works at, of each: all of them are long.
const EACH: usize = 4;

/// How long a look-up waits for its turn.
const PATIENCE: Duration = Duration::from_secs(10);

/// How many look-ups wait for each that is under way.
const WAITING_EACH: usize = 16;

/// The pool for look-ups, and who may use it when.
#[derive(Debug)]
pub struct Reads {
    db: PgPool,
    all: Gate,
    lists: Gate,
    exports: Gate,
    reports: Gate,
    charts: Gate,
    timeout: Duration,
}

/// A tenant's turn to look something up: the pool, in which one connection is free for it.
#[derive(Debug)]
pub struct Reading {
    db: PgPool,
    group: i64,
    exports: Gate,
    timeout: Duration,
    _place: Place,
    /// Among the lists, or the exports, reports or charts.
    narrower: Place,
    /// `true` until a list takes a place among the exports.
    is_short_list: bool,
}

impl Reading {
    /// Returns the user group whose turn it is.
    pub fn group(&self) -> i64 {
        self.group
    }

    /// Returns the time limit of a statement.
    pub fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Takes a place among the exports: it takes as long as its reader does from here on. Refuses where none is
    /// free, as nobody may wait for one in a turn.
    pub fn lengthen(&mut self) -> Result<()> {
        if self.is_short_list {
            self.narrower = self.exports.try_enter(self.group)?;
            self.is_short_list = false;
        }
        Ok(())
    }
}

impl Deref for Reading {
    type Target = PgPool;

    fn deref(&self) -> &PgPool {
        &self.db
    }
}

impl Reads {
    /// Makes the pool, whose connections are made when they are needed.
    pub fn new(config: &Config, options: &PgConnectOptions, liveness: &Arc<Liveness>) -> Self {
        // Workers of its own would give one look-up several processors, and vends none.
        let settings = [
            ("statement_timeout", config.read_timeout_ms.to_string()),
            ("max_parallel_workers_per_gather", "0".to_owned()),
        ];
        let options = options.clone().options(settings);
        let gate = |what, places: usize, share: usize| {
            Gate::new(Limits {
                what,
                places,
                share,
                waiting: places * WAITING_EACH,
                patience: PATIENCE,
                retry_after_s: 2,
            })
        };
        let all = config.read_connections as usize;
        let each = EACH.min(all);
        // Each keeps a processor of Postgres busy. One tenant's leave half of them to vends.
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let at_once = (cores / 2).min(all.div_ceil(2));
        Self {
            db: postgres::pool(config, config.read_connections, &options, liveness),
            all: gate("look-ups", all, all.div_ceil(2)),
            lists: gate("lists", all, at_once),
            exports: gate("exports", each, each.div_ceil(2)),
            reports: gate("reports", each, at_once.min(each.div_ceil(2))),
            charts: gate("charts", each, at_once.min(each.div_ceil(2))),
            timeout: Duration::from_millis(config.read_timeout_ms),
        }
    }

    /// The pool itself, for who opens and closes it.
    pub fn pool(&self) -> &PgPool {
        &self.db
    }

    /// Waits for a turn of the user group `group` to read a list.
    pub async fn list(&self, group: i64) -> Result<Reading> {
        self.turn(self.lists.enter(group).await?, true, group).await
    }

    /// The same for an export. It takes as long as its reader does, so nobody waits for one to end.
    pub async fn export(&self, group: i64) -> Result<Reading> {
        self.turn(self.exports.try_enter(group)?, false, group).await
    }

    /// The same for a list that is too long for a turn of its own. It waits for exports to end: its reader has asked
    /// for a list, and knows nothing of places.
    pub async fn long_list(&self, group: i64) -> Result<Reading> {
        self.turn(self.exports.enter(group).await?, false, group).await
    }

    /// The same for a report.
    pub async fn report(&self, group: i64) -> Result<Reading> {
        self.turn(self.reports.enter(group).await?, false, group).await
    }

    /// The same for a chart.
    pub async fn chart(&self, group: i64) -> Result<Reading> {
        self.turn(self.charts.enter(group).await?, false, group).await
    }

    async fn turn(&self, narrower: Place, is_short_list: bool, group: i64) -> Result<Reading> {
        let place = self.all.enter(group).await?;
        Ok(Reading {
            db: self.db.clone(),
            group,
            exports: self.exports.clone(),
            timeout: self.timeout,
            _place: place,
            narrower,
            is_short_list,
        })
    }
}
