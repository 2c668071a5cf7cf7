//! The centre: validate, lock, redeem, release, roll back.
pub mod audit;
pub mod code;
pub mod epoch;
pub mod facts;
mod find;
pub mod guesses;
pub mod hot;
pub mod http;
pub mod journal;
pub mod reconcile;
pub mod redeem;
pub mod release;
pub mod rollback;
pub mod rules;
pub mod validate;
pub mod voucher;
