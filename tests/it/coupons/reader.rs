//! Reads QR codes back out of a PDF: inflates what is drawn, and decodes each path of modules with a
//! library that the server does not have.

use rqrr::{Grid, SimpleGrid};

/// What each QR code in a PDF says, in the order in which they are drawn.
pub fn codes(pdf: &[u8]) -> Vec<String> {
    assert!(pdf.starts_with(b"%PDF-"), "not a PDF");
    streams(pdf).iter().flat_map(|content| symbols(content)).map(|modules| decode(&modules)).collect()
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
