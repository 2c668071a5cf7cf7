//! How settings with secrets in them are shown.

use secrecy::{ExposeSecret, SecretString};
use serde::Serializer;

#[expect(clippy::ref_option, reason = "serde passes the field's own type")]
pub(super) fn masked<S: Serializer>(secret: &Option<SecretString>, serializer: S) -> Result<S::Ok, S::Error> {
    match secret {
        Some(_) => serializer.serialize_some(MASK),
        None => serializer.serialize_none(),
    }
}

/// What is shown in a secret's place.
const MASK: &str = "********";

/// Parameters of stores' URLs that may be shown.
const PLAIN_PARAMETERS: &[&str] =
    &["host", "hostaddr", "port", "dbname", "db", "user", "sslmode", "application_name", "protocol"];

pub(super) fn masked_url<S: Serializer>(url: &SecretString, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&without_secrets(url.expose_secret()))
}

/// A URL without its password, wherever it has one: `user:password@`, `?pass=`, `?password=`.
fn without_secrets(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return MASK.to_owned() };
    let (place, parameters) = rest.split_once('?').unwrap_or((rest, ""));
    let place = match place.rsplit_once('@') {
        Some((_, host)) => format!("{MASK}@{host}"),
        // The question mark may be a password's own.
        None if parameters.contains('@') => return format!("{scheme}://{MASK}"),
        None => place.to_owned(),
    };
    let parameters: Vec<_> = parameters
        .split('&')
        .filter(|parameter| !parameter.is_empty())
        .map(|parameter| match parameter.split_once('=') {
            Some((name, _)) if PLAIN_PARAMETERS.contains(&name) => parameter.to_owned(),
            Some((name, _)) => format!("{name}={MASK}"),
            None => MASK.to_owned(),
        })
        .collect();
    let mark = if parameters.is_empty() { "" } else { "?" };
    format!("{scheme}://{place}{mark}{}", parameters.join("&"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_shown_without_its_password() {
        for (url, shown) in [
            ("redis://localhost", "redis://localhost"),
            ("postgres://scrip:hunter2@db/scrip", "postgres://********@db/scrip"),
            ("postgres://scrip:hunt@r2@db/scrip", "postgres://********@db/scrip"),
            (
                "redis+unix:///run/redis.sock?db=2&pass=hunter2",
                "redis+unix:///run/redis.sock?db=2&pass=********",
            ),
            ("postgres://db/scrip?password=hunter2&port=1", "postgres://db/scrip?password=********&port=1"),
            ("redis+unix:///run/redis.sock?pass=hunt@r2", "redis+unix://********"),
            ("postgres://scrip:hunt?r2@db/scrip", "postgres://********"),
            ("hunter2", "********"),
        ] {
            assert_eq!(without_secrets(url), shown);
        }
    }
}
