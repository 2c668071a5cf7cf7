//! Which voucher a device may use: validation rules, decided from facts alone.

use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use utoipa::ToSchema;

/// What a rule looks at.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema, sqlx::Type,
)]
#[serde(rename_all = "camelCase")]
#[sqlx(type_name = "text", rename_all = "camelCase")]
pub enum RuleField {
    /// A product's PLU; checked by the machine, and again at redeem.
    Product,
    /// The machine's location, by id, as its operator says it.
    Location,
    /// The machine's location, by its reference; counts where the campaign's group or one above it wrote that.
    LocationExternalRef,
    /// A group that the machine's location is in.
    LocationGroup,
    /// The machine, by id.
    Machine,
    /// A group that the machine is in.
    MachineGroup,
    /// The machine's type, as its operator says it.
    MachineType,
}

impl RuleField {
    /// As it stands in JSON and in Postgres.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Product => "product",
            Self::Location => "location",
            Self::LocationExternalRef => "locationExternalRef",
            Self::LocationGroup => "locationGroup",
            Self::Machine => "machine",
            Self::MachineGroup => "machineGroup",
            Self::MachineType => "machineType",
        }
    }
}

/// One condition: `field` is `value`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[schema(as = ValidationRule)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// What is looked at.
    pub field: RuleField,
    /// What it must be: an id, or a reference.
    #[schema(examples("10"))]
    pub value: String,
}

/// The machine that asks, and where it belongs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// The machine's id.
    pub machine: i64,
    /// Its host name.
    pub hostname: String,
    /// Its user group first, then each ancestor up to the root.
    pub groups: Vec<i64>,
    /// Where it stands.
    pub location: i64,
    /// The name of that place in other systems.
    pub location_external_ref: Option<String>,
    /// The group that wrote this reference.
    pub location_external_ref_group: i64,
    /// What its location belongs to.
    pub location_groups: Vec<i64>,
    /// What it belongs to.
    pub machine_groups: Vec<i64>,
    /// What it is.
    pub machine_type: i64,
    /// What it is paid in (ISO 4217).
    pub currency: Box<str>,
}

impl Device {
    /// Whether a campaign of `group` is for this device: its own group's, or an ancestor's.
    pub fn belongs_below(&self, group: i64) -> bool {
        self.groups.contains(&group)
    }

    /// Returns `true` if the group that wrote the location's reference is `group` or one above it: a group below
    /// could write whatever a rule wants to see.
    fn is_reference_of(&self, group: i64) -> bool {
        let place = |of: i64| self.groups.iter().position(|known| *known == of);
        place(self.location_external_ref_group)
            .zip(place(group))
            .is_some_and(|(writer, group)| writer >= group)
    }

    /// Returns `true` if `rule` of a campaign of `group` holds here; products are the client's to check.
    fn meets(&self, rule: &Rule, group: i64) -> bool {
        let is = |id: i64| rule.value.parse() == Ok(id);
        match rule.field {
            RuleField::Product => true,
            RuleField::Location => is(self.location),
            RuleField::LocationExternalRef => {
                self.location_external_ref.as_ref() == Some(&rule.value) && self.is_reference_of(group)
            }
            RuleField::LocationGroup => self.location_groups.iter().copied().any(is),
            RuleField::Machine => is(self.machine),
            RuleField::MachineGroup => self.machine_groups.iter().copied().any(is),
            RuleField::MachineType => is(self.machine_type),
        }
    }
}

/// Returns `true` if a set of rules of a campaign of `group` holds for a device: rules on one field are alternatives,
/// fields must all hold.
pub fn hold(rules: &[Rule], device: &Device, group: i64) -> bool {
    let fields: BTreeSet<RuleField> = rules.iter().map(|rule| rule.field).collect();
    fields
        .into_iter()
        .all(|field| rules.iter().filter(|rule| rule.field == field).any(|rule| device.meets(rule, group)))
}

/// The products that rules leave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Products {
    /// Every one: no rule speaks of products.
    Any,
    /// These alone; there may be none, where two sets of rules exclude each other.
    Only(BTreeSet<String>),
}

impl Products {
    /// What one set of rules allows.
    pub fn of(rules: &[Rule]) -> Self {
        let named: BTreeSet<String> = rules
            .iter()
            .filter(|rule| rule.field == RuleField::Product)
            .map(|rule| rule.value.clone())
            .collect();
        if named.is_empty() { Self::Any } else { Self::Only(named) }
    }

    /// What both allow.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Any, one) | (one, Self::Any) => one,
            (Self::Only(one), Self::Only(other)) => Self::Only(one.intersection(&other).cloned().collect()),
        }
    }

    /// Whether `product` may be bought.
    pub fn allow(&self, product: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Only(named) => named.contains(product),
        }
    }

    /// One anchored expression that matches exactly what is allowed, in the dialect that
    /// JavaScript, PCRE and RE2 share.
    pub fn expression(&self) -> String {
        match self {
            Self::Any => "^.*$".to_owned(),
            // Nothing is neither a space nor anything else.
            Self::Only(named) if named.is_empty() => r"^[^\s\S]$".to_owned(),
            Self::Only(named) => {
                let alternatives: Vec<String> = named.iter().map(|id| escaped(id)).collect();
                format!("^(?:{})$", alternatives.join("|"))
            }
        }
    }
}

fn escaped(id: &str) -> String {
    id.chars().fold(String::new(), |mut text, c| {
        if r"\.+*?()|[]{}^$/".contains(c) {
            text.push('\\');
        }
        text.push(c);
        text
    })
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Machine 7 of type 4 in groups 70 and 71, at location 10 (`kiosk`, in group 100), of group 3 below 1. Group 3
    /// wrote the reference.
    pub(crate) fn device() -> Device {
        Device {
            machine: 7,
            hostname: "vm-0007".to_owned(),
            groups: vec![3, 1],
            location: 10,
            location_external_ref: Some("kiosk".to_owned()),
            location_external_ref_group: 3,
            location_groups: vec![100],
            machine_groups: vec![70, 71],
            machine_type: 4,
            currency: "EUR".into(),
        }
    }

    fn rules(of: &[(RuleField, &str)]) -> Vec<Rule> {
        of.iter().map(|&(field, value)| Rule { field, value: value.to_owned() }).collect()
    }

    #[test]
    fn one_field_is_alternatives_and_fields_must_all_hold() {
        use RuleField::*;
        let met: &[&[(RuleField, &str)]] = &[
            &[],
            &[(Location, "10")],
            &[(Location, "9"), (Location, "10")],
            &[(Location, "10"), (LocationExternalRef, "kiosk"), (LocationGroup, "100")],
            &[(Machine, "7"), (MachineGroup, "71"), (MachineType, "4")],
            &[(Product, "5")],
        ];
        let unmet: &[&[(RuleField, &str)]] = &[
            &[(Location, "9")],
            &[(Location, "10"), (Machine, "8")],
            &[(LocationExternalRef, "Kiosk")],
            &[(MachineGroup, "7")],
            &[(MachineType, "4"), (MachineType, "5"), (LocationGroup, "101")],
            &[(Location, "ten")],
        ];
        for of in met {
            assert!(hold(&rules(of), &device(), 3), "{of:?}");
        }
        for of in unmet {
            assert!(!hold(&rules(of), &device(), 3), "{of:?}");
        }
    }

    #[test]
    fn a_reference_counts_for_those_at_or_below_its_writer() {
        let rules = rules(&[(RuleField::LocationExternalRef, "kiosk")]);
        for (writer, group, holds) in
            [(3, 3, true), (3, 1, false), (1, 3, true), (1, 1, true), (8, 3, false), (8, 1, false)]
        {
            let device = Device { location_external_ref_group: writer, ..device() };
            assert_eq!(hold(&rules, &device, group), holds, "{writer} for {group}");
        }
    }

    #[test]
    fn products_of_campaign_and_voucher_must_both_allow() {
        use RuleField::Product;
        let coffee = Products::of(&rules(&[(Product, "5"), (Product, "7")]));
        let hot = Products::of(&rules(&[(Product, "7"), (Product, "9")]));
        assert!(coffee.allow("5") && !coffee.allow("50"));
        assert_eq!(coffee.clone().and(Products::Any), coffee);
        let both = coffee.and(hot);
        assert!(both.allow("7") && !both.allow("5") && !both.allow("9"));
        assert_eq!(both.expression(), "^(?:7)$");
    }

    proptest! {
        #[test]
        fn the_expression_matches_exactly_what_is_allowed(ids in prop::collection::btree_set("[ -~]{1,6}", 0..6), other in "[ -~]{0,6}") {
            let products = Products::Only(ids.clone());
            let expression = regex::Regex::new(&products.expression()).unwrap();
            for id in &ids {
                prop_assert!(expression.is_match(id));
            }
            prop_assert_eq!(expression.is_match(&other), products.allow(&other));
        }
    }
}
