//! Set text, written so that it can be read, searched and copied.

use super::{
    fonts::{self, Cid, Fonts},
    numbers::{point, rounded},
    reading::{Reading, Shown},
};
use crate::coupons::{
    layout::Ink,
    lettering::{Block, Run},
};
use pdf_writer::{Content, Finish, Name, Str, TextStr, types::TextRenderingMode};

/// Thousandths of a size that a glyph may stand off its place.
const TOLERANCE: f32 = 0.5;

/// The lean of italics for each unit of their height: 12°, as most fonts draw them. No font here has any.
const SLANT: f32 = 0.2126;

/// The width of glyphs that are not seen, in percent of what it would be.
const SILENT_WIDTH: f32 = 1.0;

/// Fills what follows with an ink.
pub(super) fn ink(content: &mut Content, ink: Ink) {
    match ink {
        Ink::Key(black) => content.set_fill_cmyk(0.0, 0.0, 0.0, rounded(black, 3)),
        Ink::Screen(color) => {
            let [red, green, blue] =
                [color.0, color.1, color.2].map(|part| rounded(f32::from(part) / 255.0, 3));
            content.set_fill_rgb(red, green, blue)
        }
    };
}

/// Writes a block whose top left corner is at `x` and `top`, with y growing upwards.
pub(super) fn block(content: &mut Content, fonts: &mut Fonts, block: &Block, slants: bool, x: f32, top: f32) {
    let slant = if slants { SLANT } else { 0.0 };
    for line in &block.lines {
        for run in &line.runs {
            let place = Place { x: x + run.x, y: top - line.baseline, slant };
            self::run(content, fonts, run, place);
        }
    }
}

/// The start of a run, and its slant.
#[derive(Clone, Copy)]
struct Place {
    x: f32,
    y: f32,
    slant: f32,
}

fn run(content: &mut Content, fonts: &mut Fonts, run: &Run, place: Place) {
    let reading = Reading::of(fonts, run);
    if reading.told {
        show(content, run, &reading.glyphs, place);
    } else {
        // What the font can't tell glyph by glyph is told for the whole run.
        instead(content, &run.text, |content| show(content, run, &reading.glyphs, place));
    }
    if !reading.marks.is_empty() {
        instead(content, "", |content| show(content, run, &reading.marks, place));
    }
}

/// Draws something that says this.
fn instead(content: &mut Content, text: &str, draw: impl FnOnce(&mut Content)) {
    content.begin_marked_content_with_properties(Name(b"Span")).properties().actual_text(TextStr(text));
    draw(content);
    content.end_marked_content();
}

/// Shows glyphs of a run where they were set.
fn show(content: &mut Content, run: &Run, shown: &[Shown], Place { x, y, slant }: Place) {
    content.begin_text();
    content.set_font(Name(fonts::name(run.face).as_bytes()), rounded(run.size, 3));
    if slant > 0.0 {
        content.set_text_matrix([1.0, 0.0, slant, 1.0, point(x), point(y)]);
    } else {
        content.next_line(point(x), point(y));
    }
    let thousandth = run.size / 1000.0;
    // Where the next glyph would stand by itself.
    let mut pen = 0.0;
    let mut rise = 0.0;
    let together = |one: &Shown, next: &Shown| {
        (one.rise - next.rise).abs() < 0.001 && one.after.is_empty() && next.before.is_empty()
    };
    for part in shown.chunk_by(together) {
        let level = part.first().map_or(0.0, |shown| point(shown.rise));
        if (level - rise).abs() > 0.0 {
            content.set_rise(level);
            rise = level;
        }
        part.first().into_iter().for_each(|first| silently(content, &first.before));
        let mut positioned = content.show_positioned();
        let mut items = positioned.items();
        let mut bytes: Vec<u8> = Vec::new();
        for Shown { at, cid, .. } in part {
            let off = ((pen - at) / thousandth).round();
            if off.abs() > TOLERANCE {
                if !bytes.is_empty() {
                    items.show(Str(&bytes));
                    bytes.clear();
                }
                items.adjust(off);
                pen -= off * thousandth;
            }
            bytes.extend(cid.id.to_be_bytes());
            pen += cid.width * thousandth;
        }
        items.show(Str(&bytes));
        items.finish();
        positioned.finish();
        part.last().into_iter().for_each(|last| silently(content, &last.after));
    }
    if rise.abs() > 0.0 {
        content.set_rise(0.0);
    }
    content.end_text();
}

/// Says something without showing it or moving on.
fn silently(content: &mut Content, cids: &[Cid]) {
    if cids.is_empty() {
        return;
    }
    // Next to nothing wide, or readers would take what overlaps for another line.
    content.set_text_rendering_mode(TextRenderingMode::Invisible).set_horizontal_scaling(SILENT_WIDTH);
    let mut positioned = content.show_positioned();
    let mut items = positioned.items();
    for cid in cids {
        items.show(Str(&cid.id.to_be_bytes())).adjust(cid.width);
    }
    items.finish();
    positioned.finish();
    content.set_text_rendering_mode(TextRenderingMode::Fill).set_horizontal_scaling(100.0);
}
