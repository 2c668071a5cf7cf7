//! Reads QR codes back out of a PDF: inflates what is drawn, and decodes each path of modules with a
//! library that the server does not have. Reads as well where coupons stand, and what their glyphs say.

use rqrr::{Grid, SimpleGrid};

/// What each QR code in a PDF says, in the order in which they are drawn.
pub fn codes(pdf: &[u8]) -> Vec<String> {
    assert!(pdf.starts_with(b"%PDF-"), "not a PDF");
    streams(pdf).iter().flat_map(|content| symbols(content)).map(|modules| decode(&modules)).collect()
}

/// The lower left corner of each coupon in a PDF, in points, in the order in which they are drawn.
pub fn corners(pdf: &[u8]) -> Vec<(f32, f32)> {
    let mut corners = Vec::new();
    for content in streams(pdf) {
        let lines: Vec<&str> = content.lines().collect();
        for pair in lines.windows(2).filter(|pair| pair[1].starts_with("/A") && pair[1].ends_with(" Do")) {
            let place = pair[0].strip_prefix("1 0 0 1 ").and_then(|rest| rest.strip_suffix(" cm")).unwrap();
            let (x, y) = place.split_once(' ').unwrap();
            corners.push((x.parse().unwrap(), y.parse().unwrap()));
        }
    }
    corners
}

/// Every character that a glyph of a PDF says, as who copies it is told.
pub fn said(pdf: &[u8]) -> String {
    let maps = streams(pdf).into_iter().filter(|content| content.contains("beginbfchar"));
    let lines = maps.flat_map(|map| map.lines().map(str::to_owned).collect::<Vec<_>>());
    let characters = lines.filter_map(|line| {
        let hex = line.strip_prefix('<')?.split_once("> <")?.1.strip_suffix('>')?.to_owned();
        let units =
            hex.as_bytes().chunks(4).map(|unit| u16::from_str_radix(std::str::from_utf8(unit).unwrap(), 16));
        Some(String::from_utf16(&units.map(Result::unwrap).collect::<Vec<_>>()).unwrap())
    });
    characters.collect()
}

/// Every deflated stream, inflated.
fn streams(pdf: &[u8]) -> Vec<String> {
    let mut streams = Vec::new();
    let mut at = 0;
    while let Some(start) = find(pdf, b"stream\n", at) {
        let start = start + b"stream\n".len();
        let end = find(pdf, b"endstream", start).unwrap();
        if let Ok(bytes) = miniz_oxide::inflate::decompress_to_vec_zlib(&pdf[start..end]) {
            streams.push(String::from_utf8_lossy(&bytes).into_owned());
        }
        at = end + b"endstream".len();
    }
    streams
}

fn find(bytes: &[u8], what: &[u8], from: usize) -> Option<usize> {
    bytes[from..].windows(what.len()).position(|window| window == what).map(|at| from + at)
}

/// The filled paths that are as square as a QR code and made of rectangles of whole modules.
fn symbols(content: &str) -> Vec<Vec<[usize; 4]>> {
    let (mut found, mut path, mut operands) = (Vec::new(), Vec::new(), Vec::new());
    for token in content.split_ascii_whitespace() {
        match token {
            "re" => {
                let whole: Vec<usize> = operands
                    .iter()
                    .filter_map(|number: &f64| (number.fract() == 0.0).then_some(*number as usize))
                    .collect();
                path.extend(<[usize; 4]>::try_from(whole).ok());
            }
            "f" => {
                if side(&path) >= 21 && path.len() > 20 && path.iter().any(|[_, y, ..]| *y > 0) {
                    found.push(std::mem::take(&mut path));
                }
                path.clear();
            }
            _ => {}
        }
        match token.parse() {
            Ok(number) => operands.push(number),
            Err(_) => operands.clear(),
        }
    }
    found
}

fn side(path: &[[usize; 4]]) -> usize {
    path.iter().map(|[x, y, width, height]| (x + width).max(y + height)).max().unwrap_or(0)
}

fn decode(path: &[[usize; 4]]) -> String {
    let dark = |x: usize, y: usize| {
        path.iter().any(|[left, top, width, height]| {
            (*left..left + width).contains(&x) && (*top..top + height).contains(&y)
        })
    };
    Grid::new(SimpleGrid::from_func(side(path), dark)).decode().unwrap().1
}
