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
        passage.boxed(&self.typefaces)
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
    use crate::coupons::lettering::{Align, specimen::*};
    use proptest::{collection::vec, prelude::*, sample::select};

    #[test]
    fn each_step_is_taken_when_the_one_before_is_not_enough() {
        let text = "Ein Heißgetränk nach Wahl";
        let fates = [200.0, 100.0, 40.0, 20.0].map(|width| fit(text, &MANNER, room(width)).fate);
        assert!(matches!(fates, [Fate::Whole, Fate::Shrunk(_), Fate::Wrapped(2), Fate::Cut]), "{fates:?}");
        let Fate::Shrunk(size) = fates[1] else { unreachable!() };
        assert_eq!(fit(text, &Manner { size, ..MANNER }, room(100.0)).fate, Fate::Whole);
        assert!(matches!(
            fit(text, &Manner { size: size + 0.02, ..MANNER }, room(100.0)).fate,
            Fate::Shrunk(_)
        ));
        let low = Room { height: 10.0, ..room(200.0) };
        assert!(matches!(fit(text, &MANNER, low).fate, Fate::Shrunk(size) if size < 7.5));
        assert_eq!(fit("   \u{202e}", &MANNER, room(200.0)).fate, Fate::Whole);
    }

    #[test]
    fn without_room_there_are_no_lines() {
        let none = Block { lines: Vec::new(), fate: Fate::Cut, width: 0.0, height: 0.0 };
        for room in [
            room(1.0),
            room(-5.0),
            room(f32::NAN),
            Room { height: 2.0, ..room(200.0) },
            Room { height: f32::INFINITY, ..room(200.0) },
            Room { lines_max: 0, ..room(200.0) },
        ] {
            assert_eq!(fit("Kaffee", &MANNER, room), none);
        }
        for size in [0.0, -1.0, f32::NAN, f32::MAX] {
            assert_eq!(fit("Kaffee", &Manner { size, floor: size, ..MANNER }, room(200.0)), none);
        }
        let above = fit("Kaffee", &Manner { floor: 20.0, ..MANNER }, room(200.0));
        assert_eq!(above, fit("Kaffee", &MANNER, room(200.0)), "a floor above the size is the size");
    }

    #[test]
    fn lines_break_between_words_and_in_words_that_are_too_wide_alone() {
        let block = fit("Gratis koffie bij besteding", &MANNER, room(45.0));
        let lines: Vec<_> = block.lines.iter().map(said).collect();
        assert_eq!(lines, [["Gratis koffie bij"], ["besteding"]]);
        let block = fit("Donaudampfschifffahrtsgesellschaft", &MANNER, room(40.0));
        assert!(matches!(block.fate, Fate::Wrapped(3)), "{:?}", block.fate);
        let text: String = block.lines.iter().flat_map(said).collect();
        assert_eq!(text, "Donaudampfschifffahrtsgesellschaft");
        let baselines: Vec<f32> = block.lines.iter().map(|line| line.baseline).collect();
        assert!((baselines[1] - baselines[0] - 6.81).abs() < 0.01, "{baselines:?}");
    }

    #[test]
    fn what_is_cut_ends_in_the_ellipsis_where_reading_ends() {
        let block = fit("Gratis koffie bij besteding van twee euro of meer", &MANNER, room(30.0));
        let (last, before) = block.lines.split_last().unwrap();
        assert_eq!((block.fate, before.len()), (Fate::Cut, 2));
        assert!(said(last).concat().ends_with('…'), "{last:?}");
        assert!(!said(last).concat().ends_with(" …"));
        let one_line = Room { lines_max: 1, ..room(30.0) };
        for text in
            ["קפה חינם לכל הלקוחות שלנו", "قهوة مجانية لجميع زبائننا الكرام", "קפה Grande Latte Macchiato"]
        {
            let block = fit(text, &MANNER, one_line);
            let leftmost = &block.lines[0].runs[0];
            assert_eq!(block.fate, Fate::Cut);
            assert!(leftmost.text.ends_with('…'), "{:?}", said(&block.lines[0]));
            assert_eq!(leftmost.text[leftmost.glyphs[0].text.clone()], *"…");
        }
        // A letter and its accent are two characters, and one to whoever reads: they are not parted.
        let block = fit(
            "e\u{301}e\u{301}e\u{301}e\u{301}e\u{301}e\u{301}",
            &MANNER,
            Room { lines_max: 1, ..room(12.0) },
        );
        assert_eq!(said(&block.lines[0]).concat(), "e\u{301}e\u{301}…");
    }

    fn rank(fate: Fate) -> u8 {
        match fate {
            Fate::Whole => 0,
            Fate::Shrunk(_) => 1,
            Fate::Wrapped(_) => 2,
            Fate::Cut => 3,
        }
    }

    /// Text of anything that there is, and more often of what is hard.
    fn anything(length: std::ops::Range<usize>) -> impl Strategy<Value = String> {
        let hard = "  -/\u{ad}\u{200d}\u{200c}\u{200b}\u{301}\u{327}\u{5b7}\u{64b}\u{651}\u{fe0f}\u{20e3}\u{a0}…🇦🇲👩😀";
        let letters = "aefilMW3٣لاسبהשקפԱնվжЖλ中ยกำक्षि한\t\n\u{2029}\u{202e}\u{2067}\u{61c}";
        let pool: Vec<char> = hard.chars().chain(letters.chars()).collect();
        vec(prop_oneof![4 => select(pool), 1 => any::<char>()], length)
            .prop_map(|chars| chars.into_iter().collect())
    }

    /// All that must hold of any block, whatever the text.
    fn check(text: &str, manner: &Manner, room: Room, block: &Block) -> Result<(), TestCaseError> {
        prop_assert!(block.width <= room.width + 0.01 && block.height <= room.height + 0.01);
        prop_assert!(block.lines.len() <= room.lines_max);
        for line in &block.lines {
            prop_assert!(line.baseline > 0.0 && line.baseline < room.height);
            let mut x = line.runs[0].x;
            prop_assert!(x >= 0.0);
            for run in &line.runs {
                prop_assert!((run.x - x).abs() < 0.01);
                prop_assert!(run.size <= manner.size && run.size >= manner.floor - 0.001);
                x += run.glyphs.iter().map(|glyph| glyph.advance).sum::<f32>();
                let mut shown: Vec<_> = run.glyphs.iter().map(|glyph| glyph.text.clone()).collect();
                shown.retain(|range| !range.is_empty());
                shown.sort_by_key(|range| range.start);
                let ends = shown.iter().map(|range| range.end);
                prop_assert!(
                    shown
                        .iter()
                        .map(|range| range.start)
                        .eq(std::iter::once(0).chain(ends).take(shown.len()))
                );
                prop_assert_eq!(shown.last().map(|range| range.end), Some(run.text.len()));
            }
            prop_assert!(x <= room.width + 0.01);
        }
        let mut letters: Vec<char> = runs(block).flat_map(|run| run.text.chars()).collect();
        if block.fate == Fate::Cut {
            prop_assert!(block.lines.is_empty() || letters.contains(&'…'));
        } else {
            let mut all: Vec<char> = clean(text).chars().collect();
            for letters in [&mut letters, &mut all] {
                letters.retain(|char| !char.is_whitespace());
                letters.sort_unstable();
            }
            prop_assert_eq!(letters, all);
        }
        Ok(())
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn anything_stays_within_its_room_and_is_shown_once(
            text in anything(0..80),
            width in 1.0f32..300.0,
            height in 1.0f32..60.0,
            lines_max in 1usize..4,
            align in select(vec![Align::Start, Align::Left, Align::Center, Align::Right]),
        ) {
            let room = Room { width, height, lines_max };
            let manner = Manner { align, ..MANNER };
            let mut typesetter = Typesetter::new(Arc::clone(&TYPEFACES));
            let block = typesetter.fit(&text, &manner, room);
            check(&text, &manner, room, &block)?;
            // What was set before leaves no trace, and neither does who sets it.
            typesetter.fit("قهوة", &MANNER, room);
            prop_assert_eq!(&typesetter.fit(&text, &manner, room), &block);
            prop_assert_eq!(&fit(&text, &manner, room), &block);
            let boxed = runs(&block).any(|run| run.glyphs.iter().any(|glyph| glyph.id == 0));
            prop_assert!(!boxed || !typesetter.missing(&text, Family::Sans).is_empty());
        }

        #[test]
        fn less_room_never_makes_more_of_a_text(
            words in vec(select(vec!["koffie", "of", "Heißgetränk", "кофе", "سلام", "קפה", "2026", "x"]), 1..8),
            mut widths in vec(5.0f32..250.0, 2..5),
        ) {
            let text = words.join(" ");
            widths.sort_by(f32::total_cmp);
            let mut typesetter = Typesetter::new(Arc::clone(&TYPEFACES));
            let ranks: Vec<u8> =
                widths.iter().map(|width| rank(typesetter.fit(&text, &MANNER, room(*width)).fate)).collect();
            prop_assert!(ranks.is_sorted_by(|narrow, wide| narrow >= wide), "{ranks:?}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn a_very_long_text_is_no_trouble(text in anything(9_000..10_000), width in 20.0f32..300.0) {
            check(&text, &MANNER, room(width), &fit(&text, &MANNER, room(width)))?;
        }
    }
}
