//! Vouchers in Postgres.

use super::{
    prints,
    terms::Span,
    voucher::{NewVouchers, Voucher, code_taken},
    voucher_change::{Standing, VoucherPatch, VoucherReplacement},
    voucher_list::{columns, from, look, overlay_locks, term},
};
use crate::{
    app::App,
    error::{Error, Result, violates},
    ids,
    redemption::{
        code::{self, Code},
        voucher::Kind,
    },
    transaction,
};
use chrono::{DateTime, Utc};
use sqlx::{PgConnection, PgExecutor, PgPool, types::Json};
use uuid::Uuid;

/// Attempts at one request: a code that is taken by chance is drawn again with all others.
const DRAWS_MAX: u32 = 3;

/// The voucher, if its campaign belongs to `group` or a group below it.
pub(crate) async fn fetch(app: &App, group: i64, id: Uuid) -> Result<Voucher> {
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
        let mut transaction = transaction::begin(&app.db).await?;
        let home: Option<Home> = sqlx::query_as(HOME)
            .bind(new.draft.campaign)
            .bind(group)
            .fetch_optional(&mut *transaction)
            .await?;
        let home = home.ok_or_else(|| Error::invalid("/campaign", "there is no such campaign"))?;
        if let Some((_, parsed)) = &new.own_code
            && is_of_a_generated_one(&mut transaction, new.draft.campaign, parsed).await?
        {
            return Err(code_taken());
        }
        let ids = ids::draw(&mut transaction, "voucher", new.count).await?;
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
        prints::outdate(&mut transaction, new.draft.campaign, now).await?;
        let only = match ids.as_slice() {
            [id] => read(&mut *transaction, group, *id).await?.map(|voucher| voucher.as_of(now)),
            _ => None,
        };
        transaction.commit().await?;
        return Ok(only);
    }
}

/// Whether look-up would take an own code for a generated one of the campaign as well.
async fn is_of_a_generated_one(
    connection: &mut PgConnection,
    campaign: i64,
    code: &Code,
) -> Result<bool, sqlx::Error> {
    const SQL: &str = "SELECT EXISTS (SELECT FROM voucher WHERE key = $1 AND campaign = $2 AND generated)";
    sqlx::query_scalar(SQL).bind(code.key()).bind(campaign).fetch_one(connection).await
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
            text1, text2, text3, text4, style, created_at, updated_at, form)
        SELECT id, code, key, $4, $5, $6, false, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18,
            $19, $20, $21, $22, $23, $24, $24, $25
        FROM unnest($1::uuid[], $2::text[], $3::text[]) AS new (id, code, key)";
    let NewVouchers { draft, own_code, span, zone, .. } = new;
    let prefix = draft.prefix.as_deref().or(own_code.is_none().then_some(home.prefix.as_str()));
    let (codes, keys): (Vec<_>, Vec<_>) = match own_code {
        Some((code, parsed)) => (vec![code.clone()], vec![parsed.key().to_owned()]),
        None => generate(prefix.unwrap_or_default(), home.total_vouchers, ids.len()),
    };
    let frequency = draft.reset_frequency.unwrap_or_default();
    let rules = draft.validation_rules.as_ref().filter(|rules| !rules.is_empty()).map(Json);
    let balance = (draft.r#type == Kind::Gift).then_some(draft.value);
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
        .bind(now)
        .bind(own_code.as_ref().map(|(_, parsed)| parsed.upper()));
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
    let mut transaction = transaction::begin(db).await?;
    let mut standing = lock(&mut transaction, group, id).await?;
    let span = standing.replace(new, now)?;
    let campaign = standing.campaign;
    keep(&mut transaction, id, standing, span).await?;
    prints::outdate(&mut transaction, campaign, now).await?;
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
    let mut transaction = transaction::begin(db).await?;
    let mut standing = lock(&mut transaction, group, id).await?;
    if patch.changes_terms() {
        let span = standing.amend(patch, now)?;
        let campaign = standing.campaign;
        keep(&mut transaction, id, standing, span).await?;
        prints::outdate(&mut transaction, campaign, now).await?;
    } else {
        standing.in_campaign(patch.campaign)?;
        sqlx::query(SWITCH).bind(id).bind(patch.status).execute(&mut *transaction).await?;
    }
    transaction.commit().await?;
    Ok(())
}

/// Locks a voucher for the caller's transaction: redemptions of it wait meanwhile. The lock on its campaign,
/// which comes first, keeps a PDF from being asked for that would know nothing of the change.
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
        look!(),
        ", v.comments
         FROM voucher v JOIN campaign c ON c.id = v.campaign
         WHERE v.id = $1 AND c.user_group IN (SELECT descendant FROM user_group_tree WHERE ancestor = $2)
         FOR KEY SHARE OF c FOR UPDATE OF v"
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
