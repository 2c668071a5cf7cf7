//! Images over HTTP, but for deleting them, which is plain.

use super::{
    Rendition, Size, store,
    upload::{ImageDraft, ImageForm, ImagePatch, ImagePatchForm, ORIGINAL, Sent, THUMBNAIL, Upload},
    workshop::File,
};
use crate::{
    app::App,
    error::{Error, Result},
    http::{Caller, Json, Path, Query, caller::Permission},
    resource::handlers::Done,
};
use axum::{
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use std::fmt::Write;
use utoipa::IntoParams;
use utoipa_axum::{router::OpenApiRouter, routes};

/// The endpoints.
pub(in crate::fleet) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(create)).routes(routes!(fetch, update))
}

/// Store an image
///
/// PNG, JPEG, GIF or WebP; SVG is refused. It is decoded and encoded anew, as a JPEG if it came as one
/// (or as an opaque WebP) and as a PNG otherwise: upright, without what a camera wrote into it, and of
/// an animation the first frame alone.
#[utoipa::path(post, path = "/image", tag = "image", operation_id = "create_image",
    request_body(content((ImageDraft = "application/json"), (ImageForm = "multipart/form-data"))),
    responses((status = 201, description = "The image was stored", body = Done)))]
async fn create(
    State(app): State<App>,
    caller: Caller,
    upload: Upload<ImageDraft>,
) -> Result<(StatusCode, Json<Done>)> {
    caller.may(Permission::FleetWrite)?;
    let original = match upload.original {
        Sent::File(original) => original,
        Sent::Empty => return Err(Error::invalid(ORIGINAL, "is empty")),
        Sent::Absent => return Err(Error::invalid(ORIGINAL, "is required")),
    };
    let mut both = app.images.both(original).await?;
    if let Sent::File(thumbnail) = upload.thumbnail {
        both.thumbnail = app.images.thumbnail(thumbnail).await?;
    }
    let id = store::insert(&app.db, caller.group(), &both, app.clock.now()).await?;
    Ok((StatusCode::CREATED, Done::json(id, "image", "created")))
}

/// Which of an image's sizes is wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct SizeParams {
    /// `original` where it is not said.
    #[serde(default)]
    #[param(inline)]
    size: Size,
}

/// Read an image
///
/// Those of the groups above can be read too. `ETag` changes with the image: sent back as
/// `If-None-Match` it saves the way of what is there already.
#[utoipa::path(get, path = "/image/{id}", tag = "image", operation_id = "fetch_image",
    params(("id" = i64, Path, description = "The image"), SizeParams),
    responses(
        (status = 200, description = "The image", content(("image/png"), ("image/jpeg"))),
        (status = 304, description = "The image is what `If-None-Match` says")))]
async fn fetch(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<i64>,
    Query(SizeParams { size }): Query<SizeParams>,
    headers: HeaderMap,
) -> Result<Response> {
    caller.may(Permission::FleetRead)?;
    if headers.contains_key(header::IF_NONE_MATCH) {
        let tag = tag(&store::hash(&app.db, caller.group(), id, size).await?);
        if is_known(&headers, &tag) {
            return Ok((StatusCode::NOT_MODIFIED, kept_as(tag)).into_response());
        }
    }
    let Rendition { format, hash, bytes, .. } = store::fetch(&app.db, caller.group(), id, size).await?;
    let as_image = [(header::CONTENT_TYPE, format.media_type()), (header::CONTENT_DISPOSITION, "inline")];
    Ok((as_image, kept_as(tag(&hash)), bytes).into_response())
}

/// Change an image
///
/// What is absent stays, but a new original gets a new thumbnail.
#[utoipa::path(put, path = "/image/{id}", tag = "image", operation_id = "update_image",
    params(("id" = i64, Path, description = "The image")),
    request_body(content((ImagePatch = "application/json"), (ImagePatchForm = "multipart/form-data"))),
    responses((status = 200, description = "The image was changed", body = Done)))]
async fn update(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<i64>,
    upload: Upload<ImagePatch>,
) -> Result<Json<Done>> {
    caller.may(Permission::FleetWrite)?;
    store::expect(&app.db, caller.group(), id).await?;
    let mut renditions = Vec::new();
    let mut thumbnail = match upload.original {
        Sent::Absent => None,
        Sent::Empty => return Err(Error::invalid(ORIGINAL, "can't be taken away: delete the image")),
        Sent::File(original) => {
            let both = app.images.both(original).await?;
            renditions.push((Size::Original, both.original));
            Some(both.thumbnail)
        }
    };
    match upload.thumbnail {
        Sent::File(file) => thumbnail = Some(app.images.thumbnail(file).await?),
        Sent::Empty if thumbnail.is_none() => {
            let Rendition { bytes, .. } = store::fetch(&app.db, caller.group(), id, Size::Original).await?;
            thumbnail = Some(app.images.thumbnail(File { pointer: THUMBNAIL, bytes }).await?);
        }
        Sent::Empty | Sent::Absent => {}
    }
    renditions.extend(thumbnail.map(|thumbnail| (Size::Thumbnail, thumbnail)));
    store::replace(&app.db, caller.group(), id, &renditions, app.clock.now()).await?;
    Ok(Done::json(id, "image", "updated"))
}

/// What a client may do with its copy: keep it to itself, and ask each time whether it is still good.
fn kept_as(tag: String) -> [(header::HeaderName, String); 2] {
    [(header::ETAG, tag), (header::CACHE_CONTROL, "private, no-cache".to_owned())]
}

/// The strong entity tag of bytes with this hash.
fn tag(hash: &[u8]) -> String {
    let mut tag = String::from("\"");
    for byte in hash {
        let _ = write!(tag, "{byte:02x}");
    }
    tag.push('"');
    tag
}

/// Whether `If-None-Match` names this tag. Weak tags are as good here (RFC 9110, 13.1.2).
fn is_known(headers: &HeaderMap, tag: &str) -> bool {
    let lists = headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|list| list.to_str().ok());
    let mut tags = lists.flat_map(|list| list.split(',')).map(str::trim);
    tags.any(|known| known == "*" || known.trim_start_matches("W/") == tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_known_wherever_it_stands() {
        let known = |list: &'static str| {
            let headers = HeaderMap::from_iter([(header::IF_NONE_MATCH, list.parse().unwrap())]);
            is_known(&headers, &tag(&[0x0a, 0xff]))
        };
        for list in ["\"0aff\"", "W/\"0aff\"", "\"x\", \"0aff\"", "*"] {
            assert!(known(list), "{list}");
        }
        for list in ["0aff", "\"0af\"", "\"\"", ""] {
            assert!(!known(list), "{list}");
        }
        assert!(!is_known(&HeaderMap::new(), "\"0aff\""));
    }
}
