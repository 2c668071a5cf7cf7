//! What a coupon says by itself: what it is worth and until when it is good, as people write it.
//!
//! Digits are Western ones everywhere: they are read wherever there are vending machines.

mod expiry;
mod money;

pub use expiry::expiry;
pub use money::value;

use crate::campaigns::style::Locale;

/// Whether a locale is what a key names: a language (`hy`), or a language and a country (`en-US`).
fn is(locale: Locale, key: &str) -> bool {
    let tag = locale.to_string();
    tag.strip_prefix(key).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
}

/// No space at which a line breaks.
const NO_BREAK: &str = "\u{a0}";
