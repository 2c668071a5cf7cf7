//! Images: pictures of machine models and the logos of coupons.
//!
//! Whatever is sent is decoded and encoded anew ([`codec`]), a few at a time and off the async workers
//! ([`workshop`]). What is stored ([`store`]) is therefore a PNG or a JPEG and nothing besides: no
//! position where a photograph was taken, no page or script behind the last pixel. A logo can be a
//! [`drawing`], of which only what it shows is stored.

pub mod codec;
mod colors;
pub mod drawing;
mod http;
pub mod store;
pub mod upload;
pub mod workshop;

pub(super) use http::routes;

use crate::resource::resource;
use serde::Deserialize;
use utoipa::ToSchema;

resource! {
    /// An image, without its pixels.
    Image "image" at "/image" in "image";
    may FleetRead, FleetWrite;
    reach Downwards;
    does DELETE;
    lists {
        /// Its user group.
        user_group: i64,
    }
}

/// The sizes in which an image is there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, ToSchema, sqlx::Type)]
#[serde(rename_all = "lowercase")]
#[sqlx(type_name = "text", rename_all = "lowercase")]
#[schema(as = ImageSize)]
pub enum Size {
    /// As large as it was sent.
    #[default]
    Original,
    /// Its longest side has at most [`codec::THUMBNAIL_SIDE_MAX`] pixels.
    Thumbnail,
}

/// What an image can be stored as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, sqlx::Type)]
#[sqlx(type_name = "text")]
pub enum Format {
    /// For photographs: nothing in them is transparent, and they were compressed with losses before.
    #[sqlx(rename = "image/jpeg")]
    Jpeg,
    /// For every other picture.
    #[sqlx(rename = "image/png")]
    Png,
    /// For drawings, which are logos.
    #[sqlx(rename = "image/svg+xml")]
    Svg,
}

impl Format {
    /// Its media type.
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Jpeg => "image/jpeg",
            Self::Png => "image/png",
            Self::Svg => "image/svg+xml",
        }
    }
}

/// An image in one size, as it is stored and served.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Rendition {
    /// What its bytes are.
    #[sqlx(rename = "type")]
    pub format: Format,
    /// In pixels.
    pub width: i32,
    /// In pixels.
    pub height: i32,
    /// SHA-256 of its bytes.
    pub hash: Vec<u8>,
    /// The file.
    pub bytes: Vec<u8>,
}

/// An image in both its sizes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Both {
    /// As large as it was sent.
    pub original: Rendition,
    /// Small.
    pub thumbnail: Rendition,
}
