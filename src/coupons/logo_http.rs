//! The logo on a campaign's coupons, over HTTP.

use super::{
    logo::Logo,
    logo_store::{self as store, NewLogo},
};
use crate::{
    app::App,
    error::{Error, Result},
    fleet::image::{
        drawing,
        upload::{Fields, Sent, Upload},
        workshop::File,
    },
    http::{Caller, Json, Message, Path, Unread, caller::Permission, extract},
};
use axum::extract::State;
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

/// The endpoint.
pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(update))
}

const IMAGE: &str = "/image";

/// The logo of a campaign.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct LogoDraft {
    /// What the coupons show; `null` for nothing.
    #[serde(deserialize_with = "Option::deserialize")]
    #[schema(required = true)]
    image: Option<LogoImage>,
}

/// An image, or the number of one.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(untagged, expecting = "must be an image in base64, the id of one, or null")]
enum LogoImage {
    /// The id of an image that is stored.
    Stored(i64),
    /// A PNG, JPEG, GIF, WebP or SVG image in base64, or a `data:` URL of one.
    Sent(String),
}

/// The logo of a campaign, as a form.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "says in the document what is read part by part")]
struct LogoForm {
    /// A PNG, JPEG, GIF, WebP or SVG file.
    #[schema(value_type = String, format = Binary)]
    image: Vec<u8>,
}

/// What a request asks for.
#[derive(Debug)]
enum Wanted {
    Sent(File),
    Stored(i64),
    Nothing,
}

impl Fields<1> for LogoDraft {
    const POINTERS: [&'static str; 1] = [IMAGE];
    const BARE: bool = true;
    type Read = Wanted;

    fn of_json(json: &[u8], file_max: usize) -> Result<Wanted> {
        match extract::parse::<Self>(json)?.image {
            None => Ok(Wanted::Nothing),
            Some(LogoImage::Stored(id)) => Ok(Wanted::Stored(id)),
            Some(LogoImage::Sent(text)) => Self::of_files([Sent::text(IMAGE, Some(Some(text)), file_max)?]),
        }
    }

    fn of_files([image]: [Sent; 1]) -> Result<Wanted> {
        match image {
            Sent::File(file) => Ok(Wanted::Sent(file)),
            Sent::Empty => Err(Error::invalid(IMAGE, "is empty")),
            Sent::Absent => Err(Error::invalid(IMAGE, "is required")),
        }
    }
}

/// Set the logo on a campaign's coupons
///
/// PNG, JPEG, GIF, WebP or SVG: as the body itself, as the file `image` of a form, or in JSON as base64;
/// JSON also takes the id of an image, and `null` for no logo. Pictures are decoded and encoded anew.
/// Drawings (SVG) may have shapes, gradients, patterns, masks and clip paths, but no text, pictures,
/// effects, links or scripts; what is stored is what they show. Colours are those of the profile in a file.
#[utoipa::path(put, path = "/campaign/{id}/logo", tag = "campaign", operation_id = "update_campaign_logo",
    params(("id" = i64, Path, description = "The campaign")),
    request_body(content(
        (LogoDraft = "application/json"), (LogoForm = "multipart/form-data"), ("image/png"), ("image/jpeg"),
        ("image/gif"), ("image/webp"), ("image/svg+xml"))),
    responses((status = 200, description = "The logo was set, or taken away", body = Message)))]
async fn update(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<i64>,
    upload: Unread<Upload<LogoDraft, 1>>,
) -> Result<Json<Message>> {
    caller.may(Permission::CampaignWrite)?;
    // To receive and to draw takes long enough to know first that it is for something.
    let owner = store::owner(&app.db, caller.group(), id).await?;
    let upload = upload.read(&app, &caller, Permission::CampaignWrite).await?;
    let (logo, done) = match upload.read {
        Wanted::Nothing => (NewLogo::Nothing, "logo removed"),
        Wanted::Stored(image) => (NewLogo::Stored { image, owner }, "logo updated"),
        Wanted::Sent(file) => {
            let limit_bytes = app.config.drawing_max_bytes;
            if drawing::is_one(&file.bytes) && file.bytes.len() > limit_bytes {
                return Err(Error::TooLarge { what: "drawing", limit_bytes });
            }
            let both = app.images.logo(caller.group(), file, |image| Logo::read(image).map(drop)).await?;
            (NewLogo::Sent(both), "logo updated")
        }
    };
    store::replace(&app.db, caller.group(), id, logo, app.clock.now()).await?;
    Ok(Message::json(done))
}
