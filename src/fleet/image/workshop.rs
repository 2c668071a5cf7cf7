//! Where images are made, a few at a time: decoded they take far more memory than they were sent in.

use super::{
    Both, Rendition,
    codec::{self, Bounds, Flaw, Picture},
};
use crate::{
    config::Config,
    error::{Error, Result},
    fairness::{Gate, Limits, Place},
};

use std::time::Duration;

/// Requests that wait for a seat, and for a turn, at most: each holds a file or will.
const WAITING_MAX: usize = 64;

/// How long one waits.
const PATIENCE: Duration = Duration::from_secs(30);

/// Decodes and encodes off the async workers.
#[derive(Debug)]
pub struct Workshop {
    bounds: Bounds,
    /// Uploads whose bodies may be in memory.
    seats: Gate,
    /// Images that may be decoded.
    turns: Gate,
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
        let gate = |what, places: usize, share| {
            Gate::new(Limits {
                what,
                places,
                share,
                waiting: WAITING_MAX,
                patience: PATIENCE,
                retry_after_s: 5,
            })
        };
        Self {
            bounds: Bounds {
                bytes: config.image_max_bytes,
                pixels: config.image_max_pixels,
                drawing_bytes: config.drawing_max_bytes,
            },
            seats: gate("uploads", config.image_uploads_max, config.image_uploads_max.div_ceil(4)),
            turns: gate("images", config.image_parallel_max, config.image_parallel_max.div_ceil(2)),
        }
    }

    /// Waits for a place for one upload of a user group, whose body is not read before: it would fill memory.
    pub async fn seat(&self, group: i64) -> Result<Place> {
        self.seats.enter(group).await
    }

    /// An image, and a thumbnail made of it.
    pub async fn both(&self, group: i64, original: File) -> Result<Both> {
        self.work(group, original, |bytes, bounds| Picture::read(bytes, bounds)?.both()).await
    }

    /// A logo, once `proof` has shown that it can be printed.
    pub async fn logo(
        &self,
        group: i64,
        logo: File,
        proof: impl FnOnce(&Rendition) -> Result<(), Flaw> + Send + 'static,
    ) -> Result<Both> {
        self.work(group, logo, |bytes, bounds| {
            let both = codec::logo(bytes, bounds)?;
            proof(&both.original)?;
            Ok(both)
        })
        .await
    }

    /// A thumbnail, whatever the size of what it is made of.
    pub async fn thumbnail(&self, group: i64, file: File) -> Result<Rendition> {
        self.work(group, file, |bytes, bounds| Picture::read(bytes, bounds)?.thumbnail()).await
    }

    /// Reads a file and makes something of it when it is its turn. The turn ends with the work, also
    /// where the request is given up before that.
    async fn work<T: Send + 'static>(
        &self,
        group: i64,
        file: File,
        make: impl FnOnce(&[u8], Bounds) -> Result<T, Flaw> + Send + 'static,
    ) -> Result<T> {
        let turn = self.turns.enter(group).await?;
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
