//! EVA-DTS audit files: read, kept as they came, and turned into sales, payments and events.

pub mod counters;
pub mod format;
pub mod happened;
pub mod sold;
pub mod vends;
