//! What is drawn and what is refused.

use super::*;
use proptest::prelude::*;
use std::fmt::Write;

const BOUNDS: Bounds = Bounds { bytes: 0, pixels: 0, drawing_bytes: 512 << 10 };

fn svg(inner: &str) -> String {
    format!(
        "<svg xmlns='http://www.w3.org/2000/svg' xmlns:xlink='http://www.w3.org/1999/xlink'
           width='100' height='50'><rect width='10' height='10'/>{inner}</svg>"
    )
}

fn flaw(text: &str) -> Unfit {
    match read(text.as_bytes(), BOUNDS) {
        Err(Flaw::Drawing(unfit)) => unfit,
        other => panic!("{other:?}: {}", text.chars().take(200).collect::<String>()),
    }
}

fn stored_text(text: &str) -> String {
    String::from_utf8(read(text.as_bytes(), BOUNDS).unwrap().bytes).unwrap()
}

#[test]
fn what_is_stored_is_what_it_shows() {
    let sent = svg("<!-- secret --><title>Made by Ann</title><metadata><r xmlns='urn:x'>52.37</r></metadata>
        <style>.a{fill:#ff0000}</style><path class='a' d='M0 0h9v9z' data-owner='Ann'/>");
    let rendition =
        read(format!("\u{feff} \n{sent}").trim_start_matches('\u{feff}').as_bytes(), BOUNDS).unwrap();
    assert_eq!((rendition.format, rendition.width, rendition.height), (Format::Svg, 100, 50));
    assert_eq!(rendition.hash, Sha256::digest(&rendition.bytes).as_slice());
    let text = String::from_utf8(rendition.bytes).unwrap();
    assert!(text.contains("#ff0000"), "{text}");
    for gone in ["secret", "Ann", "52.37", "style", "class"] {
        assert!(!text.contains(gone), "{gone}: {text}");
    }
    // What is stored can be sent again, and stays what it is.
    assert_eq!(stored_text(&text), text);
}

#[test]
fn what_would_run_move_or_be_fetched_is_refused_by_its_name() {
    let xhtml = "<p xmlns='http://www.w3.org/1999/xhtml'>x</p>";
    for (inner, name) in [
        ("<script>alert(1)</script>", "script"),
        ("<g><script href='#a'/></g>", "script"),
        ("<foreignObject/>", "foreignObject"),
        ("<image href='data:image/png;base64,AAAA'/>", "image"),
        ("<text>Hi</text>", "text"),
        ("<g><animate attributeName='x'/></g>", "animate"),
        ("<set attributeName='x'/>", "set"),
        ("<feImage href='#a'/>", "feImage"),
        ("<marker id='m'><script/></marker>", "script"),
        ("<filter id='f'><text>x</text></filter>", "text"),
        ("<a href='#x'/>", "a"),
        ("<iframe/>", "iframe"),
        ("<metadata><script/></metadata>", "script"),
        ("<g xmlns=''><circle r='9'/></g>", "g"),
        (xhtml, "p"),
    ] {
        assert!(matches!(flaw(&svg(inner)), Unfit::Element { name: its, .. } if its == name), "{inner}");
    }
    for (inner, name) in [
        ("<g onclick='x()'/>", "onclick"),
        ("<g ONLOAD='x()'/>", "ONLOAD"),
        ("<use href='http://example.com/a.svg#a'/>", "href"),
        ("<use xlink:href='a.svg#a'/>", "href"),
        ("<use xlink:href='file:///etc/passwd'/>", "href"),
        ("<linearGradient xlink:href='data:,x'/>", "href"),
        ("<g fill='url(http://example.com/#a)'/>", "fill"),
        ("<g fill='URL( \"//example.com\")'/>", "fill"),
        ("<g style='fill:url(x.svg#a)'/>", "fill"),
        ("<g style='filter:blur(5px)'/>", "filter"),
        ("<g filter='url(#f)'/>", "filter"),
        ("<style>rect{fill:url(http://example.com)}</style>", "fill"),
        ("<style>rect{filter:blur(3px)}</style>", "filter"),
        ("<g marker-end='url(#m)'/>", "marker-end"),
        ("<g style='marker:url(#m)'/>", "marker"),
        ("<style>rect{marker-mid:url(#m)}</style>", "marker-mid"),
        // Painted black, if they were taken.
        ("<g fill='oklch(0.6 0.2 20)'/>", "fill"),
        ("<g stroke='rgb(220 30 30 / 50%)'/>", "stroke"),
        ("<g style='fill:color-mix(in srgb, red, blue)'/>", "fill"),
        ("<stop stop-color='brand'/>", "stop-color"),
        ("<g color='device-cmyk(0 1 1 0)'/>", "color"),
        ("<style>rect{fill:lab(50% 40 30)}</style>", "fill"),
        ("<g style='$a:1;fill:red'/>", "style"),
        ("<g id='a&lt;script&gt;'/>", "id"),
        ("<g id='a\"b'/>", "id"),
    ] {
        assert!(
            matches!(flaw(&svg(inner)), Unfit::Attribute { attribute, .. } if attribute == name),
            "{inner}"
        );
    }
    for inner in [
        "<style>@import 'http://example.com/a.css';</style>",
        "<style>@media print{rect{fill:red}}</style>",
        "<style>@font-face{src:url(x)} @import 'a.css';</style>",
        "<style>@font-facade{src:url(x)}</style>",
        "<style>g g g g g g g g path{fill:red}</style>",
    ] {
        assert!(matches!(flaw(&svg(inner)), Unfit::Style(_)), "{inner}");
    }
    let sheet = format!("<?xml-stylesheet href='a.css'?>{}", svg(""));
    assert!(matches!(flaw(&sheet), Unfit::Element { .. }));
}

#[test]
fn what_is_no_drawing_is_refused_as_such() {
    for alien in ["<html/>", "<html><body>x</body></html>", "<svg/>", "<svg xmlns='urn:x'/>", "\u{1}<svg/>"] {
        assert!(matches!(flaw(alien), Unfit::Alien | Unfit::Broken(_)), "{alien}");
    }
    assert_eq!(flaw("<!DOCTYPE html><html/>"), Unfit::Alien);
    assert_eq!(flaw("<!doctype html><html/>"), Unfit::Doctype);
    let entities = "<!DOCTYPE svg [<!ENTITY a 'aaaa'><!ENTITY b '&a;&a;&a;'>]>";
    assert_eq!(flaw(&format!("{entities}{}", svg("&b;"))), Unfit::Doctype);
    let two = format!("<!DOCTYPE svg><!DOCTYPE svg>{}", svg(""));
    assert_eq!(flaw(&two), Unfit::Doctype);
    assert_eq!(flaw(&svg("<!DOCTYPE svg>")), Unfit::Doctype);
    assert!(matches!(flaw(&format!("<!DOCTYPE svg {}", svg(""))), Unfit::Doctype | Unfit::Broken(_)));
    let whole = svg("<g/>");
    for length in 5..whole.len() {
        assert!(read(&whole.as_bytes()[..length], BOUNDS).is_err(), "{length}");
    }
    assert!(matches!(flaw(&format!("{whole}<script/>")), Unfit::Broken(_)));
    let latin = Unfit::Encoding("UTF-8".to_owned());
    assert!(latin.to_string().contains("save it as UTF-8"));
    assert_eq!(read(b"<svg \xff/>", BOUNDS).unwrap_err(), Flaw::Drawing(latin));
    let endless = format!("<{}", "a".repeat(100_000));
    assert!(flaw(&endless).to_string().len() < 300);
    assert!(flaw(&svg(&format!("<{}/>", "a".repeat(100_000)))).to_string().len() < 300);
}

#[test]
fn a_drawing_has_a_size_and_something_to_see() {
    let sized = |attributes: &str| {
        format!("<svg xmlns='http://www.w3.org/2000/svg' {attributes}><path d='M0 0h9v9z'/></svg>")
    };
    let size = |attributes| {
        let rendition = read(sized(attributes).as_bytes(), BOUNDS).unwrap();
        (rendition.width, rendition.height)
    };
    assert_eq!(size("viewBox='0 0 200 100'"), (200, 100));
    assert_eq!(size("width='20mm' height='10mm'"), (76, 38));
    assert_eq!(size("width='0.2' height='0.1'"), (1, 1));
    assert_eq!(size("width='1000000' height='50000'"), (1_000_000, 50_000));
    assert_eq!(flaw(&sized("width='0' height='9'")), Unfit::Sizeless);
    assert_eq!(flaw(&sized("width='1e30' height='1e30'")), Unfit::Sizeless);
    assert_eq!(flaw(&sized("width='201' height='10'")), Unfit::Strip);
    assert_eq!(flaw(&sized("width='10' height='201'")), Unfit::Strip);
    for blank in ["", "<defs><path d='M0 0h9v9'/></defs>", "<path fill='none' d='M0 0h9v9'/>", "<g/>"] {
        let svg = format!("<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'>{blank}</svg>");
        assert_eq!(flaw(&svg), Unfit::Blank, "{blank}");
    }
}

/// Ten levels, each of which refers to the next ten times.
fn bomb(level: impl Fn(usize, &str) -> String, reference: impl Fn(usize) -> String) -> String {
    let mut inner = String::from("<defs>");
    for number in 0..10 {
        inner += &level(number, &reference(number + 1).repeat(10));
    }
    let _ = write!(inner, "{}</defs>{}", level(10, "<path d='M0 0h9v9z'/>"), reference(0));
    svg(&inner)
}

#[test]
fn what_grows_beyond_measure_is_refused_before_it_does() {
    let uses = bomb(
        |number, inner| format!("<g id='a{number}'>{inner}</g>"),
        |number| format!("<use xlink:href='#a{number}'/>"),
    );
    assert_eq!(flaw(&uses), Unfit::Immense);
    for (element, property) in
        [("pattern", "fill"), ("pattern", "stroke"), ("mask", "mask"), ("clipPath", "clip-path")]
    {
        let shapes = bomb(
            |number, inner| format!("<{element} id='a{number}' width='1' height='1'>{inner}</{element}>"),
            |number| format!("<path d='M0 0h9v9z' {property}='url(#a{number})'/>"),
        );
        assert_eq!(flaw(&shapes), Unfit::Immense, "{element}");
        // The same through a style sheet, and passed on by a group.
        let styled = bomb(
            |number, inner| {
                format!(
                    "<{element} id='a{number}' width='1' height='1'>{inner}</{element}>
                    <style>.s{number}{{{property}:url(#a{number})}}</style>"
                )
            },
            |number| format!("<g class='s{number}'><path d='M0 0h9v9z'/></g>"),
        );
        assert_eq!(flaw(&styled), Unfit::Immense, "{element}");
    }
    // One long path, many times.
    let long = "h1v1".repeat(10_000);
    let path = format!("<path id='p' d='M0 0{long}'/>{}", "<use xlink:href='#p'/>".repeat(1_000));
    assert_eq!(flaw(&svg(&path)), Unfit::Immense);
    assert_eq!(flaw(&svg(&"<g/>".repeat(20_001))), Unfit::Immense);
    for round in ["<g id='a'><use xlink:href='#a'/></g>", "<use id='a' xlink:href='#a'/>"] {
        assert_eq!(flaw(&svg(round)), Unfit::Circular, "{round}");
    }
    let deep = "<g>".repeat(100_000) + &"</g>".repeat(100_000);
    assert_eq!(flaw(&svg(&deep)), Unfit::Deep);
    // What looks closed is not.
    let deep = "<g a='/>'><!-- </g> --><![CDATA[</g>]]>".repeat(5_000);
    assert_eq!(flaw(&svg(&deep)), Unfit::Deep);
    let rules = "a,".repeat(60_000);
    assert!(matches!(
        flaw(&svg(&format!("<style>{rules}a{{{}}}</style>", "a:b;".repeat(50_000)))),
        Unfit::Style(_)
    ));
    let long = format!("<path style='{}' d='M0 0h9v9z'/>", "a:b;".repeat(100_000));
    assert!(matches!(flaw(&svg(&long)), Unfit::Attribute { .. }));
    let heavy = "*{fill:red;stroke:blue}".repeat(450);
    let many = format!("<style>{heavy}</style>{}", "<g/>".repeat(10_000));
    assert_eq!(flaw(&svg(&many)), Unfit::Immense);
}

#[test]
fn a_logo_as_editors_write_it_is_taken() {
    let illustrator = svg(
        "<style type='text/css'>.st0{fill:url(#SVGID_1_);} .st1{fill:#FFFFFF;stroke:none}</style>
        <linearGradient id='SVGID_1_' gradientUnits='userSpaceOnUse' x1='0' y1='0' x2='9' y2='9'>
        <stop offset='0' style='stop-color:#FF0000'/><stop offset='1' style='stop-color:#0000FF'/>
        </linearGradient><g id='Layer_1'><path class='st0' d='M0,0h50v50H0z'/><path class='st1' d='M5,5h9v9z'/></g>",
    );
    let stored = stored_text(&illustrator);
    assert!(stored.contains("linearGradient") && stored.contains("#ff0000"), "{stored}");
    let inkscape = "<?xml version='1.0' encoding='UTF-8' standalone='no'?>
        <!-- Created with Inkscape -->
        <svg width='50mm' height='50mm' viewBox='0 0 50 50' version='1.1' id='svg5'
          xmlns:inkscape='http://www.inkscape.org/namespaces/inkscape'
          xmlns:sodipodi='http://sodipodi.sourceforge.net/DTD/sodipodi-0.dtd'
          xmlns='http://www.w3.org/2000/svg' inkscape:version='1.2'>
          <sodipodi:namedview id='v' pagecolor='#ffffff'><inkscape:grid id='g'/></sodipodi:namedview>
          <defs id='defs2'/>
          <g inkscape:label='Layer 1' inkscape:groupmode='layer' id='layer1' transform='translate(1,2)'>
            <rect style='fill:#00ff00;stroke-width:0.26;filter:none' id='r' width='20' height='20' rx='2'/></g></svg>";
    assert!(stored_text(inkscape).contains("#00ff00"));
}

#[test]
fn what_shows_nothing_by_itself_is_left_behind() {
    let public = "PUBLIC '-//W3C//DTD SVG 1.1//EN' 'http://www.w3.org/Graphics/SVG/1.1/DTD/svg11.dtd'";
    for before in [
        format!("<?xml version='1.0' standalone='no'?>\n<!DOCTYPE svg {public}>\n"),
        format!("<!-- > --><?a ?>\n<!DOCTYPE svg {public} [ ]>"),
        "<!DOCTYPE svg>".to_owned(),
    ] {
        assert_eq!(stored_text(&format!("{before}{}", svg(""))), stored_text(&svg("")), "{before}");
    }
    for inner in [
        "<defs><filter id='f' x='0'><feGaussianBlur stdDeviation='2'/><feImage href='http://x'/></filter></defs>",
        "<marker id='m' orient='auto'><path d='M0 0 5 5'/></marker>",
        "<defs><g filter='none' marker-end='none'/></defs>",
        "<style>@font-face{font-family:X;src:url(data:font/woff2;base64,AA)} .a{fill:red}</style>",
        "<style>@charset 'utf-8'; /* a@example.com */ @namespace svg url(http://www.w3.org/2000/svg);</style>",
        "<style>.unused{filter:url(#f);fill:lab(1 2 3)}</style>",
        "<font id='x'><font-face font-family='X'><font-face-src><font-face-uri href='http://x'/></font-face-src>
            </font-face><glyph unicode='a' d='M0 0'/></font>",
    ] {
        assert_eq!(stored_text(&svg(inner)), stored_text(&svg("")), "{inner}");
    }
}

#[test]
fn a_colour_is_the_one_that_is_meant() {
    for (inner, color) in [
        ("<path d='M0 0h9v9z' style='fill:var(--brand,#dc1e1e)'/>", "#dc1e1e"),
        (
            "<style>:root{--brand:#0a3366}.a{fill:var(--brand, red)}</style><path class='a' d='M0 0h9v9z'/>",
            "#0a3366",
        ),
        ("<path d='M0 0h9v9z' style='--x:1;fill:#123456'/>", "#123456"),
        ("<path d='M0 0h9v9z' fill='hsl(120, 100%, 25%)'/>", "#008000"),
        ("<g color='#654321'><path d='M0 0h9v9z' fill='currentColor'/></g>", "#654321"),
    ] {
        let stored = stored_text(&svg(inner));
        assert!(stored.contains(color), "{inner}: {stored}");
    }
    assert_eq!(flaw(&svg("<g fill='var(--x)'/>")), Unfit::Variable("--x".to_owned()));
}

#[test]
fn a_drawing_is_read_in_the_encoding_that_it_names() {
    let text = format!("<?xml version='1.0' encoding='ISO-8859-1'?>{}", svg("<title>Café</title>"));
    let latin: Vec<u8> = text.chars().map(|char| char as u8).collect();
    assert!(is_one(&latin));
    assert_eq!(read(&latin, BOUNDS).unwrap().bytes, read(svg("").as_bytes(), BOUNDS).unwrap().bytes);
    let wide: Vec<u8> = format!("\u{feff}{}", svg("")).encode_utf16().flat_map(u16::to_be_bytes).collect();
    assert!(is_one(&wide));
    assert_eq!(read(&wide, BOUNDS).unwrap().bytes, read(svg("").as_bytes(), BOUNDS).unwrap().bytes);
    // Said to be what it is not.
    let lie = text.replace("ISO-8859-1", "UTF-8");
    let lie: Vec<u8> = lie.chars().map(|char| char as u8).collect();
    assert_eq!(read(&lie, BOUNDS).unwrap_err(), Flaw::Drawing(Unfit::Encoding("UTF-8".to_owned())));
    assert!(!is_one(b"\x89PNG\r\n") && !is_one(b"\xff\xd8\xff") && !is_one(b"GIF89a") && !is_one(b""));
}

proptest! {
    #[test]
    fn a_drawing_that_was_tampered_with_is_read_or_refused(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let mut bytes = svg("<defs><mask id='m'><circle r='9' fill='url(#g)'/></mask><linearGradient id='g'>
            <stop offset='.5' stop-color='red'/></linearGradient></defs><g mask='url(#m)' opacity='.5'>
            <path d='M1 2c3 4 5 6 7 8s9 10 11 12z' stroke='url(#g)' transform='rotate(5)'/></g>").into_bytes();
        for (index, byte) in changes {
            let at = index.index(bytes.len());
            bytes[at] = byte;
        }
        if let Ok(rendition) = read(&bytes, BOUNDS) {
            prop_assert!(stored(&rendition.bytes).is_ok());
        }
    }
}
