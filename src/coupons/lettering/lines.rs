//! From glyphs to lines: where they break, and in which order their parts stand.

use super::{
    Align, Glyph, Line, Run,
    shaping::{Atom, Passage},
};
use std::ops::Range;

/// The atoms of a line, without the blanks at its end.
pub(super) type Extent = Range<usize>;

/// How far lines reach above and below their baselines where no glyph reaches further.
#[derive(Clone, Copy, Debug)]
pub(super) struct Strut {
    pub(super) over: f32,
    pub(super) under: f32,
}

impl Passage {
    /// All of it on one line.
    pub(super) fn whole(&self) -> Extent {
        self.without_blanks(0..self.atoms.len())
    }

    /// Its first lines of at most this width, and whether they are all: fewer come where there are more
    /// than asked for, or where a single character is too wide. Lines break between words, and in a word
    /// that is too wide alone.
    pub(super) fn broken(&self, width: f32, lines_max: usize) -> (Vec<Extent>, bool) {
        let mut lines = Vec::new();
        let mut start = 0;
        while start < self.atoms.len() {
            let Some(end) = self.line_end(start, width) else { return (lines, false) };
            let line = self.without_blanks(start..end);
            if !line.is_empty() {
                if lines.len() == lines_max {
                    return (lines, false);
                }
                lines.push(line);
            }
            start = end;
        }
        (lines, true)
    }

    /// Where the line that begins at an atom ends.
    fn line_end(&self, start: usize, width: f32) -> Option<usize> {
        let mut used = 0.0;
        let (mut between_words, mut in_word) = (None, None);
        for (place, atom) in self.atoms.iter().enumerate().skip(start) {
            if place > start {
                between_words = if atom.opens { Some(place) } else { between_words };
                in_word = if atom.begins { Some(place) } else { in_word };
            }
            used += atom.advance;
            if used > width && !atom.blank {
                return between_words.or(in_word);
            }
        }
        Some(self.atoms.len())
    }

    fn without_blanks(&self, extent: Extent) -> Extent {
        let seen = self.atoms[extent.clone()].iter().rposition(|atom| !atom.blank);
        extent.start..extent.start + seen.map_or(0, |last| last + 1)
    }

    /// How wide a line is.
    pub(super) fn width(&self, line: &Extent) -> f32 {
        self.atoms[line.clone()].iter().map(|atom| atom.advance).sum()
    }

    /// How far a line reaches above and below its baseline.
    pub(super) fn reach(&self, line: &Extent, strut: Strut) -> Strut {
        self.atoms[line.clone()].iter().fold(strut, |reach, atom| Strut {
            over: reach.over.max(atom.over),
            under: reach.under.max(atom.under),
        })
    }

    /// A line as it is printed, so many times as large as it was shaped.
    pub(super) fn set(&self, line: &Extent, scale: f32, baseline: f32, align: Align, room: f32) -> Line {
        let free = (room - self.width(line) * scale).max(0.0);
        let mut x = match (align, self.rtl) {
            (Align::Left, _) | (Align::Start, false) => 0.0,
            (Align::Center, _) => free / 2.0,
            (Align::Right, _) | (Align::Start, true) => free,
        };
        let mut runs = Vec::new();
        for extent in self.visual(line) {
            let run = self.run(&extent, scale, x);
            x += run.glyphs.iter().map(|glyph| glyph.advance).sum::<f32>();
            runs.push(run);
        }
        Line { baseline, runs }
    }

    /// The parts of a line that have one font and direction, from left to right.
    fn visual(&self, line: &Extent) -> Vec<Extent> {
        let same = |a: &Atom, b: &Atom| a.face == b.face && a.level == b.level;
        let mut parts: Vec<Extent> = Vec::new();
        for group in self.atoms[line.clone()].chunk_by(same) {
            let start = parts.last().map_or(line.start, |last| last.end);
            parts.push(start..start + group.len());
        }
        let level = |part: &Extent| self.atoms[part.start].level;
        let deepest = parts.iter().map(level).max().unwrap_or_default();
        // UAX #9, L2: from the deepest level up, each stretch of that level and deeper is turned around.
        for turned in (1..=deepest).rev() {
            for stretch in parts.chunk_by_mut(|a, b| (level(a) >= turned) == (level(b) >= turned)) {
                if stretch.first().is_some_and(|part| level(part) >= turned) {
                    stretch.reverse();
                }
            }
        }
        parts
    }

    fn run(&self, extent: &Extent, scale: f32, x: f32) -> Run {
        let atoms = &self.atoms[extent.clone()];
        let (first, last) = (&atoms[0], &atoms[atoms.len() - 1]);
        let start = first.text.start;
        let rtl = first.level % 2 == 1;
        let mut texts: Vec<Range<usize>> = Vec::new();
        let clusters = &self.clusters[first.clusters.start..last.clusters.end];
        // What has no glyph is shown by that before it; at the beginning, by the first that has one.
        let mut shown = start;
        for cluster in clusters.iter().rev().filter(|cluster| !cluster.glyphs.is_empty()) {
            let end = texts.last().map_or(last.text.end, |after| after.start);
            texts.push(cluster.text.start..end);
            shown = cluster.text.start;
        }
        if let Some(first) = texts.last_mut().filter(|_| shown > start) {
            first.start = start;
        }
        let seen = clusters.iter().filter(|cluster| !cluster.glyphs.is_empty());
        let ordered: Vec<_> =
            if rtl { seen.rev().zip(texts).collect() } else { seen.zip(texts.into_iter().rev()).collect() };
        let glyphs = ordered.into_iter().flat_map(|(cluster, text)| {
            let text = text.start - start..text.end - start;
            let shapes = self.glyphs[cluster.glyphs.clone()].iter().enumerate();
            shapes.map(move |(place, shape)| Glyph {
                id: shape.id,
                advance: shape.advance * scale,
                dx: shape.dx * scale,
                dy: shape.dy * scale,
                text: if place == 0 { text.clone() } else { text.end..text.end },
            })
        });
        Run {
            face: first.face,
            size: self.size * scale,
            x,
            rtl,
            text: self.text[start..last.text.end].to_owned(),
            glyphs: glyphs.collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::coupons::lettering::{Manner, specimen::*};

    /// The glyphs of a text on one line, from left to right.
    fn ids(text: &str) -> Vec<u16> {
        let block = fit(text, &MANNER, room(1000.0));
        runs(&block).flat_map(|run| run.glyphs.iter().map(|glyph| glyph.id)).collect()
    }

    #[test]
    fn letters_of_arabic_are_joined_and_stand_from_right_to_left() {
        let block = fit("السلام", &MANNER, room(100.0));
        let [run] = &block.lines[0].runs[..] else { panic!("{block:?}") };
        assert!(run.rtl && run.x > 50.0, "{run:?}");
        let isolated: Vec<u16> = "السلام".chars().flat_map(|letter| ids(&letter.to_string())).collect();
        let changed = run.glyphs.iter().filter(|glyph| !isolated.contains(&glyph.id)).count();
        assert_eq!(changed, 3, "{run:?}");
        // From left to right: meem, then lam and alef as one, and so on to the first letter.
        let shown: Vec<&str> = run
            .glyphs
            .iter()
            .filter(|glyph| !glyph.text.is_empty())
            .map(|glyph| &run.text[glyph.text.clone()])
            .collect();
        assert_eq!(shown, ["م", "لا", "س", "ل", "ا"]);
        assert_eq!(ids("لا").len(), 1);
    }

    #[test]
    fn digits_and_latin_stand_from_left_to_right_in_hebrew() {
        let block = fit("קפה 25 שקל", &MANNER, room(200.0));
        assert_eq!(said(&block.lines[0]), ["שקל", " ", "25", "קפה "]);
        assert_eq!(
            block.lines[0].runs.iter().map(|run| run.rtl).collect::<Vec<_>>(),
            [true, true, false, true]
        );
        let block = fit("Code אבג 12 דהו end", &MANNER, room(200.0));
        assert_eq!(said(&block.lines[0]), ["Code ", "דהו", " ", "12", "אבג ", " end"]);
        let glyphs = ids("אב");
        assert_eq!(glyphs, [ids("ב"), ids("א")].concat());
    }

    #[test]
    fn lines_stand_where_they_are_asked_to() {
        let x = |text: &str, align| {
            let block = fit(text, &Manner { align, ..MANNER }, room(200.0));
            (block.lines[0].runs[0].x, block.width)
        };
        for (text, start) in [("Kaffee", 0.0), ("קפה", 1.0)] {
            let asked = [Align::Start, Align::Left, Align::Center, Align::Right];
            let free = 200.0 - x(text, Align::Start).1;
            let standing = asked.map(|align| (align, x(text, align).0));
            let expected = [free * start, 0.0, free / 2.0, free];
            assert_eq!(standing.to_vec(), asked.into_iter().zip(expected).collect::<Vec<_>>());
        }
    }
}
