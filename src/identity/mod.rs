//! Who is calling and what they may do: log-in, tokens, API keys, groups and permissions.
//!
//! A person logs in and gets a short access token and a refresh token that rotates; a device or an
//! integration has an API key. Either is turned into a [`access::Grant`], which the caller of a
//! request is made from. Of every secret that is handed out, only its SHA-256 is stored.

pub mod access;
pub mod groups;
pub mod http;
pub mod keys;
pub mod login;
pub mod passwords;
pub mod permission;
pub mod profile;
mod secrets;
pub mod sessions;
pub mod tokens;

pub use http::routes;
