//! The press: coupons as a PDF.
//!
//! What coupons share is written once, as a form that each of them shows; of its own a coupon has
//! a code and the path of its QR code. The same input gives the same bytes: nothing in a PDF tells
//! when or where it was made.

mod fonts;
mod numbers;
mod page;
mod reading;
mod text;

use super::{
    area::{Area, mm},
    composer::{Composed, Composer},
    coupon::{Coupon, Flaw, Note, Outcome},
    layout::Art,
    lettering::{Typefaces, Typesetter},
    logo::Logo,
    recent::Recent,
    sheet::{Mark, Ruler, Sheet},
    symbol::Plan,
};
use fonts::Fonts;
use numbers::{deflate, point};
use pdf_writer::{Content, Filter, Finish, Name, Pdf, Rect, Ref, TextStr};
use sha2::{Digest, Sha256};
use std::{borrow::Borrow, sync::Arc};

/// Forms that coupons to come may show again.
const FORMS: usize = 64;

/// The length of a receipt without a coupon.
const BLANK: f32 = mm(50.0);

/// What is printed, and on what.
#[derive(Clone, Debug)]
pub struct Print {
    /// The paper.
    pub sheet: Sheet,
    /// The picture on each coupon.
    pub logo: Option<Arc<Logo>>,
    /// What the PDF is called.
    pub title: String,
    /// The language of its texts, as BCP 47 has it.
    pub language: String,
    /// The fonts.
    pub typefaces: Arc<Typefaces>,
}

/// A PDF of coupons.
#[derive(Clone, Debug, PartialEq)]
pub struct Printed {
    /// The file.
    pub bytes: Vec<u8>,
    /// Its pages.
    pub pages: usize,
    /// Its coupons.
    pub coupons: usize,
    /// What had to be done for coupons to fit.
    pub remarks: Vec<Remark>,
}

/// Something that had to be done for a number of coupons.
#[derive(Clone, Debug, PartialEq)]
pub struct Remark {
    /// To which part, and what: for one of them.
    pub note: Note,
    /// How many.
    pub coupons: usize,
    /// The code of the first.
    pub example: String,
}

/// What would have to be done for a coupon to fit, without printing it.
pub fn check(print: &Print, coupon: &Coupon) -> Result<Vec<Note>, Flaw> {
    let Composed { art, mut notes, .. } = composer(print).compose(coupon)?;
    notes.splice(0..0, art.notes.iter().cloned());
    Ok(notes)
}

/// Prints coupons into one PDF. After each page `progress` is told how many coupons are printed,
/// and ends it by answering no.
pub fn print<C: Borrow<Coupon>>(
    print: &Print,
    coupons: impl IntoIterator<Item = C>,
    progress: &mut dyn FnMut(usize) -> bool,
) -> Result<Printed, Flaw> {
    let mut composer = composer(print);
    let mut press = Press::new(print);
    let mut page: Vec<Composed> = Vec::with_capacity(print.sheet.coupons());
    for coupon in coupons {
        let coupon = coupon.borrow();
        let placed = composer.compose(coupon)?;
        press.remark(&coupon.code, placed.art.notes.iter().chain(&placed.notes));
        page.push(placed);
        if page.len() == print.sheet.coupons_on(press.pages.is_empty()) {
            press.page(&page)?;
            page.clear();
            if !progress(press.coupons) {
                return Err(Flaw::Stopped);
            }
        }
    }
    // Without any coupon there is still a page: a PDF has one.
    if !page.is_empty() || press.pages.is_empty() {
        press.page(&page)?;
        if !progress(press.coupons) {
            return Err(Flaw::Stopped);
        }
    }
    press.finish()
}

fn composer(print: &Print) -> Composer {
    let aspect = print.logo.as_ref().map(|logo| logo.aspect());
    Composer::new(&print.sheet, aspect, print.typefaces.clone())
}

/// A PDF that is being written.
struct Press<'a> {
    print: &'a Print,
    pdf: Pdf,
    next: Ref,
    tree: Ref,
    /// Fonts and logo: what forms show.
    shared: Ref,
    fonts_ref: Ref,
    fonts: Fonts,
    logo: Option<Ref>,
    setter: Typesetter,
    forms: Recent<Same, Form>,
    furniture: Option<(Vec<Mark>, Option<Ruler>, Form)>,
    pages: Vec<Ref>,
    coupons: usize,
    remarks: Vec<Remark>,
}

/// A form that pages show, and what they call it.
#[derive(Clone, Debug, PartialEq)]
struct Form {
    id: Ref,
    name: String,
}

/// Artwork by its identity: two that are equal would only be written twice.
#[derive(Debug)]
struct Same(Arc<Art>);

impl PartialEq for Same {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl<'a> Press<'a> {
    fn new(print: &'a Print) -> Self {
        let mut pdf = Pdf::new();
        let mut next = Ref::new(1);
        let [tree, shared, fonts_ref] = [next.bump(), next.bump(), next.bump()];
        let logo = print.logo.as_ref().map(|logo| logo.write(&mut pdf, &mut || next.bump()));
        Self {
            print,
            pdf,
            next,
            tree,
            shared,
            fonts_ref,
            fonts: Fonts::new(print.typefaces.clone()),
            logo,
            setter: Typesetter::new(print.typefaces.clone()),
            forms: Recent::new(FORMS),
            furniture: None,
            pages: Vec::new(),
            coupons: 0,
            remarks: Vec::new(),
        }
    }

    /// Counts what had to be done for a coupon. Figures are those of the first, and characters
    /// that no font has are those of all.
    fn remark<'n>(&mut self, code: &str, notes: impl Iterator<Item = &'n Note>) {
        for note in notes {
            let Some(remark) = self.remarks.iter_mut().find(|remark| alike(&remark.note, note)) else {
                self.remarks.push(Remark { note: note.clone(), coupons: 1, example: code.to_owned() });
                continue;
            };
            remark.coupons += 1;
            if let (Outcome::Missing(all), Outcome::Missing(more)) = (&mut remark.note.outcome, &note.outcome)
            {
                let new: Vec<char> = more.iter().copied().filter(|char| !all.contains(char)).collect();
                all.extend(new);
            }
        }
    }

    fn page(&mut self, coupons: &[Composed]) -> Result<(), Flaw> {
        let height = coupons.first().map_or(BLANK, |composed| composed.art.height);
        let page = self.print.sheet.page(height, self.pages.is_empty());
        let paper = page.media.height;
        let mut content = Content::new();
        let mut shown: Vec<Form> = Vec::new();
        for (composed, cell) in coupons.iter().zip(&page.cells) {
            let form = self.art(&composed.art, self.print.sheet.cell().bleed);
            let symbol = Plan::of(&composed.content).and_then(|plan| plan.draw());
            let symbol = symbol.map_err(|_| Flaw::TooLong { code: composed.content.clone() })?;
            let corner = (cell.x, paper - cell.bottom());
            page::coupon(&mut content, &mut self.fonts, composed, &symbol, &form.name, corner);
            if !shown.contains(&form) {
                shown.push(form);
            }
        }
        if !page.marks.is_empty() || page.ruler.is_some() {
            let form = self.furniture(page.marks, page.ruler, &page.media);
            content.x_object(Name(form.name.as_bytes()));
            shown.push(form);
        }
        let [id, stream] = [self.next.bump(), self.next.bump()];
        let packed = deflate(&content.finish());
        self.pdf.stream(stream, &packed).filter(Filter::FlateDecode);
        let boxed = |area| page::rect(area, paper);
        let mut written = self.pdf.page(id);
        written.parent(self.tree).contents(stream);
        written.media_box(boxed(&page.media)).crop_box(boxed(&page.media));
        written.bleed_box(boxed(&page.bleed)).trim_box(boxed(&page.trim));
        let mut resources = written.resources();
        resources.pair(Name(b"Font"), self.fonts_ref);
        let mut forms = resources.x_objects();
        for form in &shown {
            forms.pair(Name(form.name.as_bytes()), form.id);
        }
        forms.finish();
        resources.finish();
        written.finish();
        self.pages.push(id);
        self.coupons += coupons.len();
        Ok(())
    }

    /// The form of some artwork, written if it is not there yet.
    fn art(&mut self, art: &Arc<Art>, bleed: f32) -> Form {
        let key = Same(art.clone());
        if let Some(form) = self.forms.get(&key) {
            return form;
        }
        let content = page::art(&mut self.fonts, art);
        let bounds = Rect::new(-bleed, -bleed, self.print.sheet.cell().width + bleed, art.height + bleed);
        let form = self.form("A", content, bounds);
        self.forms.keep(key, form.clone());
        form
    }

    /// The form of what is printed around coupons: mostly it is that of the page before.
    fn furniture(&mut self, marks: Vec<Mark>, ruler: Option<Ruler>, media: &Area) -> Form {
        if let Some((its, scale, form)) = &self.furniture
            && (its, scale) == (&marks, &ruler)
        {
            return form.clone();
        }
        let what = (marks.as_slice(), ruler.as_ref());
        let content = page::furniture(&mut self.setter, &mut self.fonts, what, media.height);
        let form = self.form("M", content, Rect::new(0.0, 0.0, media.width, media.height));
        self.furniture = Some((marks, ruler, form.clone()));
        form
    }

    fn form(&mut self, letter: &str, content: Content, bounds: Rect) -> Form {
        let id = self.next.bump();
        let packed = deflate(&content.finish());
        let mut form = self.pdf.form_xobject(id, &packed);
        let [left, bottom, right, top] = [bounds.x1, bounds.y1, bounds.x2, bounds.y2].map(point);
        form.bbox(Rect::new(left, bottom, right, top)).pair(Name(b"Resources"), self.shared);
        form.filter(Filter::FlateDecode);
        form.finish();
        Form { id, name: format!("{letter}{}", id.get()) }
    }

    fn finish(mut self) -> Result<Printed, Flaw> {
        self.fonts.write(&mut self.pdf, self.fonts_ref, &mut self.next)?;
        let mut shared = self.pdf.indirect(self.shared).dict();
        shared.pair(Name(b"Font"), self.fonts_ref);
        if let Some(logo) = self.logo {
            shared.insert(Name(b"XObject")).dict().pair(Name(page::LOGO.as_bytes()), logo);
        }
        shared.finish();
        self.pdf.pages(self.tree).kids(self.pages.iter().copied()).count(self.pages.len() as i32);
        let [catalog, info] = [self.next.bump(), self.next.bump()];
        let mut root = self.pdf.catalog(catalog);
        root.pages(self.tree).lang(TextStr(&self.print.language));
        let mut preferences = root.viewer_preferences();
        preferences.display_doc_title(true);
        // Labels and rulers are right at 100 % alone.
        preferences.pair(Name(b"PrintScaling"), Name(b"None"));
        preferences.finish();
        root.finish();
        self.pdf.document_info(info).title(TextStr(&self.print.title)).producer(TextStr("Scrip"));
        let id = Sha256::digest(self.pdf.as_bytes())[..16].to_vec();
        self.pdf.set_file_id((id.clone(), id));
        let (pages, coupons, remarks) = (self.pages.len(), self.coupons, self.remarks);
        Ok(Printed { bytes: self.pdf.finish(), pages, coupons, remarks })
    }
}

/// Whether the same was done to the same part.
fn alike(one: &Note, other: &Note) -> bool {
    one.part == other.part && std::mem::discriminant(&one.outcome) == std::mem::discriminant(&other.outcome)
}

#[cfg(test)]
mod tests;
