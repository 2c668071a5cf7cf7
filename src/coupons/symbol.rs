//! QR codes: the modules of one, and the rectangles that paint them.

use qrcode::{
    EcLevel, QrCode, QrResult, Version,
    bits::Bits,
    optimize::{Segment, total_encoded_len},
    types::Mode,
};

/// Modules that stay white on each side of it.
pub const QUIET: usize = 4;

/// The levels of error correction, from the highest.
const LEVELS: [EcLevel; 4] = [EcLevel::H, EcLevel::Q, EcLevel::M, EcLevel::L];
/// The last version whose counters of characters are as long as those of all before it.
const CLASSES: [i16; 3] = [9, 26, 40];
/// The number by which bytes are said to be UTF-8.
const UTF8: u32 = 26;
/// Bits that say so.
const UTF8_BITS: usize = 12;

/// Why there is no QR code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no QR code holds that much")]
pub struct TooLong;

/// How something is said by a QR code: as small as it can be, and as safe as that size allows.
#[derive(Clone, Debug)]
pub struct Plan<'a> {
    content: &'a str,
    segments: Vec<Segment>,
    version: i16,
    level: EcLevel,
}

impl<'a> Plan<'a> {
    /// The smallest version that holds `content`, and the highest level at which it still does.
    pub fn of(content: &'a str) -> Result<Self, TooLong> {
        let mut first = 1;
        for last in CLASSES {
            let counted = Version::Normal(last);
            // What is not ASCII is one piece of UTF-8, and says so.
            let (segments, bits) = if content.is_ascii() {
                let segments = shortest(content.as_bytes(), counted);
                let bits = total_encoded_len(&segments, counted);
                (segments, bits)
            } else {
                let whole = Segment { mode: Mode::Byte, begin: 0, end: content.len() };
                (vec![whole], UTF8_BITS + whole.encoded_len(counted))
            };
            let holds = |version, level| capacity(version, level).is_some_and(|capacity| bits <= capacity);
            if let Some(version) = (first..=last).find(|version| holds(*version, EcLevel::L)) {
                let level = LEVELS.into_iter().find(|level| holds(version, *level)).unwrap_or(EcLevel::L);
                return Ok(Self { content, segments, version, level });
            }
            first = last + 1;
        }
        Err(TooLong)
    }

    /// Modules of a side.
    pub fn width(&self) -> usize {
        usize::from(self.version.unsigned_abs()) * 4 + 17
    }

    /// Draws it.
    pub fn draw(&self) -> Result<Symbol, TooLong> {
        let code = self.encode().map_err(|_| TooLong)?;
        let width = code.width();
        let dark = code.to_colors().into_iter().map(|color| color == qrcode::Color::Dark).collect();
        Ok(Symbol { width, dark })
    }

    fn encode(&self) -> QrResult<QrCode> {
        let mut bits = Bits::new(Version::Normal(self.version));
        if !self.content.is_ascii() {
            bits.push_eci_designator(UTF8)?;
        }
        bits.push_segments(self.content.as_bytes(), self.segments.iter().copied())?;
        bits.push_terminator(self.level)?;
        QrCode::with_bits(bits, self.level)
    }
}

/// The bits that a version holds at a level.
fn capacity(version: i16, level: EcLevel) -> Option<usize> {
    Bits::new(Version::Normal(version)).max_len(level).ok()
}

/// Divides ASCII into pieces of digits, of what QR codes call alphanumeric, and of bytes, so that
/// all of them together are as short as they can be.
fn shortest(text: &[u8], version: Version) -> Vec<Segment> {
    const MODES: [Mode; 3] = [Mode::Numeric, Mode::Alphanumeric, Mode::Byte];
    // In sixths of a bit: three digits take ten bits, two letters eleven.
    const EACH: [usize; 3] = [20, 33, 48];
    let header = MODES.map(|mode| 6 * (4 + mode.length_bits_count(version)));
    let mut costs = header;
    // For each character and the mode that it ends in, the mode that it is best written in.
    let mut chosen: Vec<[usize; 3]> = Vec::with_capacity(text.len());
    for byte in text {
        let fits = [byte.is_ascii_digit(), is_alphanumeric(*byte), true];
        let here: [Option<usize>; 3] =
            [0, 1, 2].map(|mode| fits[mode].then(|| costs[mode].saturating_add(EACH[mode])));
        let best = [0, 1, 2].map(|to: usize| {
            let switched = |from: usize| {
                let cost = here[from].unwrap_or(NEVER);
                // A piece ends with a whole bit.
                if from == to { cost } else { cost.div_ceil(6) * 6 + header[to] }
            };
            [0, 1, 2].into_iter().map(|from| (switched(from), from)).min().unwrap_or((NEVER, 2))
        });
        costs = best.map(|(cost, _)| cost);
        chosen.push(best.map(|(_, from)| from));
    }
    let mut mode = (0..3).min_by_key(|mode| costs[*mode]).unwrap_or(2);
    let mut segments: Vec<Segment> = Vec::new();
    for (at, from) in chosen.iter().enumerate().rev() {
        mode = from[mode];
        match segments.last_mut() {
            Some(next) if next.mode == MODES[mode] => next.begin = at,
            _ => segments.push(Segment { mode: MODES[mode], begin: at, end: at + 1 }),
        }
    }
    segments.reverse();
    segments
}

/// More than anything costs.
const NEVER: usize = usize::MAX / 2;

/// What takes eleven bits a pair.
fn is_alphanumeric(byte: u8) -> bool {
    byte.is_ascii_digit() || byte.is_ascii_uppercase() || b" $%*+-./:".contains(&byte)
}

/// A QR code.
#[derive(Clone, Debug)]
pub struct Symbol {
    width: usize,
    dark: Vec<bool>,
}

/// A rectangle of dark modules: its left and top, its width and height.
pub type Block = [usize; 4];

impl Symbol {
    /// Modules of a side.
    pub fn width(&self) -> usize {
        self.width
    }

    /// The dark modules as rectangles that touch and never overlap: runs of a row, grown
    /// downwards as long as the rows below have the same run.
    pub fn blocks(&self) -> Vec<Block> {
        let mut blocks: Vec<Block> = Vec::with_capacity(self.dark.len() / 4);
        // Where in `blocks` those are that reach the row above, by their left modules.
        let mut above: Vec<Option<usize>> = vec![None; self.width];
        for (y, row) in self.dark.chunks(self.width).enumerate() {
            let mut reached = vec![None; self.width];
            let mut x = 0;
            while x < self.width {
                let run = row[x..].iter().take_while(|dark| **dark).count();
                if run > 0 {
                    let grown = above[x].filter(|index| blocks[*index][2] == run);
                    match grown {
                        Some(index) => blocks[index][3] += 1,
                        None => blocks.push([x, y, run, 1]),
                    }
                    reached[x] = grown.or(Some(blocks.len() - 1));
                }
                x += run.max(1);
            }
            above = reached;
        }
        blocks
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use qrcode::optimize::Parser;

    fn level(content: &str) -> (usize, EcLevel) {
        let plan = Plan::of(content).unwrap();
        (plan.width(), plan.level)
    }

    #[test]
    fn the_level_is_the_highest_that_does_not_grow_it() {
        assert_eq!(level("00000-ABCDEFGHJKMN"), (21, EcLevel::M));
        assert_eq!(level("ABC-2345"), (21, EcLevel::H));
        assert_eq!(level("ABCDE-23456789A"), (21, EcLevel::Q));
        assert_eq!(level("00000-ABCDEFGHJKMNPQRST23"), (21, EcLevel::L));
        assert_eq!(level("00000-ABCDEFGHJKMNPQRST234"), (25, EcLevel::Q));
        assert_eq!(level("https://example.com/v?code=00000-ABCDEFGHJKMN").0, 29);
        assert_eq!(Plan::of(&"x".repeat(3000)).unwrap_err(), TooLong);
    }

    proptest! {
        #[test]
        fn pieces_are_no_longer_than_others_make_them(
            content in "[ -~]{0,100}|[0-9]{0,9}[A-Z0-9-]{0,20}[0-9]{0,30}[a-z]{0,9}",
        ) {
            let data = content.as_bytes();
            for class in CLASSES {
                let version = Version::Normal(class);
                let ours = shortest(data, version);
                let theirs: Vec<Segment> = Parser::new(data).optimize(version).collect();
                prop_assert!(total_encoded_len(&ours, version) <= total_encoded_len(&theirs, version));
                prop_assert!(ours.windows(2).all(|pair| pair[0].end == pair[1].begin));
                let whole = (ours.first().map(|first| first.begin), ours.last().map(|last| last.end));
                prop_assert_eq!(whole, if data.is_empty() { (None, None) } else { (Some(0), Some(data.len())) });
            }
        }

        #[test]
        fn blocks_paint_the_dark_modules_once_and_nothing_else(content in "[ -~]{1,300}|\\PC{1,40}") {
            let plan = Plan::of(&content).unwrap();
            let symbol = plan.draw().unwrap();
            prop_assert_eq!(symbol.width(), plan.width());
            let mut painted = vec![0; symbol.dark.len()];
            for [x, y, width, height] in symbol.blocks() {
                for y in y..y + height {
                    painted[y * symbol.width + x..][..width].iter_mut().for_each(|count| *count += 1);
                }
            }
            let dark: Vec<i32> = symbol.dark.iter().map(|dark| i32::from(*dark)).collect();
            prop_assert_eq!(painted, dark);
        }

        #[test]
        fn no_smaller_version_and_no_higher_level_would_do(
            content in "[ -~]{1,300}|[0-9]{0,9}[A-Z0-9-]{0,20}[0-9]{0,30}[a-z]{0,9}",
        ) {
            let plan = Plan::of(&content).unwrap();
            let (version, data) = (plan.version, content.as_bytes());
            prop_assert!(plan.draw().is_ok());
            prop_assert!(version == 1 || QrCode::with_version(data, Version::Normal(version - 1), EcLevel::L).is_err());
            let higher = LEVELS.into_iter().take_while(|level| *level != plan.level);
            for level in higher {
                prop_assert!(QrCode::with_version(data, Version::Normal(version), level).is_err());
            }
        }
    }
}
