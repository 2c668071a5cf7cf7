//! Which vouchers there are: the columns of one, and lists of them.

use super::{campaign_store::last_moment, links, schedule::schedule, terms::PdfStatus, voucher::Voucher};
use crate::{
    app::App,
    error::Result,
    http::{
        Caller,
        list::{
            Column, Ids, Kind, ListParams, ListQuery, Listing, Show,
            value::{Condition, Op, Value},
        },
    },
    postgres::reads::Reading,
    redemption::{code::Code, voucher::Lock},
};
use axum::response::Response;
use chrono::{DateTime, Utc};
use sqlx::{FromRow, Postgres, QueryBuilder, postgres::PgRow};
use std::collections::HashMap;
use uuid::Uuid;

/// Vouchers as [`Voucher`], and what they can be filtered and sorted by.
pub(super) static VOUCHERS: Listing =
    Listing { select: COLUMNS, from: FROM, ids: Ids::Time("voucher"), columns: FILTERS, order: None };

/// A term of the voucher: the campaign's, where it was not given its own.
macro_rules! term {
    ($campaign:literal, $own:literal) => {
        concat!("COALESCE(v.", $own, ", c.", $campaign, ")")
    };
}

/// When the voucher's counters last started again: the rule of `redemption/period.rs` in SQL, for queries whose
/// `outside` holds the present as `now`.
macro_rules! last_reset {
    () => {
        "last_reset(v.reset_frequency, v.time_zone, v.terms_since, c.reset_frequency, c.time_zone, c.calendar_since,
                    c.former_calendars, (outside.facts ->> 'now')::timestamptz)"
    };
}

/// What of a voucher's state starts again with a period: one expression once a reset is due, another until
/// then. The same in SQL as [`Voucher::as_of`] shows.
macro_rules! since_reset {
    ($due:expr, $stored:literal) => {
        concat!("CASE WHEN v.period_start < ", last_reset!(), " THEN ", $due, " ELSE ", $stored, " END")
    };
}

/// The columns that need to know the present.
const RESET: &[&str] = &["redemptionCount", "amountRedeemed", "balance", "lastResetAt"];

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
            ", c.voucher_logo_img::text AS logo_img, v.pdf_status, NULL::text AS pdf_url, v.comments AS voucher_comments,
             v.inherits, v.period_start, ",
            schedule!()
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
    Column::new("redemptionCount", since_reset!("0", "v.redemption_count"), Kind::Int),
    Column::new("totalRedemptionCount", "v.total_redemption_count", Kind::Int),
    Column::new("lastRedemptionAt", "v.last_redemption_at", Kind::Time),
    Column::new("lastRedemptionLocation", "v.last_redemption_location::text", Kind::Text),
    Column::new("prefix", "v.prefix", Kind::Text),
    Column::new(
        "resetFrequency",
        term!("reset_frequency", "reset_frequency"),
        Kind::Word(&["day", "week", "month", "never"]),
    ),
    Column::new("lastResetAt", since_reset!(last_reset!(), "v.last_reset_at"), Kind::Time),
    Column::new(
        "startsOn",
        term!("starts_at", "starts_at"),
        Kind::Moment { zone: term!("time_zone", "time_zone"), ends: false },
    ),
    Column::new(
        "expiresOn",
        last_moment!(term!("expires_at", "expires_at"), term!("expires_on", "expires_on")),
        Kind::Moment { zone: term!("time_zone", "time_zone"), ends: true },
    ),
    Column::new("timeZone", term!("time_zone", "time_zone"), Kind::Text),
    Column::new("status", "v.status", Kind::Word(&["active", "inactive"])),
    Column::new("amountRedeemed", since_reset!("0", "v.amount_redeemed"), Kind::Int),
    Column::new("totalAmountRedeemed", "v.total_amount_redeemed", Kind::Int),
    Column::new("createdAt", "v.created_at", Kind::Time),
    Column::new("updatedAt", "v.updated_at", Kind::Time),
    Column::new(
        "balance",
        since_reset!(
            concat!(
                "CASE ",
                term!("type", "type"),
                " WHEN 'gift' THEN ",
                term!("voucher_value", "value"),
                " ELSE 0 END"
            ),
            "COALESCE(v.balance, 0)"
        ),
        Kind::Int,
    ),
    Column::new("text1", term!("voucher_text1", "text1"), Kind::Text),
    Column::new("text2", term!("voucher_text2", "text2"), Kind::Text),
    Column::new("text3", term!("voucher_text3", "text3"), Kind::Text),
    Column::new("text4", term!("voucher_text4", "text4"), Kind::Text),
    Column::new("logoImg", "c.voucher_logo_img::text", Kind::Text),
    Column::new("pdfStatus", "v.pdf_status", Kind::Word(PdfStatus::WORDS)),
    Column::new("style", term!("voucher_style", "style"), Kind::Text),
    Column::new("voucherComments", "v.comments", Kind::Text),
    Column::new("inherits", "v.inherits", Kind::Bool),
];

/// Answers with vouchers; `scope` pushes the condition that decides which the caller may see.
pub(super) async fn answer(
    app: &App,
    caller: &Caller,
    reading: Reading,
    params: ListParams,
    scope: impl Fn(&mut QueryBuilder<Postgres>),
) -> Result<Response> {
    let now = app.clock.now();
    let (query, codes) = asked(params.over(&VOUCHERS)?, now);
    let scope = |sql: &mut QueryBuilder<Postgres>| {
        scope(sql);
        push_codes(sql, &codes);
    };
    let show = AsOf { app: app.clone(), caller: caller.clone(), now };
    query.answer(app, reading, scope, show).await
}

/// Shows vouchers as they are at an instant, with their locks and the links to their PDFs.
struct AsOf {
    app: App,
    caller: Caller,
    now: DateTime<Utc>,
}

impl Show for AsOf {
    type Shown = Voucher;

    async fn show(&self, rows: Vec<PgRow>) -> Result<Vec<Voucher>> {
        let vouchers = rows.iter().map(|row| Ok(Voucher::from_row(row)?.as_of(self.now)));
        let mut vouchers = vouchers.collect::<Result<Vec<_>>>()?;
        overlay_locks(&self.app, &mut vouchers).await?;
        let linked = vouchers.into_iter().map(|voucher| links::of_voucher(&self.app, &self.caller, voucher));
        linked.collect()
    }
}

/// The statement for all vouchers that meet a query, for exports.
pub(super) fn all(
    asked: &(ListQuery, Vec<Condition>),
    scope: impl Fn(&mut QueryBuilder<Postgres>),
) -> QueryBuilder<Postgres> {
    let (query, codes) = asked;
    query.all(|sql| {
        scope(sql);
        push_codes(sql, codes);
    })
}

/// Takes out of a query what it says of whole codes, which look-up compares (see [`push_codes`]), and adds
/// what its columns need to know of the present.
pub(super) fn asked(mut query: ListQuery, now: DateTime<Utc>) -> (ListQuery, Vec<Condition>) {
    if query.looks_at(RESET) {
        query.outside = Some(serde_json::json!({ "now": now }));
    }
    let is_of_code = |one: &mut Condition| one.column.name == "code" && matches!(one.op, Op::Is | Op::Not);
    let codes = query.conditions.extract_if(.., is_of_code).collect();
    (query, codes)
}

/// Finds the vouchers that codes mean, or all others: by the indexed key, so that they are found among
/// millions, and as look-up tells them apart ([`Code::names`]).
fn push_codes(sql: &mut QueryBuilder<Postgres>, conditions: &[Condition]) {
    for condition in conditions {
        let texts = condition.values.iter().filter_map(|value| match value {
            Value::Text(text) => Code::parse(text),
            _ => None,
        });
        let (keys, forms): (Vec<_>, Vec<_>) =
            texts.map(|code| (code.key().to_owned(), code.upper().to_owned())).unzip();
        sql.push(if condition.op == Op::Not { " AND NOT (" } else { " AND (" });
        sql.push("v.key = ANY(").push_bind(keys);
        sql.push(") AND (v.generated OR COALESCE(v.form, upper(v.code)) = ANY(").push_bind(forms).push(")))");
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
