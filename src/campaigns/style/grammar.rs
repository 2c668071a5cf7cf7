//! Reading a style: a grammar in which every word that is neither known nor a property of CSS is a fault.

use super::{
    Fault, Ignored, Label, Look, STYLE_MAX_BYTES, Style, content, css,
    tree::{Tree, below},
    values::{self, Wrong},
};
use std::collections::HashSet;

impl Style {
    /// Reads the JSON of a style, or says everything that is wrong with it.
    pub fn read(text: &str) -> Result<Self, Vec<Fault>> {
        if text.len() > STYLE_MAX_BYTES {
            return Err(vec![Fault::at("", format!("must have at most {STYLE_MAX_BYTES} bytes"))]);
        }
        // Clients send an empty text where there is nothing to say.
        if text.trim().is_empty() {
            return Ok(Self::default());
        }
        let Tree::Object(entries) = Tree::read(text).map_err(|fault| vec![fault])? else {
            return Err(vec![Fault::at("", "must be a JSON object as text")]);
        };
        let mut faults = Faults::default();
        let mut style = Self::default();
        for (name, at, value) in faults.entries("", &entries) {
            if let Some(label) = Label::ALL.into_iter().find(|label| label.word() == name) {
                style.take(label, &at, value, &mut faults);
                continue;
            }
            match name {
                "sheet" => style.sheet = faults.good(at, values::sheet(value)),
                "bleed" => style.bleed = faults.good(at, values::bleed(value)),
                "marks" => style.marks = faults.good(at, values::truth(value)),
                "ruler" => style.ruler = faults.good(at, values::truth(value)),
                "content" => style.content = content::read(&at, value, &mut faults).unwrap_or_default(),
                "code128" => style.code128 = faults.good(at, values::truth(value)).unwrap_or_default(),
                "locale" => style.locale = faults.good(at, values::locale(value)),
                _ => faults.unknown(at),
            }
        }
        style.ignored.sort_by(|one, other| (one.label, &one.property).cmp(&(other.label, &other.property)));
        if faults.0.is_empty() { Ok(style) } else { Err(faults.0) }
    }

    /// Takes what is said of a label.
    fn take(&mut self, label: Label, at: &str, value: &Tree, faults: &mut Faults) {
        let Tree::Object(entries) = value else {
            faults.wrong(at, r#"must be an object like {"fontSize": "28px"}"#);
            return;
        };
        let mut look = Look::default();
        let mut seen = HashSet::new();
        for (name, at, value) in faults.entries(at, entries) {
            let property = if name == "align" { Some("textAlign".to_owned()) } else { css::property(name) };
            let Some(property) = property else {
                faults.wrong(at, "is no property of CSS");
                continue;
            };
            if !seen.insert(property.clone()) {
                faults.wrong(at, format!("says the same as another one: give one {property}"));
            } else if let Some(flaw) = css::flaw(value) {
                faults.wrong(at, flaw);
            } else if look.follow(label, &property, value).is_err() {
                self.ignored.push(Ignored { label, property, value: value.to_string() });
            }
        }
        *self.look_mut(label) = look;
    }
}

impl Look {
    /// Follows a property, if coupons do and this is a value that they can follow.
    fn follow(&mut self, label: Label, property: &str, value: &Tree) -> Result<(), Wrong> {
        // A code is told letter by letter, and stands where it is found.
        let is_code = label == Label::Code;
        match property {
            "fontSize" => self.font_size = Some(values::font_size(value)?),
            "fontWeight" => self.bold = Some(values::bold(value)?),
            "color" => self.color = Some(values::color(value)?),
            "fontFamily" => self.family = Some(values::family(value)?),
            "textAlign" => self.align = Some(values::align(value)?),
            "fontStyle" => self.italic = Some(values::italic(value)?),
            "textTransform" if !is_code => self.case = Some(values::case(value)?),
            "margin" if !is_code => self.margins = values::margins(value)?,
            "marginTop" if !is_code => self.margins[0] = values::margin(value)?,
            "marginRight" if !is_code => self.margins[1] = values::margin(value)?,
            "marginBottom" if !is_code => self.margins[2] = values::margin(value)?,
            "marginLeft" if !is_code => self.margins[3] = values::margin(value)?,
            _ => return Err("is not followed".into()),
        }
        Ok(())
    }
}

/// What is wrong, as it is found.
#[derive(Debug, Default)]
pub(super) struct Faults(pub(super) Vec<Fault>);

impl Faults {
    /// Notes what is wrong at `pointer`.
    pub(super) fn wrong(&mut self, pointer: impl Into<String>, detail: impl Into<Wrong>) {
        self.0.push(Fault::at(pointer, detail));
    }

    /// Notes a name that nothing has.
    pub(super) fn unknown(&mut self, pointer: String) {
        self.wrong(pointer, "is not a part of a style");
    }

    /// The value, if it is good.
    pub(super) fn good<T>(&mut self, pointer: String, read: Result<T, Wrong>) -> Option<T> {
        read.map_err(|detail| self.wrong(pointer, detail)).ok()
    }

    /// What an object has, with pointers; a name that comes again is a fault.
    pub(super) fn entries<'a>(
        &mut self,
        at: &str,
        entries: &'a [(String, Tree)],
    ) -> Vec<(&'a str, String, &'a Tree)> {
        let mut seen = HashSet::new();
        let mut once = Vec::with_capacity(entries.len());
        for (name, value) in entries {
            let pointer = below(at, name);
            if seen.insert(name.as_str()) {
                once.push((name.as_str(), pointer, value));
            } else {
                self.wrong(pointer, "is given twice");
            }
        }
        once
    }
}
