//! The demand of a request: the amount that a gift is to pay. Without I/O.
//!
//! Only a gift pays what is demanded. A discount takes off its value whatever the demand says, so what is wrong
//! with a demand is kept until the voucher is known, and is of no interest for a discount.

use super::voucher::Kind;
use crate::error::{Error, Issue, Result};
use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, MapAccess, SeqAccess, Visitor},
};
use std::fmt;

/// The largest amount in one request, in cents: sums of many stay exact everywhere.
pub const AMOUNT_MAX: i64 = 1_000_000_000_000;

/// A demand of a request.
#[derive(Clone, Debug, Default)]
pub enum Demand {
    /// There is none.
    #[default]
    None,
    /// So many cents.
    Cents(i64),
    /// Something that no gift can pay.
    Wrong(Issue),
}

impl Demand {
    /// Returns the demand, which asks for at least so much.
    #[must_use]
    pub fn of_at_least(self, least: i64) -> Self {
        match self {
            Self::Cents(cents) if !(least..=AMOUNT_MAX).contains(&cents) => {
                let detail = format!("must be from {least} to {AMOUNT_MAX}");
                Self::Wrong(Issue::at("/demand/amount", detail))
            }
            demand => demand,
        }
    }

    /// Returns the cents that are demanded.
    pub fn cents(&self) -> Option<i64> {
        if let Self::Cents(cents) = self { Some(*cents) } else { None }
    }

    /// Refuses what is wrong with it, if a voucher of this kind pays what is demanded.
    pub fn check(&self, kind: Kind) -> Result<()> {
        match (kind, self) {
            (Kind::Gift, Self::Wrong(issue)) => Err(Error::Invalid(vec![issue.clone()])),
            _ => Ok(()),
        }
    }

    /// Refuses it, if a voucher of this kind pays what is demanded and nothing is.
    pub fn require(&self, kind: Kind) -> Result<()> {
        match (kind, self) {
            (Kind::Gift, Self::None) => Err(Error::invalid("/demand", "is required for a gift voucher")),
            _ => self.check(kind),
        }
    }
}

/// Every JSON value is a demand: `null` is none, and what is wrong with others is told in its place.
impl<'de> Deserialize<'de> for Demand {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Anything)
    }
}

struct Anything;

fn no_object() -> Demand {
    Demand::Wrong(Issue::at("/demand", "must be an object with an amount"))
}

macro_rules! no_objects {
    ($($method:ident($kind:ty))*) => {$(
        fn $method<E: serde::de::Error>(self, _: $kind) -> Result<Demand, E> {
            Ok(no_object())
        }
    )*};
}

impl<'de> Visitor<'de> for Anything {
    type Value = Demand;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a demand")
    }

    no_objects! { visit_bool(bool) visit_i64(i64) visit_u64(u64) visit_f64(f64) visit_str(&str) }

    fn visit_unit<E: serde::de::Error>(self) -> Result<Demand, E> {
        Ok(Demand::None)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut values: A) -> Result<Demand, A::Error> {
        while values.next_element::<IgnoredAny>()?.is_some() {}
        Ok(no_object())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Demand, A::Error> {
        let mut demand = Demand::None;
        let mut wrong = None;
        while let Some(Name(other)) = entries.next_key()? {
            let issue = match (other, &demand) {
                (None, Demand::None) => match entries.next_value::<Amount>()?.0 {
                    Some(cents) => {
                        demand = Demand::Cents(cents);
                        continue;
                    }
                    None => Issue::at("/demand/amount", "must be a whole number"),
                },
                (None, _) => {
                    entries.next_value::<IgnoredAny>()?;
                    Issue::at("/demand/amount", "is given twice")
                }
                (Some(name), _) => {
                    entries.next_value::<IgnoredAny>()?;
                    let pointer = format!("/demand/{}", name.replace('~', "~0").replace('/', "~1"));
                    Issue::at(pointer, "is not a field of this request")
                }
            };
            wrong = wrong.or(Some(issue));
        }
        Ok(match (wrong, demand) {
            (Some(issue), _) => Demand::Wrong(issue),
            (None, Demand::None) => Demand::Wrong(Issue::at("/demand/amount", "is required")),
            (None, demand) => demand,
        })
    }
}

/// A field's name, unless it is the amount.
struct Name(Option<String>);

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;

        impl Visitor<'_> for Either {
            type Value = Name;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a name")
            }

            fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<Name, E> {
                Ok(Name((name != "amount").then(|| name.to_owned())))
            }
        }

        deserializer.deserialize_identifier(Either)
    }
}

/// Cents, or anything else.
struct Amount(Option<i64>);

impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Cents)
    }
}

struct Cents;

macro_rules! no_cents {
    ($($method:ident($kind:ty))*) => {$(
        fn $method<E: serde::de::Error>(self, _: $kind) -> Result<Amount, E> {
            Ok(Amount(None))
        }
    )*};
}

impl<'de> Visitor<'de> for Cents {
    type Value = Amount;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an amount")
    }

    no_cents! { visit_bool(bool) visit_f64(f64) visit_str(&str) }

    fn visit_i64<E: serde::de::Error>(self, cents: i64) -> Result<Amount, E> {
        Ok(Amount(Some(cents)))
    }

    fn visit_u64<E: serde::de::Error>(self, cents: u64) -> Result<Amount, E> {
        Ok(Amount(i64::try_from(cents).ok()))
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<Amount, E> {
        Ok(Amount(None))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut values: A) -> Result<Amount, A::Error> {
        while values.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Amount(None))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Amount, A::Error> {
        while entries.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Amount(None))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::extract::parse;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    fn demand(json: &Value) -> Demand {
        parse::<Demand>(json.to_string().as_bytes()).unwrap().of_at_least(1)
    }

    fn pointer(json: &Value) -> String {
        demand(json).require(Kind::Gift).unwrap_err().problem().errors[0].pointer.to_string()
    }

    #[test]
    fn a_gift_pays_an_amount_and_nothing_else() {
        assert_eq!(demand(&json!({"amount": 150})).cents(), Some(150));
        assert_eq!(demand(&json!({"amount": 150.0})).cents(), Some(150));
        for (wrong, at) in [
            (json!(null), "/demand"),
            (json!(150), "/demand"),
            (json!([150]), "/demand"),
            (json!({}), "/demand/amount"),
            (json!({"amount": 0}), "/demand/amount"),
            (json!({"amount": "150"}), "/demand/amount"),
            (json!({"amount": {"of": [1]}}), "/demand/amount"),
            (json!({"amount": 1.5}), "/demand/amount"),
            (json!({"amount": u64::MAX}), "/demand/amount"),
            (json!({"amount": 150, "of~it": []}), "/demand/of~0it"),
        ] {
            assert_eq!(pointer(&wrong), at, "{wrong}");
            demand(&wrong).require(Kind::Discount).unwrap();
        }
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            ".{0,4}".prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 12, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::vec(("amount|[a-b/~]{0,2}", inner), 0..4)
                    .prop_map(|fields| Value::Object(fields.into_iter().collect())),
            ]
        })
    }

    proptest! {
        /// Any JSON: a discount ignores it; a gift pays it, or says where it is wrong.
        #[test]
        fn no_demand_stands_in_the_way_of_a_discount(json in any_json()) {
            let demand = demand(&json);
            prop_assert!(demand.require(Kind::Discount).is_ok());
            prop_assert_eq!(demand.require(Kind::Gift).is_ok(), demand.cents().is_some());
        }
    }
}
