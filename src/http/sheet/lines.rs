//! JSON lines: an object a row, with the header's names.

use crate::{
    error::{Error, Result},
    http::chunks::CHUNK_BYTES,
};
use serde_json::Value;

/// Writes rows as objects, one a line.
#[derive(Debug)]
pub(super) struct Writer {
    names: Vec<String>,
    lines: Vec<u8>,
}

impl Writer {
    pub(super) fn new<'a>(header: impl Iterator<Item = &'a str>) -> Self {
        Self { names: header.map(str::to_owned).collect(), lines: Vec::new() }
    }

    /// Adds a line, and gives the chunk that is full with it.
    pub(super) fn row<'a>(&mut self, cells: impl IntoIterator<Item = &'a Value>) -> Result<Option<Vec<u8>>> {
        let mut begins = b'{';
        for (name, cell) in self.names.iter().zip(cells) {
            self.lines.push(begins);
            serde_json::to_writer(&mut self.lines, name).map_err(Error::fault)?;
            self.lines.push(b':');
            serde_json::to_writer(&mut self.lines, cell).map_err(Error::fault)?;
            begins = b',';
        }
        self.lines.extend_from_slice(b"}\n");
        Ok((self.lines.len() >= CHUNK_BYTES).then(|| std::mem::take(&mut self.lines)))
    }

    /// The rest, which is not given yet.
    pub(super) fn rest(self) -> Vec<u8> {
        self.lines
    }
}
