//! Workbooks (Office Open XML). Text stands in them as text, so that a spreadsheet neither drops the zeros
//! that a code begins with nor takes a name for a formula.
//!
//! A workbook has its rows on disk until the last is there, then it goes out as it is packed.

use crate::{
    error::{Error, Result},
    http::chunks::{CHUNK_BYTES, Chunks},
};
use rust_xlsxwriter::{Format, Workbook, Worksheet, XlsxError};
use serde_json::Value;
use std::io;
use tokio::{runtime::Handle, sync::mpsc, task::JoinHandle};

/// Rows that are handed over at once.
const BATCH: usize = 256;

/// Batches that wait to be written.
const BATCHES_WAITING: usize = 4;

/// Rows of a sheet, its header among them: there are no more in the format.
const ROWS_MAX: u32 = 1_048_576;

/// Characters of a cell: the format has no more.
const TEXT_MAX: usize = 32_767;

/// Beyond it, a spreadsheet does not show all digits of a number.
const NUMBER_MAX: f64 = 1e15;

type Row = Vec<Value>;

/// Orders to the thread that writes a workbook.
#[derive(Debug)]
enum Told {
    Rows(Vec<Row>),
    /// There are no more; what ends without it is given up.
    Complete,
}

/// Hands rows over to the thread that writes them.
#[derive(Debug)]
pub(super) struct Writer {
    batch: Vec<Row>,
    told: mpsc::Sender<Told>,
    written: JoinHandle<Result<(), XlsxError>>,
}

impl Writer {
    pub(super) fn new<'a>(header: impl Iterator<Item = &'a str>, chunks: Chunks) -> Self {
        let (told, hears) = mpsc::channel(BATCHES_WAITING);
        let header: Vec<String> = header.map(str::to_owned).collect();
        let runtime = Handle::current();
        let written =
            tokio::task::spawn_blocking(move || write(&header, hears, Outlet::new(chunks, runtime)));
        Self { batch: Vec::with_capacity(BATCH), told, written }
    }

    /// Adds a row; false if nothing is written any more.
    pub(super) async fn row<'a>(&mut self, cells: impl IntoIterator<Item = &'a Value>) -> bool {
        self.batch.push(cells.into_iter().cloned().collect());
        if self.batch.len() < BATCH {
            return true;
        }
        let batch = std::mem::replace(&mut self.batch, Vec::with_capacity(BATCH));
        self.told.send(Told::Rows(batch)).await.is_ok()
    }

    /// Waits until the workbook is written.
    pub(super) async fn finish(self) -> Result<()> {
        for told in [Told::Rows(self.batch), Told::Complete] {
            // Where nobody hears, the thread has ended and says why.
            let _ = self.told.send(told).await;
        }
        self.written.await.map_err(Error::fault)?.map_err(Error::fault)
    }
}

fn write(header: &[String], mut hears: mpsc::Receiver<Told>, outlet: Outlet) -> Result<(), XlsxError> {
    let mut workbook = Workbook::new();
    let mut sheet = begun(&mut workbook, header)?;
    let mut next = 1;
    loop {
        let rows = match hears.blocking_recv() {
            Some(Told::Rows(rows)) => rows,
            Some(Told::Complete) => break,
            None => return Ok(()),
        };
        for row in rows {
            if next == ROWS_MAX {
                (sheet, next) = (begun(&mut workbook, header)?, 1);
            }
            for (column, value) in (0u16..).zip(&row) {
                put(sheet, next, column, value)?;
            }
            next += 1;
        }
    }
    let mut outlet = outlet;
    workbook.save_to_writer(&mut outlet)?;
    outlet.send()?;
    Ok(())
}

/// A new sheet whose first row stays in sight.
fn begun<'a>(workbook: &'a mut Workbook, header: &[String]) -> Result<&'a mut Worksheet, XlsxError> {
    let bold = Format::new().set_bold();
    let sheet = workbook.add_worksheet_with_constant_memory()?;
    sheet.set_freeze_panes(1, 0)?;
    for (column, name) in (0u16..).zip(header) {
        sheet.write_string_with_format(0, column, name, &bold)?;
    }
    Ok(sheet)
}

fn put(sheet: &mut Worksheet, row: u32, column: u16, value: &Value) -> Result<(), XlsxError> {
    match value {
        Value::Null => {}
        Value::Bool(truth) => drop(sheet.write_boolean(row, column, *truth)?),
        Value::Number(number) => match number.as_f64().filter(|number| number.abs() < NUMBER_MAX) {
            Some(number) => drop(sheet.write_number(row, column, number)?),
            None => drop(sheet.write_string(row, column, number.to_string())?),
        },
        Value::String(text) => drop(sheet.write_string(row, column, fitting(text))?),
        other => drop(sheet.write_string(row, column, fitting(&other.to_string()))?),
    }
    Ok(())
}

/// As much of a text as a cell holds, with an ellipsis for the rest.
fn fitting(text: &str) -> String {
    if text.encode_utf16().count() <= TEXT_MAX {
        return text.to_owned();
    }
    let mut room = TEXT_MAX - 1;
    let kept = text.chars().take_while(|char| {
        let fits = char.len_utf16() <= room;
        room = room.saturating_sub(char.len_utf16());
        fits
    });
    kept.chain(['…']).collect()
}

/// Sends what is written into it to the reader of the export.
struct Outlet {
    chunk: Vec<u8>,
    chunks: Chunks,
    runtime: Handle,
}

impl Outlet {
    fn new(chunks: Chunks, runtime: Handle) -> Self {
        Self { chunk: Vec::with_capacity(CHUNK_BYTES), chunks, runtime }
    }

    fn send(&mut self) -> io::Result<()> {
        let chunk = std::mem::replace(&mut self.chunk, Vec::with_capacity(CHUNK_BYTES));
        if self.runtime.block_on(self.chunks.send(chunk)) {
            Ok(())
        } else {
            Err(io::Error::new(io::ErrorKind::BrokenPipe, "nobody reads the export any more"))
        }
    }
}

impl io::Write for Outlet {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.chunk.extend_from_slice(bytes);
        if self.chunk.len() >= CHUNK_BYTES {
            self.send()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
