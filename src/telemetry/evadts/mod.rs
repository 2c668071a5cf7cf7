//! EVA-DTS audit files: read, kept as they came, and turned into sales, payments and events.

pub mod format;
