//! Pages: coupons in their cells, and what is printed around them.

use super::{
    fonts::Fonts,
    numbers::{point, rounded},
    text,
};
use crate::coupons::{
    area::{Area, mm},
    bars::Bar,
    composer::Composed,
    layout::{Art, BLACK, Piece},
    lettering::{Align, Family, Manner, Room, Typesetter},
    sheet::{Mark, RULER_TEXT, Ruler, TICK},
    symbol::{self, Symbol},
};
use pdf_writer::{Content, Name, Rect};

/// The width of lines that are cut at or measured by.
const HAIRLINE: f32 = 0.25;
/// What the logo is called in resources.
pub(super) const LOGO: &str = "Logo";

/// An area in a PDF, whose y grows upwards from the bottom of a sheet of this height.
pub(super) fn rect(area: &Area, height: f32) -> Rect {
    let (bottom, top) = (height - area.bottom(), height - area.y);
    Rect::new(point(area.x), point(bottom), point(area.right()), point(top))
}

/// What coupons share, in a coordinate system whose origin is a coupon's lower left corner.
pub(super) fn art(fonts: &mut Fonts, art: &Art) -> Content {
    let mut content = Content::new();
    for piece in &art.pieces {
        match piece {
            Piece::Surface(area, ink) => {
                text::ink(&mut content, *ink);
                let rect = self::rect(area, art.height);
                content.rect(rect.x1, rect.y1, point(area.width), point(area.height)).fill_nonzero();
            }
            Piece::Logo(area) => {
                let [width, height] = [area.width, area.height].map(point);
                let (x, y) = (point(area.x), point(art.height - area.bottom()));
                content.save_state().transform([width, 0.0, 0.0, height, x, y]);
                content.x_object(Name(LOGO.as_bytes())).restore_state();
            }
            Piece::Text { x, y, block, ink, slants } => {
                text::ink(&mut content, *ink);
                text::block(&mut content, fonts, block, *slants, *x, art.height - y);
            }
        }
    }
    content
}

/// One coupon: its artwork by its name, its code, its QR code and its bars.
pub(super) fn coupon(
    content: &mut Content,
    fonts: &mut Fonts,
    composed: &Composed,
    symbol: &Symbol,
    art: &str,
    (x, y): (f32, f32),
) {
    let (stamp, height) = (&composed.stamp, composed.art.height);
    let top = height - composed.art.drop;
    content.save_state().transform([1.0, 0.0, 0.0, 1.0, point(x), point(y)]);
    content.x_object(Name(art.as_bytes()));
    text::ink(content, composed.ink);
    text::block(content, fonts, &composed.code, composed.slants, stamp.code.x, top - stamp.code.y);
    self::symbol(content, symbol, &stamp.symbol, top);
    if let (Some(bars), Some(area)) = (&composed.bars, &stamp.bars) {
        self::bars(content, &bars.draw(), bars.width(), area, top);
    }
    content.restore_state();
}

/// The dark modules as one path in units of modules, from the top left one.
fn symbol(content: &mut Content, symbol: &Symbol, area: &Area, top: f32) {
    let module = rounded(area.width / (symbol.width() + 2 * symbol::QUIET) as f32, 4);
    let quiet = module * symbol::QUIET as f32;
    let (x, y) = (point(area.x + quiet), point(top - area.y - quiet));
    content.save_state();
    text::ink(content, BLACK);
    content.transform([module, 0.0, 0.0, -module, x, y]);
    for [x, y, width, height] in symbol.blocks() {
        content.rect(x as f32, y as f32, width as f32, height as f32);
    }
    content.fill_nonzero().restore_state();
}

/// Bars as one path in units of modules.
fn bars(content: &mut Content, bars: &[Bar], modules: usize, area: &Area, top: f32) {
    let module = rounded(area.width / (modules + 2 * crate::coupons::bars::QUIET) as f32, 4);
    let x = point(area.x + module * crate::coupons::bars::QUIET as f32);
    content.save_state();
    text::ink(content, BLACK);
    content.transform([module, 0.0, 0.0, point(area.height), x, point(top - area.bottom())]);
    for [from, width] in bars {
        content.rect(*from as f32, 0.0, *width as f32, 1.0);
    }
    content.fill_nonzero().restore_state();
}

/// Marks and ruler, on paper of this height.
pub(super) fn furniture(
    setter: &mut Typesetter,
    fonts: &mut Fonts,
    (marks, ruler): (&[Mark], Option<&Ruler>),
    height: f32,
) -> Content {
    let mut content = Content::new();
    content.set_stroke_cmyk(0.0, 0.0, 0.0, 1.0).set_line_width(HAIRLINE);
    let mut line = |from: (f32, f32), to: (f32, f32)| {
        content.move_to(point(from.0), point(height - from.1)).line_to(point(to.0), point(height - to.1));
    };
    for mark in marks {
        line(mark.from, mark.to);
    }
    if let Some(ruler) = ruler {
        for millimetre in 0..=ruler.millimetres {
            let x = ruler.x + mm(f32::from(millimetre));
            let tick = match millimetre {
                n if n % 10 == 0 => 1.0,
                n if n % 5 == 0 => 0.7,
                _ => 0.4,
            };
            line((x, ruler.y + TICK * (1.0 - tick)), (x, ruler.y + TICK));
        }
        let base = ruler.y + TICK;
        line((ruler.x, base), (ruler.x + mm(f32::from(ruler.millimetres)), base));
    }
    content.stroke();
    if let Some(ruler) = ruler {
        let manner = Manner {
            family: Family::Sans,
            bold: false,
            size: RULER_TEXT,
            floor: RULER_TEXT,
            align: Align::Left,
        };
        let room = Room { width: mm(60.0), height: mm(10.0), lines_max: 1 };
        let words = setter.fit(&ruler.words(), &manner, room);
        let (x, y) = if ruler.below {
            (ruler.x, ruler.y + TICK + mm(0.5))
        } else {
            (ruler.x + mm(f32::from(ruler.millimetres) + 2.0), ruler.y + (TICK - words.height) / 2.0)
        };
        text::ink(&mut content, BLACK);
        text::block(&mut content, fonts, &words, false, x, height - y);
    }
    content
}
