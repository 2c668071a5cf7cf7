//! Lines one below the other: who gets how much of the height.
//!
//! Each line is sure of its smallest size on one line, as far as there is room, and those that
//! matter most come first. In the same order each then takes what it needs of the rest.

use super::{
    align,
    design::{Design, Measure, Shape},
    ink::{BLACK, Ink, MUTED},
    right_to_left,
    stamp::Stamp,
};
use crate::{
    campaigns::style::{Align, Case, Look},
    coupons::{
        coupon::{Coupon, Note, Outcome, Part, TEXTS},
        lettering::{Block, Fate, Manner, Room, Typesetter},
    },
};

/// Who gets room first, and is left out last.
const RANKS: [Part; 7] =
    [Part::Value, Part::Text1, Part::Expiry, Part::Logo, Part::Text2, Part::Text3, Part::Text4];
/// The least that is left of a gap, what it is by itself, and the most that it grows to.
const GAPS: [f32; 3] = [0.5, 1.0, 1.8];
/// The least that is left of a logo.
const LOGO_MIN: f32 = 0.55;
/// The gap between lines of a group, of that between groups.
const WITHIN: f32 = 0.12;
/// What an amount leaves clear above and below, of its line's height: it has neither accents nor descenders.
const CLEAR: (f32, f32) = (0.12, 0.08);
/// As high as a coupon can be whose paper has no end.
const ENDLESS: f32 = 8000.0;

/// Something that stands in a stack.
#[derive(Clone, Debug)]
pub(super) enum Item {
    /// The logo.
    Logo {
        /// Its width by its height.
        aspect: f32,
        /// Its height.
        height: f32,
    },
    /// A line of text.
    Line(Box<TextLine>),
    /// What is to be read by machines.
    Stamp {
        /// Its height.
        height: f32,
    },
}

/// A line of text, before and after it was set.
#[derive(Clone, Debug)]
pub(super) struct TextLine {
    /// Which part of the coupon it is.
    pub(super) part: Part,
    /// What it is printed with.
    pub(super) ink: Ink,
    /// What was set.
    pub(super) block: Block,
    /// `true` for italics.
    pub(super) slants: bool,
    /// Clear space above it, on its right, below it, and on its left.
    margins: [f32; 4],
    text: String,
    manner: Manner,
    lines: usize,
    clear: (f32, f32),
}

/// What stands below each other.
#[derive(Clone, Debug)]
pub(super) struct Stack {
    /// Each with its distance from the top.
    pub(super) placed: Vec<(Item, f32)>,
    /// What had to be done.
    pub(super) notes: Vec<Note>,
    /// How high it all is.
    pub(super) height: f32,
}

/// An item with the gap above it, of that between groups.
pub(super) type Spaced = (Item, f32);

/// What a coupon has, in the order in which it stands there.
pub(super) fn items(
    design: &Design,
    coupon: &Coupon,
    logo: Option<f32>,
    stamp: Option<&Stamp>,
) -> Vec<Spaced> {
    let [headline, subline, body, small] = &coupon.style.lines;
    let [text1, text2, text3, text4] = &coupon.texts;
    let [part1, part2, part3, part4] = TEXTS;
    let align = align(design.shape, right_to_left(coupon));
    let line = |part, text: &Option<String>, measure, look: &Look, gap| {
        let bold = matches!(part, Part::Text1 | Part::Value);
        let ink = if part == Part::Text4 { MUTED } else { BLACK };
        let text = text.as_deref().map(str::trim).filter(|text| !text.is_empty())?;
        let mut line = TextLine::new(part, text, measure, look, (bold, ink, align));
        // Where there is a band behind it, that is what is clear.
        if part == Part::Value && design.shape != Shape::Tall {
            line.clear = CLEAR;
        }
        Some((Item::Line(Box::new(line)), gap))
    };
    let logo = logo.filter(|aspect| aspect.is_finite() && *aspect > 0.0);
    [
        logo.map(|aspect| (Item::Logo { aspect, height: design.logo }, 1.0)),
        line(part1, text1, design.headline, headline, 1.0),
        line(part2, text2, design.subline, subline, WITHIN),
        line(Part::Value, &coupon.value, design.value, &coupon.style.value, 1.0),
        line(part3, text3, design.body, body, 1.0),
        // Its quiet zone is a gap already.
        stamp.map(|stamp| (Item::Stamp { height: stamp.height }, WITHIN)),
        line(Part::Expiry, &coupon.expiry, design.expiry, &coupon.style.expiry, 1.0),
        line(part4, text4, design.small, small, WITHIN),
    ]
    .into_iter()
    .flatten()
    .collect()
}

impl TextLine {
    fn new(part: Part, text: &str, measure: Measure, look: &Look, usual: (bool, Ink, Align)) -> Self {
        let size = look.font_size.unwrap_or(measure.size);
        let manner = Manner {
            family: look.family.unwrap_or_default(),
            bold: look.bold.unwrap_or(usual.0),
            size,
            floor: measure.floor.min(size),
            align: look.align.unwrap_or(usual.2),
        };
        let ink = look.color.map_or(usual.1, Ink::from);
        let block = Block { lines: Vec::new(), fate: Fate::Whole, width: 0.0, height: 0.0 };
        Self {
            part,
            ink,
            block,
            slants: look.italic == Some(true),
            margins: look.margins,
            text: look.case.unwrap_or(Case::Plain).of(text),
            manner,
            lines: measure.lines,
            clear: (0.0, 0.0),
        }
    }

    /// Sets it. A paragraph keeps its size and takes more lines, as long as they all fit.
    fn set(&mut self, setter: &mut Typesetter, width: f32, height: f32) {
        let height = (height - self.margin_height()).max(0.0);
        let room = Room { width: self.within(width), height: height / self.shown(), lines_max: self.lines };
        let paragraph = self.lines > 2;
        let firm = Manner { floor: self.manner.size, ..self.manner };
        self.block = setter.fit(&self.text, if paragraph { &firm } else { &self.manner }, room);
        if paragraph && self.block.fate == Fate::Cut {
            self.block = setter.fit(&self.text, &self.manner, room);
        }
    }

    /// How high it is at its smallest size, on lines of this width.
    fn smallest(&self, setter: &mut Typesetter, width: f32, lines_max: usize) -> f32 {
        let smallest = Manner { size: self.manner.floor, ..self.manner };
        let room = Room { width: self.within(width), height: ENDLESS, lines_max };
        setter.fit(&self.text, &smallest, room).height * self.shown() + self.margin_height()
    }

    /// Returns what its margins leave of a width: the better half of it at least.
    fn within(&self, width: f32) -> f32 {
        let [_, right, _, left] = self.margins;
        (width - left - right).max(width / 2.0)
    }

    fn margin_height(&self) -> f32 {
        let [above, _, below, _] = self.margins;
        above + below
    }

    /// The share of its height that counts.
    fn shown(&self) -> f32 {
        1.0 - self.clear.0 - self.clear.1
    }

    /// How high it is.
    pub(super) fn height(&self) -> f32 {
        self.block.height * self.shown() + self.margin_height()
    }

    /// The distance from its top to the top of its block; negative with a margin there.
    pub(super) fn above(&self) -> f32 {
        let [margin, ..] = self.margins;
        self.block.height * self.clear.0 - margin
    }

    /// Returns the distance of its block from the left of a column of this width.
    pub(super) fn left(&self, width: f32) -> f32 {
        let [_, right, _, left] = self.margins;
        let both = left + right;
        if both > 0.0 { (width - self.within(width)) * left / both } else { 0.0 }
    }

    fn notes(&self, setter: &mut Typesetter) -> Vec<Note> {
        let missing = setter.missing(&self.text, self.manner.family);
        let missing = (!missing.is_empty()).then_some(Outcome::Missing(missing));
        let fate = match self.block.fate {
            _ if self.block.lines.is_empty() => Some(Outcome::LeftOut),
            Fate::Whole => None,
            Fate::Shrunk(size) => Some(Outcome::Shrunk(size)),
            Fate::Wrapped(lines) => Some(Outcome::Wrapped(lines)),
            Fate::Cut => Some(Outcome::Cut),
        };
        let outcomes = fate.into_iter().chain(missing);
        outcomes.map(|outcome| Note { part: self.part, outcome }).collect()
    }
}

impl Item {
    fn part(&self) -> Option<Part> {
        match self {
            Self::Logo { .. } => Some(Part::Logo),
            Self::Line(line) => Some(line.part),
            Self::Stamp { .. } => None,
        }
    }

    /// The least that it needs: of a line, its smallest size without a break.
    fn least(&self, setter: &mut Typesetter, width: f32) -> f32 {
        match self {
            Self::Logo { aspect, height } => (height * LOGO_MIN).min(width / aspect),
            Self::Line(line) => line.smallest(setter, ENDLESS, 1),
            Self::Stamp { height } => *height,
        }
    }

    /// What it needs to lose nothing.
    fn need(&self, setter: &mut Typesetter, width: f32) -> f32 {
        match self {
            Self::Line(line) => line.smallest(setter, width, line.lines),
            Self::Logo { .. } | Self::Stamp { .. } => self.least(setter, width),
        }
    }

    /// Takes what it needs of `room`.
    fn take(&mut self, setter: &mut Typesetter, width: f32, room: f32) {
        match self {
            Self::Logo { aspect, height } => *height = height.min(width / *aspect).min(room),
            Self::Line(line) => line.set(setter, width, room),
            Self::Stamp { .. } => {}
        }
    }

    fn height(&self) -> f32 {
        match self {
            Self::Logo { height, .. } | Self::Stamp { height } => *height,
            Self::Line(line) => line.height(),
        }
    }
}

impl Stack {
    /// Sets items below each other, in a column of this width. `height` is that of the column, if
    /// it ends anywhere, and `gap` is what lies between two groups of lines.
    pub(super) fn fill(
        setter: &mut Typesetter,
        mut items: Vec<Spaced>,
        width: f32,
        height: Option<f32>,
        gap: f32,
    ) -> Self {
        for (item, _) in &mut items {
            item.take(setter, width, ENDLESS);
        }
        let wish: f32 = items.iter().map(|(item, _)| item.height()).sum();
        let mut notes = Vec::new();
        if let Some(height) = height.filter(|height| wish + GAPS[1] * gap * shares(&items) > *height) {
            notes = squeeze(setter, &mut items, width, height, gap);
        }
        for (item, _) in &items {
            if let Item::Line(line) = item {
                notes.extend(line.notes(setter));
            }
        }
        Self::spread(items, height, gap, notes)
    }

    /// Divides what is left among the gaps, and what they don't take above and below.
    fn spread(items: Vec<Spaced>, height: Option<f32>, gap: f32, notes: Vec<Note>) -> Self {
        let set: f32 = items.iter().map(|(item, _)| item.height()).sum();
        let shares = shares(&items);
        let wish = gap * shares;
        let (stretch, mut y) = match height {
            Some(height) if wish > 0.0 => {
                let stretch = ((height - set) / wish).clamp(0.0, GAPS[2]);
                (stretch, ((height - set - stretch * wish) / 2.0).max(0.0))
            }
            Some(height) => (0.0, ((height - set) / 2.0).max(0.0)),
            None => (1.0, 0.0),
        };
        let mut placed = Vec::with_capacity(items.len());
        for (n, (item, share)) in items.into_iter().enumerate() {
            y += if n == 0 { 0.0 } else { share * gap * stretch };
            let below = y + item.height();
            placed.push((item, y));
            y = below;
        }
        Self { placed, notes, height: y }
    }
}

/// Sets items again so that they fit `height`: first each gets the least that it needs, then what
/// it needs to lose nothing, then what it takes at its size, each time in the order of the ranks.
fn squeeze(setter: &mut Typesetter, items: &mut Vec<Spaced>, width: f32, height: f32, gap: f32) -> Vec<Note> {
    let mut notes = Vec::new();
    let mut shares =
        items.iter().map(|(item, _)| [item.least(setter, width), item.height()]).collect::<Vec<_>>();
    let mut spare;
    loop {
        spare =
            height - GAPS[0] * gap * self::shares(items) - shares.iter().map(|[least, _]| least).sum::<f32>();
        let last = RANKS.iter().rev().find_map(|rank| position(items, *rank));
        let Some(last) = last.filter(|_| spare < 0.0) else { break };
        // What there is no room for at all is left out, from the end of the ranks.
        let (item, _) = items.remove(last);
        shares.remove(last);
        notes.extend(item.part().map(|part| Note { part, outcome: Outcome::LeftOut }));
    }
    let ranked: Vec<usize> = RANKS.iter().filter_map(|rank| position(items, *rank)).collect();
    for at in &ranked {
        let need = items[*at].0.need(setter, width);
        give(&mut shares[*at], need, &mut spare);
    }
    for at in &ranked {
        let wish = shares[*at][1];
        give(&mut shares[*at], wish, &mut spare);
    }
    for at in ranked {
        let item = &mut items[at].0;
        item.take(setter, width, shares[at][0] + spare.max(0.0));
        spare -= item.height() - shares[at][0];
    }
    notes
}

/// Raises an item's share to what it is to have, as far as there is something to spare.
fn give(share: &mut [f32; 2], to: f32, left: &mut f32) {
    let more = (to - share[0]).min(*left).max(0.0);
    share[0] += more;
    *left -= more;
}

/// Where an item stands among the others.
fn position(items: &[Spaced], part: Part) -> Option<usize> {
    items.iter().position(|(item, _)| item.part() == Some(part))
}

/// The gaps between items, in those between groups.
fn shares(items: &[Spaced]) -> f32 {
    items.iter().skip(1).map(|(_, share)| share).sum()
}
