//! The PDF of a campaign's coupons over HTTP: asked for, and downloaded.

use super::{
    bundle::{Bundle, Slice, Stored},
    notes::Note,
    options::Options,
    store::{self, Part, Voucher},
};
use crate::{
    app::App,
    campaigns::{
        campaign::Campaign,
        campaign_store, links, prints,
        terms::{PdfStatus, Status},
    },
    error::{Error, Result},
    http::{
        Caller, Json, Path, Query,
        caller::Permission,
        link::Visitor,
        ranges::{self, Served},
    },
    idempotency::{self, Creation},
};
use axum::{
    body::Bytes,
    extract::State,
    http::{HeaderMap, Method, StatusCode},
    response::Response,
};
use futures_util::{StreamExt, stream};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(ask, download))
}

/// A campaign whose coupons are printed.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct CampaignPdf {
    #[serde(flatten)]
    campaign: Campaign,
    /// Lines of the campaign that have to be changed to fit on its coupons. What its vouchers' own texts
    /// come to is in its progress.
    pdf_notes: Vec<Note>,
}

/// Print a campaign's coupons
///
/// All of them, in the background, on the sheet that is asked for here or by the campaign's style:
/// `vouchersPdfStatus` says when it is ready, `vouchersPdfUrl` where it is. It is made anew whenever
/// a text, a value or a voucher changes. Asking again for what is there, or is being made, changes nothing.
#[utoipa::path(post, path = "/campaign/{id}/pdf", tag = "campaign", operation_id = "print_campaign",
    params(("id" = i64, Path, description = "The campaign"), Options),
    responses((status = 202, description = "The coupons are printed", body = CampaignPdf)))]
async fn ask(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<i64>,
    Query(options): Query<Options>,
) -> Result<(StatusCode, Json<CampaignPdf>)> {
    caller.may(Permission::CampaignWrite)?;
    idempotency::expect_new(&app).await?;
    let now = app.clock.now();
    let campaign = campaign_store::fetch(&app.db, caller.group(), id).await?;
    let pdf_notes = preview(&app, &campaign, &options).await?;
    let mut creation = Creation::begin(&app.db, now).await?;
    let campaign = campaign_store::lock(&mut creation, caller.group(), id).await?;
    let vouchers = store::count(&mut creation, id).await?;
    if vouchers == 0 && campaign.status != Status::Creating {
        return Err(Error::Conflict("the campaign has no vouchers".into()));
    }
    prints::ask(&mut creation, (id, campaign.owner_id), &options.to_json()?, vouchers, now).await?;
    let campaign = campaign_store::fetch(&mut *creation, caller.group(), id).await?.as_of(now);
    // A link is a key to the file, and is not kept.
    let lasting = CampaignPdf { campaign: campaign.clone(), pdf_notes: pdf_notes.clone() };
    let campaign = links::of_campaign(&app, &caller, campaign)?;
    creation.commit_secret(StatusCode::ACCEPTED, CampaignPdf { campaign, pdf_notes }, lasting).await
}

/// What would have to be done for its coupons to fit: for the first of them, or for one with a code as
/// long as they get while there is none.
async fn preview(app: &App, campaign: &Campaign, options: &Options) -> Result<Vec<Note>> {
    let design = store::design(&app.db, campaign.id).await?.ok_or(Error::NotFound("campaign"))?;
    let voucher = match store::example(&app.db, campaign.id).await? {
        Some(voucher) => voucher,
        None => Voucher::to_come(campaign),
    };
    app.print_shop.preview(app, &design, options, voucher).await
}

/// What of a campaign's PDF is wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct PdfParams {
    /// One of its parts, from 1; without it all of them, in a ZIP archive if they are several.
    #[param(minimum = 1)]
    part: Option<i32>,
}

/// Download a campaign's PDF
///
/// A campaign of more than 5,000 vouchers is printed in parts, each a PDF of its own. Downloads can be
/// resumed (`Range`, `If-Range`); `ETag` changes with the PDF.
#[utoipa::path(get, path = "/campaign/{id}/pdf", tag = "campaign", operation_id = "download_campaign_pdf",
    params(
        ("id" = i64, Path, description = "The campaign"), PdfParams,
        ("token" = Option<String>, Query, description = "As it stands in `vouchersPdfUrl`, in the place of an `Authorization`.")),
    responses(
        (status = 200, description = "The PDF, or an archive of several", content(("application/pdf"), ("application/zip"))),
        (status = 206, description = "The range that was asked for", content(("application/pdf"), ("application/zip"))),
        (status = 304, description = "It is what `If-None-Match` says"),
        (status = 416, description = "It has no such range")))]
async fn download(
    State(app): State<App>,
    Visitor(caller): Visitor,
    Path(id): Path<i64>,
    Query(params): Query<PdfParams>,
    method: Method,
    headers: HeaderMap,
) -> Result<Response> {
    caller.may(Permission::CampaignRead)?;
    caller.may(Permission::VoucherRead)?;
    let campaign = campaign_store::fetch(&app.db, caller.group(), id).await?;
    match campaign.vouchers_pdf_status {
        PdfStatus::Ready => {}
        PdfStatus::Empty => return Err(Error::NotFound("PDF: it has to be asked for")),
        PdfStatus::Pending | PdfStatus::Rendering => {
            return Err(Error::Conflict("the PDF is still being made: see the campaign's progress".into()));
        }
        PdfStatus::Failed => {
            return Err(Error::Conflict("the PDF could not be made: ask for it again".into()));
        }
    }
    let mut parts = store::parts(&app.db, id).await?;
    if let Some(part) = params.part {
        parts.retain(|one| one.number == part);
    }
    let (bundle, served) = served(&campaign, &parts, params.part.is_some())?;
    let parts = Arc::new(parts);
    ranges::answer(&method, &headers, &served, move |range| {
        let slices: Vec<Slice> = bundle.slices(range).collect();
        stream::iter(slices).then(move |slice| read(app.clone(), id, Arc::clone(&parts), slice))
    })
}

/// What these parts are sent as.
fn served(campaign: &Campaign, parts: &[Part], one: bool) -> Result<(Bundle, Served)> {
    let id = campaign.id;
    let name = |part: &Part| format!("coupons-{id}-part-{:03}.pdf", part.number);
    Ok(match parts {
        [] => return Err(Error::NotFound("part of the PDF")),
        [part] => {
            let bundle = Bundle::plain(0, part.length as u64);
            let filename = if one { name(part) } else { format!("coupons-{id}.pdf") };
            let length = bundle.length();
            (bundle, Served { length, tag: ranges::tag(&part.hash), media_type: "application/pdf", filename })
        }
        _ => {
            let stored = |part: &Part| Stored {
                name: name(part),
                length: part.length as u64,
                crc32: part.crc32 as u32,
            };
            let stored: Vec<_> = parts.iter().map(stored).collect();
            let bundle = Bundle::archive(&stored).ok_or_else(|| {
                Error::Conflict("the parts are too large for one archive: download them one by one".into())
            })?;
            let hash = parts.iter().fold(Sha256::new(), |hash, part| hash.chain_update(&part.hash));
            let (length, filename) = (bundle.length(), format!("coupons-{id}.zip"));
            let hash = hash.finalize();
            (bundle, Served { length, tag: ranges::tag(&hash), media_type: "application/zip", filename })
        }
    })
}

/// The bytes of a slice; a fault, which ends the download, if its part was made anew meanwhile.
async fn read(app: App, campaign: i64, parts: Arc<Vec<Part>>, slice: Slice) -> Result<Bytes> {
    match slice {
        Slice::Made(bytes) => Ok(bytes.into()),
        Slice::Of(number, range) => {
            let part =
                parts.get(number).ok_or_else(|| Error::fault("a bundle names a part that there is not"))?;
            let length = range.end - range.start;
            let bytes = store::slice(&app.db, campaign, part, range.start, length).await?;
            bytes.map(Bytes::from).ok_or_else(|| Error::fault("the PDF was made anew during a download"))
        }
    }
}
