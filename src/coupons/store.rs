//! What is printed, and what was printed, in Postgres.

use super::{notes::Note, options::Options};
use crate::{
    campaigns::{
        campaign::Campaign,
        terms::{PdfStatus, Status},
        voucher_list::{look, term},
    },
    error::{Error, Result},
    redemption::code,
};
use chrono::{DateTime, Utc};
use sqlx::{PgConnection, PgPool, types::Json};
use uuid::Uuid;

/// What the coupons of a campaign share.
#[derive(Clone, Debug, sqlx::FromRow)]
pub(super) struct Design {
    pub(super) name: String,
    pub(super) user_group: i64,
    pub(super) status: Status,
    pub(super) currency: String,
    /// The style that their sheet is taken from.
    pub(super) voucher_style: Option<String>,
    /// The campaign's, whose locale vouchers take that have none.
    pub(super) campaign_style: Option<String>,
    pub(super) voucher_logo_img: Option<i64>,
}

/// A voucher as it is printed: its own terms and texts, or its campaign's where it was given none.
#[derive(Clone, Debug, sqlx::FromRow)]
pub(super) struct Voucher {
    pub(super) id: Uuid,
    pub(super) campaign: i64,
    pub(super) code: String,
    pub(super) value: i64,
    pub(super) expires_on: Option<String>,
    pub(super) time_zone: String,
    pub(super) text1: Option<String>,
    pub(super) text2: Option<String>,
    pub(super) text3: Option<String>,
    pub(super) text4: Option<String>,
    pub(super) style: Option<String>,
    pub(super) pdf_status: PdfStatus,
}

impl Design {
    /// For a coupon by itself, on the sheet that its own style asks for.
    pub(super) fn for_one(self, voucher: &Voucher) -> Self {
        Self { voucher_style: voucher.style.clone(), ..self }
    }
}

impl Voucher {
    /// One that a campaign will have when its vouchers are there.
    pub(super) fn to_come(campaign: &Campaign) -> Self {
        let campaign = campaign.clone();
        Self {
            id: Uuid::nil(),
            campaign: campaign.id,
            code: code::generate(&campaign.prefix, campaign.total_vouchers as u64, &mut rand::rng()),
            value: campaign.voucher_value,
            expires_on: campaign.expires_on,
            time_zone: campaign.time_zone,
            text1: campaign.voucher_text1,
            text2: campaign.voucher_text2,
            text3: campaign.voucher_text3,
            text4: campaign.voucher_text4,
            style: campaign.voucher_style,
            pdf_status: PdfStatus::Empty,
        }
    }
}

/// A PDF that is ready, without its bytes.
#[derive(Clone, Debug, sqlx::FromRow)]
pub(super) struct Part {
    #[sqlx(rename = "part")]
    pub(super) number: i32,
    pub(super) vouchers: i64,
    pub(super) last_voucher: Uuid,
    pub(super) pages: i64,
    pub(super) notes: Json<Vec<Note>>,
    pub(super) length: i64,
    pub(super) crc32: i64,
    pub(super) hash: Vec<u8>,
}

macro_rules! printed {
    () => {
        concat!(
            "SELECT v.id, v.campaign, v.code, ",
            term!("voucher_value", "value"),
            " AS value, ",
            // The earlier end, in the zone that it was given in.
            "CASE WHEN c.expires_at < v.expires_at THEN c.expires_on ELSE ",
            term!("expires_on", "expires_on"),
            " END AS expires_on,
              CASE WHEN v.expires_at IS NULL OR c.expires_at < v.expires_at THEN c.time_zone ELSE ",
            term!("time_zone", "time_zone"),
            " END AS time_zone, ",
            look!(),
            ", v.pdf_status FROM voucher v JOIN campaign c ON c.id = v.campaign WHERE "
        )
    };
}

/// What the coupons of a campaign share.
pub(super) async fn design(db: &PgPool, campaign: i64) -> Result<Option<Design>> {
    const SQL: &str = "
        SELECT name, user_group, status, currency, voucher_style, voucher_style AS campaign_style, voucher_logo_img
        FROM campaign WHERE id = $1";
    Ok(sqlx::query_as(SQL).bind(campaign).fetch_optional(db).await?)
}

/// The voucher, if its campaign belongs to `group` or a group below it.
pub(super) async fn voucher(db: &PgPool, group: i64, id: Uuid) -> Result<Voucher> {
    const SQL: &str = concat!(
        printed!(),
        "v.id = $1 AND c.user_group IN (SELECT descendant FROM user_group_tree WHERE ancestor = $2)"
    );
    let voucher = sqlx::query_as(SQL).bind(id).bind(group).fetch_optional(db).await?;
    voucher.ok_or(Error::NotFound("voucher"))
}

/// The next vouchers of a campaign behind the one with the id `after`.
pub(super) async fn vouchers(
    db: &PgPool,
    campaign: i64,
    after: Option<Uuid>,
    limit: i64,
) -> Result<Vec<Voucher>> {
    const SQL: &str = concat!(printed!(), "v.campaign = $1 AND v.id > $2 ORDER BY v.id LIMIT $3");
    let after = after.unwrap_or_default();
    Ok(sqlx::query_as(SQL).bind(campaign).bind(after).bind(limit).fetch_all(db).await?)
}

/// A voucher of a campaign as an example; `None` if it has none.
pub(super) async fn example(db: &PgPool, campaign: i64) -> Result<Option<Voucher>> {
    Ok(vouchers(db, campaign, None, 1).await?.pop())
}

/// How many vouchers a campaign has.
pub(super) async fn count(connection: &mut PgConnection, campaign: i64) -> Result<i64> {
    const SQL: &str = "SELECT count(*) FROM voucher WHERE campaign = $1";
    Ok(sqlx::query_scalar(SQL).bind(campaign).fetch_one(connection).await?)
}

/// Notes that a voucher's coupon was asked for.
pub(super) async fn mark_ready(db: &mut PgConnection, voucher: Uuid) -> Result<()> {
    const SQL: &str = "UPDATE voucher SET pdf_status = 'ready' WHERE id = $1 AND pdf_status <> 'ready'";
    sqlx::query(SQL).bind(voucher).execute(db).await?;
    Ok(())
}

/// What a campaign's PDF was asked for with.
pub(super) async fn options(db: &PgPool, campaign: i64) -> Result<Option<Options>> {
    const SQL: &str = "SELECT options FROM coupon_print WHERE campaign = $1";
    let options: Option<Json<_>> = sqlx::query_scalar(SQL).bind(campaign).fetch_optional(db).await?;
    Ok(options.map(|options| options.0))
}

/// The parts of a campaign's PDF that are ready, from the first.
pub(super) async fn parts(db: &PgPool, campaign: i64) -> Result<Vec<Part>> {
    const SQL: &str = "
        SELECT part, vouchers, last_voucher, pages, notes, length, crc32, hash FROM coupon_part
        WHERE campaign = $1 ORDER BY part";
    Ok(sqlx::query_as(SQL).bind(campaign).fetch_all(db).await?)
}

/// Keeps a part.
pub(super) async fn keep(
    connection: &mut PgConnection,
    campaign: i64,
    part: &Part,
    bytes: &[u8],
) -> Result<()> {
    const SQL: &str = "
        INSERT INTO coupon_part (campaign, part, vouchers, last_voucher, pages, notes, length, crc32, hash, bytes)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
    sqlx::query(SQL)
        .bind(campaign)
        .bind(part.number)
        .bind(part.vouchers)
        .bind(part.last_voucher)
        .bind(part.pages)
        .bind(&part.notes)
        .bind(part.length)
        .bind(part.crc32)
        .bind(&part.hash)
        .bind(bytes)
        .execute(connection)
        .await?;
    Ok(())
}

/// `length` bytes of a part, from `from` on; `None` if it is no longer the one with this hash.
pub(super) async fn slice(
    db: &PgPool,
    campaign: i64,
    part: &Part,
    from: u64,
    length: u64,
) -> Result<Option<Vec<u8>>> {
    const SQL: &str = "
        SELECT substring(bytes FROM $4 FOR $5) FROM coupon_part WHERE campaign = $1 AND part = $2 AND hash = $3";
    // Postgres counts bytes from 1, in 32 bits: a part has some millions.
    let slice = sqlx::query_scalar(SQL)
        .bind(campaign)
        .bind(part.number)
        .bind(&part.hash)
        .bind(from as i32 + 1)
        .bind(length as i32);
    Ok(slice.fetch_optional(db).await?)
}

/// Drops PDFs that nobody has asked for since `before`: they can be made again.
pub(super) async fn drop_old(db: &PgPool, before: DateTime<Utc>) -> Result<u64> {
    const SQL: &str = "
        DELETE FROM coupon_print WHERE asked_at < $1
        AND job NOT IN (SELECT id FROM job WHERE kind = 'print_coupons' AND state IN ('queued', 'running'))";
    Ok(sqlx::query(SQL).bind(before).execute(db).await?.rows_affected())
}
