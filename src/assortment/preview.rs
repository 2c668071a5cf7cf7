//! An assortment as it would be after its conversion.

use super::{
    product::{Product, SurchargeShown},
    split::{Part, Split},
};
use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

/// What a machine would sell after a conversion.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = AssortmentPreview)]
pub struct Preview {
    /// Products that stay, just as they are.
    base_products: Vec<Product>,
    /// Flavours: those that the machine has, and those that are to be added, which have no id yet.
    product_flavours: Vec<PreviewPart>,
    /// Extras, likewise.
    extra_products: Vec<PreviewPart>,
}

/// A flavour or an extra that is there, or is to be added.
#[derive(Clone, Debug, Serialize, ToSchema, sqlx::FromRow)]
#[serde(rename_all = "camelCase")]
pub struct PreviewPart {
    /// Its id, if it is there.
    pub id: Option<i64>,
    /// Its number.
    pub plu: i64,
    /// What people call it.
    pub name: String,
    /// What it costs on top of the product, in minor units.
    #[schema(value_type = String, examples("30"))]
    pub price: SurchargeShown,
    /// None: it is the product that has one.
    #[sqlx(default)]
    pub barcode: Option<String>,
    /// The machine that it is sold by.
    pub machine: i64,
    /// What reports call it.
    pub report_name: Option<String>,
    /// When it was created, if it is there.
    #[serde(serialize_with = "crate::time::seconds")]
    pub created_at: Option<DateTime<Utc>>,
    /// When it was last changed, if it is there.
    #[serde(serialize_with = "crate::time::seconds")]
    pub updated_at: Option<DateTime<Utc>>,
}

impl Preview {
    /// What `split` makes of a machine's assortment, which has these flavours and extras already.
    pub fn new(machine: i64, split: Split, flavours: Vec<PreviewPart>, extras: Vec<PreviewPart>) -> Self {
        Self {
            base_products: split.base,
            product_flavours: with_new(machine, flavours, split.flavours),
            extra_products: with_new(machine, extras, split.extras),
        }
    }
}

fn with_new(machine: i64, mut parts: Vec<PreviewPart>, new: Vec<Part>) -> Vec<PreviewPart> {
    parts.extend(new.into_iter().map(|Part { plu, name, report_name, price }| PreviewPart {
        id: None,
        plu,
        name,
        price: SurchargeShown(price),
        barcode: None,
        machine,
        report_name,
        created_at: None,
        updated_at: None,
    }));
    parts.sort_by_key(|part| part.plu);
    parts
}
