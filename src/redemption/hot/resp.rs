//! RESP2, the protocol of Redis: commands are packed, replies are read where they lie.

use std::io;

/// Longest string in a reply, and longest reply that is still coming in.
pub(super) const BYTES_MAX: usize = 16 << 20;

/// Most items of one array.
const ITEMS_MAX: usize = 1 << 20;

/// Deepest nesting of arrays.
const DEPTH_MAX: usize = 8;

/// Longest line: a number, a status or an error.
const LINE_MAX: usize = 64 << 10;

/// What a server says that does not speak RESP2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Garbage;

impl From<Garbage> for io::Error {
    fn from(_: Garbage) -> Self {
        Self::new(io::ErrorKind::InvalidData, "this is not RESP2")
    }
}

/// A reply, in the bytes that it came in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Reply<'a> {
    Nil,
    Number(i64),
    Bytes(&'a [u8]),
    Status(&'a [u8]),
    Error(&'a [u8]),
    Many(Vec<Self>),
}

impl<'a> Reply<'a> {
    /// The string that it is.
    pub(super) fn bytes(&self) -> Option<&'a [u8]> {
        match self {
            Self::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// The items of the array that it is; those of anything else are none.
    pub(super) fn items(&self) -> &[Self] {
        match self {
            Self::Many(items) => items,
            _ => &[],
        }
    }

    /// The first reply in `bytes` and what follows it; `None` if it is not all there.
    pub(super) fn read(bytes: &'a [u8]) -> Result<Option<(Self, &'a [u8])>, Garbage> {
        Self::read_to(bytes, DEPTH_MAX)
    }

    fn read_to(bytes: &'a [u8], depth: usize) -> Result<Option<(Self, &'a [u8])>, Garbage> {
        let Some((token, mut rest)) = Token::read(bytes)? else { return Ok(None) };
        let reply = match token {
            Token::Whole(reply) => reply,
            Token::Items(count) => {
                let depth = depth.checked_sub(1).ok_or(Garbage)?;
                // No item is shorter than three bytes: an array that is not there takes no memory.
                let mut items = Vec::with_capacity(count.min(rest.len() / 3));
                for _ in 0..count {
                    let Some((item, after)) = Self::read_to(rest, depth)? else { return Ok(None) };
                    items.push(item);
                    rest = after;
                }
                Self::Many(items)
            }
        };
        Ok(Some((reply, rest)))
    }
}

/// What follows the first `count` replies in `bytes`; `None` if they are not all there.
pub(super) fn skip(bytes: &[u8], count: usize) -> Result<Option<&[u8]>, Garbage> {
    skip_to(bytes, count, DEPTH_MAX)
}

fn skip_to(bytes: &[u8], count: usize, depth: usize) -> Result<Option<&[u8]>, Garbage> {
    let mut rest = bytes;
    for _ in 0..count {
        let Some((token, after)) = Token::read(rest)? else { return Ok(None) };
        rest = after;
        if let Token::Items(count) = token {
            let depth = depth.checked_sub(1).ok_or(Garbage)?;
            let Some(after) = skip_to(rest, count, depth)? else { return Ok(None) };
            rest = after;
        }
    }
    Ok(Some(rest))
}

/// A reply without parts, or that so many follow.
enum Token<'a> {
    Whole(Reply<'a>),
    Items(usize),
}

impl<'a> Token<'a> {
    fn read(bytes: &'a [u8]) -> Result<Option<(Self, &'a [u8])>, Garbage> {
        let Some((kind, rest)) = bytes.split_first() else { return Ok(None) };
        if !b"+-:$*".contains(kind) {
            return Err(Garbage);
        }
        let Some(end) = rest.iter().take(LINE_MAX).position(|byte| *byte == b'\n') else {
            return if rest.len() < LINE_MAX { Ok(None) } else { Err(Garbage) };
        };
        let (line, rest) = rest.split_at(end + 1);
        let line = line.strip_suffix(b"\r\n").ok_or(Garbage)?;
        let token = match kind {
            b'+' => Self::Whole(Reply::Status(line)),
            b'-' => Self::Whole(Reply::Error(line)),
            b':' => Self::Whole(Reply::Number(number(line)?)),
            _ if line == b"-1" => Self::Whole(Reply::Nil),
            b'*' => Self::Items(length(line, ITEMS_MAX)?),
            _ => {
                let length = length(line, BYTES_MAX)?;
                let Some((string, rest)) = rest.split_at_checked(length + 2) else { return Ok(None) };
                let string = string.strip_suffix(b"\r\n").ok_or(Garbage)?;
                return Ok(Some((Self::Whole(Reply::Bytes(string)), rest)));
            }
        };
        Ok(Some((token, rest)))
    }
}

fn number(line: &[u8]) -> Result<i64, Garbage> {
    std::str::from_utf8(line).ok().and_then(|digits| digits.parse().ok()).ok_or(Garbage)
}

fn length(line: &[u8], max: usize) -> Result<usize, Garbage> {
    usize::try_from(number(line)?).ok().filter(|length| *length <= max).ok_or(Garbage)
}

/// Packs a command behind what is in `out`.
pub(super) fn pack<'a>(out: &mut Vec<u8>, parts: impl Iterator<Item = &'a [u8]> + Clone) {
    head(out, b'*', parts.clone().count());
    for part in parts {
        head(out, b'$', part.len());
        out.extend_from_slice(part);
        out.extend_from_slice(b"\r\n");
    }
}

fn head(out: &mut Vec<u8>, kind: u8, count: usize) {
    out.push(kind);
    let (mut rest, mut digits, mut first) = (count, [0; 20], 20);
    for (at, digit) in digits.iter_mut().enumerate().rev() {
        *digit = b'0' + (rest % 10) as u8;
        rest /= 10;
        first = at;
        if rest == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[first..]);
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A reply as a server makes it.
    #[derive(Clone, Debug)]
    enum Said {
        Nil,
        Number(i64),
        Bytes(Vec<u8>),
        Status(String),
        Error(String),
        Many(Vec<Said>),
    }

    impl Said {
        fn as_reply(&self) -> Reply<'_> {
            match self {
                Self::Nil => Reply::Nil,
                Self::Number(number) => Reply::Number(*number),
                Self::Bytes(bytes) => Reply::Bytes(bytes),
                Self::Status(text) => Reply::Status(text.as_bytes()),
                Self::Error(text) => Reply::Error(text.as_bytes()),
                Self::Many(items) => Reply::Many(items.iter().map(Self::as_reply).collect()),
            }
        }

        fn pack(&self) -> Vec<u8> {
            match self {
                Self::Nil => b"$-1\r\n".to_vec(),
                Self::Number(number) => format!(":{number}\r\n").into_bytes(),
                Self::Bytes(bytes) => {
                    [format!("${}\r\n", bytes.len()).as_bytes(), bytes.as_slice(), b"\r\n"].concat()
                }
                Self::Status(text) => format!("+{text}\r\n").into_bytes(),
                Self::Error(text) => format!("-{text}\r\n").into_bytes(),
                Self::Many(items) => {
                    let head = format!("*{}\r\n", items.len()).into_bytes();
                    items.iter().map(Self::pack).fold(head, |all, item| [all, item].concat())
                }
            }
        }
    }

    fn said() -> impl Strategy<Value = Said> {
        let leaf = prop_oneof![
            Just(Said::Nil),
            any::<i64>().prop_map(Said::Number),
            any::<Vec<u8>>().prop_map(Said::Bytes),
            "[^\r\n]*".prop_map(Said::Status),
            "[^\r\n]*".prop_map(Said::Error),
        ];
        leaf.prop_recursive(4, 32, 6, |item| prop::collection::vec(item, 0..6).prop_map(Said::Many))
    }

    proptest! {
        #[test]
        fn what_is_said_is_read_however_it_is_cut(said in said(), after: Vec<u8>) {
            let packed = said.pack();
            for cut in 0..packed.len() {
                prop_assert_eq!(Reply::read(&packed[..cut]), Ok(None));
                prop_assert_eq!(skip(&packed[..cut], 1), Ok(None));
            }
            let all = [packed, after.clone()].concat();
            prop_assert_eq!(Reply::read(&all), Ok(Some((said.as_reply(), after.as_slice()))));
            prop_assert_eq!(skip(&all, 1), Ok(Some(after.as_slice())));
        }

        #[test]
        fn what_is_skipped_is_what_would_be_read(
            bytes in prop::collection::vec(prop::sample::select(b"+-:$*0123456789\r\nx".as_slice()), 0..64)
        ) {
            let read = Reply::read(&bytes).map(|read| read.map(|(_, rest)| rest));
            prop_assert_eq!(skip(&bytes, 1), read);
        }

        #[test]
        fn a_command_is_an_array_of_strings(parts in prop::collection::vec(any::<Vec<u8>>(), 0..12)) {
            let mut packed = Vec::new();
            pack(&mut packed, parts.iter().map(Vec::as_slice));
            let strings = parts.iter().map(|part| Reply::Bytes(part)).collect();
            prop_assert_eq!(Reply::read(&packed), Ok(Some((Reply::Many(strings), [].as_slice()))));
        }
    }

    #[test]
    fn nobody_is_believed_everything() {
        let deep = |levels| [b"*1\r\n".repeat(levels), b":1\r\n".to_vec()].concat();
        assert!(Reply::read(&deep(DEPTH_MAX)).is_ok_and(|read| read.is_some()));
        let garbage = [
            b"hello".to_vec(),
            b":1\n".to_vec(),
            b":1x\r\n".to_vec(),
            b":\r\n".to_vec(),
            b":9223372036854775808\r\n".to_vec(),
            b"$-2\r\n".to_vec(),
            b"$1\r\nxyz".to_vec(),
            b"*-2\r\n".to_vec(),
            format!("${}\r\n", BYTES_MAX + 1).into_bytes(),
            format!("*{}\r\n", ITEMS_MAX + 1).into_bytes(),
            [b"+".to_vec(), b"x".repeat(LINE_MAX)].concat(),
            deep(DEPTH_MAX + 1),
        ];
        for bytes in garbage {
            assert_eq!(Reply::read(&bytes), Err(Garbage), "{:?}", String::from_utf8_lossy(&bytes));
            assert_eq!(skip(&bytes, 1), Err(Garbage));
        }
    }
}
