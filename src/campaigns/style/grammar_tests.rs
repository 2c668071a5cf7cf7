//! Styles, good and bad, and what must hold for every one of them.

use super::*;
use proptest::prelude::*;
use serde_json::{Value, json};

fn pointers(style: &Value) -> Vec<String> {
    let faults = Style::read(&style.to_string()).unwrap_err();
    faults.into_iter().map(|fault| fault.pointer).collect()
}

#[test]
fn everything_that_a_style_can_say_is_read() {
    let style = json!({
        "voucherText1Lbl": {"fontSize": "28px", "fontWeight": 700, "color": "#c00", "textAlign": "center",
            "fontStyle": "italic", "text-transform": "uppercase", "margin": "4px 0", "letterSpacing": "0.1em"},
        "voucherText4Lbl": {"fontFamily": "Georgia, serif"},
        "voucherValueLbl": {"fontSize": 40, "align": "right"},
        "voucherExpiryLbl": {},
        "voucherCodeLbl": {"fontWeight": "normal"},
        "sheet": "a6", "bleed": "3mm", "marks": true, "ruler": false,
        "content": {"url": "https://example.com/{code}"}, "code128": true, "locale": "hy",
    });
    let read = Style::read(&style.to_string()).unwrap();
    let line = Look {
        font_size: Some(21.0),
        bold: Some(true),
        color: Some(Rgb(0xCC, 0, 0)),
        align: Some(Align::Center),
        italic: Some(true),
        case: Some(Case::Upper),
        margins: [3.0, 0.0, 3.0, 0.0],
        ..Look::default()
    };
    let serif = Look { family: Some(Family::Serif), ..Look::default() };
    let expected = Style {
        lines: [line, Look::default(), Look::default(), serif],
        value: Look { font_size: Some(30.0), align: Some(Align::Right), ..Look::default() },
        expiry: Look::default(),
        code: Look { bold: Some(false), ..Look::default() },
        sheet: Some(SheetKind::A6),
        bleed: Some(3.0 * (72.0 / 25.4)),
        marks: Some(true),
        ruler: Some(false),
        content: Content::Url("https://example.com/{code}".to_owned()),
        code128: true,
        locale: Some(Locale(pure_rust_locales::Locale::hy_AM)),
        ignored: vec![ignored(Label::Text1, "letterSpacing", "\"0.1em\"")],
    };
    assert_eq!(read, expected);
    assert_eq!(Style::read("{}"), Ok(Style::default()));
    assert_eq!(Style::read(" "), Ok(Style::default()), "nothing is said");
    assert_eq!(Style::default().canonical(), "{}");
}

#[test]
fn all_that_is_wrong_is_said_at_once_and_where() {
    let style = json!({
        "voucherText1Lbl": {"fontSize": "28em", "fontWeight": [], "colour": "red", "color": "white"},
        "voucherText2Lbl": "28px",
        "voucherText5Lbl": {},
        "a/b~c": 1,
        "sheet": "a5", "bleed": -1, "marks": "yes", "ruler": null,
        "content": {"url": "https://example.com"}, "code128": 1, "locale": "xx",
    });
    let mut found = pointers(&style);
    found.sort();
    let expected = [
        "/a~1b~0c",
        "/bleed",
        "/code128",
        "/content/url",
        "/locale",
        "/marks",
        "/ruler",
        "/sheet",
        "/voucherText1Lbl/colour",
        "/voucherText1Lbl/fontWeight",
        "/voucherText2Lbl",
        "/voucherText5Lbl",
    ];
    assert_eq!(found, expected);
    assert_eq!(
        pointers(&json!({"voucherText1Lbl": {"align": "left", "textAlign": "left"}})),
        ["/voucherText1Lbl/textAlign"]
    );
    assert_eq!(pointers(&json!([])), [""]);
}

fn ignored(label: Label, property: &str, value: &str) -> Ignored {
    Ignored { label, property: property.to_owned(), value: value.to_owned() }
}

#[test]
fn what_is_css_and_no_coupon_follows_is_taken_along() {
    let style = json!({
        "voucherText2Lbl": {"fontSize": "5vw", "color": "rebeccapurple", "textShadow": "1px 1px #000", "zIndex": 3},
        "voucherCodeLbl": {"text-transform": "uppercase", "margin": "4px", "fontStyle": "oblique"},
    });
    let read = Style::read(&style.to_string()).unwrap();
    let expected = [
        ignored(Label::Text2, "color", "\"rebeccapurple\""),
        ignored(Label::Text2, "fontSize", "\"5vw\""),
        ignored(Label::Text2, "textShadow", "\"1px 1px #000\""),
        ignored(Label::Text2, "zIndex", "3.0"),
        ignored(Label::Code, "margin", "\"4px\""),
        ignored(Label::Code, "textTransform", "\"uppercase\""),
    ];
    assert_eq!(read.ignored, expected);
    assert_eq!(read.code.italic, Some(true));
}

#[test]
fn what_would_fetch_or_run_is_wrong_in_every_property() {
    for property in ["fontSize", "fontFamily", "background", "font-style", "margin", "letterSpacing"] {
        for hostile in ["url(//example.com/x)", "expression(1)", "@import 'x'", "javascript:x", "a\u{7}"] {
            let style = json!({"voucherText1Lbl": {property: hostile}});
            assert_eq!(pointers(&style), [format!("/voucherText1Lbl/{property}")], "{hostile}");
        }
    }
}

#[test]
fn a_name_that_comes_twice_is_wrong_even_if_it_says_the_same() {
    let at = |text: &str| {
        let faults = Style::read(text).unwrap_err();
        faults.into_iter().map(|fault| fault.pointer).collect::<Vec<_>>()
    };
    assert_eq!(at(r#"{"marks":true,"marks":true}"#), ["/marks"]);
    assert_eq!(at(r#"{"voucherCodeLbl":{"color":"red","color":"red"}}"#), ["/voucherCodeLbl/color"]);
}

#[test]
fn a_style_has_at_most_4096_bytes() {
    let padded = |bytes: usize| format!("{{{}}}", " ".repeat(bytes - 2));
    assert!(Style::read(&padded(STYLE_MAX_BYTES)).is_ok());
    assert_eq!(Style::read(&padded(STYLE_MAX_BYTES + 1)).unwrap_err()[0].pointer, "");
    assert!(Style::read(&"{\"a\":".repeat(800)).is_err());
}

#[test]
fn a_sheet_is_called_the_same_everywhere() {
    for kind in SheetKind::ALL {
        assert_eq!(serde_json::to_value(kind).unwrap(), json!(kind.word()));
        assert_eq!(SheetKind::from_word(kind.word()), Some(kind));
    }
    assert_eq!(SheetKind::from_word("A4-3x8"), None);
}

/// What must hold for whatever was read.
fn assert_sound(style: &Style) {
    let [a, b, c, d] = &style.lines;
    for look in [a, b, c, d, &style.value, &style.expiry, &style.code] {
        if let Some(size) = look.font_size {
            assert!((FONT_SIZE_MIN..=FONT_SIZE_MAX).contains(&size), "{size}");
        }
    }
    if let Some(bleed) = style.bleed {
        assert!((0.0..=BLEED_MAX).contains(&bleed), "{bleed}");
    }
    assert_eq!(Style::read(&style.canonical()).as_ref(), Ok(style));
}

/// Values that a part of a style can have, and some that it can't.
fn value() -> impl Strategy<Value = Value> {
    let words = prop::sample::select(vec![
        "28px",
        "7mm",
        "21pt",
        "-1px",
        "0",
        "bold",
        "600",
        "normal",
        "#0a3",
        "teal",
        "white",
        "left",
        "center",
        "start",
        "serif",
        "Arial, sans-serif",
        "mono",
        "a6",
        "receipt-58",
        "letter-4x10",
        "code",
        "nl",
        "hy-AM",
        "sr-Latn",
        "nan",
        "italic",
        "capitalize",
        "4px 1mm",
        "auto",
        "1.5em",
    ]);
    prop_oneof![
        8 => words.prop_map(|word| json!(word)),
        2 => any::<f64>().prop_map(|number| json!(number)),
        2 => (0.0f32..200.0).prop_map(|number| json!(number)),
        1 => "[0-9.]{1,12}(px|pt|mm|em)?".prop_map(|word| json!(word)),
        2 => any::<bool>().prop_map(|truth| json!(truth)),
        1 => "\\PC{0,12}".prop_map(|word| json!(word)),
        1 => Just(Value::Null),
        1 => "https://[a-z.]{1,20}/\\PC{0,3}\\{code\\}[?a-z]{0,8}".prop_map(|url| json!({ "url": url })),
        1 => "[0-9]{13}".prop_map(|gcn| json!({"digitalLink": {"domain": "https://example.com/", "gcn": gcn}})),
    ]
}

fn look() -> impl Strategy<Value = Value> {
    let name = prop::sample::select(vec![
        "fontSize",
        "fontWeight",
        "color",
        "align",
        "textAlign",
        "fontFamily",
        "fontStyle",
        "text-transform",
        "margin",
        "marginTop",
        "letterSpacing",
        "x",
    ]);
    prop::collection::btree_map(name, value(), 0..4).prop_map(|entries| json!(entries))
}

/// A style that may be good: the right names, and values of the right kinds now and then.
fn style() -> impl Strategy<Value = Value> {
    let looks =
        prop::sample::select(vec!["voucherText1Lbl", "voucherText4Lbl", "voucherValueLbl", "voucherCodeLbl"]);
    let others = prop::sample::select(vec![
        "sheet", "bleed", "marks", "ruler", "content", "code128", "locale", "other",
    ]);
    let entry = prop_oneof![(looks, look()), (others, value())];
    prop::collection::vec(entry, 0..4).prop_map(|entries| {
        Value::Object(entries.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
    })
}

proptest! {
    #[test]
    fn what_is_read_is_within_bounds_and_reads_the_same_again(style in style()) {
        if let Ok(style) = Style::read(&style.to_string()) {
            assert_sound(&style);
        }
    }

    #[test]
    fn a_fault_points_at_what_is_there(style in style()) {
        if let Err(faults) = Style::read(&style.to_string()) {
            prop_assert!(!faults.is_empty());
            for fault in faults {
                let is_there = style.pointer(&fault.pointer).is_some();
                prop_assert!(is_there || fault.detail == "is required", "{fault:?}");
            }
        }
    }

    #[test]
    fn no_text_is_too_odd(text in "\\PC{0,200}", at in 0usize..60, cut: bool) {
        let _ = Style::read(&text);
        let mut style = r##"{"voucherText1Lbl":{"fontSize":"28px","color":"#c00"},"sheet":"a6","bleed":3}"##.to_owned();
        if cut {
            style.truncate(at);
        } else {
            style.insert_str(at, &text);
        }
        if let Ok(style) = Style::read(&style) {
            assert_sound(&style);
        }
    }
}
