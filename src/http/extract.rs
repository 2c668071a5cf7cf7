//! Extractors whose rejections are problems: body, path and query, read strictly.

use super::{arrival::Stopped, flat_form, strict::Strict, unread::FromBody};
use crate::{
    app::App,
    error::{Error, Issue, Result},
    idempotency,
    wording::{expected, plain},
};
use axum::{
    body::{Body, Bytes, HttpBody},
    extract::{DefaultBodyLimit, FromRequest, FromRequestParts, RawPathParams, Request},
    http::{HeaderValue, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use http_body_util::BodyExt;
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{self, DeserializeOwned, Visitor},
};
use std::fmt;

/// A JSON body in, read strictly into `T`; or a JSON answer out.
#[derive(Debug)]
pub struct Json<T>(pub T);

/// A JSON body that may be left out, which is an empty object then.
#[derive(Debug)]
pub struct OptionalJson<T>(pub T);

/// A JSON body together with its bytes, for those that log what was asked.
#[derive(Debug)]
pub struct RawJson<T> {
    /// The body as it came.
    pub bytes: Bytes,
    /// The body as it was read.
    pub value: T,
}

/// A body that says that it is JSON, not read yet.
#[derive(Debug)]
pub struct JsonBytes(pub Bytes);

/// The largest body of a request that needs no token, in bytes.
const OPEN_BODY_MAX_BYTES: usize = 16 << 10;

/// Bodies of requests that anybody may send: small ones, read on the spot, and taken as forms too. All others are
/// [`Unread`] at first.
///
/// [`Unread`]: super::unread::Unread
impl<T: DeserializeOwned> FromRequest<App> for Json<T> {
    type Rejection = Error;

    async fn from_request(request: Request<Body>, app: &App) -> Result<Self> {
        let limit_bytes = app.config.body_max_bytes.min(OPEN_BODY_MAX_BYTES);
        let content_type = request.headers().get(header::CONTENT_TYPE);
        if flat_form::is_form(content_type) {
            let form = whole(request, limit_bytes).await?;
            return parse(&flat_form::as_json(&form)?).map(Self);
        }
        if !is_json(content_type.map(HeaderValue::as_bytes)) {
            return Err(Error::UnsupportedMedia { takes: flat_form::TAKES });
        }
        parse(&whole(request, limit_bytes).await?).map(Self)
    }
}

impl FromBody for JsonBytes {
    async fn from_body(request: Request, app: &App, _: i64) -> Result<Self> {
        json_bytes(request, app.config.body_max_bytes).await.map(Self)
    }
}

impl<T: DeserializeOwned + Send + 'static> FromBody for Json<T> {
    async fn from_body(request: Request, app: &App, group: i64) -> Result<Self> {
        RawJson::from_body(request, app, group).await.map(|raw| Self(raw.value))
    }
}

impl<T: DeserializeOwned + Send + 'static> FromBody for OptionalJson<T> {
    async fn from_body(request: Request, app: &App, group: i64) -> Result<Self> {
        let JsonBytes(bytes) = JsonBytes::from_body(request, app, group).await?;
        let bytes = if bytes.is_empty() { Bytes::from_static(b"{}") } else { bytes };
        app.offload.run(group, bytes.len(), move || parse(&bytes)).await.map(Self)
    }
}

impl<T: DeserializeOwned + Send + 'static> FromBody for RawJson<T> {
    async fn from_body(request: Request, app: &App, group: i64) -> Result<Self> {
        let bytes = json_bytes(request, app.config.body_max_bytes).await?;
        let text = bytes.clone();
        let value = app.offload.run(group, bytes.len(), move || parse(&text)).await?;
        Ok(Self { bytes, value })
    }
}

/// A JSON body as it came.
pub async fn json_bytes(request: Request<Body>, limit_bytes: usize) -> Result<Bytes> {
    if !is_json(request.headers().get(header::CONTENT_TYPE).map(HeaderValue::as_bytes)) {
        return Err(Error::UnsupportedMedia { takes: "application/json" });
    }
    whole(request, limit_bytes).await
}

/// A body as it came, refused (413) if it is larger than `limit_bytes`.
pub async fn whole(request: Request<Body>, limit_bytes: usize) -> Result<Bytes> {
    let too_large = Error::TooLarge { what: "body", limit_bytes };
    let mut body = request.into_body();
    if body.size_hint().lower() > limit_bytes as u64 {
        return Err(too_large);
    }
    // Nearly every body is one piece, which is not copied.
    let (mut first, mut all) = (Bytes::new(), Vec::new());
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| broken(StatusCode::BAD_REQUEST, &error, limit_bytes))?;
        let Ok(piece) = frame.into_data() else { continue };
        if first.len().max(all.len()) + piece.len() > limit_bytes {
            return Err(too_large);
        }
        if first.is_empty() {
            first = piece;
            continue;
        }
        if all.is_empty() {
            all.extend_from_slice(&first);
        }
        all.extend_from_slice(&piece);
    }
    let bytes = if all.is_empty() { first } else { all.into() };
    idempotency::note_part(&bytes);
    Ok(bytes)
}

/// Limits a body. One that says that it is larger is refused before its client is asked to send it.
pub fn limit(request: &mut Request<Body>, limit_bytes: usize) -> Result<()> {
    if request.body().size_hint().lower() > limit_bytes as u64 {
        return Err(Error::TooLarge { what: "body", limit_bytes });
    }
    DefaultBodyLimit::max(limit_bytes).apply(request);
    Ok(())
}

/// Why a body could not be read to its end.
pub fn broken(status: StatusCode, error: &(dyn std::error::Error + 'static), limit_bytes: usize) -> Error {
    if status == StatusCode::PAYLOAD_TOO_LARGE {
        return Error::TooLarge { what: "body", limit_bytes };
    }
    let mut causes = std::iter::successors(Some(error), |error| error.source());
    match causes.find_map(|cause| cause.downcast_ref::<Stopped>()) {
        Some(Stopped::TooSlow) => Error::TooSlow,
        Some(Stopped::NoRoom) => Error::Busy,
        None => Error::malformed("", "the body broke off"),
    }
}

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        axum::Json(self.0).into_response()
    }
}

/// `application/json` or `application/…+json`, or no type at all.
fn is_json(content_type: Option<&[u8]>) -> bool {
    let Some(content_type) = content_type else { return true };
    if content_type == b"application/json" {
        return true;
    }
    let mime = mime(content_type);
    mime == b"application/json" || (mime.starts_with(b"application/") && mime.ends_with(b"+json"))
}

/// Returns `true` if a body says that it is of this type, whatever its parameters.
pub(super) fn is_of_type(content_type: &[u8], expected: &[u8]) -> bool {
    mime(content_type) == expected
}

/// A type in lower case, without its parameters.
fn mime(content_type: &[u8]) -> Vec<u8> {
    content_type.split(|&byte| byte == b';').next().unwrap_or_default().trim_ascii().to_ascii_lowercase()
}

/// Reads a body: 400 where it is not JSON, 422 with a pointer where it is not a `T`.
pub fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    // Nearly every body is good, and then the path is not needed.
    if let Ok(value) = T::deserialize(Strict(&mut reader))
        && reader.end().is_ok()
    {
        return Ok(value);
    }
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let Err(error) = serde_path_to_error::deserialize::<_, T>(Strict(&mut reader)) else {
        return Err(Error::malformed("", "something follows the JSON value"));
    };
    let pointer = pointer(error.path());
    let cause = error.into_inner();
    // Where a field can't be what stands there (a number for a word, an escape that is no character),
    // serde_json calls it bad syntax too.
    if !is_well_formed(bytes) {
        return Err(Error::malformed("", format!("not JSON: {cause}")));
    }
    Err(Error::Invalid(vec![describe(&pointer, &cause.to_string())]))
}

/// Reads a field that is there, so that `Option` tells an absent one from `null`.
pub fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// Reads text that clients may write as a whole number: ids that are text here and numbers there.
pub fn text_or_number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    struct TextOrNumber;

    impl Visitor<'_> for TextOrNumber {
        type Value = String;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a string or a whole number")
        }

        fn visit_str<E: de::Error>(self, text: &str) -> Result<String, E> {
            Ok(text.to_owned())
        }

        fn visit_string<E: de::Error>(self, text: String) -> Result<String, E> {
            Ok(text)
        }

        fn visit_i64<E: de::Error>(self, number: i64) -> Result<String, E> {
            Ok(number.to_string())
        }

        fn visit_u64<E: de::Error>(self, number: u64) -> Result<String, E> {
            let known = i64::try_from(number).map(|number| number.to_string());
            known.map_err(|_| E::invalid_value(de::Unexpected::Unsigned(number), &self))
        }
    }

    deserializer.deserialize_any(TextOrNumber)
}

/// Reads a limit, or anything else that counts from 1: 0 is none, as `null` is.
pub fn none_if_zero<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    Option::<i64>::deserialize(deserializer).map(|number| number.filter(|number| *number != 0))
}

/// Reads such a limit of a change, so that an absent one stays.
pub fn present_none_if_zero<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Option<i64>>, D::Error> {
    none_if_zero(deserializer).map(Some)
}

/// Whether this is JSON by its grammar, whatever its numbers and escapes amount to.
fn is_well_formed(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).is_ok_and(|text| serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok())
}

/// The pointer of a path, without the parts that name enum variants.
fn pointer(path: &serde_path_to_error::Path) -> String {
    use serde_path_to_error::Segment;
    path.iter()
        .map(|segment| match segment {
            Segment::Seq { index } => format!("/{index}"),
            Segment::Map { key } => format!("/{}", escaped(key)),
            Segment::Enum { .. } | Segment::Unknown => String::new(),
        })
        .collect()
}

/// serde names a missing, unknown or repeated field in its message, and not always in its path.
fn describe(pointer: &str, message: &str) -> Issue {
    let message = message.split(" at line ").next().unwrap_or(message);
    let field = |prefix: &str| message.strip_prefix(prefix)?.split('`').next().map(escaped);
    if let Some(name) = field("missing field `") {
        return Issue::at(format!("{pointer}/{name}"), "is required");
    }
    if let Some(name) = field("duplicate field `") {
        return Issue::at(format!("{pointer}/{name}"), "is given twice");
    }
    if let Some(name) = field("unknown field `") {
        let pointer = if pointer.ends_with(&format!("/{name}")) {
            pointer.to_owned()
        } else {
            format!("{pointer}/{name}")
        };
        return Issue::at(pointer, "is not a field of this request");
    }
    Issue::at(pointer.to_owned(), plain(message))
}

/// A name as a part of a JSON pointer.
pub fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

/// The parameters of the path.
#[derive(Debug)]
pub struct Path<T>(pub T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self> {
        use axum::extract::path::ErrorKind;
        let rejection = match axum::extract::Path::<T>::from_request_parts(parts, state).await {
            Ok(axum::extract::Path(value)) => return Ok(Self(value)),
            Err(rejection) => rejection,
        };
        let axum::extract::rejection::PathRejection::FailedToDeserializePathParams(failed) = rejection else {
            return Err(Error::fault(rejection));
        };
        let (name, detail) = match failed.into_kind() {
            ErrorKind::ParseErrorAtKey { key, expected_type, .. } => {
                (key, format!("must be {}", expected(expected_type)))
            }
            ErrorKind::DeserializeError { key, message, .. } => (key, plain(&message)),
            ErrorKind::InvalidUtf8InPathParam { key } => (key, "is not UTF-8".to_owned()),
            // A handler that takes one parameter, or several in their order, takes them without names.
            ErrorKind::ParseError { value, expected_type }
            | ErrorKind::ParseErrorAtIndex { value, expected_type, .. } => {
                (name_of(parts, &value).await, format!("must be {}", expected(expected_type)))
            }
            // So does one that takes a word of a few.
            ErrorKind::Message(message) => (the_only_one(parts).await, plain(&message)),
            kind => ("path".to_owned(), kind.to_string()),
        };
        Err(Error::malformed(format!("/{name}"), detail))
    }
}

/// The name of the path's parameter, if it has just one.
async fn the_only_one(parts: &mut Parts) -> String {
    let params = RawPathParams::from_request_parts(parts, &()).await;
    let names: Vec<&str> = params.iter().flat_map(|params| params.iter()).map(|(name, _)| name).collect();
    if let [name] = names[..] { name } else { "path" }.to_owned()
}

/// The name of the path parameter with this value.
async fn name_of(parts: &mut Parts, value: &str) -> String {
    let params = RawPathParams::from_request_parts(parts, &()).await;
    let params = params.iter().flat_map(|params| params.iter());
    params.into_iter().find(|param| param.1 == value).map_or("path", |param| param.0).to_owned()
}

/// The parameters of the query string; unknown ones are refused if `T` says so.
#[derive(Debug)]
pub struct Query<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self> {
        match axum::extract::Query::<T>::from_request_parts(parts, state).await {
            Ok(axum::extract::Query(value)) => Ok(Self(value)),
            Err(rejection) => {
                let detail = rejection.body_text();
                let cause = detail.rsplit(": ").next().unwrap_or_default().to_owned();
                let issue = describe("", &cause);
                let pointer = if issue.pointer.is_empty() {
                    detail.split(": ").nth(1).map_or_else(String::new, |name| format!("/{name}"))
                } else {
                    issue.pointer.to_string()
                };
                Err(Error::malformed(pointer, issue.detail))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct Order {
        id: String,
        #[serde(default)]
        items: Vec<Item>,
    }

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct Item {
        quantity: u32,
    }

    /// Reads a body that comes in these pieces, of which 5 bytes are allowed.
    async fn whole_of(pieces: &[&'static str]) -> Result<Bytes> {
        let pieces: Vec<_> = pieces.iter().map(|piece| Ok::<_, std::io::Error>(*piece)).collect();
        whole(Request::new(Body::from_stream(futures_util::stream::iter(pieces))), 5).await
    }

    #[tokio::test]
    async fn a_body_is_put_together_of_its_pieces_up_to_its_limit() {
        for pieces in [&["abcde"][..], &["ab", "cde"], &["", "a", "", "bcd", "e"], &["a", "b", "c", "d", "e"]]
        {
            assert_eq!(whole_of(pieces).await.unwrap(), "abcde", "{pieces:?}");
        }
        assert_eq!(whole_of(&[]).await.unwrap(), "");
        for pieces in [&["abcdef"][..], &["abcde", "f"], &["abc", "de", "f"], &["a", "bcdef"]] {
            let refused = whole_of(pieces).await;
            assert!(matches!(refused, Err(Error::TooLarge { limit_bytes: 5, .. })), "{pieces:?}");
        }
    }

    fn complaint(body: &str) -> (u16, String) {
        let error = parse::<Order>(body.as_bytes()).unwrap_err();
        let problem = error.problem();
        (problem.status, problem.errors[0].pointer.to_string())
    }

    #[test]
    fn a_body_is_refused_where_it_is_wrong() {
        assert_eq!(complaint("{"), (400, String::new()));
        assert_eq!(complaint(r#"{"id":"a"} x"#), (400, String::new()));
        assert_eq!(complaint("{}"), (422, "/id".to_owned()));
        assert_eq!(complaint(r#"{"id":1}"#), (422, "/id".to_owned()));
        assert_eq!(
            complaint(r#"{"id":"a","items":[{"quantity":1},{"quantity":-1}]}"#),
            (422, "/items/1/quantity".to_owned())
        );
        assert_eq!(complaint(r#"{"id":"a","items":[{}]}"#), (422, "/items/0/quantity".to_owned()));
        assert_eq!(complaint(r#"{"id":"a","colour":1}"#), (422, "/colour".to_owned()));
        assert_eq!(complaint("{\"id\":\"\u{1}"), (400, String::new()));
        assert_eq!(complaint(r#"{"id":"a","id":"a"}"#), (422, "/id".to_owned()));
        assert_eq!(complaint(r#"{"id":"a","b/~c":1}"#), (422, "/b~1~0c".to_owned()));
        assert_eq!(complaint(r#"{"id":1e400}"#), (422, "/id".to_owned()));
        assert_eq!(complaint(r#"{"id":"\ud800"}"#), (422, "/id".to_owned()));
    }

    #[test]
    fn an_object_is_not_read_from_an_array() {
        assert_eq!(complaint(r#"["a",[]]"#), (422, String::new()));
        assert_eq!(complaint(r#"{"id":"a","items":[[1]]}"#), (422, "/items/0".to_owned()));
    }
}
