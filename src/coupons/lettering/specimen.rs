//! Texts set to be looked at, by tests.

use super::{Align, Block, Family, Line, Manner, Room, Run, Typefaces, Typesetter};
use std::sync::{Arc, LazyLock};

pub(super) static TYPEFACES: LazyLock<Arc<Typefaces>> =
    LazyLock::new(|| Arc::new(Typefaces::load(None).unwrap()));

pub(super) const MANNER: Manner =
    Manner { family: Family::Sans, bold: false, size: 10.0, floor: 5.0, align: Align::Start };

/// Room for three lines of ten points.
pub(super) fn room(width: f32) -> Room {
    Room { width, height: 41.0, lines_max: 3 }
}

pub(super) fn fit(text: &str, manner: &Manner, room: Room) -> Block {
    Typesetter::new(Arc::clone(&TYPEFACES)).fit(text, manner, room)
}

pub(super) fn runs(block: &Block) -> impl Iterator<Item = &Run> {
    block.lines.iter().flat_map(|line| &line.runs)
}

/// What a line says, part by part from left to right.
pub(super) fn said(line: &Line) -> Vec<&str> {
    line.runs.iter().map(|run| run.text.as_str()).collect()
}
