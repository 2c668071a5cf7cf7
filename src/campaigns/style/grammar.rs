//! Reading a style: a closed grammar, in which every word that is not known is a fault.

use super::{
    Fault, Look, STYLE_MAX_BYTES, Style, content,
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
        let Tree::Object(entries) = Tree::read(text).map_err(|fault| vec![fault])? else {
            return Err(vec![Fault::at("", "must be a JSON object as text")]);
        };
        let mut faults = Faults::default();
        let mut style = Self::default();
        for (name, at, value) in faults.entries("", &entries) {
            match name {
                "voucherText1Lbl" => style.lines[0] = look(&at, value, &mut faults),
                "voucherText2Lbl" => style.lines[1] = look(&at, value, &mut faults),
                "voucherText3Lbl" => style.lines[2] = look(&at, value, &mut faults),
                "voucherText4Lbl" => style.lines[3] = look(&at, value, &mut faults),
                "voucherValueLbl" => style.value = look(&at, value, &mut faults),
                "voucherExpiryLbl" => style.expiry = look(&at, value, &mut faults),
                "voucherCodeLbl" => style.code = look(&at, value, &mut faults),
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
        if faults.0.is_empty() { Ok(style) } else { Err(faults.0) }
    }
}

/// How a line looks.
fn look(at: &str, value: &Tree, faults: &mut Faults) -> Look {
    let mut look = Look::default();
    let Tree::Object(entries) = value else {
        faults.wrong(at, r#"must be an object like {"fontSize": "28px"}"#);
        return look;
    };
    let mut aligned = false;
    for (name, at, value) in faults.entries(at, entries) {
        match name {
            "fontSize" => look.font_size = faults.good(at, values::font_size(value)),
            "fontWeight" => look.bold = faults.good(at, values::bold(value)),
            "color" => look.color = faults.good(at, values::color(value)),
            "fontFamily" => look.family = faults.good(at, values::family(value)),
            "align" | "textAlign" if aligned => {
                faults.wrong(at, "align and textAlign say the same: give one");
            }
            "align" | "textAlign" => {
                aligned = true;
                look.align = faults.good(at, values::align(value));
            }
            _ => faults.unknown(at),
        }
    }
    look
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
