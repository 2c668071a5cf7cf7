//! Campaigns in Postgres.

use super::{
    campaign::{Campaign, CampaignPatch, NewCampaign},
    generation, prints,
    rules::CampaignRule,
    terms::{PdfStatus, zone},
    voucher_store,
};
use crate::{
    error::{Error, Result},
    fleet::image,
    http::list::{Column, Ids, Kind, Listing},
    jobs::{self, State},
    transaction,
};
use chrono::{DateTime, Utc};
use sqlx::{PgConnection, PgExecutor, PgPool, types::Json};

/// Where the PDF of a campaign's coupons stands: what its job says, as [`PdfStatus`].
macro_rules! pdf_status {
    () => {
        "CASE pdf.state WHEN 'queued' THEN 'pending' WHEN 'running' THEN 'rendering' WHEN 'done' THEN 'ready'
            WHEN 'failed' THEN 'failed' ELSE 'empty' END"
    };
}

macro_rules! from {
    () => {
        "campaign c LEFT JOIN coupon_print print ON print.campaign = c.id LEFT JOIN job pdf ON pdf.id = print.job"
    };
}

/// The last moment of something that ends: of a date the last of its day, so that it lies before the next day.
macro_rules! last_moment {
    ($expires_at:expr, $expires_on:expr) => {
        concat!(
            $expires_at,
            " - CASE WHEN length(",
            $expires_on,
            ") = 10 THEN interval '1 microsecond' ELSE interval '0' END"
        )
    };
}
pub(super) use last_moment;

/// The columns of [`Campaign`]; a macro, so that constant statements can be put together from it.
macro_rules! columns {
    () => {
        concat!(
            "c.id, c.name, c.total_vouchers, c.type, c.value_type, c.voucher_value, c.redemption_limit,
         c.reset_frequency, c.starts_on, c.expires_on, c.currency, c.time_zone, c.status, c.created_at,
         c.updated_at, c.prefix, c.user_group AS owner_id, c.owner_data, c.voucher_text1, c.voucher_text2,
         c.voucher_text3, c.voucher_text4, c.voucher_style, c.id AS campaignstats, ",
            pdf_status!(),
            " AS vouchers_pdf_status, NULL::text AS vouchers_pdf_url, c.voucher_logo_img, c.calendar_since,
         c.former_calendars"
        )
    };
}

/// Campaigns as [`Campaign`], and what they can be filtered and sorted by.
pub(super) static CAMPAIGNS: Listing =
    Listing { select: COLUMNS, from: from!(), ids: Ids::Sequence("campaign"), columns: FILTERS, order: None };

const COLUMNS: &str = columns!();

/// The column that needs to know the present: `outside` holds it as `now`.
pub(super) const LAST_RESET: &str = "lastResetAt";

const FILTERS: &[Column] = &[
    Column::new("id", "c.id", Kind::Int),
    Column::new("name", "c.name", Kind::Text),
    Column::new("totalVouchers", "c.total_vouchers", Kind::Int),
    Column::new("type", "c.type", Kind::Word(&["discount", "gift", "dynamic"])),
    Column::new("valueType", "c.value_type", Kind::Word(&["cents"])),
    Column::new("voucherValue", "c.voucher_value", Kind::Int),
    Column::new("redemptionLimit", "c.redemption_limit", Kind::Int),
    Column::new("resetFrequency", "c.reset_frequency", Kind::Word(&["day", "week", "month", "never"])),
    Column::new("startsOn", "c.starts_at", Kind::Moment { zone: "c.time_zone", ends: false }),
    Column::new(
        "expiresOn",
        last_moment!("c.expires_at", "c.expires_on"),
        Kind::Moment { zone: "c.time_zone", ends: true },
    ),
    Column::new("currency", "c.currency", Kind::Text),
    Column::new("timeZone", "c.time_zone", Kind::Text),
    Column::new("status", "c.status", Kind::Word(&["creating", "active", "inactive"])),
    Column::new("createdAt", "c.created_at", Kind::Time),
    Column::new("updatedAt", "c.updated_at", Kind::Time),
    Column::new("prefix", "c.prefix", Kind::Text),
    Column::new("ownerId", "c.user_group", Kind::Int),
    Column::new("ownerData", "c.owner_data", Kind::Text),
    Column::new("voucherText1", "c.voucher_text1", Kind::Text),
    Column::new("voucherText2", "c.voucher_text2", Kind::Text),
    Column::new("voucherText3", "c.voucher_text3", Kind::Text),
    Column::new("voucherText4", "c.voucher_text4", Kind::Text),
    Column::new("voucherStyle", "c.voucher_style", Kind::Text),
    Column::new("campaignstats", "c.id", Kind::Int),
    Column::new(
        LAST_RESET,
        "NULLIF(GREATEST(c.created_at, last_reset(NULL, NULL, c.created_at, c.reset_frequency, c.time_zone,
            c.calendar_since, c.former_calendars, (outside.facts ->> 'now')::timestamptz)), c.created_at)",
        Kind::Time,
    ),
    Column::new("vouchersPdfStatus", pdf_status!(), Kind::Word(PdfStatus::WORDS)),
    Column::new("voucherLogoImg", "c.voucher_logo_img", Kind::Int),
];

const NOT_FOUND: Error = Error::NotFound("campaign");

/// The campaign, if it belongs to `group` or a group below it.
pub(crate) async fn fetch(db: impl PgExecutor<'_>, group: i64, id: i64) -> Result<Campaign> {
    const SQL: &str = concat!(
        "SELECT ",
        columns!(),
        " FROM ",
        from!(),
        " WHERE c.id = $1 AND c.user_group IN (SELECT descendant FROM user_group_tree WHERE ancestor = $2)"
    );
    sqlx::query_as(SQL).bind(id).bind(group).fetch_optional(db).await?.ok_or(NOT_FOUND)
}

/// The same, locked for the caller's transaction: redemptions of its vouchers wait meanwhile.
pub(crate) async fn lock(connection: &mut PgConnection, group: i64, id: i64) -> Result<Campaign> {
    const SQL: &str = concat!(
        "SELECT ",
        columns!(),
        " FROM ",
        from!(),
        " WHERE c.id = $1 AND c.user_group IN (SELECT descendant FROM user_group_tree WHERE ancestor = $2)
          FOR UPDATE OF c"
    );
    sqlx::query_as(SQL).bind(id).bind(group).fetch_optional(connection).await?.ok_or(NOT_FOUND)
}

/// Creates a campaign and, where it has vouchers to generate, the job that does so.
pub(super) async fn create(
    connection: &mut PgConnection,
    group: i64,
    new: NewCampaign,
    now: DateTime<Utc>,
) -> Result<i64> {
    const SQL: &str = "
        INSERT INTO campaign (user_group, name, total_vouchers, type, value_type, voucher_value, redemption_limit,
            reset_frequency, starts_on, starts_at, expires_on, expires_at, currency, time_zone, status,
            status_wanted, prefix, voucher_text1, voucher_text2, voucher_text3, voucher_text4, voucher_style,
            created_at, updated_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21,
            $22, $23, $23)
        RETURNING id";
    let NewCampaign { draft, span, zone, prefix, status, wanted } = new;
    let id = sqlx::query_scalar(SQL)
        .bind(group)
        .bind(draft.name)
        .bind(draft.total_vouchers)
        .bind(draft.r#type.unwrap_or_default())
        .bind(draft.value_type.unwrap_or_default())
        .bind(draft.voucher_value)
        .bind(draft.redemption_limit)
        .bind(draft.reset_frequency.unwrap_or_default())
        .bind(span.starts_on)
        .bind(span.starts_at)
        .bind(span.expires_on)
        .bind(span.expires_at)
        .bind(draft.currency.unwrap_or_default())
        .bind(zone.name())
        .bind(status)
        .bind(wanted)
        .bind(prefix)
        .bind(draft.voucher_text1)
        .bind(draft.voucher_text2)
        .bind(draft.voucher_text3)
        .bind(draft.voucher_text4)
        .bind(draft.voucher_style)
        .bind(now)
        .fetch_one(&mut *connection)
        .await?;
    if draft.total_vouchers > 0 {
        jobs::enqueue(connection, generation::KIND, id, group, draft.total_vouchers, now).await?;
    }
    Ok(id)
}

/// Changes a campaign. Switching it off waits for redemptions under way, and none follows.
pub(super) async fn update(
    db: &PgPool,
    group: i64,
    id: i64,
    patch: CampaignPatch,
    now: DateTime<Utc>,
) -> Result<()> {
    const SQL: &str = "
        UPDATE campaign SET name = $2, value_type = $3, redemption_limit = $4, reset_frequency = $5,
            starts_on = $6, starts_at = $7, expires_on = $8, expires_at = $9, currency = $10, time_zone = $11,
            voucher_text1 = $12, voucher_text2 = $13, voucher_text3 = $14, voucher_text4 = $15,
            voucher_style = $16, status_wanted = COALESCE($17, status_wanted),
            status = CASE WHEN status = 'creating' THEN status ELSE COALESCE($17, status) END,
            calendar_since = $18, former_calendars = $19
        WHERE id = $1";
    let mut transaction = transaction::begin(db).await?;
    let mut campaign = lock(&mut transaction, group, id).await?;
    let status = patch.status;
    let before = campaign.clone();
    let rules = patch.validation_rules.clone();
    let span = patch.apply(&mut campaign, now)?;
    if let Some(rules) = &rules {
        put_rules(&mut transaction, id, rules).await?;
    }
    if campaign.currency != before.currency {
        may_change_currency(&mut transaction, id).await?;
    }
    let prints_otherwise = campaign.prints_otherwise_than(&before);
    sqlx::query(SQL)
        .bind(id)
        .bind(campaign.name)
        .bind(campaign.value_type)
        .bind(campaign.redemption_limit)
        .bind(campaign.reset_frequency)
        .bind(span.starts_on)
        .bind(span.starts_at)
        .bind(span.expires_on)
        .bind(span.expires_at)
        .bind(campaign.currency)
        .bind(&campaign.time_zone)
        .bind(campaign.voucher_text1)
        .bind(campaign.voucher_text2)
        .bind(campaign.voucher_text3)
        .bind(campaign.voucher_text4)
        .bind(campaign.voucher_style)
        .bind(status)
        .bind(campaign.history.since)
        .bind(Json(campaign.history.former))
        .execute(&mut *transaction)
        .await?;
    if campaign.time_zone != before.time_zone {
        voucher_store::move_dates(&mut transaction, id, zone(&campaign.time_zone)).await?;
    }
    if prints_otherwise {
        prints::outdate(&mut transaction, id, now).await?;
    }
    transaction.commit().await?;
    Ok(())
}

/// Refuses another currency once amounts stand in this one: what was redeemed, and what is left of gifts.
async fn may_change_currency(connection: &mut PgConnection, id: i64) -> Result<()> {
    const AMOUNTS: &str = "
        SELECT EXISTS (SELECT FROM redemption WHERE campaign = $1)
            OR EXISTS (SELECT FROM voucher WHERE campaign = $1 AND balance > 0)";
    if sqlx::query_scalar(AMOUNTS).bind(id).fetch_one(connection).await? {
        return Err(Error::Conflict(
            "the campaign was redeemed or has balances: its currency can no longer change".into(),
        ));
    }
    Ok(())
}

/// Deletes a campaign that was never redeemed, with its vouchers, its rules and what was still to be generated.
pub(super) async fn delete(db: &PgPool, group: i64, id: i64, now: DateTime<Utc>) -> Result<()> {
    const REDEEMED: &str = "SELECT EXISTS (SELECT FROM redemption WHERE campaign = $1)";
    const VOUCHERS: &str = "DELETE FROM voucher WHERE campaign = $1";
    const RULES: &str = "DELETE FROM campaign_rule WHERE campaign = $1";
    const CAMPAIGN: &str = "DELETE FROM campaign WHERE id = $1";
    fetch(db, group, id).await?;
    let mut transaction = transaction::begin(db).await?;
    let job = jobs::lock_latest(&mut transaction, generation::KIND, id).await?;
    let logo = lock(&mut transaction, group, id).await?.voucher_logo_img;
    if sqlx::query_scalar(REDEEMED).bind(id).fetch_one(&mut *transaction).await? {
        return Err(Error::Conflict("the campaign was redeemed: deactivate it instead".into()));
    }
    if let Some(job) = job
        && matches!(job.state, State::Queued | State::Running)
    {
        jobs::cancel(&mut transaction, job.id, now).await?;
    }
    prints::cancel(&mut transaction, id, now).await?;
    for statement in [VOUCHERS, RULES, CAMPAIGN] {
        sqlx::query(statement).bind(id).execute(&mut *transaction).await?;
    }
    transaction.commit().await?;
    if let Some(logo) = logo {
        image::store::forget_logo(db, logo).await;
    }
    Ok(())
}

/// Stops what is done in the background. What exists of a generation stays, and may not be used until
/// the campaign is switched on.
pub(super) async fn cancel(db: &PgPool, group: i64, id: i64, now: DateTime<Utc>) -> Result<&'static str> {
    fetch(db, group, id).await?;
    let mut transaction = transaction::begin(db).await?;
    let job = jobs::lock_latest(&mut transaction, generation::KIND, id).await?;
    let stopped = if let Some(job) = job.filter(|job| matches!(job.state, State::Queued | State::Running)) {
        jobs::cancel(&mut transaction, job.id, now).await?;
        generation::stop(&mut transaction, id).await?;
        "generation cancelled"
    } else if prints::cancel(&mut transaction, id, now).await? {
        "the PDF is no longer made"
    } else {
        return Err(Error::Conflict("nothing is being generated or printed".into()));
    };
    transaction.commit().await?;
    Ok(stopped)
}

/// Goes on with what was cancelled or has failed: with the PDF if that was it last, else with the generation.
pub(super) async fn resume(db: &PgPool, group: i64, id: i64, now: DateTime<Utc>) -> Result<&'static str> {
    const SQL: &str = "
        UPDATE campaign SET status = 'creating',
            status_wanted = CASE WHEN status = 'active' THEN status ELSE status_wanted END
        WHERE id = $1";
    fetch(db, group, id).await?;
    let mut transaction = transaction::begin(db).await?;
    let job = jobs::lock_latest(&mut transaction, generation::KIND, id).await?;
    let resumed = if prints::resume(&mut transaction, id, now).await? {
        "the PDF is made"
    } else if let Some(job) = job.filter(|job| matches!(job.state, State::Cancelled | State::Failed)) {
        jobs::requeue(&mut transaction, job.id, now).await?;
        if sqlx::query(SQL).bind(id).execute(&mut *transaction).await?.rows_affected() == 0 {
            return Err(NOT_FOUND);
        }
        "generation resumed"
    } else {
        return Err(Error::Conflict("there is nothing to resume".into()));
    };
    transaction.commit().await?;
    Ok(resumed)
}

/// The rules of a campaign that the caller is known to see.
pub(super) async fn rules(db: &PgPool, id: i64) -> Result<Vec<CampaignRule>> {
    const SQL: &str = "SELECT id, campaign, field, value FROM campaign_rule WHERE campaign = $1 ORDER BY id";
    Ok(sqlx::query_as(SQL).bind(id).fetch_all(db).await?)
}

/// Replaces the rules of a campaign; those that stay keep their ids.
pub(super) async fn replace_rules(db: &PgPool, group: i64, id: i64, rules: &[CampaignRule]) -> Result<()> {
    let mut transaction = transaction::begin(db).await?;
    lock(&mut transaction, group, id).await?;
    put_rules(&mut transaction, id, rules).await?;
    transaction.commit().await?;
    Ok(())
}

/// Makes these the rules of a campaign that is locked. A rule that stays keeps its id.
async fn put_rules(connection: &mut PgConnection, id: i64, rules: &[CampaignRule]) -> Result<()> {
    const DROP: &str = "
        DELETE FROM campaign_rule WHERE campaign = $1
        AND NOT EXISTS (SELECT FROM unnest($2::text[], $3::text[]) AS kept (field, value)
            WHERE kept.field = campaign_rule.field AND kept.value = campaign_rule.value)";
    const ADD: &str = "
        INSERT INTO campaign_rule (campaign, field, value)
        SELECT $1, field, value FROM unnest($2::text[], $3::text[]) WITH ORDINALITY AS new (field, value, place)
        ORDER BY place ON CONFLICT DO NOTHING";
    let fields: Vec<_> = rules.iter().map(|rule| rule.field.word()).collect();
    let values: Vec<_> = rules.iter().map(|rule| rule.value.as_str()).collect();
    for statement in [DROP, ADD] {
        sqlx::query(statement).bind(id).bind(&fields).bind(&values).execute(&mut *connection).await?;
    }
    Ok(())
}
