//! How far background work on a campaign is: the generation of its vouchers, or their PDF.

use super::{notes::Note, store};
use crate::{
    app::App,
    campaigns::{campaign_store, generation, prints},
    error::Result,
    http::{Caller, Json, Path, caller::Permission, link},
    jobs::{self, State as JobState},
};
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(fetch))
}

/// What is done in the background.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = CampaignWork)]
enum Work {
    /// The campaign's vouchers are generated.
    Vouchers,
    /// Their coupons are printed.
    Pdf,
}

/// How far background work on a campaign is.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct CampaignProgress {
    /// Which work: the PDF, unless vouchers are still being generated or nobody has asked for one.
    work: Work,
    /// Where the work stands; `done` also where there was none.
    status: JobState,
    /// Vouchers to generate or to print.
    total: i64,
    /// Vouchers generated or printed.
    done: i64,
    /// The same in percent, rounded down.
    percent: i64,
    /// Why it can't be done as it was asked for.
    problem: Option<String>,
    /// The parts of the PDF that are ready; more than one for more vouchers than fit into one PDF.
    parts: Vec<PdfPart>,
    /// Lines that had to be changed to fit on the coupons of these parts.
    pdf_notes: Vec<Note>,
}

/// One PDF of those that a large campaign is printed in.
#[derive(Debug, Serialize, ToSchema)]
struct PdfPart {
    /// Its number, from 1.
    part: i32,
    /// Vouchers in it.
    vouchers: i64,
    /// Pages.
    pages: i64,
    /// Its size.
    bytes: i64,
    /// Where it can be downloaded, once all are ready.
    url: Option<String>,
}

/// Read how far background work on a campaign is
#[utoipa::path(get, path = "/campaign/{id}/progress", tag = "campaign", operation_id = "fetch_campaign_progress",
    params(("id" = i64, Path, description = "The campaign")),
    responses((status = 200, description = "The progress", body = CampaignProgress)))]
async fn fetch(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<i64>,
) -> Result<Json<CampaignProgress>> {
    caller.may(Permission::CampaignRead)?;
    campaign_store::fetch(&app.db, caller.group(), id).await?;
    let generation = jobs::latest(&app.db, generation::KIND, id).await?;
    let print = jobs::latest(&app.db, prints::KIND, id).await?;
    let generating =
        generation.as_ref().is_some_and(|job| matches!(job.state, JobState::Queued | JobState::Running));
    let (work, job) = match print {
        Some(print) if !generating => (Work::Pdf, Some(print)),
        _ => (Work::Vouchers, generation),
    };
    let problem = job.as_ref().and_then(|job| job.problem.clone());
    let (status, total, done) = job.map_or((JobState::Done, 0, 0), |job| (job.state, job.total, job.done));
    let percent = (done * 100).checked_div(total).unwrap_or(100);
    let ready = if work == Work::Pdf { store::parts(&app.db, id).await? } else { Vec::new() };
    let pdf_notes = super::notes::merged(ready.iter().flat_map(|part| part.notes.0.iter().cloned()));
    let url = link::to(&app, &caller, &format!("/campaign/{id}/pdf"))?;
    let separator = if url.contains('?') { '&' } else { '?' };
    let parts = ready.into_iter().map(|part| PdfPart {
        part: part.number,
        vouchers: part.vouchers,
        pages: part.pages,
        bytes: part.length,
        url: (status == JobState::Done).then(|| format!("{url}{separator}part={}", part.number)),
    });
    Ok(Json(CampaignProgress {
        work,
        status,
        total,
        done,
        percent,
        problem,
        parts: parts.collect(),
        pdf_notes,
    }))
}
