//! Sheets: where coupons stand on paper, where it is cut, and what is printed around them.

mod stock;

use super::area::{Area, mm};
use crate::campaigns::style::SheetKind;
use stock::{Grid, Stock};

/// The most that artwork goes on beyond the cut.
pub const BLEED_MAX: f32 = mm(10.0);
/// The most that what is printed can be moved by.
pub const OFFSET_MAX: f32 = mm(10.0);
/// What is left around the bleed of a single coupon for marks and ruler.
const SLUG: f32 = mm(9.0);
/// Between what is cut, or its bleed, and the marks that say where.
const MARK_GAP: f32 = mm(1.0);
/// The length of a mark, where there is room for it.
const MARK_LENGTH: f32 = mm(4.0);
/// What a printer does not reach at the edge of a sheet.
const UNPRINTABLE: f32 = mm(4.2);
/// A ruler's ticks.
pub const TICK: f32 = mm(2.0);
/// The size of a ruler's words.
pub const RULER_TEXT: f32 = 6.0;
/// The room that a ruler's words take.
const RULER_WORDS: f32 = mm(30.0);

/// What coupons are printed on, and how: a kind of sheet with what was asked of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sheet {
    kind: SheetKind,
    stock: Stock,
    bleed: f32,
    marks: bool,
    ruler: bool,
    /// Places of the first page that stay empty.
    used: usize,
    /// How far everything is moved, to the right and down.
    offset: (f32, f32),
}

/// The place that one coupon has.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cell {
    /// Its width.
    pub width: f32,
    /// Its height, or none where it is as high as the coupon.
    pub height: Option<f32>,
    /// What is kept free of text at its left and right.
    pub sides: f32,
    /// What is kept free of text at its top and bottom.
    pub ends: f32,
    /// How far artwork goes on beyond it.
    pub bleed: f32,
}

/// A page of coupons, from the top left corner of its paper.
#[derive(Clone, Debug, PartialEq)]
pub struct Page {
    /// The paper.
    pub media: Area,
    /// The paper after it was cut.
    pub trim: Area,
    /// The same with its bleed.
    pub bleed: Area,
    /// Where coupons stand.
    pub cells: Vec<Area>,
    /// Hairlines that say where to cut.
    pub marks: Vec<Mark>,
    /// Where its ruler stands.
    pub ruler: Option<Ruler>,
}

/// A hairline to cut at.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Mark {
    /// Where it begins.
    pub from: (f32, f32),
    /// Where it ends.
    pub to: (f32, f32),
}

/// A scale that shows whether a page was printed at its size.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ruler {
    /// The left end of its scale.
    pub x: f32,
    /// The top of its ticks.
    pub y: f32,
    /// How long it is, in millimetres.
    pub millimetres: u16,
    /// Whether its words stand below the scale, for want of room beside it.
    pub below: bool,
}

impl Page {
    /// Moves what is printed; the paper stays where it is.
    fn shift(&mut self, (right, down): (f32, f32)) {
        let moved = |(x, y): (f32, f32)| (x + right, y + down);
        for cell in &mut self.cells {
            (cell.x, cell.y) = moved((cell.x, cell.y));
        }
        for mark in &mut self.marks {
            (mark.from, mark.to) = (moved(mark.from), moved(mark.to));
        }
        if let Some(ruler) = &mut self.ruler {
            (ruler.x, ruler.y) = moved((ruler.x, ruler.y));
        }
    }
}

impl Ruler {
    /// What it says.
    pub fn words(&self) -> String {
        format!("{} mm · print at 100 %", self.millimetres)
    }
}

impl Sheet {
    /// A sheet of this kind; what is not asked for is as it is usual for the kind.
    ///
    /// Labels have marks and a ruler in their margins, and no bleed: their artwork ends before
    /// the cut. A strip of paper is torn off: it has neither bleed nor marks.
    pub fn new(kind: SheetKind, bleed: Option<f32>, marks: Option<bool>, ruler: Option<bool>) -> Self {
        let stock = Stock::of(kind);
        let (labels, single) = (matches!(stock, Stock::Labels(_)), matches!(stock, Stock::Single { .. }));
        let bleed = bleed.filter(|bleed| single && bleed.is_finite()).unwrap_or(0.0).clamp(0.0, BLEED_MAX);
        let marks = marks.unwrap_or(labels) && (labels || single);
        Self { kind, stock, bleed, marks, ruler: ruler.unwrap_or(labels), used: 0, offset: (0.0, 0.0) }
    }

    /// One whose first coupon stands on the place with this number, counted from 1 along the rows: the
    /// labels before it are used. It stands on the first where there is none of that number.
    #[must_use]
    pub fn starting_at(self, start: usize) -> Self {
        let used = start.checked_sub(1).filter(|used| *used < self.coupons()).unwrap_or(0);
        Self { used, ..self }
    }

    /// One on which everything stands so far to the right and down, for a printer that is off by as much.
    #[must_use]
    pub fn moved(self, right: f32, down: f32) -> Self {
        let bounded =
            |length: f32| if length.is_finite() { length.clamp(-OFFSET_MAX, OFFSET_MAX) } else { 0.0 };
        Self { offset: (bounded(right), bounded(down)), ..self }
    }

    /// Its kind.
    pub fn kind(&self) -> SheetKind {
        self.kind
    }

    /// How many coupons stand on a page.
    pub fn coupons(&self) -> usize {
        match self.stock {
            Stock::Labels(grid) => usize::from(grid.columns) * usize::from(grid.rows),
            Stock::Single { .. } | Stock::Strip { .. } => 1,
        }
    }

    /// How many coupons stand on the first page, or on another.
    pub fn coupons_on(&self, first: bool) -> usize {
        self.coupons() - if first { self.used } else { 0 }
    }

    /// The place that one coupon has.
    pub fn cell(&self) -> Cell {
        match self.stock {
            Stock::Labels(Grid { cell: (width, height), .. }) => {
                let ends = if height < mm(30.0) { mm(2.0) } else { mm(2.5) };
                Cell { width, height: Some(height), sides: mm(3.0), ends, bleed: 0.0 }
            }
            Stock::Single { width, height } => {
                Cell { width, height: Some(height), sides: mm(5.0), ends: mm(5.0), bleed: self.bleed }
            }
            Stock::Strip { paper, printable } => {
                let sides = (paper - printable) / 2.0;
                Cell { width: paper, height: None, sides, ends: mm(4.0), bleed: 0.0 }
            }
        }
    }

    /// A page. `height` is that of a coupon on a strip of paper, and `first` says whether it is
    /// the first: a strip has its ruler there alone.
    pub fn page(&self, height: f32, first: bool) -> Page {
        let mut page = match self.stock {
            Stock::Labels(grid) => self.labels(&grid),
            Stock::Single { width, height } => self.single(width, height),
            Stock::Strip { paper, printable } => self.strip(paper, printable, height, first),
        };
        if first {
            page.cells.drain(..self.used);
        }
        page.shift(self.offset);
        page
    }

    fn labels(&self, grid: &Grid) -> Page {
        let paper = Area::new(0.0, 0.0, grid.paper.0, grid.paper.1);
        // Between the marks and what a printer does not reach.
        let y = paper.height - grid.top() + MARK_GAP + MARK_LENGTH.min(grid.top() / 3.0) + mm(0.5);
        let ruler = ruler(grid.side(), y, paper.width - 2.0 * grid.side());
        Page {
            media: paper,
            trim: paper,
            bleed: paper,
            cells: grid.cells().collect(),
            marks: if self.marks { grid_marks(grid) } else { Vec::new() },
            ruler: ruler.filter(|_| self.ruler && y + TICK <= paper.height - UNPRINTABLE),
        }
    }

    fn single(&self, width: f32, height: f32) -> Page {
        let slug = if self.marks || self.ruler { SLUG } else { 0.0 };
        let around = slug + self.bleed;
        let trim = Area::new(around, around, width, height);
        let bleed = trim.grown(self.bleed);
        // Below the bleed, and between the marks.
        let scale = ruler(trim.x + mm(2.0), bleed.bottom() + mm(3.0), trim.width - mm(4.0));
        Page {
            media: trim.grown(around),
            trim,
            bleed,
            cells: vec![trim],
            marks: if self.marks { corner_marks(&trim, self.bleed) } else { Vec::new() },
            ruler: scale.filter(|_| self.ruler),
        }
    }

    fn strip(&self, paper: f32, printable: f32, height: f32, first: bool) -> Page {
        let side = (paper - printable) / 2.0;
        let scale =
            ruler(side + mm(1.0), height + mm(2.0), printable - mm(2.0)).filter(|_| self.ruler && first);
        let below = if scale.is_some() { mm(10.0) } else { 0.0 };
        let media = Area::new(0.0, 0.0, paper, height + below);
        let cells = vec![Area::new(0.0, 0.0, paper, height)];
        Page { media, trim: media, bleed: media, cells, marks: Vec::new(), ruler: scale }
    }
}

/// The longest ruler that fits `width`, with its words beside it if it can be.
fn ruler(x: f32, y: f32, width: f32) -> Option<Ruler> {
    let fits = |millimetres: &u16, words: f32| mm(f32::from(*millimetres)) + words <= width;
    let beside = [100, 50].into_iter().find(|length| fits(length, RULER_WORDS));
    let longest = beside.or_else(|| [100, 50, 40].into_iter().find(|length| fits(length, 0.0)))?;
    Some(Ruler { x, y, millimetres: longest, below: beside.is_none() })
}

/// Marks around a single coupon, beyond its bleed.
fn corner_marks(trim: &Area, bleed: f32) -> Vec<Mark> {
    let (from, to) = (bleed + MARK_GAP, bleed + MARK_GAP + MARK_LENGTH);
    let mut marks = Vec::new();
    for x in [trim.x, trim.right()] {
        marks.push(Mark { from: (x, trim.y - to), to: (x, trim.y - from) });
        marks.push(Mark { from: (x, trim.bottom() + from), to: (x, trim.bottom() + to) });
    }
    for y in [trim.y, trim.bottom()] {
        marks.push(Mark { from: (trim.x - to, y), to: (trim.x - from, y) });
        marks.push(Mark { from: (trim.right() + from, y), to: (trim.right() + to, y) });
    }
    marks
}

/// Marks in the margins of a sheet, and in the gaps between its columns.
fn grid_marks(grid: &Grid) -> Vec<Mark> {
    let (left, top) = (grid.side(), grid.top());
    let (right, bottom) = (grid.paper.0 - left, grid.paper.1 - top);
    let mut marks = Vec::new();
    let length = MARK_LENGTH.min(top / 3.0);
    for column in 0..grid.columns {
        let x = left + f32::from(column) * (grid.cell.0 + grid.gap);
        for x in [x, x + grid.cell.0] {
            marks.push(Mark { from: (x, top - MARK_GAP - length), to: (x, top - MARK_GAP) });
            marks.push(Mark { from: (x, bottom + MARK_GAP), to: (x, bottom + MARK_GAP + length) });
        }
    }
    let length = MARK_LENGTH.min(left / 2.0);
    for row in 0..=grid.rows {
        let y = top + f32::from(row) * grid.cell.1;
        marks.push(Mark { from: (left - MARK_GAP - length, y), to: (left - MARK_GAP, y) });
        marks.push(Mark { from: (right + MARK_GAP, y), to: (right + MARK_GAP + length, y) });
        for column in 1..grid.columns {
            let x = left + f32::from(column) * (grid.cell.0 + grid.gap);
            let clear = grid.gap / 4.0;
            marks.push(Mark { from: (x - grid.gap + clear, y), to: (x - clear, y) });
        }
    }
    marks
}

#[cfg(test)]
mod tests;
