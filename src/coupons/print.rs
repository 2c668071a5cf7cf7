//! Prints the coupons of a campaign in the background: part by part, each voucher on one of them and
//! none on two, whoever is killed when.
//!
//! A part is one transaction that locks the job and so learns that nothing which is printed has
//! changed since the part was begun: whatever changes it begins the job anew. What a part is made from
//! follows from the part before it. A killed worker's job therefore goes on behind the last part that
//! was committed.

use super::store::{self, Part};
use crate::{
    app::App,
    campaigns::terms::Status,
    crash,
    error::{Error, Result},
    jobs::{Claim, Next, Ran},
    transaction,
};
use chrono::TimeDelta;
use sha2::{Digest, Sha256};
use sqlx::types::Json;
use std::time::Duration;

/// How often old PDFs are looked for.
const SWEEP: Duration = Duration::from_hours(1);

enum Step {
    /// A part was printed.
    Printed(Next),
    /// The vouchers are not there yet.
    TooEarly,
    /// The job is no longer ours.
    Lost,
}

/// Works part by part until all coupons are printed, it is another group's turn, the server stops, or the job is
/// taken away.
pub async fn run(app: &App, claim: &Claim) -> Result<Ran> {
    while !app.stop.is_cancelled() {
        match step(app, claim).await {
            Ok(Step::Printed(Next::More)) => {}
            Ok(Step::Printed(Next::Yield)) => return Ok(Ran::Yielded),
            Ok(Step::Printed(Next::Complete)) => return Ok(Ran::Done),
            Ok(Step::TooEarly) => return Ok(Ran::TooEarly),
            Ok(Step::Lost) => return Ok(Ran::Lost),
            // The press ends a part that the server does not wait for.
            Err(_) if app.stop.is_cancelled() => {}
            Err(error) => return Err(error),
        }
    }
    Ok(Ran::Paused)
}

async fn step(app: &App, claim: &Claim) -> Result<Step> {
    let campaign = claim.subject;
    let design = store::design(&app.db, campaign).await?;
    let design = design.ok_or_else(|| Error::fault("the campaign is gone"))?;
    if design.status == Status::Creating {
        return Ok(Step::TooEarly);
    }
    let options = store::options(&app.db, campaign).await?.unwrap_or_default();
    let before = store::parts(&app.db, campaign).await?.pop();
    let options = if before.is_some() { options.on_whole_sheets() } else { options };
    let size = app.config.coupons_per_part.max(1) as i64;
    let last_voucher = before.as_ref().map(|part| part.last_voucher);
    let vouchers = store::vouchers(&app.db, campaign, last_voucher, size).await?;
    let Some(last_voucher) = vouchers.last().map(|voucher| voucher.id) else {
        return finish(app, claim).await;
    };
    let count = vouchers.len() as i64;
    let printed = app.print_shop.print(app, &design, &options, vouchers).await?;
    let part = Part {
        number: before.map_or(1, |before| before.number + 1),
        vouchers: count,
        last_voucher,
        pages: printed.pages as i64,
        notes: Json(printed.notes),
        length: printed.bytes.len() as i64,
        crc32: i64::from(crc32fast::hash(&printed.bytes)),
        hash: Sha256::digest(&printed.bytes).to_vec(),
    };
    let mut transaction = transaction::begin(&app.db).await?;
    let Some(done) = claim.lock(&mut transaction).await? else { return Ok(Step::Lost) };
    if part.number == 1 {
        let total = store::count(&mut transaction, campaign).await?;
        claim.measure(&mut transaction, total).await?;
    }
    store::keep(&mut transaction, campaign, &part, &printed.bytes).await?;
    let next = claim.advance(&mut transaction, done + count, app).await?;
    crash::point("coupons-before-commit");
    transaction.commit().await?;
    crash::point("coupons-after-commit");
    metrics::counter!("scrip_coupons_printed_total").increment(count as u64);
    Ok(Step::Printed(next))
}

/// Ends a job behind whose last part there is nothing, whatever was counted before.
async fn finish(app: &App, claim: &Claim) -> Result<Step> {
    let mut transaction = transaction::begin(&app.db).await?;
    let Some(done) = claim.lock(&mut transaction).await? else { return Ok(Step::Lost) };
    claim.measure(&mut transaction, done).await?;
    claim.advance(&mut transaction, done, app).await?;
    transaction.commit().await?;
    Ok(Step::Printed(Next::Complete))
}

/// Drops PDFs that nobody has asked for in a long time, until the server stops.
pub async fn drop_old(app: App) {
    loop {
        match drop_old_once(&app).await {
            Ok(0) => {}
            Ok(dropped) => tracing::info!(dropped, "old PDFs dropped"),
            Err(error) => tracing::debug!(error = %error, "old PDFs are dropped later"),
        }
        tokio::select! {
            () = tokio::time::sleep(SWEEP) => {}
            () = app.stop.cancelled() => return,
        }
    }
}

/// Drops those that nobody has asked for in so long; says how many.
pub async fn drop_old_once(app: &App) -> Result<u64> {
    let before = app.clock.now() - TimeDelta::days(app.config.coupons_keep_days.into());
    store::drop_old(&app.db, before).await
}
