//! From what a coupon says to where it stands: the parts of [`layout`](super::layout) in their order.

use super::{
    area::{Area, mm},
    bars::Bars,
    coupon::{Coupon, Flaw, Note, Outcome, Part},
    layout::{Art, BLACK, Ink, Layout, Reading, Speller, Stamp, TooDense},
    lettering::{Block, Typefaces, Typesetter},
    recent::Recent,
    sheet::Sheet,
    symbol::Plan,
};
use crate::campaigns::style::{Family, Style};
use std::sync::Arc;

/// Artwork that is kept for coupons to come: many more than the kinds of coupons of a campaign,
/// and so few that thousands of coupons with texts of their own take no more room than one.
const ARTWORK: usize = 64;

/// A coupon whose parts all have their places.
#[derive(Debug)]
pub struct Composed {
    /// What it shares with others.
    pub art: Arc<Art>,
    /// Where what is to be read stands.
    pub stamp: Stamp,
    /// The code, from the corner of its place.
    pub code: Block,
    /// What the code is printed with.
    pub ink: Ink,
    /// `true` for a code in italics.
    pub slants: bool,
    /// What the QR code says.
    pub content: String,
    /// The bars beside it.
    pub bars: Option<Bars>,
    /// What had to be done for it to fit, but for its artwork.
    pub notes: Vec<Note>,
}

/// Composes coupons for one sheet.
#[derive(Debug)]
pub struct Composer {
    layout: Layout,
    setter: Typesetter,
    speller: Speller,
    recent: Recent<Shared, Arc<Art>>,
}

/// What coupons have in common that share their artwork.
#[derive(Debug, PartialEq)]
struct Shared {
    texts: [Option<String>; 4],
    value: Option<String>,
    expiry: Option<String>,
    style: Arc<Style>,
    beside: Area,
    height: f32,
}

/// One note of each part that is styled in a way that no coupon follows.
fn ignored(style: &Style) -> impl Iterator<Item = Note> + '_ {
    style.ignored.chunk_by(|one, other| one.label == other.label).filter_map(|said| {
        let properties: Vec<&str> = said.iter().map(|ignored| ignored.property.as_str()).collect();
        let part = Part::from(said.first()?.label);
        Some(Note { part, outcome: Outcome::Ignored(properties.join(", ")) })
    })
}

impl Composer {
    /// For a sheet, with a logo whose width is so many times its height.
    pub fn new(sheet: &Sheet, logo: Option<f32>, typefaces: Arc<Typefaces>) -> Self {
        Self {
            layout: Layout::new(sheet, logo),
            setter: Typesetter::new(typefaces),
            speller: Speller::default(),
            recent: Recent::new(ARTWORK),
        }
    }

    /// Gives each part of a coupon its place.
    pub fn compose(&mut self, coupon: &Coupon) -> Result<Composed, Flaw> {
        let look = &coupon.style.code;
        let content = coupon.style.content.text(&coupon.code);
        let modules = Plan::of(&content).map_err(|_| Flaw::TooLong { code: coupon.code.clone() })?.width();
        let asked = coupon.style.code128;
        let bars = if asked { Bars::of(&coupon.code) } else { None };
        let reading = Reading {
            modules,
            code: self.speller.widths(&mut self.setter, &coupon.code, look),
            bars: bars.as_ref().map(Bars::width),
        };
        let stamp = self.layout.stamp(&reading, look).map_err(|TooDense { module }| Flaw::TooDense {
            code: coupon.code.clone(),
            module_mm: module / mm(1.0),
        })?;
        let code = self.speller.set(&mut self.setter, &coupon.code, look, &stamp);
        let mut notes = self.layout.code_notes(look, &stamp, &code);
        if !coupon.code.is_ascii() {
            let missing = self.setter.missing(&coupon.code, look.family.unwrap_or(Family::Mono));
            let missing = (!missing.is_empty()).then_some(Outcome::Missing(missing));
            notes.extend(missing.map(|outcome| Note { part: Part::Code, outcome }));
        }
        let bars = bars.filter(|_| stamp.bars.is_some());
        if asked && bars.is_none() {
            notes.push(Note { part: Part::Code128, outcome: Outcome::LeftOut });
        }
        notes.extend(ignored(&coupon.style));
        let (ink, slants) = (look.color.map_or(BLACK, Ink::from), look.italic == Some(true));
        Ok(Composed { art: self.art(coupon, &stamp), stamp, code, ink, slants, content, bars, notes })
    }

    /// The artwork of a coupon, set only if it was not a moment ago.
    fn art(&mut self, coupon: &Coupon, stamp: &Stamp) -> Arc<Art> {
        let Coupon { texts, value, expiry, style, .. } = coupon.clone();
        let shared = Shared { texts, value, expiry, style, beside: stamp.beside, height: stamp.height };
        if let Some(art) = self.recent.get(&shared) {
            return art;
        }
        let art = Arc::new(self.layout.art(&mut self.setter, coupon, stamp));
        self.recent.keep(shared, art.clone());
        art
    }
}
