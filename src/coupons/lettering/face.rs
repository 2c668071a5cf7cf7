//! One font: what a PDF has to say of it, and what its glyphs measure.

use fontique::Blob;
use skrifa::{
    FontRef, GlyphId, MetadataProvider, Tag,
    attribute::Style,
    charmap::Charmap,
    instance::{LocationRef, Size},
    metrics::GlyphMetrics,
    raw::{FileRef, TableProvider},
    string::StringId,
};

/// A font, with lengths in its own units.
#[derive(Clone, Debug)]
pub struct Face {
    /// The file that it is in; cheap to clone.
    pub data: Blob<u8>,
    /// Its place in that file, which may be a collection.
    pub index: u32,
    /// Its name in PDF: ASCII without what would end a name there.
    pub name: String,
    /// How many of its units make up its size.
    pub units_per_em: f32,
    /// What all of its glyphs lie within: left, bottom, right, top.
    pub bounds: [f32; 4],
    /// From the baseline up to the top of a line.
    pub ascent: f32,
    /// From the baseline down to the bottom of a line: negative.
    pub descent: f32,
    /// From the baseline to the top of a capital.
    pub cap_height: f32,
    /// Degrees from the vertical, counter-clockwise: negative where it leans to the right.
    pub italic_angle: f32,
    /// From 100 (thin) to 900 (black); 400 is regular.
    pub weight: f32,
    /// Whether it leans.
    pub is_italic: bool,
    /// Whether all of its glyphs are equally wide.
    pub is_fixed_pitch: bool,
    /// How its glyphs are drawn.
    pub outlines: Outlines,
}

/// How glyphs are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outlines {
    /// In the table `glyf`: quadratic curves, as in TrueType.
    Glyf,
    /// In the table `CFF `: cubic curves, as in PostScript.
    Cff,
}

/// How high above and below the baseline a glyph reaches, in units.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Reach {
    pub(super) over: f32,
    pub(super) under: f32,
}

/// A font's tables, as they are asked again and again for one text.
pub(super) struct Tables<'a> {
    charmap: Charmap<'a>,
    glyphs: GlyphMetrics<'a>,
}

impl Face {
    /// The fonts in a file. The error says what is wrong with it, and goes on behind its name.
    pub(super) fn read(data: &Blob<u8>, stem: &str) -> Result<Vec<Self>, String> {
        let file = FileRef::new(data.as_ref()).map_err(|error| format!("is no font: {error}"))?;
        let fonts = file.fonts().enumerate().map(|(index, font)| {
            let font = font.map_err(|error| format!("is no font: {error}"))?;
            Self::from_tables(data, index as u32, &font, stem)
        });
        let faces: Vec<Self> = fonts.collect::<Result<_, _>>()?;
        if faces.is_empty() { Err("has no font in it".to_owned()) } else { Ok(faces) }
    }

    fn from_tables(data: &Blob<u8>, index: u32, font: &FontRef<'_>, stem: &str) -> Result<Self, String> {
        let metrics = font.metrics(Size::unscaled(), LocationRef::default());
        if metrics.units_per_em == 0 || metrics.glyph_count == 0 {
            return Err("is no font: it has no glyphs".to_owned());
        }
        let has = |table| font.table_data(Tag::new(table)).is_some();
        let outlines = match (has(b"glyf"), has(b"CFF "), has(b"CFF2")) {
            (true, ..) => Outlines::Glyf,
            (_, true, _) => Outlines::Cff,
            (.., true) => return Err("keeps its outlines in CFF2: use one that is not variable".to_owned()),
            _ => return Err("has no outlines to print".to_owned()),
        };
        if font.os2().is_ok_and(|os2| forbids_embedding(os2.fs_type())) {
            return Err("must not be embedded: its licence (OS/2 fsType) forbids it".to_owned());
        }
        let glyphs = subsetter::GlyphRemapper::new();
        subsetter::subset(data.as_ref(), index, &glyphs)
            .map_err(|error| format!("can't be embedded in part: {error}"))?;
        let given = font.localized_strings(StringId::POSTSCRIPT_NAME).english_or_first();
        let given = given.map_or_else(|| format!("{stem}-{index}"), |name| name.chars().collect());
        let attributes = font.attributes();
        let bounds = metrics.bounds.unwrap_or_default();
        Ok(Self {
            data: data.clone(),
            index,
            name: pdf_name(&given),
            units_per_em: f32::from(metrics.units_per_em),
            bounds: [bounds.x_min, bounds.y_min, bounds.x_max, bounds.y_max],
            ascent: metrics.ascent,
            descent: metrics.descent,
            cap_height: metrics.cap_height.unwrap_or(metrics.ascent),
            italic_angle: metrics.italic_angle,
            weight: attributes.weight.value(),
            is_italic: attributes.style != Style::Normal || metrics.italic_angle != 0.0,
            is_fixed_pitch: metrics.is_monospace,
            outlines,
        })
    }

    /// Whether it is bold, or bolder.
    pub fn is_bold(&self) -> bool {
        self.weight >= 600.0
    }

    /// How far the glyph after this one is.
    pub fn advance(&self, glyph: u16) -> f32 {
        let font = self.font();
        let metrics = font.map(|font| font.glyph_metrics(Size::unscaled(), LocationRef::default()));
        metrics.and_then(|metrics| metrics.advance_width(GlyphId::from(glyph))).unwrap_or_default()
    }

    /// Its tables; there are none only if its data had changed since it was read.
    pub(super) fn tables(&self) -> Option<Tables<'_>> {
        let font = self.font()?;
        let glyphs = font.glyph_metrics(Size::unscaled(), LocationRef::default());
        Some(Tables { charmap: font.charmap(), glyphs })
    }

    fn font(&self) -> Option<FontRef<'_>> {
        FontRef::from_index(self.data.as_ref(), self.index).ok()
    }
}

impl Tables<'_> {
    /// Whether it has a glyph for a character.
    pub(super) fn has(&self, char: char) -> bool {
        self.charmap.map(char).is_some_and(|glyph| glyph != GlyphId::NOTDEF)
    }

    /// How far a glyph reaches.
    pub(super) fn reach(&self, glyph: u16) -> Reach {
        let bounds = self.glyphs.bounds(GlyphId::from(glyph)).unwrap_or_default();
        Reach { over: bounds.y_max, under: -bounds.y_min }
    }
}

/// What the bits of `fsType` say: restricted and nothing less, never in part, or only as bitmaps.
fn forbids_embedding(bits: u16) -> bool {
    bits & 0x000E == 0x0002 || bits & 0x0300 != 0
}

/// What of a name can stand in PDF as it is.
fn pdf_name(name: &str) -> String {
    let name: String = name
        .chars()
        .filter(|char| char.is_ascii_graphic() && !"()<>[]{}/%#".contains(*char))
        .take(63)
        .collect();
    if name.is_empty() { "Font".to_owned() } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_licence_that_forbids_embedding_is_read_from_its_bits() {
        for (bits, forbidden) in [
            (0x0000, false),
            (0x0002, true),
            (0x0004, false),
            (0x0008, false),
            // Where several are set, the most generous counts.
            (0x000A, false),
            (0x0100, true),
            (0x0204, true),
        ] {
            assert_eq!(forbids_embedding(bits), forbidden, "{bits:#06x}");
        }
    }

    #[test]
    fn a_name_in_pdf_is_plain() {
        assert_eq!(pdf_name("NotoSans-Regular"), "NotoSans-Regular");
        assert_eq!(pdf_name("My (Font)/Bold #1 é"), "MyFontBold1");
        assert_eq!(pdf_name("書体"), "Font");
    }
}
