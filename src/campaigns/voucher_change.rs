//! Changes of one voucher, and what they do to its balance: pure.

use super::{
    properties::{CampaignDefaults, OwnProperties},
    rules,
    schedule::ScheduleColumns,
    terms::{Checks, Span, Switch, TEXT_MAX, VALUE_MAX, ValueType, zone},
    voucher_draft::{VoucherDraftType, check_look},
};
use crate::{
    error::{Error, Result},
    http::extract::{none_if_zero, present},
    redemption::{period::Tally, rules::Rule, voucher::Kind},
    time::Frequency,
};
use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use serde::Deserialize;
use sqlx::types::Json;
use utoipa::ToSchema;

/// The replacement of a voucher. It takes from its campaign what is absent, and goes on taking what equals the
/// campaign's.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct VoucherReplacement {
    /// Its campaign, which stays the same.
    pub campaign: i64,
    /// Its type: the campaign's, but in a dynamic campaign; with `inherit` it follows its campaign in everything.
    pub r#type: VoucherDraftType,
    /// Its value in minor units; not for one that inherits. A gift's balance moves by the difference.
    #[serde(default)]
    #[schema(minimum = 0)]
    pub value: Option<i64>,
    /// Rules that apply besides the campaign's; they stay as they are without it.
    #[serde(default)]
    #[schema(max_items = 1000)]
    pub validation_rules: Option<Vec<Rule>>,
    /// The unit of `value`.
    #[serde(default)]
    pub value_type: Option<ValueType>,
    /// The number of times that it may be redeemed in a period: as its campaign says without it, or with 0.
    #[serde(default, deserialize_with = "none_if_zero")]
    #[schema(minimum = 0)]
    pub redemption_limit: Option<i64>,
    /// How often counters and balance start again.
    #[serde(default)]
    pub reset_frequency: Option<Frequency>,
    /// The first day or instant on which it may be used.
    #[serde(default)]
    pub starts_on: Option<String>,
    /// The last day, or the instant from which it may no longer be used.
    #[serde(default)]
    pub expires_on: Option<String>,
    /// The zone of its dates and resets.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub time_zone: Option<Tz>,
    /// First line on the coupon.
    #[serde(default)]
    pub text1: Option<String>,
    /// Second line on the coupon.
    #[serde(default)]
    pub text2: Option<String>,
    /// Third line on the coupon.
    #[serde(default)]
    pub text3: Option<String>,
    /// Fourth line on the coupon.
    #[serde(default)]
    pub text4: Option<String>,
    /// A note about it.
    #[serde(default)]
    pub voucher_comments: Option<String>,
    /// How the lines look: a JSON object as text.
    #[serde(default)]
    pub style: Option<String>,
    /// Whether it may be used; stays as it is without it.
    #[serde(default)]
    pub status: Option<Switch>,
}

/// What can change about a voucher by itself: what is absent stays.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct VoucherPatch {
    /// Its campaign, which stays the same.
    pub campaign: i64,
    /// What it is worth, in minor units. A gift's balance moves by the difference.
    #[serde(default, deserialize_with = "present")]
    #[schema(minimum = 0)]
    pub value: Option<i64>,
    /// The last day, or the instant from which it may no longer be used; with `null` it is
    /// the campaign's.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    pub expires_on: Option<Option<String>>,
    /// Whether it may be used.
    #[serde(default, deserialize_with = "present")]
    pub status: Option<Switch>,
}

/// A voucher's terms, its own or its campaign's, and the state that a change of them touches.
#[derive(Clone, Debug, sqlx::FromRow)]
#[cfg_attr(test, derive(PartialEq))]
pub struct Standing {
    /// Its campaign.
    pub campaign: i64,
    /// Its kind.
    #[sqlx(rename = "type")]
    pub r#type: Kind,
    /// What it is worth.
    pub value: i64,
    /// How often it may be redeemed in a period.
    pub redemption_limit: Option<i64>,
    /// How often counters and balance start again.
    pub reset_frequency: Frequency,
    /// The first moment, in the client's words.
    pub starts_on: Option<String>,
    /// The last moment, in the client's words.
    pub expires_on: Option<String>,
    /// The zone of dates and resets.
    pub time_zone: String,
    /// Whether it may be used.
    pub status: Switch,
    /// Rules of its own.
    pub rules: Option<Json<Vec<Rule>>>,
    /// When the period began that the counters are about.
    pub period_start: DateTime<Utc>,
    /// When they start again.
    #[sqlx(flatten)]
    pub schedule: ScheduleColumns,
    /// Redemptions of the period.
    pub redemption_count: i64,
    /// What they gave.
    pub amount_redeemed: i64,
    /// Redemptions ever.
    pub total_redemption_count: i64,
    /// What is left of a gift.
    pub balance: Option<i64>,
    /// When counters and balance last started again.
    pub last_reset_at: Option<DateTime<Utc>>,
    /// A note about it.
    pub comments: Option<String>,
    /// `true` if it follows its campaign in everything.
    pub inherits: bool,
    /// Its own properties.
    #[sqlx(flatten)]
    pub own: OwnProperties,
    /// Its campaign's, for the rest.
    #[sqlx(flatten)]
    pub defaults: CampaignDefaults,
}

impl VoucherPatch {
    /// Returns `true` if it touches the terms.
    pub fn changes_terms(&self) -> bool {
        self.value.is_some() || self.expires_on.is_some()
    }
}

impl Standing {
    /// Refuses a body that names another campaign than the voucher's.
    pub fn in_campaign(&self, campaign: i64) -> Result<()> {
        if self.campaign == campaign {
            Ok(())
        } else {
            Err(Error::invalid("/campaign", "is not the voucher's campaign"))
        }
    }

    /// Carries out a reset that is due by the terms so far. Those that follow are in force from now on: the
    /// period goes on under them.
    fn end_terms(&mut self, now: DateTime<Utc>) {
        let (period, count, amount) = (self.period_start, self.redemption_count, self.amount_redeemed);
        let initial = if self.r#type == Kind::Gift { self.value } else { 0 };
        let tally = Tally { period, count, amount, balance: self.balance.unwrap_or(0) };
        let last_reset = self.schedule.last_reset(now);
        let due = tally.after(last_reset, initial);
        if due != tally {
            self.last_reset_at = Some(last_reset);
        }
        (self.period_start, self.redemption_count, self.amount_redeemed) =
            (due.period, due.count, due.amount);
        self.balance = self.balance.map(|_| due.balance);
        self.schedule.terms_since = Some(now);
    }

    /// Puts `new` in the place of all terms. Returns from when until when the voucher is then good by what
    /// it was given itself.
    pub fn replace(&mut self, new: VoucherReplacement, now: DateTime<Utc>) -> Result<Span> {
        self.in_campaign(new.campaign)?;
        let mut checks = Checks::default();
        let mut asked = OwnProperties {
            r#type: None,
            value: new.value,
            redemption_limit: new.redemption_limit,
            reset_frequency: new.reset_frequency,
            time_zone: new.time_zone.map(|zone| zone.name().to_owned()),
            starts_on: new.starts_on,
            expires_on: new.expires_on,
            text1: new.text1,
            text2: new.text2,
            text3: new.text3,
            text4: new.text4,
            style: new.style,
        };
        let follows = new.r#type == VoucherDraftType::Inherit;
        new.r#type.check(&mut checks, &asked);
        checks.limit(asked.redemption_limit);
        let texts = [&asked.text1, &asked.text2, &asked.text3, &asked.text4];
        check_look(&mut checks, texts, asked.style.as_deref());
        checks.lines("/voucherComments", new.voucher_comments.as_deref(), TEXT_MAX);
        let named = new.validation_rules.iter().flatten().map(|rule| (rule.field, rule.value.as_str()));
        rules::check(&mut checks, "/validationRules", named);
        let kind = new.r#type.kind_in(self.defaults.r#type)?;
        let value = asked.value.unwrap_or(self.defaults.value);
        asked.r#type = Some(kind).filter(|_| !follows);
        let own = self.own.replaced(asked, &self.defaults);
        let zone = zone(own.time_zone.as_ref().unwrap_or(&self.defaults.time_zone));
        let span = self.span(&mut checks, &own, zone, now);
        checks.done()?;
        if kind != self.r#type && self.total_redemption_count > 0 {
            return Err(Error::Conflict("the voucher was redeemed: its type can no longer change".into()));
        }
        self.end_terms(now);
        self.revalue(kind, value)?;
        self.redemption_limit = own.redemption_limit.or(self.defaults.redemption_limit);
        self.reset_frequency = own.reset_frequency.unwrap_or(self.defaults.reset_frequency);
        zone.name().clone_into(&mut self.time_zone);
        self.status = new.status.unwrap_or(self.status);
        if let Some(rules) = new.validation_rules {
            self.rules = (!rules.is_empty()).then_some(Json(rules));
        }
        self.comments = new.voucher_comments;
        self.inherits = follows || (self.inherits && own == OwnProperties::default());
        self.own = own;
        self.own.r#type = (!self.inherits).then_some(self.r#type);
        Ok(span)
    }

    /// Changes what the patch names. A voucher that has followed its campaign in everything gets a copy of
    /// its terms. Returns from when until when the voucher is then good by what it was given itself.
    pub fn amend(&mut self, patch: VoucherPatch, now: DateTime<Utc>) -> Result<Span> {
        self.in_campaign(patch.campaign)?;
        let mut checks = Checks::default();
        checks.number("/value", patch.value.unwrap_or(0), 0, VALUE_MAX);
        let asked = OwnProperties {
            value: patch.value.or(self.own.value),
            expires_on: patch.expires_on.unwrap_or_else(|| self.own.expires_on.clone()),
            ..self.own.clone()
        };
        let changed = self.own.replaced(asked, &self.defaults);
        let detaches = self.inherits && changed != self.own;
        let own = if detaches {
            let copy = OwnProperties::copied(&self.defaults);
            OwnProperties {
                value: changed.value.or(copy.value),
                expires_on: changed.expires_on.or(copy.expires_on.clone()),
                ..copy
            }
        } else {
            changed
        };
        let span = self.span(&mut checks, &own, zone(&self.time_zone), now);
        checks.done()?;
        self.end_terms(now);
        self.revalue(self.r#type, own.value.unwrap_or(self.defaults.value))?;
        self.status = patch.status.unwrap_or(self.status);
        self.inherits &= !detaches;
        self.own = own;
        Ok(span)
    }

    /// Reads the dates that a voucher has of its own. One that was in force before may lie in the past.
    fn span(&self, checks: &mut Checks, own: &OwnProperties, zone: Tz, now: DateTime<Utc>) -> Span {
        let before = self.expires_on.as_deref();
        Span::read(checks, own.starts_on.clone(), own.expires_on.clone(), zone, before, now)
    }

    /// Moves a gift's balance along with its value: what was spent in this period stays spent.
    fn revalue(&mut self, r#type: Kind, value: i64) -> Result<()> {
        let kept = if self.r#type == r#type { self.balance } else { None };
        self.balance = match (r#type, kept) {
            (Kind::Discount, _) => None,
            (Kind::Gift, None) => Some(value),
            (Kind::Gift, Some(balance)) => {
                let moved = balance + (value - self.value);
                if moved < 0 {
                    return Err(Error::invalid("/value", "is less than what was spent in this period"));
                }
                Some(moved)
            }
        };
        (self.r#type, self.value) = (r#type, value);
        Ok(())
    }
}

#[cfg(test)]
#[path = "inheritance_tests.rs"]
mod inheritance_tests;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        campaigns::properties::tests::campaign,
        redemption::{period::History, voucher::CampaignType},
    };
    use proptest::prelude::*;

    pub(super) fn at(text: &str) -> DateTime<Utc> {
        DateTime::parse_from_rfc3339(text).unwrap().to_utc()
    }

    pub(super) fn gift(value: i64, balance: i64, frequency: Frequency) -> Standing {
        Standing {
            campaign: 1,
            r#type: Kind::Gift,
            value,
            redemption_limit: None,
            reset_frequency: frequency,
            starts_on: None,
            expires_on: None,
            time_zone: "Europe/Amsterdam".to_owned(),
            status: Switch::Active,
            rules: None,
            period_start: at("2026-11-24T12:00:00Z"),
            schedule: ScheduleColumns {
                own_reset: Some(frequency),
                own_zone: Some("Europe/Amsterdam".to_owned()),
                terms_since: None,
                campaign_reset: Frequency::Never,
                campaign_zone: "UTC".to_owned(),
                history: History::default(),
            },
            redemption_count: 1,
            amount_redeemed: value - balance,
            total_redemption_count: 1,
            balance: Some(balance),
            last_reset_at: None,
            comments: None,
            inherits: false,
            own: OwnProperties {
                r#type: Some(Kind::Gift),
                value: Some(value),
                reset_frequency: Some(frequency),
                ..OwnProperties::default()
            },
            defaults: CampaignDefaults { r#type: CampaignType::Dynamic, ..campaign() },
        }
    }

    pub(super) fn value(value: i64) -> VoucherPatch {
        VoucherPatch { campaign: 1, value: Some(value), expires_on: None, status: None }
    }

    #[test]
    fn a_balance_moves_with_the_value_but_not_below_what_was_spent() {
        let now = at("2026-11-24T12:00:00Z");
        let mut voucher = gift(1_000, 300, Frequency::Never);
        voucher.amend(value(1_500), now).unwrap();
        assert_eq!((voucher.value, voucher.balance), (1_500, Some(800)));
        assert!(voucher.amend(value(699), now).is_err());
        voucher.amend(value(700), now).unwrap();
        assert_eq!(voucher.balance, Some(0));
    }

    #[test]
    fn a_reset_that_is_due_comes_before_the_change() {
        let mut voucher = gift(1_000, 0, Frequency::Day);
        voucher.amend(value(400), at("2026-11-24T23:00:00Z")).unwrap();
        assert_eq!((voucher.balance, voucher.redemption_count), (Some(400), 0));
        assert_eq!(voucher.last_reset_at, Some(at("2026-11-24T23:00:00Z")));
    }

    #[test]
    fn a_type_stays_once_redeemed() {
        let replacement: VoucherReplacement = serde_json::from_value(serde_json::json!({
            "campaign": 1, "type": "discount", "value": 5, "validationRules": []
        }))
        .unwrap();
        let now = at("2026-11-24T12:00:00Z");
        let mut voucher = gift(1_000, 1_000, Frequency::Never);
        let error = voucher.replace(replacement.clone(), now).unwrap_err();
        assert_eq!(error.face().0, 409);
        voucher.total_redemption_count = 0;
        voucher.replace(replacement, now).unwrap();
        assert_eq!((voucher.r#type, voucher.balance), (Kind::Discount, None));
    }

    proptest! {
        #[test]
        fn what_was_spent_stays_spent(old in 0i64..VALUE_MAX, spent in 0i64..VALUE_MAX, new in 0i64..VALUE_MAX) {
            let spent = spent.min(old);
            let mut voucher = gift(old, old - spent, Frequency::Never);
            let changed = voucher.amend(value(new), at("2026-11-24T12:00:00Z"));
            prop_assert_eq!(changed.is_ok(), new >= spent);
            if changed.is_ok() {
                prop_assert_eq!(voucher.balance, Some(new - spent));
            }
        }
    }
}
