//! Images over HTTP, but for deleting them, which is plain.

use super::{
    Format, Rendition, Size, store,
    upload::{ImageDraft, ImageForm, ImagePatch, ImagePatchForm, ORIGINAL, Sent, THUMBNAIL, Upload},
    workshop::File,
};
use crate::{
    app::App,
    error::{Error, Result},
    http::{
        Caller, Json, Path, Query, Unread,
        caller::Permission,
        ranges::{is_known, kept_as, known, tag},
    },
    idempotency::Creation,
    resource::handlers::Done,
};
use axum::{
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::{router::OpenApiRouter, routes};

/// The endpoints.
pub(in crate::fleet) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(create)).routes(routes!(fetch, update))
}

/// Store an image
///
/// PNG, JPEG, GIF or WebP; SVG is taken as the logo of a campaign alone. It is decoded and encoded anew, as a JPEG if it came as one
/// (or as an opaque WebP) and as a PNG otherwise: upright, without what a camera wrote into it, and of
/// an animation the first frame alone.
#[utoipa::path(post, path = "/image", tag = "image", operation_id = "create_image",
    request_body(content((ImageDraft = "application/json"), (ImageForm = "multipart/form-data"))),
    responses((status = 201, description = "The image was stored", body = Done)))]
async fn create(
    State(app): State<App>,
    caller: Caller,
    upload: Unread<Upload<ImageDraft, 2>>,
) -> Result<(StatusCode, Json<Done>)> {
    let upload = upload.read(&app, &caller, Permission::FleetWrite).await?;
    let [original, thumbnail] = upload.read;
    let original = match original {
        Sent::File(original) => original,
        Sent::Empty => return Err(Error::invalid(ORIGINAL, "is empty")),
        Sent::Absent => return Err(Error::invalid(ORIGINAL, "is required")),
    };
    let mut both = app.images.both(caller.group(), original).await?;
    if let Sent::File(thumbnail) = thumbnail {
        both.thumbnail = app.images.thumbnail(caller.group(), thumbnail).await?;
    }
    let now = app.clock.now();
    let mut creation = Creation::begin(&app.db, now).await?;
    let id = store::insert(&mut creation, caller.group(), &both, now).await?;
    creation.commit(StatusCode::CREATED, Done::of(id, "image", "created")).await
}

/// What a drawing may do in a browser.
const ALONE: &str = "default-src 'none'; style-src 'unsafe-inline'; sandbox";

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
        (status = 200, description = "The image", content(("image/png"), ("image/jpeg"), ("image/svg+xml"))),
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
            return Ok(known(tag));
        }
    }
    let Rendition { format, hash, bytes, .. } = store::fetch(&app.db, caller.group(), id, size).await?;
    let as_image = [(header::CONTENT_TYPE, format.media_type()), (header::CONTENT_DISPOSITION, "inline")];
    // A drawing that is opened by itself is a page of this server: one that may do nothing.
    let alone = (format == Format::Svg).then_some([(header::CONTENT_SECURITY_POLICY, ALONE)]);
    let mut response = (as_image, kept_as(tag(&hash)), bytes).into_response();
    for (name, policy) in alone.into_iter().flatten() {
        response.headers_mut().insert(name, HeaderValue::from_static(policy));
    }
    Ok(response)
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
    upload: Unread<Upload<ImagePatch, 2>>,
) -> Result<Json<Done>> {
    caller.may(Permission::FleetWrite)?;
    store::expect(&app.db, caller.group(), id).await?;
    let upload = upload.read(&app, &caller, Permission::FleetWrite).await?;
    let [original, small] = upload.read;
    let mut renditions = Vec::new();
    let mut thumbnail = match original {
        Sent::Absent => None,
        Sent::Empty => return Err(Error::invalid(ORIGINAL, "can't be taken away: delete the image")),
        Sent::File(original) => {
            let both = app.images.both(caller.group(), original).await?;
            renditions.push((Size::Original, both.original));
            Some(both.thumbnail)
        }
    };
    match small {
        Sent::File(file) => thumbnail = Some(app.images.thumbnail(caller.group(), file).await?),
        Sent::Empty if thumbnail.is_none() => {
            let original = store::fetch(&app.db, caller.group(), id, Size::Original).await?;
            thumbnail = Some(match original.format {
                // A drawing is as good when it is small.
                Format::Svg => original,
                Format::Jpeg | Format::Png => {
                    app.images
                        .thumbnail(caller.group(), File { pointer: THUMBNAIL, bytes: original.bytes })
                        .await?
                }
            });
        }
        Sent::Empty | Sent::Absent => {}
    }
    renditions.extend(thumbnail.map(|thumbnail| (Size::Thumbnail, thumbnail)));
    store::replace(&app.db, caller.group(), id, &renditions, app.clock.now()).await?;
    Ok(Done::json(id, "image", "updated"))
}
