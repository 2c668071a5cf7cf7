//! CSV exports: rows as they come from the database, a chunk at a time, safe to open in a spreadsheet.

use crate::error::{Error, Result};
use axum::{
    body::{Body, Bytes},
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use futures_util::stream;
use serde_json::Value;
use std::{borrow::Cow, time::Duration};
use tokio::sync::{Semaphore, SemaphorePermit, mpsc};

/// A chunk is sent once it has this many bytes.
const CHUNK_BYTES: usize = 64 * 1024;

/// Chunks that wait for a slow reader.
const CHUNKS_WAITING: usize = 4;

/// A reader that takes nothing for this long is given up, so that it does not keep a connection to Postgres.
const READER_WAIT: Duration = Duration::from_secs(30);

/// Why an export has ended early; the response then breaks off, which its reader notices.
#[derive(Debug, thiserror::Error)]
#[error("the export broke off")]
struct BrokenOff;

/// Exports under way in one server: each holds a connection to Postgres for as long as its reader reads.
static UNDER_WAY: Semaphore = Semaphore::const_new(4);

/// Leave to export, for as long as it is held.
pub fn begin() -> Result<SemaphorePermit<'static>> {
    UNDER_WAY.try_acquire().map_err(|_| Error::TooMany { what: "exports", retry_after_s: 5 })
}

/// The end of an export that rows are put into.
#[derive(Debug)]
pub struct Sheet {
    writer: csv::Writer<Vec<u8>>,
    chunks: mpsc::Sender<Result<Bytes>>,
}

/// The end that becomes a response.
#[derive(Debug)]
pub struct SheetReader(mpsc::Receiver<Result<Bytes>>);

/// Both ends of an export whose first line is `header`.
pub fn sheet<'a>(header: impl IntoIterator<Item = &'a str>) -> Result<(Sheet, SheetReader)> {
    let (sender, receiver) = mpsc::channel(CHUNKS_WAITING);
    let mut sheet = Sheet { writer: csv::Writer::from_writer(Vec::new()), chunks: sender };
    sheet.writer.write_record(header).map_err(Error::fault)?;
    Ok((sheet, SheetReader(receiver)))
}

impl Sheet {
    /// Adds a row; false if nobody reads any more.
    pub async fn row<'a>(&mut self, cells: impl IntoIterator<Item = &'a Value>) -> Result<bool> {
        let cells = cells.into_iter().map(cell);
        for cell in cells {
            self.writer.write_field(cell.as_bytes()).map_err(Error::fault)?;
        }
        self.writer.write_record(None::<&[u8]>).map_err(Error::fault)?;
        if self.writer.get_ref().len() < CHUNK_BYTES { Ok(true) } else { self.send().await }
    }

    /// Sends what is left, or the fault that has ended the export.
    pub async fn end(mut self, outcome: Result<()>) {
        match outcome {
            Ok(()) => {
                let _ = self.send().await;
            }
            Err(error) => {
                tracing::warn!(error = %error, "an export broke off");
                let _ = self.chunks.send(Err(error)).await;
            }
        }
    }

    async fn send(&mut self) -> Result<bool> {
        let empty = csv::Writer::from_writer(Vec::new());
        let full = std::mem::replace(&mut self.writer, empty);
        let bytes = full.into_inner().map_err(|error| Error::fault(error.to_string()))?;
        let sent = tokio::time::timeout(READER_WAIT, self.chunks.send(Ok(bytes.into()))).await;
        Ok(matches!(sent, Ok(Ok(()))))
    }
}

impl SheetReader {
    /// The export as a download called `name`; the fault, if it ends before its first chunk.
    pub async fn download(mut self, name: &str) -> Result<Response> {
        let first = self.0.recv().await.ok_or_else(|| Error::fault(BrokenOff))??;
        let rest = stream::unfold(self.0, |mut chunks| async move {
            let chunk = chunks.recv().await?;
            Some((chunk.map_err(|_| BrokenOff), chunks))
        });
        let body = Body::from_stream(stream::StreamExt::chain(stream::iter([Ok(first)]), rest));
        let mut response = body.into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/csv; charset=utf-8"));
        let disposition = format!("attachment; filename=\"{name}\"");
        headers
            .insert(header::CONTENT_DISPOSITION, HeaderValue::from_str(&disposition).map_err(Error::fault)?);
        Ok(response)
    }
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

    #[tokio::test]
    async fn rows_are_quoted_and_the_header_comes_first() {
        let (mut sheet, reader) = sheet(["code", "note"]).unwrap();
        sheet.row(&[json!("A"), json!("say \"hi\", twice")]).await.unwrap();
        sheet.end(Ok(())).await;
        let response = reader.download("x.csv").await.unwrap();
        let body = axum::body::to_bytes(response.into_body(), 1_000).await.unwrap();
        assert_eq!(body, "code,note\nA,\"say \"\"hi\"\", twice\"\n");
    }
}
