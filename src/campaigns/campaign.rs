//! A campaign as clients see it, and what they may ask of one: pure.

use super::{
    rules::{self, CampaignRule},
    terms::{
        Checks, Currency, PdfStatus, Span, Status, Switch, TEXT_MAX, VALUE_MAX, ValueType, ZONE_DEFAULT, zone,
    },
};
use crate::{
    error::Result,
    http::extract::{none_if_zero, present, present_none_if_zero},
    redemption::{code::PREFIX_DEFAULT, period::History, voucher::CampaignType},
    time::Frequency,
};
use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The most vouchers that a campaign can have generated.
pub const VOUCHERS_MAX: i64 = 1_000_000;

/// A campaign.
#[derive(Clone, Debug, Serialize, ToSchema, sqlx::FromRow)]
#[serde(rename_all = "camelCase")]
pub struct Campaign {
    /// Its id.
    pub id: i64,
    /// What people call it.
    pub name: String,
    /// How many vouchers are generated for it; others can be posted.
    pub total_vouchers: i64,
    /// What kind of vouchers it has.
    #[sqlx(rename = "type")]
    pub r#type: CampaignType,
    /// The unit of `voucherValue`.
    pub value_type: ValueType,
    /// What a voucher is worth, in minor units.
    pub voucher_value: i64,
    /// How often each may be redeemed in a period; no limit without one.
    pub redemption_limit: Option<i64>,
    /// How often counters and balances start again.
    pub reset_frequency: Frequency,
    /// The first day or instant on which vouchers may be used.
    pub starts_on: Option<String>,
    /// The last day, or the instant from which they may no longer be used.
    pub expires_on: Option<String>,
    /// ISO 4217.
    pub currency: String,
    /// The zone of its dates and resets.
    pub time_zone: String,
    /// `creating` while its vouchers are being generated.
    pub status: Status,
    /// When it was created.
    #[serde(serialize_with = "crate::time::seconds")]
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    #[serde(serialize_with = "crate::time::seconds")]
    pub updated_at: DateTime<Utc>,
    /// What its generated codes begin with.
    pub prefix: String,
    /// Its user group.
    pub owner_id: i64,
    /// Whatever its owner keeps with it.
    pub owner_data: Option<String>,
    /// First line on the coupons.
    pub voucher_text1: Option<String>,
    /// Second line on the coupons.
    pub voucher_text2: Option<String>,
    /// Third line on the coupons.
    pub voucher_text3: Option<String>,
    /// Fourth line on the coupons.
    pub voucher_text4: Option<String>,
    /// How the lines look: a JSON object as text.
    pub voucher_style: Option<String>,
    /// Whose statistics to ask for: its own id.
    pub campaignstats: i64,
    /// When counters last started again; not before its first period is over.
    #[sqlx(default)]
    #[serde(serialize_with = "crate::time::seconds")]
    pub last_reset_at: Option<DateTime<Utc>>,
    /// Whether there is a PDF of all coupons.
    pub vouchers_pdf_status: PdfStatus,
    /// Where it can be downloaded.
    pub vouchers_pdf_url: Option<String>,
    /// The image on the coupons.
    pub voucher_logo_img: Option<i64>,
    /// The calendars that it had before.
    #[serde(skip)]
    #[sqlx(flatten)]
    pub history: History,
}

impl Campaign {
    /// Whether its coupons say or show something else than those of `before`.
    pub fn prints_otherwise_than(&self, before: &Self) -> bool {
        let printed = |campaign: &Self| {
            let texts = [
                &campaign.voucher_text1,
                &campaign.voucher_text2,
                &campaign.voucher_text3,
                &campaign.voucher_text4,
            ];
            let Self { expires_on, currency, time_zone, voucher_style, voucher_logo_img, .. } = campaign;
            (
                texts.map(Clone::clone),
                expires_on.clone(),
                currency.clone(),
                time_zone.clone(),
                voucher_style.clone(),
                *voucher_logo_img,
            )
        };
        printed(self) != printed(before)
    }
}

/// What a campaign is created from.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct CampaignDraft {
    /// What people call it.
    #[schema(max_length = 200)]
    pub name: String,
    /// Vouchers to generate; 0 for a campaign that is filled by posting vouchers.
    #[schema(minimum = 0, maximum = 1_000_000)]
    pub total_vouchers: i64,
    /// What a voucher is worth, in minor units.
    #[schema(minimum = 0)]
    pub voucher_value: i64,
    /// What kind of vouchers it has: `discount` without it.
    #[serde(default)]
    pub r#type: Option<CampaignType>,
    /// The unit of `voucherValue`.
    #[serde(default)]
    pub value_type: Option<ValueType>,
    /// The number of times that each may be redeemed in a period: no limit without it, or with 0.
    #[serde(default, deserialize_with = "none_if_zero")]
    #[schema(minimum = 0)]
    pub redemption_limit: Option<i64>,
    /// How often counters and balances start again: `never` without it.
    #[serde(default)]
    pub reset_frequency: Option<Frequency>,
    /// The first day (2027-01-01) or instant on which vouchers may be used.
    #[serde(default)]
    pub starts_on: Option<String>,
    /// The last day, or the instant from which they may no longer be used.
    #[serde(default)]
    pub expires_on: Option<String>,
    /// ISO 4217: `EUR` without it.
    #[serde(default)]
    pub currency: Option<Currency>,
    /// The zone of its dates and resets: Europe/Amsterdam without it.
    #[serde(default)]
    #[schema(value_type = Option<String>, examples("Europe/Amsterdam"))]
    pub time_zone: Option<Tz>,
    /// What generated codes begin with: `00000` without it.
    #[serde(default)]
    #[schema(pattern = "^[a-zA-Z0-9]{1,5}$")]
    pub prefix: Option<String>,
    /// First line on the coupons.
    #[serde(default)]
    pub voucher_text1: Option<String>,
    /// Second line on the coupons.
    #[serde(default)]
    pub voucher_text2: Option<String>,
    /// Third line on the coupons.
    #[serde(default)]
    pub voucher_text3: Option<String>,
    /// Fourth line on the coupons.
    #[serde(default)]
    pub voucher_text4: Option<String>,
    /// How the lines look: a JSON object as text.
    #[serde(default)]
    pub voucher_style: Option<String>,
    /// Whether its vouchers may be used, once they are there: `active` without it.
    #[serde(default)]
    pub status: Option<Switch>,
}

/// What can change about a campaign: what is absent stays, `null` takes away.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct CampaignPatch {
    /// What people call it.
    #[serde(deserialize_with = "present")]
    pub name: Option<String>,
    /// The unit of `voucherValue`.
    #[serde(deserialize_with = "present")]
    pub value_type: Option<ValueType>,
    /// The number of times that each voucher may be redeemed in a period: no limit with `null` or 0.
    #[serde(deserialize_with = "present_none_if_zero")]
    #[schema(value_type = Option<i64>, minimum = 0)]
    pub redemption_limit: Option<Option<i64>>,
    /// How often counters and balances start again.
    #[serde(deserialize_with = "present")]
    pub reset_frequency: Option<Frequency>,
    /// The first day or instant on which vouchers may be used.
    #[serde(deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    pub starts_on: Option<Option<String>>,
    /// The last day, or the instant from which they may no longer be used.
    #[serde(deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    pub expires_on: Option<Option<String>>,
    /// ISO 4217.
    #[serde(deserialize_with = "present")]
    pub currency: Option<Currency>,
    /// The zone of its dates and resets; its dates move with it.
    #[serde(deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    pub time_zone: Option<Tz>,
    /// First line on the coupons.
    #[serde(deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    pub voucher_text1: Option<Option<String>>,
    /// Second line on the coupons.
    #[serde(deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    pub voucher_text2: Option<Option<String>>,
    /// Third line on the coupons.
    #[serde(deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    pub voucher_text3: Option<Option<String>>,
    /// Fourth line on the coupons.
    #[serde(deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    pub voucher_text4: Option<Option<String>>,
    /// How the lines look: a JSON object as text.
    #[serde(deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    pub voucher_style: Option<Option<String>>,
    /// Whether its vouchers may be used; while they are being generated, whether they may afterwards.
    #[serde(deserialize_with = "present")]
    pub status: Option<Switch>,
    /// Where, and for what, its vouchers may be used.
    #[serde(deserialize_with = "present")]
    #[schema(max_items = 1000)]
    pub validation_rules: Option<Vec<CampaignRule>>,
}

/// A draft that was found good.
#[derive(Clone, Debug)]
pub struct NewCampaign {
    /// What was asked for, with every default filled in below.
    pub draft: CampaignDraft,
    /// From when until when.
    pub span: Span,
    /// The zone of dates and resets.
    pub zone: Tz,
    /// What generated codes begin with.
    pub prefix: String,
    /// The status at first.
    pub status: Status,
    /// The status once its vouchers are there.
    pub wanted: Switch,
}

impl CampaignDraft {
    /// Checks the draft as of `now`.
    pub fn check(mut self, now: DateTime<Utc>) -> Result<NewCampaign> {
        let mut checks = Checks::default();
        checks.name("/name", &self.name);
        checks.number("/totalVouchers", self.total_vouchers, 0, VOUCHERS_MAX);
        if self.total_vouchers > 0 && self.r#type == Some(CampaignType::Dynamic) {
            checks.wrong("/totalVouchers", "must be 0: the vouchers of a dynamic campaign are posted");
        }
        checks.number("/voucherValue", self.voucher_value, 0, VALUE_MAX);
        checks.limit(self.redemption_limit);
        checks.prefix(self.prefix.as_deref());
        let texts = [&self.voucher_text1, &self.voucher_text2, &self.voucher_text3, &self.voucher_text4];
        check_look(&mut checks, texts.map(Option::as_deref), self.voucher_style.as_deref());
        let zone = self.time_zone.unwrap_or(ZONE_DEFAULT);
        let span = Span::read(&mut checks, self.starts_on.take(), self.expires_on.take(), zone, None, now);
        checks.done()?;
        let wanted = self.status.unwrap_or_default();
        let status = if self.total_vouchers > 0 { Status::Creating } else { wanted.into() };
        let prefix = self.prefix.take().unwrap_or_else(|| PREFIX_DEFAULT.to_owned());
        Ok(NewCampaign { draft: self, span, zone, prefix, status, wanted })
    }
}

impl CampaignPatch {
    /// Applies the patch to `campaign`, and says what its dates mean then.
    pub fn apply(self, campaign: &mut Campaign, now: DateTime<Utc>) -> Result<Span> {
        let mut checks = Checks::default();
        let expiry_before = campaign.expires_on.clone();
        let calendar_before = campaign.calendar();
        set(&mut campaign.name, self.name);
        set(&mut campaign.value_type, self.value_type);
        set(&mut campaign.redemption_limit, self.redemption_limit);
        set(&mut campaign.reset_frequency, self.reset_frequency);
        set(&mut campaign.starts_on, self.starts_on);
        set(&mut campaign.expires_on, self.expires_on);
        set(&mut campaign.voucher_text1, self.voucher_text1);
        set(&mut campaign.voucher_text2, self.voucher_text2);
        set(&mut campaign.voucher_text3, self.voucher_text3);
        set(&mut campaign.voucher_text4, self.voucher_text4);
        set(&mut campaign.voucher_style, self.voucher_style);
        set(&mut campaign.time_zone, self.time_zone.map(|zone| zone.name().to_owned()));
        set(&mut campaign.currency, self.currency.map(String::from));
        checks.name("/name", &campaign.name);
        checks.limit(campaign.redemption_limit);
        let texts = [
            &campaign.voucher_text1,
            &campaign.voucher_text2,
            &campaign.voucher_text3,
            &campaign.voucher_text4,
        ];
        check_look(&mut checks, texts.map(Option::as_deref), campaign.voucher_style.as_deref());
        rules::check_of_campaign(
            &mut checks,
            "/validationRules",
            campaign.id,
            self.validation_rules.as_deref().unwrap_or_default(),
        );
        let span = Span::read(
            &mut checks,
            campaign.starts_on.clone(),
            campaign.expires_on.clone(),
            zone(&campaign.time_zone),
            expiry_before.as_deref(),
            now,
        );
        checks.done()?;
        if campaign.calendar() != calendar_before {
            campaign.history = campaign.history.after(calendar_before, now);
        }
        Ok(span)
    }
}

fn set<T>(field: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *field = value;
    }
}

fn check_look(checks: &mut Checks, texts: [Option<&str>; 4], style: Option<&str>) {
    for (pointer, text) in
        ["/voucherText1", "/voucherText2", "/voucherText3", "/voucherText4"].into_iter().zip(texts)
    {
        checks.text(pointer, text, TEXT_MAX);
    }
    checks.style("/voucherStyle", style);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::extract::parse;

    fn now() -> DateTime<Utc> {
        DateTime::parse_from_rfc3339("2026-11-24T12:00:00Z").unwrap().to_utc()
    }

    fn refused(body: &str) -> String {
        let error = parse::<CampaignDraft>(body.as_bytes()).and_then(|draft| draft.check(now())).unwrap_err();
        let problem = error.problem();
        assert_eq!(problem.status, 422, "{body}");
        problem.errors[0].pointer.to_string()
    }

    #[test]
    fn a_draft_is_refused_where_it_is_wrong() {
        let with = |rest: &str| format!(r#"{{"name":"Spring","totalVouchers":0,"voucherValue":100{rest}}}"#);
        let cases = [
            (r#"{"totalVouchers":0,"voucherValue":1}"#.to_owned(), "/name"),
            (r#"{"name":"a","totalVouchers":1000001,"voucherValue":1}"#.to_owned(), "/totalVouchers"),
            (r#"{"name":"a","totalVouchers":0,"voucherValue":-1}"#.to_owned(), "/voucherValue"),
            (
                r#"{"name":"a","totalVouchers":1,"voucherValue":1,"type":"dynamic"}"#.to_owned(),
                "/totalVouchers",
            ),
            (with(r#","type":"free""#), "/type"),
            (with(r#","status":"creating""#), "/status"),
            (with(r#","redemptionLimit":-1"#), "/redemptionLimit"),
            (with(r#","resetFrequency":"hour""#), "/resetFrequency"),
            (with(r#","expiresOn":"2026-02-29""#), "/expiresOn"),
            (with(r#","timeZone":"Mars/Olympus""#), "/timeZone"),
            (with(r#","currency":"euro""#), "/currency"),
            (with(r#","prefix":"TOOLONG""#), "/prefix"),
            (with(r#","voucherText4":"a\u0000""#), "/voucherText4"),
            (with(r#","voucherStyle":"{""#), "/voucherStyle"),
        ];
        for (body, pointer) in cases {
            assert_eq!(refused(&body), pointer, "{body}");
        }
    }

    #[test]
    fn generation_decides_the_first_status() {
        let draft = |total| {
            let body = format!(
                r#"{{"name":"Spring","totalVouchers":{total},"voucherValue":100,"status":"inactive"}}"#
            );
            parse::<CampaignDraft>(body.as_bytes()).unwrap().check(now()).unwrap()
        };
        assert_eq!((draft(0).status, draft(0).wanted), (Status::Inactive, Switch::Inactive));
        assert_eq!((draft(1).status, draft(1).wanted), (Status::Creating, Switch::Inactive));
    }

    #[test]
    fn a_patch_tells_absent_from_null() {
        let patch: CampaignPatch = parse(br#"{"expiresOn":null,"name":"x"}"#).unwrap();
        assert_eq!((patch.expires_on, patch.starts_on, patch.name.as_deref()), (Some(None), None, Some("x")));
        assert_eq!(parse::<CampaignPatch>(br#"{"name":null}"#).unwrap_err().face().0, 422);
    }
}
