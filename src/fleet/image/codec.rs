//! Images in and out, without I/O: anything that a client claims to be one becomes pixels, and pixels
//! become a [`Rendition`].
//!
//! What a file says of itself is checked before anything is allocated for it, since a few bytes can
//! claim to be a wall of pixels.

use super::{
    Both, Format, Rendition, colors,
    drawing::{self, Unfit},
};
use image::{
    DynamicImage, ImageDecoder, ImageEncoder, ImageError, ImageFormat, ImageReader, Limits,
    codecs::{jpeg::JpegEncoder, png::PngEncoder},
};
use sha2::{Digest, Sha256};
use std::io::Cursor;

/// The longest side of a thumbnail, in pixels.
pub const THUMBNAIL_SIDE_MAX: u32 = 256;

/// The longest side of an image, in pixels.
const SIDE_MAX: u32 = 20_000;

/// What a decoder may allocate besides the pixels, in bytes.
const SPARE_BYTES: u64 = 64 << 20;

/// Of 100. Photographs keep what is seen of them.
const JPEG_QUALITY: u8 = 90;

/// How much may be taken in.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Bytes of a file.
    pub bytes: usize,
    /// Pixels of an image.
    pub pixels: u64,
    /// Bytes of a drawing.
    pub drawing_bytes: usize,
}

/// What is wrong with something that should be an image.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    /// Of no type that is taken; SVG, which can hold scripts, is taken for logos alone.
    #[error("must be a PNG, JPEG, GIF or WebP image")]
    Alien,
    /// Of a type that is taken, but not readable as such.
    #[error("is not readable as the image that it begins as: it is damaged or not complete")]
    Damaged,
    /// More pixels than anyone can see.
    #[error("has more than {0} pixels, or a side of more than {SIDE_MAX}")]
    Immense(u64),
    /// Readable, but it would fill far more bytes here than it came in.
    #[error("takes more than {0} bytes as a PNG; send it in fewer pixels")]
    Swollen(usize),
    /// A drawing that is not taken.
    #[error(transparent)]
    Drawing(#[from] Unfit),
}

/// A logo in both its sizes: any image, or a drawing, which is as sharp in every size.
pub fn logo(bytes: &[u8], bounds: Bounds) -> Result<Both, Flaw> {
    if drawing::is_one(bytes) {
        let drawing = drawing::read(bytes, bounds)?;
        return Ok(Both { original: drawing.clone(), thumbnail: drawing });
    }
    let picture = Picture::read(bytes, bounds);
    picture.map_err(|flaw| if flaw == Flaw::Alien { Unfit::Alien.into() } else { flaw })?.both()
}

/// Pixels, and what they are best stored as.
#[derive(Debug)]
pub struct Picture {
    pixels: DynamicImage,
    /// Nothing in it is transparent, and it was compressed with losses before.
    is_photograph: bool,
    bounds: Bounds,
}

impl Picture {
    /// Decodes a file: upright, in sRGB, and of an animation the first frame.
    pub fn read(bytes: &[u8], bounds: Bounds) -> Result<Self, Flaw> {
        let mut reader =
            ImageReader::new(Cursor::new(bytes)).with_guessed_format().map_err(|_| Flaw::Alien)?;
        let format = reader.format().filter(ImageFormat::reading_enabled).ok_or(Flaw::Alien)?;
        if format == ImageFormat::Jpeg && !is_whole_jpeg(bytes) {
            return Err(Flaw::Damaged);
        }
        let flaw = |error: ImageError| match error {
            ImageError::Limits(_) => Flaw::Immense(bounds.pixels),
            _ => Flaw::Damaged,
        };
        let mut limits = Limits::no_limits();
        limits.max_image_width = Some(SIDE_MAX);
        limits.max_image_height = Some(SIDE_MAX);
        limits.max_alloc = Some(bounds.pixels.saturating_mul(4).saturating_add(SPARE_BYTES));
        reader.limits(limits);
        let mut decoder = reader.into_decoder().map_err(flaw)?;
        let (width, height) = decoder.dimensions();
        if u64::from(width) * u64::from(height) > bounds.pixels {
            return Err(Flaw::Immense(bounds.pixels));
        }
        let orientation = decoder.orientation().map_err(flaw)?;
        let profile = decoder.icc_profile().ok().flatten();
        let mut pixels = in_eight_bits(DynamicImage::from_decoder(decoder).map_err(flaw)?);
        if let Some(profile) = profile {
            pixels = colors::in_srgb(pixels, &profile);
        }
        pixels.apply_orientation(orientation);
        let opaque = !pixels.color().has_alpha();
        let is_photograph = opaque && matches!(format, ImageFormat::Jpeg | ImageFormat::WebP);
        Ok(Self { pixels, is_photograph, bounds })
    }

    /// In both sizes.
    pub fn both(&self) -> Result<Both, Flaw> {
        Ok(Both { original: self.original()?, thumbnail: self.thumbnail()? })
    }

    /// As large as it is.
    pub fn original(&self) -> Result<Rendition, Flaw> {
        self.rendition(&self.pixels)
    }

    /// At most [`THUMBNAIL_SIDE_MAX`] wide and high.
    pub fn thumbnail(&self) -> Result<Rendition, Flaw> {
        let longest = self.pixels.width().max(self.pixels.height());
        if longest <= THUMBNAIL_SIDE_MAX {
            return self.original();
        }
        let small = self.pixels.thumbnail(THUMBNAIL_SIDE_MAX, THUMBNAIL_SIDE_MAX);
        self.rendition(&small)
    }

    fn rendition(&self, pixels: &DynamicImage) -> Result<Rendition, Flaw> {
        let (format, bytes) = if self.is_photograph {
            (Format::Jpeg, as_jpeg(pixels)?)
        } else {
            (Format::Png, as_png(pixels)?)
        };
        // A photograph that was compressed with losses and is transparent can be a hundred times as large.
        let most = self.bounds.bytes.saturating_mul(4);
        if bytes.len() > most {
            return Err(Flaw::Swollen(most));
        }
        let (width, height) = (pixels.width().cast_signed(), pixels.height().cast_signed());
        let hash = Sha256::digest(&bytes).to_vec();
        Ok(Rendition { format, width, height, hash, bytes })
    }
}

/// Encodes a photograph.
pub fn as_jpeg(pixels: &DynamicImage) -> Result<Vec<u8>, Flaw> {
    let mut bytes = Vec::new();
    let encoder = JpegEncoder::new_with_quality(&mut bytes, JPEG_QUALITY);
    let written =
        encoder.write_image(pixels.as_bytes(), pixels.width(), pixels.height(), pixels.color().into());
    written.map_err(|_| Flaw::Damaged)?;
    Ok(bytes)
}

/// Encodes anything else.
pub fn as_png(pixels: &DynamicImage) -> Result<Vec<u8>, Flaw> {
    let mut bytes = Vec::new();
    let encoder = PngEncoder::new(&mut bytes);
    let written =
        encoder.write_image(pixels.as_bytes(), pixels.width(), pixels.height(), pixels.color().into());
    written.map_err(|_| Flaw::Damaged)?;
    Ok(bytes)
}

/// Eight bits a channel show all that a screen or a printer does, and both formats have them.
fn in_eight_bits(pixels: DynamicImage) -> DynamicImage {
    match pixels {
        DynamicImage::ImageLuma8(_)
        | DynamicImage::ImageLumaA8(_)
        | DynamicImage::ImageRgb8(_)
        | DynamicImage::ImageRgba8(_) => pixels,
        DynamicImage::ImageLuma16(_) => pixels.into_luma8().into(),
        DynamicImage::ImageLumaA16(_) => pixels.into_luma_alpha8().into(),
        _ if pixels.color().has_alpha() => pixels.into_rgba8().into(),
        _ => pixels.into_rgb8().into(),
    }
}

/// Whether a JPEG has its end. Decoders are content without it, and paint what is missing grey.
fn is_whole_jpeg(bytes: &[u8]) -> bool {
    const END: u8 = 0xD9;
    const SCAN: u8 = 0xDA;
    let mut at = 2;
    while let Some(&[mark, kind]) = bytes.get(at..at + 2).and_then(|pair| pair.first_chunk()) {
        match (mark, kind) {
            (0xFF, END) => return true,
            // A byte of filling before a marker.
            (0xFF, 0xFF) => at += 1,
            // What stands alone.
            (0xFF, 0x00 | 0x01 | 0xD0..=0xD8) => at += 2,
            (0xFF, _) => {
                let Some(length) = bytes.get(at + 2..at + 4) else { return false };
                at += 2 + usize::from(length[0]) * 256 + usize::from(length[1]);
                if kind == SCAN {
                    at = after_scan(bytes, at);
                }
            }
            _ => return false,
        }
    }
    false
}

/// Where the compressed pixels that begin at `at` end: at the first marker that is not part of them.
fn after_scan(bytes: &[u8], at: usize) -> usize {
    let pairs = bytes.get(at..).unwrap_or_default().windows(2);
    let length = pairs.take_while(|pair| pair[0] != 0xFF || matches!(pair[1], 0x00 | 0xD0..=0xD7)).count();
    at + length
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{ImageBuffer, Rgb, RgbImage, Rgba};
    use proptest::prelude::*;

    const BOUNDS: Bounds = Bounds { bytes: 1 << 20, pixels: 1_000_000, drawing_bytes: 1 << 16 };
    const TAKEN: [ImageFormat; 4] =
        [ImageFormat::Png, ImageFormat::Jpeg, ImageFormat::Gif, ImageFormat::WebP];

    /// Reddish on the left and bluish below, so that it shows how it was turned.
    fn sample(width: u32, height: u32) -> DynamicImage {
        let shade = |at: u32, of: u32| (255 * at / of) as u8;
        ImageBuffer::from_fn(width, height, |x, y| Rgb([255 - shade(x, width), 0, shade(y, height)])).into()
    }

    fn file(pixels: &DynamicImage, format: ImageFormat) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        pixels.write_to(&mut bytes, format).unwrap();
        bytes.into_inner()
    }

    fn decoded(rendition: &Rendition) -> DynamicImage {
        image::load_from_memory(&rendition.bytes).unwrap()
    }

    fn flaw(bytes: &[u8]) -> Option<Flaw> {
        Picture::read(bytes, BOUNDS).err()
    }

    /// As in the PNG specification, a bit at a time.
    fn crc(bytes: &[u8]) -> [u8; 4] {
        let step = |crc: u32, _| if crc & 1 == 1 { crc >> 1 ^ 0xEDB8_8320 } else { crc >> 1 };
        let crc = bytes.iter().fold(u32::MAX, |crc, &byte| (0..8).fold(crc ^ u32::from(byte), step));
        (!crc).to_be_bytes()
    }

    /// A PNG that claims to have this size.
    fn png_of(width: u32, height: u32) -> Vec<u8> {
        let mut bytes = file(&sample(4, 4), ImageFormat::Png);
        bytes[16..20].copy_from_slice(&width.to_be_bytes());
        bytes[20..24].copy_from_slice(&height.to_be_bytes());
        let sum = crc(&bytes[12..29]);
        bytes[29..33].copy_from_slice(&sum);
        bytes
    }

    #[test]
    fn every_type_that_is_taken_becomes_a_png_or_a_jpeg() {
        for (sent, stored) in TAKEN.into_iter().zip([Format::Png, Format::Jpeg, Format::Png, Format::Jpeg]) {
            let picture = Picture::read(&file(&sample(300, 100), sent), BOUNDS).unwrap();
            let (original, thumbnail) = (picture.original().unwrap(), picture.thumbnail().unwrap());
            assert_eq!((original.format, original.width, original.height), (stored, 300, 100), "{sent:?}");
            assert_eq!((thumbnail.format, thumbnail.width, thumbnail.height), (stored, 256, 85), "{sent:?}");
            for rendition in [original, thumbnail] {
                let pixels = decoded(&rendition);
                assert_eq!(
                    (pixels.width() as i32, pixels.height() as i32),
                    (rendition.width, rendition.height)
                );
                assert_eq!(rendition.hash, Sha256::digest(&rendition.bytes).as_slice());
                let guessed = image::guess_format(&rendition.bytes).unwrap();
                assert_eq!(guessed.to_mime_type(), stored.media_type(), "{sent:?}");
            }
        }
    }

    #[test]
    fn what_is_transparent_stays_so_and_what_is_small_stays_small() {
        let clear: DynamicImage = ImageBuffer::from_pixel(20, 10, Rgba([10, 20, 30, 40u8])).into();
        for sent in [ImageFormat::Png, ImageFormat::WebP] {
            let picture = Picture::read(&file(&clear, sent), BOUNDS).unwrap();
            assert_eq!(decoded(&picture.original().unwrap()), clear);
            assert_eq!(decoded(&picture.thumbnail().unwrap()), clear);
        }
        let deep: DynamicImage = ImageBuffer::from_pixel(9, 9, Rgba([65_535, 0, 257, 32_896u16])).into();
        let picture = Picture::read(&file(&deep, ImageFormat::Png), BOUNDS).unwrap();
        assert_eq!(decoded(&picture.original().unwrap()).into_rgba8().get_pixel(0, 0).0, [255, 0, 1, 128]);
    }

    #[test]
    fn a_photograph_is_turned_upright_and_forgets_where_it_was_taken() {
        let photograph = file(&sample(64, 32), ImageFormat::Jpeg);
        // EXIF: big-endian, one entry, the orientation, which is 6: the camera was held upright.
        let exif =
            b"Exif\0\0MM\0\x2A\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0GPS 52.37 4.89";
        let length = (exif.len() as u16 + 2).to_be_bytes();
        let turned = [&photograph[..2], &[0xFF, 0xE1], &length, exif, &photograph[2..]].concat();
        let original = Picture::read(&turned, BOUNDS).unwrap().original().unwrap();
        assert_eq!((original.width, original.height), (32, 64));
        assert!(!original.bytes.windows(3).any(|bytes| bytes == b"GPS"));
        // What was at the left is now at the top.
        let pixels = decoded(&original).into_rgb8();
        assert!(pixels.get_pixel(16, 2)[0] > 200 && pixels.get_pixel(16, 61)[0] < 60);
    }

    #[test]
    fn what_follows_the_image_is_left_behind() {
        for sent in TAKEN {
            let polyglot = [&file(&sample(8, 8), sent)[..], b"<script>alert(1)</script>PK\x03\x04"].concat();
            let original = Picture::read(&polyglot, BOUNDS).unwrap().original().unwrap();
            assert!(!original.bytes.windows(7).any(|bytes| bytes == b"<script"), "{sent:?}");
        }
    }

    #[test]
    fn what_is_no_image_is_refused_as_such() {
        let svg = b"<svg xmlns=\"http://www.w3.org/2000/svg\"><script>alert(1)</script></svg>";
        let xml = b"<?xml version=\"1.0\"?><svg/>";
        for alien in [&svg[..], xml, b"%PDF-1.7", b"BM\0\0\0\0", b"II*\0\x08\0\0\0", b"GIF", b"", b"\0"] {
            assert_eq!(flaw(alien), Some(Flaw::Alien), "{alien:?}");
        }
    }

    #[test]
    fn a_wall_of_pixels_is_refused_before_any_is_painted() {
        let immense = Some(Flaw::Immense(BOUNDS.pixels));
        for (width, height) in [(60_000, 60_000), (1001, 1000), (1, 20_001), (u32::MAX >> 1, 1)] {
            assert_eq!(flaw(&png_of(width, height)), immense, "{width} x {height}");
        }
        let mut jpeg = file(&sample(8, 8), ImageFormat::Jpeg);
        let frame = jpeg.windows(2).position(|marker| marker == [0xFF, 0xC0]).unwrap();
        jpeg[frame + 5..frame + 9].copy_from_slice(&[0xFF, 0xDC, 0xFF, 0xDC]);
        assert_eq!(flaw(&jpeg), immense);
        let mut gif = file(&sample(8, 8), ImageFormat::Gif);
        gif[6..10].copy_from_slice(&[0xFF; 4]);
        assert_eq!(flaw(&gif), immense);
        assert_eq!(flaw(&file(&sample(1001, 1000), ImageFormat::Png)), immense);
        assert_eq!(flaw(&file(&sample(1000, 1000), ImageFormat::Png)), None);
    }

    #[test]
    fn an_image_that_swells_is_refused() {
        let bounds = Bounds { bytes: 100, pixels: 1_000_000, drawing_bytes: 1 << 16 };
        let random = (0..384u32).flat_map(|number| Sha256::digest(number.to_be_bytes()));
        let noise: DynamicImage = RgbImage::from_raw(64, 64, random.collect()).unwrap().into();
        let picture = Picture::read(&file(&noise, ImageFormat::Png), bounds).unwrap();
        assert_eq!(picture.original().unwrap_err(), Flaw::Swollen(400));
    }

    #[test]
    fn an_image_that_breaks_off_is_whole_or_refused() {
        let pixels = sample(24, 24);
        for sent in TAKEN {
            let whole = file(&pixels, sent);
            let expected = Picture::read(&whole, BOUNDS).unwrap().pixels;
            let mut refused = 0;
            for length in 0..whole.len() {
                match Picture::read(&whole[..length], BOUNDS) {
                    Ok(picture) => {
                        assert_eq!(picture.pixels, expected, "{sent:?}: {length} of {}", whole.len());
                    }
                    Err(_) => refused += 1,
                }
            }
            // Of some, the last bytes only say that it ends.
            assert!(refused + 16 >= whole.len(), "{sent:?}: {refused} of {}", whole.len());
        }
    }

    proptest! {
        #[test]
        fn a_file_that_was_tampered_with_is_read_or_refused(
            sent in prop::sample::select(&TAKEN[..]),
            changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
            side in 1u32..40,
        ) {
            let mut bytes = file(&sample(side, 40 - side), sent);
            for (index, byte) in changes {
                let at = index.index(bytes.len());
                bytes[at] = byte;
            }
            if let Ok(picture) = Picture::read(&bytes, BOUNDS) {
                let _ = (picture.original(), picture.thumbnail());
            }
        }
    }
}
