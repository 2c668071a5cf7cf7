//! Access tokens, and tokens in links to files: JWTs, signed with HS256.
//!
//! They are short-lived and say only whose they are; what that account may do is looked up anew.

use super::hs256;
use crate::error::{Error, Result};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use hkdf::Hkdf;
use hmac::{Hmac, KeyInit, Mac};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, decode_header, encode};
use quick_cache::sync::Cache;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use sha2::Sha256;
use std::fmt;
use uuid::Uuid;

/// Tokens that are remembered: about 5 MB of them.
const SEEN_MAX: usize = 10_000;

/// Makes and reads access tokens.
pub struct Tokens {
    /// Names the key in the header of what it signs.
    header: Header,
    signing: EncodingKey,
    /// By their names: the one that signs, and the one before it.
    checking: Vec<(String, DecodingKey)>,
    successors: Hmac<Sha256>,
    validation: Validation,
    life_s: i64,
    /// What good tokens say, by the token: checking a signature costs more than all else that is done for a caller.
    seen: Cache<Box<str>, Claims>,
}

/// What an access token says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// The account that logged in.
    #[serde(rename = "sub", with = "account_id")]
    pub account: i64,
    /// When it was issued, in seconds since 1970.
    #[serde(rename = "iat")]
    pub issued_at_s: i64,
    /// The first second at which it is no longer good.
    #[serde(rename = "exp")]
    pub expires_at_s: i64,
    /// This token's own id.
    #[serde(rename = "jti")]
    pub id: Uuid,
    /// The log-in that it goes back to.
    #[serde(rename = "fam")]
    pub family: Uuid,
    /// Which of the account's generations of sessions it belongs to; 0 in tokens from before there were any.
    #[serde(rename = "gen", default)]
    pub generation: i64,
}

/// What the token in a link says. It has an audience, which access tokens have not, so that neither is
/// taken for the other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkClaims {
    /// The account that the link was shown to.
    #[serde(rename = "sub", with = "account_id")]
    pub account: i64,
    /// The path that it leads to, without the version in front.
    #[serde(rename = "aud")]
    pub path: String,
    /// The first second at which it is no longer good.
    #[serde(rename = "exp")]
    pub expires_at_s: i64,
    /// Which of the account's generations of sessions it belongs to.
    #[serde(rename = "gen")]
    pub generation: i64,
    /// The log-in that it goes back to; none in links from before they had one.
    #[serde(rename = "fam", default)]
    pub family: Uuid,
}

impl Tokens {
    /// The first of `secrets` signs; tokens that were signed with one of the others are good until they expire.
    /// `life_s` is how long a token is good, in seconds. Fails without a secret.
    pub fn new(secrets: &[&SecretString], life_s: u64) -> Result<Self> {
        hs256::install();
        let secrets: Vec<&[u8]> = secrets.iter().map(|secret| secret.expose_secret().as_bytes()).collect();
        let current = *secrets.first().ok_or_else(|| Error::fault("there is no secret to sign with"))?;
        let mut header = Header::new(Algorithm::HS256);
        header.kid = Some(key_name(current)?);
        let mut validation = Validation::new(Algorithm::HS256);
        // Against the caller's clock instead, without leeway: we are issuer and reader.
        validation.validate_exp = false;
        Ok(Self {
            header,
            signing: EncodingKey::from_secret(current),
            checking: secrets
                .iter()
                .map(|secret| Ok((key_name(secret)?, DecodingKey::from_secret(secret))))
                .collect::<Result<_>>()?,
            successors: Hmac::new_from_slice(&derived(current, b"scrip refresh tokens 1")?)
                .map_err(Error::fault)?,
            validation,
            life_s: i64::try_from(life_s).unwrap_or(i64::MAX / 2),
            seen: Cache::new(SEEN_MAX),
        })
    }

    /// The refresh token that follows `token`: always the same one, which nobody else can tell.
    pub fn successor(&self, token: &str) -> String {
        let mac = self.successors.clone().chain_update(token.as_bytes()).finalize();
        BASE64_URL_SAFE_NO_PAD.encode(mac.into_bytes())
    }

    /// A token for `account`, good from `now` on.
    pub fn issue(&self, account: i64, generation: i64, family: Uuid, now: DateTime<Utc>) -> Result<String> {
        let issued_at_s = now.timestamp();
        let claims = Claims {
            account,
            issued_at_s,
            expires_at_s: issued_at_s.saturating_add(self.life_s),
            id: Uuid::now_v7(),
            family,
            generation,
        };
        encode(&self.header, &claims, &self.signing).map_err(Error::fault)
    }

    /// What `token` says, if we signed it and it is still good at `now`.
    pub fn read(&self, token: &str, now: DateTime<Utc>) -> Option<Claims> {
        let claims = if let Some(claims) = self.seen.get(token) {
            claims
        } else {
            let claims: Claims = self.decode(token, &self.validation)?;
            self.seen.insert(token.into(), claims.clone());
            claims
        };
        (now.timestamp() < claims.expires_at_s).then_some(claims)
    }

    /// Decodes a token with the key that it names; with any of them where it names none, as tokens of older servers.
    fn decode<T: DeserializeOwned>(&self, token: &str, validation: &Validation) -> Option<T> {
        let name = decode_header(token).ok()?.kid;
        let mut keys = self.checking.iter().filter(|(own, _)| name.as_ref().is_none_or(|name| name == own));
        keys.find_map(|(_, key)| decode(token, key, validation).ok()).map(|decoded| decoded.claims)
    }

    /// A token for a link that shows `account` the file at `path` without logging in again, for `life_s`
    /// seconds from `now` on.
    pub fn issue_link(
        &self,
        account: i64,
        generation: i64,
        family: Uuid,
        path: &str,
        life_s: u64,
        now: DateTime<Utc>,
    ) -> Result<String> {
        let life_s = i64::try_from(life_s).unwrap_or(i64::MAX / 2);
        let expires_at_s = now.timestamp().saturating_add(life_s);
        let claims = LinkClaims { account, path: path.to_owned(), expires_at_s, generation, family };
        encode(&self.header, &claims, &self.signing).map_err(Error::fault)
    }

    /// What the token in a link to `path` says, if we signed it for that path and it is still good at `now`.
    pub fn read_link(&self, token: &str, path: &str, now: DateTime<Utc>) -> Option<LinkClaims> {
        let mut validation = self.validation.clone();
        validation.set_audience(&[path]);
        validation.set_required_spec_claims(&["exp", "aud", "sub"]);
        let claims: LinkClaims = self.decode(token, &validation)?;
        (now.timestamp() < claims.expires_at_s).then_some(claims)
    }
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tokens").field("life_s", &self.life_s).finish_non_exhaustive()
    }
}

/// A key for one use, from a secret that has several (RFC 5869).
fn derived(secret: &[u8], usage: &[u8]) -> Result<[u8; 32]> {
    let mut key = [0; 32];
    Hkdf::<Sha256>::new(None, secret).expand(usage, &mut key).map_err(Error::fault)?;
    Ok(key)
}

/// Tells a key from others, and says nothing about it.
fn key_name(secret: &[u8]) -> Result<String> {
    Ok(BASE64_URL_SAFE_NO_PAD.encode(&derived(secret, b"scrip key names 1")?[..6]))
}

/// RFC 7519 has subjects as strings.
mod account_id {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes the field by reference")]
    pub(super) fn serialize<S: Serializer>(id: &i64, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(id)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::Duration;
    use sha2::Sha512;

    fn tokens(secret: &str) -> Tokens {
        Tokens::new(&[&SecretString::from(secret)], 900).unwrap()
    }

    fn noon() -> DateTime<Utc> {
        "2026-06-01T12:00:00Z".parse().unwrap()
    }

    #[test]
    fn a_token_is_good_until_it_expires() {
        let tokens = tokens("one secret that is long enough to sign");
        let family = Uuid::now_v7();
        let token = tokens.issue(7, 2, family, noon()).unwrap();
        let claims = tokens.read(&token, noon() + Duration::seconds(899)).unwrap();
        assert_eq!((claims.account, claims.generation, claims.family), (7, 2, family));
        assert_eq!(tokens.read(&token, noon() + Duration::seconds(900)), None);
    }

    #[test]
    fn a_secret_that_was_replaced_still_reads_what_it_signed() {
        let [old, new] =
            ["one secret that is long enough to sign", "another secret that is long enough, too"]
                .map(SecretString::from);
        let before = Tokens::new(&[&old], 900).unwrap();
        let after = Tokens::new(&[&new, &old], 900).unwrap();
        let family = Uuid::now_v7();
        let (earlier, later) =
            (before.issue(7, 0, family, noon()).unwrap(), after.issue(7, 0, family, noon()).unwrap());
        assert!(after.read(&earlier, noon()).is_some() && after.read(&later, noon()).is_some());
        assert!(before.read(&later, noon()).is_none());
        assert!(Tokens::new(&[&new], 900).unwrap().read(&earlier, noon()).is_none());
        // Tokens of servers that named no key.
        let mut unnamed = Tokens::new(&[&old], 900).unwrap();
        unnamed.header.kid = None;
        assert!(after.read(&unnamed.issue(7, 0, family, noon()).unwrap(), noon()).is_some());
    }

    #[test]
    fn a_refresh_token_has_one_successor() {
        let ours = tokens("one secret that is long enough to sign");
        let next = ours.successor("a refresh token");
        assert_eq!((next.len(), &next), (43, &ours.successor("a refresh token")));
        assert_ne!(next, ours.successor("another refresh token"));
        assert_ne!(next, tokens("another secret that is long enough, too").successor("a refresh token"));
    }

    #[test]
    fn a_link_leads_to_one_path_and_is_no_access_token() {
        let tokens = tokens("one secret that is long enough to sign");
        let family = Uuid::now_v7();
        let link = tokens.issue_link(7, 2, family, "/campaign/1/pdf", 60, noon()).unwrap();
        let claims = tokens.read_link(&link, "/campaign/1/pdf", noon() + Duration::seconds(59)).unwrap();
        assert_eq!((claims.account, claims.generation, claims.family), (7, 2, family));
        assert_eq!(tokens.read_link(&link, "/campaign/1/pdf", noon() + Duration::seconds(60)), None);
        assert_eq!(tokens.read_link(&link, "/campaign/12/pdf", noon()), None);
        assert_eq!(tokens.read(&link, noon()), None);
        let access = tokens.issue(7, 2, Uuid::now_v7(), noon()).unwrap();
        assert_eq!(tokens.read_link(&access, "/campaign/1/pdf", noon()), None);
    }

    #[test]
    fn only_what_we_signed_as_we_sign_is_read() {
        let ours = tokens("one secret that is long enough to sign");
        let token = ours.issue(7, 0, Uuid::now_v7(), noon()).unwrap();
        let [header, body, signature] = token.split('.').collect::<Vec<_>>().try_into().unwrap();
        let json = String::from_utf8(BASE64_URL_SAFE_NO_PAD.decode(body).unwrap()).unwrap();
        let promoted = BASE64_URL_SAFE_NO_PAD.encode(json.replace(r#""sub":"7""#, r#""sub":"1""#));
        assert_ne!(promoted, body);
        let unsigned = BASE64_URL_SAFE_NO_PAD.encode(r#"{"alg":"none","typ":"JWT"}"#);
        let longer = BASE64_URL_SAFE_NO_PAD.encode(r#"{"alg":"HS512","typ":"JWT"}"#);
        let sha512 = Hmac::<Sha512>::new_from_slice(b"one secret that is long enough to sign").unwrap();
        let sha512 = sha512.chain_update(format!("{longer}.{body}")).finalize().into_bytes();
        let forged = [
            tokens("another secret that is long enough, too").issue(7, 0, Uuid::now_v7(), noon()).unwrap(),
            format!("{header}.{promoted}.{signature}"),
            format!("{unsigned}.{body}."),
            format!("{unsigned}.{body}.{signature}"),
            format!("{longer}.{body}.{}", BASE64_URL_SAFE_NO_PAD.encode(sha512)),
            format!("{longer}.{body}.{signature}"),
            format!("{header}.{body}"),
            format!("{header}.{body}."),
            "..".to_owned(),
            String::new(),
        ];
        for token in forged {
            assert_eq!(ours.read(&token, noon()), None, "{token}");
        }
    }
}
