//! What charts can ask of which source, and where it is kept: all words of statements stand here.
//!
//! Statements call the rows of a source `t`, their machine `m`, its location `l`. The first parameters
//! are always the same: `$1` are the groups whose rows are seen, `$2` is the caller's group, `$3` the
//! caller's language, `$4` the instant since which whoever was heard of is online.

use super::{
    criteria::From,
    period::Grain::{self, Day, Hour, Month, One},
};
use crate::{
    fleet::payments::{PaymentMethod, PaymentType},
    http::list::{Column, Kind},
};

/// Where rows come from.
#[derive(Debug)]
pub struct Source {
    /// The tables, the coarsest rows first.
    pub tables: &'static [Table],
    /// What is known besides of what a row is about.
    pub joins: &'static [&'static str],
    /// What rows can be grouped by and compared.
    pub columns: &'static [&'static [Column]],
    /// What can be added up.
    pub measures: &'static [Measure],
    /// The times that frames can be about, as the clock on the wall shows them; the first by itself.
    pub times: &'static [(&'static str, &'static str)],
}

/// Rows of a source, summed up or one by one.
#[derive(Debug)]
pub struct Table {
    /// How fine they are.
    pub grain: Grain,
    /// The names of the dimensions that they do not tell apart.
    pub lacks: &'static [&'static str],
    /// The rows, with `machine`, `location`, `user_group`, `quantity` and `at`.
    pub rows: &'static str,
    /// The instant by which they are partitioned, if they are.
    pub instant: Option<&'static str>,
}

/// Something to add up.
#[derive(Debug)]
pub struct Measure {
    /// What clients call it.
    pub name: &'static str,
    /// Its expression.
    pub sql: &'static str,
    /// Whether it is money: of one currency at a time.
    pub money: bool,
}

/// Sums of a grain of their table.
macro_rules! sums {
    ($grain:ident, $of:literal, $table:literal, $lacks:expr) => {
        Table {
            grain: $grain,
            lacks: $lacks,
            rows: concat!(
                "SELECT r.*, r.starts AS at FROM ",
                $table,
                " r WHERE r.grain = '",
                $of,
                "' AND r.quantity <> 0"
            ),
            instant: None,
        }
    };
}

/// The words of all of these, at compile time.
macro_rules! words_of {
    ($Word:ty) => {{
        const WORDS: [&str; <$Word>::ALL.len()] = {
            let mut words = [""; <$Word>::ALL.len()];
            let mut at = 0;
            while at < words.len() {
                words[at] = <$Word>::ALL[at].word();
                at += 1;
            }
            words
        };
        Kind::Word(&WORDS)
    }};
}

const FLEET: &[Column] = &[
    Column::new("machine", "t.machine", Kind::Int),
    Column::new("machineName", "m.name", Kind::Text),
    Column::new("hostname", "m.hostname", Kind::Text),
    Column::new("machineType", "machine_type.name", Kind::Text),
    Column::new("location", "t.location", Kind::Int),
    Column::new("locationName", "l.name", Kind::Text),
    Column::new("city", "l.city", Kind::Text),
    Column::new("country", "l.country", Kind::Text),
    Column::new("userGroup", "t.user_group", Kind::Int),
];

const CLOCK: &[Column] = &[
    Column::new("weekday", "extract(isodow FROM t.at)::bigint", Kind::Int),
    Column::new("hour", "extract(hour FROM t.at)::bigint", Kind::Int),
];

const MONEY: &[Column] = &[
    Column::new("currency", "t.currency", Kind::Text),
    Column::new("shift", "NULLIF(t.shift, 0)", Kind::Int),
];

const QUANTITY: Measure = Measure { name: "quantity", sql: "t.quantity", money: false };
const REVENUE: Measure = Measure { name: "revenue", sql: "t.revenue", money: true };

/// A machine that has since been given to others has no name here any more.
const MACHINE: &str = "LEFT JOIN machine m ON m.id = t.machine AND m.user_group = ANY($1)";
const MACHINE_TYPE: &str = "LEFT JOIN machine_type ON machine_type.id = m.machine_type";
const LOCATION: &str = "LEFT JOIN location l ON l.id = t.location";

static SALES: Source = Source {
    tables: &[
        sums!(Month, "total_month", "sales_rollup", &["weekday", "hour", "shift", "product", "productName"]),
        sums!(Month, "month", "sales_rollup", &["weekday", "hour", "shift"]),
        sums!(Day, "total_day", "sales_rollup", &["hour", "shift", "product", "productName"]),
        sums!(Day, "day", "sales_rollup", &["hour"]),
        sums!(Hour, "hour", "sales_rollup", &["shift", "product", "productName"]),
        Table {
            grain: One,
            lacks: &[],
            rows: "SELECT r.machine, r.location, r.user_group, r.shift, r.product, r.name, r.currency,
                          net_vends(r.price, r.paid, r.paid_back) AS quantity,
                          net_price(r.price, r.paid, r.paid_back) AS revenue, r.occurred_local AS at, r.occurred_at
                   FROM revenue_transaction_ever r",
            instant: Some("t.occurred_at"),
        },
    ],
    joins: &[MACHINE, MACHINE_TYPE, LOCATION],
    columns: &[
        FLEET,
        CLOCK,
        MONEY,
        &[
            Column::new("product", "NULLIF(t.product, 0)", Kind::Int),
            Column::new("productName", "t.name", Kind::Text),
        ],
    ],
    measures: &[QUANTITY, REVENUE],
    times: &[("occurredAt", "t.at")],
};

static PAYMENTS: Source = Source {
    tables: &[
        sums!(Month, "month", "payments_rollup", &["weekday", "hour", "shift"]),
        sums!(Day, "day", "payments_rollup", &["hour"]),
        Table {
            grain: One,
            lacks: &[],
            rows: "SELECT r.machine, r.location, r.user_group, r.shift, r.method, r.type, r.report_group,
                          r.currency, r.quantity, r.price AS revenue, r.occurred_local AS at, r.occurred_at
                   FROM payment_transaction_ever r WHERE NOT r.exclude",
            instant: Some("t.occurred_at"),
        },
    ],
    joins: &[MACHINE, MACHINE_TYPE, LOCATION],
    columns: &[
        FLEET,
        CLOCK,
        MONEY,
        &[
            Column::new("method", "t.method", words_of!(PaymentMethod)),
            Column::new("type", "t.type", words_of!(PaymentType)),
            Column::new("reportGroup", "NULLIF(t.report_group, '')", Kind::Text),
        ],
    ],
    measures: &[QUANTITY, REVENUE],
    times: &[("occurredAt", "t.at")],
};

/// What each thing that can go wrong is called, in the caller's language if anyone said it: the words
/// of the nearest group above the caller.
const SAID: &str = "LEFT JOIN (
        SELECT DISTINCT ON (e.id) e.id, e.error, COALESCE(w.value, e.error) AS text
        FROM error_identity e LEFT JOIN (
            SELECT w.key, w.value, g.depth FROM translation w
            JOIN user_group_tree g ON g.ancestor = w.user_group AND g.descendant = $2
            WHERE w.language = $3 AND w.value <> '') w ON w.key = e.error
        ORDER BY e.id, w.depth) said ON said.id = t.error_identity";

static EVENTS: Source = Source {
    tables: &[
        sums!(Month, "month", "events_rollup", &["weekday", "hour"]),
        sums!(Day, "day", "events_rollup", &["hour"]),
        Table {
            grain: One,
            lacks: &[],
            rows:
                "SELECT r.machine, r.location, r.user_group, r.code, r.error_identity, r.type, 1 AS quantity,
                          COALESCE(r.duration, 0) AS duration, r.occurred_local AS at, r.occurred_at
                   FROM machine_log_ever r",
            instant: Some("t.occurred_at"),
        },
    ],
    joins: &[MACHINE, MACHINE_TYPE, LOCATION, SAID],
    columns: &[
        FLEET,
        CLOCK,
        &[
            Column::new("code", "t.code", Kind::Text),
            Column::new("error", "COALESCE(said.error, t.code)", Kind::Text),
            Column::new("text", "COALESCE(said.text, t.code)", Kind::Text),
            Column::new(
                "type",
                "(ARRAY['message', 'issue', 'alarm'])[t.type]",
                Kind::Word(&["message", "issue", "alarm"]),
            ),
        ],
    ],
    measures: &[QUANTITY, Measure { name: "duration", sql: "t.duration", money: false }],
    times: &[("occurredAt", "t.at")],
};

static MACHINES: Source = Source {
    tables: &[Table {
        grain: One,
        lacks: &[],
        rows: "SELECT r.id AS machine, r.location, r.user_group, r.active, r.created_at, r.manufacturer,
                      r.machine_model, 1 AS quantity, p.seen_at, p.offline_since
               FROM machine r LEFT JOIN machine_presence p ON p.machine = r.id",
        instant: None,
    }],
    joins: &[
        MACHINE,
        MACHINE_TYPE,
        LOCATION,
        "LEFT JOIN manufacturer ON manufacturer.id = t.manufacturer",
        "LEFT JOIN machine_model ON machine_model.id = t.machine_model",
    ],
    columns: &[
        FLEET,
        &[
            Column::new(
                "status",
                "CASE WHEN NOT t.active THEN 'inactive' WHEN t.seen_at >= $4 THEN 'online' ELSE 'offline' END",
                Kind::Word(&["online", "offline", "inactive"]),
            ),
            Column::new("active", "t.active", Kind::Bool),
            Column::new("manufacturer", "manufacturer.name", Kind::Text),
            Column::new("machineModel", "machine_model.name", Kind::Text),
            Column::new("seenAt", "t.seen_at", Kind::Time),
            Column::new("offlineSince", "t.offline_since", Kind::Time),
            Column::new("createdAt", "t.created_at", Kind::Time),
        ],
    ],
    measures: &[QUANTITY],
    times: &[
        ("seenAt", "t.seen_at AT TIME ZONE COALESCE(l.time_zone, 'UTC')"),
        ("offlineSince", "t.offline_since AT TIME ZONE COALESCE(l.time_zone, 'UTC')"),
        ("createdAt", "t.created_at AT TIME ZONE COALESCE(l.time_zone, 'UTC')"),
    ],
};

impl From {
    /// What can be asked of it.
    pub fn source(self) -> &'static Source {
        match self {
            Self::Sales => &SALES,
            Self::Payments => &PAYMENTS,
            Self::Events => &EVENTS,
            Self::Machines => &MACHINES,
        }
    }
}

impl Source {
    /// What clients call `name` and rows can be grouped by.
    pub fn dimension(&self, name: &str) -> Option<&'static Column> {
        self.columns.iter().flat_map(|columns| columns.iter()).find(|known| known.name == name)
    }

    /// What clients call `name` and can be added up.
    pub fn measure(&self, name: &str) -> Option<&'static Measure> {
        self.measures.iter().find(|known| known.name == name)
    }

    /// The names of all that can be selected.
    pub fn names(&self) -> Vec<&'static str> {
        let columns = self.columns.iter().flat_map(|columns| columns.iter());
        let measures = self.measures.iter().map(|measure| measure.name);
        measures.chain(columns.map(|known| known.name)).collect()
    }
}
