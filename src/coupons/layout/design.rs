//! The design: how large things are on each kind of sheet, and what gives way first.

use crate::{campaigns::style::SheetKind, coupons::area::mm};

/// How a coupon is built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Wider than high: the symbol on the left, everything else on its right.
    Wide,
    /// Higher than wide: one below the other, in the middle.
    Tall,
    /// The same, as long as it takes.
    Strip,
}

/// How large a line is by itself, and how far it gives way.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Measure {
    /// Its size, in points.
    pub size: f32,
    /// The size below which it is not shrunk.
    pub floor: f32,
    /// How many lines it can take.
    pub lines: usize,
}

/// The measures of one kind of sheet.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Design {
    /// How its coupons are built.
    pub shape: Shape,
    /// `text1`.
    pub headline: Measure,
    /// `text2`.
    pub subline: Measure,
    /// `text3`.
    pub body: Measure,
    /// `text4`.
    pub small: Measure,
    /// What it is worth.
    pub value: Measure,
    /// Until when it is good.
    pub expiry: Measure,
    /// The code.
    pub code: Measure,
    /// Between two groups of lines.
    pub gap: f32,
    /// How high a logo is.
    pub logo: f32,
    /// The share of the width that the symbol has, with its quiet zone.
    pub symbol: f32,
}

const fn measure(size: f32, floor: f32, lines: usize) -> Measure {
    Measure { size, floor, lines }
}

/// Labels of a third of A4 or Letter in width, which the others are derived from.
const LABEL: Design = Design {
    shape: Shape::Wide,
    headline: measure(11.0, 7.5, 2),
    subline: measure(8.0, 6.0, 2),
    body: measure(6.5, 5.5, 4),
    small: measure(5.5, 4.5, 2),
    value: measure(18.0, 13.0, 1),
    expiry: measure(6.0, 4.5, 2),
    code: measure(7.0, 5.0, 4),
    gap: 3.0,
    logo: mm(7.0),
    symbol: 0.46,
};

const SMALL_LABEL: Design = Design {
    headline: measure(8.0, 6.0, 2),
    subline: measure(6.5, 5.0, 2),
    body: measure(5.5, 4.5, 3),
    small: measure(4.5, 4.0, 2),
    value: measure(14.0, 10.0, 1),
    expiry: measure(5.0, 4.0, 2),
    code: measure(5.5, 4.5, 4),
    gap: 1.5,
    logo: mm(5.0),
    ..LABEL
};

/// As wide as [`LABEL`], and as high as [`SMALL_LABEL`].
const LOW_LABEL: Design = Design {
    headline: measure(10.0, 7.0, 2),
    subline: measure(7.5, 5.5, 2),
    body: measure(6.0, 5.0, 3),
    small: measure(5.0, 4.0, 2),
    value: measure(16.0, 11.0, 1),
    gap: 2.0,
    logo: mm(5.5),
    symbol: 0.33,
    ..SMALL_LABEL
};

const WIDE_LABEL: Design = Design {
    headline: measure(14.0, 8.5, 2),
    subline: measure(10.0, 7.0, 2),
    body: measure(8.0, 6.0, 4),
    small: measure(6.0, 5.0, 2),
    value: measure(24.0, 15.0, 1),
    expiry: measure(7.0, 5.0, 2),
    code: measure(7.5, 5.0, 4),
    gap: 3.5,
    logo: mm(8.0),
    symbol: 0.36,
    ..LABEL
};

const BUSINESS_CARD: Design = Design {
    headline: measure(14.0, 8.5, 2),
    subline: measure(10.0, 7.0, 2),
    body: measure(8.0, 6.0, 5),
    small: measure(6.0, 5.0, 3),
    value: measure(26.0, 18.0, 1),
    expiry: measure(7.0, 5.0, 2),
    code: measure(7.5, 5.0, 4),
    gap: 6.0,
    logo: mm(10.0),
    symbol: 0.44,
    ..LABEL
};

const A6: Design = Design {
    shape: Shape::Tall,
    headline: measure(24.0, 15.0, 2),
    subline: measure(14.0, 10.0, 2),
    body: measure(11.0, 8.0, 5),
    small: measure(7.5, 6.0, 4),
    value: measure(44.0, 28.0, 1),
    expiry: measure(9.5, 7.0, 2),
    code: measure(12.0, 7.0, 4),
    gap: mm(5.0),
    logo: mm(16.0),
    symbol: 0.5,
};

const NARROW_RECEIPT: Design = Design {
    shape: Shape::Strip,
    headline: measure(16.0, 11.0, 4),
    subline: measure(11.0, 9.0, 4),
    body: measure(9.0, 9.0, 20),
    small: measure(7.5, 7.5, 20),
    value: measure(32.0, 14.0, 1),
    expiry: measure(8.5, 7.5, 4),
    code: measure(9.0, 6.5, 5),
    gap: mm(3.0),
    logo: mm(13.0),
    symbol: 0.64,
};

const WIDE_RECEIPT: Design = Design {
    headline: measure(21.0, 14.0, 4),
    subline: measure(13.0, 10.0, 4),
    body: measure(10.0, 10.0, 20),
    small: measure(8.0, 8.0, 20),
    value: measure(42.0, 18.0, 1),
    expiry: measure(9.5, 8.0, 4),
    code: measure(11.0, 7.0, 5),
    gap: mm(4.0),
    logo: mm(17.0),
    symbol: 0.56,
    ..NARROW_RECEIPT
};

impl Design {
    /// That of a kind of sheet.
    pub const fn of(kind: SheetKind) -> Self {
        match kind {
            SheetKind::A4ThreeByEight | SheetKind::A4ThreeBySeven | SheetKind::LetterThreeByEight => LABEL,
            SheetKind::LetterThreeByTen => LOW_LABEL,
            SheetKind::A4FourByTen | SheetKind::LetterFourByTen => SMALL_LABEL,
            SheetKind::A4TwoBySeven | SheetKind::LetterTwoBySeven => WIDE_LABEL,
            SheetKind::BusinessCard => BUSINESS_CARD,
            SheetKind::A6 => A6,
            SheetKind::Receipt58 => NARROW_RECEIPT,
            SheetKind::Receipt80 => WIDE_RECEIPT,
        }
    }
}
