//! The centre: validate, lock, redeem, release, roll back.
pub mod code;
pub mod rules;
pub mod voucher;
pub mod hot;
pub mod journal;
pub mod audit;
pub mod facts;
pub mod guesses;
pub mod epoch;
mod find;
pub mod reconcile;
pub mod redeem;
pub mod release;
pub mod rollback;
pub mod validate;
