//! Vouchers in Postgres.

use super::{
    prints,
    schedule::schedule,
    terms::{Checks, Span, zone},
    voucher::Voucher,
    voucher_change::{Standing, VoucherPatch, VoucherReplacement},
    voucher_draft::{NewVouchers, code_taken},
    voucher_list::{columns, from, look, overlay_locks, term},
};
use crate::{
    app::App,
    error::{Error, Result, violates},
    idempotency::Creation,
    ids,
    redemption::{
        code::{self, Code},
        rules::Rule,
        voucher::{CampaignType, Kind},
    },
    transaction,
};
use chrono::{DateTime, Utc};
use chrono_tz::Tz;
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

/// The own rules of a voucher that the caller is known to see.
pub(super) async fn rules(db: &PgPool, id: Uuid) -> Result<Vec<Rule>> {
    let rules = sqlx::query_scalar("SELECT rules FROM voucher WHERE id = $1").bind(id);
    let rules: Option<Option<Json<Vec<Rule>>>> = rules.fetch_optional(db).await?;
    Ok(rules.flatten().map(|Json(rules)| rules).unwrap_or_default())
}

/// What new vouchers take from their campaign.
#[derive(Debug, sqlx::FromRow)]
struct Home {
    r#type: CampaignType,
    total_vouchers: i64,
    prefix: String,
    voucher_value: i64,
    time_zone: String,
}

/// Creates all of the vouchers or none, in the creation that it returns; with the only one, if it is one.
pub(super) async fn create(app: &App, group: i64, new: &NewVouchers) -> Result<(Creation, Option<Voucher>)> {
    // The lock keeps the campaign from being deleted meanwhile.
    const HOME: &str = "
        SELECT type, total_vouchers, prefix, voucher_value, time_zone FROM campaign WHERE id = $1
        AND user_group IN (SELECT descendant FROM user_group_tree WHERE ancestor = $2) FOR KEY SHARE";
    let now = app.clock.now();
    let mut draws = 0;
    loop {
        let mut transaction = Creation::begin(&app.db, now).await?;
        let home: Option<Home> = sqlx::query_as(HOME)
            .bind(new.draft.campaign)
            .bind(group)
            .fetch_optional(&mut *transaction)
            .await?;
        let home = home.ok_or_else(|| Error::invalid("/campaign", "there is no such campaign"))?;
        let kind = new.kind_in(home.r#type)?;
        let span = new.span(zone(&home.time_zone), now)?;
        if let Some((_, parsed)) = &new.own_code
            && is_of_a_generated_one(&mut transaction, new.draft.campaign, parsed).await?
        {
            return Err(code_taken());
        }
        let ids = ids::draw(&mut transaction, "voucher", new.count).await?;
        match insert(&mut transaction, new, &home, (kind, &span), &ids, now).await {
            Ok(()) => {}
            Err(error) if violates(&error, "voucher_code") => {
                draws += 1;
                if new.own_code.is_some() || draws > DRAWS_MAX {
                    return Err(code_taken());
                }
                transaction.rollback().await?;
                continue;
            }
            Err(error) => return Err(error.into()),
        }
        prints::outdate(&mut transaction, new.draft.campaign, now).await?;
        let only = match ids.as_slice() {
            [id] => read(&mut *transaction, group, *id).await?.map(|voucher| voucher.as_of(now)),
            _ => None,
        };
        return Ok((transaction, only));
    }
}

/// Returns `true` if look-up would take an own code for a generated one of the campaign as well.
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
    (kind, span): (Kind, &Span),
    ids: &[Uuid],
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    const SQL: &str = "
        INSERT INTO voucher (id, code, key, campaign, prefix, generated, inherits, type, value, redemption_limit,
            reset_frequency, starts_on, starts_at, expires_on, expires_at, time_zone, rules, period_start, balance,
            text1, text2, text3, text4, style, created_at, updated_at, form)
        SELECT id, code, key, $4, $5, $6, $24, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $23, $17, $18,
            $19, $20, $21, $22, $23, $23, $25
        FROM unnest($1::uuid[], $2::text[], $3::text[]) AS new (id, code, key)";
    let NewVouchers { draft, own_code, .. } = new;
    let prefix = draft.prefix.as_deref().or(own_code.is_none().then_some(home.prefix.as_str()));
    let (codes, keys): (Vec<_>, Vec<_>) = match own_code {
        Some((code, parsed)) => (vec![code.clone()], vec![parsed.key().to_owned()]),
        None => generate(prefix.unwrap_or_default(), home.total_vouchers, ids.len()),
    };
    let inherits = draft.inherits();
    let rules = draft.validation_rules.as_ref().filter(|rules| !rules.is_empty()).map(Json);
    let balance = (kind == Kind::Gift).then_some(draft.value.unwrap_or(home.voucher_value));
    let insert = sqlx::query(SQL)
        .bind(ids)
        .bind(codes)
        .bind(keys)
        .bind(draft.campaign)
        .bind(prefix)
        .bind(own_code.is_none())
        .bind((!inherits).then_some(kind))
        .bind(draft.value)
        .bind(draft.redemption_limit)
        .bind(draft.reset_frequency)
        .bind(&span.starts_on)
        .bind(span.starts_at)
        .bind(&span.expires_on)
        .bind(span.expires_at)
        .bind(draft.time_zone.map(Tz::name))
        .bind(rules)
        .bind(balance)
        .bind(&draft.text1)
        .bind(&draft.text2)
        .bind(&draft.text3)
        .bind(&draft.text4)
        .bind(&draft.style)
        .bind(now)
        .bind(inherits)
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

/// Moves the dates of vouchers without a zone of their own along with their campaign, whose row the caller has
/// locked.
pub(super) async fn move_dates(connection: &mut PgConnection, campaign: i64, zone: Tz) -> Result<()> {
    const DATES: &str = "
        SELECT DISTINCT starts_on, expires_on FROM voucher
        WHERE campaign = $1 AND time_zone IS NULL AND (starts_on IS NOT NULL OR expires_on IS NOT NULL)";
    const MOVE: &str = "
        UPDATE voucher v SET starts_at = new.starts_at, expires_at = new.expires_at
        FROM unnest($2::text[], $3::text[], $4::timestamptz[], $5::timestamptz[])
            AS new (starts_on, expires_on, starts_at, expires_at)
        WHERE v.campaign = $1 AND v.time_zone IS NULL
          AND v.starts_on IS NOT DISTINCT FROM new.starts_on AND v.expires_on IS NOT DISTINCT FROM new.expires_on
          AND (v.starts_at, v.expires_at) IS DISTINCT FROM (new.starts_at, new.expires_at)";
    let dates: Vec<(Option<String>, Option<String>)> =
        sqlx::query_as(DATES).bind(campaign).fetch_all(&mut *connection).await?;
    let moved = |(starts_on, expires_on): (Option<String>, Option<String>)| {
        // They were good when they were given, and are not judged again.
        let before = expires_on.clone();
        let now = DateTime::UNIX_EPOCH;
        Span::read(&mut Checks::default(), starts_on, expires_on, zone, before.as_deref(), now)
    };
    let spans: Vec<Span> = dates.into_iter().map(moved).collect();
    if spans.is_empty() {
        return Ok(());
    }
    sqlx::query(MOVE)
        .bind(campaign)
        .bind(spans.iter().map(|span| span.starts_on.clone()).collect::<Vec<_>>())
        .bind(spans.iter().map(|span| span.expires_on.clone()).collect::<Vec<_>>())
        .bind(spans.iter().map(|span| span.starts_at).collect::<Vec<_>>())
        .bind(spans.iter().map(|span| span.expires_at).collect::<Vec<_>>())
        .execute(connection)
        .await?;
    Ok(())
}

/// Replaces a voucher's terms.
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

/// Changes a voucher's value, expiry or status.
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
         v.total_redemption_count, v.balance, v.last_reset_at, v.comments, v.inherits, ",
        schedule!(),
        ",
         v.type AS own_type, v.value AS own_value, v.redemption_limit AS own_redemption_limit,
         v.reset_frequency AS own_reset_frequency, v.time_zone AS own_time_zone, v.starts_on AS own_starts_on,
         v.expires_on AS own_expires_on, v.text1 AS own_text1, v.text2 AS own_text2, v.text3 AS own_text3,
         v.text4 AS own_text4, v.style AS own_style,
         c.type AS campaign_type, c.voucher_value AS campaign_value,
         c.redemption_limit AS campaign_redemption_limit, c.reset_frequency AS campaign_reset_frequency,
         c.time_zone AS campaign_time_zone, c.starts_on AS campaign_starts_on,
         c.expires_on AS campaign_expires_on, c.voucher_text1 AS campaign_text1, c.voucher_text2 AS campaign_text2,
         c.voucher_text3 AS campaign_text3, c.voucher_text4 AS campaign_text4, c.voucher_style AS campaign_style
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
        UPDATE voucher SET inherits = $24, type = $2, value = $3, redemption_limit = $4, reset_frequency = $5,
            starts_on = $6, starts_at = $7, expires_on = $8, expires_at = $9, time_zone = $10, status = $11,
            rules = $12, period_start = $13, redemption_count = $14, amount_redeemed = $15, balance = $16,
            last_reset_at = $17, text1 = $18, text2 = $19, text3 = $20, text4 = $21, style = $22, comments = $23,
            terms_since = $25
        WHERE id = $1";
    let update = sqlx::query(SQL)
        .bind(id)
        .bind(standing.own.r#type)
        .bind(standing.own.value)
        .bind(standing.own.redemption_limit)
        .bind(standing.own.reset_frequency)
        .bind(span.starts_on)
        .bind(span.starts_at)
        .bind(span.expires_on)
        .bind(span.expires_at)
        .bind(standing.own.time_zone)
        .bind(standing.status)
        .bind(standing.rules)
        .bind(standing.period_start)
        .bind(standing.redemption_count)
        .bind(standing.amount_redeemed)
        .bind(standing.balance)
        .bind(standing.last_reset_at)
        .bind(standing.own.text1)
        .bind(standing.own.text2)
        .bind(standing.own.text3)
        .bind(standing.own.text4)
        .bind(standing.own.style)
        .bind(standing.comments)
        .bind(standing.inherits)
        .bind(standing.schedule.terms_since);
    update.execute(connection).await?;
    Ok(())
}
