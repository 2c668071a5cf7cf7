//! Which vouchers there are: the columns of one, and lists of them.

use super::{terms::PdfStatus, voucher::Voucher};
use crate::{
    app::App,
    error::Result,
    http::list::{
        Column, Kind, ListParams, ListQuery, Listing, Page,
        params::{Op, Value},
    },
    redemption::{code::Code, voucher::Lock},
};
use sqlx::{Postgres, QueryBuilder};
use std::collections::HashMap;
use uuid::Uuid;

/// Vouchers as [`Voucher`], and what they can be filtered and sorted by. Counters and balances are
/// filtered as stored: a reset that is due shows in rows, not in conditions.
pub(super) static VOUCHERS: Listing = Listing { select: COLUMNS, from: FROM, columns: FILTERS };

/// A term of the voucher: the campaign's, where it was not given its own.
macro_rules! term {
    ($campaign:literal, $own:literal) => {
        concat!("COALESCE(v.", $own, ", c.", $campaign, ")")
    };
}

/// What a coupon says and how it looks, as columns.
macro_rules! look {
    () => {
        concat!(
            term!("voucher_text1", "text1"),
            " AS text1, ",
            term!("voucher_text2", "text2"),
            " AS text2, ",
            term!("voucher_text3", "text3"),
            " AS text3, ",
            term!("voucher_text4", "text4"),
            " AS text4, ",
            term!("voucher_style", "style"),
            " AS style"
        )
    };
}

/// The columns of [`Voucher`].
macro_rules! columns {
    () => {
        concat!(
            "v.id, v.code, v.campaign, ",
            term!("type", "type"),
            " AS type, ",
            term!("voucher_value", "value"),
            " AS value, c.value_type, c.currency, ",
            term!("voucher_value", "value"),
            " AS initial_value, ",
            term!("redemption_limit", "redemption_limit"),
            " AS redemption_limit, v.redemption_count, v.total_redemption_count, v.last_redemption_at,
             v.last_redemption_location::text AS last_redemption_location, v.prefix, ",
            term!("reset_frequency", "reset_frequency"),
            " AS reset_frequency, v.last_reset_at, ",
            term!("starts_on", "starts_on"),
            " AS starts_on, ",
            term!("expires_on", "expires_on"),
            " AS expires_on, ",
            term!("time_zone", "time_zone"),
            " AS time_zone, m.hostname AS lock_owner, v.locked_till, v.status, v.amount_redeemed,
             v.total_amount_redeemed, v.created_at, v.updated_at, COALESCE(v.balance, 0) AS balance, ",
            look!(),
            ", c.voucher_logo_img::text AS logo_img, v.pdf_status, NULL::text AS pdf_url, v.comments AS voucher_comments, v.inherits, v.period_start"
        )
    };
}

macro_rules! from {
    () => {
        "voucher v JOIN campaign c ON c.id = v.campaign LEFT JOIN machine m ON m.id = v.lock_owner"
    };
}

pub(crate) use {columns, from, look, term};

const COLUMNS: &str = columns!();
const FROM: &str = from!();

const FILTERS: &[Column] = &[
    Column::new("id", "v.id", Kind::Uuid),
    Column::new("code", "v.code", Kind::Text),
    Column::new("campaign", "v.campaign", Kind::Int),
    Column::new("type", term!("type", "type"), Kind::Word(&["discount", "gift"])),
    Column::new("value", term!("voucher_value", "value"), Kind::Int),
    Column::new("valueType", "c.value_type", Kind::Word(&["cents"])),
    Column::new("currency", "c.currency", Kind::Text),
    Column::new("initialValue", term!("voucher_value", "value"), Kind::Int),
    Column::new("redemptionLimit", term!("redemption_limit", "redemption_limit"), Kind::Int),
    Column::new("redemptionCount", "v.redemption_count", Kind::Int),
    Column::new("totalRedemptionCount", "v.total_redemption_count", Kind::Int),
    Column::new("lastRedemptionAt", "v.last_redemption_at", Kind::Time),
    Column::new("lastRedemptionLocation", "v.last_redemption_location::text", Kind::Text),
    Column::new("prefix", "v.prefix", Kind::Text),
    Column::new(
        "resetFrequency",
        term!("reset_frequency", "reset_frequency"),
        Kind::Word(&["day", "week", "month", "never"]),
    ),
    Column::new("lastResetAt", "v.last_reset_at", Kind::Time),
    Column::new("startsOn", term!("starts_on", "starts_on"), Kind::Text),
    Column::new("expiresOn", term!("expires_on", "expires_on"), Kind::Text),
    Column::new("timeZone", term!("time_zone", "time_zone"), Kind::Text),
    Column::new("status", "v.status", Kind::Word(&["active", "inactive"])),
    Column::new("amountRedeemed", "v.amount_redeemed", Kind::Int),
    Column::new("totalAmountRedeemed", "v.total_amount_redeemed", Kind::Int),
    Column::new("createdAt", "v.created_at", Kind::Time),
    Column::new("updatedAt", "v.updated_at", Kind::Time),
    Column::new("balance", "COALESCE(v.balance, 0)", Kind::Int),
    Column::new("text1", term!("voucher_text1", "text1"), Kind::Text),
    Column::new("text2", term!("voucher_text2", "text2"), Kind::Text),
    Column::new("text3", term!("voucher_text3", "text3"), Kind::Text),
    Column::new("text4", term!("voucher_text4", "text4"), Kind::Text),
    Column::new("pdfStatus", "v.pdf_status", Kind::Word(PdfStatus::WORDS)),
    Column::new("voucherComments", "v.comments", Kind::Text),
    Column::new("inherits", "v.inherits", Kind::Bool),
];

/// One page of vouchers; `scope` pushes the condition that decides which the caller may see.
pub(super) async fn page(
    app: &App,
    params: ListParams,
    scope: impl Fn(&mut QueryBuilder<Postgres>),
) -> Result<Page<Voucher>> {
    let now = app.clock.now();
    let query = params.over(&VOUCHERS)?;
    let keys = keys(&query);
    let page = query.page(&app.db, |sql| {
        scope(sql);
        push_keys(sql, keys.as_ref());
    });
    let mut page = page.await?.map(|voucher: Voucher| voucher.as_of(now));
    overlay_locks(app, &mut page.rows).await?;
    Ok(page)
}

/// The statement for all vouchers that meet a query, for exports.
pub(super) fn all(query: &ListQuery, scope: impl Fn(&mut QueryBuilder<Postgres>)) -> QueryBuilder<Postgres> {
    let keys = keys(query);
    query.all(|sql| {
        scope(sql);
        push_keys(sql, keys.as_ref());
    })
}

/// What a condition on the code says about the indexed key, so that a code is found among millions.
fn keys(query: &ListQuery) -> Option<Vec<String>> {
    let condition = query.conditions.iter().find(|one| one.column.name == "code" && one.op == Op::Is)?;
    let texts = condition.values.iter().map(|value| match value {
        Value::Text(text) => Some(text),
        _ => None,
    });
    let texts: Vec<_> = texts.collect::<Option<_>>()?;
    Some(texts.into_iter().filter_map(|text| Code::parse(text)).map(|code| code.key().to_owned()).collect())
}

fn push_keys(sql: &mut QueryBuilder<Postgres>, keys: Option<&Vec<String>>) {
    if let Some(keys) = keys {
        sql.push(" AND v.key = ANY(").push_bind(keys.clone()).push(")");
    }
}

/// Shows which device holds each voucher locked, and until when. Locks live in Redis; rows know only of
/// those that were given while it was away (see [`Voucher::as_of`]).
pub(super) async fn overlay_locks(app: &App, vouchers: &mut [Voucher]) -> Result<()> {
    let now = app.clock.now();
    let codes: Vec<Code> = vouchers.iter().filter_map(|voucher| Code::parse(&voucher.code)).collect();
    let keys: Vec<&str> = codes.iter().map(Code::key).collect();
    // With Redis away there are no locks but those in the rows.
    let copies = app.hot.survey(&keys).await.unwrap_or_default();
    let locks: HashMap<Uuid, Lock> = copies
        .into_iter()
        .flatten()
        .filter_map(|copy| Some((copy.id, copy.state.lock.filter(|lock| lock.till > now)?)))
        .collect();
    if locks.is_empty() {
        return Ok(());
    }
    let owners: Vec<i64> = locks.values().map(|lock| lock.owner).collect();
    let hostnames: Vec<(i64, String)> =
        sqlx::query_as("SELECT id, hostname FROM machine WHERE id = ANY ($1)")
            .bind(owners)
            .fetch_all(&app.db)
            .await?;
    let hostnames: HashMap<i64, String> = hostnames.into_iter().collect();
    for voucher in vouchers {
        if let Some(lock) = locks.get(&voucher.id) {
            voucher.lock_owner = hostnames.get(&lock.owner).cloned();
            voucher.locked_till = Some(lock.till);
        }
    }
    Ok(())
}
