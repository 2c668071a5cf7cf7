//! Requests for vouchers, and what they are checked for before they are stored. Without I/O.

use super::{
    properties::OwnProperties,
    rules,
    terms::{Checks, Span, TEXT_MAX, VALUE_MAX, ValueType},
};
use crate::{
    error::{Error, Result},
    http::extract::none_if_zero,
    redemption::{
        code::{self, Code},
        rules::Rule,
        voucher::{CampaignType, Kind},
    },
    text,
    time::Frequency,
};
use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use serde::Deserialize;
use utoipa::ToSchema;

/// Vouchers that one request can create.
pub const COUNT_MAX: i64 = 5_000;

/// The longest own code, in characters.
const CODE_MAX: usize = 64;

/// The type that a voucher is asked to have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum VoucherDraftType {
    /// Cents off one purchase.
    Discount,
    /// A balance that is spent down.
    Gift,
    /// As its campaign, in everything.
    Inherit,
}

impl VoucherDraftType {
    /// Returns what a voucher of this type is in a campaign of that one.
    pub fn kind_in(self, campaign: CampaignType) -> Result<Kind> {
        let kind = match (self, campaign) {
            (Self::Discount, _) | (Self::Inherit, CampaignType::Discount) => Kind::Discount,
            (Self::Gift, _) | (Self::Inherit, CampaignType::Gift) => Kind::Gift,
            (Self::Inherit, CampaignType::Dynamic) => {
                return Err(Error::invalid("/type", "must be discount or gift in a dynamic campaign"));
            }
        };
        if campaign.has(kind) { Ok(kind) } else { Err(Error::invalid("/type", "is not the campaign's type")) }
    }

    /// Checks that a value is given; of one that inherits, that no property is.
    pub fn check(self, checks: &mut Checks, asked: &OwnProperties) {
        checks.number("/value", asked.value.unwrap_or(0), 0, VALUE_MAX);
        if self == Self::Inherit {
            for pointer in asked.given() {
                checks.wrong(pointer, "is the campaign's for a voucher of type inherit");
            }
        } else if asked.value.is_none() {
            checks.wrong("/value", "is required");
        }
    }
}

/// A request for vouchers. They take from their campaign what they are not given, and follow it there.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct VoucherDraft {
    /// The campaign that they are for.
    pub campaign: i64,
    /// Their type: the campaign's, but in a dynamic campaign.
    pub r#type: VoucherDraftType,
    /// The value of each, in minor units; not for those that inherit.
    #[serde(default)]
    #[schema(minimum = 0)]
    pub value: Option<i64>,
    /// The unit of `value`.
    #[serde(default)]
    pub value_type: Option<ValueType>,
    /// An own code, for one voucher; a code is generated without it.
    #[serde(default)]
    #[schema(max_length = 64)]
    pub code: Option<String>,
    /// What the code begins with, before a dash: for generated codes the campaign's without it.
    #[serde(default)]
    #[schema(pattern = "^[a-zA-Z0-9]{1,5}$")]
    pub prefix: Option<String>,
    /// The number of times that each may be redeemed in a period: as their campaign says without it, or with 0.
    #[serde(default, deserialize_with = "none_if_zero")]
    #[schema(minimum = 0)]
    pub redemption_limit: Option<i64>,
    /// The period after which counters and balances start again.
    #[serde(default)]
    pub reset_frequency: Option<Frequency>,
    /// The first day or instant on which they may be used.
    #[serde(default)]
    pub starts_on: Option<String>,
    /// The last day, or the instant from which they may no longer be used.
    #[serde(default)]
    pub expires_on: Option<String>,
    /// The zone of their dates and resets.
    #[serde(default)]
    #[schema(value_type = Option<String>, examples("Europe/Amsterdam"))]
    pub time_zone: Option<Tz>,
    /// Rules that apply besides the campaign's.
    #[serde(default)]
    #[schema(max_items = 1000)]
    pub validation_rules: Option<Vec<Rule>>,
    /// How many to create: 1 without it. Either all of them are created or none.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 5_000)]
    pub count: Option<i64>,
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
    /// How the lines look: a JSON object as text.
    #[serde(default)]
    pub style: Option<String>,
}

/// A draft that was found good.
#[derive(Clone, Debug)]
pub struct NewVouchers {
    /// What was asked for.
    pub draft: VoucherDraft,
    /// How many.
    pub count: usize,
    /// The own code, behind its prefix, if there is one.
    pub own_code: Option<(String, Code)>,
}

impl NewVouchers {
    /// Returns what they are in a campaign of this type.
    pub fn kind_in(&self, campaign: CampaignType) -> Result<Kind> {
        self.draft.r#type.kind_in(campaign)
    }

    /// Returns from when until when they are good by what they were given themselves, in a campaign of this
    /// zone.
    pub fn span(&self, campaign: Tz, now: DateTime<Utc>) -> Result<Span> {
        let VoucherDraft { starts_on, expires_on, time_zone, .. } = &self.draft;
        let zone = time_zone.unwrap_or(campaign);
        let mut checks = Checks::default();
        let span = Span::read(&mut checks, starts_on.clone(), expires_on.clone(), zone, None, now);
        checks.done()?;
        Ok(span)
    }
}

impl VoucherDraft {
    /// Returns `true` if they are to follow their campaign in everything.
    pub fn inherits(&self) -> bool {
        self.r#type == VoucherDraftType::Inherit
    }

    /// Checks what does not depend on the campaign.
    pub fn check(self) -> Result<NewVouchers> {
        let mut checks = Checks::default();
        let count = self.count.unwrap_or(1);
        self.r#type.check(&mut checks, &self.asked());
        checks.number("/count", count, 1, COUNT_MAX);
        checks.limit(self.redemption_limit);
        checks.prefix(self.prefix.as_deref());
        check_look(&mut checks, [&self.text1, &self.text2, &self.text3, &self.text4], self.style.as_deref());
        let rules = self.validation_rules.iter().flatten();
        rules::check(&mut checks, "/validationRules", rules.map(|rule| (rule.field, rule.value.as_str())));
        let own_code = match &self.code {
            Some(_) if count > 1 => {
                checks.wrong("/code", "goes with a count of 1 only");
                None
            }
            Some(code) => own_code(&mut checks, code, self.prefix.as_deref()),
            None => None,
        };
        checks.done()?;
        Ok(NewVouchers { draft: self, count: count as usize, own_code })
    }

    /// The properties that they are given.
    fn asked(&self) -> OwnProperties {
        OwnProperties {
            r#type: None,
            value: self.value,
            redemption_limit: self.redemption_limit,
            reset_frequency: self.reset_frequency,
            time_zone: self.time_zone.map(|zone| zone.name().to_owned()),
            starts_on: self.starts_on.clone(),
            expires_on: self.expires_on.clone(),
            text1: self.text1.clone(),
            text2: self.text2.clone(),
            text3: self.text3.clone(),
            text4: self.text4.clone(),
            style: self.style.clone(),
        }
    }
}

fn own_code(checks: &mut Checks, code: &str, prefix: Option<&str>) -> Option<(String, Code)> {
    let code = code::kept(code);
    let full = match prefix {
        Some(prefix) => format!("{prefix}-{code}"),
        None => code.clone(),
    };
    let parsed = Code::parse(&full).filter(|_| !code.is_empty() && code.trim() == code);
    if let Some(flaw) = text::flaw(&code) {
        checks.wrong("/code", flaw);
    } else if code::begins_badly(&code) {
        checks
            .wrong("/code", "must not begin with white space, nor with = + - or @, which make it a formula");
    } else if parsed.is_none() || code.chars().count() > CODE_MAX {
        checks.wrong("/code", "must be 1 to 64 characters, without space around them");
    }
    parsed.map(|parsed| (full, parsed))
}

/// Checks the lines of a coupon and how they look.
pub(super) fn check_look(checks: &mut Checks, texts: [&Option<String>; 4], style: Option<&str>) {
    for (pointer, text) in ["/text1", "/text2", "/text3", "/text4"].into_iter().zip(texts) {
        checks.text(pointer, text.as_deref(), TEXT_MAX);
    }
    checks.style("/style", style);
}

/// The answer where a voucher's code is in its campaign already.
pub(super) fn code_taken() -> Error {
    Error::Conflict("the campaign has a voucher with this code".into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{campaigns::terms::ZONE_DEFAULT, http::extract::parse};

    fn now() -> DateTime<Utc> {
        DateTime::parse_from_rfc3339("2026-11-24T12:00:00Z").unwrap().to_utc()
    }

    fn check(rest: &str) -> Result<NewVouchers, String> {
        let body = format!(r#"{{"campaign":1,"type":"gift","value":100{rest}}}"#);
        let draft = parse::<VoucherDraft>(body.as_bytes()).and_then(VoucherDraft::check);
        let draft = draft.and_then(|new| new.span(ZONE_DEFAULT, now()).map(|_| new));
        draft.map_err(|error| error.problem().errors[0].pointer.to_string())
    }

    #[test]
    fn an_own_code_stands_as_it_is_behind_its_prefix() {
        let code = |rest: &str| check(rest).map(|new| new.own_code.map(|(code, _)| code));
        assert_eq!(code(r#","code":"Spring-10""#).unwrap().as_deref(), Some("Spring-10"));
        assert_eq!(code(r#","code":"spring","prefix":"Abc""#).unwrap().as_deref(), Some("Abc-spring"));
        assert_eq!(code(r#","prefix":"Abc""#).unwrap(), None);
        for bad in [
            r#""""#,
            r#"" a""#,
            r#""=1+1""#,
            r#""@a""#,
            r#""-a""#,
            r#""\u00a0a""#,
            r#""a\u0007""#,
            r#""a\u202eb""#,
            &format!(r#""{}""#, "x".repeat(65)),
            &format!(r#""{}""#, "é".repeat(60)),
        ] {
            assert_eq!(code(&format!(r#","code":{bad}"#)).unwrap_err(), "/code", "{bad}");
        }
        assert_eq!(code(r#","code":"a","count":2"#).unwrap_err(), "/code");
    }

    #[test]
    fn a_type_is_the_campaigns_but_in_a_dynamic_one() {
        use CampaignType::{Discount, Dynamic, Gift};
        let kind = |r#type: &str, campaign| {
            let value = if r#type == "inherit" { "" } else { r#","value":1"# };
            let body = format!(r#"{{"campaign":1,"type":"{type}"{value}}}"#);
            let new = parse::<VoucherDraft>(body.as_bytes()).and_then(VoucherDraft::check).unwrap();
            new.kind_in(campaign).map_err(|error| error.problem().errors[0].pointer.to_string())
        };
        for (r#type, campaign, expected) in [
            ("gift", Gift, Ok(Kind::Gift)),
            ("gift", Dynamic, Ok(Kind::Gift)),
            ("gift", Discount, Err("/type".to_owned())),
            ("discount", Discount, Ok(Kind::Discount)),
            ("discount", Dynamic, Ok(Kind::Discount)),
            ("discount", Gift, Err("/type".to_owned())),
            ("inherit", Gift, Ok(Kind::Gift)),
            ("inherit", Discount, Ok(Kind::Discount)),
            ("inherit", Dynamic, Err("/type".to_owned())),
        ] {
            assert_eq!(kind(r#type, campaign), expected, "{type} in {campaign:?}");
        }
    }

    #[test]
    fn what_inherits_is_given_nothing_of_its_own() {
        for field in
            [r#""value":1"#, r#""redemptionLimit":1"#, r#""expiresOn":"2090-01-01""#, r#""text3":"x""#]
        {
            let body = format!(r#"{{"campaign":1,"type":"inherit",{field}}}"#);
            let error = parse::<VoucherDraft>(body.as_bytes()).and_then(VoucherDraft::check).unwrap_err();
            assert!(field.contains(&error.problem().errors[0].pointer[1..]), "{field}");
        }
        let body = r#"{"campaign":1,"type":"gift"}"#;
        let error = parse::<VoucherDraft>(body.as_bytes()).and_then(VoucherDraft::check).unwrap_err();
        assert_eq!(error.problem().errors[0].pointer, "/value");
    }

    #[test]
    fn a_draft_is_refused_where_it_is_wrong() {
        let cases = [
            (r#","count":0"#, "/count"),
            (r#","count":5001"#, "/count"),
            (r#","prefix":"a b""#, "/prefix"),
            (r#","redemptionLimit":-1"#, "/redemptionLimit"),
            (r#","expiresOn":"2020-01-01""#, "/expiresOn"),
            (r#","validationRules":[{"field":"colour","value":"1"}]"#, "/validationRules/0/field"),
            (r#","validationRules":[{"field":"machine","value":"x"}]"#, "/validationRules/0/value"),
            (r#","style":"x""#, "/style"),
        ];
        for (rest, pointer) in cases {
            assert_eq!(check(rest).unwrap_err(), pointer, "{rest}");
        }
    }
}
