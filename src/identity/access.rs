//! What each account and key may do, kept in memory and dropped when Postgres says it changed.

/// The caches.
#[derive(Debug, Default)]
pub struct Access {}
