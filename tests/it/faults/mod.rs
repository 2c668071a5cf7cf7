//! Breaking things under load. Whatever breaks: what was acknowledged is in the journal, nothing is
//! there twice, no limit is passed, and service is back by itself.

mod background;
#[cfg(feature = "failpoints")]
mod crash;
mod frozen;
mod history;
mod postgres;
pub mod proxy;
mod redis;
mod replication;
mod setup;
mod standby;
mod stop;
