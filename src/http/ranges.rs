//! Files over HTTP: whole, in part, or not again (RFC 9110, 13 and 14).
//!
//! What a request is answered with is decided from its headers alone ([`choose`]); whatever holds the
//! file then gives the bytes of a range ([`answer`]).

use crate::error::{Error, Result};
use axum::{
    BoxError,
    body::{Body, Bytes},
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header},
    response::{IntoResponse, Response},
};
use futures_util::Stream;
use http_range_header::{RangeUnsatisfiableError, parse_range_header};
use std::{fmt::Write, ops::Range};

/// A file to be downloaded.
#[derive(Clone, Debug)]
pub struct Served {
    /// In bytes.
    pub length: u64,
    /// Its strong entity tag, as [`tag`] makes it: another file has another.
    pub tag: String,
    /// What its bytes are.
    pub media_type: &'static str,
    /// What to save it as.
    pub filename: String,
}

/// What a request for a file is answered with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Choice {
    /// All of it (200).
    Whole,
    /// These bytes of it (206).
    Part(Range<u64>),
    /// Nothing: the client has it (304).
    Known,
    /// Nothing: it is not the file that the client means (412).
    Changed,
    /// Nothing: it is not as long as that (416).
    Beyond,
}

/// Answers a request for a file; `read` is asked for its bytes, if any are to be sent.
pub fn answer<S, E>(
    method: &Method,
    headers: &HeaderMap,
    file: &Served,
    read: impl FnOnce(Range<u64>) -> S,
) -> Result<Response>
where
    S: Stream<Item = Result<Bytes, E>> + Send + 'static,
    E: Into<BoxError> + 'static,
{
    let (status, range) = match choose(method, headers, file.length, &file.tag) {
        Choice::Whole => (StatusCode::OK, 0..file.length),
        Choice::Part(range) => (StatusCode::PARTIAL_CONTENT, range),
        Choice::Known => return Ok(known(file.tag.clone())),
        Choice::Changed => return Err(Error::Changed),
        Choice::Beyond => return Err(Error::Beyond { length: file.length }),
    };
    let of_file = [
        (header::CONTENT_TYPE, file.media_type.to_owned()),
        (header::CONTENT_DISPOSITION, disposition(&file.filename)),
        (header::ACCEPT_RANGES, "bytes".to_owned()),
    ];
    let length = [(header::CONTENT_LENGTH, HeaderValue::from(range.end - range.start))];
    let part = (status == StatusCode::PARTIAL_CONTENT).then(|| {
        let place = format!("bytes {}-{}/{}", range.start, range.end.saturating_sub(1), file.length);
        [(header::CONTENT_RANGE, place)]
    });
    let body = if method == Method::HEAD { Body::empty() } else { Body::from_stream(read(range)) };
    let mut response = (status, of_file, length, kept_as(file.tag.clone()), body).into_response();
    for (name, place) in part.into_iter().flatten() {
        response.headers_mut().insert(name, HeaderValue::try_from(place).map_err(Error::fault)?);
    }
    Ok(response)
}

/// Decides what a request for a file of this length and tag is answered with, in the order of RFC 9110,
/// 13.2.2. A range that can't be read, and more than one of them, are as good as none.
pub fn choose(method: &Method, headers: &HeaderMap, length: u64, tag: &str) -> Choice {
    if headers.contains_key(header::IF_MATCH) && !names(headers, &header::IF_MATCH, tag, Strength::Strong) {
        return Choice::Changed;
    }
    if is_known(headers, tag) {
        return Choice::Known;
    }
    let still_meant = headers.get(header::IF_RANGE).is_none_or(|its| its.as_bytes() == tag.as_bytes());
    if method != Method::GET || !still_meant {
        return Choice::Whole;
    }
    let mut ranges = headers.get_all(header::RANGE).iter();
    let (Some(range), None) = (ranges.next(), ranges.next()) else { return Choice::Whole };
    let Ok(range) = range.to_str() else { return Choice::Whole };
    match parse_range_header(range).and_then(|ranges| ranges.validate(length)) {
        Ok(ranges) => match ranges.as_slice() {
            [one] => Choice::Part(*one.start()..one.end().saturating_add(1).min(length)),
            _ => Choice::Whole,
        },
        Err(RangeUnsatisfiableError::Unsatisfiable) => Choice::Beyond,
        Err(_) => Choice::Whole,
    }
}

/// That the client has the file with this tag.
pub fn known(tag: String) -> Response {
    (StatusCode::NOT_MODIFIED, kept_as(tag)).into_response()
}

/// What a client may do with its copy: keep it to itself, and ask each time whether it is still good.
pub fn kept_as(tag: String) -> [(HeaderName, String); 2] {
    [(header::ETAG, tag), (header::CACHE_CONTROL, "private, no-cache".to_owned())]
}

/// The strong entity tag of bytes with this hash.
pub fn tag(hash: &[u8]) -> String {
    let mut tag = String::from("\"");
    for byte in hash {
        let _ = write!(tag, "{byte:02x}");
    }
    tag.push('"');
    tag
}

/// Whether `If-None-Match` names this tag.
pub fn is_known(headers: &HeaderMap, tag: &str) -> bool {
    names(headers, &header::IF_NONE_MATCH, tag, Strength::Weak)
}

/// Which tags are the same (RFC 9110, 8.8.3.2).
#[derive(Clone, Copy, PartialEq, Eq)]
enum Strength {
    /// Only strong ones.
    Strong,
    /// Weak ones too.
    Weak,
}

fn names(headers: &HeaderMap, header: &HeaderName, tag: &str, strength: Strength) -> bool {
    let lists = headers.get_all(header).iter().filter_map(|list| list.to_str().ok());
    let mut tags = lists.flat_map(|list| list.split(',')).map(str::trim);
    tags.any(|its| {
        let bare = if strength == Strength::Weak { its.trim_start_matches("W/") } else { its };
        its == "*" || bare == tag
    })
}

/// A file to be saved under this name; what a header can't hold of it is spelled in another way too
/// (RFC 6266).
fn disposition(filename: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || " -_.()".contains(c);
    let plain: String = filename.chars().map(|c| if is_plain(c) { c } else { '_' }).collect();
    let mut disposition = format!("attachment; filename=\"{plain}\"");
    if plain != filename {
        disposition.push_str("; filename*=UTF-8''");
        for byte in filename.bytes() {
            if byte.is_ascii_alphanumeric() || b"-_.".contains(&byte) {
                disposition.push(char::from(byte));
            } else {
                let _ = write!(disposition, "%{byte:02X}");
            }
        }
    }
    disposition
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::stream;
    use proptest::prelude::*;
    use std::convert::Infallible;

    const TAG: &str = "\"0aff\"";

    fn headers(pairs: &[(HeaderName, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        headers
    }

    fn chosen(pairs: &[(HeaderName, &str)]) -> Choice {
        choose(&Method::GET, &headers(pairs), 1_000, TAG)
    }

    fn ranged(range: &str) -> Choice {
        chosen(&[(header::RANGE, range)])
    }

    /// A file whose bytes are their own places.
    fn sent(method: &Method, headers: &HeaderMap, length: u64) -> Result<Response> {
        let file =
            Served { length, tag: TAG.to_owned(), media_type: "text/plain", filename: "a.txt".to_owned() };
        answer(method, headers, &file, |range| {
            assert!(range.end <= length);
            stream::iter(range.map(|at| Ok::<_, Infallible>(Bytes::from(vec![at as u8]))))
        })
    }

    async fn body(response: Response) -> Vec<u8> {
        axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap().to_vec()
    }

    #[test]
    fn a_tag_is_known_wherever_it_stands() {
        assert_eq!(tag(&[0x0a, 0xff]), TAG);
        for list in ["\"0aff\"", "W/\"0aff\"", "\"x\", \"0aff\"", "*"] {
            assert!(is_known(&headers(&[(header::IF_NONE_MATCH, list)]), TAG), "{list}");
        }
        for list in ["0aff", "\"0af\"", "\"\"", ""] {
            assert!(!is_known(&headers(&[(header::IF_NONE_MATCH, list)]), TAG), "{list}");
        }
        assert!(!is_known(&HeaderMap::new(), TAG));
    }

    #[test]
    fn a_range_is_what_it_says_and_never_outside() {
        assert_eq!(chosen(&[]), Choice::Whole);
        for (range, choice) in [
            ("bytes=0-0", Choice::Part(0..1)),
            ("bytes=10-19", Choice::Part(10..20)),
            ("BYTES=10-", Choice::Part(10..1_000)),
            ("bytes=-1", Choice::Part(999..1_000)),
            ("bytes=-5000", Choice::Part(0..1_000)),
            ("bytes=990-5000", Choice::Part(990..1_000)),
            ("bytes=0-99999999999999999999", Choice::Part(0..1_000)),
            ("bytes=1000-", Choice::Beyond),
            ("bytes=1000-2000", Choice::Beyond),
            ("bytes=-0", Choice::Beyond),
            ("bytes=0-1, 5-6", Choice::Whole),
            ("bytes=5-1", Choice::Whole),
            ("bytes=", Choice::Whole),
            ("bytes=a-b", Choice::Whole),
            ("lines=1-2", Choice::Whole),
            ("", Choice::Whole),
        ] {
            assert_eq!(ranged(range), choice, "{range}");
        }
        assert_eq!(chosen(&[(header::RANGE, "bytes=0-1"), (header::RANGE, "bytes=0-1")]), Choice::Whole);
        assert_eq!(choose(&Method::HEAD, &headers(&[(header::RANGE, "bytes=0-1")]), 9, TAG), Choice::Whole);
        assert_eq!(choose(&Method::GET, &headers(&[(header::RANGE, "bytes=0-1")]), 0, TAG), Choice::Beyond);
    }

    #[test]
    fn what_is_asked_first_decides() {
        let range = (header::RANGE, "bytes=0-1");
        let with = |name, value| chosen(&[range.clone(), (name, value)]);
        assert_eq!(with(header::IF_RANGE, TAG), Choice::Part(0..2));
        for changed in ["\"other\"", "W/\"0aff\"", "Tue, 24 Nov 2026 12:00:00 GMT", "*"] {
            assert_eq!(with(header::IF_RANGE, changed), Choice::Whole, "{changed}");
        }
        assert_eq!(with(header::IF_NONE_MATCH, TAG), Choice::Known);
        assert_eq!(with(header::IF_NONE_MATCH, "\"other\""), Choice::Part(0..2));
        for good in [TAG, "*", "\"x\", \"0aff\""] {
            assert_eq!(with(header::IF_MATCH, good), Choice::Part(0..2), "{good}");
        }
        for bad in ["\"other\"", "W/\"0aff\"", ""] {
            assert_eq!(with(header::IF_MATCH, bad), Choice::Changed, "{bad}");
        }
        assert_eq!(chosen(&[(header::IF_MATCH, "\"x\""), (header::IF_NONE_MATCH, TAG)]), Choice::Changed);
    }

    #[tokio::test]
    async fn an_answer_says_what_it_is() {
        let whole = sent(&Method::GET, &HeaderMap::new(), 300).unwrap();
        assert_eq!(
            (whole.status(), &whole.headers()[header::CONTENT_LENGTH]),
            (StatusCode::OK, &"300".parse().unwrap())
        );
        assert_eq!(whole.headers()[header::ACCEPT_RANGES], "bytes");
        assert_eq!(whole.headers()[header::ETAG], TAG);
        assert_eq!(body(whole).await.len(), 300);

        let part = sent(&Method::GET, &headers(&[(header::RANGE, "bytes=-3")]), 300).unwrap();
        assert_eq!(part.status(), StatusCode::PARTIAL_CONTENT);
        assert_eq!(part.headers()[header::CONTENT_RANGE], "bytes 297-299/300");
        assert_eq!(part.headers()[header::CONTENT_LENGTH], "3");
        assert_eq!(body(part).await, [41, 42, 43]);

        let head = sent(&Method::HEAD, &headers(&[(header::RANGE, "bytes=-3")]), 300).unwrap();
        assert_eq!(
            (head.status(), &head.headers()[header::CONTENT_LENGTH]),
            (StatusCode::OK, &"300".parse().unwrap())
        );
        assert!(body(head).await.is_empty());

        let beyond =
            sent(&Method::GET, &headers(&[(header::RANGE, "bytes=300-")]), 300).unwrap_err().into_response();
        assert_eq!(beyond.status(), StatusCode::RANGE_NOT_SATISFIABLE);
        assert_eq!(beyond.headers()[header::CONTENT_RANGE], "bytes */300");
        let changed = sent(&Method::GET, &headers(&[(header::IF_MATCH, "\"x\"")]), 300).unwrap_err();
        assert_eq!(changed.face().0, StatusCode::PRECONDITION_FAILED);
    }

    #[test]
    fn a_name_is_spelled_so_that_a_header_can_hold_it() {
        assert_eq!(disposition("coupons 1.pdf"), "attachment; filename=\"coupons 1.pdf\"");
        assert_eq!(
            disposition("Տես\r\n\"x\".pdf"),
            "attachment; filename=\"______x_.pdf\"; filename*=UTF-8''%D5%8F%D5%A5%D5%BD%0D%0A%22x%22.pdf"
        );
        assert!(HeaderValue::try_from(disposition("a\0\u{202e}\n")).is_ok());
    }

    /// Header values, from plausible to nonsense.
    fn any_range() -> impl Strategy<Value = String> {
        prop_oneof![
            "bytes=[0-9]{0,4}-[0-9]{0,4}",
            "bytes=[0-9]{0,25}-[0-9]{0,25}(, ?[0-9]{0,3}-[0-9]{0,3}){0,5}",
            "(bytes|lines)?[=0-9, -]{0,40}",
            "[ -~]{0,40}",
        ]
    }

    proptest! {
        #[test]
        fn no_range_leads_outside(range in any_range(), length in 0u64..2_000) {
            match choose(&Method::GET, &headers(&[(header::RANGE, &range)]), length, TAG) {
                Choice::Part(part) => prop_assert!(part.start < part.end && part.end <= length),
                Choice::Whole | Choice::Beyond => {}
                other => prop_assert!(false, "{other:?}"),
            }
        }

        #[test]
        fn the_parts_are_the_whole(length in 1u64..400, cuts in prop::collection::vec(0u64..400, 0..6)) {
            let mut cuts: Vec<u64> = cuts.into_iter().filter(|&cut| cut < length).collect();
            cuts.extend([0, length]);
            cuts.sort_unstable();
            cuts.dedup();
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let mut got = Vec::new();
            for pair in cuts.windows(2) {
                let range = format!("bytes={}-{}", pair[0], pair[1] - 1);
                let asked = headers(&[(header::RANGE, &range), (header::IF_RANGE, TAG)]);
                got.extend(runtime.block_on(async { body(sent(&Method::GET, &asked, length).unwrap()).await }));
            }
            prop_assert_eq!(got, (0..length).map(|at| at as u8).collect::<Vec<_>>());
        }
    }
}
