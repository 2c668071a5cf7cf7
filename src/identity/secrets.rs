//! Secrets that are handed out once: 256 random bits as text, and the digest that is kept of them.
//!
//! A plain SHA-256 is enough here: what has 256 bits of chance can't be found by trying.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};

/// Characters of a secret.
pub(super) const LENGTH: usize = 43;

/// A new secret, in the URL-safe alphabet.
pub(super) fn fresh() -> String {
    BASE64_URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>())
}

/// What is stored of a secret, and looked up by.
pub(super) fn digest(secret: &str) -> [u8; 32] {
    Sha256::digest(secret.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_long_safe_in_a_url_and_another_each_time() {
        let (one, other) = (fresh(), fresh());
        assert_ne!(one, other);
        assert_eq!(one.len(), LENGTH);
        assert!(one.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_'));
        assert_ne!(digest(&one), digest(&other));
    }
}
