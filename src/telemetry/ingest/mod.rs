//! What machines' gateways send: sales, payments, events and signs of life, one by one or in batches.
//!
//! Each item is judged by itself, and the answer says of each what became of it; the others of its
//! batch are none the worse for one that is wrong. What a gateway sends again changes nothing: an item
//! is known by the machine's own number of it, also when these numbers begin again. Whatever was answered is
//! committed.

mod batch;
pub(super) mod body;
mod events;
mod http;
pub(super) mod item;
mod known;
mod payments;
mod sales;
mod series;

#[cfg(test)]
mod refusals;
#[cfg(test)]
mod resends;

pub(super) use http::routes;
