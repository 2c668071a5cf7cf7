//! Validation rules: where, and for what, a voucher may be used. Kept here; applied by
//! [`crate::redemption`].

use super::{campaign::Campaign, terms::Checks, voucher::Voucher};
use crate::{
    redemption::rules::{Rule, RuleField},
    text,
};
use serde::{Deserialize, Serialize};
use std::collections::HashSet;
use utoipa::ToSchema;

/// Rules that a campaign or a voucher can have.
pub const RULES_MAX: usize = 1_000;

/// The longest value of a rule, in characters.
const VALUE_MAX: usize = 200;

/// A rule of a campaign as it is read and written.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema, sqlx::FromRow)]
#[serde(deny_unknown_fields)]
pub struct CampaignRule {
    /// Its id; not needed to write one.
    #[serde(default)]
    pub id: Option<i64>,
    /// Its campaign; not needed to write one.
    #[serde(default)]
    pub campaign: Option<i64>,
    /// What it looks at.
    pub field: RuleField,
    /// What it must find there.
    pub value: String,
}

/// A campaign as it is read by itself: with its rules.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CampaignInFull {
    /// The campaign.
    #[serde(flatten)]
    pub campaign: Campaign,
    /// Where, and for what, its vouchers may be used; anywhere, and for anything, without any.
    pub validation_rules: Vec<CampaignRule>,
}

/// A voucher as it is read by itself: with its own rules.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct VoucherInFull {
    /// The voucher.
    #[serde(flatten)]
    pub voucher: Voucher,
    /// Rules that apply besides the campaign's.
    pub validation_rules: Vec<Rule>,
}

/// Checks the rules of a campaign that stand in an array at `pointer`.
pub fn check_of_campaign(checks: &mut Checks, pointer: &str, campaign: i64, rules: &[CampaignRule]) {
    for (index, rule) in rules.iter().enumerate().take(RULES_MAX) {
        if rule.campaign.is_some_and(|named| named != campaign) {
            checks.wrong(format!("{pointer}/{index}/campaign"), "is not the campaign of the path");
        }
    }
    check(checks, pointer, rules.iter().map(|rule| (rule.field, rule.value.as_str())));
}

/// Checks rules that stand in an array at `pointer`.
pub fn check<'a>(checks: &mut Checks, pointer: &str, rules: impl Iterator<Item = (RuleField, &'a str)>) {
    let mut seen = HashSet::new();
    for (index, (field, value)) in rules.enumerate() {
        if index >= RULES_MAX {
            checks.wrong(pointer.to_owned(), "has more than 1000 rules");
            return;
        }
        let at = format!("{pointer}/{index}/value");
        let is_id = !matches!(field, RuleField::Product | RuleField::LocationExternalRef);
        if value.trim().is_empty() {
            checks.wrong(at, "must not be empty");
        } else if let Some(flaw) = text::flaw(value) {
            checks.wrong(at, flaw);
        } else if value.chars().count() > VALUE_MAX {
            checks.wrong(at, "must have at most 200 characters");
        } else if is_id && !is_id_text(value) {
            checks.wrong(at, "must be the id of the resource");
        } else if !seen.insert((field, value)) {
            checks.wrong(format!("{pointer}/{index}"), "is there already");
        }
    }
}

/// An id the way that ids are written: no sign, no leading zero.
fn is_id_text(text: &str) -> bool {
    text.parse::<i64>().is_ok_and(|id| id > 0 && id.to_string() == text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;

    #[test]
    fn rules_are_checked_one_by_one() {
        let rules = [
            (RuleField::Product, "A7"),
            (RuleField::Location, "10"),
            (RuleField::Location, "ten"),
            (RuleField::Location, "010"),
            (RuleField::Location, "10"),
            (RuleField::Product, " "),
        ];
        let mut checks = Checks::default();
        check(&mut checks, "/validationRules", rules.into_iter());
        let Err(Error::Invalid(issues)) = checks.done() else { panic!("the rules were accepted") };
        let pointers: Vec<_> = issues.iter().map(|issue| issue.pointer.as_ref()).collect();
        assert_eq!(
            pointers,
            [
                "/validationRules/2/value",
                "/validationRules/3/value",
                "/validationRules/4",
                "/validationRules/5/value"
            ]
        );
    }
}
