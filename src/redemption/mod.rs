//! The centre: validate, lock, redeem, release, roll back.
//!
//! A machine scans a code. [`validate`](validate::validate) says what it is worth here and now and,
//! with a lock, keeps other machines off it; the machine vends; [`redeem`](redeem::redeem) spends it;
//! [`release`](release::release) gives an unused lock back, and [`rollback`](rollback::rollback) undoes a
//! redemption whose vend failed.
//!
//! ```text
//!           validate + lock                  redeem (owner, or anyone while it is free)
//!   free ───────────────────▶ held ─────────────────────────────▶ spent, or less left
//!    ▲                         │                                        │
//!    └── release, time ────────┘      rollback, start of a period ──────┘
//! ```
//!
//! A lock that was granted in time carries one redemption of its owner past the end of the voucher's span.
//!
//! **Redis admits, Postgres decides.** [`hot`] holds what changes with every vend, [`facts`] what
//! rarely changes; the two together answer a validation in one round trip. A redemption is reserved
//! in Redis by one script, then entered into the [`journal`] by a statement that checks everything
//! once more, many redemptions a commit, and only then acknowledged. Whatever disagrees is settled one
//! way: read the voucher from Postgres, write that to Redis ([`reconcile`]).
//!
//! # What always holds
//!
//! 1. An answer `redeemed: true` is committed in Postgres before it is given, and on a synchronous standby as
//!    well where there is to be one: also where the order was entered before, and is only read now.
//! 2. One (code as printed, machine, order id) is redeemed at most once, for ever, however the code was
//!    spelled: the journal's primary key.
//! 3. In one period a voucher is redeemed at most as often as its limit, and a gift's balance never
//!    goes below zero: the guard of the journal, under the voucher's row lock.
//! 4. A campaign or voucher switched off refuses every redemption from that commit on: the guard
//!    compares versions of both under lock.
//! 5. Redis refuses nothing by itself: before a redemption is refused, Postgres has been asked.
//! 6. Nothing in Redis or in memory is needed for 1–5. Lost, stale or wrong, it costs a reload.
//! 7. The journal is append-only, and every counter and balance can be recomputed from it ([`verify`]).
//!
//! 8. An edit of terms is no reset: a period is named by the moment at which it began ([`period`]).
//!
//! [`voucher`], [`rules`], [`period`] and [`code`] are pure: they decide, and ask nobody.

pub mod audit;
pub mod code;
pub mod demand;
pub mod epoch;
pub mod facts;
mod find;
pub mod guesses;
pub mod hot;
pub mod http;
pub mod journal;
pub mod period;
mod proof;
pub mod reconcile;
pub mod redeem;
pub mod release;
pub mod rollback;
pub mod rules;
pub mod terms;
pub mod validate;
pub mod verify;
pub mod voucher;
