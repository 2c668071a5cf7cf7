//! What a machine reads: the QR code, the bars, and the code below them.

use super::design::{Design, Measure, Shape};
use crate::{
    campaigns::style::Look,
    coupons::{
        area::{Area, mm},
        bars,
        sheet::Cell,
        symbol,
    },
};

/// The smallest module of a QR code.
const MODULE_MIN: f32 = mm(0.33);
/// The least that a QR code measures beside bars, without its quiet zone: bars give way to it.
const DARK_MIN: f32 = mm(10.0);
/// The narrowest module of a bar code, and the widest that looks right.
const BAR: (f32, f32) = (mm(0.19), mm(0.33));
/// What nothing may be printed on at the edges of a cell, quiet zones included.
const EDGE: f32 = mm(0.5);
/// The most that the code measures, of what it measures by itself.
const CODE_MAX: f32 = 2.0;
/// The height of a line of the code, of its size.
const LEADING: f32 = 1.3;

/// What the stamp of a coupon is made of.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    /// Modules of the QR code's side.
    pub modules: usize,
    /// The widths of the code's parts as text at a size of one point: it is broken between them.
    pub code: Vec<f32>,
    /// Modules of the bars, where they are asked for and there can be some.
    pub bars: Option<usize>,
}

/// Where it all stands. On a high coupon everything is from the top of the stamp, which has its
/// place among the lines; on a wide one from the top of the coupon.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stamp {
    /// The QR code with its quiet zone.
    pub symbol: Area,
    /// The code.
    pub code: Area,
    /// The size of the code, in points.
    pub code_size: f32,
    /// On how many lines it stands.
    pub code_lines: usize,
    /// The bars with their quiet zones.
    pub bars: Option<Area>,
    /// How high it is.
    pub height: f32,
    /// What is left for the lines beside it, on a wide coupon.
    pub beside: Area,
}

/// A QR code that has no room, and what its modules would measure.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TooDense {
    /// In points.
    pub module: f32,
}

impl Stamp {
    /// Places what is to be read in a cell.
    pub fn place(cell: &Cell, design: &Design, reading: &Reading, look: &Look) -> Result<Self, TooDense> {
        let measure = code_measure(design, look);
        let bare = place(cell, design, reading, &measure, None)?;
        let below = || {
            let stamp =
                place(cell, design, reading, &measure, Some(bars_area(cell, design, reading)?)).ok()?;
            (stamp.dark(reading.modules) >= DARK_MIN).then_some(stamp)
        };
        Ok(bare.with_bars_beside(cell, reading).or_else(below).unwrap_or(bare))
    }

    /// The same with bars below the lines beside it, if they can be wide enough there.
    fn with_bars_beside(&self, cell: &Cell, reading: &Reading) -> Option<Self> {
        let modules = (reading.bars? + 2 * bars::QUIET) as f32;
        let lines = self.beside;
        let to_edge = (cell.width - EDGE - lines.x) / modules;
        let to_margin = (cell.width - bars_margin(cell) - lines.x) / (modules - bars::QUIET as f32);
        let module = to_edge.min(to_margin).min(BAR.1);
        let height = (self.height * 0.15).clamp(mm(4.5), mm(7.0));
        let bars = Area::new(lines.x, lines.bottom() - height, module * modules, height);
        let beside = Area::new(lines.x, lines.y, lines.width, lines.height - height - mm(1.0));
        (module >= BAR.0 && lines.width > 0.0).then_some(Self { bars: Some(bars), beside, ..*self })
    }

    /// What the QR code measures without its quiet zone.
    fn dark(&self, modules: usize) -> f32 {
        self.symbol.width * modules as f32 / full(modules)
    }

    /// A module of the QR code.
    pub fn module(&self, modules: usize) -> f32 {
        self.symbol.width / full(modules)
    }
}

/// Modules of a side with both quiet zones.
fn full(modules: usize) -> f32 {
    (modules + 2 * symbol::QUIET) as f32
}

/// The size of the code as it is asked for: so large as to take the room of the QR code it can't be.
fn code_measure(design: &Design, look: &Look) -> Measure {
    let size = look.font_size.unwrap_or(design.code.size).min(CODE_MAX * design.code.size);
    Measure { size, floor: design.code.floor.min(size), ..design.code }
}

/// The bars' size, if they can be wide enough.
fn bars_area(cell: &Cell, design: &Design, reading: &Reading) -> Option<Area> {
    let dark = reading.bars? as f32;
    let modules = dark + 2.0 * bars::QUIET as f32;
    let module = match design.shape {
        Shape::Strip => (cell.width - 2.0 * cell.sides) / modules,
        Shape::Wide | Shape::Tall => {
            let to_margins = (cell.width - 2.0 * bars_margin(cell)) / dark;
            to_margins.min((cell.width - 2.0 * EDGE) / modules)
        }
    };
    let module = module.min(BAR.1);
    let height = match (design.shape, cell.height) {
        (Shape::Wide, Some(height)) => (height * 0.15).clamp(mm(4.5), mm(6.0)),
        _ => mm(10.0),
    };
    (module >= BAR.0).then(|| Area::new((cell.width - module * modules) / 2.0, 0.0, module * modules, height))
}

/// What bars keep free at the sides of a cell: they can do with a little less than text.
fn bars_margin(cell: &Cell) -> f32 {
    cell.sides - mm(1.0)
}

/// The size of the code in `width`, and how many lines it takes.
fn set_code(measure: &Measure, code: &[f32], width: f32) -> (f32, usize) {
    let size = (width / code.iter().sum::<f32>().max(0.01)).min(measure.size);
    if size >= measure.floor {
        return (size, 1);
    }
    let (mut lines, mut used) = (1, 0.0);
    for part in code.iter().map(|part| part * measure.floor) {
        if used > 0.0 && used + part > width {
            lines += 1;
            used = 0.0;
        }
        // A part that is too wide alone is broken where a line is full.
        let full = (part / width).floor().min(100.0);
        lines += full as usize;
        used += part - full * width;
    }
    (measure.floor, lines.clamp(2, measure.lines))
}

fn place(
    cell: &Cell,
    design: &Design,
    reading: &Reading,
    measure: &Measure,
    bars: Option<Area>,
) -> Result<Stamp, TooDense> {
    let stamp = match (design.shape, cell.height) {
        (Shape::Wide, Some(height)) => wide(cell, height, design, reading, measure, bars),
        _ => high(cell, design, reading, measure, bars),
    };
    let module = stamp.module(reading.modules);
    // A hair less is no reason to refuse.
    if module < MODULE_MIN * 0.995 { Err(TooDense { module }) } else { Ok(stamp) }
}

/// Beside the lines.
fn wide(
    cell: &Cell,
    height: f32,
    design: &Design,
    reading: &Reading,
    measure: &Measure,
    bars: Option<Area>,
) -> Stamp {
    let quiet = symbol::QUIET as f32 / full(reading.modules);
    let strip = bars.map_or(0.0, |bars| bars.height + mm(0.5));
    let least = MODULE_MIN * full(reading.modules);
    let mut code = (measure.size, 1);
    let (mut side, mut x) = (0.0, 0.0);
    // The code below it takes of its height, and how much depends on its width.
    for _ in 0..3 {
        let below = code.0 * LEADING * code.1 as f32;
        let room = height - cell.ends - below - strip;
        side = (design.symbol * cell.width).max(least).min(room).min(0.62 * cell.width).max(1.0);
        x = (cell.sides - quiet * side).max(EDGE);
        let width = if bars.is_some() { cell.width - 2.0 * cell.sides } else { side - quiet * side };
        code = set_code(measure, &reading.code, width);
    }
    let below = code.0 * LEADING * code.1 as f32;
    let top = ((height - side - below - strip - quiet * side) / 2.0).max(0.0);
    let under = top + side;
    let code_area = match bars {
        Some(_) => Area::new(cell.sides, under + strip, cell.width - 2.0 * cell.sides, below),
        None => Area::new(x + quiet * side / 2.0, under, side - quiet * side, below),
    };
    let left = x + side + mm(0.5);
    let bottom = if bars.is_some() { under - mm(1.0) } else { height - cell.ends };
    Stamp {
        symbol: Area::new(x, top, side, side),
        code: code_area,
        code_size: code.0,
        code_lines: code.1,
        bars: bars.map(|bars| Area { y: under, ..bars }),
        height,
        beside: Area::new(left, cell.ends, cell.width - cell.sides - left, bottom - cell.ends),
    }
}

/// Among the lines.
fn high(cell: &Cell, design: &Design, reading: &Reading, measure: &Measure, bars: Option<Area>) -> Stamp {
    let width = cell.width - 2.0 * cell.sides;
    let side = (design.symbol * cell.width).max(MODULE_MIN * full(reading.modules)).min(width);
    let (code_size, code_lines) = set_code(measure, &reading.code, width);
    let under = side + bars.map_or(0.0, |bars| bars.height + mm(1.0));
    let below = code_size * LEADING * code_lines as f32;
    Stamp {
        symbol: Area::new((cell.width - side) / 2.0, 0.0, side, side),
        code: Area::new(cell.sides, under, width, below),
        code_size,
        code_lines,
        bars: bars.map(|bars| Area { y: side, ..bars }),
        height: under + below,
        beside: Area::default(),
    }
}
