//! How images are sent: as base64 text in JSON, as the files of a form, or as the body itself.

use super::workshop::File;
use crate::{
    app::App,
    error::{Error, Result},
    fairness::Place,
    http::{
        extract::{self, broken, escaped, present},
        unread::FromBody,
    },
    idempotency,
};
use axum::{
    body::Body,
    extract::{FromRequest, Multipart, Request},
    http::header,
};
use base64::{
    Engine,
    alphabet::STANDARD,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use serde::Deserialize;
use utoipa::ToSchema;

/// What a body can say that it is if it is an image. What it is, its bytes tell.
const IMAGES: &[&str] = &["image/gif", "image/jpeg", "image/png", "image/svg+xml", "image/webp"];

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
    #[schema(examples("R0lGODlhAQABAIAAAP///wAAACwAAAAAAQABAAACAkQBADs="))]
    original: String,
    /// The same, small; made from the original if it is absent or empty.
    #[schema(examples("R0lGODlhAQABAIAAAP///wAAACwAAAAAAQABAAACAkQBADs="))]
    thumbnail: Option<String>,
}

/// What is to change about an image.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(clippy::option_option, reason = "absent, null and text are three things")]
pub(super) struct ImagePatch {
    /// A PNG, JPEG, GIF or WebP image in base64, or a `data:` URL of one.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = String, required = false, examples("R0lGODlhAQABAIAAAP///wAAACwAAAAAAQABAAACAkQBADs="))]
    original: Option<Option<String>>,
    /// The same, small; made from the original if it is `null` or empty, or if the original changes.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>, examples("R0lGODlhAQABAIAAAP///wAAACwAAAAAAQABAAACAkQBADs="))]
    thumbnail: Option<Option<String>>,
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

/// A field that holds a file.
#[derive(Debug)]
pub enum Sent {
    /// It was not there.
    Absent,
    /// It was there, with nothing in it.
    Empty,
    /// Something that should be an image.
    File(File),
}

/// The fields of a request with images in it: as JSON, as a form, or (of one image) as the body itself.
pub trait Fields<const FILES: usize>: 'static {
    /// JSON pointers of those that hold files; the fields of a form have the same names.
    const POINTERS: [&'static str; FILES];
    /// Whether a body that is an image is the file of the first field.
    const BARE: bool;
    /// What a request comes down to.
    type Read: Send + 'static;

    /// Reads JSON, with files of at most `file_max` bytes.
    fn of_json(json: &[u8], file_max: usize) -> Result<Self::Read>;

    /// What files without anything else come down to, in the order of the pointers.
    fn of_files(files: [Sent; FILES]) -> Result<Self::Read>;
}

/// A request with images in it, and its place among those that are received at once.
#[derive(Debug)]
pub struct Upload<F: Fields<FILES>, const FILES: usize> {
    /// What it comes down to.
    pub read: F::Read,
    _seat: Place,
}

impl<F: Fields<FILES>, const FILES: usize> FromBody for Upload<F, FILES> {
    async fn from_body(request: Request<Body>, app: &App, group: i64) -> Result<Self> {
        let seat = app.images.seat(group).await?;
        let file_max = app.config.image_max_bytes;
        // The original in base64, a small thumbnail, and what stands around them.
        let body_max = file_max.saturating_mul(2);
        let kind = media_type(&request);
        let read = if kind == "multipart/form-data" {
            F::of_files(form::<F, FILES>(request, body_max, file_max).await?)?
        } else if F::BARE && kind.starts_with("image/") {
            F::of_files(bare::<F, FILES>(request, &kind, body_max, file_max).await?)?
        } else {
            let json = extract::json_bytes(request, body_max).await;
            let json = json.map_err(|error| taking(F::BARE, error))?;
            app.offload.run(group, json.len(), move || F::of_json(&json, file_max)).await?
        };
        Ok(Self { read, _seat: seat })
    }
}

/// The fields of [`ImageDraft`] and [`ImagePatch`].
const IMAGE: [&str; 2] = [ORIGINAL, THUMBNAIL];

impl Fields<2> for ImageDraft {
    const POINTERS: [&'static str; 2] = IMAGE;
    const BARE: bool = false;
    type Read = [Sent; 2];

    fn of_json(json: &[u8], file_max: usize) -> Result<[Sent; 2]> {
        let Self { original, thumbnail } = extract::parse(json)?;
        Ok([
            Sent::text(ORIGINAL, Some(Some(original)), file_max)?,
            Sent::text(THUMBNAIL, Some(thumbnail), file_max)?,
        ])
    }

    fn of_files(files: [Sent; 2]) -> Result<[Sent; 2]> {
        Ok(files)
    }
}

impl Fields<2> for ImagePatch {
    const POINTERS: [&'static str; 2] = IMAGE;
    const BARE: bool = false;
    type Read = [Sent; 2];

    fn of_json(json: &[u8], file_max: usize) -> Result<[Sent; 2]> {
        let Self { original, thumbnail } = extract::parse(json)?;
        Ok([Sent::text(ORIGINAL, original, file_max)?, Sent::text(THUMBNAIL, thumbnail, file_max)?])
    }

    fn of_files(files: [Sent; 2]) -> Result<[Sent; 2]> {
        Ok(files)
    }
}

impl Sent {
    /// The bytes of a field, refused (413) if there are more than `file_max`.
    pub fn bytes(pointer: &'static str, bytes: Vec<u8>, file_max: usize) -> Result<Self> {
        if bytes.len() > file_max {
            let what = pointer.trim_start_matches('/');
            return Err(Error::TooLarge { what, limit_bytes: file_max });
        }
        Ok(if bytes.is_empty() { Self::Empty } else { Self::File(File { pointer, bytes }) })
    }

    /// A field of JSON, as [`present`] reads it.
    pub fn text(pointer: &'static str, text: Option<Option<String>>, file_max: usize) -> Result<Self> {
        match text {
            None => Ok(Self::Absent),
            Some(None) => Ok(Self::Empty),
            Some(Some(text)) => {
                let bytes = decode(&text).map_err(|detail| Error::invalid(pointer, detail))?;
                Self::bytes(pointer, bytes, file_max)
            }
        }
    }
}

/// Types of bodies that hold an image and nothing else, and of those that hold others too.
const TAKES: &str = "a PNG, JPEG, GIF, WebP or SVG as what it is (image/png, …), or in multipart/form-data, or in \
                     application/json";

/// The same of endpoints that take no bare image.
const TAKES_FIELDS: &str = "multipart/form-data or application/json";

/// Has a refusal of a body's type name all types that are taken.
fn taking(is_bare: bool, error: Error) -> Error {
    match error {
        Error::UnsupportedMedia { .. } => {
            Error::UnsupportedMedia { takes: if is_bare { TAKES } else { TAKES_FIELDS } }
        }
        error => error,
    }
}

/// What a request says that its body is, in lower case and without parameters.
fn media_type(request: &Request<Body>) -> String {
    let content_type = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let mime = content_type.and_then(|content_type| content_type.split(';').next()).unwrap_or_default();
    mime.trim().to_ascii_lowercase()
}

/// A body that is the first of the fields.
async fn bare<F: Fields<FILES>, const FILES: usize>(
    request: Request<Body>,
    kind: &str,
    body_max: usize,
    file_max: usize,
) -> Result<[Sent; FILES]> {
    if !IMAGES.contains(&kind) {
        return Err(Error::UnsupportedMedia { takes: TAKES });
    }
    let body = extract::whole(request, body_max).await?;
    let mut files = [const { Sent::Absent }; FILES];
    if let (Some(pointer), Some(file)) = (F::POINTERS.first(), files.first_mut()) {
        *file = Sent::bytes(pointer, body.into(), file_max)?;
    }
    Ok(files)
}

async fn form<F: Fields<FILES>, const FILES: usize>(
    mut request: Request<Body>,
    body_max: usize,
    file_max: usize,
) -> Result<[Sent; FILES]> {
    extract::limit(&mut request, body_max)?;
    let mut form = Multipart::from_request(request, &())
        .await
        .map_err(|_| Error::malformed("", "the Content-Type names no boundary"))?;
    let mut files = [const { Sent::Absent }; FILES];
    while let Some(field) =
        form.next_field().await.map_err(|error| broken(error.status(), &error, body_max))?
    {
        let name = field.name().unwrap_or_default();
        let mut known = F::POINTERS.into_iter().zip(&mut files);
        let Some((pointer, place)) = known.find(|(pointer, _)| pointer[1..] == *name) else {
            let pointer = format!("/{}", escaped(name));
            return Err(Error::invalid(pointer, "is not a field of this request"));
        };
        if !matches!(place, Sent::Absent) {
            return Err(Error::invalid(pointer, "is given twice"));
        }
        let bytes = field.bytes().await.map_err(|error| broken(error.status(), &error, body_max))?;
        // The boundary between the files is another one each time; they are not.
        idempotency::note_part(pointer.as_bytes());
        idempotency::note_part(&bytes);
        *place = Sent::bytes(pointer, bytes.into(), file_max)?;
    }
    Ok(files)
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
