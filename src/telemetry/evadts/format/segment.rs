//! A line of a report: its tag and its elements.

/// A segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// The line that it stands in.
    pub line: usize,
    /// What it is about: `PA1`, `EA2`, …
    pub tag: String,
    /// What it says, without escapes. Missing ones are empty or not there.
    pub elements: Vec<String>,
}

impl Segment {
    /// Reads a line that begins with this tag.
    pub(super) fn read(line: usize, tag: String, text: &[u8]) -> Result<Self, String> {
        if let Some(byte) = text.iter().find(|byte| byte.is_ascii_control() && **byte != b'\t') {
            return Err(format!("has a byte in it that is no text: {byte:02X}"));
        }
        let elements = text.split(|byte| *byte == b'*').skip(1).map(unescaped).collect();
        Ok(Self { line, tag, elements })
    }

    /// An element by its number, from 1 on; empty if it is missing.
    pub fn text(&self, number: usize) -> &str {
        self.elements.get(number.wrapping_sub(1)).map_or("", |element| element.trim())
    }
}

/// The tag that a line begins with, in upper case. `ST-1` is an `ST` of gear that means it well.
pub(super) fn tag(text: &[u8]) -> Option<String> {
    let tag = text.split(|byte| *byte == b'*').next().unwrap_or_default().trim_ascii_end();
    let is_tag = (2..=6).contains(&tag.len())
        && tag[0].is_ascii_alphabetic()
        && tag.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'-');
    let tag = String::from_utf8(tag.to_ascii_uppercase()).ok().filter(|_| is_tag)?;
    Some(if tag.starts_with("ST-") { "ST".to_owned() } else { tag })
}

/// An element with its escapes (`^2A^` is an asterisk) taken out. What would be a control character, and
/// a circumflex that begins no escape, stays as it is. Names beyond ASCII come in UTF-8 or in Latin-1.
fn unescaped(element: &[u8]) -> String {
    let mut bytes = Vec::with_capacity(element.len());
    let mut rest = element;
    while let Some((&first, others)) = rest.split_first() {
        if let Some(byte) = escape(rest) {
            bytes.push(byte);
            rest = &rest[4..];
        } else {
            bytes.push(first);
            rest = others;
        }
    }
    String::from_utf8(bytes).unwrap_or_else(|no| no.as_bytes().iter().copied().map(char::from).collect())
}

fn escape(text: &[u8]) -> Option<u8> {
    let &[b'^', high, low, b'^', ..] = text else { return None };
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let byte = (digit(high)? * 16 + digit(low)?) as u8;
    (!byte.is_ascii_control()).then_some(byte)
}

/// A segment as a line.
#[cfg(test)]
pub(super) fn written(tag: &str, elements: &[String]) -> String {
    let byte = |byte: u8| match byte {
        b'*' | b'^' | 0..b' ' | 0x7F.. => format!("^{byte:02X}^"),
        _ => char::from(byte).to_string(),
    };
    let element = |element: &String| element.bytes().map(byte).collect::<Vec<_>>().concat();
    [vec![tag.to_owned()], elements.iter().map(element).collect()].concat().join("*")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn elements(text: &[u8]) -> Vec<String> {
        Segment::read(1, "X".to_owned(), text).unwrap().elements
    }

    #[test]
    fn escapes_are_taken_out() {
        assert_eq!(elements(b"ID1*a^2A^b*^5E^*^5e^2A^"), ["a*b", "^", "^2A^"]);
        assert_eq!(elements(b"ID1*^*^0*^zz^*^00^*^2A"), ["^", "^0", "^zz^", "^00^", "^2A"]);
        assert_eq!(elements(b"ID1"), Vec::<String>::new());
    }

    #[test]
    fn names_come_in_two_encodings() {
        assert_eq!(elements("PA1*1*150*Caf\u{e9}".as_bytes())[2], "Caf\u{e9}");
        assert_eq!(elements(b"PA1*1*150*Caf\xe9")[2], "Caf\u{e9}");
        assert_eq!(elements(b"PA1*1*150*Caf^C3^^A9^")[2], "Caf\u{e9}");
    }

    #[test]
    fn an_element_that_is_missing_is_empty() {
        let segment = Segment::read(7, "PA1".to_owned(), b"PA1* 1 *150").unwrap();
        let texts: Vec<_> = (0..5).map(|number| segment.text(number)).collect();
        assert_eq!(texts, ["", "1", "150", "", ""]);
    }
}
