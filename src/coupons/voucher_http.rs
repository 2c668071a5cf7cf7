//! The coupon of a single voucher over HTTP. It takes milliseconds to render, so it is when it is
//! downloaded: there is none that could be out of date.

use super::{
    notes::Note,
    options::Options,
    shop::PrintShop,
    store::{self, Design},
};
use crate::{
    app::App,
    campaigns::{links, terms::PdfStatus, voucher::Voucher, voucher_store},
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
use futures_util::stream;
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::convert::Infallible;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(ask, download))
}

/// A voucher whose coupon is printed.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct VoucherPdf {
    #[serde(flatten)]
    voucher: Voucher,
    /// Lines that have to be changed to fit on the coupon.
    pdf_notes: Vec<Note>,
}

/// Print a voucher's coupon
///
/// On the sheet that is asked for here or by the voucher's style; `pdfUrl` says where it is.
#[utoipa::path(post, path = "/voucher/{id}/pdf", tag = "voucher", operation_id = "print_voucher",
    params(("id" = Uuid, Path, description = "The voucher"), Options),
    responses((status = 202, description = "The coupon is printed", body = VoucherPdf)))]
async fn ask(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<Uuid>,
    Query(options): Query<Options>,
) -> Result<(StatusCode, Json<VoucherPdf>)> {
    caller.may(Permission::VoucherWrite)?;
    idempotency::expect_new(&app).await?;
    let printed = store::voucher(&app.db, caller.group(), id).await?;
    let design = design(&app, &printed).await?.for_one(&printed);
    let pdf_notes = app.print_shop.preview(&app, &design, &options, printed).await?;
    let mut creation = Creation::begin(&app.db, app.clock.now()).await?;
    store::mark_ready(&mut creation, id).await?;
    let mut voucher = voucher_store::fetch(&app, caller.group(), id).await?;
    voucher.pdf_status = PdfStatus::Ready;
    // A link is a key to the file, and is not kept.
    let lasting = VoucherPdf { voucher: voucher.clone(), pdf_notes: pdf_notes.clone() };
    voucher = links::of_voucher(&app, &caller, voucher)?;
    if let Some(url) = &mut voucher.pdf_url {
        options.append_to(url)?;
    }
    creation.commit_secret(StatusCode::ACCEPTED, VoucherPdf { voucher, pdf_notes }, lasting).await
}

async fn design(app: &App, voucher: &store::Voucher) -> Result<Design> {
    store::design(&app.db, voucher.campaign).await?.ok_or(Error::NotFound("voucher"))
}

/// Download a voucher's PDF
///
/// It is as the voucher is now. Downloads can be resumed (`Range`, `If-Range`).
#[utoipa::path(get, path = "/voucher/{id}/pdf", tag = "voucher", operation_id = "download_voucher_pdf",
    params(
        ("id" = Uuid, Path, description = "The voucher"), Options,
        ("token" = Option<String>, Query, description = "As it stands in `pdfUrl`, in the place of an `Authorization`.")),
    responses(
        (status = 200, description = "The PDF", content_type = "application/pdf"),
        (status = 206, description = "The range that was asked for", content_type = "application/pdf"),
        (status = 304, description = "It is what `If-None-Match` says"),
        (status = 416, description = "It has no such range")))]
async fn download(
    State(app): State<App>,
    Visitor(caller): Visitor,
    Path(id): Path<Uuid>,
    Query(options): Query<Options>,
    method: Method,
    headers: HeaderMap,
) -> Result<Response> {
    caller.may(Permission::VoucherRead)?;
    let printed = store::voucher(&app.db, caller.group(), id).await?;
    options.check(&PrintShop::style(printed.style.as_deref()))?;
    if printed.pdf_status == PdfStatus::Empty {
        return Err(Error::NotFound("PDF: it has to be asked for"));
    }
    let design = design(&app, &printed).await?.for_one(&printed);
    let pdf = app.print_shop.print(&app, &design, &options, vec![printed]).await?.bytes;
    let served = Served {
        length: pdf.len() as u64,
        tag: ranges::tag(&Sha256::digest(&pdf)),
        media_type: "application/pdf",
        filename: format!("coupon-{id}.pdf"),
    };
    ranges::answer(&method, &headers, &served, move |range| {
        stream::iter([Ok::<_, Infallible>(Bytes::from(pdf).slice(range.start as usize..range.end as usize))])
    })
}
