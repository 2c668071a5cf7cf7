//! How images are sent: as base64 text in JSON, or as the files of a form.

use super::workshop::File;
use crate::{
    app::App,
    error::{Error, Result},
    http::extract::{self, broken, escaped, present},
};
use axum::{
    body::Body,
    extract::{DefaultBodyLimit, FromRequest, Multipart, Request},
    http::header,
};
use base64::{
    Engine,
    alphabet::STANDARD,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use serde::{Deserialize, de::DeserializeOwned};
use std::{marker::PhantomData, time::Duration};
use tokio::sync::OwnedSemaphorePermit;
use utoipa::ToSchema;

/// How long a body may take to arrive: nobody else has its place meanwhile.
const ARRIVAL_MAX: Duration = Duration::from_mins(1);

/// As most write it, with or without the padding at its end.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

pub(super) const ORIGINAL: &str = "/original";
pub(super) const THUMBNAIL: &str = "/thumbnail";

/// A new image.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ImageDraft {
    /// A PNG, JPEG, GIF or WebP image in base64, or a `data:` URL of one.
    original: String,
    /// The same, small; made from the original if it is absent or empty.
    thumbnail: Option<String>,
}

/// What is to change about an image.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(clippy::option_option, reason = "absent, null and text are three things")]
pub(super) struct ImagePatch {
    /// A PNG, JPEG, GIF or WebP image in base64, or a `data:` URL of one.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = String, required = false)]
    original: Option<Option<String>>,
    /// The same, small; made from the original if it is `null` or empty, or if the original changes.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    thumbnail: Option<Option<String>>,
}

impl From<ImageDraft> for ImagePatch {
    fn from(ImageDraft { original, thumbnail }: ImageDraft) -> Self {
        Self { original: Some(Some(original)), thumbnail: Some(thumbnail) }
    }
}

/// A new image, as a form.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "says in the document what is read part by part")]
pub(super) struct ImageForm {
    /// A PNG, JPEG, GIF or WebP file.
    #[schema(value_type = String, format = Binary)]
    original: Vec<u8>,
    /// The same, small; made from the original if it is absent or empty.
    #[schema(value_type = String, required = false, format = Binary)]
    thumbnail: Option<Vec<u8>>,
}

/// What is to change about an image, as a form.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "says in the document what is read part by part")]
pub(super) struct ImagePatchForm {
    /// A PNG, JPEG, GIF or WebP file.
    #[schema(value_type = String, required = false, format = Binary)]
    original: Option<Vec<u8>>,
    /// The same, small; made from the original if it is empty, or if the original changes.
    #[schema(value_type = String, required = false, format = Binary)]
    thumbnail: Option<Vec<u8>>,
}

/// One of the two fields.
#[derive(Debug)]
pub(super) enum Sent {
    /// It was not there.
    Absent,
    /// It was there, with nothing in it.
    Empty,
    /// Something that should be an image.
    File(File),
}

/// A request with images in it, as a form or as a `T` in JSON, and its place among those that are
/// received at once.
#[derive(Debug)]
pub(super) struct Upload<T> {
    pub(super) original: Sent,
    pub(super) thumbnail: Sent,
    _seat: OwnedSemaphorePermit,
    _read_as: PhantomData<T>,
}

impl<T: DeserializeOwned + Into<ImagePatch> + Send> FromRequest<App> for Upload<T> {
    type Rejection = Error;

    async fn from_request(mut request: Request<Body>, app: &App) -> Result<Self> {
        let seat = app.images.seat().await?;
        // The original in base64, a small thumbnail, and what stands around them.
        let body_max = app.config.image_max_bytes.saturating_mul(2);
        DefaultBodyLimit::max(body_max).apply(&mut request);
        let arrival = async {
            if is_form(&request) { form(request, body_max).await } else { json::<T>(request, body_max).await }
        };
        let arrived = tokio::time::timeout(ARRIVAL_MAX, arrival).await;
        let (original, thumbnail) =
            arrived.unwrap_or_else(|_| Err(Error::malformed("", "the body took too long")))?;
        for sent in [&original, &thumbnail] {
            sent.check(app.config.image_max_bytes)?;
        }
        Ok(Self { original, thumbnail, _seat: seat, _read_as: PhantomData })
    }
}

impl Sent {
    fn bytes(pointer: &'static str, bytes: Vec<u8>) -> Self {
        if bytes.is_empty() { Self::Empty } else { Self::File(File { pointer, bytes }) }
    }

    /// A field of JSON, as [`present`] reads it.
    #[expect(clippy::option_option, reason = "absent, null and text are three things")]
    fn text(pointer: &'static str, text: Option<Option<String>>) -> Result<Self> {
        match text {
            None => Ok(Self::Absent),
            Some(None) => Ok(Self::Empty),
            Some(Some(text)) => {
                let bytes = decode(&text).map_err(|detail| Error::invalid(pointer, detail))?;
                Ok(Self::bytes(pointer, bytes))
            }
        }
    }

    fn check(&self, limit_bytes: usize) -> Result<()> {
        match self {
            Self::File(file) if file.bytes.len() > limit_bytes => {
                Err(Error::TooLarge { what: file.pointer.trim_start_matches('/'), limit_bytes })
            }
            _ => Ok(()),
        }
    }
}

fn is_form(request: &Request<Body>) -> bool {
    let content_type = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let mime = content_type.and_then(|content_type| content_type.split(';').next()).unwrap_or_default();
    mime.trim().eq_ignore_ascii_case("multipart/form-data")
}

async fn json<T: DeserializeOwned + Into<ImagePatch>>(
    request: Request<Body>,
    body_max: usize,
) -> Result<(Sent, Sent)> {
    let bytes = extract::json_bytes(request, body_max).await?;
    let ImagePatch { original, thumbnail } = extract::parse::<T>(&bytes)?.into();
    Ok((Sent::text(ORIGINAL, original)?, Sent::text(THUMBNAIL, thumbnail)?))
}

async fn form(request: Request<Body>, body_max: usize) -> Result<(Sent, Sent)> {
    let mut form = Multipart::from_request(request, &())
        .await
        .map_err(|_| Error::malformed("", "the Content-Type names no boundary"))?;
    let (mut original, mut thumbnail) = (Sent::Absent, Sent::Absent);
    while let Some(field) = form.next_field().await.map_err(|error| broken(error.status(), body_max))? {
        let (pointer, place) = match field.name().unwrap_or_default() {
            "original" => (ORIGINAL, &mut original),
            "thumbnail" => (THUMBNAIL, &mut thumbnail),
            name => {
                let pointer = format!("/{}", escaped(name));
                return Err(Error::invalid(pointer, "is not a field of this request"));
            }
        };
        if !matches!(place, Sent::Absent) {
            return Err(Error::invalid(pointer, "is given twice"));
        }
        let bytes = field.bytes().await.map_err(|error| broken(error.status(), body_max))?;
        *place = Sent::bytes(pointer, bytes.into());
    }
    Ok((original, thumbnail))
}

/// What base64 or a `data:` URL of it stands for. Its media type is not asked: the bytes tell.
fn decode(text: &str) -> Result<Vec<u8>, &'static str> {
    let text = text.trim();
    let is_url = text.get(..5).is_some_and(|scheme| scheme.eq_ignore_ascii_case("data:"));
    let data = if is_url {
        let (head, data) = text.split_once(',').ok_or("is a data URL without data")?;
        let head = head.to_ascii_lowercase();
        head.ends_with(";base64").then_some(data).ok_or("is a data URL, but not in base64")?
    } else {
        text
    };
    // Mail programs and command lines break it into lines.
    let data: Vec<u8> = data.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    BASE64.decode(data).map_err(|_| "is not base64")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_read_as_people_write_it() {
        let read = |text| decode(text).unwrap();
        for text in [
            "aGVsbG8h",
            " aGVs\r\nbG8h\n",
            "data:image/png;base64,aGVsbG8h",
            "DATA:;charset=x;BASE64,aGVs bG8h",
        ] {
            assert_eq!(read(text), b"hello!", "{text}");
        }
        assert_eq!(read("aGVsbG8="), read("aGVsbG8"));
        assert_eq!(read(" "), b"");
        assert_eq!(read("data:;base64,"), b"");
    }

    #[test]
    fn what_is_no_base64_is_refused() {
        let long = "x!".repeat(5_000);
        for text in
            ["a", "aGVsbG8h!", "a\0b=", "<svg/>", "data:", "data:image/png,aGVsbG8h", "\u{202e}abc", &long]
        {
            assert!(decode(text).is_err(), "{text}");
        }
    }
}
