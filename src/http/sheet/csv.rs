//! CSV (RFC 4180), safe to open in a spreadsheet.

use crate::{
    error::{Error, Result},
    http::chunks::CHUNK_BYTES,
    text::is_ignorable,
};
use serde_json::Value;
use std::borrow::Cow;

/// The byte order mark, which tells spreadsheets that a file is UTF-8.
const BOM: &str = "\u{feff}";

/// Writes rows as lines.
#[derive(Debug)]
pub(super) struct Writer {
    lines: ::csv::Writer<Vec<u8>>,
    separator: u8,
}

impl Writer {
    pub(super) fn new<'a>(bom: bool, separator: u8, header: impl Iterator<Item = &'a str>) -> Result<Self> {
        let start = if bom { BOM.as_bytes().to_vec() } else { Vec::new() };
        let mut lines = lines(start, separator);
        lines.write_record(header).map_err(Error::fault)?;
        Ok(Self { lines, separator })
    }

    /// Adds a line, and gives the chunk that is full with it.
    pub(super) fn row<'a>(&mut self, cells: impl IntoIterator<Item = &'a Value>) -> Result<Option<Vec<u8>>> {
        for cell in cells.into_iter().map(cell) {
            self.lines.write_field(cell.as_bytes()).map_err(Error::fault)?;
        }
        self.lines.write_record(None::<&[u8]>).map_err(Error::fault)?;
        if self.lines.get_ref().len() < CHUNK_BYTES {
            return Ok(None);
        }
        let empty = lines(Vec::new(), self.separator);
        written(std::mem::replace(&mut self.lines, empty)).map(Some)
    }

    /// The rest, which is not given yet.
    pub(super) fn rest(self) -> Result<Vec<u8>> {
        written(self.lines)
    }
}

fn lines(start: Vec<u8>, separator: u8) -> ::csv::Writer<Vec<u8>> {
    let mut lines = ::csv::WriterBuilder::new();
    // Cells come quoted.
    lines.delimiter(separator).quote_style(::csv::QuoteStyle::Never).from_writer(start)
}

fn written(lines: ::csv::Writer<Vec<u8>>) -> Result<Vec<u8>> {
    lines.into_inner().map_err(|error| Error::fault(error.to_string()))
}

/// A value as the text of a cell, quoted where it has to be.
fn cell(value: &Value) -> Cow<'_, str> {
    let text = match value {
        Value::Null => Cow::Borrowed(""),
        Value::String(text) => guarded(text),
        // A number may begin with a sign.
        number @ Value::Number(_) => Cow::Owned(number.to_string()),
        other => Cow::Owned(guarded(&other.to_string()).into_owned()),
    };
    if text.contains(SEPARATORS) || text.contains('"') {
        return Cow::Owned(format!("\"{}\"", text.replace('"', "\"\"")));
    }
    text
}

/// The characters that spreadsheets part cells and lines at: which of them depends on the country that they are set to, and on
/// what their user picks.
const SEPARATORS: [char; 5] = [',', ';', '\t', '\n', '\r'];

/// The characters that a formula begins with, also as the keyboards of East Asia have it.
const FORMULA: [char; 8] = ['=', '+', '-', '@', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}'];

/// Puts an apostrophe before what a spreadsheet could take for a formula, which keeps it text: what stands in
/// an export was typed by anyone. A formula may begin a cell; or follow a separator within it, where a
/// spreadsheet goes by another one than the file and sees no quotes there either.
fn guarded(text: &str) -> Cow<'_, str> {
    let mut apostrophes = Vec::new();
    // Where the cell begins that the next character may begin.
    let mut begins = Some(0);
    for (at, character) in text.char_indices() {
        let Some(start) = begins else {
            if SEPARATORS.contains(&character) {
                begins = Some(at + character.len_utf8());
            }
            continue;
        };
        if at == 0 && matches!(character, '\t' | '\r') {
            // Some spreadsheets drop it.
            apostrophes.push(0);
        }
        if FORMULA.contains(&character) {
            apostrophes.push(start);
            begins = None;
        } else if SEPARATORS.contains(&character) {
            begins = Some(at + character.len_utf8());
        } else if character != '"' && !is_passed_over(character, start == 0) {
            begins = None;
        }
    }
    if apostrophes.is_empty() {
        return Cow::Borrowed(text);
    }
    let mut guarded = String::with_capacity(text.len() + apostrophes.len());
    let mut done = 0;
    for at in apostrophes {
        guarded.push_str(&text[done..at]);
        guarded.push('\'');
        done = at;
    }
    guarded.push_str(&text[done..]);
    Cow::Owned(guarded)
}

/// True for what is not seen before a formula: some spreadsheets trim it. A blank after a comma is usual in prose.
fn is_passed_over(character: char, first_cell: bool) -> bool {
    is_ignorable(character) || character.is_control() || (first_cell && character.is_whitespace())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn text_that_looks_like_a_formula_stays_text() {
        let cases = [
            (json!("=1+1"), "'=1+1"),
            (json!("@cmd"), "'@cmd"),
            (json!("-5"), "'-5"),
            (json!("  =1"), "'  =1"),
            (json!("\u{ff1d}1"), "'\u{ff1d}1"),
            (json!("\u{200b}\u{ad}=1"), "'\u{200b}\u{ad}=1"),
            (json!("x;=1+1;y"), "\"x;'=1+1;y\""),
            (json!("x\n@y"), "\"x\n'@y\""),
            (json!("x;\"=1\""), "\"x;'\"\"=1\"\"\""),
            (json!("a;=1,\u{feff}-2"), "\"a;'=1,'\u{feff}-2\""),
            (json!("\tx"), "\"'\tx\""),
            (json!("\t=x"), "\"'\t'=x\""),
            (json!("today, -5 %"), "\"today, -5 %\""),
            (json!(["-1", -2]), "\"[\"\"-1\"\",'-2]\""),
            (json!(-5), "-5"),
            (json!("a=b"), "a=b"),
            (json!(null), ""),
            (json!(true), "true"),
        ];
        for (value, text) in cases {
            assert_eq!(cell(&value), text);
        }
    }

    /// The cells that a spreadsheet makes of a file: it goes by quotes where they open a cell, and takes what
    /// follows their end as it comes.
    fn parsed(file: &str, separator: char) -> Vec<String> {
        let (mut cells, mut cell, mut quoted, mut fresh) = (Vec::new(), String::new(), false, true);
        let mut characters = file.chars().peekable();
        while let Some(character) = characters.next() {
            if quoted {
                if character != '"' {
                    cell.push(character);
                } else if characters.next_if_eq(&'"').is_some() {
                    cell.push('"');
                } else {
                    quoted = false;
                }
            } else if fresh && character == '"' {
                (quoted, fresh) = (true, false);
            } else if character == separator || matches!(character, '\n' | '\r') {
                cells.push(std::mem::take(&mut cell));
                fresh = true;
            } else {
                cell.push(character);
                fresh = false;
            }
        }
        cells.push(cell);
        cells
    }

    /// Texts of what matters here.
    fn text() -> impl Strategy<Value = String> {
        prop::collection::vec(
            prop::sample::select(vec![
                ',', ';', '\t', '\n', '\r', '"', '\'', '=', '+', '-', '@', '\u{ff1d}', '\u{200b}',
                '\u{feff}', 'a', ' ',
            ]),
            0..12,
        )
        .prop_map(String::from_iter)
    }

    proptest! {
        #[test]
        fn no_cell_of_any_parse_begins_like_a_formula(
            rows in prop::collection::vec([text(), text(), text()], 1..4),
            own in prop::sample::select(b",;\t".to_vec()),
        ) {
            let mut writer = Writer::new(false, own, ["a", "b", "c"].into_iter()).unwrap();
            for row in &rows {
                prop_assert!(writer.row(&row.each_ref().map(|text| json!(text))).unwrap().is_none());
            }
            let file = String::from_utf8(writer.rest().unwrap()).unwrap();
            for separator in [',', ';', '\t'] {
                for cell in parsed(&file, separator) {
                    let seen = cell.trim_start_matches(is_ignorable);
                    prop_assert!(!seen.starts_with(FORMULA), "{cell:?} by {separator:?} in {file:?}");
                }
            }
        }

        #[test]
        fn what_was_written_is_read_back_but_for_apostrophes(row in [text(), text(), text()]) {
            let mut writer = Writer::new(false, b';', ["a", "b", "c"].into_iter()).unwrap();
            prop_assert!(writer.row(&row.each_ref().map(|text| json!(text))).unwrap().is_none());
            let file = writer.rest().unwrap();
            let mut reader = ::csv::ReaderBuilder::new().delimiter(b';').from_reader(&file[..]);
            let read = reader.records().next().unwrap().unwrap();
            for (read, written) in read.iter().zip(&row) {
                prop_assert_eq!(read.replace('\'', ""), written.replace('\'', ""));
            }
        }
    }
}
