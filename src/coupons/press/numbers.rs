//! Numbers and bytes as they go into a PDF.

/// A number with so many decimals: more are no use on paper, and take room.
pub(super) fn rounded(number: f32, decimals: i32) -> f32 {
    let scale = 10f32.powi(decimals);
    (number * scale).round() / scale
}

/// A length in points, to a thousandth.
pub(super) fn point(length: f32) -> f32 {
    rounded(length, 3)
}

/// Bytes as `FlateDecode` reads them.
pub(super) fn deflate(bytes: &[u8]) -> Vec<u8> {
    const LEVEL: u8 = 6;
    miniz_oxide::deflate::compress_to_vec_zlib(bytes, LEVEL)
}
