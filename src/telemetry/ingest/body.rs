//! The body of a batch: unzipped within a limit, and taken apart into items that are not read yet.

use crate::{
    app::App,
    error::{Error, Result},
    http::extract::json_bytes,
};
use axum::{
    body::{Body, Bytes},
    extract::{FromRequest, Request},
    http::{HeaderMap, header},
};
use flate2::bufread::MultiGzDecoder;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;
use std::{borrow::Cow, io::Read};

/// Items in one batch at most.
pub(super) const ITEMS_MAX: usize = 1_000;

/// One object or an array of them, as they came.
#[derive(Debug)]
pub(super) struct Items(pub(super) Vec<Box<RawValue>>);

impl FromRequest<App> for Items {
    type Rejection = Error;

    async fn from_request(request: Request<Body>, app: &App) -> Result<Self> {
        let zipped = is_zipped(request.headers())?;
        let bytes: Bytes = json_bytes(request, app.config.body_max_bytes).await?;
        let body = if zipped {
            Cow::Owned(unzip(&bytes, app.config.inflated_max_bytes)?)
        } else {
            Cow::Borrowed(&*bytes)
        };
        split(&body).map(Self)
    }
}

/// Whether the body is zipped; any other encoding is refused.
pub(in crate::telemetry) fn is_zipped(headers: &HeaderMap) -> Result<bool> {
    let Some(encoding) = headers.get(header::CONTENT_ENCODING) else { return Ok(false) };
    match encoding.as_bytes().trim_ascii().to_ascii_lowercase().as_slice() {
        b"gzip" | b"x-gzip" => Ok(true),
        b"identity" | b"" => Ok(false),
        _ => Err(Error::UnsupportedMedia { takes: "a Content-Encoding of gzip, or none" }),
    }
}

/// Unzips as much as is allowed: what a few kilobytes can swell to knows no bounds.
pub(in crate::telemetry) fn unzip(bytes: &[u8], limit_bytes: usize) -> Result<Vec<u8>> {
    let mut inflated = Vec::new();
    let mut stream = MultiGzDecoder::new(bytes).take(limit_bytes as u64 + 1);
    stream.read_to_end(&mut inflated).map_err(|_| Error::malformed("", "the gzip stream is broken"))?;
    if inflated.len() > limit_bytes {
        return Err(Error::TooLarge { what: "unzipped body", limit_bytes });
    }
    Ok(inflated)
}

/// Takes a body apart; 400 where it is not JSON, 422 where it is no batch.
fn split(body: &[u8]) -> Result<Vec<Box<RawValue>>> {
    let malformed = |error: serde_json::Error| Error::malformed("", format!("not JSON: {error}"));
    let whole: &RawValue = serde_json::from_slice(body).map_err(malformed)?;
    match whole.get().as_bytes().first() {
        Some(b'[') => {
            // Counted before they are kept: millions of items fit into a body.
            let items: Vec<IgnoredAny> = serde_json::from_str(whole.get()).map_err(malformed)?;
            if !(1..=ITEMS_MAX).contains(&items.len()) {
                return Err(Error::invalid("", format!("must have 1 to {ITEMS_MAX} items")));
            }
            serde_json::from_str(whole.get()).map_err(malformed)
        }
        Some(b'{') => Ok(vec![whole.to_owned()]),
        _ => Err(Error::invalid("", "must be an object or an array of objects")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::{Compression, write::GzEncoder};
    use std::io::Write;

    fn zipped(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn status(result: Result<impl Sized>) -> u16 {
        result.map_or_else(|error| error.face().0.as_u16(), |_| 200)
    }

    #[test]
    fn a_body_is_an_object_or_an_array_of_a_thousand_at_most() {
        let items = |body: &str| split(body.as_bytes()).map(|items| items.len());
        assert_eq!(items(" {\"remote\": 1} ").unwrap(), 1);
        assert_eq!(items("[1, {}, \"any\"]").unwrap(), 3);
        assert_eq!(items(&format!("[{}0]", "0,".repeat(999))).unwrap(), 1_000);
        for (body, refusal) in
            [("[", 400), ("{} {}", 400), ("", 400), ("\u{0}", 400), ("[]", 422), ("7", 422)]
        {
            assert_eq!(status(items(body)), refusal, "{body}");
        }
        assert_eq!(status(items(&format!("[{}0]", "0,".repeat(1_000)))), 422);
    }

    #[test]
    fn a_stream_is_unzipped_to_its_end_and_no_further_than_the_limit() {
        let text = b"[{\"remote\": 1}]".repeat(10);
        assert_eq!(unzip(&zipped(&text), text.len()).unwrap(), text);
        assert_eq!(status(unzip(&zipped(&text), text.len() - 1)), 413);
        let bomb = zipped(&vec![b' '; 1 << 24]);
        assert!(bomb.len() < 1 << 15);
        assert_eq!(status(unzip(&bomb, 1 << 20)), 413);
        let whole = zipped(&text);
        for broken in [&whole[..whole.len() - 4], &whole[1..], b"plain"] {
            assert_eq!(status(unzip(broken, 1 << 20)), 400);
        }
    }
}
