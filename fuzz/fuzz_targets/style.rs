//! Whatever bytes are sent as a style: reading them ends, what was read is within bounds, and reads
//! the same again in its canonical form.

#![no_main]

use libfuzzer_sys::fuzz_target;
use style::{BLEED_MAX, Content, FONT_SIZE_MAX, FONT_SIZE_MIN, STYLE_MAX_BYTES, SheetKind, Style};

#[path = "../../src/campaigns/style/mod.rs"]
mod style;

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    match Style::read(text) {
        Ok(style) => assert_sound(text, &style),
        Err(faults) => {
            assert!(!faults.is_empty());
            for fault in faults {
                assert!(fault.pointer.is_empty() || fault.pointer.starts_with('/'), "{fault:?}");
                assert!(!fault.detail.is_empty(), "{fault:?}");
            }
        }
    }
});

fn assert_sound(text: &str, style: &Style) {
    assert!(text.len() <= STYLE_MAX_BYTES);
    let [a, b, c, d] = &style.lines;
    for look in [a, b, c, d, &style.value, &style.expiry, &style.code] {
        assert!(look.font_size.is_none_or(|size| (FONT_SIZE_MIN..=FONT_SIZE_MAX).contains(&size)), "{look:?}");
    }
    assert!(style.bleed.is_none_or(|bleed| (0.0..=BLEED_MAX).contains(&bleed)), "{:?}", style.bleed);
    assert!(style.sheet.is_none_or(|sheet| SheetKind::from_word(sheet.word()) == Some(sheet)));
    for code in ["00000-23456789ABCD", "00000-42", "{code} /?#%é"] {
        let said = style.content.text(code);
        if style.content == Content::Code {
            assert_eq!(said, code);
        } else {
            url::Url::parse(&said).expect("the QR code is an address");
            assert!(said.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'{'), "{said}");
        }
    }
    assert_eq!(Style::read(&style.canonical()).as_ref(), Ok(style), "{}", style.canonical());
}
