//! The measures of what coupons are printed on.

use crate::{
    campaigns::style::SheetKind,
    coupons::area::{Area, inch, mm},
};

/// Paper of a kind, before anything is asked of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Stock {
    /// A sheet of labels, or of coupons to be cut apart.
    Labels(Grid),
    /// One coupon a page, cut to this size.
    Single {
        /// Its width.
        width: f32,
        /// Its height.
        height: f32,
    },
    /// A strip as long as what is printed on it.
    Strip {
        /// The width of the paper.
        paper: f32,
        /// The width that a printer's head reaches.
        printable: f32,
    },
}

/// Equal cells in columns and rows, in the middle of a sheet.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Grid {
    /// The paper's width and height.
    pub(super) paper: (f32, f32),
    /// Columns.
    pub(super) columns: u16,
    /// Rows.
    pub(super) rows: u16,
    /// A cell's width and height.
    pub(super) cell: (f32, f32),
    /// Between two columns; rows have nothing between them.
    pub(super) gap: f32,
}

/// A4, as ISO 216 has it.
const A4: (f32, f32) = (mm(210.0), mm(297.0));
/// Letter, as North America has it.
const LETTER: (f32, f32) = (inch(8.5), inch(11.0));

impl Stock {
    /// The measures of a kind: those of label sheets that are sold, where there are some.
    pub(super) const fn of(kind: SheetKind) -> Self {
        match kind {
            // Avery L7159, L7160, L7163 and L7654, and all that are made to the same measures.
            SheetKind::A4ThreeByEight => labels(A4, 3, 8, (mm(63.5), mm(33.9)), mm(2.5)),
            SheetKind::A4ThreeBySeven => labels(A4, 3, 7, (mm(63.5), mm(38.1)), mm(2.5)),
            SheetKind::A4TwoBySeven => labels(A4, 2, 7, (mm(99.1), mm(38.1)), mm(2.5)),
            SheetKind::A4FourByTen => labels(A4, 4, 10, (mm(45.7), mm(25.4)), mm(2.5)),
            // Avery 5160 and 5162; the others divide a sheet with its margins, to be cut.
            SheetKind::LetterThreeByTen => labels(LETTER, 3, 10, (inch(2.625), inch(1.0)), inch(0.125)),
            SheetKind::LetterTwoBySeven => labels(LETTER, 2, 7, (inch(4.0), inch(4.0 / 3.0)), inch(0.1875)),
            SheetKind::LetterThreeByEight => labels(LETTER, 3, 8, (inch(2.625), inch(1.25)), inch(0.125)),
            SheetKind::LetterFourByTen => labels(LETTER, 4, 10, (inch(1.9375), inch(1.0)), inch(0.125)),
            SheetKind::A6 => Self::Single { width: mm(105.0), height: mm(148.0) },
            SheetKind::BusinessCard => Self::Single { width: mm(85.0), height: mm(55.0) },
            SheetKind::Receipt58 => Self::Strip { paper: mm(58.0), printable: mm(48.0) },
            SheetKind::Receipt80 => Self::Strip { paper: mm(80.0), printable: mm(72.0) },
        }
    }
}

const fn labels(paper: (f32, f32), columns: u16, rows: u16, cell: (f32, f32), gap: f32) -> Stock {
    Stock::Labels(Grid { paper, columns, rows, cell, gap })
}

impl Grid {
    /// From the left edge of the paper to the first column.
    pub(super) fn side(&self) -> f32 {
        let columns = f32::from(self.columns);
        (self.paper.0 - columns * self.cell.0 - (columns - 1.0) * self.gap) / 2.0
    }

    /// From the top edge of the paper to the first row.
    pub(super) fn top(&self) -> f32 {
        (self.paper.1 - f32::from(self.rows) * self.cell.1) / 2.0
    }

    /// The cells, row by row.
    pub(super) fn cells(&self) -> impl Iterator<Item = Area> + '_ {
        let (width, height) = self.cell;
        (0..self.rows).flat_map(move |row| {
            (0..self.columns).map(move |column| {
                let x = self.side() + f32::from(column) * (width + self.gap);
                Area::new(x, self.top() + f32::from(row) * height, width, height)
            })
        })
    }
}
