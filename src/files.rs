//! How many files and connections the system lets this process have open.

use crate::config::Config;

/// Files that are open besides connections of clients and stores: the listeners, the log, files that are read.
const OTHERS: u64 = 64;

/// Files that the stores' connections take.
fn of_stores(config: &Config) -> u64 {
    // Three watch over Postgres, and a server has a few to Redis.
    u64::from(config.database_connections) + config.journal_lanes as u64 + 3 + 16
}

/// Raises the limit on open files as far as the system lets this process, and returns how many connections of
/// clients it leaves room for: as many as are configured at most. Says so if that is less than what the
/// limits on requests promise.
pub fn connections(config: &Config) -> usize {
    let limit = rlimit::increase_nofile_limit(u64::MAX).unwrap_or_else(|error| {
        tracing::warn!(%error, "could not raise the limit on open files");
        rlimit::getrlimit(rlimit::Resource::NOFILE).map_or(u64::MAX, |(soft, _)| soft)
    });
    let own = of_stores(config) + OTHERS;
    let left = usize::try_from(limit.saturating_sub(own)).unwrap_or(usize::MAX).max(1);
    let promised = config.requests_max.saturating_add(config.polls_max);
    if left < promised {
        tracing::warn!(
            limit,
            wanted = promised as u64 + own,
            requests_max = config.requests_max,
            polls_max = config.polls_max,
            connections = left,
            "fewer files can be open than requests and gateways would need: raise the limit (ulimit -Hn, LimitNOFILE=)"
        );
    }
    left.min(config.connections_max)
}
