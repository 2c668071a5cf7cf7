//! Exports: rows as they come from the database, as CSV or as a workbook that spreadsheets open.
//!
//! Nothing here is ever in memory as a whole: CSV goes out a chunk at a time, and the sheets of a workbook
//! wait for their end on disk.

mod asked;
mod csv;
mod lines;
mod workbook;

pub use asked::{Asked, Form, FormParams, WORKBOOK, filename, zone};

use super::chunks::{ChunkReader, Chunks, chunks};
use crate::error::{Error, Result};
use axum::{
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use serde_json::Value;
use std::time::Duration;

/// For so long an answer waits for the first chunk of a workbook, so that a fault before it is told as one.
const FIRST_WAIT: Duration = Duration::from_secs(10);

/// How long Postgres works at an export at most, in seconds: it works for as long as the reader reads.
pub const TIME_MAX_S: u32 = 3_600;

/// The end of an export that rows are put into.
#[derive(Debug)]
pub struct Sheet {
    writer: Writer,
    chunks: Chunks,
}

#[derive(Debug)]
enum Writer {
    Csv(Box<csv::Writer>),
    Workbook(workbook::Writer),
    Lines(lines::Writer),
}

/// The end that becomes a response.
#[derive(Debug)]
pub struct SheetReader {
    form: Form,
    chunks: ChunkReader,
}

/// Both ends of an export whose first line is `header`.
pub fn sheet<'a>(form: Form, header: impl IntoIterator<Item = &'a str>) -> Result<(Sheet, SheetReader)> {
    let (sender, chunks) = chunks();
    let header = header.into_iter();
    let writer = match form {
        Form::Csv { bom, separator } => Writer::Csv(Box::new(csv::Writer::new(bom, separator, header)?)),
        Form::Workbook => Writer::Workbook(workbook::Writer::new(header, sender.clone())),
        Form::Lines => Writer::Lines(lines::Writer::new(header)),
    };
    Ok((Sheet { writer, chunks: sender }, SheetReader { form, chunks }))
}

impl Sheet {
    /// Adds a row; false if nobody reads any more.
    pub async fn row<'a>(&mut self, cells: impl IntoIterator<Item = &'a Value>) -> Result<bool> {
        match &mut self.writer {
            Writer::Csv(writer) => match writer.row(cells)? {
                Some(chunk) => Ok(self.chunks.send(chunk).await),
                None => Ok(true),
            },
            Writer::Lines(writer) => match writer.row(cells)? {
                Some(chunk) => Ok(self.chunks.send(chunk).await),
                None => Ok(true),
            },
            Writer::Workbook(writer) => Ok(!self.chunks.is_closed() && writer.row(cells).await),
        }
    }

    /// Sends what is left, or the fault that has ended the export.
    pub async fn end(self, outcome: Result<()>) {
        let Self { writer, mut chunks } = self;
        let outcome = match (outcome, writer) {
            (Ok(()), Writer::Csv(writer)) => writer.rest().map(Some),
            (Ok(()), Writer::Lines(writer)) => Ok(Some(writer.rest())),
            (Ok(()), Writer::Workbook(writer)) => writer.finish().await.map(|()| None),
            (Err(error), _) => Err(error),
        };
        match outcome {
            Ok(Some(rest)) => {
                chunks.send(rest).await;
                chunks.end().await;
            }
            Ok(None) => chunks.end().await,
            Err(error) => {
                tracing::warn!(error = %error, "an export broke off");
                chunks.fail(error).await;
            }
        }
    }
}

impl SheetReader {
    /// The export as a download, called `name` and by its ending; the fault, if it ends before its first
    /// chunk.
    pub async fn download(mut self, name: &str) -> Result<Response> {
        let wait = if self.form == Form::Workbook { FIRST_WAIT } else { Duration::MAX };
        let first = self.chunks.first(wait).await?;
        let mut response = self.chunks.body(first).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(self.form.media_type()));
        let disposition = format!("attachment; filename=\"{}\"", self.form.file(name));
        headers
            .insert(header::CONTENT_DISPOSITION, HeaderValue::from_str(&disposition).map_err(Error::fault)?);
        Ok(response)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Bytes;
    use serde_json::json;

    const CSV: Form = Form::Csv { bom: false, separator: b',' };

    async fn downloaded(form: Form, rows: &[[Value; 2]]) -> (String, Bytes) {
        let (mut sheet, reader) = sheet(form, ["code", "note"]).unwrap();
        for row in rows {
            assert!(sheet.row(row).await.unwrap());
        }
        let (response, ()) = tokio::join!(reader.download("x"), sheet.end(Ok(())));
        let response = response.unwrap();
        let name = response.headers()[header::CONTENT_DISPOSITION].to_str().unwrap().to_owned();
        (name, axum::body::to_bytes(response.into_body(), 100_000).await.unwrap())
    }

    #[tokio::test]
    async fn rows_are_quoted_and_the_header_comes_first() {
        let rows = [[json!("A"), json!("say \"hi\", twice")]];
        let (name, body) = downloaded(CSV, &rows).await;
        assert_eq!(name, "attachment; filename=\"x.csv\"");
        assert_eq!(body, "code,note\nA,\"say \"\"hi\"\", twice\"\n");
        let form = Form::Csv { bom: true, separator: b';' };
        assert_eq!(downloaded(form, &rows).await.1, "\u{feff}code;note\nA;\"say \"\"hi\"\", twice\"\n");
    }

    #[tokio::test]
    async fn a_line_is_an_object_with_the_names_of_the_header() {
        let rows = [[json!("A\n"), json!({"a": 1})], [json!(null), json!(2)]];
        let (name, body) = downloaded(Form::Lines, &rows).await;
        assert_eq!(name, "attachment; filename=\"x.jsonl\"");
        assert_eq!(body, "{\"code\":\"A\\n\",\"note\":{\"a\":1}}\n{\"code\":null,\"note\":2}\n");
    }

    #[tokio::test]
    async fn an_export_that_breaks_off_says_so() {
        for form in [CSV, Form::Workbook] {
            let (mut sheet, reader) = sheet(form, ["code"]).unwrap();
            sheet.row(&[json!("A")]).await.unwrap();
            let (response, ()) = tokio::join!(reader.download("x"), sheet.end(Err(Error::NotFound("x"))));
            assert!(matches!(response, Err(Error::NotFound("x"))), "{form:?}");
        }
    }

    #[tokio::test]
    async fn nobody_writes_for_a_reader_who_is_gone() {
        for form in [CSV, Form::Workbook] {
            let (mut sheet, reader) = sheet(form, ["code"]).unwrap();
            drop(reader);
            let long = json!("x".repeat(30_000));
            let mut rows = 0;
            while rows < 100 && sheet.row([&long]).await.unwrap() {
                rows += 1;
            }
            assert!(rows < 100, "{form:?}");
            sheet.end(Ok(())).await;
        }
    }
}
