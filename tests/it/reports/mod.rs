//! Reports: what they say, to whom, and that it is what the rows say.

mod oracle;
mod rows;
mod sums;
mod transactions;
mod wishes;
