//! From characters to glyphs: direction, fonts, ligatures and joins, with nothing said yet about lines.

use super::{FaceId, Family, Typefaces, face::Tables};
use fontique::Blob;
use parley_engine::{
    Analysis, AnalysisDataSources, AnalysisOptions, Analyzer, BaseDirection, CharInfo, FontInstanceRef,
    FontSelector, ShapeOptions, ShapedSlice, ShapedText, Shaper,
    itemize::{Item, Segment},
    shape::{CharCluster, Coverage},
};
use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
    ops::Range,
};

/// Working memory, kept from text to text.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    analyzer: Analyzer,
    analysis: Analysis,
    shaper: Shaper,
    shaped: ShapedText,
    styles: Vec<u16>,
}

/// A text as glyphs, in the order in which it is read.
#[derive(Debug)]
pub(super) struct Passage {
    pub(super) text: String,
    pub(super) rtl: bool,
    /// The size that it was shaped at.
    pub(super) size: f32,
    pub(super) atoms: Vec<Atom>,
    pub(super) clusters: Vec<Cluster>,
    pub(super) glyphs: Vec<Shape>,
}

/// The least that a line can be broken into: a character with its marks, or a ligature.
#[derive(Clone, Debug)]
pub(super) struct Atom {
    pub(super) text: Range<usize>,
    pub(super) clusters: Range<usize>,
    pub(super) face: FaceId,
    /// How deeply directions are nested (UAX #9): odd is from right to left.
    pub(super) level: u8,
    pub(super) advance: f32,
    /// How far its ink reaches above and below the baseline.
    pub(super) over: f32,
    pub(super) under: f32,
    /// Whether a line can begin with it, after a word.
    pub(super) opens: bool,
    /// Whether what people take for a character begins with it.
    pub(super) begins: bool,
    /// Whether it can be left out at the end of a line.
    pub(super) blank: bool,
}

/// A part of the text, and the glyphs that show it together.
#[derive(Clone, Debug)]
pub(super) struct Cluster {
    pub(super) text: Range<usize>,
    /// From left to right.
    pub(super) glyphs: Range<usize>,
}

/// A glyph, with y growing upwards.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape {
    pub(super) id: u16,
    pub(super) advance: f32,
    pub(super) dx: f32,
    pub(super) dy: f32,
}

/// What a text is set as: on one line, without characters that steer layout or can't be seen.
pub(super) fn clean(text: &str) -> Cow<'_, str> {
    let text = text.trim_matches(|char: char| char.is_whitespace() || steers(char));
    if !text.contains(|char: char| steers(char) || is_break(char)) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(
        text.chars()
            .filter(|char| !steers(*char))
            .map(|char| if is_break(char) { ' ' } else { char })
            .collect(),
    )
}

/// Tabs, and what ends a line or a paragraph.
fn is_break(char: char) -> bool {
    matches!(char, '\t'..='\r' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

/// Controls: of terminals, and of the direction of what follows, which a text could use to look like another.
fn steers(char: char) -> bool {
    let bidi = matches!(char, '\u{61c}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    bidi || (char.is_control() && !is_break(char))
}

/// Characters that only say something about their neighbours, and are never printed themselves.
fn is_unseen(char: char) -> bool {
    matches!(
        char,
        '\u{ad}'
            | '\u{34f}'
            | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2060}'..='\u{2064}'
            | '\u{fe00}'..='\u{fe0f}'
            | '\u{feff}'
            | '\u{e0000}'..='\u{e0fff}'
    )
}

/// White space that a line can end with unseen; what is not to be broken at is not of its kind.
fn is_blank(text: &str) -> bool {
    text.chars().all(|char| char.is_whitespace() && !matches!(char, '\u{a0}' | '\u{2007}' | '\u{202f}'))
}

impl Scratch {
    /// Shapes a text that was cleaned. Its paragraph's direction is that of its first letter, unless given.
    pub(super) fn shape(
        &mut self,
        typefaces: &Typefaces,
        text: &str,
        (family, bold, size): (Family, bool, f32),
        rtl: Option<bool>,
    ) -> Passage {
        let base_direction = match rtl {
            None => BaseDirection::Auto,
            Some(false) => BaseDirection::Ltr,
            Some(true) => BaseDirection::Rtl,
        };
        let options = AnalysisOptions { base_direction, ..AnalysisOptions::default() };
        self.analyzer.analyze(text, &options, &mut self.analysis);
        let chars = self.analysis.char_info().len();
        self.styles.clear();
        self.styles.resize(chars, 0);
        let options = ShapeOptions { font_size: size, language: None, features: &[], variations: &[] };
        let whole = (chars > 0).then_some(Item { char_end: chars as u32, options });
        let selector = Selector::new(typefaces, typefaces.order(family, bold));
        self.shaper.shape_text(text, &self.analysis, &self.styles, whole, selector, &mut self.shaped);
        let rtl = self.analysis.paragraph_level().is_rtl();
        let mut passage = Passage {
            text: text.to_owned(),
            rtl,
            size,
            atoms: Vec::with_capacity(chars),
            clusters: Vec::with_capacity(chars),
            glyphs: Vec::with_capacity(chars),
        };
        passage.take(&self.shaped, self.analysis.char_info(), typefaces);
        passage
    }
}

impl Passage {
    fn take(&mut self, shaped: &ShapedText, chars: &[CharInfo], typefaces: &Typefaces) {
        for (place, run) in shaped.runs().iter().enumerate() {
            let font = &shaped.fonts()[run.font_index].font;
            let face = typefaces.find(&font.data, font.index);
            let tables = typefaces.face(face).tables();
            let scale = self.size / typefaces.face(face).units_per_em;
            let slice = shaped.run_slice(place as u32);
            for atom in slice.atoms_start() {
                let (clusters, glyphs) = (self.clusters.len(), self.glyphs.len());
                for place in atom.shaped_clusters_range() {
                    self.take_cluster(&slice, place);
                }
                let reach = |glyph: &Shape| {
                    let reach = tables.as_ref().map(|tables| tables.reach(glyph.id)).unwrap_or_default();
                    (reach.over * scale + glyph.dy, reach.under * scale - glyph.dy)
                };
                let (over, under) = self.glyphs[glyphs..]
                    .iter()
                    .map(reach)
                    .fold((0.0f32, 0.0f32), |most, its| (most.0.max(its.0), most.1.max(its.1)));
                let text = slice.text_byte_range(atom.char_range());
                self.atoms.push(Atom {
                    clusters: clusters..self.clusters.len(),
                    face,
                    level: run.bidi_level.to_u8(),
                    advance: atom.advance(),
                    over,
                    under,
                    opens: atom.is_soft_wrap_opportunity_before(),
                    begins: chars[atom.char_range().start as usize].is_grapheme_start(),
                    blank: is_blank(&self.text[text.clone()]),
                    text,
                });
            }
        }
    }

    fn take_cluster(&mut self, slice: &ShapedSlice<'_>, place: u32) {
        let before = self.glyphs.len();
        self.glyphs.extend(slice.shaped_cluster_glyphs(place).map(|glyph| Shape {
            id: glyph.id as u16,
            advance: glyph.advance,
            dx: glyph.x,
            // Downwards there; and the difference is never a negative zero.
            dy: 0.0 - glyph.y,
        }));
        for cluster in slice.shaped_clusters_in(place..place + 1) {
            let text = slice.text_byte_range(cluster.chars_range());
            self.clusters.push(Cluster { text, glyphs: before..self.glyphs.len() });
        }
    }

    /// The characters that were set as boxes for want of a font that has them, each once.
    pub(super) fn boxed(&self, typefaces: &Typefaces) -> Vec<char> {
        let mut boxed = Vec::new();
        for atom in &self.atoms {
            let clusters = &self.clusters[atom.clusters.clone()];
            let mut glyphs = clusters.iter().flat_map(|cluster| &self.glyphs[cluster.glyphs.clone()]);
            if glyphs.all(|glyph| glyph.id != 0) {
                continue;
            }
            let tables = typefaces.face(atom.face).tables();
            let lacks = |char: &char| !tables.as_ref().is_some_and(|tables| tables.has(*char));
            let seen: Vec<char> =
                self.text[atom.text.clone()].chars().filter(|char| !is_unseen(*char)).collect();
            let lacking: Vec<char> = seen.iter().copied().filter(lacks).collect();
            // A font can have each of the characters, and still not know what they are together.
            boxed.extend(if lacking.is_empty() { seen } else { lacking });
        }
        let mut known = BTreeSet::new();
        boxed.retain(|char| known.insert(*char));
        boxed
    }
}

/// Chooses the font of each character.
struct Selector<'a> {
    typefaces: &'a Typefaces,
    order: &'a [FaceId],
    tables: BTreeMap<FaceId, Option<Tables<'a>>>,
    last: Option<FaceId>,
    properties: AnalysisDataSources,
}

impl<'a> Selector<'a> {
    fn new(typefaces: &'a Typefaces, order: &'a [FaceId]) -> Self {
        let properties = AnalysisDataSources::new();
        Self { typefaces, order, tables: BTreeMap::new(), last: None, properties }
    }

    fn coverage(&mut self, id: FaceId, cluster: &mut CharCluster) -> Coverage {
        let typefaces = self.typefaces;
        let tables = self.tables.entry(id).or_insert_with(|| typefaces.face(id).tables());
        let Some(tables) = tables else { return Coverage::NONE };
        cluster.calculate_coverage(|char| tables.has(char), &self.properties)
    }

    fn choose(&mut self, cluster: &mut CharCluster) -> FaceId {
        // A space belongs to the word before it: words of one font are then one run.
        if let (Some(last), [space]) = (self.last, cluster.chars())
            && space.ch == ' '
            && self.typefaces.has_words(last)
            && self.coverage(last, cluster).is_complete()
        {
            return last;
        }
        let (mut chosen, mut best) = (self.order[0], Coverage::NONE);
        for &id in self.order {
            let coverage = self.coverage(id, cluster);
            if coverage > best {
                (chosen, best) = (id, coverage);
            }
            if best.is_complete() {
                break;
            }
        }
        chosen
    }
}

impl FontSelector for Selector<'_> {
    fn begin_segment(&mut self, _: &Segment, _: &ShapeOptions<'_>) {
        self.last = None;
    }

    fn select_font(
        &mut self,
        _: &Segment,
        _: &ShapeOptions<'_>,
        cluster: &mut CharCluster,
    ) -> Option<FontInstanceRef<'_>> {
        let id = self.choose(cluster);
        self.last = Some(id);
        let face = self.typefaces.face(id);
        let data: &Blob<u8> = &face.data;
        Some(FontInstanceRef { data, index: face.index, synthesis: &self.typefaces.as_drawn })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::coupons::lettering::{Fate, Manner, Typesetter, specimen::*};
    use std::sync::Arc;

    #[test]
    fn what_steers_layout_is_left_out() {
        assert_eq!(clean("plain"), "plain");
        assert_eq!(clean("  a\tb\r\nc\u{2028}d  "), "a b  c d");
        assert_eq!(clean("\u{202e}5 € off\u{202c}\u{0}\u{1b}[31m"), "5 € off[31m");
        assert_eq!(clean("\u{2067} \u{61c} \u{7f}"), "");
    }

    #[test]
    fn the_symbols_of_every_coupon_are_there_beside_each_family() {
        let mut typesetter = Typesetter::new(Arc::clone(&TYPEFACES));
        for text in [
            "☕★✓♥➜☎✂❄①฿",
            "☆✔✗✘❤☺☞♫⚡☀☂⚠♻✉⌚⌛⏰⭐⬛►●■▲◆→⇒≤≥∞√½№℃™®",
            "①②⑳ⓐ❶➀Ⅳ⅓🄰",
            "☎\u{fe0e} ☎\u{fe0f} ❤\u{fe0f} 1\u{fe0f}\u{20e3}",
            "🎁🎉🥤🍫🍟🍪📱💶🔋😀👍🏽👩\u{200d}👩\u{200d}👧🇳🇱",
        ] {
            for family in [Family::Sans, Family::Serif, Family::Mono] {
                assert_eq!(typesetter.missing(text, family), Vec::<char>::new(), "{text}");
                for bold in [false, true] {
                    let block = typesetter.fit(text, &Manner { family, bold, ..MANNER }, room(1000.0));
                    let boxes = runs(&block).flat_map(|run| &run.glyphs).filter(|glyph| glyph.id == 0);
                    assert_eq!(boxes.count(), 0, "{text}");
                }
            }
        }
    }

    #[test]
    fn a_space_behind_an_emoji_is_no_wider_than_one_behind_a_letter() {
        let width = |text: &str| fit(text, &MANNER, room(1000.0)).width;
        let spaces = [("🎁🎁", "🎁 🎁"), ("aa", "a a")].map(|(tight, wide)| width(wide) - width(tight));
        assert!((spaces[0] - spaces[1]).abs() < 0.1, "{spaces:?}");
    }

    #[test]
    fn the_scripts_of_every_fleet_are_there_in_each_family_and_weight() {
        let mut typesetter = Typesetter::new(Arc::clone(&TYPEFACES));
        for text in [
            "Gratis koffie – Ürün için İndirim, žluťoučký kůň, điểm thưởng 5,00 €",
            "Бесплатный кофе: скидка 50 %, п’ять гривень ₴",
            "Δωρεάν καφές μέχρι τις 31 Δεκεμβρίου",
            "Անվճար սուրճ մինչև դեկտեմբերի 31֊ը՝ 500 ֏",
            "قهوة مجانية حتى ٣١ ديسمبر، خصم ٥٠٪ — پنج ریال ﷼",
            "קפה חינם עד 31 בדצמבר, שָׁלוֹם ₪",
        ] {
            for family in [Family::Sans, Family::Serif, Family::Mono] {
                assert!(typesetter.missing(text, family).is_empty(), "{text}");
                for bold in [false, true] {
                    let block = typesetter.fit(text, &Manner { family, bold, ..MANNER }, room(1000.0));
                    let boxes = runs(&block).flat_map(|run| &run.glyphs).filter(|glyph| glyph.id == 0);
                    assert_eq!((block.fate, boxes.count()), (Fate::Whole, 0), "{text}");
                    let faces: Vec<_> = runs(&block).map(|run| TYPEFACES.face(run.face)).collect();
                    assert!(faces.iter().all(|face| face.is_bold() == bold), "{text}");
                }
            }
        }
        // What has no serifs here stands without.
        for text in ["กาแฟฟรี ถึงวันที่ ๓๑ ธันวาคม ฿50", "უფასო ყავა 31 დეკემბრამდე ₾"]
        {
            assert_eq!(typesetter.missing(text, Family::Serif), Vec::<char>::new(), "{text}");
        }
        let odd = "咖啡\u{200d}\u{fe0f}\u{7} 咖 a\u{200b}\u{2066}";
        assert_eq!(typesetter.missing(odd, Family::Sans), ['咖', '啡']);
    }
}
