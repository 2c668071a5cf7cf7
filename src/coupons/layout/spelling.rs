//! The code for people to read: character by character, each as wide as it is, so that nothing is
//! drawn together and nothing is left out.

use super::stamp::Stamp;
use crate::{
    campaigns::style::{Align, Family, Look},
    coupons::lettering::{Block, FaceId, Fate, Glyph, Line, Manner, Room, Run, Typesetter},
};
use std::collections::BTreeMap;

/// Where a line's characters stand on it, of its height.
const BASELINE: f32 = 0.95;

/// A character of a code at a size of one point.
#[derive(Clone, Copy, Debug)]
struct Letter {
    face: FaceId,
    glyph: u16,
    advance: f32,
}

/// Sets codes. What it has seen of a character it keeps: a campaign's codes are all of a few dozen.
#[derive(Debug, Default)]
pub struct Speller {
    letters: BTreeMap<(u8, bool, char), Option<Letter>>,
}

/// Which family and weight codes are set in.
fn hand(look: &Look) -> (Family, bool) {
    (look.family.unwrap_or(Family::Mono), look.bold.unwrap_or(false))
}

impl Speller {
    /// How wide the parts of a code are at a size of one point: each ends in a hyphen but the last.
    pub fn widths(&mut self, setter: &mut Typesetter, code: &str, look: &Look) -> Vec<f32> {
        match self.letters(setter, code, look) {
            Some(letters) => {
                let chars: Vec<(char, Letter)> = code.chars().zip(letters).collect();
                chars.split_inclusive(|(char, _)| *char == '-').map(width).collect()
            }
            None => {
                vec![shape(setter, code, look, 1.0, Room { width: 1e6, height: 1e6, lines_max: 1 }).width]
            }
        }
    }

    /// Sets a code in the place that its stamp has for it.
    pub fn set(&mut self, setter: &mut Typesetter, code: &str, look: &Look, stamp: &Stamp) -> Block {
        let area = stamp.code;
        let Some(letters) = self.letters(setter, code, look) else {
            let room = Room { width: area.width, height: area.height * 1.5, lines_max: stamp.code_lines };
            return shape(setter, code, look, stamp.code_size, room);
        };
        let widest = area.width / stamp.code_size;
        let chars: Vec<(char, Letter)> = code.chars().zip(letters).collect();
        let mut rows = at_hyphens(&chars, widest);
        if rows.len() > stamp.code_lines {
            let even = chars.len().div_ceil(stamp.code_lines.max(1)).max(1);
            rows = chars.chunks(even).collect();
        }
        let longest = rows.iter().map(|row| width(row)).fold(0.01, f32::max);
        let size = stamp.code_size.min(area.width / longest);
        let leading = area.height / rows.len().max(1) as f32;
        let align = look.align.unwrap_or(Align::Center);
        let lines: Vec<Line> = rows
            .iter()
            .enumerate()
            .map(|(n, row)| {
                let free = area.width - width(row) * size;
                let x = match align {
                    Align::Start | Align::Left => 0.0,
                    Align::Center => free / 2.0,
                    Align::Right => free,
                };
                Line { baseline: leading * n as f32 + size * BASELINE, runs: runs(row, size, x) }
            })
            .collect();
        let fate = if lines.len() > 1 { Fate::Wrapped(lines.len()) } else { Fate::Whole };
        Block { lines, fate, width: longest * size, height: area.height }
    }

    /// What a code's characters are drawn with, or none if it has some that need more than that.
    fn letters(&mut self, setter: &mut Typesetter, code: &str, look: &Look) -> Option<Vec<Letter>> {
        let (family, bold) = hand(look);
        code.chars()
            .map(|char| {
                if !char.is_ascii() {
                    return None;
                }
                let key = (family as u8, bold, char);
                *self.letters.entry(key).or_insert_with(|| letter(setter, char, look))
            })
            .collect()
    }
}

/// Looks a character up, by setting it alone.
fn letter(setter: &mut Typesetter, char: char, look: &Look) -> Option<Letter> {
    const SIZE: f32 = 100.0;
    // A space alone would be no line.
    let text = if char == ' ' { "\u{a0}".to_owned() } else { char.to_string() };
    let block = shape(setter, &text, look, SIZE, Room { width: 1e6, height: 1e6, lines_max: 1 });
    let run = block.lines.first()?.runs.first()?;
    let glyph = run.glyphs.first()?;
    Some(Letter { face: run.face, glyph: glyph.id, advance: glyph.advance / SIZE })
}

fn shape(setter: &mut Typesetter, text: &str, look: &Look, size: f32, room: Room) -> Block {
    let (family, bold) = hand(look);
    let align = look.align.unwrap_or(Align::Center);
    setter.fit(text, &Manner { family, bold, size, floor: size.min(4.0), align }, room)
}

fn width(row: &[(char, Letter)]) -> f32 {
    row.iter().map(|(_, letter)| letter.advance).sum()
}

/// Breaks a code after hyphens, and where there is none, where a line is full.
fn at_hyphens(chars: &[(char, Letter)], widest: f32) -> Vec<&[(char, Letter)]> {
    let mut rows = Vec::new();
    let mut rest = chars;
    while width(rest) > widest * 1.001 && rest.len() > 1 {
        let full = (1..rest.len()).rev().find(|end| width(&rest[..*end]) <= widest).unwrap_or(1);
        let hyphen = rest[..full].iter().rposition(|(char, _)| *char == '-');
        let (row, after) = rest.split_at(hyphen.map_or(full, |at| at + 1));
        rows.push(row);
        rest = after;
    }
    rows.push(rest);
    rows
}

/// A row as runs of one font.
fn runs(row: &[(char, Letter)], size: f32, mut x: f32) -> Vec<Run> {
    let mut runs = Vec::new();
    for part in row.chunk_by(|(_, one), (_, next)| one.face == next.face) {
        let mut text = String::new();
        let glyphs = part
            .iter()
            .map(|(char, letter)| {
                let start = text.len();
                text.push(*char);
                Glyph {
                    id: letter.glyph,
                    advance: letter.advance * size,
                    dx: 0.0,
                    dy: 0.0,
                    text: start..text.len(),
                }
            })
            .collect();
        runs.push(Run { face: part[0].1.face, size, x, rtl: false, text, glyphs });
        x += width(part) * size;
    }
    runs
}
