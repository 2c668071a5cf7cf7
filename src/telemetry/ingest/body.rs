//! The body of a batch: unzipped within limits, and taken apart into items that are not read yet. All of it
//! where it keeps nobody waiting, since a few kilobytes can swell to millions of items.

use crate::{
    app::App,
    error::{Error, Result},
    http::extract::json_bytes,
    offload::INLINE_MAX_BYTES,
};
use axum::{
    body::Bytes,
    extract::Request,
    http::{HeaderMap, header},
};
use flate2::bufread::GzDecoder;
use serde::{
    Deserializer,
    de::{Error as _, SeqAccess, Visitor},
};
use serde_json::value::RawValue;
use std::{fmt, io::Read};

/// Items in one batch at most.
pub(super) const ITEMS_MAX: usize = 1_000;

/// Members of a gzip stream at most: each costs as much as kilobytes of text, and more than one is rare.
const MEMBERS_MAX: usize = 16;

/// How many times its size a zipped body can swell to. What gateways send swells to ten or twenty times.
const RATIO_MAX: usize = 200;

/// A body that is small as it is unzipped may swell to more.
const RATIO_FREE_BYTES: usize = 64 << 10;

/// Bytes that are unzipped between two looks at them.
const PIECE_BYTES: usize = 32 << 10;

/// Receives JSON, zipped or not, and makes something of it.
pub(super) async fn read<T: Send + 'static>(
    app: &App,
    group: i64,
    request: Request,
    make: impl FnOnce(&[u8]) -> Result<T> + Send + 'static,
) -> Result<T> {
    let zipped = is_zipped(request.headers())?;
    let bytes = json_bytes(request, app.config.body_max_bytes).await?;
    if zipped {
        return read_zipped(app, group, bytes, app.config.inflated_max_bytes, move |body| make(&body)).await;
    }
    app.offload.run(group, bytes.len(), move || make(&bytes)).await
}

/// Unzips a body of at most `limit_bytes` and makes something of it.
pub(in crate::telemetry) async fn read_zipped<T: Send + 'static>(
    app: &App,
    group: i64,
    bytes: Bytes,
    limit_bytes: usize,
    make: impl FnOnce(Vec<u8>) -> Result<T> + Send + 'static,
) -> Result<T> {
    // Most are small, which only shows as they are unzipped.
    if bytes.len() <= INLINE_MAX_BYTES {
        match unzip(&bytes, limit_bytes.min(INLINE_MAX_BYTES)) {
            Err(Error::TooLarge { .. }) => {}
            small => return small.and_then(make),
        }
    }
    app.offload.run(group, usize::MAX, move || make(unzip(&bytes, limit_bytes)?)).await
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

/// Unzips as much as is allowed, and no further than to the first item too many.
fn unzip(bytes: &[u8], limit_bytes: usize) -> Result<Vec<u8>> {
    let limit_bytes = limit_bytes.min(bytes.len().saturating_mul(RATIO_MAX).max(RATIO_FREE_BYTES));
    let (mut rest, mut inflated, mut counted) = (bytes, Vec::new(), Counted::default());
    for _ in 0..MEMBERS_MAX {
        let mut member = GzDecoder::new(rest);
        loop {
            let before = inflated.len();
            let piece = PIECE_BYTES.min(limit_bytes + 1 - before) as u64;
            let read = (&mut member).take(piece).read_to_end(&mut inflated);
            let read = read.map_err(|_| Error::malformed("", "the gzip stream is broken"))?;
            if inflated.len() > limit_bytes {
                return Err(Error::TooLarge { what: "unzipped body", limit_bytes });
            }
            if counted.is_too_many(&inflated[before..]) {
                return Err(wrong_length());
            }
            if read == 0 {
                break;
            }
        }
        rest = member.into_inner();
        if rest.is_empty() {
            return Ok(inflated);
        }
    }
    Err(Error::malformed("", format!("the gzip stream has more than {MEMBERS_MAX} members")))
}

/// Counts the items of an array that is not all there yet. It takes its word for being JSON.
#[derive(Debug, Default)]
struct Counted {
    depth: usize,
    commas: usize,
    is_text: bool,
    is_escaped: bool,
    is_array: bool,
}

impl Counted {
    fn is_too_many(&mut self, piece: &[u8]) -> bool {
        for &byte in piece {
            if self.is_text {
                match byte {
                    _ if self.is_escaped => self.is_escaped = false,
                    b'\\' => self.is_escaped = true,
                    b'"' => self.is_text = false,
                    _ => {}
                }
                continue;
            }
            match byte {
                b'"' => self.is_text = true,
                b'[' | b'{' => {
                    self.is_array |= self.depth == 0 && byte == b'[';
                    self.depth += 1;
                }
                b']' | b'}' => self.depth = self.depth.saturating_sub(1),
                b',' if self.depth == 1 && self.is_array => self.commas += 1,
                _ => {}
            }
        }
        self.commas >= ITEMS_MAX
    }
}

fn wrong_length() -> Error {
    Error::invalid("", format!("must have 1 to {ITEMS_MAX} items"))
}

/// The items of an array, and one more if there are too many.
struct Several;

impl<'de> Visitor<'de> for Several {
    type Value = Vec<Box<RawValue>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut array: A) -> Result<Self::Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = array.next_element::<&RawValue>()? {
            if items.len() == ITEMS_MAX {
                return Err(A::Error::custom(TOO_MANY));
            }
            items.push(item.to_owned());
        }
        Ok(items)
    }
}

const TOO_MANY: &str = "too many items";

/// Takes a body apart; 400 where it is not JSON, 422 where it is no batch. What follows an item too many is
/// not looked at.
pub(super) fn split(body: &[u8]) -> Result<Vec<Box<RawValue>>> {
    let malformed = |error: serde_json::Error| Error::malformed("", format!("not JSON: {error}"));
    let mut reader = serde_json::Deserializer::from_slice(body);
    match body.trim_ascii_start().first() {
        Some(b'[') => {
            let items = match reader.deserialize_seq(Several) {
                Err(error) if error.to_string().starts_with(TOO_MANY) => return Err(wrong_length()),
                items => items.map_err(malformed)?,
            };
            reader.end().map_err(malformed)?;
            if items.is_empty() { Err(wrong_length()) } else { Ok(items) }
        }
        first => {
            let whole: &RawValue = serde_json::from_slice(body).map_err(malformed)?;
            if first == Some(&b'{') {
                Ok(vec![whole.to_owned()])
            } else {
                Err(Error::invalid("", "must be an object or an array of objects"))
            }
        }
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

    #[test]
    fn a_stream_has_few_members_and_swells_within_reason() {
        let members = |count| zipped(b"[]").repeat(count);
        assert_eq!(unzip(&members(MEMBERS_MAX), 1 << 20).unwrap(), b"[]".repeat(MEMBERS_MAX));
        assert_eq!(status(unzip(&members(MEMBERS_MAX + 1), 1 << 20)), 400);
        let blank = |bytes| zipped(&vec![b' '; bytes]);
        assert_eq!(unzip(&blank(RATIO_FREE_BYTES), 1 << 30).unwrap().len(), RATIO_FREE_BYTES);
        assert_eq!(status(unzip(&blank(1 << 20), 1 << 30)), 413);
    }

    #[test]
    fn unzipping_stops_at_the_first_item_too_many() {
        let rest = zipped(b"{},")[..12].to_vec();
        let batch = |items: usize| {
            // What follows is broken, and is not come to.
            [
                zipped(format!("[{}", "{\"a\":[1,2],\"b\":\",],\\\",\"},".repeat(items)).as_bytes()),
                rest.clone(),
            ]
            .concat()
        };
        assert_eq!(status(unzip(&batch(999), 1 << 20)), 400);
        assert_eq!(status(unzip(&batch(1_000), 1 << 20)), 422);
    }
}
