//! What Postgres says: vouchers by code, campaigns, devices, and what was redeemed under which order.

use crate::{
    error::Result,
    fleet::device_id::{DeviceId, Scope},
    redemption::{
        period::{Former, History},
        rules::{Device, Rule},
        voucher::{Campaign, CampaignType, Facts, Kind, Lock, OwnTerms, State, Terms, Voucher},
    },
    time::{Frequency, from_millis},
};
use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use sqlx::{PgConnection, PgPool, postgres::PgRow, prelude::FromRow, types::Json};
use std::sync::Arc;
use uuid::Uuid;

/// A voucher as its row says, with the row's revision.
#[derive(Clone, Debug)]
pub struct Row {
    /// The voucher, and its campaign in the same snapshot.
    pub voucher: Voucher,
    /// Counts changes of the row.
    pub revision: i64,
    /// The time of its last redemption.
    pub last_redemption_at: Option<DateTime<Utc>>,
}

impl Row {
    /// Returns the voucher. A lock carries one redemption past the end of its span: one that has is over.
    pub fn into_voucher(self) -> Voucher {
        let Self { mut voucher, last_redemption_at, .. } = self;
        let ended = voucher.terms().expires_at;
        if ended.is_some() && last_redemption_at >= ended {
            voucher.state.lock = None;
        }
        voucher
    }
}

const CAMPAIGN_COLUMNS: &str = "c.id AS c_id, c.user_group AS c_group, c.type AS c_type, c.status AS c_status, \
     c.version AS c_version, c.currency AS c_currency, c.voucher_value AS c_value, \
     c.redemption_limit AS c_limit, c.reset_frequency AS c_reset, c.time_zone AS c_zone, \
     c.starts_at AS c_starts_at, c.expires_at AS c_expires_at, \
     c.calendar_since AS c_calendar_since, c.former_calendars AS c_former_calendars, \
     COALESCE((SELECT jsonb_agg(jsonb_build_object('field', r.field, 'value', r.value) ORDER BY r.id) \
               FROM campaign_rule r WHERE r.campaign = c.id), '[]') AS c_rules";

const VOUCHER_COLUMNS: &str = "v.id, v.code, v.generated, v.version, v.revision, v.status, v.type, v.value, \
     v.redemption_limit, v.reset_frequency, v.time_zone, v.starts_at, v.expires_at, v.rules, v.period_start, \
     v.redemption_count, v.balance, v.lock_owner, v.locked_till, v.last_redemption_at, v.created_at, v.terms_since";

/// Every voucher whose code could be meant by `key` (see [`crate::redemption::code::Code::key`]), oldest first.
pub async fn vouchers(db: &PgPool, key: &str) -> Result<Vec<Row>> {
    let statement = format!(
        "SELECT {VOUCHER_COLUMNS}, {CAMPAIGN_COLUMNS} FROM voucher v JOIN campaign c ON c.id = v.campaign \
         WHERE v.key = $1 ORDER BY v.created_at, v.id"
    );
    let rows = sqlx::query(sqlx::AssertSqlSafe(statement)).bind(key).fetch_all(db).await?;
    Ok(rows.iter().map(voucher).collect::<Result<_, sqlx::Error>>()?)
}

/// A voucher, which nobody else changes before the transaction ends.
pub async fn voucher_for_update(tx: &mut PgConnection, id: Uuid) -> Result<Option<Row>> {
    let statement = format!(
        "SELECT {VOUCHER_COLUMNS}, {CAMPAIGN_COLUMNS} FROM voucher v JOIN campaign c ON c.id = v.campaign \
         WHERE v.id = $1 FOR UPDATE OF v"
    );
    let row = sqlx::query(sqlx::AssertSqlSafe(statement)).bind(id).fetch_optional(tx).await?;
    Ok(row.as_ref().map(voucher).transpose()?)
}

/// A campaign, if there is one.
pub async fn campaign(db: &PgPool, id: i64) -> Result<Option<Campaign>> {
    let statement = format!("SELECT {CAMPAIGN_COLUMNS} FROM campaign c WHERE c.id = $1");
    let row = sqlx::query(sqlx::AssertSqlSafe(statement)).bind(id).fetch_optional(db).await?;
    Ok(row.as_ref().map(campaign_of).transpose()?)
}

fn campaign_of(row: &PgRow) -> Result<Campaign, sqlx::Error> {
    let columns = CampaignColumns::from_row(row)?;
    Ok(Campaign {
        id: columns.c_id,
        group: columns.c_group,
        kind: columns.c_type,
        active: columns.c_status == "active",
        version: columns.c_version,
        currency: columns.c_currency.into(),
        terms: Terms {
            kind: if columns.c_type == CampaignType::Gift { Kind::Gift } else { Kind::Discount },
            value: columns.c_value,
            limit: columns.c_limit,
            reset: columns.c_reset,
            zone: zone(&columns.c_zone)?,
            starts_at: columns.c_starts_at.map(to_millis),
            expires_at: columns.c_expires_at.map(to_millis),
        },
        history: History { since: to_millis(columns.c_calendar_since), former: columns.c_former_calendars.0 },
        rules: columns.c_rules.0,
    })
}

fn voucher(row: &PgRow) -> Result<Row, sqlx::Error> {
    let columns = VoucherColumns::from_row(row)?;
    let own = OwnTerms {
        kind: columns.r#type,
        value: columns.value,
        limit: columns.redemption_limit,
        reset: columns.reset_frequency,
        zone: columns.time_zone.as_deref().map(zone).transpose()?,
        starts_at: columns.starts_at.map(to_millis),
        expires_at: columns.expires_at.map(to_millis),
    };
    let campaign = Arc::new(campaign_of(row)?);
    let facts = Facts {
        id: columns.id,
        code: columns.code.into(),
        generated: columns.generated,
        campaign: campaign.id,
        version: columns.version as u32,
        active: columns.status == "active",
        created_at: to_millis(columns.created_at),
        own,
        terms_since: columns.terms_since.map(to_millis).unwrap_or_default(),
        rules: columns.rules.map(|rules| rules.0).unwrap_or_default(),
    };
    let lock = match (columns.lock_owner, columns.locked_till) {
        (Some(owner), Some(till)) => Some(Lock { owner, till: to_millis(till) }),
        _ => None,
    };
    let state = State {
        period: to_millis(columns.period_start),
        count: columns.redemption_count,
        balance: columns.balance.unwrap_or(0),
        lock,
    };
    Ok(Row {
        voucher: Voucher::new(campaign, Arc::new(facts), state),
        revision: columns.revision,
        last_redemption_at: columns.last_redemption_at,
    })
}

/// Redis counts milliseconds, so everyone does.
fn to_millis(at: DateTime<Utc>) -> DateTime<Utc> {
    from_millis(at.timestamp_millis())
}

fn zone(name: &str) -> Result<Tz, sqlx::Error> {
    name.parse().map_err(|error| sqlx::Error::Decode(Box::new(error)))
}

#[derive(FromRow)]
#[expect(clippy::struct_field_names, reason = "a voucher's columns stand beside these in one row")]
struct CampaignColumns {
    c_id: i64,
    c_group: i64,
    c_type: CampaignType,
    c_status: String,
    c_version: i64,
    c_currency: String,
    c_value: i64,
    c_limit: Option<i64>,
    c_reset: Frequency,
    c_zone: String,
    c_starts_at: Option<DateTime<Utc>>,
    c_expires_at: Option<DateTime<Utc>>,
    c_calendar_since: DateTime<Utc>,
    c_former_calendars: Json<Vec<Former>>,
    c_rules: Json<Vec<Rule>>,
}

#[derive(FromRow)]
struct VoucherColumns {
    id: Uuid,
    code: String,
    generated: bool,
    version: i64,
    revision: i64,
    status: String,
    r#type: Option<Kind>,
    value: Option<i64>,
    redemption_limit: Option<i64>,
    reset_frequency: Option<Frequency>,
    time_zone: Option<String>,
    starts_at: Option<DateTime<Utc>>,
    expires_at: Option<DateTime<Utc>>,
    rules: Option<Json<Vec<Rule>>>,
    period_start: DateTime<Utc>,
    redemption_count: i64,
    balance: Option<i64>,
    lock_owner: Option<i64>,
    locked_till: Option<DateTime<Utc>>,
    last_redemption_at: Option<DateTime<Utc>>,
    created_at: DateTime<Utc>,
    terms_since: Option<DateTime<Utc>>,
}

/// A redemption as the journal holds it.
#[derive(Clone, Debug, FromRow)]
pub struct Redemption {
    /// Its idempotency key.
    pub id: Uuid,
    /// What was asked, to tell a repeat from another order under the same id.
    pub fingerprint: Uuid,
    /// Of which voucher.
    pub voucher: Uuid,
    /// The voucher's code; `None` if it is gone.
    pub code: Option<String>,
    /// Of which campaign.
    pub campaign: i64,
    /// What the campaign's vouchers were.
    pub campaign_type: String,
    /// Cents that it took off.
    pub amount_off: i64,
    /// A discount's value; a gift's balance after it.
    pub voucher_value: i64,
    /// ISO 4217.
    pub currency: String,
    /// When the period began that it counts in.
    pub period_start: DateTime<Utc>,
    /// A gift's or a discount's, once rolled back: the value after that.
    pub rolled_back_to: Option<i64>,
}

/// What the journal holds under the first of these idempotency keys that it holds anything under.
pub async fn redemption(db: impl sqlx::PgExecutor<'_>, keys: [Uuid; 2]) -> Result<Option<Redemption>> {
    Ok(sqlx::query_as(
        "SELECT r.id, r.fingerprint, r.voucher, v.code, r.campaign, r.campaign_type, r.amount_off, r.voucher_value, \
                r.currency, r.period_start, b.voucher_value AS rolled_back_to \
         FROM redemption r \
         LEFT JOIN redemption_rollback b ON b.redemption = r.id \
         LEFT JOIN voucher v ON v.id = r.voucher \
         WHERE r.id = ANY ($1) ORDER BY array_position($1, r.id) LIMIT 1",
    )
    .bind(keys)
    .fetch_optional(db)
    .await?)
}

/// A machine that a device id names.
#[derive(Debug)]
pub struct NamedDevice {
    /// The machine.
    pub device: Device,
    /// `false` if case tells its name from another's.
    pub is_unique: bool,
}

/// Finds the machine that a device id names for a caller.
pub async fn device(db: &PgPool, scope: Scope, id: DeviceId<'_>) -> Result<Option<NamedDevice>> {
    #[derive(FromRow)]
    struct Columns {
        id: i64,
        is_unique: bool,
        hostname: String,
        location: i64,
        external_ref: Option<String>,
        external_ref_group: i64,
        machine_type: i64,
        currency: String,
        groups: Vec<i64>,
        location_groups: Vec<i64>,
        machine_groups: Vec<i64>,
    }
    let row: Option<Columns> = sqlx::query_as(
        "SELECT m.id, named.is_unique, m.hostname, m.location, l.external_ref, \
                COALESCE(l.external_ref_group, l.user_group) AS external_ref_group, m.machine_type, \
                c.code AS currency, \
                ARRAY(SELECT t.ancestor FROM user_group_tree t WHERE t.descendant = m.user_group ORDER BY t.depth) \
                    AS groups, \
                ARRAY(SELECT g.location_group FROM location_group_location g WHERE g.location = m.location) \
                    AS location_groups, \
                ARRAY(SELECT g.machine_group FROM machine_group_machine g WHERE g.machine = m.id) AS machine_groups \
         FROM machine_named($1, $2, $3, $4) named JOIN machine m ON m.id = named.id \
         JOIN location l ON l.id = m.location JOIN currency c ON c.id = m.currency",
    )
    .bind(id.text())
    .bind(id.gateway())
    .bind(scope.group)
    .bind(scope.machine)
    .fetch_optional(db)
    .await?;
    Ok(row.map(|row| NamedDevice {
        is_unique: row.is_unique,
        device: Device {
            machine: row.id,
            hostname: row.hostname,
            groups: row.groups,
            location: row.location,
            location_external_ref: row.external_ref,
            location_external_ref_group: row.external_ref_group,
            location_groups: row.location_groups,
            machine_groups: row.machine_groups,
            machine_type: row.machine_type,
            currency: row.currency.into(),
        },
    }))
}
