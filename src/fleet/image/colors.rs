//! Colours: from those of the profile in a file (ICC) to sRGB, which all that shows or prints pixels
//! without a profile takes them for.

use image::DynamicImage;
use moxcms::{ColorProfile, DataColorSpace, Layout, TransformOptions};

/// Pixels of eight bits in sRGB. A profile that is not readable, or not for such pixels, says nothing.
pub(super) fn in_srgb(pixels: DynamicImage, profile: &[u8]) -> DynamicImage {
    let Ok(profile) = ColorProfile::new_from_slice(profile) else { return pixels };
    let has_alpha = pixels.color().has_alpha();
    match (profile.color_space, pixels.color().has_color()) {
        (DataColorSpace::Rgb, _) if has_alpha => {
            let mut colors = pixels.into_rgba8();
            convert(&profile, Layout::Rgba, &mut colors, 4);
            colors.into()
        }
        (DataColorSpace::Rgb, _) => {
            let mut colors = pixels.into_rgb8();
            convert(&profile, Layout::Rgb, &mut colors, 3);
            colors.into()
        }
        (DataColorSpace::Gray, false) if has_alpha => {
            let mut shades = pixels.into_luma_alpha8();
            lighten(&profile, &mut shades, 2);
            shades.into()
        }
        (DataColorSpace::Gray, false) => {
            let mut shades = pixels.into_luma8();
            lighten(&profile, &mut shades, 1);
            shades.into()
        }
        _ => pixels,
    }
}

/// Converts colours in their place, some at a time.
fn convert(profile: &ColorProfile, layout: Layout, samples: &mut [u8], channels: usize) {
    const PIXELS: usize = 4_096;
    let options = TransformOptions::default();
    let Ok(transform) = profile.create_transform_8bit(layout, &ColorProfile::new_srgb(), layout, options)
    else {
        return;
    };
    let mut before = Vec::with_capacity(PIXELS * channels);
    for part in samples.chunks_mut(PIXELS * channels) {
        before.clear();
        before.extend_from_slice(part);
        if transform.transform(&before, part).is_err() {
            part.copy_from_slice(&before);
        }
    }
}

/// Converts shades of grey, of which there are no more than 256.
fn lighten(profile: &ColorProfile, samples: &mut [u8], channels: usize) {
    let options = TransformOptions::default();
    let srgb = ColorProfile::new_srgb();
    let Ok(transform) = profile.create_transform_8bit(Layout::Gray, &srgb, Layout::Rgb, options) else {
        return;
    };
    let shades: Vec<u8> = (0..=u8::MAX).collect();
    let mut colors = vec![0; 3 * shades.len()];
    if transform.transform(&shades, &mut colors).is_ok() {
        for sample in samples.iter_mut().step_by(channels) {
            *sample = colors[3 * usize::from(*sample)];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::image::codec::{self, Bounds};
    use image::{
        ExtendedColorType, GrayAlphaImage, GrayImage, ImageEncoder, LumaA, Rgb, RgbImage, Rgba, RgbaImage,
        codecs::{jpeg::JpegEncoder, png::PngEncoder, webp::WebPEncoder},
    };
    use moxcms::ToneReprCurve;

    fn rgb(color: [u8; 3], profile: &ColorProfile) -> [u8; 3] {
        let pixels = RgbImage::from_pixel(100, 60, Rgb(color));
        let converted = in_srgb(pixels.into(), &profile.encode().unwrap()).into_rgb8();
        assert!(converted.pixels().all(|pixel| pixel == converted.get_pixel(0, 0)));
        converted.get_pixel(99, 59).0
    }

    fn near(one: &[u8], other: &[u8]) -> bool {
        one.iter().zip(other).all(|(one, other)| one.abs_diff(*other) <= 2)
    }

    #[test]
    fn colours_are_those_that_the_profile_means() {
        // By the matrices of both spaces; what sRGB has no colour for is as near as it gets.
        for (profile, sent, shown) in [
            (ColorProfile::new_display_p3(), [200, 100, 50], [215, 93, 31]),
            (ColorProfile::new_display_p3(), [255, 0, 0], [255, 0, 0]),
            (ColorProfile::new_adobe_rgb(), [100, 150, 200], [66, 151, 203]),
            (ColorProfile::new_srgb(), [12, 34, 56], [12, 34, 56]),
        ] {
            let converted = rgb(sent, &profile);
            assert!(near(&converted, &shown), "{sent:?}: {converted:?}");
        }
        let mut swapped = ColorProfile::new_srgb();
        std::mem::swap(&mut swapped.red_colorant, &mut swapped.green_colorant);
        assert!(near(&rgb([200, 10, 30], &swapped), &[10, 200, 30]));
    }

    #[test]
    fn a_file_is_read_in_the_colours_of_its_profile() {
        let bounds = Bounds { bytes: 1 << 20, pixels: 1_000, drawing_bytes: 0 };
        let mut swapped = ColorProfile::new_srgb();
        std::mem::swap(&mut swapped.red_colorant, &mut swapped.green_colorant);
        let profile = swapped.encode().unwrap();
        let pixels = RgbImage::from_pixel(16, 16, Rgb([220, 0, 0]));
        let (mut png, mut jpeg, mut webp) = (Vec::new(), Vec::new(), Vec::new());
        write(PngEncoder::new(&mut png), &profile, &pixels);
        write(JpegEncoder::new_with_quality(&mut jpeg, 100), &profile, &pixels);
        write(WebPEncoder::new_lossless(&mut webp), &profile, &pixels);
        for (kind, file) in [("PNG", png), ("JPEG", jpeg), ("WebP", webp)] {
            let both = codec::logo(&file, bounds).unwrap();
            for rendition in [both.original, both.thumbnail] {
                let shown = image::load_from_memory(&rendition.bytes).unwrap().into_rgb8();
                assert!(near(&shown.get_pixel(8, 8).0, &[0, 220, 0]), "{kind}: {:?}", shown.get_pixel(8, 8));
                assert!(!rendition.bytes.windows(4).any(|part| part == b"acsp"), "{kind}");
            }
        }
    }

    fn write(mut encoder: impl ImageEncoder, profile: &[u8], pixels: &RgbImage) {
        encoder.set_icc_profile(profile.to_vec()).unwrap();
        let (width, height) = pixels.dimensions();
        encoder.write_image(pixels, width, height, ExtendedColorType::Rgb8).unwrap();
    }

    #[test]
    fn what_is_transparent_stays_so_and_grey_stays_grey() {
        let p3 = ColorProfile::new_display_p3().encode().unwrap();
        let pixels = RgbaImage::from_pixel(3, 3, Rgba([200, 100, 50, 77]));
        let converted = in_srgb(pixels.into(), &p3).into_rgba8();
        assert!(near(&converted.get_pixel(2, 2).0, &[215, 93, 31, 77]));

        let mut linear = ColorProfile::new_gray_with_gamma(1.0);
        linear.gray_trc = Some(ToneReprCurve::Parametric(vec![1.0]));
        let linear = linear.encode().unwrap();
        // Half of the light is far more than half of the way to white.
        let DynamicImage::ImageLuma8(shades) =
            in_srgb(GrayImage::from_pixel(2, 2, [128].into()).into(), &linear)
        else {
            panic!("no longer grey")
        };
        assert!(near(&shades.get_pixel(1, 1).0, &[188]), "{shades:?}");
        let clear = GrayAlphaImage::from_pixel(2, 2, LumaA([128, 9]));
        let DynamicImage::ImageLumaA8(shades) = in_srgb(clear.into(), &linear) else {
            panic!("no longer grey")
        };
        assert!(near(&shades.get_pixel(1, 1).0, &[188, 9]), "{shades:?}");
    }

    #[test]
    fn a_profile_that_says_nothing_changes_nothing() {
        let pixels = DynamicImage::from(RgbImage::from_pixel(2, 2, Rgb([1, 2, 3])));
        let p3 = ColorProfile::new_display_p3().encode().unwrap();
        let gray = ColorProfile::new_gray_with_gamma(2.2).encode().unwrap();
        for profile in [&b""[..], b"acsp", &p3[..p3.len() / 2], &gray] {
            assert_eq!(in_srgb(pixels.clone(), profile), pixels);
        }
    }
}
