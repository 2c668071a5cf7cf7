//! From the bytes of a drawing to its text, in whatever encoding XML lets it be in.

use super::Unfit;
use encoding_rs::{Encoding, UTF_8};
use std::borrow::Cow;

/// The longest declaration that is looked into, in bytes.
const DECLARATION_MAX: usize = 200;

/// The text of a drawing: in the encoding that its byte order mark or its XML declaration names, or in
/// UTF-8.
pub(super) fn decode(bytes: &[u8]) -> Result<Cow<'_, str>, Unfit> {
    let (encoding, bytes) = match Encoding::for_bom(bytes) {
        Some((encoding, length)) => (encoding, bytes.get(length..).unwrap_or_default()),
        None => (declared(bytes)?, bytes),
    };
    let text = encoding.decode_without_bom_handling_and_without_replacement(bytes);
    // XML has no NUL: it is what two-byte encodings look like in others.
    text.filter(|text| !text.contains('\0')).ok_or_else(|| Unfit::Encoding(encoding.name().to_owned()))
}

/// Returns `true` if bytes begin as text in some encoding does that begins with `start`.
pub(super) fn begins_with(bytes: &[u8], start: char) -> bool {
    let head = &bytes[..bytes.len().min(DECLARATION_MAX)];
    let (encoding, length) = Encoding::for_bom(head).unwrap_or((UTF_8, 0));
    let (text, _) = encoding.decode_without_bom_handling(head.get(length..).unwrap_or_default());
    text.trim_ascii_start().starts_with(start)
}

/// The encoding that an XML declaration names.
fn declared(bytes: &[u8]) -> Result<&'static Encoding, Unfit> {
    let head = &bytes[..bytes.len().min(DECLARATION_MAX)];
    let head = head.trim_ascii_start();
    let Some(end) = head.windows(2).position(|pair| pair == b"?>").filter(|_| head.starts_with(b"<?xml"))
    else {
        return Ok(UTF_8);
    };
    let declaration = String::from_utf8_lossy(&head[..end]);
    let Some((_, value)) = declaration.split_once("encoding") else { return Ok(UTF_8) };
    let value = value.trim_start().trim_start_matches('=').trim_start();
    let label = value.get(1..).and_then(|rest| rest.split(['"', '\'']).next()).unwrap_or_default();
    match Encoding::for_label(label.as_bytes()) {
        // What says this in single bytes is not in double ones.
        Some(encoding) if encoding.is_ascii_compatible() => Ok(encoding),
        _ => Err(Unfit::Encoding(label.chars().filter(|char| !char.is_control()).take(40).collect())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_read_in_the_encoding_that_it_names() {
        let said = |encoding: &str| format!("<?xml version='1.0' encoding='{encoding}'?><a>é</a>");
        let latin = |text: &str| text.chars().map(|char| char as u8).collect::<Vec<u8>>();
        for encoding in ["iso-8859-1", "ISO-8859-15", "windows-1252", "Latin1"] {
            assert_eq!(decode(&latin(&said(encoding))).unwrap(), said(encoding), "{encoding}");
        }
        assert_eq!(decode(said("utf-8").as_bytes()).unwrap(), said("utf-8"));
        assert_eq!(decode("<a>é</a>".as_bytes()).unwrap(), "<a>é</a>");
        assert_eq!(decode("\u{feff}<a/>".as_bytes()).unwrap(), "<a/>");
        let wide = "\u{feff}<?xml version='1.0' encoding='UTF-16'?><a>é</a>".encode_utf16();
        assert_eq!(
            decode(&wide.clone().flat_map(u16::to_le_bytes).collect::<Vec<_>>()).unwrap(),
            said("UTF-16")
        );
        assert_eq!(decode(&wide.flat_map(u16::to_be_bytes).collect::<Vec<_>>()).unwrap(), said("UTF-16"));
    }

    #[test]
    fn an_encoding_that_a_text_is_not_in_is_named() {
        let named = |bytes: &[u8]| match decode(bytes) {
            Err(Unfit::Encoding(name)) => name,
            other => panic!("{other:?}"),
        };
        assert_eq!(named(b"<a>\xe9</a>"), "UTF-8");
        assert_eq!(named(b"<?xml version='1.0' encoding='utf-8'?><a>\xe9</a>"), "UTF-8");
        assert_eq!(named(b"<?xml version='1.0' encoding='klingon'?><a/>"), "klingon");
        assert_eq!(named(b"<?xml version='1.0' encoding='UTF-16'?><a/>"), "UTF-16");
        assert_eq!(named(b"<\0a\0/\0>\0"), "UTF-8");
        assert_eq!(named(b"<?xml version='1.0' encoding='UTF-7'?><a/>"), "UTF-7");
    }
}
