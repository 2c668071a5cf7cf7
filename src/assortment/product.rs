//! Products, and the flavours and extras that they can be had with.

use super::plu::PLU_MAX;
use crate::{
    fleet::machine::Machine,
    http::list::Kind,
    resource::{FieldType, Name, Preset, Ref, Text, Whole, resource},
};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use utoipa::openapi::{ObjectBuilder, Schema, schema::Type};

/// The highest price, in minor units.
pub const PRICE_MAX: i64 = 1_000_000_000;

/// The number of a product, a flavour or an extra.
pub type Plu = Whole<0, PLU_MAX>;

/// The number of a flavour or an extra. 0 is none: it gets the next one then, as it does where a creation leaves
/// it out.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(transparent)]
pub struct PartPlu(Option<i64>);

impl<'de> Deserialize<'de> for PartPlu {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Whole(plu) = Plu::deserialize(deserializer)?;
        Ok(Self((plu > 0).then_some(plu)))
    }
}

impl FieldType for PartPlu {
    type Shown = i64;
    const KIND: Option<Kind> = Plu::KIND;
    const PRESET: bool = true;

    fn takes() -> Schema {
        Plu::takes()
    }

    fn shows() -> Schema {
        Plu::shows()
    }
}

/// A price in minor units.
pub type Price = Whole<0, PRICE_MAX>;

/// What is printed on a product.
pub type Barcode = Text<64>;

/// What a flavour or an extra costs on top of the product: a number in a request, text in an answer.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(transparent)]
pub struct Surcharge(pub Price);

/// See [`Surcharge`].
#[derive(Clone, Copy, Debug, sqlx::Type)]
#[sqlx(transparent)]
pub struct SurchargeShown(pub i64);

impl Serialize for SurchargeShown {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl FieldType for Surcharge {
    type Shown = SurchargeShown;
    const KIND: Option<Kind> = Price::KIND;

    fn takes() -> Schema {
        Price::takes()
    }

    fn shows() -> Schema {
        ObjectBuilder::new().schema_type(Type::String).pattern(Some("^[0-9]+$")).into()
    }
}

resource! {
    /// Something that a machine sells.
    Product "product" at "/machine/{machine}/product" in "product";
    area "product";
    within machine: Machine;
    owner "(SELECT machine.user_group FROM machine WHERE machine.id = this.machine)";
    may AssortmentRead, AssortmentWrite;
    reach Own;
    does NO_READ;
    takes {
        /// The number under which the machine sells it.
        #[eg("5")]
        plu: Plu,
        /// What people call it.
        #[eg("\"Espresso\"")]
        name: Name,
        /// What it costs, in minor units of the machine's currency.
        #[eg("150")]
        price: Price,
        /// What is printed on it.
        #[eg("\"4006381333931\"")]
        barcode: Option<Barcode>,
        /// The machine that sells it.
        machine: Preset<Ref<Machine>>,
        /// What reports call it.
        #[eg("\"Coffee\"")]
        report_name: Option<Name>,
    }
    lists {
        /// What the machine itself asks for it, in minor units.
        remote_price: Option<i64>,
        /// What kind of product it is.
        type_: Option<String> = "this.type",
        /// Its rate of value added tax, in hundredths of a percent.
        vatrate: Option<i64>,
        /// The account that its sales are booked to.
        ledger: Option<String>,
        /// The account below that.
        subledger: Option<String>,
    }
}

resource! {
    /// What a product can taste of: mint, vanilla.
    ProductFlavour "product flavour" at "/machine/{machine}/productflavour" in "product_flavour";
    area "productflavour";
    within machine: Machine;
    owner "(SELECT machine.user_group FROM machine WHERE machine.id = this.machine)";
    may AssortmentRead, AssortmentWrite;
    reach Own;
    does NO_READ;
    takes {
        /// Its name: its number without one.
        #[eg("\"Vanilla\"")]
        name: Preset<Name>,
        /// What reports call it.
        report_name: Option<Name>,
        /// What it costs on top of the product, in minor units.
        #[eg("30")]
        price: Preset<Surcharge>,
    }
    once {
        /// Its number among the machine's flavours: the next one without it, or with 0.
        #[eg("1")]
        plu: PartPlu,
    }
    lists {
        /// The machine that has it.
        machine: Ref<Machine>,
    }
    shows {
        /// None: it is the product that has one.
        barcode: Option<String> = "NULL::text",
    }
}

resource! {
    /// What can be added to a product: a cup, oat milk.
    ProductExtra "product extra" at "/machine/{machine}/productextra" in "product_extra";
    area "productextra";
    within machine: Machine;
    owner "(SELECT machine.user_group FROM machine WHERE machine.id = this.machine)";
    may AssortmentRead, AssortmentWrite;
    reach Own;
    does NO_READ;
    takes {
        /// Its name: its number without one.
        #[eg("\"Oat milk\"")]
        name: Preset<Name>,
        /// What reports call it.
        report_name: Option<Name>,
        /// What it costs on top of the product, in minor units.
        #[eg("20")]
        price: Preset<Surcharge>,
    }
    once {
        /// Its number among the machine's extras: the next one without it, or with 0.
        #[eg("1")]
        plu: PartPlu,
    }
    lists {
        /// The machine that has it.
        machine: Ref<Machine>,
    }
    shows {
        /// None: it is the product that has one.
        barcode: Option<String> = "NULL::text",
    }
}

resource! {
    /// A product alone, with a flavour, with an extra, or with both: all that can be ordered.
    ProductCombination "product combination" at "/machine/{machine}/product" in "product_combination";
    area "product";
    within machine: Machine;
    owner "(SELECT machine.user_group FROM machine WHERE machine.id = this.machine)";
    may AssortmentRead, AssortmentWrite;
    reach Own;
    does NOTHING;
    lists {
        /// The number of the product.
        plu: i64,
        /// The number of its flavour.
        flavour: Option<i64>,
        /// The number of its extra.
        extra: Option<i64>,
        /// The names of all parts.
        name: String,
        /// What all parts cost together, in minor units.
        price: i64,
        /// What is printed on the product.
        barcode: Option<String>,
        /// The machine that sells it.
        machine: Ref<Machine>,
        /// What reports call the parts.
        report_name: Option<String>,
        /// What the machine itself asks for the product alone, in minor units.
        remote_price: Option<i64>,
        /// What kind of product it is.
        type_: Option<String> = "this.type",
        /// The product's rate of value added tax, in hundredths of a percent.
        vatrate: Option<i64>,
        /// The account that its sales are booked to.
        ledger: Option<String>,
        /// The account below that.
        subledger: Option<String>,
    }
}
