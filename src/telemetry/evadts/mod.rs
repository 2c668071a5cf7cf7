//! EVA-DTS audit files: read, kept as they came, and turned into sales, payments and events.
//!
//! A machine counts what it sells from its initialisation on, by product and by means of payment. An audit
//! is what these counters show at one time, so the difference of two is what was sold in between; the first
//! one only says where counting begins. Machines that send their sales themselves get none from audits:
//! there the two are compared, so that what was lost on the way shows.

#[cfg(test)]
mod cents;
pub mod counters;
mod currency;
#[cfg(test)]
mod differences;
pub mod format;
pub mod happened;
mod http;
pub mod import;
mod place;
mod products;
pub mod sold;
mod store;
mod totals;
pub mod vends;

pub(super) use http::routes;
