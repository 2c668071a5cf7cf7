//! What machines send and are answered, in the words of the API.

use crate::{
    http::extract::text_or_number,
    redemption::{demand::Demand, rules::Products, voucher::CampaignType},
};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa::{
    ToSchema,
    openapi::{
        ObjectBuilder, Schema,
        schema::{SchemaType, Type},
    },
};
use uuid::Uuid;

/// What a machine asks before it vends.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ValidateRequest {
    /// The machine's hostname (in any case), or its gateway's id: digits without a sign, leading zeros or blanks.
    #[schema(examples("vm-0001"))]
    pub device_id: String,
    /// Holds the voucher for this device, for so many seconds; longer than the server allows is shortened.
    #[schema(examples(30))]
    pub lock_duration: Option<f64>,
    /// For a gift: caps what is answered. A discount does not look at it.
    #[serde(default)]
    #[schema(value_type = Option<DemandShape>)]
    pub demand: Demand,
}

/// What a gift is to pay.
#[derive(Debug, ToSchema)]
#[schema(as = Demand)]
#[expect(dead_code, reason = "describes what is read as a demand")]
struct DemandShape {
    /// Cents.
    #[schema(examples(150))]
    amount: i64,
}

/// What a machine sends to spend a voucher.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct RedeemRequest {
    /// The machine's hostname (in any case), or its gateway's id: digits without a sign, leading zeros or blanks.
    #[schema(examples("vm-0001"))]
    pub(super) device_id: String,
    /// What is bought.
    pub(super) order: OrderRequest,
    /// Required for a gift: exactly this is taken, or nothing. A discount does not look at it.
    #[serde(default)]
    #[schema(value_type = Option<DemandShape>)]
    pub(super) demand: Demand,
}

/// A purchase.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct OrderRequest {
    /// The client's own id of it. With code and device it names a redemption for ever.
    #[schema(examples("7f3c2a"))]
    pub(super) id: String,
    /// What it costs, in cents.
    #[schema(examples(250))]
    pub(super) amount: i64,
    /// What it is made of.
    #[schema(max_items = 500)]
    pub(super) items: Option<Vec<Item>>,
}

/// A position of a purchase.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Item {
    /// PLU, or the client's product id: text, or a whole number.
    #[serde(deserialize_with = "text_or_number")]
    #[schema(schema_with = product_id)]
    pub(super) product_id: String,
    /// How many.
    pub(super) quantity: i64,
    /// Cents each.
    pub(super) price: i64,
}

fn product_id() -> Schema {
    ObjectBuilder::new()
        .schema_type(SchemaType::from_iter([Type::String, Type::Integer]))
        .description(Some("PLU, or the client's product id: text, or a whole number."))
        .examples(["5"])
        .into()
}

/// What a machine sends to give a lock back.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct ReleaseRequest {
    /// The machine's hostname (in any case), or its gateway's id: digits without a sign, leading zeros or blanks.
    #[schema(examples("vm-0001"))]
    pub(super) device_id: String,
}

/// What a machine sends after a failed vend.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct RollbackRequest {
    /// The machine's hostname (in any case), or its gateway's id: digits without a sign, leading zeros or blanks.
    #[schema(examples("vm-0001"))]
    pub(super) device_id: String,
    /// The order that was redeemed.
    pub(super) order: OrderName,
    /// Why, in a few words.
    #[schema(examples("spiral jammed"))]
    pub(super) reason: Option<String>,
}

/// Which order.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct OrderName {
    /// As it was redeemed.
    #[schema(examples("7f3c2a"))]
    pub(super) id: String,
}

/// What a voucher takes off.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Discount {
    /// Always `cents`.
    pub r#type: &'static str,
    /// Cents.
    pub amount_off: i64,
}

impl Discount {
    /// So many cents off.
    pub const fn of(amount_off: i64) -> Self {
        Self { r#type: "cents", amount_off }
    }
}

/// What may be bought with a voucher.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ValidFor {
    /// An object keyed by product id; empty where every product is allowed.
    pub products: BTreeMap<String, bool>,
    /// Matches exactly the allowed product ids.
    #[schema(examples("^(?:5|7)$"))]
    pub products_reg_exp: String,
}

impl From<Products> for ValidFor {
    fn from(products: Products) -> Self {
        let products_reg_exp = products.expression();
        let products = match products {
            Products::Any => BTreeMap::new(),
            Products::Only(ids) => ids.into_iter().map(|id| (id, true)).collect(),
        };
        Self { products, products_reg_exp }
    }
}

/// Whether a voucher is good here and now.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ValidateAnswer {
    /// As printed.
    pub code: String,
    /// What its campaign's vouchers are.
    pub campaign_type: CampaignType,
    /// Its id.
    pub voucher_id: Uuid,
    /// Whether it may be used.
    pub valid: bool,
    /// Why not.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(examples("expired"))]
    pub reason: Option<&'static str>,
    /// With `locked`: until when, at the latest.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[serde(serialize_with = "crate::time::milliseconds")]
    pub locked_till: Option<DateTime<Utc>>,
    /// A discount's value, a gift's balance, in cents.
    pub voucher_value: i64,
    /// What it would take off.
    pub discount: Discount,
    /// What may be bought with it.
    pub valid_for: ValidFor,
}

/// Whether a voucher was spent.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct RedeemAnswer {
    /// As printed.
    pub(super) code: String,
    /// What its campaign's vouchers are.
    pub(super) campaign_type: String,
    /// Its id.
    pub(super) voucher_id: Uuid,
    /// Whether it was spent by this order.
    pub(super) redeemed: bool,
    /// The refusal; `null` if it was redeemed.
    #[schema(examples("redemption_limit_reached"))]
    pub(super) reason: Option<&'static str>,
    /// With `locked`: until when, at the latest.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[serde(serialize_with = "crate::time::milliseconds")]
    pub(super) locked_till: Option<DateTime<Utc>>,
    /// What it took off.
    pub(super) discount: Discount,
    /// A discount's value; a gift's balance after it, in cents.
    pub(super) voucher_value: i64,
}

/// Whether a lock was given back.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct ReleaseAnswer {
    /// As printed.
    pub(super) code: String,
    /// Its id.
    pub(super) voucher_id: Uuid,
    /// `false` if this device held none.
    pub(super) released: bool,
}

/// A redemption that is undone.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct RollbackAnswer {
    /// As printed.
    pub(super) code: String,
    /// Its id.
    pub(super) voucher_id: Uuid,
    /// Always `true`: a redemption that there never was is a 404.
    pub(super) rolled_back: bool,
    /// A discount's value; a gift's balance after it was given back, in cents.
    pub(super) voucher_value: i64,
}
