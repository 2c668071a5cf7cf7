//! Text on coupons: from characters to glyphs that stand where they belong.
//!
//! All lengths are in points. A block's origin is the top left corner of the room that it was set for,
//! with y growing downwards.

mod face;
mod faces;
mod lines;
mod setter;
mod shaping;
#[cfg(test)]
mod specimen;

pub use crate::campaigns::style::{Align, Family};
pub use face::{Face, Outlines};
pub use faces::Typefaces;
pub use setter::Typesetter;
use std::ops::Range;

/// One of the fonts that are there, by its place among them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FaceId(pub u16);

/// How a text is to be set.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Manner {
    /// The family that its characters are taken from, as far as it has them.
    pub family: Family,
    /// Whether it is bold.
    pub bold: bool,
    /// Its size.
    pub size: f32,
    /// The size below which it is not shrunk to fit.
    pub floor: f32,
    /// Where its lines stand.
    pub align: Align,
}

/// The place that there is for a text.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Room {
    /// How wide a line can be.
    pub width: f32,
    /// How high all lines together can be; one takes [`Typefaces::line_height`], or more where marks are
    /// stacked.
    pub height: f32,
    /// How many lines there can be.
    pub lines_max: usize,
}

/// A text that was set.
#[derive(Clone, Debug, PartialEq)]
pub struct Block {
    /// Its lines, from the first.
    pub lines: Vec<Line>,
    /// What had to be done for it to fit.
    pub fate: Fate,
    /// The width of the longest line.
    pub width: f32,
    /// From the top of the first line to the bottom of the last.
    pub height: f32,
}

/// What had to be done for a text to fit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fate {
    /// Nothing.
    Whole,
    /// It was set smaller, at this size.
    Shrunk(f32),
    /// It was set at its smallest size, on so many lines.
    Wrapped(usize),
    /// Its end is missing: an ellipsis stands for it.
    Cut,
}

/// One line.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// Where its glyphs stand, below the top of the block.
    pub baseline: f32,
    /// Its parts, from left to right.
    pub runs: Vec<Run>,
}

/// A part of a line in one font and direction.
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    /// Its font.
    pub face: FaceId,
    /// Its size.
    pub size: f32,
    /// Where it begins, from the left of the room.
    pub x: f32,
    /// Whether it is read from right to left.
    pub rtl: bool,
    /// What it says, in the order in which it is read.
    pub text: String,
    /// Its glyphs, from left to right.
    pub glyphs: Vec<Glyph>,
}

/// A glyph.
#[derive(Clone, Debug, PartialEq)]
pub struct Glyph {
    /// Its number in the font.
    pub id: u16,
    /// How far the next one is.
    pub advance: f32,
    /// How far it is moved to the right.
    pub dx: f32,
    /// How far it is moved upwards.
    pub dy: f32,
    /// What of its run's text it shows; empty for all but the first glyph of a cluster.
    pub text: Range<usize>,
}
