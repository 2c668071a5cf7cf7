//! Access tokens: JWTs, signed with HS256.

use secrecy::SecretString;

/// Makes and reads access tokens.
#[derive(Debug)]
pub struct Tokens {}

impl Tokens {
    /// `life_s` is how long a token is good, in seconds.
    pub fn new(_secret: &SecretString, _life_s: u64) -> Self {
        Self {}
    }
}
