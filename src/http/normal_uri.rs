//! Addresses in one form, before anything reads them: what clients add that says nothing is taken away.

use super::list::params::split;
use axum::http::{Uri, uri::PathAndQuery};

/// The parameter that clients add so that no cache answers.
const CACHE_BUSTER: &str = "_";

/// The page that stands behind a slash.
const PAGE: &str = "/docs/";

/// Takes away a slash at the end, parameters without a value, and the cache buster.
pub(super) fn normalize(uri: &mut Uri) {
    let Some(normal) = normalized(uri.path(), uri.query()) else { return };
    let mut parts = std::mem::take(uri).into_parts();
    // Parts of an address that was read make one again.
    parts.path_and_query = PathAndQuery::try_from(normal).ok();
    *uri = Uri::from_parts(parts).unwrap_or_default();
}

/// Returns the path and query of an address that is not normal.
fn normalized(path: &str, query: Option<&str>) -> Option<String> {
    let ends_with_slash = path.len() > 1 && path.ends_with('/') && !path.ends_with(PAGE);
    let says_something = |pair: &&str| {
        let (name, value) = split(pair);
        name != CACHE_BUSTER && !value.is_empty()
    };
    if !ends_with_slash && query.is_none_or(|query| query.split('&').all(|pair| says_something(&pair))) {
        return None;
    }
    let mut normal = path.strip_suffix('/').filter(|_| ends_with_slash).unwrap_or(path).to_owned();
    let pairs = query.unwrap_or_default().split('&').filter(says_something);
    for (place, pair) in pairs.enumerate() {
        normal.push(if place == 0 { '?' } else { '&' });
        normal.push_str(pair);
    }
    Some(normal)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn normal_of(text: &str) -> String {
        let mut uri: Uri = text.parse().unwrap();
        normalize(&mut uri);
        uri.to_string()
    }

    #[test]
    fn parts_that_say_nothing_are_taken_away() {
        for (address, normal) in [
            ("/campaign", "/campaign"),
            ("/campaign/", "/campaign"),
            ("/v1/campaign/?limit=&_=17", "/v1/campaign"),
            ("/campaign?limit=5&skip=&_=1&sort=name", "/campaign?limit=5&sort=name"),
            ("/campaign?where[name][=]=&where[id][=]=7", "/campaign?where[id][=]=7"),
            ("/campaign?where%5Bname%5D%5B=%5D=", "/campaign"),
            ("/campaign?a=%00&limit&&", "/campaign?a=%00"),
            ("/campaign?nonsense=1", "/campaign?nonsense=1"),
            ("/campaign?", "/campaign"),
            ("http://scrip.example/campaign/?_=", "http://scrip.example/campaign"),
            ("/docs/", "/docs/"),
            ("/", "/"),
            ("*", "*"),
        ] {
            assert_eq!(normal_of(address), normal, "{address}");
        }
    }

    proptest! {
        #[test]
        fn a_normal_address_stays_as_it_is(path in "(/[a-z]{1,3}){1,3}/?", query in "[a-z_=&\\[\\]%]{0,20}") {
            let query = query.replace('%', "%41");
            let once = normal_of(&format!("{path}?{query}"));
            prop_assert_eq!(normal_of(&once), once);
        }
    }
}
