//! Where images are made, a few at a time: decoded they take far more memory than they were sent in.

use super::{
    Both, Rendition,
    codec::{self, Bounds, Flaw, Picture},
};
use crate::{
    config::Config,
    error::{Error, Result},
};
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Decodes and encodes off the async workers.
#[derive(Debug)]
pub struct Workshop {
    bounds: Bounds,
    /// Uploads whose bodies may be in memory.
    seats: Arc<Semaphore>,
    /// Images that may be decoded.
    turns: Arc<Semaphore>,
}

/// A file, and where in the request it was.
#[derive(Debug)]
pub struct File {
    /// JSON pointer of its field.
    pub pointer: &'static str,
    /// As it was sent.
    pub bytes: Vec<u8>,
}

impl Workshop {
    /// With the room that `config` gives it.
    pub fn new(config: &Config) -> Self {
        let room = |places: usize| Arc::new(Semaphore::new(places.clamp(1, Semaphore::MAX_PERMITS)));
        Self {
            bounds: Bounds {
                bytes: config.image_max_bytes,
                pixels: config.image_max_pixels,
                drawing_bytes: config.drawing_max_bytes,
            },
            seats: room(config.image_uploads_max),
            turns: room(config.image_parallel_max),
        }
    }

    /// A place for one upload. Whoever waits for one has not sent a body yet that would fill memory.
    pub async fn seat(&self) -> Result<OwnedSemaphorePermit> {
        self.seats.clone().acquire_owned().await.map_err(Error::fault)
    }

    /// An image, and a thumbnail made of it.
    pub async fn both(&self, original: File) -> Result<Both> {
        self.work(original, |bytes, bounds| Picture::read(bytes, bounds)?.both()).await
    }

    /// A logo, once `proof` has shown that it can be printed.
    pub async fn logo(
        &self,
        logo: File,
        proof: impl FnOnce(&Rendition) -> Result<(), Flaw> + Send + 'static,
    ) -> Result<Both> {
        self.work(logo, |bytes, bounds| {
            let both = codec::logo(bytes, bounds)?;
            proof(&both.original)?;
            Ok(both)
        })
        .await
    }

    /// A thumbnail, whatever the size of what it is made of.
    pub async fn thumbnail(&self, file: File) -> Result<Rendition> {
        self.work(file, |bytes, bounds| Picture::read(bytes, bounds)?.thumbnail()).await
    }

    /// Reads a file and makes something of it when it is its turn. The turn ends with the work, also
    /// where the request is given up before that.
    async fn work<T: Send + 'static>(
        &self,
        file: File,
        make: impl FnOnce(&[u8], Bounds) -> Result<T, Flaw> + Send + 'static,
    ) -> Result<T> {
        let turn = self.turns.clone().acquire_owned().await.map_err(Error::fault)?;
        let File { pointer, bytes } = file;
        let bounds = self.bounds;
        let work = move || {
            let outcome = make(&bytes, bounds);
            drop(turn);
            outcome
        };
        // A decoder that panics has met a file that it can't read.
        let outcome = tokio::task::spawn_blocking(work).await.unwrap_or(Err(Flaw::Damaged));
        outcome.map_err(|flaw| Error::invalid(pointer, flaw.to_string()))
    }
}
