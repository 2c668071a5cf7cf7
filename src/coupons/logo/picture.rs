//! Pictures in a PDF: a JPEG as it is, anything else as the compressed pixels of a PNG.

use crate::fleet::image::{
    Format, Rendition,
    codec::{self, Flaw},
};
use image::{
    DynamicImage, ExtendedColorType, GrayImage, ImageDecoder, ImageEncoder, ImageFormat, ImageReader,
    RgbaImage,
    codecs::png::{CompressionType, FilterType, PngEncoder},
    imageops,
};
use pdf_writer::{Chunk, Filter, Ref, types::Predictor};
use std::io::Cursor;

/// The longest side, in pixels: 600 dots an inch where it is printed 60 mm long.
pub(super) const SIDE_MAX: u32 = 1_417;

/// Pixels as a PDF holds them.
#[derive(Clone, Debug)]
pub(super) struct Picture {
    width: u32,
    height: u32,
    color: Plane,
    /// How opaque each pixel is, where not all are.
    alpha: Option<Plane>,
}

/// One or three of the channels, compressed.
#[derive(Clone, Debug)]
struct Plane {
    channels: u8,
    filter: Filter,
    bytes: Vec<u8>,
}

impl Picture {
    pub(super) fn read(image: &Rendition) -> Result<Self, Flaw> {
        if image.format == Format::Jpeg { photograph(image) } else { graphic(image) }
    }

    pub(super) fn write(&self, file: &mut Chunk, next: &mut impl FnMut() -> Ref) -> Ref {
        let id = next();
        let mask = self.alpha.as_ref().map(|alpha| (next(), alpha));
        self.write_plane(file, id, &self.color, mask.map(|(mask, _)| mask));
        if let Some((mask, alpha)) = mask {
            self.write_plane(file, mask, alpha, None);
        }
        id
    }

    fn write_plane(&self, file: &mut Chunk, id: Ref, plane: &Plane, mask: Option<Ref>) {
        let (width, height) = (self.width.cast_signed(), self.height.cast_signed());
        let mut object = file.image_xobject(id, &plane.bytes);
        object.width(width).height(height).bits_per_component(8).filter(plane.filter);
        if plane.channels == 1 {
            object.color_space().device_gray();
        } else {
            object.color_space().device_rgb();
        }
        if plane.filter == Filter::FlateDecode {
            let mut parameters = object.decode_parms();
            parameters.predictor(Predictor::PngOptimum).colors(plane.channels.into());
            parameters.bits_per_component(8).columns(width);
        }
        if let Some(mask) = mask {
            object.s_mask(mask);
        }
    }
}

/// A JPEG stays what it is, unless it is larger than anyone sees.
fn photograph(image: &Rendition) -> Result<Picture, Flaw> {
    let shrunk = if image.width.max(image.height).cast_unsigned() > SIDE_MAX {
        let pixels = decoded(image)?.thumbnail(SIDE_MAX, SIDE_MAX);
        Some(codec::as_jpeg(&pixels)?)
    } else {
        None
    };
    let bytes = shrunk.unwrap_or_else(|| image.bytes.clone());
    let ((width, height), channels) = {
        let reader = ImageReader::with_format(Cursor::new(&bytes), ImageFormat::Jpeg);
        let decoder = reader.into_decoder().map_err(|_| Flaw::Damaged)?;
        (decoder.dimensions(), decoder.color_type().channel_count())
    };
    let color = Plane { channels, filter: Filter::DctDecode, bytes };
    Ok(Picture { width, height, color, alpha: None })
}

fn graphic(image: &Rendition) -> Result<Picture, Flaw> {
    let pixels = fitted(decoded(image)?.into_rgba8());
    let (width, height) = pixels.dimensions();
    let is_opaque = pixels.pixels().all(|pixel| pixel[3] == u8::MAX);
    let is_gray = pixels.pixels().all(|pixel| pixel[0] == pixel[1] && pixel[1] == pixel[2]);
    let alpha = if is_opaque {
        None
    } else {
        let opacity = pixels.pixels().map(|pixel| pixel[3]).collect();
        let opacity = GrayImage::from_raw(width, height, opacity).ok_or(Flaw::Damaged)?;
        Some(plane(&opacity.into())?)
    };
    let pixels = DynamicImage::from(pixels);
    let color =
        if is_gray { plane(&pixels.into_luma8().into())? } else { plane(&pixels.into_rgb8().into())? };
    Ok(Picture { width, height, color, alpha })
}

fn decoded(image: &Rendition) -> Result<DynamicImage, Flaw> {
    let format = if image.format == Format::Jpeg { ImageFormat::Jpeg } else { ImageFormat::Png };
    image::load_from_memory_with_format(&image.bytes, format).map_err(|_| Flaw::Damaged)
}

/// No larger than can be seen. What is transparent has a colour too, which must not mix with that of
/// its neighbours: each pixel counts by how opaque it is.
fn fitted(mut pixels: RgbaImage) -> RgbaImage {
    let longest = pixels.width().max(pixels.height());
    if longest <= SIDE_MAX {
        return pixels;
    }
    let scaled = |side: u32| {
        let side = u64::from(side) * u64::from(SIDE_MAX) / u64::from(longest);
        (side as u32).max(1)
    };
    for pixel in pixels.pixels_mut() {
        let opacity = u16::from(pixel[3]);
        for channel in 0..3 {
            pixel[channel] = ((u16::from(pixel[channel]) * opacity + 127) / 255) as u8;
        }
    }
    let mut small = imageops::thumbnail(&pixels, scaled(pixels.width()), scaled(pixels.height()));
    for pixel in small.pixels_mut().filter(|pixel| pixel[3] > 0) {
        let opacity = u16::from(pixel[3]);
        for channel in 0..3 {
            pixel[channel] = ((u16::from(pixel[channel]) * 255 + opacity / 2) / opacity).min(255) as u8;
        }
    }
    small
}

/// The pixels of a PNG, which a PDF takes as they are compressed there.
fn plane(pixels: &DynamicImage) -> Result<Plane, Flaw> {
    let mut png = Vec::new();
    let color = ExtendedColorType::from(pixels.color());
    PngEncoder::new_with_quality(&mut png, CompressionType::Best, FilterType::Adaptive)
        .write_image(pixels.as_bytes(), pixels.width(), pixels.height(), color)
        .map_err(|_| Flaw::Damaged)?;
    let channels = color.channel_count();
    Ok(Plane { channels, filter: Filter::FlateDecode, bytes: compressed_pixels(&png).ok_or(Flaw::Damaged)? })
}

/// What the `IDAT` chunks of a PNG hold.
fn compressed_pixels(png: &[u8]) -> Option<Vec<u8>> {
    const SIGNATURE: usize = 8;
    let mut rest = png.get(SIGNATURE..)?;
    let mut pixels = Vec::new();
    while let Some((length, after)) = rest.split_first_chunk::<4>() {
        let (kind, after) = after.split_first_chunk::<4>()?;
        let (data, after) = after.split_at_checked(u32::from_be_bytes(*length) as usize)?;
        if kind == b"IDAT" {
            pixels.extend_from_slice(data);
        }
        rest = after.get(4..)?;
    }
    Some(pixels)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::image::codec::Bounds;
    use image::{GrayAlphaImage, ImageBuffer, LumaA, Rgb, RgbImage, Rgba};
    use miniz_oxide::inflate::decompress_to_vec_zlib;

    fn held(pixels: impl Into<DynamicImage>, format: ImageFormat) -> Picture {
        let mut file = Cursor::new(Vec::new());
        pixels.into().write_to(&mut file, format).unwrap();
        let bounds = Bounds { bytes: 8 << 20, pixels: 40_000_000, drawing_bytes: 0 };
        Picture::read(&codec::logo(file.get_ref(), bounds).unwrap().original).unwrap()
    }

    /// The samples of a plane, as a viewer reads them (PNG specification, 9).
    fn samples(plane: &Plane, width: u32) -> Vec<u8> {
        let pixel = usize::from(plane.channels);
        let row = width as usize * pixel;
        let filtered = decompress_to_vec_zlib(&plane.bytes).unwrap();
        let mut samples: Vec<u8> = Vec::new();
        for line in filtered.chunks_exact(row + 1) {
            let start = samples.len();
            for (at, byte) in line[1..].iter().enumerate() {
                let before = |back: usize| {
                    let far_enough = start + at >= back && (back == row || at >= pixel);
                    if far_enough { i32::from(samples[start + at - back]) } else { 0 }
                };
                let (left, above, corner) = (before(pixel), before(row), before(row + pixel));
                let guess = left + above - corner;
                let nearest = [left, above, corner].into_iter().min_by_key(|side| (guess - side).abs());
                let expected = [0, left, above, i32::midpoint(left, above), nearest.unwrap()];
                samples.push(byte.wrapping_add(expected[usize::from(line[0])] as u8));
            }
        }
        samples
    }

    #[test]
    fn the_pixels_are_those_that_were_sent() {
        let sent = RgbImage::from_fn(61, 47, |x, y| Rgb([x as u8 * 4, (x * y) as u8, 255 - y as u8]));
        let picture = held(sent.clone(), ImageFormat::Png);
        assert!(picture.alpha.is_none());
        assert_eq!(samples(&picture.color, 61), sent.into_raw());

        let sent = GrayAlphaImage::from_fn(30, 20, |x, y| LumaA([(x * 8) as u8, (y * 12) as u8]));
        let picture = held(sent.clone(), ImageFormat::Png);
        assert_eq!(picture.color.channels, 1);
        assert_eq!(samples(&picture.color, 30), sent.pixels().map(|pixel| pixel[0]).collect::<Vec<_>>());
        let alpha = samples(picture.alpha.as_ref().unwrap(), 30);
        assert_eq!(alpha, sent.pixels().map(|pixel| pixel[1]).collect::<Vec<_>>());
    }

    #[test]
    fn no_logo_has_more_pixels_than_can_be_seen() {
        for format in [ImageFormat::Png, ImageFormat::Jpeg] {
            let picture = held(RgbImage::from_fn(3_000, 1_000, |x, y| Rgb([x as u8, y as u8, 0])), format);
            assert_eq!((picture.width, picture.height), (1_417, 472), "{format:?}");
        }
        let picture = held(RgbImage::new(1_417, 1), ImageFormat::Png);
        assert_eq!((picture.width, picture.height), (1_417, 1));
        let picture = held(RgbImage::new(4_000, 1), ImageFormat::Png);
        assert_eq!((picture.width, picture.height), (1_417, 1));
    }

    #[test]
    fn what_is_transparent_does_not_darken_what_it_borders_on() {
        // Transparent pixels are black here.
        let stripes = |x, _| if x % 3 == 0 { Rgba([255, 0, 0, 255u8]) } else { Rgba([0; 4]) };
        let picture = held(ImageBuffer::from_fn(2_900, 40, stripes), ImageFormat::Png);
        let (width, alpha) = (picture.width, picture.alpha.as_ref().unwrap());
        let colors = samples(&picture.color, width);
        let opacity = samples(alpha, width);
        assert!(opacity.iter().any(|&alpha| alpha > 0 && alpha < 255));
        for (color, alpha) in colors.chunks_exact(3).zip(opacity) {
            assert!(alpha == 0 || (color[0] > 250 && color[1] == 0), "{color:?} {alpha}");
        }
    }
}
