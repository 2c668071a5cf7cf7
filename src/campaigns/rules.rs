//! Validation rules: where, and for what, a voucher may be used. Kept here; applied by
//! [`crate::redemption`].

use super::terms::Checks;
use crate::{redemption::rules::RuleField, text};
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
