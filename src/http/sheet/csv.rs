//! CSV (RFC 4180), safe to open in a spreadsheet.

use crate::error::{Error, Result};
use serde_json::Value;
use std::borrow::Cow;

/// A chunk is sent once it has this many bytes.
const CHUNK_BYTES: usize = 64 * 1024;

/// What tells spreadsheets that a file is UTF-8.
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

    /// What is not given yet.
    pub(super) fn rest(self) -> Result<Vec<u8>> {
        written(self.lines)
    }
}

fn lines(start: Vec<u8>, separator: u8) -> ::csv::Writer<Vec<u8>> {
    ::csv::WriterBuilder::new().delimiter(separator).from_writer(start)
}

fn written(lines: ::csv::Writer<Vec<u8>>) -> Result<Vec<u8>> {
    lines.into_inner().map_err(|error| Error::fault(error.to_string()))
}

/// A value as the text of a cell. A spreadsheet takes text that begins like a formula for one, and
/// what stands in an export was typed by anyone: an apostrophe in front keeps it text.
fn cell(value: &Value) -> Cow<'_, str> {
    match value {
        Value::Null => Cow::Borrowed(""),
        Value::String(text) if text.starts_with(['=', '+', '-', '@', '\t', '\r']) => {
            Cow::Owned(format!("'{text}"))
        }
        Value::String(text) => Cow::Borrowed(text),
        other => Cow::Owned(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn text_that_looks_like_a_formula_stays_text() {
        let cases = [
            (json!("=1+1"), "'=1+1"),
            (json!("@cmd"), "'@cmd"),
            (json!("-5"), "'-5"),
            (json!("\tx"), "'\tx"),
            (json!(-5), "-5"),
            (json!("a=b"), "a=b"),
            (json!(null), ""),
            (json!(true), "true"),
        ];
        for (value, text) in cases {
            assert_eq!(cell(&value), text);
        }
    }
}
