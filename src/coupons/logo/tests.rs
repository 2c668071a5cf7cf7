//! Logos, written into files.

use super::*;
use crate::fleet::image::{
    codec::{self, Bounds},
    drawing::Unfit,
};
use image::{DynamicImage, ImageBuffer, ImageFormat, Luma, Rgb, Rgba};
use pdf_writer::{Content as Drawn, Finish, Name, Pdf, Rect};
use std::{fmt::Write, io::Cursor};

const BOUNDS: Bounds = Bounds { bytes: 8 << 20, pixels: 40_000_000, drawing_bytes: 512 << 10 };

/// A crest with all that drawings are made of: gradients, clip paths, masks, patterns, opacity.
pub(crate) const CREST: &str = r##"<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"
    width="300" height="200" viewBox="0 0 300 200">
  <title>Crest</title>
  <style>.rim { fill: none; stroke: #123456; stroke-width: 4 } #disc { fill: url(#glow) }</style>
  <defs>
    <linearGradient id="sky" x1="0" y1="0" x2="0" y2="1">
      <stop offset="0" stop-color="#08f"/><stop offset="1" stop-color="#fff" stop-opacity=".2"/>
    </linearGradient>
    <radialGradient id="glow"><stop offset="0" stop-color="yellow"/><stop offset="1" stop-color="red"/></radialGradient>
    <clipPath id="round"><circle cx="80" cy="100" r="60"/></clipPath>
    <mask id="fade"><rect x="150" width="150" height="200" fill="url(#sky)"/></mask>
    <pattern id="dots" width="12" height="12" patternUnits="userSpaceOnUse"><circle cx="6" cy="6" r="4" fill="green"/></pattern>
    <symbol id="star" viewBox="0 0 10 10"><path d="M5 0 6.5 4H10L7 6.5 8 10 5 8 2 10 3 6.5 0 4H3.500z"/></symbol>
  </defs>
  <rect width="300" height="200" fill="url(#sky)"/>
  <g clip-path="url(#round)"><rect x="0" y="0" width="160" height="200" fill="url(#dots)"/></g>
  <circle class="rim" cx="80" cy="100" r="60" stroke-dasharray="10 4"/>
  <g mask="url(#fade)"><rect x="160" y="20" width="120" height="160" fill="black"/></g>
  <g opacity=".5"><circle id="disc" cx="220" cy="100" r="50"/><circle cx="250" cy="120" r="30" fill="blue"/></g>
  <use xlink:href="#star" x="200" y="60" width="60" height="60" fill="white"/>
</svg>"##;

fn picture(pixels: impl Into<DynamicImage>, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    pixels.into().write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

fn logo(file: &[u8]) -> Logo {
    Logo::read(&codec::logo(file, BOUNDS).unwrap().original).unwrap()
}

/// A page that shows the logo on orange.
fn page(logo: &Logo) -> Vec<u8> {
    let mut pdf = Pdf::new();
    let mut free = Ref::new(1);
    let [catalog, pages, page, content] = [free.bump(), free.bump(), free.bump(), free.bump()];
    let id = logo.write(&mut pdf, &mut || free.bump());
    pdf.catalog(catalog).pages(pages);
    pdf.pages(pages).kids([page]).count(1);
    let mut one = pdf.page(page);
    one.parent(pages).contents(content).media_box(Rect::new(0.0, 0.0, 300.0, 300.0));
    one.resources().x_objects().pair(Name(b"logo"), id);
    one.finish();
    let mut drawn = Drawn::new();
    drawn.set_fill_rgb(1.0, 0.8, 0.5).rect(0.0, 0.0, 300.0, 300.0).fill_nonzero();
    drawn.save_state().transform([200.0, 0.0, 0.0, 200.0 / logo.aspect(), 50.0, 50.0]);
    drawn.x_object(Name(b"logo")).restore_state();
    pdf.stream(content, &drawn.finish());
    pdf.finish()
}

fn text(pdf: &[u8]) -> String {
    String::from_utf8_lossy(pdf).into_owned()
}

fn disc() -> DynamicImage {
    ImageBuffer::from_fn(200, 100, |x, y| {
        let far = (x as i32 - 100).pow(2) / 4 + (y as i32 - 50).pow(2);
        if far < 2_000 { Rgba([x as u8, 200, 0, (255 - far / 8) as u8]) } else { Rgba([0, 0, 0, 0]) }
    })
    .into()
}

#[test]
fn what_is_transparent_stays_so_and_nothing_else_does() {
    let clear = text(&page(&logo(&picture(disc(), ImageFormat::Png))));
    assert_eq!(clear.matches("/SMask").count(), 1);
    assert!(clear.contains("/DeviceRGB") && clear.contains("/DeviceGray"));
    let opaque: DynamicImage = ImageBuffer::from_pixel(9, 9, Rgba([1, 2, 3, 255u8])).into();
    let opaque = text(&page(&logo(&picture(opaque, ImageFormat::Png))));
    assert!(!opaque.contains("/SMask") && !opaque.contains("/DeviceGray"));
    let gray: DynamicImage = ImageBuffer::from_pixel(9, 9, Rgb([7, 7, 7u8])).into();
    assert!(!text(&page(&logo(&picture(gray, ImageFormat::Png)))).contains("/DeviceRGB"));
}

#[test]
fn a_photograph_goes_in_as_it_is_stored() {
    for (pixels, space) in [
        (
            DynamicImage::from(ImageBuffer::from_fn(64, 32, |x, y| Rgb([x as u8, y as u8, 99u8]))),
            "/DeviceRGB",
        ),
        (ImageBuffer::from_fn(64, 32, |x, _| Luma([x as u8 * 4])).into(), "/DeviceGray"),
    ] {
        let stored = codec::logo(&picture(pixels, ImageFormat::Jpeg), BOUNDS).unwrap().original;
        let pdf = page(&Logo::read(&stored).unwrap());
        assert!(pdf.windows(stored.bytes.len()).any(|bytes| bytes == stored.bytes), "{space}");
        assert!(text(&pdf).contains(space) && text(&pdf).contains("/DCTDecode"), "{space}");
    }
}

#[test]
fn a_drawing_stays_one() {
    let crest = logo(CREST.as_bytes());
    assert!((crest.aspect() - 1.5).abs() < 1e-6);
    let pdf = text(&page(&crest));
    for part in ["/ShadingType 2", "/ShadingType 3", "/PatternType 1", "/SMask", "/ca 0.5"] {
        assert!(pdf.contains(part), "{part}");
    }
    assert!(!pdf.contains("/Subtype /Image"));
}

#[test]
fn the_same_image_becomes_the_same_bytes() {
    let mut many = String::from("<svg xmlns='http://www.w3.org/2000/svg' width='90' height='90'>");
    for number in 0..40 {
        let _ = write!(
            many,
            "<g opacity='.{number:02}1'><circle cx='{number}' cy='9' r='9'/><path d='M0 0h9v9'/></g>"
        );
    }
    many.push_str("</svg>");
    for file in [CREST.as_bytes(), many.as_bytes(), &picture(disc(), ImageFormat::Png)] {
        let first = page(&logo(file));
        assert!((0..4).all(|_| page(&logo(file)) == first));
    }
}

#[test]
fn what_is_nested_too_deeply_is_refused_before_it_is_printed() {
    let nested = |depth: usize| {
        let (open, close) =
            ("<g transform='rotate(9)'><path d='M1 1h9v9'/>".repeat(depth), "</g>".repeat(depth));
        let inner = format!("{open}<path d='M0 0h9v9'/>{close}");
        let svg = format!("<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'>{inner}</svg>");
        codec::logo(svg.as_bytes(), BOUNDS).and_then(|both| Logo::read(&both.original).map(drop))
    };
    assert_eq!(nested(10), Ok(()));
    for depth in [30, 55, 70, 5_000] {
        assert!(nested(depth).is_err(), "{depth}");
    }
}

#[test]
fn no_drawing_makes_a_file_large() {
    // Each becomes an object of its own, with its resources.
    let groups = "<g opacity='.5'><path d='M0 0h9v9'/></g>".repeat(4_000);
    let svg = format!("<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'>{groups}</svg>");
    let stored = codec::logo(svg.as_bytes(), BOUNDS).unwrap().original;
    assert!(matches!(Logo::read(&stored), Err(Flaw::Drawing(Unfit::Heavy(_)))));
}
