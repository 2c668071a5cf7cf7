//! What a campaign has come to: counts and amounts, in all and by day.

use super::campaign::Campaign;
use crate::{
    error::{Error, Result},
    time::start_of_day,
    transaction,
};
use chrono::{DateTime, Datelike, Days, NaiveDate, Utc};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};
use sqlx::PgPool;
use utoipa::{IntoParams, ToSchema};

/// Days that are shown where the client does not say.
const DAYS_DEFAULT: u64 = 90;

/// Days that can be asked for at once.
const DAYS_MAX: i64 = 366;

/// Years that every store and every calendar computation can hold.
const YEARS: std::ops::RangeInclusive<i32> = 1970..=9998;

/// Which days to show; both are inclusive, in the campaign's zone.
#[derive(Clone, Copy, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct StatsRange {
    /// The first day; 89 days before the last without it.
    #[serde(default)]
    from: Option<NaiveDate>,
    /// The last day; today without it.
    #[serde(default)]
    to: Option<NaiveDate>,
}

/// What a campaign has come to.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = CampaignStats)]
pub struct Stats {
    /// The campaign.
    pub campaign: i64,
    /// ISO 4217, of all amounts; what was given in another currency counts, but not here.
    pub currency: String,
    /// The vouchers that there are.
    pub vouchers: i64,
    /// Those that are switched on.
    pub active: i64,
    /// Those that were redeemed at least once.
    pub redeemed: i64,
    /// Redemptions, also those that were rolled back.
    pub redemptions: i64,
    /// Redemptions that were rolled back.
    pub rollbacks: i64,
    /// What the redemptions gave, in minor units.
    pub amount_redeemed: i64,
    /// What the rollbacks took back.
    pub amount_rolled_back: i64,
    /// Every day of the range.
    pub per_day: Vec<Day>,
}

/// What happened on one day.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = CampaignDay)]
pub struct Day {
    /// The day, in the campaign's zone.
    pub day: NaiveDate,
    /// Redemptions of the day.
    pub redemptions: i64,
    /// Rollbacks of the day.
    pub rollbacks: i64,
    /// What the redemptions gave, in minor units.
    pub amount_redeemed: i64,
    /// What the rollbacks took back.
    pub amount_rolled_back: i64,
}

impl StatsRange {
    /// The days to show, of which `today` is the last unless the client says otherwise.
    fn days(self, today: NaiveDate) -> Result<Vec<NaiveDate>> {
        let to = self.to.unwrap_or(today);
        let early = || to.checked_sub_days(Days::new(DAYS_DEFAULT - 1)).unwrap_or(to);
        let from = self.from.unwrap_or_else(early);
        if !YEARS.contains(&from.year()) || !YEARS.contains(&to.year()) {
            return Err(Error::malformed("/from", "and `to` must lie in 1970 to 9998"));
        }
        if from > to {
            return Err(Error::malformed("/from", "must not be after `to`"));
        }
        if (to - from).num_days() >= DAYS_MAX {
            return Err(Error::malformed("/from", "must be less than 366 days before `to`"));
        }
        Ok(from.iter_days().take_while(|day| *day <= to).collect())
    }
}

/// Sums of a table between two instants.
type Sums = (i32, i64, i64);

/// Counts vouchers and adds up the journal.
pub(super) async fn of(
    db: &PgPool,
    campaign: &Campaign,
    range: StatsRange,
    now: DateTime<Utc>,
) -> Result<Stats> {
    const VOUCHERS: &str = "
        SELECT count(*), count(*) FILTER (WHERE status = 'active'),
            count(*) FILTER (WHERE total_redemption_count > 0)
        FROM voucher WHERE campaign = $1";
    // A campaign's currency could once change although it was redeemed: what was given in another is no amount
    // of this one.
    const TOTALS: &str = "
        SELECT r.count, r.amount, b.count, b.amount FROM
            (SELECT count(*), COALESCE(sum(amount_off) FILTER (WHERE currency = $2), 0)::bigint AS amount
             FROM redemption WHERE campaign = $1) r,
            (SELECT count(*), COALESCE(sum(amount_off) FILTER (WHERE currency = $2), 0)::bigint AS amount
             FROM redemption_rollback WHERE campaign = $1) b";
    // The starts of the days are worked out here, by the same calendar as resets and expiry.
    const REDEEMED: &str = "
        SELECT width_bucket(occurred_at, $2::timestamptz[]) AS place, count(*),
            COALESCE(sum(amount_off) FILTER (WHERE currency = $5), 0)::bigint
        FROM redemption WHERE campaign = $1 AND occurred_at >= $3 AND occurred_at < $4 GROUP BY place";
    const ROLLED_BACK: &str = "
        SELECT width_bucket(occurred_at, $2::timestamptz[]) AS place, count(*),
            COALESCE(sum(amount_off) FILTER (WHERE currency = $5), 0)::bigint
        FROM redemption_rollback WHERE campaign = $1 AND occurred_at >= $3 AND occurred_at < $4 GROUP BY place";
    let too_long = |error| transaction::too_long(error, "/from");
    let zone: Tz = super::terms::zone(&campaign.time_zone);
    let days = range.days(now.with_timezone(&zone).date_naive())?;
    let starts: Vec<_> = days.iter().map(|day| start_of_day(*day, zone)).collect();
    let end = days.last().map_or(now, |last| start_of_day(*last + Days::new(1), zone));
    let start = starts.first().copied().unwrap_or(end);

    let (vouchers, active, redeemed) =
        sqlx::query_as(VOUCHERS).bind(campaign.id).fetch_one(db).await.map_err(too_long)?;
    let (redemptions, amount_redeemed, rollbacks, amount_rolled_back) = sqlx::query_as(TOTALS)
        .bind(campaign.id)
        .bind(&campaign.currency)
        .fetch_one(db)
        .await
        .map_err(too_long)?;
    let sums = async |sql: &'static str| -> Result<Vec<Sums>> {
        let sums = sqlx::query_as(sql).bind(campaign.id).bind(&starts).bind(start).bind(end);
        sums.bind(&campaign.currency).fetch_all(db).await.map_err(too_long)
    };
    let (redeemed_by_day, rolled_back_by_day) = (sums(REDEEMED).await?, sums(ROLLED_BACK).await?);
    let of_day = |sums: &[Sums], place: i32| {
        sums.iter().find(|sum| sum.0 == place).map_or((0, 0), |&(_, count, amount)| (count, amount))
    };
    let per_day = days.into_iter().zip(1..).map(|(day, place)| {
        let (redemptions, amount_redeemed) = of_day(&redeemed_by_day, place);
        let (rollbacks, amount_rolled_back) = of_day(&rolled_back_by_day, place);
        Day { day, redemptions, rollbacks, amount_redeemed, amount_rolled_back }
    });
    Ok(Stats {
        campaign: campaign.id,
        currency: campaign.currency.clone(),
        vouchers,
        active,
        redeemed,
        redemptions,
        rollbacks,
        amount_redeemed,
        amount_rolled_back,
        per_day: per_day.collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_ninety_days_unless_told_and_a_leap_year_at_most() {
        let today = NaiveDate::from_ymd_opt(2026, 11, 24).unwrap();
        let days = |from: Option<&str>, to: Option<&str>| {
            let date = |text: &str| text.parse().unwrap();
            StatsRange { from: from.map(date), to: to.map(date) }.days(today).map(|days| days.len())
        };
        assert_eq!(days(None, None).unwrap(), 90);
        assert_eq!(days(Some("2026-11-24"), None).unwrap(), 1);
        assert_eq!(days(Some("2024-01-01"), Some("2024-12-31")).unwrap(), 366);
        assert!(days(Some("2024-01-01"), Some("2025-01-01")).is_err());
        assert!(days(Some("2026-11-25"), None).is_err());
        assert!(days(Some("0001-01-01"), Some("0001-01-02")).is_err());
        assert!(days(None, Some("+262142-12-31")).is_err());
    }
}
