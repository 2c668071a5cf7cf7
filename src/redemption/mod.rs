//! The centre: validate, lock, redeem, release, roll back.
pub mod code;
