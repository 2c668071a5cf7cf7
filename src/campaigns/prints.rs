//! The PDF of a campaign's coupons as a row: asked for, out of date, stopped. What makes it is
//! [`crate::coupons`].
//!
//! Whatever changes what is printed says so here, in the same transaction ([`outdate`]): the PDF is
//! then made anew. Locks are taken in the order campaign, job, print; the job itself never locks the
//! campaign.

use crate::{
    error::{Error, Result},
    jobs::{self, Kind, Progress, State},
};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;
use sqlx::{PgConnection, types::Json};

/// The job that makes it.
pub const KIND: Kind = Kind::PrintCoupons;

/// How long a change is waited with, so that several in a row are printed once.
const SETTLING: TimeDelta = TimeDelta::seconds(2);

/// Asks for the PDF of a campaign whose row the caller has locked, of `vouchers` vouchers. What is there
/// already, or is being made, stays if it was asked for with the same options.
pub async fn ask(
    connection: &mut PgConnection,
    (campaign, group): (i64, i64),
    options: &Value,
    vouchers: i64,
    now: DateTime<Utc>,
) -> Result<()> {
    const SAME: &str = "SELECT options = $2 FROM coupon_print WHERE campaign = $1";
    const PUT: &str = "
        INSERT INTO coupon_print (campaign, job, options, asked_at) VALUES ($1, $2, $3, $4)
        ON CONFLICT (campaign) DO UPDATE SET job = $2, options = $3, asked_at = $4";
    const TOUCH: &str = "UPDATE coupon_print SET asked_at = $2 WHERE campaign = $1";
    let job = jobs::lock_latest(connection, KIND, campaign).await?;
    let same: Option<bool> =
        sqlx::query_scalar(SAME).bind(campaign).bind(Json(options)).fetch_optional(&mut *connection).await?;
    let alive = |job: &Progress| under_way(job) || job.state == State::Done;
    if same == Some(true) && job.as_ref().is_some_and(alive) {
        sqlx::query(TOUCH).bind(campaign).bind(now).execute(connection).await?;
        return Ok(());
    }
    if let Some(job) = job.filter(under_way) {
        jobs::cancel(connection, job.id, now).await?;
    }
    drop_parts(connection, campaign).await?;
    let job = jobs::enqueue(connection, KIND, campaign, group, vouchers, now).await?;
    sqlx::query(PUT).bind(campaign).bind(job).bind(Json(options)).bind(now).execute(connection).await?;
    Ok(())
}

/// Says that what is printed for a campaign has changed, so that its PDF, if anyone asked for it, is made
/// anew. The caller has the campaign's row, or has put a voucher behind it, in this transaction.
pub async fn outdate(connection: &mut PgConnection, campaign: i64, now: DateTime<Utc>) -> Result<()> {
    const ASKED: &str = "SELECT EXISTS (SELECT FROM coupon_print WHERE campaign = $1)";
    const NOTHING_DONE: &str = "UPDATE job SET done = 0 WHERE id = $1";
    if !sqlx::query_scalar(ASKED).bind(campaign).fetch_one(&mut *connection).await? {
        return Ok(());
    }
    let Some(job) = jobs::lock_latest(connection, KIND, campaign).await? else { return Ok(()) };
    drop_parts(connection, campaign).await?;
    if job.state == State::Cancelled {
        sqlx::query(NOTHING_DONE).bind(job.id).execute(connection).await?;
        Ok(())
    } else {
        jobs::restart(connection, job.id, now + SETTLING, now).await
    }
}

/// The same for every campaign that shows an image, which the caller has locked.
pub async fn outdate_showing(connection: &mut PgConnection, image: i64, now: DateTime<Utc>) -> Result<()> {
    const SQL: &str = "SELECT id FROM campaign WHERE voucher_logo_img = $1 ORDER BY id FOR KEY SHARE";
    let campaigns: Vec<i64> = sqlx::query_scalar(SQL).bind(image).fetch_all(&mut *connection).await?;
    for campaign in campaigns {
        outdate(connection, campaign, now).await?;
    }
    Ok(())
}

/// Stops the job of a campaign, if it is under way; false if it is not.
pub async fn cancel(connection: &mut PgConnection, campaign: i64, now: DateTime<Utc>) -> Result<bool> {
    let job = jobs::lock_latest(connection, KIND, campaign).await?;
    let Some(job) = job.filter(under_way) else { return Ok(false) };
    jobs::cancel(connection, job.id, now).await?;
    Ok(true)
}

/// Goes on with the job of a campaign, if it was cancelled or has failed; false if not.
pub async fn resume(connection: &mut PgConnection, campaign: i64, now: DateTime<Utc>) -> Result<bool> {
    let job = jobs::lock_latest(connection, KIND, campaign).await?;
    let Some(job) = job.filter(|job| matches!(job.state, State::Cancelled | State::Failed)) else {
        return Ok(false);
    };
    jobs::requeue(connection, job.id, now).await?;
    Ok(true)
}

fn under_way(job: &Progress) -> bool {
    matches!(job.state, State::Queued | State::Running)
}

async fn drop_parts(connection: &mut PgConnection, campaign: i64) -> Result<(), Error> {
    const SQL: &str = "DELETE FROM coupon_part WHERE campaign = $1";
    sqlx::query(SQL).bind(campaign).execute(connection).await?;
    Ok(())
}
