//! Every metric with its meaning: told to the recorder at the start, and written into the documentation.

/// A metric's kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Goes up only.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Counts by size, in seconds where the name ends so.
    Histogram,
}

impl Kind {
    /// The word that Prometheus has for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// A metric.
#[derive(Clone, Copy, Debug)]
pub struct Metric {
    /// The name that Prometheus knows it by.
    pub name: &'static str,
    /// Its kind.
    pub kind: Kind,
    /// One sentence about what it counts, and its labels.
    pub text: &'static str,
}

const fn counter(name: &'static str, text: &'static str) -> Metric {
    Metric { name, kind: Kind::Counter, text }
}

const fn gauge(name: &'static str, text: &'static str) -> Metric {
    Metric { name, kind: Kind::Gauge, text }
}

const fn histogram(name: &'static str, text: &'static str) -> Metric {
    Metric { name, kind: Kind::Histogram, text }
}

/// All metrics, by name.
pub const DESCRIPTIONS: &[Metric] = &[
    counter(
        "http_connections_given_up_total",
        "Connections closed because their clients were waited for in vain, by `for`: next request, head, answer.",
    ),
    counter(
        "http_connections_turned_away_total",
        "Connections closed because too many were open, or too many of one address.",
    ),
    histogram("http_request_seconds", "Time that requests took, by `method`, `route` and `status`."),
    gauge("http_requests_in_flight", "Requests under way."),
    counter("http_requests_turned_away_total", "Requests answered 503 because too many were under way."),
    counter("scrip_budget_refusals_total", "Tries refused because too many had failed, by `budget`."),
    counter("scrip_coupons_printed_total", "Coupons printed into campaigns' PDFs."),
    counter("scrip_deliveries_total", "Attempts to deliver to integrations, by `outcome`."),
    counter("scrip_failed_lookups_total", "Codes and device ids that were looked up and are not there."),
    counter(
        "scrip_gate_refused_total",
        "Requests refused for the places that user groups share, by `gate` and the `limit` that they met.",
    ),
    gauge("scrip_gate_waiting", "Requests that wait for a place that user groups share, by `gate`."),
    gauge("scrip_gateways_waiting", "Gateways that wait for commands."),
    counter(
        "scrip_guard_refusals_total",
        "Redemptions that Redis had admitted and Postgres refused: what Redis knew was old.",
    ),
    counter(
        "scrip_journal_batches_repeated_total",
        "Batches written again because an order stood there already.",
    ),
    counter(
        "scrip_journal_batches_split_total",
        "Batches written one by one because one of them could not be.",
    ),
    histogram("scrip_journal_batch_size", "Redemptions in one commit."),
    gauge("scrip_journal_queue_depth", "Redemptions that wait for the next commit of a lane."),
    counter("scrip_journal_rejected_total", "Redemptions answered 503 because the journal's queue was full."),
    counter(
        "scrip_log_entries_dropped_total",
        "Entries of the voucher log that were lost; redemptions never are.",
    ),
    gauge("scrip_log_queue_depth", "Entries of the voucher log that wait to be written."),
    gauge("scrip_reconcile_queue_depth", "Codes whose copy in Redis waits to be put right from Postgres."),
    counter("scrip_reconciled_total", "Codes whose copy in Redis was put right from Postgres."),
    counter(
        "scrip_redis_epochs_total",
        "Times that all of Redis was given up, to be loaded again from Postgres.",
    ),
    counter("scrip_redis_failures_total", "Failures of the connection to Redis."),
    counter("scrip_redis_loads_total", "Codes loaded from Postgres into Redis."),
    counter(
        "scrip_repeated_redemptions_total",
        "Orders that were asked again, and answered as the first time.",
    ),
    gauge("scrip_replication_stalled", "1 while no synchronous standby confirms commits."),
    counter("scrip_vouchers_generated_total", "Vouchers generated for campaigns."),
];
