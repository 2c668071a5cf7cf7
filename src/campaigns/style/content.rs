//! What a coupon's QR code says: the code, an address with it, or a GS1 Digital Link.

use super::{
    Content,
    grammar::Faults,
    tree::{Tree, below},
    values::Wrong,
};
use std::fmt::Write;
use url::Url;

/// Where the code stands in a template.
const PLACE: &str = "{code}";

/// The longest template, in characters: with the longest code, a QR code that is still easy to scan.
const TEMPLATE_MAX: usize = 300;

/// The longest beginning of a Digital Link, in characters.
const DOMAIN_MAX: usize = 200;

/// GS1's application identifier of a Global Coupon Number.
const AI_GCN: &str = "255";

/// The digits of a Global Coupon Number without its serial number.
const GCN_DIGITS: usize = 13;

/// The longest serial number behind it.
const SERIAL_MAX_DIGITS: usize = 12;

impl Content {
    /// What the QR code of the voucher with this code says.
    pub fn text(&self, code: &str) -> String {
        match self {
            Self::Code => code.to_owned(),
            Self::Url(template) => template.replacen(PLACE, &percent_encoded(code), 1),
            Self::DigitalLink { domain, gcn } => match serial(code) {
                Some(serial) => format!("{domain}/{AI_GCN}/{gcn}{serial}"),
                None => format!("{domain}/{AI_GCN}/{gcn}?code={}", percent_encoded(code)),
            },
        }
    }
}

/// The serial number that a code can be: its body, behind the prefix that it may have.
fn serial(code: &str) -> Option<&str> {
    let is_prefix = |prefix: &str| {
        (1..=5).contains(&prefix.len()) && prefix.bytes().all(|byte| byte.is_ascii_alphanumeric())
    };
    let body = code.split_once('-').filter(|(prefix, _)| is_prefix(prefix)).map_or(code, |(_, body)| body);
    let fits =
        (1..=SERIAL_MAX_DIGITS).contains(&body.len()) && body.bytes().all(|byte| byte.is_ascii_digit());
    fits.then_some(body)
}

/// Everything but the unreserved characters of RFC 3986 as `%XX`, so that it can stand anywhere.
fn percent_encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            // Writing to a string does not fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

/// Reads `"code"`, `{"url": …}` or `{"digitalLink": …}`.
pub(super) fn read(at: &str, value: &Tree, faults: &mut Faults) -> Option<Content> {
    const EXPECTED: &str = r#"must be "code", {"url": …} or {"digitalLink": …}"#;
    let entries = match value {
        Tree::Text(word) if word == "code" => return Some(Content::Code),
        Tree::Object(entries) => faults.entries(at, entries),
        _ => {
            faults.wrong(at, EXPECTED);
            return None;
        }
    };
    let mut content = None;
    let mut known = 0;
    for (name, at, value) in entries {
        match name {
            "url" => content = faults.good(at, template(value)),
            "digitalLink" => content = digital_link(&at, value, faults),
            _ => {
                faults.unknown(at);
                continue;
            }
        }
        known += 1;
    }
    if known != 1 {
        faults.wrong(at, EXPECTED);
    }
    content
}

/// An address with one place for the code.
fn template(value: &Tree) -> Result<Content, Wrong> {
    let Tree::Text(text) = value else {
        return Err("must be text like https://example.com/{code}".into());
    };
    if text.chars().count() > TEMPLATE_MAX {
        return Err(format!("must have at most {TEMPLATE_MAX} characters").into());
    }
    let Some((head, tail)) = text.split_once(PLACE).filter(|(_, tail)| !tail.contains(PLACE)) else {
        return Err("must contain {code} exactly once".into());
    };
    address(&format!("{head}0{tail}"))?;
    let behind_scheme = head.split_once("://").map_or("", |(_, rest)| rest);
    if !behind_scheme.contains(['/', '?', '#']) {
        return Err("must have {code} behind the domain".into());
    }
    Ok(Content::Url(text.clone()))
}

fn digital_link(at: &str, value: &Tree, faults: &mut Faults) -> Option<Content> {
    let Tree::Object(entries) = value else {
        faults.wrong(at, r#"must be an object like {"domain": "https://id.example.com", "gcn": "…"}"#);
        return None;
    };
    let (mut domain, mut gcn) = (None, None);
    let mut missing = vec!["domain", "gcn"];
    for (name, at, value) in faults.entries(at, entries) {
        missing.retain(|&needed| needed != name);
        match name {
            "domain" => domain = faults.good(at, stem(value)),
            "gcn" => gcn = faults.good(at, coupon_number(value)),
            _ => faults.unknown(at),
        }
    }
    for name in missing {
        faults.wrong(below(at, name), "is required");
    }
    Some(Content::DigitalLink { domain: domain?, gcn: gcn? })
}

/// What a Digital Link begins with.
fn stem(value: &Tree) -> Result<String, Wrong> {
    let Tree::Text(text) = value else {
        return Err("must be text like https://id.example.com".into());
    };
    if text.chars().count() > DOMAIN_MAX {
        return Err(format!("must have at most {DOMAIN_MAX} characters").into());
    }
    address(text)?;
    if text.contains(['?', '#']) {
        return Err("must have neither ? nor #".into());
    }
    Ok(text.trim_end_matches('/').to_owned())
}

/// 13 digits of which the last checks the others (GS1 General Specifications, 7.9).
fn coupon_number(value: &Tree) -> Result<String, Wrong> {
    let Tree::Text(text) = value else {
        return Err("must be text of 13 digits".into());
    };
    if text.len() != GCN_DIGITS || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err("must have 13 digits; serial numbers are added to it".into());
    }
    let digits = text.bytes().map(|byte| u32::from(byte - b'0'));
    let sum: u32 = digits.rev().zip([1, 3].into_iter().cycle()).map(|(digit, weight)| digit * weight).sum();
    if !sum.is_multiple_of(10) {
        return Err("has a wrong check digit at its end".into());
    }
    Ok(text.clone())
}

/// An address on the web that every reader of QR codes takes as it stands.
fn address(text: &str) -> Result<(), Wrong> {
    let host_begins = |c: char| c.is_ascii_alphanumeric() || c == '[';
    let is_web = text.split_once("://").is_some_and(|(scheme, rest)| {
        ["https", "http"].iter().any(|web| scheme.eq_ignore_ascii_case(web)) && rest.starts_with(host_begins)
    });
    if !is_web {
        return Err("must begin with https:// or http:// and a domain".into());
    }
    // The characters of RFC 3986; a percent sign begins an encoded one.
    let bytes = text.as_bytes();
    let fits = |at: usize| match bytes[at] {
        b'%' => bytes.get(at + 1..at + 3).is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit)),
        byte => byte.is_ascii_alphanumeric() || b"-._~:/?#[]@!$&'()*+,;=".contains(&byte),
    };
    if !(0..bytes.len()).all(fits) {
        return Err(
            "must have no space and no characters but those of addresses: encode others as %XX".into()
        );
    }
    let url = Url::parse(text).map_err(|cause| format!("is not an address: {cause}"))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err("must not name a user".into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::campaigns::style::Style;

    fn link(code: &str) -> String {
        let content = Content::DigitalLink {
            domain: "https://id.example.com".to_owned(),
            gcn: "9501101530003".to_owned(),
        };
        content.text(code)
    }

    #[test]
    fn a_numeric_body_is_the_serial_number_of_the_coupon() {
        assert_eq!(link("00000-42"), "https://id.example.com/255/950110153000342");
        assert_eq!(link("123456789012"), "https://id.example.com/255/9501101530003123456789012");
        let other = |code: &str| {
            let stem = "https://id.example.com/255/9501101530003?code=";
            link(code).strip_prefix(stem).map(str::to_owned)
        };
        assert_eq!(other("00000-ABC").as_deref(), Some("00000-ABC"));
        assert_eq!(other("00000-1234567890123").as_deref(), Some("00000-1234567890123"));
        assert_eq!(other("Spring-10").as_deref(), Some("Spring-10"));
        assert_eq!(other("a-b-1").as_deref(), Some("a-b-1"));
        assert_eq!(other("50 %&é").as_deref(), Some("50%20%25%26%C3%A9"));
    }

    #[test]
    fn a_code_in_an_address_is_encoded() {
        let content = Content::Url("https://example.com/v/{code}?from=qr".to_owned());
        assert_eq!(content.text("00000-ABC"), "https://example.com/v/00000-ABC?from=qr");
        assert_eq!(
            content.text("a/b?c#d {code}"),
            "https://example.com/v/a%2Fb%3Fc%23d%20%7Bcode%7D?from=qr"
        );
        assert_eq!(Content::Code.text("a b"), "a b");
    }

    fn pointer(content: &str) -> String {
        let faults = Style::read(&format!(r#"{{"content":{content}}}"#)).unwrap_err();
        assert_eq!(faults.len(), 1, "{content}: {faults:?}");
        faults[0].pointer.clone()
    }

    #[test]
    fn only_plain_addresses_with_one_code_are_taken() {
        for good in [
            "https://example.com/{code}",
            "HTTP://EXAMPLE.COM?{code}",
            "https://example.com:8443/a;b/%C3%A9#x={code}",
            "https://[2001:db8::1]/{code}",
        ] {
            let style = Style::read(&format!(r#"{{"content":{{"url":"{good}"}}}}"#)).unwrap();
            assert_eq!(style.content, Content::Url(good.to_owned()));
        }
        for bad in [
            "https://example.com/",
            "https://example.com/{code}/{code}",
            "https://example.com/{CODE}",
            "https://{code}.example.com/",
            "https://example.com:{code}/",
            "https:///{code}",
            "https://exa mple.com/{code}",
            "https://user@example.com/{code}",
            "https://user:pw@example.com/{code}",
            "https://example.com/{x}{code}",
            "https://example.com/é{code}",
            "https://example.com/%zz{code}",
            "https://example.com\\\\x/{code}",
            "https:example.com/{code}",
            "ftp://example.com/{code}",
            "javascript:alert({code})",
            "//example.com/{code}",
            "{code}",
            "",
            "https://example.com/\\n{code}",
            "https://example.com/\\u202e{code}",
            "https://[1/{code}",
            &format!("https://example.com/{}{{code}}", "x".repeat(300)),
        ] {
            assert_eq!(pointer(&format!(r#"{{"url":"{bad}"}}"#)), "/content/url", "{bad}");
        }
    }

    #[test]
    fn a_digital_link_needs_a_domain_and_a_number_with_its_check_digit() {
        let read = |domain: &str, gcn: &str| {
            Style::read(&format!(r#"{{"content":{{"digitalLink":{{"domain":"{domain}","gcn":"{gcn}"}}}}}}"#))
        };
        let style = read("https://id.example.com/gs1//", "9501101530003").unwrap();
        assert_eq!(style.content.text("1"), "https://id.example.com/gs1/255/95011015300031");
        for (domain, gcn, pointer) in [
            ("https://id.example.com?a", "9501101530003", "/content/digitalLink/domain"),
            ("https://id.example.com#", "9501101530003", "/content/digitalLink/domain"),
            ("id.example.com", "9501101530003", "/content/digitalLink/domain"),
            ("https://", "9501101530003", "/content/digitalLink/domain"),
            ("https://id.example.com", "9501101530004", "/content/digitalLink/gcn"),
            ("https://id.example.com", "950110153000", "/content/digitalLink/gcn"),
            ("https://id.example.com", "٩501101530003", "/content/digitalLink/gcn"),
        ] {
            let faults = read(domain, gcn).unwrap_err();
            assert_eq!(faults.iter().map(|fault| fault.pointer.as_str()).collect::<Vec<_>>(), [pointer]);
        }
        assert_eq!(pointer(r#"{"digitalLink":{"gcn":"9501101530003"}}"#), "/content/digitalLink/domain");
        assert_eq!(pointer(r#"{"digitalLink":"x"}"#), "/content/digitalLink");
        assert_eq!(pointer("{}"), "/content");
        assert_eq!(pointer(r#""codes""#), "/content");
        assert_eq!(pointer("null"), "/content");
    }
}
