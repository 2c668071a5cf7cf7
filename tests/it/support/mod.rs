//! Support for tests: servers, stores, callers, machines and a small world of data, all of them real.

pub mod app;
pub mod client;
pub mod database;
pub mod field;
pub mod generated;
pub mod load;
pub mod pair;

pub mod server;
pub mod stores;
pub mod tally;
pub mod world;
