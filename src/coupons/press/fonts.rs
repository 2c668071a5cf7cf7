//! Fonts in a PDF: of each the glyphs that are used, numbered anew, with what they say.

use super::numbers::{deflate, rounded};
use crate::coupons::{
    coupon::Flaw,
    lettering::{Face, FaceId, Outlines, Typefaces},
};
use pdf_writer::{
    Chunk, Filter, Finish, Name, Rect, Ref, Str,
    types::{CidFontType, FontFlags, SystemInfo, UnicodeCmap},
};
use sha2::{Digest, Sha256};
use skrifa::{FontRef, MetadataProvider};
use std::{collections::BTreeMap, sync::Arc};
use subsetter::GlyphRemapper;

/// What codes stand for: glyphs by their numbers in the font, and nothing else.
const IDENTITY: SystemInfo<'static> =
    SystemInfo { registry: Str(b"Adobe"), ordering: Str(b"Identity"), supplement: 0 };

/// The fonts of one PDF.
#[derive(Debug)]
pub(super) struct Fonts {
    typefaces: Arc<Typefaces>,
    used: BTreeMap<FaceId, Used>,
}

/// What is used of a font. Lists are by the new numbers of glyphs.
#[derive(Debug)]
struct Used {
    glyphs: GlyphRemapper,
    widths: Vec<f32>,
    texts: Vec<Option<String>>,
}

/// A glyph as a PDF knows it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Cid {
    /// Its number.
    pub(super) id: u16,
    /// Its width, in thousandths of its size.
    pub(super) width: f32,
    /// Whether the font itself tells what it says here.
    pub(super) told: bool,
}

impl Fonts {
    /// None yet.
    pub(super) fn new(typefaces: Arc<Typefaces>) -> Self {
        Self { typefaces, used: BTreeMap::new() }
    }

    /// Takes a glyph that says `text`. What it says where it is first used is what the font tells.
    pub(super) fn glyph(&mut self, face: FaceId, glyph: u16, text: &str) -> Cid {
        let font = self.typefaces.face(face);
        let used = self.used.entry(face).or_insert_with(|| Used {
            glyphs: GlyphRemapper::new(),
            widths: vec![width(font, 0)],
            texts: vec![None],
        });
        let id = used.glyphs.remap(glyph);
        let place = usize::from(id);
        if place == used.widths.len() {
            used.widths.push(width(font, glyph));
            used.texts.push(None);
        }
        let told = &mut used.texts[place];
        if told.is_none() && !text.is_empty() && id != 0 {
            *told = Some(text.to_owned());
        }
        Cid { id, width: used.widths[place], told: told.as_deref() == Some(text) }
    }

    /// The glyph of a font that shows a character by itself.
    pub(super) fn plain(&self, face: FaceId, char: char) -> Option<u16> {
        let face = self.typefaces.face(face);
        let font = FontRef::from_index(face.data.as_ref(), face.index).ok()?;
        font.charmap()
            .map(char)
            .and_then(|glyph| u16::try_from(glyph.to_u32()).ok())
            .filter(|glyph| *glyph != 0)
    }

    /// Writes them all, and a dictionary of them by the names that [`name`] gives them.
    pub(super) fn write(&self, pdf: &mut Chunk, dictionary: Ref, next: &mut Ref) -> Result<(), Flaw> {
        let mut refs = Vec::new();
        for (id, used) in &self.used {
            let font = next.bump();
            used.write(self.typefaces.face(*id), pdf, font, next)?;
            refs.push((name(*id), font));
        }
        let mut fonts = pdf.indirect(dictionary).dict();
        for (name, font) in &refs {
            fonts.pair(Name(name.as_bytes()), *font);
        }
        Ok(())
    }
}

/// What a font is called in the resources of pages.
pub(super) fn name(face: FaceId) -> String {
    format!("F{}", face.0)
}

/// A length in a font's units, in thousandths of its size.
fn thousandths(font: &Face, length: f32) -> f32 {
    rounded(length * 1000.0 / font.units_per_em, 2)
}

fn width(font: &Face, glyph: u16) -> f32 {
    thousandths(font, font.advance(glyph))
}

impl Used {
    fn write(&self, font: &Face, pdf: &mut Chunk, id: Ref, next: &mut Ref) -> Result<(), Flaw> {
        let subset = subsetter::subset(font.data.as_ref(), font.index, &self.glyphs)
            .map_err(|error| Flaw::Font { name: font.name.clone(), why: error.to_string() })?;
        let program = match font.outlines {
            Outlines::Glyf => subset.as_slice(),
            Outlines::Cff => table(&subset, *b"CFF ").unwrap_or(&subset),
        };
        let base = format!("{}+{}", tag(program), font.name);
        let [cid, descriptor, file, unicode] = [next.bump(), next.bump(), next.bump(), next.bump()];
        let mut type0 = pdf.type0_font(id);
        type0.base_font(Name(base.as_bytes())).encoding_predefined(Name(b"Identity-H"));
        type0.descendant_font(cid).to_unicode(unicode);
        type0.finish();

        let mut cid_font = pdf.cid_font(cid);
        match font.outlines {
            Outlines::Glyf => {
                cid_font.subtype(CidFontType::Type2).cid_to_gid_map_predefined(Name(b"Identity"));
            }
            Outlines::Cff => {
                cid_font.subtype(CidFontType::Type0);
            }
        }
        cid_font.base_font(Name(base.as_bytes())).system_info(IDENTITY).font_descriptor(descriptor);
        cid_font.default_width(0.0).widths().consecutive(0, self.widths.iter().copied());
        cid_font.finish();

        describe(font, pdf, descriptor, &base, file);
        let packed = deflate(program);
        let mut stream = pdf.stream(file, &packed);
        stream.filter(Filter::FlateDecode);
        match font.outlines {
            Outlines::Glyf => stream.pair(Name(b"Length1"), program.len() as i32),
            Outlines::Cff => stream.pair(Name(b"Subtype"), Name(b"CIDFontType0C")),
        };
        stream.finish();
        let packed = deflate(&self.unicode());
        pdf.stream(unicode, &packed).filter(Filter::FlateDecode);
        Ok(())
    }

    /// What each glyph says, for whoever copies text or searches it.
    fn unicode(&self) -> Vec<u8> {
        let mut cmap = UnicodeCmap::new(Name(b"Adobe-Identity-UCS"), IDENTITY);
        for (id, text) in (0u16..).zip(&self.texts) {
            if let Some(text) = text {
                cmap.pair_with_multiple(id, text.chars());
            }
        }
        cmap.finish()
    }
}

fn describe(font: &Face, pdf: &mut Chunk, id: Ref, base: &str, file: Ref) {
    let mut flags = FontFlags::SYMBOLIC;
    flags.set(FontFlags::FIXED_PITCH, font.is_fixed_pitch);
    flags.set(FontFlags::ITALIC, font.is_italic);
    let [left, bottom, right, top] = font.bounds.map(|bound| thousandths(font, bound));
    let mut descriptor = pdf.font_descriptor(id);
    descriptor
        .name(Name(base.as_bytes()))
        .flags(flags)
        .bbox(Rect::new(left, bottom, right, top))
        .italic_angle(font.italic_angle)
        .ascent(thousandths(font, font.ascent))
        .descent(thousandths(font, font.descent))
        .cap_height(thousandths(font, font.cap_height))
        // Nobody measures stems: this is what they usually are at a weight.
        .stem_v((10.0 + 0.244 * (font.weight - 50.0)).round());
    match font.outlines {
        Outlines::Glyf => descriptor.font_file2(file),
        Outlines::Cff => descriptor.font_file3(file),
    };
}

/// Six letters that tell this part of a font from others.
fn tag(program: &[u8]) -> String {
    Sha256::digest(program).iter().take(6).map(|byte| char::from(b'A' + byte % 26)).collect()
}

/// A table of a font file.
fn table(font: &[u8], name: [u8; 4]) -> Option<&[u8]> {
    let number = |at: usize| font.get(at..at + 4)?.try_into().ok().map(u32::from_be_bytes);
    let count = usize::from(u16::from_be_bytes(font.get(4..6)?.try_into().ok()?));
    let record = (0..count).map(|n| 12 + 16 * n).find(|at| font.get(*at..at + 4) == Some(&name))?;
    let (offset, length) = (number(record + 8)? as usize, number(record + 12)? as usize);
    font.get(offset..offset.checked_add(length)?)
}
