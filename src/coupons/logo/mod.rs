//! Logos as a PDF holds them: once a file, however many coupons show them.
//!
//! Whatever a logo is made of, it is an object that fills the square from 0, 0 to 1, 1, so that who
//! places it need not know. Photographs go in as they are stored, other pictures without loss, and
//! drawings as drawings: they are as sharp as the printer.

mod picture;
mod vector;

use crate::fleet::image::{Format, Rendition, codec::Flaw};
use pdf_writer::{Chunk, Ref};
use picture::Picture;
use vector::Vector;

/// A logo, ready to be written into any number of files.
#[derive(Clone, Debug)]
pub struct Logo {
    aspect: f32,
    content: Content,
}

#[derive(Clone, Debug)]
enum Content {
    Picture(Picture),
    Vector(Vector),
}

impl Logo {
    /// Makes a logo of an image as it is stored. This takes long enough to keep it off the async
    /// workers; the same image always becomes the same bytes.
    pub fn read(image: &Rendition) -> Result<Self, Flaw> {
        match image.format {
            Format::Svg => {
                let (vector, aspect) = Vector::read(&image.bytes)?;
                Ok(Self { aspect, content: Content::Vector(vector) })
            }
            Format::Jpeg | Format::Png => {
                let aspect = image.width as f32 / image.height.max(1) as f32;
                Ok(Self { aspect, content: Content::Picture(Picture::read(image)?) })
            }
        }
    }

    /// How many times as wide as high it is.
    pub fn aspect(&self) -> f32 {
        self.aspect
    }

    /// Writes the logo into a file whose next free references `next` gives; what is returned is drawn
    /// with `Do`, and fills the unit square.
    pub fn write(&self, file: &mut Chunk, next: &mut impl FnMut() -> Ref) -> Ref {
        match &self.content {
            Content::Picture(picture) => picture.write(file, next),
            Content::Vector(vector) => vector.write(file, next),
        }
    }
}

#[cfg(test)]
mod tests;
