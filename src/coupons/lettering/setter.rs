//! Making a text fit: smaller, then on more lines, then without its end.

use super::{
    Block, Family, Fate, Manner, Room, Typefaces,
    lines::{Extent, Strut},
    shaping::{Passage, Scratch, clean},
};
use std::sync::Arc;

/// Stands for what is missing.
const ELLIPSIS: &str = "…";

/// No text is smaller than this, whatever is asked for: it could not be read.
const SIZE_MIN: f32 = 0.5;

/// How far a sum of lengths may be off, in points.
const SLACK: f32 = 0.001;

/// Sets texts, one after the other.
#[derive(Debug)]
pub struct Typesetter {
    typefaces: Arc<Typefaces>,
    scratch: Scratch,
}

/// What a text has to fit.
struct Frame {
    manner: Manner,
    room: Room,
    /// Sizes are proportions of the size that was asked for: this is that of the smallest.
    floor: f32,
    strut: Strut,
}

impl Typesetter {
    /// One for each thread that sets texts: it keeps working memory.
    pub fn new(typefaces: Arc<Typefaces>) -> Self {
        Self { typefaces, scratch: Scratch::default() }
    }

    /// The fonts that it sets texts in.
    pub fn typefaces(&self) -> &Arc<Typefaces> {
        &self.typefaces
    }

    /// Sets a text at its size on one line if it fits; else smaller, down to the floor; else at the floor on
    /// as many lines as there can be; else as much of it as fits, with an ellipsis. What fits nowhere, not
    /// even as an ellipsis, is a block without lines.
    pub fn fit(&mut self, text: &str, manner: &Manner, room: Room) -> Block {
        let text = clean(text);
        if text.is_empty() {
            return Block { lines: Vec::new(), fate: Fate::Whole, width: 0.0, height: 0.0 };
        }
        let Some(frame) = Frame::new(&self.typefaces, manner, room) else { return nothing() };
        let passage = self.shape(&text, manner, None);
        frame
            .on_one_line(&passage)
            .or_else(|| frame.on_more_lines(&passage))
            .or_else(|| self.cut(&passage, &frame))
            .unwrap_or_else(nothing)
    }

    /// The characters of a text that no font has, each once: they would be printed as boxes.
    pub fn missing(&mut self, text: &str, family: Family) -> Vec<char> {
        let passage = self.scratch.shape(&self.typefaces, &clean(text), (family, false, 1.0), None);
        let mut missing = Vec::new();
        for (face, text) in passage.boxes() {
            let tables = self.typefaces.face(face).tables();
            let has = |char: &char| {
                let glyph = tables.as_ref().and_then(|tables| tables.charmap.map(*char));
                glyph.is_some_and(|glyph| glyph.to_u32() != 0)
            };
            let mut lacking: Vec<char> = text.chars().filter(|char| !has(char)).collect();
            if lacking.is_empty() {
                lacking.extend(text.chars());
            }
            missing.extend(lacking);
        }
        let mut seen = std::collections::BTreeSet::new();
        missing.retain(|char| seen.insert(*char));
        missing
    }

    fn shape(&mut self, text: &str, manner: &Manner, rtl: Option<bool>) -> Passage {
        self.scratch.shape(&self.typefaces, text, (manner.family, manner.bold, manner.size), rtl)
    }

    /// As much of the text as fits with an ellipsis.
    fn cut(&mut self, passage: &Passage, frame: &Frame) -> Option<Block> {
        let width = frame.room.width / frame.floor;
        let (lines, _) = passage.broken(width, frame.room.lines_max);
        let fitting = frame.fitting(passage, &lines).max(1).min(lines.len());
        let mut end = lines[..fitting].last().map_or(0, |line| line.end);
        let ellipsis = self.shape(ELLIPSIS, &frame.manner, Some(passage.rtl));
        let mut free = lines[..fitting].last().map_or(0.0, |line| width - passage.width(line));
        while end > 0 && free < ellipsis.width(&ellipsis.whole()) {
            end -= 1;
            free += passage.atoms[end].advance;
        }
        let mut step = 1;
        loop {
            while end > 0 && passage.atoms.get(end).is_some_and(|atom| !atom.begins) {
                end -= 1;
            }
            let kept = passage.atoms[..end].last().map_or(0, |atom| atom.text.end);
            let text = format!("{}{ELLIPSIS}", passage.text[..kept].trim_end());
            let shorter = self.shape(&text, &frame.manner, Some(passage.rtl));
            let (lines, all) = shorter.broken(width, frame.room.lines_max);
            let block = all.then(|| frame.compose(&shorter, &lines, frame.floor, Fate::Cut)).flatten();
            if block.is_some() || end == 0 {
                return block;
            }
            // The ends of words are broken differently now and then: larger steps come to an end soon.
            end = end.saturating_sub(step);
            step *= 2;
        }
    }
}

/// What is left of a text that there is no room for.
fn nothing() -> Block {
    Block { lines: Vec::new(), fate: Fate::Cut, width: 0.0, height: 0.0 }
}

impl Frame {
    /// There is none without any room, or for what is no size.
    fn new(typefaces: &Typefaces, manner: &Manner, room: Room) -> Option<Self> {
        let lengths = [manner.size, room.width, room.height];
        if room.lines_max == 0 || !lengths.iter().all(|length| length.is_finite() && *length > 0.0) {
            return None;
        }
        let face = typefaces.leading(manner.family, manner.bold);
        let scale = manner.size / face.units_per_em;
        Some(Self {
            manner: *manner,
            room,
            floor: manner.floor.max(SIZE_MIN).min(manner.size) / manner.size,
            strut: Strut { over: face.ascent * scale, under: -face.descent * scale },
        })
    }

    fn on_one_line(&self, passage: &Passage) -> Option<Block> {
        let line = [passage.whole()];
        if let Some(block) = self.compose(passage, &line, 1.0, Fate::Whole) {
            return Some(block);
        }
        let reach = passage.reach(&line[0], self.strut);
        let fitting =
            (self.room.width / passage.width(&line[0])).min(self.room.height / (reach.over + reach.under));
        // Hundredths of a point are as fine as anyone can see.
        let size = ((self.manner.size * fitting * 100.0).floor() / 100.0).max(self.manner.size * self.floor);
        self.compose(passage, &line, size / self.manner.size, Fate::Shrunk(size))
    }

    fn on_more_lines(&self, passage: &Passage) -> Option<Block> {
        let (lines, all) = passage.broken(self.room.width / self.floor, self.room.lines_max);
        all.then(|| self.compose(passage, &lines, self.floor, Fate::Wrapped(lines.len()))).flatten()
    }

    /// How many of the lines there is height for, at the smallest size.
    fn fitting(&self, passage: &Passage, lines: &[Extent]) -> usize {
        let mut height = 0.0;
        let fits = |line: &&Extent| {
            let reach = passage.reach(line, self.strut);
            height += (reach.over + reach.under) * self.floor;
            height <= self.room.height + SLACK
        };
        lines.iter().take_while(fits).count()
    }

    /// The lines where they stand, if they fit.
    fn compose(&self, passage: &Passage, lines: &[Extent], scale: f32, fate: Fate) -> Option<Block> {
        let mut block = Block { lines: Vec::with_capacity(lines.len()), fate, width: 0.0, height: 0.0 };
        for line in lines {
            let reach = passage.reach(line, self.strut);
            let baseline = block.height + reach.over * scale;
            block.height = baseline + reach.under * scale;
            block.width = block.width.max(passage.width(line) * scale);
            let fits = block.height <= self.room.height + SLACK && block.width <= self.room.width + SLACK;
            if !fits {
                return None;
            }
            block.lines.push(passage.set(line, scale, baseline, self.manner.align, self.room.width));
        }
        Some(block)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::coupons::lettering::Align;
    use std::sync::LazyLock;

    static TYPEFACES: LazyLock<Arc<Typefaces>> = LazyLock::new(|| Arc::new(Typefaces::load(None).unwrap()));

    const MANNER: Manner =
        Manner { family: Family::Sans, bold: false, size: 10.0, floor: 5.0, align: Align::Start };

    fn room(width: f32) -> Room {
        Room { width, height: 40.0, lines_max: 3 }
    }

    fn fit(text: &str, manner: &Manner, room: Room) -> Block {
        Typesetter::new(Arc::clone(&TYPEFACES)).fit(text, manner, room)
    }

    #[test]
    fn each_step_is_taken_when_the_one_before_is_not_enough() {
        let text = "Ein Heißgetränk nach Wahl";
        let fates = [200.0, 100.0, 40.0, 20.0].map(|width| fit(text, &MANNER, room(width)).fate);
        assert!(matches!(fates, [Fate::Whole, Fate::Shrunk(_), Fate::Wrapped(2), Fate::Cut]), "{fates:?}");
        let narrow = fit(text, &MANNER, room(1.0));
        assert_eq!((narrow.fate, narrow.lines.len()), (Fate::Cut, 0));
        let Fate::Shrunk(size) = fates[1] else { unreachable!() };
        let smaller = fit(text, &Manner { size, ..MANNER }, room(100.0));
        assert_eq!(smaller.fate, Fate::Whole);
    }
}
