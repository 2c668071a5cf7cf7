//! What glyphs say to whoever searches, copies or reads aloud.

use super::fonts::{Cid, Fonts};
use crate::coupons::lettering::{FaceId, Glyph, Run};

/// A glyph in its place.
#[derive(Debug)]
pub(super) struct Shown {
    /// From the beginning of its run.
    pub(super) at: f32,
    /// Above the baseline.
    pub(super) rise: f32,
    /// The glyph.
    pub(super) cid: Cid,
    /// What is said before it, by glyphs that are not seen.
    pub(super) before: Vec<Cid>,
    /// What is said after it.
    pub(super) after: Vec<Cid>,
}

/// A run as it is written.
#[derive(Debug, Default)]
pub(super) struct Reading {
    /// Its glyphs, from left to right.
    pub(super) glyphs: Vec<Shown>,
    /// Its vowel points and other marks, where others say what they do.
    pub(super) marks: Vec<Shown>,
    /// Whether glyphs say by themselves what the run says.
    pub(super) told: bool,
}

impl Reading {
    /// Of a run.
    pub(super) fn of(fonts: &mut Fonts, run: &Run) -> Self {
        if run.rtl { Self::backwards(fonts, run) } else { Self::forwards(fonts, run) }
    }

    fn forwards(fonts: &mut Fonts, run: &Run) -> Self {
        let mut reading = Self { told: true, ..Self::default() };
        for (glyph, at) in places(run) {
            let said = run.text.get(glyph.text.clone()).unwrap_or_default();
            let shown = Shown::new(fonts.glyph(run.face, glyph.id, said), glyph, at);
            reading.told &= shown.cid.told;
            reading.glyphs.push(shown);
        }
        reading
    }

    /// Text that is read from right to left. Readers of PDF turn it around glyph by glyph, and
    /// differ in what they do with a glyph that says several characters (lam-alef), and with one
    /// that stands above another. So each glyph says one letter, its last, which is its left; the
    /// others are said to its right, and marks to its left, by glyphs that are not seen.
    fn backwards(fonts: &mut Fonts, run: &Run) -> Self {
        let mut reading = Self { told: true, ..Self::default() };
        let placed: Vec<(&Glyph, f32)> = places(run).collect();
        let mut before = Vec::new();
        // A cluster's text is with the first of its glyphs.
        for cluster in placed.chunk_by(|_, (next, _)| next.text.is_empty()) {
            let said = cluster.first().and_then(|(glyph, _)| run.text.get(glyph.text.clone()));
            let (marks, mut letters): (Vec<char>, Vec<char>) =
                said.unwrap_or_default().chars().partition(|char| is_mark(*char));
            before.extend(silent(fonts, run.face, &marks));
            let is_body = |glyph: &Glyph| glyph.advance > 0.0 || marks.is_empty();
            let bodies = cluster.iter().filter(|(glyph, _)| is_body(glyph)).count();
            let mut seen = 0;
            for (glyph, at) in cluster {
                if !is_body(glyph) {
                    reading.marks.push(Shown::new(fonts.glyph(run.face, glyph.id, ""), glyph, *at));
                    continue;
                }
                seen += 1;
                let own = letters.pop().map(String::from).unwrap_or_default();
                let mut shown = Shown::new(fonts.glyph(run.face, glyph.id, &own), glyph, *at);
                shown.before = std::mem::take(&mut before);
                if seen == bodies {
                    shown.after = silent(fonts, run.face, &letters);
                    letters.clear();
                }
                reading.glyphs.push(shown);
            }
        }
        if let Some(last) = reading.glyphs.last_mut() {
            last.after.append(&mut before);
        }
        reading
    }
}

impl Shown {
    fn new(cid: Cid, glyph: &Glyph, at: f32) -> Self {
        Self { at: at + glyph.dx, rise: glyph.dy, cid, before: Vec::new(), after: Vec::new() }
    }
}

/// Glyphs with their distance from the beginning of the run.
fn places(run: &Run) -> impl Iterator<Item = (&Glyph, f32)> {
    run.glyphs.iter().scan(0.0, |place, glyph| {
        let at = *place;
        *place += glyph.advance;
        Some((glyph, at))
    })
}

/// Glyphs that say these characters from right to left.
fn silent(fonts: &mut Fonts, face: FaceId, chars: &[char]) -> Vec<Cid> {
    let mut cids = Vec::with_capacity(chars.len());
    for char in chars.iter().rev() {
        if let Some(plain) = fonts.plain(face, *char) {
            cids.push(fonts.glyph(face, plain, char.encode_utf8(&mut [0; 4])));
        }
    }
    cids
}

/// Whether a character stands above or below a letter of Hebrew or Arabic.
fn is_mark(char: char) -> bool {
    matches!(u32::from(char),
        0x0591..=0x05BD | 0x05BF | 0x05C1..=0x05C2 | 0x05C4..=0x05C5 | 0x05C7
        | 0x0610..=0x061A | 0x064B..=0x065F | 0x0670
        | 0x06D6..=0x06DC | 0x06DF..=0x06E4 | 0x06E7..=0x06E8 | 0x06EA..=0x06ED)
}
