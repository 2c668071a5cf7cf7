//! Where the PDFs of campaigns and vouchers can be downloaded, for who is shown them.

use super::{campaign::Campaign, terms::PdfStatus, voucher::Voucher};
use crate::{
    app::App,
    error::Result,
    http::{Caller, link},
};

/// The campaign with a link to its PDF, if that is ready.
pub fn of_campaign(app: &App, caller: &Caller, mut campaign: Campaign) -> Result<Campaign> {
    if campaign.vouchers_pdf_status == PdfStatus::Ready {
        campaign.vouchers_pdf_url = Some(link::to(app, caller, &format!("/campaign/{}/pdf", campaign.id))?);
    }
    Ok(campaign)
}

/// The voucher with a link to its PDF, if that is ready.
pub fn of_voucher(app: &App, caller: &Caller, mut voucher: Voucher) -> Result<Voucher> {
    if voucher.pdf_status == PdfStatus::Ready {
        voucher.pdf_url = Some(link::to(app, caller, &format!("/voucher/{}/pdf", voucher.id))?);
    }
    Ok(voucher)
}
