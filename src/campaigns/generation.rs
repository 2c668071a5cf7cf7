//! Generates the vouchers of a campaign: exactly as many as were asked for, whoever is killed when.
//!
//! A batch is one transaction: it locks the job (and so learns how many vouchers there are, and that
//! nobody else is at it), copies the next vouchers in, and notes the new count. Either all of that
//! is committed or nothing is, so the count in the job is the count in the table at any moment. The
//! last batch also gives the campaign the status that was asked for.

use super::prints;
use crate::{
    app::App,
    crash,
    error::{Error, Result, violates},
    ids,
    jobs::{Claim, Kind, Next, Ran},
    redemption::{
        code::{self, Code},
        voucher::CampaignType,
    },
    transaction,
};
use chrono::{DateTime, SecondsFormat, Utc};
use sqlx::PgConnection;
use std::fmt::Write;
use uuid::Uuid;

/// The kind of job that this is.
pub const KIND: Kind = Kind::GenerateVouchers;

/// Attempts at one batch: a code that is taken by chance is drawn again with the whole batch.
const DRAWS_MAX: u32 = 3;

/// What every voucher of a campaign begins with.
#[derive(Debug, sqlx::FromRow)]
struct Mould {
    r#type: CampaignType,
    voucher_value: i64,
    prefix: String,
}

/// Works batch by batch until all vouchers are there, it is another group's turn, the server stops, or the job
/// is taken away.
pub async fn run(app: &App, claim: &Claim) -> Result<Ran> {
    let mut draws = 0;
    while !app.stop.is_cancelled() {
        match batch(app, claim).await {
            Ok(Some(Next::More)) => draws = 0,
            Ok(Some(Next::Yield)) => return Ok(Ran::Yielded),
            Ok(Some(Next::Complete)) => return Ok(Ran::Done),
            Ok(None) => return Ok(Ran::Lost),
            Err(BatchError::CodeTaken) if draws < DRAWS_MAX => draws += 1,
            Err(BatchError::CodeTaken) => {
                return Err(Error::fault("generated codes are taken again and again"));
            }
            Err(BatchError::Other(error)) => return Err(error),
        }
    }
    Ok(Ran::Paused)
}

/// Leaves a campaign whose generation has ended early as it is, switched off.
pub async fn stop(connection: &mut PgConnection, campaign: i64) -> Result<()> {
    const SQL: &str = "UPDATE campaign SET status = 'inactive' WHERE id = $1 AND status = 'creating'";
    sqlx::query(SQL).bind(campaign).execute(connection).await?;
    Ok(())
}

enum BatchError {
    CodeTaken,
    Other(Error),
}

impl From<sqlx::Error> for BatchError {
    fn from(error: sqlx::Error) -> Self {
        if violates(&error, "voucher_code") { Self::CodeTaken } else { Self::Other(error.into()) }
    }
}

impl From<Error> for BatchError {
    fn from(error: Error) -> Self {
        Self::Other(error)
    }
}

/// Writes the next vouchers; `None` if the job is no longer ours.
async fn batch(app: &App, claim: &Claim) -> Result<Option<Next>, BatchError> {
    const MOULD: &str = "SELECT type, voucher_value, prefix FROM campaign WHERE id = $1";
    const COMPLETE: &str = "UPDATE campaign SET status = status_wanted WHERE id = $1 AND status = 'creating'";
    let mut transaction = transaction::begin(&app.db).await?;
    let Some(done) = claim.lock(&mut transaction).await? else { return Ok(None) };
    let count = (claim.total - done).clamp(0, app.config.generation_batch.max(1) as i64);
    let mould: Option<Mould> =
        sqlx::query_as(MOULD).bind(claim.subject).fetch_optional(&mut *transaction).await?;
    let mould = mould.ok_or_else(|| Error::fault("the campaign is gone"))?;
    let ids = ids::draw(&mut transaction, "voucher", count as usize).await?;
    let rows = rows(&mould, claim, ids, app.clock.now());
    copy(&mut transaction, rows).await?;
    if done + count >= claim.total {
        sqlx::query(COMPLETE).bind(claim.subject).execute(&mut *transaction).await?;
        prints::outdate(&mut transaction, claim.subject, app.clock.now()).await?;
    }
    let next = claim.advance(&mut transaction, done + count, app).await?;
    crash::point("generation-before-commit");
    transaction.commit().await?;
    crash::point("generation-after-commit");
    metrics::counter!("scrip_vouchers_generated_total").increment(count as u64);
    Ok(Some(next))
}

/// Vouchers as lines of COPY's text format. Nothing in them needs escaping: codes are letters,
/// digits and a dash.
fn rows(mould: &Mould, claim: &Claim, ids: Vec<Uuid>, now: DateTime<Utc>) -> String {
    const ROW_BYTES: usize = 200;
    let created = now.to_rfc3339_opts(SecondsFormat::Millis, true);
    let balance = match mould.r#type {
        CampaignType::Gift => mould.voucher_value.to_string(),
        CampaignType::Discount | CampaignType::Dynamic => r"\N".to_owned(),
    };
    let mut rng = rand::rng();
    let mut rows = String::with_capacity(ROW_BYTES * ids.len());
    for id in ids {
        let code = code::generate(&mould.prefix, claim.total as u64, &mut rng);
        // A generated code always parses: it has neither space nor control characters.
        let Some(parsed) = Code::parse(&code) else { continue };
        let (campaign, prefix, key) = (claim.subject, &mould.prefix, parsed.key());
        // Writing to a String cannot fail.
        let _ = writeln!(
            rows,
            "{id}\t{campaign}\t{code}\t{key}\t{prefix}\tt\tt\t{created}\t{balance}\t{created}\t{created}"
        );
    }
    rows
}

async fn copy(connection: &mut PgConnection, rows: String) -> Result<(), sqlx::Error> {
    const SQL: &str = "
        COPY voucher (id, campaign, code, key, prefix, generated, inherits, period_start, balance, created_at,
            updated_at) FROM STDIN";
    let mut copy = connection.copy_in_raw(SQL).await?;
    copy.send(rows.into_bytes()).await?;
    copy.finish().await?;
    Ok(())
}
