//! A voucher as clients see it. Without I/O.

use super::{
    schedule::ScheduleColumns,
    terms::{PdfStatus, Switch, ValueType},
};
use crate::{
    redemption::{period::Tally, voucher::Kind},
    time::Frequency,
};
use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

/// A voucher. It shows its campaign's terms where it was not given its own.
#[derive(Clone, Debug, Serialize, ToSchema, sqlx::FromRow)]
#[serde(rename_all = "camelCase")]
pub struct Voucher {
    /// Its id.
    pub id: Uuid,
    /// What is scanned.
    pub code: String,
    /// Its campaign.
    pub campaign: i64,
    /// Its kind.
    #[sqlx(rename = "type")]
    pub r#type: Kind,
    /// What it is worth, in minor units.
    pub value: i64,
    /// The unit of all its amounts.
    pub value_type: ValueType,
    /// ISO 4217.
    pub currency: String,
    /// What a gift's balance is at the start of each period.
    pub initial_value: i64,
    /// How often it may be redeemed in a period; no limit without one.
    pub redemption_limit: Option<i64>,
    /// How often it was redeemed in this period.
    pub redemption_count: i64,
    /// How often it was ever redeemed.
    pub total_redemption_count: i64,
    /// When it was last redeemed.
    #[serde(serialize_with = "crate::time::seconds")]
    pub last_redemption_at: Option<DateTime<Utc>>,
    /// Where it was last redeemed: the location's id.
    pub last_redemption_location: Option<String>,
    /// What its code begins with.
    pub prefix: Option<String>,
    /// How often counters and balance start again.
    pub reset_frequency: Frequency,
    /// When they last did.
    #[serde(serialize_with = "crate::time::seconds")]
    pub last_reset_at: Option<DateTime<Utc>>,
    /// The first day or instant on which it may be used.
    pub starts_on: Option<String>,
    /// The last day, or the instant from which it may no longer be used.
    pub expires_on: Option<String>,
    /// The zone of its dates and resets.
    pub time_zone: String,
    /// The device that holds it locked, by hostname.
    pub lock_owner: Option<String>,
    /// Until when that device does.
    #[serde(serialize_with = "crate::time::seconds")]
    pub locked_till: Option<DateTime<Utc>>,
    /// Whether it may be used.
    pub status: Switch,
    /// What it gave in this period.
    pub amount_redeemed: i64,
    /// What it ever gave.
    pub total_amount_redeemed: i64,
    /// When it was created.
    #[serde(serialize_with = "crate::time::seconds")]
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    #[serde(serialize_with = "crate::time::seconds")]
    pub updated_at: DateTime<Utc>,
    /// What is left of a gift; 0 for a discount.
    pub balance: i64,
    /// First line on the coupon.
    pub text1: Option<String>,
    /// Second line on the coupon.
    pub text2: Option<String>,
    /// Third line on the coupon.
    pub text3: Option<String>,
    /// Fourth line on the coupon.
    pub text4: Option<String>,
    /// The image on the coupon: the campaign's.
    pub logo_img: Option<String>,
    /// Whether there is a PDF of the coupon.
    pub pdf_status: PdfStatus,
    /// How the lines look: a JSON object as text.
    pub style: Option<String>,
    /// Where the PDF can be downloaded.
    pub pdf_url: Option<String>,
    /// A note about it.
    pub voucher_comments: Option<String>,
    /// `true` if it follows its campaign in everything.
    pub inherits: bool,
    /// When the period began that the counters are about.
    #[serde(skip)]
    pub period_start: DateTime<Utc>,
    /// When they start again.
    #[serde(skip)]
    #[sqlx(flatten)]
    pub schedule: ScheduleColumns,
}

impl Voucher {
    /// The voucher as it is at `now`: a reset that is due shows as done, a lock that ran out as gone.
    #[must_use]
    pub fn as_of(mut self, now: DateTime<Utc>) -> Self {
        let initial = if self.r#type == Kind::Gift { self.value } else { 0 };
        let (count, amount) = (self.redemption_count, self.amount_redeemed);
        let tally = Tally { period: self.period_start, count, amount, balance: self.balance };
        let last_reset = self.schedule.last_reset(now);
        let due = tally.after(last_reset, initial);
        if due != tally {
            self.last_reset_at = Some(last_reset);
        }
        (self.period_start, self.balance) = (due.period, due.balance);
        (self.redemption_count, self.amount_redeemed) = (due.count, due.amount);
        if self.locked_till.is_none_or(|till| till <= now) {
            self.locked_till = None;
            self.lock_owner = None;
        }
        self
    }
}
