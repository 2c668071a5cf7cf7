//! Requests that can be sent again: the same `Idempotency-Key` with the same body gives the first answer again.
//!
//! The edge notes the key of a `POST` ([`answering`]), and whatever reads the body notes what it was ([`note_part`]).
//! A handler creates things in a [`Creation`], which keeps the answer in the transaction of what it creates: both are
//! there or neither is. Two requests with one key at a time: the second is told that the first is under way, so that
//! nobody waits with a connection in hand. Without a key nothing of this does anything.

mod creation;
pub mod document;
mod remembered;

pub use creation::Creation;
pub use remembered::KEPT;

use crate::{
    app::App,
    author,
    error::{Error, Result},
};
use axum::{
    extract::Request,
    http::{HeaderName, Method, Uri},
    response::{IntoResponse, Response},
};
use remembered::{Claim, Remembered};
use sha2::{Digest, Sha256};
use std::cell::RefCell;

/// The header with the key.
pub const HEADER: &str = "Idempotency-Key";

/// The same as `http` names it.
const NAME: HeaderName = HeaderName::from_static("idempotency-key");

/// The longest key, in characters.
pub const KEY_MAX_CHARS: usize = 255;

tokio::task_local! {
    static KEYED: RefCell<Option<Keyed>>;
}

/// A request with a key.
#[derive(Debug)]
pub struct Keyed {
    key: String,
    /// The method and the route.
    operation: String,
    /// The hash of path, query and as much of the body as was noted.
    request: Sha256,
    /// The answer that was given before, once it was found.
    answer: Option<Remembered>,
}

impl Keyed {
    /// Returns the key of a `POST`, if it has one. Other methods are idempotent by themselves.
    pub fn of(request: &Request, operation: &str) -> Result<Option<Self>> {
        let mut sent = request.headers().get_all(NAME).iter();
        let Some(key) = sent.next().filter(|_| request.method() == Method::POST) else { return Ok(None) };
        let key = std::str::from_utf8(key.as_bytes()).ok().map(str::trim);
        let key = key.filter(|key| (1..=KEY_MAX_CHARS).contains(&key.chars().count()));
        let (Some(key), None) = (key, sent.next()) else {
            return Err(Error::malformed(
                format!("/{HEADER}"),
                format!("must be one key of 1 to {KEY_MAX_CHARS} characters"),
            ));
        };
        let mut hash = Sha256::new();
        update(&mut hash, resource(request.uri()).as_bytes());
        Ok(Some(Self { key: key.to_owned(), operation: operation.to_owned(), request: hash, answer: None }))
    }
}

/// Returns the path and the query of a request, without the version in front.
fn resource(uri: &Uri) -> &str {
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    path.strip_prefix("/v1").filter(|rest| rest.starts_with('/')).unwrap_or(path)
}

/// Adds a part with its length, so that no two sequences of parts are the same bytes.
fn update(hash: &mut Sha256, part: &[u8]) {
    hash.update((part.len() as u64).to_be_bytes());
    hash.update(part);
}

/// Answers a request, or gives the answer again that its key had before.
pub async fn answering(keyed: Option<Keyed>, work: impl Future<Output = Response>) -> Response {
    let before = async {
        let response = work.await;
        // A handler that has found the answer ends with a refusal.
        if response.status().is_success() {
            return response;
        }
        let found = KEYED.with(|keyed| keyed.borrow_mut().as_mut().and_then(|keyed| keyed.answer.take()));
        found.map_or(response, IntoResponse::into_response)
    };
    KEYED.scope(RefCell::new(keyed), before).await
}

/// Notes a part of the request's body: it is to be the same when the key comes again.
pub fn note_part(part: &[u8]) {
    with(|keyed| update(&mut keyed.request, part));
}

/// Ends a request whose key has an answer, before anything else is asked of its body.
pub async fn expect_new(app: &App) -> Result<()> {
    let Some(claim) = claim() else { return Ok(()) };
    claim.expect_new(&mut *app.db.acquire().await?, app.clock.now()).await
}

/// Runs `work` on the request with a key that is under way here, if there is one.
fn with<T>(work: impl FnOnce(&mut Keyed) -> T) -> Option<T> {
    KEYED.try_with(|keyed| keyed.borrow_mut().as_mut().map(work)).ok().flatten()
}

/// Returns what the request under way claims: its key, for who has sent it.
fn claim() -> Option<Claim> {
    let (account, api_key) = author::current()?.who();
    account.or(api_key)?;
    with(|keyed| Claim {
        account,
        api_key,
        operation: keyed.operation.clone(),
        key: keyed.key.clone(),
        request: keyed.request.clone().finalize().to_vec(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Body;

    fn keyed(method: Method, keys: &[&[u8]]) -> Result<Option<String>> {
        let request =
            keys.iter().fold(Request::builder().method(method), |request, key| request.header(NAME, *key));
        let keyed = Keyed::of(&request.body(Body::empty()).unwrap(), "POST /campaign")?;
        Ok(keyed.map(|keyed| keyed.key))
    }

    #[test]
    fn a_key_is_some_text_of_a_post() {
        let read = |keys: &[&[u8]]| keyed(Method::POST, keys).map_err(|error| error.face().0.as_u16());
        assert_eq!(read(&[]), Ok(None));
        assert_eq!(read(&[b" order-7 "]), Ok(Some("order-7".to_owned())));
        assert_eq!(read(&["é".repeat(255).as_bytes()]), Ok(Some("é".repeat(255))));
        assert_eq!(keyed(Method::PUT, &[b"order-7"]).unwrap(), None);
        for bad in [&[&b""[..]][..], &[b" "], &[&[b'x'; 256]], &[b"\xff"], &[b"a", b"a"]] {
            assert_eq!(read(bad), Err(400), "{bad:?}");
        }
    }

    #[test]
    fn a_request_is_the_same_with_and_without_the_version() {
        for (uri, expected) in [
            ("/v1/machine?source=7", "/machine?source=7"),
            ("/machine?source=7", "/machine?source=7"),
            ("/v10", "/v10"),
        ] {
            assert_eq!(resource(&uri.parse().unwrap()), expected);
        }
    }

    #[test]
    fn parts_are_told_apart() {
        let of = |parts: &[&str]| {
            let mut hash = Sha256::new();
            for part in parts {
                update(&mut hash, part.as_bytes());
            }
            hash.finalize()
        };
        assert_ne!(of(&["ab", "c"]), of(&["a", "bc"]));
        assert_ne!(of(&["a", ""]), of(&["a"]));
    }
}
