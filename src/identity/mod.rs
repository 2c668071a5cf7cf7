//! Who is calling and what they may do: log-in, tokens, API keys, groups and permissions.

pub mod access;
pub mod tokens;
