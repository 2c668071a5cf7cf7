//! How the payments of machines are named and grouped in reports.

use crate::{
    app::App,
    error,
    http::{Caller, Json, caller::Permission, list::Kind},
    identity::directory::UserGroup,
    resource::{FieldType, Preset, Ref, field::words, resource},
};
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{Error as _, MapAccess, Visitor},
};
use std::{collections::BTreeMap, fmt};
use utoipa::{
    ToSchema,
    openapi::{ObjectBuilder, Schema, schema::Type},
};
use utoipa_axum::{router::OpenApiRouter, routes};

words! {
    /// Which part of a product's name makes it a group in reports.
    ReportRule {
        /// Its first letter.
        FirstLetter = "first_letter",
        /// Everything up to its first space.
        FirstBlock = "first_block",
    }
}

words! {
    /// How a customer pays.
    PaymentMethod {
        /// Coins and notes.
        Cash = "cash",
        /// A bank card.
        Card = "card",
        /// A voucher's code.
        Code = "code",
        /// Nothing that the machine could see: a free or a test vend.
        Virtual = "virtual",
        /// A key, a chip or an app with credit.
        Token = "token",
    }
}

words! {
    /// What reports show a payment as.
    PaymentType {
        /// Coins and notes.
        Cash = "cash",
        /// A bank card.
        Card = "card",
        /// Free of charge.
        Virtual = "virtual",
        /// A voucher.
        Voucher = "voucher",
        /// A key, a chip or an app with credit.
        Token = "token",
        /// A test.
        Test = "test",
        /// None of these.
        Other = "other",
    }
}

impl PaymentMethod {
    /// Returns what a payment by this method is shown as where no profile says otherwise.
    pub const fn usual_type(self) -> PaymentType {
        match self {
            Self::Cash => PaymentType::Cash,
            Self::Card => PaymentType::Card,
            Self::Code => PaymentType::Voucher,
            Self::Virtual => PaymentType::Virtual,
            Self::Token => PaymentType::Token,
        }
    }

    /// Returns what a payment by this method may be shown as: anything, the usual type first.
    fn types(self) -> impl Iterator<Item = PaymentType> {
        let usual = self.usual_type();
        let others = PaymentType::ALL.iter().copied().filter(move |shown_as| *shown_as != usual);
        std::iter::once(usual).chain(others)
    }
}

resource! {
    /// How the payments of machines are named and grouped in reports.
    TransactionProfile "transaction profile" at "/transactionprofile" in "transaction_profile";
    area "transactionprofile";
    may FleetRead, FleetWrite;
    reach Downwards;
    does ALL;
    takes {
        /// Which part of a product's name makes it a group.
        report_rule: Option<ReportRule>,
        /// What payments are shown as, by method: see the endpoint of payment types.
        #[eg("{\"token\": \"virtual\"}")]
        payment_types_map: Preset<PaymentTypes>,
    }
    once {
        /// Its user group: the caller's without it.
        user_group: Preset<Ref<UserGroup>>,
    }
}

/// What payments are shown as, by method.
#[derive(Clone, Debug, Serialize)]
pub struct PaymentTypes(BTreeMap<&'static str, PaymentType>);

impl<'de> Deserialize<'de> for PaymentTypes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ByMethod).map(Self)
    }
}

/// Reads each method at most once, each with a type.
struct ByMethod;

impl<'de> Visitor<'de> for ByMethod {
    type Value = BTreeMap<&'static str, PaymentType>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of payment methods")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
        let mut map = BTreeMap::new();
        while let Some(name) = entries.next_key::<String>()? {
            let Some(&method) = PaymentMethod::ALL.iter().find(|method| method.word() == name) else {
                return Err(A::Error::custom(format_args!("unknown field `{name}`")));
            };
            if map.insert(method.word(), entries.next_value()?).is_some() {
                return Err(A::Error::custom(format_args!("duplicate field `{name}`")));
            }
        }
        Ok(map)
    }
}

impl FieldType for PaymentTypes {
    type Shown = sqlx::types::Json<serde_json::Map<String, serde_json::Value>>;
    const KIND: Option<Kind> = None;

    fn takes() -> Schema {
        PaymentMethod::ALL
            .iter()
            .fold(ObjectBuilder::new().schema_type(Type::Object), |object, method| {
                object.property(method.word(), PaymentType::takes())
            })
            .into()
    }
}

/// A payment method and what it may be shown as.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct PaymentChoice {
    /// How a customer pays.
    method: &'static str,
    /// What reports may show it as; the first where no profile says otherwise.
    types: Vec<&'static str>,
}

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(payment_types))
}

/// List payment methods and the types they may be shown as
#[utoipa::path(get, path = "/transactionprofile/paymenttypes", tag = "transactionprofile",
    operation_id = "list_payment_types",
    responses((status = 200, description = "Every payment method", body = Vec<PaymentChoice>)))]
async fn payment_types(caller: Caller) -> error::Result<Json<Vec<PaymentChoice>>> {
    caller.may(Permission::FleetRead)?;
    let choices = PaymentMethod::ALL.iter().map(|method| PaymentChoice {
        method: method.word(),
        types: method.types().map(PaymentType::word).collect(),
    });
    Ok(Json(choices.collect()))
}
