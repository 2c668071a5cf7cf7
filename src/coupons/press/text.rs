//! Set text, written so that it can be read, searched and copied.

use super::{
    fonts::{self, Cid, Fonts},
    numbers::{point, rounded},
};
use crate::coupons::{
    layout::Ink,
    lettering::{Block, Glyph, Run},
};
use pdf_writer::{Content, Finish, Name, Str, TextStr, types::TextRenderingMode};

/// Thousandths of a size that a glyph may stand off its place.
const TOLERANCE: f32 = 0.5;

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
pub(super) fn block(content: &mut Content, fonts: &mut Fonts, block: &Block, x: f32, top: f32) {
    for line in &block.lines {
        for run in &line.runs {
            self::run(content, fonts, run, x + run.x, top - line.baseline);
        }
    }
}

fn run(content: &mut Content, fonts: &mut Fonts, run: &Run, x: f32, y: f32) {
    let shown = if run.rtl { backwards(fonts, run) } else { forwards(fonts, run) };
    // What the font can't tell glyph by glyph is told for the whole run. Not where it is read from
    // right to left: readers turn such text around themselves, and would do so with this too.
    let told = run.rtl || shown.iter().all(|shown| shown.cid.told);
    if !told {
        content
            .begin_marked_content_with_properties(Name(b"Span"))
            .properties()
            .actual_text(TextStr(&run.text));
    }
    content.begin_text();
    content.set_font(Name(fonts::name(run.face).as_bytes()), rounded(run.size, 3));
    content.next_line(point(x), point(y));
    show(content, run, &shown);
    content.end_text();
    if !told {
        content.end_marked_content();
    }
}

/// A glyph, and what is told behind it by glyphs that are not seen.
#[derive(Debug)]
struct Shown<'a> {
    glyph: &'a Glyph,
    cid: Cid,
    silent: Vec<Cid>,
}

fn forwards<'a>(fonts: &mut Fonts, run: &'a Run) -> Vec<Shown<'a>> {
    let say = |glyph: &Glyph| run.text.get(glyph.text.clone()).unwrap_or_default();
    let mut shown = Vec::with_capacity(run.glyphs.len());
    for glyph in &run.glyphs {
        shown.push(Shown { glyph, cid: fonts.glyph(run.face, glyph.id, say(glyph)), silent: Vec::new() });
    }
    shown
}

/// Text that is read from right to left. Readers of PDF turn it around glyph by glyph, and differ
/// in what they do with a glyph that says several characters (lam-alef). So each says one: the
/// last, which is its left; the others are said to its right by glyphs that are not seen.
fn backwards<'a>(fonts: &mut Fonts, run: &'a Run) -> Vec<Shown<'a>> {
    let mut shown = Vec::with_capacity(run.glyphs.len());
    // A cluster's text is with one of its glyphs; the others have none.
    for cluster in run.glyphs.chunk_by(|_, next| next.text.is_empty()) {
        let said = cluster.first().and_then(|glyph| run.text.get(glyph.text.clone())).unwrap_or_default();
        let mut chars: Vec<char> = said.chars().collect();
        for (n, glyph) in cluster.iter().enumerate() {
            let is_last = n + 1 == cluster.len();
            let own = chars.pop().map(String::from).unwrap_or_default();
            let cid = fonts.glyph(run.face, glyph.id, &own);
            let mut silent = Vec::new();
            while let Some(char) = chars.pop().filter(|_| is_last) {
                if let Some(plain) = fonts.plain(run.face, char) {
                    silent.push(fonts.glyph(run.face, plain, char.encode_utf8(&mut [0; 4])));
                }
            }
            shown.push(Shown { glyph, cid, silent });
        }
    }
    shown
}

/// Shows the glyphs of a run where they were set.
fn show(content: &mut Content, run: &Run, shown: &[Shown<'_>]) {
    let thousandth = run.size / 1000.0;
    // Where the next glyph would stand by itself, and where it was set.
    let (mut pen, mut place) = (0.0, 0.0);
    let mut rise = 0.0;
    let level =
        |one: &Shown, next: &Shown| (one.glyph.dy - next.glyph.dy).abs() < 0.001 && one.silent.is_empty();
    for part in shown.chunk_by(level) {
        let dy = part.first().map_or(0.0, |shown| point(shown.glyph.dy));
        if (dy - rise).abs() > 0.0 {
            content.set_rise(dy);
            rise = dy;
        }
        let mut positioned = content.show_positioned();
        let mut items = positioned.items();
        let mut bytes: Vec<u8> = Vec::new();
        for Shown { glyph, cid, .. } in part {
            let off = ((pen - place - glyph.dx) / thousandth).round();
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
            place += glyph.advance;
        }
        if !bytes.is_empty() {
            items.show(Str(&bytes));
        }
        items.finish();
        positioned.finish();
        if let Some(last) = part.last().filter(|last| !last.silent.is_empty()) {
            silently(content, &last.silent);
        }
    }
    if rise.abs() > 0.0 {
        content.set_rise(0.0);
    }
}

/// Says something without showing it or moving on.
fn silently(content: &mut Content, cids: &[Cid]) {
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
