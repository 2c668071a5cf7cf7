//! Vouchers in Postgres.

use super::{
    terms::{Span, VoucherType},
    voucher::{NewVouchers, Voucher, code_taken},
    voucher_change::{Standing, VoucherPatch, VoucherReplacement},
};
use crate::{
    app::App,
    error::{Error, Result, violates},
    http::list::{
        Column, Kind, ListParams, ListQuery, Listing, Page,
        params::{Op, Value},
    },
    redemption::{
        code::{self, Code},
        voucher::Lock,
    },
};
use chrono::{DateTime, Utc};
use sqlx::{PgConnection, PgExecutor, PgPool, Postgres, QueryBuilder, types::Json};
use std::collections::HashMap;
use uuid::Uuid;

/// Attempts at one request: a code that is taken by chance is drawn again with all others.
const DRAWS_MAX: u32 = 3;

/// Vouchers as [`Voucher`], and what they can be filtered and sorted by. Counters and balances are
/// filtered as stored: a reset that is due shows in rows, not in conditions.
pub(super) static VOUCHERS: Listing = Listing { select: COLUMNS, from: FROM, columns: FILTERS };

/// A term of the voucher: the campaign's while the voucher follows it.
macro_rules! term {
    ($campaign:literal, $own:literal) => {
        concat!("CASE WHEN v.inherits THEN c.", $campaign, " ELSE v.", $own, " END")
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
            term!("voucher_text1", "text1"),
            " AS text1, ",
            term!("voucher_text2", "text2"),
            " AS text2, ",
            term!("voucher_text3", "text3"),
            " AS text3, ",
            term!("voucher_text4", "text4"),
            " AS text4, c.voucher_logo_img::text AS logo_img, v.pdf_status, ",
            term!("voucher_style", "style"),
            " AS style, NULL::text AS pdf_url, v.comments AS voucher_comments, v.period_start"
        )
    };
}

macro_rules! from {
    () => {
        "voucher v JOIN campaign c ON c.id = v.campaign LEFT JOIN machine m ON m.id = v.lock_owner"
    };
}

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
    Column::new("pdfStatus", "v.pdf_status", Kind::Word(&["empty", "creating", "ready", "failed"])),
    Column::new("voucherComments", "v.comments", Kind::Text),
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

/// The voucher, if its campaign belongs to `group` or a group below it.
pub(super) async fn fetch(app: &App, group: i64, id: Uuid) -> Result<Voucher> {
    let voucher = read(&app.db, group, id).await?.ok_or(Error::NotFound("voucher"))?;
    let mut voucher = [voucher.as_of(app.clock.now())];
    overlay_locks(app, &mut voucher).await?;
    let [voucher] = voucher;
    Ok(voucher)
}

async fn read(db: impl PgExecutor<'_>, group: i64, id: Uuid) -> Result<Option<Voucher>> {
    const SQL: &str = concat!(
        "SELECT ",
        columns!(),
        " FROM ",
        from!(),
        " WHERE v.id = $1 AND c.user_group IN (SELECT descendant FROM user_group_tree WHERE ancestor = $2)"
    );
    Ok(sqlx::query_as(SQL).bind(id).bind(group).fetch_optional(db).await?)
}

/// What new vouchers take from their campaign.
#[derive(Debug, sqlx::FromRow)]
struct Home {
    total_vouchers: i64,
    prefix: String,
}

/// Creates all of the vouchers or none; returns the only one, if it is one.
pub(super) async fn create(app: &App, group: i64, new: &NewVouchers) -> Result<Option<Voucher>> {
    // The lock keeps the campaign from being deleted meanwhile.
    const HOME: &str = "
        SELECT total_vouchers, prefix FROM campaign WHERE id = $1
        AND user_group IN (SELECT descendant FROM user_group_tree WHERE ancestor = $2) FOR KEY SHARE";
    let now = app.clock.now();
    let mut draws = 0;
    loop {
        let mut transaction = app.db.begin().await?;
        let home: Option<Home> = sqlx::query_as(HOME)
            .bind(new.draft.campaign)
            .bind(group)
            .fetch_optional(&mut *transaction)
            .await?;
        let home = home.ok_or_else(|| Error::invalid("/campaign", "there is no such campaign"))?;
        let ids: Vec<_> = (0..new.count).map(|_| Uuid::now_v7()).collect();
        match insert(&mut transaction, new, &home, &ids, now).await {
            Ok(()) => {}
            Err(error) if violates(&error, "voucher_code") => {
                draws += 1;
                if new.own_code.is_some() || draws > DRAWS_MAX {
                    return Err(code_taken());
                }
                continue;
            }
            Err(error) => return Err(error.into()),
        }
        let only = match ids.as_slice() {
            [id] => read(&mut *transaction, group, *id).await?.map(|voucher| voucher.as_of(now)),
            _ => None,
        };
        transaction.commit().await?;
        return Ok(only);
    }
}

async fn insert(
    connection: &mut PgConnection,
    new: &NewVouchers,
    home: &Home,
    ids: &[Uuid],
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    const SQL: &str = "
        INSERT INTO voucher (id, code, key, campaign, prefix, generated, inherits, type, value, redemption_limit,
            reset_frequency, starts_on, starts_at, expires_on, expires_at, time_zone, rules, period_start, balance,
            text1, text2, text3, text4, style, created_at, updated_at)
        SELECT id, code, key, $4, $5, $6, false, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18,
            $19, $20, $21, $22, $23, $24, $24
        FROM unnest($1::uuid[], $2::text[], $3::text[]) AS new (id, code, key)";
    let NewVouchers { draft, own_code, span, zone, .. } = new;
    let prefix = draft.prefix.as_deref().or(own_code.is_none().then_some(home.prefix.as_str()));
    let (codes, keys): (Vec<_>, Vec<_>) = match own_code {
        Some((code, parsed)) => (vec![code.clone()], vec![parsed.key().to_owned()]),
        None => generate(prefix.unwrap_or_default(), home.total_vouchers, ids.len()),
    };
    let frequency = draft.reset_frequency.unwrap_or_default();
    let rules = draft.validation_rules.as_ref().filter(|rules| !rules.is_empty()).map(Json);
    let balance = (draft.r#type == VoucherType::Gift).then_some(draft.value);
    let insert = sqlx::query(SQL)
        .bind(ids)
        .bind(codes)
        .bind(keys)
        .bind(draft.campaign)
        .bind(prefix)
        .bind(own_code.is_none())
        .bind(draft.r#type)
        .bind(draft.value)
        .bind(draft.redemption_limit)
        .bind(frequency)
        .bind(&span.starts_on)
        .bind(span.starts_at)
        .bind(&span.expires_on)
        .bind(span.expires_at)
        .bind(zone.name())
        .bind(rules)
        .bind(frequency.period_start(*zone, now))
        .bind(balance)
        .bind(&draft.text1)
        .bind(&draft.text2)
        .bind(&draft.text3)
        .bind(&draft.text4)
        .bind(&draft.style)
        .bind(now);
    insert.execute(connection).await?;
    Ok(())
}

/// Codes, with their keys, for `count` vouchers of a campaign that has `total` generated ones.
fn generate(prefix: &str, total: i64, count: usize) -> (Vec<String>, Vec<String>) {
    let mut rng = rand::rng();
    let size = (total as u64).saturating_add(count as u64);
    let codes = (0..count).map(|_| code::generate(prefix, size, &mut rng));
    codes.filter_map(|code| Code::parse(&code).map(|parsed| (code, parsed.key().to_owned()))).unzip()
}

/// Replaces a voucher's terms; it no longer follows its campaign.
pub(super) async fn replace(
    db: &PgPool,
    group: i64,
    id: Uuid,
    new: VoucherReplacement,
    now: DateTime<Utc>,
) -> Result<()> {
    let mut transaction = db.begin().await?;
    let mut standing = lock(&mut transaction, group, id).await?;
    let span = standing.replace(new, now)?;
    keep(&mut transaction, id, standing, span).await?;
    transaction.commit().await?;
    Ok(())
}

/// Changes a voucher's value, expiry or status; only the first two part it from its campaign.
pub(super) async fn amend(
    db: &PgPool,
    group: i64,
    id: Uuid,
    patch: VoucherPatch,
    now: DateTime<Utc>,
) -> Result<()> {
    const SWITCH: &str = "UPDATE voucher SET status = COALESCE($2, status) WHERE id = $1";
    let mut transaction = db.begin().await?;
    let mut standing = lock(&mut transaction, group, id).await?;
    if patch.changes_terms() {
        let span = standing.amend(patch, now)?;
        keep(&mut transaction, id, standing, span).await?;
    } else {
        standing.in_campaign(patch.campaign)?;
        sqlx::query(SWITCH).bind(id).bind(patch.status).execute(&mut *transaction).await?;
    }
    transaction.commit().await?;
    Ok(())
}

/// Locks a voucher for the caller's transaction: redemptions of it wait meanwhile.
async fn lock(connection: &mut PgConnection, group: i64, id: Uuid) -> Result<Standing> {
    const SQL: &str = concat!(
        "SELECT v.campaign, ",
        term!("type", "type"),
        " AS type, ",
        term!("voucher_value", "value"),
        " AS value, ",
        term!("redemption_limit", "redemption_limit"),
        " AS redemption_limit, ",
        term!("reset_frequency", "reset_frequency"),
        " AS reset_frequency, ",
        term!("starts_on", "starts_on"),
        " AS starts_on, ",
        term!("expires_on", "expires_on"),
        " AS expires_on, ",
        term!("time_zone", "time_zone"),
        " AS time_zone, v.status, v.rules, v.period_start, v.redemption_count, v.amount_redeemed,
          v.total_redemption_count, v.balance, v.last_reset_at, ",
        term!("voucher_text1", "text1"),
        " AS text1, ",
        term!("voucher_text2", "text2"),
        " AS text2, ",
        term!("voucher_text3", "text3"),
        " AS text3, ",
        term!("voucher_text4", "text4"),
        " AS text4, ",
        term!("voucher_style", "style"),
        " AS style, v.comments
         FROM voucher v JOIN campaign c ON c.id = v.campaign
         WHERE v.id = $1 AND c.user_group IN (SELECT descendant FROM user_group_tree WHERE ancestor = $2)
         FOR UPDATE OF v"
    );
    let standing = sqlx::query_as(SQL).bind(id).bind(group).fetch_optional(connection).await?;
    standing.ok_or(Error::NotFound("voucher"))
}

/// Writes terms and state of a voucher that is locked.
async fn keep(connection: &mut PgConnection, id: Uuid, standing: Standing, span: Span) -> Result<()> {
    const SQL: &str = "
        UPDATE voucher SET inherits = false, type = $2, value = $3, redemption_limit = $4, reset_frequency = $5,
            starts_on = $6, starts_at = $7, expires_on = $8, expires_at = $9, time_zone = $10, status = $11,
            rules = $12, period_start = $13, redemption_count = $14, amount_redeemed = $15, balance = $16,
            last_reset_at = $17, text1 = $18, text2 = $19, text3 = $20, text4 = $21, style = $22, comments = $23
        WHERE id = $1";
    let update = sqlx::query(SQL)
        .bind(id)
        .bind(standing.r#type)
        .bind(standing.value)
        .bind(standing.redemption_limit)
        .bind(standing.reset_frequency)
        .bind(span.starts_on)
        .bind(span.starts_at)
        .bind(span.expires_on)
        .bind(span.expires_at)
        .bind(standing.time_zone)
        .bind(standing.status)
        .bind(standing.rules)
        .bind(standing.period_start)
        .bind(standing.redemption_count)
        .bind(standing.amount_redeemed)
        .bind(standing.balance)
        .bind(standing.last_reset_at)
        .bind(standing.text1)
        .bind(standing.text2)
        .bind(standing.text3)
        .bind(standing.text4)
        .bind(standing.style)
        .bind(standing.comments);
    update.execute(connection).await?;
    Ok(())
}
