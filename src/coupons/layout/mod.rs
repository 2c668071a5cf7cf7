//! Layout: what stands where on a coupon.
//!
//! One design serves every sheet. On a wide coupon the QR code stands on the left and the lines
//! beside it; on a high one everything stands in the middle, one below the other. What is absent
//! gives its room to the others, and what is too long gives way in the order of [`stack`].

mod design;
mod ink;
mod spelling;
mod stack;
mod stamp;

use super::{
    area::Area,
    coupon::{Coupon, Note, Outcome, Part},
    lettering::{Block, Fate, Typesetter},
    sheet::{Cell, Sheet},
};
use crate::campaigns::style::{Align, Look};
pub use design::{Design, Shape};
pub use ink::{BLACK, Ink};
pub use spelling::Speller;
use stack::{Item, Stack};
pub use stamp::{Reading, Stamp, TooDense};

/// How far the band behind an amount goes beyond it, of its height.
const BAND: f32 = 0.05;

/// What coupons with the same lines and an equally large stamp share.
#[derive(Clone, Debug, PartialEq)]
pub struct Art {
    /// What it is made of, from the bottom to the top.
    pub pieces: Vec<Piece>,
    /// What had to be done for its lines to fit.
    pub notes: Vec<Note>,
    /// How far down the stamp stands.
    pub drop: f32,
    /// How high the coupon is.
    pub height: f32,
}

/// A piece of a coupon, from its top left corner.
#[derive(Clone, Debug, PartialEq)]
pub enum Piece {
    /// Text, and where its block begins.
    Text {
        /// From the left.
        x: f32,
        /// From the top.
        y: f32,
        /// What is set.
        block: Block,
        /// What it is printed with.
        ink: Ink,
        /// `true` for italics.
        slants: bool,
    },
    /// The logo.
    Logo(Area),
    /// A surface.
    Surface(Area, Ink),
}

/// Lays coupons out for one sheet and one logo.
#[derive(Debug)]
pub struct Layout {
    cell: Cell,
    design: Design,
    /// The logo's width by its height.
    logo: Option<f32>,
}

impl Layout {
    /// For a sheet, with a logo whose width is so many times its height.
    pub fn new(sheet: &Sheet, logo: Option<f32>) -> Self {
        Self { cell: sheet.cell(), design: Design::of(sheet.kind()), logo }
    }

    /// Places what is to be read.
    pub fn stamp(&self, reading: &Reading, look: &Look) -> Result<Stamp, TooDense> {
        Stamp::place(&self.cell, &self.design, reading, look)
    }

    /// What there is to say about a code that was set.
    pub fn code_notes(&self, look: &Look, stamp: &Stamp, block: &Block) -> Vec<Note> {
        // How large a code is that nobody asked to be large is the layout's own choice.
        let wish = look.font_size.unwrap_or(0.0);
        let outcome = match block.fate {
            Fate::Cut => Some(Outcome::Cut),
            Fate::Wrapped(lines) => Some(Outcome::Wrapped(lines)),
            Fate::Shrunk(size) if size < wish => Some(Outcome::Shrunk(size)),
            Fate::Whole if stamp.code_size < wish * 0.999 => Some(Outcome::Shrunk(stamp.code_size)),
            Fate::Shrunk(_) | Fate::Whole => None,
        };
        outcome.map(|outcome| Note { part: Part::Code, outcome }).into_iter().collect()
    }

    /// Sets the lines around a stamp.
    pub fn art(&self, setter: &mut Typesetter, coupon: &Coupon, stamp: &Stamp) -> Art {
        let wide = self.design.shape == Shape::Wide;
        let column = if wide {
            stamp.beside
        } else {
            let height = self.cell.height.map_or(0.0, |height| height - 2.0 * self.cell.ends);
            Area::new(self.cell.sides, self.cell.ends, self.cell.width - 2.0 * self.cell.sides, height)
        };
        let fixed = self.cell.height.map(|_| column.height);
        let items = stack::items(&self.design, coupon, self.logo, (!wide).then_some(stamp));
        let stack = Stack::fill(setter, items, column.width, fixed, self.design.gap);
        let height = self.cell.height.unwrap_or(stack.height + 2.0 * self.cell.ends);
        let mut art = Art { pieces: Vec::new(), notes: stack.notes, drop: 0.0, height };
        let mirrored = wide && right_to_left(coupon);
        for (item, y) in stack.placed {
            let y = column.y + y;
            match item {
                Item::Stamp { .. } => art.drop = y,
                Item::Logo { aspect, height, .. } => {
                    let width = height * aspect;
                    let free = column.width - width;
                    let x = if !wide {
                        free / 2.0
                    } else if mirrored {
                        free
                    } else {
                        0.0
                    };
                    art.pieces.push(Piece::Logo(Area::new(column.x + x, y, width, height)));
                }
                Item::Line(line) => {
                    if line.part == Part::Value && self.design.shape == Shape::Tall {
                        let band = Area::new(0.0, y, self.cell.width, line.height());
                        let band = band.inset(-self.cell.bleed, -line.height() * BAND);
                        art.pieces.insert(0, Piece::Surface(band, ink::TINT));
                    }
                    let (x, y) = (column.x + line.left(column.width), y - line.above());
                    art.pieces.push(Piece::Text {
                        x,
                        y,
                        block: line.block,
                        ink: line.ink,
                        slants: line.slants,
                    });
                }
            }
        }
        art
    }
}

/// Whether a coupon is read from right to left: its first letter says so.
fn right_to_left(coupon: &Coupon) -> bool {
    let first = coupon.texts.iter().flatten().flat_map(|text| text.chars()).find(|char| char.is_alphabetic());
    first.is_some_and(|char| {
        matches!(u32::from(char), 0x0590..=0x08FF | 0xFB1D..=0xFDFF | 0xFE70..=0xFEFF | 0x10800..=0x10FFF | 0x1E800..=0x1EFFF)
    })
}

/// Where a line stands that does not say so itself.
fn align(shape: Shape, mirrored: bool) -> Align {
    match shape {
        Shape::Tall | Shape::Strip => Align::Center,
        Shape::Wide if mirrored => Align::Right,
        Shape::Wide => Align::Start,
    }
}

#[cfg(test)]
mod tests;
