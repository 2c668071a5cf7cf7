//! Products, flavours and extras.

use chrono::{DateTime, Utc};
use serde::{Serialize, Serializer};
use utoipa::ToSchema;

/// The highest price, in minor units.
pub const PRICE_MAX: i64 = 1_000_000_000;

/// A price that answers show as text.
#[derive(Clone, Copy, Debug, sqlx::Type)]
#[sqlx(transparent)]
pub struct PriceText(pub i64);

impl Serialize for PriceText {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

/// Something that a machine sells.
#[derive(Clone, Debug, Serialize, ToSchema, sqlx::FromRow)]
#[serde(rename_all = "camelCase")]
pub struct Product {
    /// Its id.
    pub id: i64,
    /// What people call it.
    pub name: String,
    /// The machine.
    pub machine: i64,
    /// The number under which the machine sells it.
    pub plu: i64,
    /// Minor units.
    pub price: i64,
    /// Reports.
    pub report_name: Option<String>,
    /// EAN.
    pub barcode: Option<String>,
    /// What the machine asks.
    pub remote_price: Option<i64>,
    /// Kind.
    pub r#type: Option<String>,
    /// Hundredths of a percent.
    pub vatrate: Option<i64>,
    /// Account.
    pub ledger: Option<String>,
    /// Account.
    pub subledger: Option<String>,
    /// When it was created.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
}
