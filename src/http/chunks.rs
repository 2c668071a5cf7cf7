//! Bodies that are written while they are read: a few chunks wait for their reader, who has to keep up.

use crate::error::{Error, Result};
use axum::body::{Body, Bytes};
use futures_util::stream::{self, StreamExt as _};
use std::time::{Duration, Instant};
use tokio::{sync::mpsc, time::timeout};

/// A chunk is sent once it has this many bytes.
pub const CHUNK_BYTES: usize = 64 * 1024;

/// Chunks that wait for a slow reader.
const WAITING: usize = 4;

/// A reader may take its chunks so much later than at [`READER_BYTES_PER_S`], all delays together. Beyond that it
/// is given up: it keeps a connection to Postgres, and one of few places.
const READER_WAIT: Duration = Duration::from_secs(30);

/// The slowest average rate of a reader: less than a telephone line of today has.
const READER_BYTES_PER_S: u32 = 16 * 1024;

/// The end of a body before its time; the response then breaks off, which its reader notices.
#[derive(Debug, thiserror::Error)]
#[error("the answer broke off")]
pub struct BrokenOff;

/// A part of a body.
#[derive(Debug)]
enum Part {
    Chunk(Bytes),
    /// There are no more. A body that ends without it is broken off: its writer has given up.
    End,
    Fault(Error),
}

/// The end that chunks are put into.
#[derive(Clone, Debug)]
pub struct Chunks {
    sender: mpsc::Sender<Part>,
    /// The time that the reader may still keep this waiting.
    wait: Duration,
    /// `true` where a chunk was not taken: what follows it makes no whole.
    has_gap: bool,
}

/// The end that becomes a body.
#[derive(Debug)]
pub struct ChunkReader(mpsc::Receiver<Part>);

/// Returns both ends of a body.
pub fn chunks() -> (Chunks, ChunkReader) {
    let (sender, receiver) = mpsc::channel(WAITING);
    (Chunks { sender, wait: READER_WAIT, has_gap: false }, ChunkReader(receiver))
}

impl Chunks {
    /// Sends a chunk; `false` if nobody takes it, or so slowly that it comes to the same.
    pub async fn send(&mut self, chunk: Vec<u8>) -> bool {
        let began = Instant::now();
        let length = chunk.len() as u32;
        let taken = self.put(Part::Chunk(chunk.into())).await;
        self.wait = wait_left(self.wait, began.elapsed(), length);
        self.has_gap |= !taken;
        taken
    }

    async fn put(&self, part: Part) -> bool {
        !self.has_gap && matches!(timeout(self.wait, self.sender.send(part)).await, Ok(Ok(())))
    }

    /// Ends the body, if all of it was taken.
    pub async fn end(self) {
        self.put(Part::End).await;
    }

    /// Breaks the body off.
    pub async fn fail(self, error: Error) {
        self.put(Part::Fault(error)).await;
    }

    /// Returns `true` if nobody reads any more.
    pub fn is_closed(&self) -> bool {
        self.sender.is_closed()
    }

    /// Waits until nobody reads any more.
    pub async fn closed(&self) {
        self.sender.closed().await;
    }
}

/// Returns the rest of a reader's wait after it has taken so many bytes in this time.
fn wait_left(wait: Duration, took: Duration, bytes: u32) -> Duration {
    let earned = Duration::from_secs(1) * bytes / READER_BYTES_PER_S;
    (wait + earned).saturating_sub(took).min(READER_WAIT)
}

impl ChunkReader {
    /// Waits for the first chunk, for as long as `wait`: `None` if it is not there by then. A fault before it is
    /// told as one.
    pub async fn first(&mut self, wait: Duration) -> Result<Option<Bytes>> {
        match timeout(wait, self.0.recv()).await {
            Ok(Some(Part::Chunk(first))) => Ok(Some(first)),
            Ok(Some(Part::Fault(error))) => Err(error),
            Ok(Some(Part::End) | None) => Err(Error::fault(BrokenOff)),
            Err(_) => Ok(None),
        }
    }

    /// Returns the body that begins with `first`.
    pub fn body(self, first: Option<Bytes>) -> Body {
        let rest = stream::unfold(Some(self.0), |parts| async move {
            let mut parts = parts?;
            match parts.recv().await {
                Some(Part::Chunk(chunk)) => Some((Ok(chunk), Some(parts))),
                Some(Part::End) => None,
                Some(Part::Fault(_)) | None => Some((Err(BrokenOff), None)),
            }
        });
        Body::from_stream(stream::iter(first.map(Ok)).chain(rest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_has_to_keep_up_with_the_least_rate() {
        let chunks_taken = |each: Duration| {
            let mut wait = READER_WAIT;
            (0..1_000)
                .take_while(|_| {
                    wait = wait_left(wait, each, 64 * 1024);
                    !wait.is_zero()
                })
                .count()
        };
        assert_eq!(chunks_taken(Duration::from_secs(4)), 1_000, "64 KiB in 4 s is the least");
        assert_eq!(chunks_taken(Duration::from_secs(29)), 1, "2 KiB a second is no reader");
        assert_eq!(wait_left(READER_WAIT, Duration::ZERO, 1 << 30), READER_WAIT, "nothing is saved up");
    }

    async fn body(reader: ChunkReader) -> Result<Bytes, axum::Error> {
        axum::body::to_bytes(reader.body(None), 100).await
    }

    #[tokio::test]
    async fn only_a_body_that_was_ended_is_whole() {
        let (mut whole, reader) = chunks();
        assert!(whole.send(b"[1]".to_vec()).await);
        whole.end().await;
        assert_eq!(body(reader).await.unwrap(), "[1]");

        let (mut failed, reader) = chunks();
        assert!(failed.send(b"[1".to_vec()).await);
        failed.fail(Error::NotFound("x")).await;
        assert!(body(reader).await.is_err());

        let (mut dropped, reader) = chunks();
        assert!(dropped.send(b"[1".to_vec()).await);
        drop(dropped);
        assert!(body(reader).await.is_err());
    }

    #[tokio::test]
    async fn a_body_with_a_gap_is_never_whole() {
        let (mut slow, reader) = chunks();
        slow.wait = Duration::from_millis(1);
        while slow.send(b"[1".to_vec()).await {}
        let (body, ()) = tokio::join!(body(reader), slow.end());
        assert!(body.is_err());
    }
}
