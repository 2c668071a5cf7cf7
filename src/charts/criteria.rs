//! What a chart asks for: a closed language of sources, columns, comparisons and time frames.
//!
//! These are its words as clients send them, and as they are kept. Whether they make sense together
//! is seen by [`super::plan`]; none of them ever becomes a part of a statement.

use crate::resource::{FieldType, field::words};
use serde::{Deserialize, Deserializer, Serialize, de};
use std::fmt;
use utoipa::{
    ToSchema,
    openapi::{
        Schema,
        schema::{SchemaType, Type},
    },
};

words! {
    /// Where the rows come from.
    From {
        /// What machines sold, by the clock on the wall at their places.
        Sales = "sales",
        /// What customers paid with, without what reports leave out.
        Payments = "payments",
        /// What happened to machines.
        Events = "events",
        /// The machines as they are now.
        Machines = "machines",
    }
}

words! {
    /// What is made of the values of a column.
    Op {
        /// Their sum, of what can be added up.
        Sum = "sum",
        /// The average of one sale, payment or event.
        Avg = "avg",
        /// How many different ones there are.
        Count = "count",
        /// The first of them.
        Min = "min",
        /// The last of them.
        Max = "max",
    }
}

words! {
    /// How a column compares with a value: as in lists.
    Compares {
        /// Equal, or without a value for `null`.
        Is = "=",
        /// Not equal.
        Not = "!",
        /// Below, before.
        Less = "<",
        /// At most, until.
        AtMost = "<=",
        /// Above, after.
        More = ">",
        /// At least, since.
        AtLeast = ">=",
        /// One of several, separated by commas.
        In = "in",
        /// Has it anywhere in it, whatever its case.
        Contains = "contains",
        /// Begins with it, whatever its case.
        StartsWith = "startsWith",
        /// Ends with it, whatever its case.
        EndsWith = "endsWith",
    }
}

words! {
    /// Which time a frame is, by the clock on the wall. Weeks begin on Mondays.
    Period {
        /// From midnight to midnight.
        Today = "today",
        /// The day before.
        Yesterday = "yesterday",
        /// This hour and the 23 before it.
        Last24Hours = "last_24_hours",
        /// Today and the six days before.
        Last7Days = "last_7_days",
        /// Today and the 29 days before.
        Last30Days = "last_30_days",
        /// This month and the eleven before.
        Last12Months = "last_12_months",
        /// From Monday to Sunday.
        ThisWeek = "this_week",
        /// The week before.
        LastWeek = "last_week",
        /// From the first on.
        ThisMonth = "this_month",
        /// The month before.
        LastMonth = "last_month",
        /// From the first of January on.
        ThisYear = "this_year",
        /// The year before.
        LastYear = "last_year",
        /// From `startAt` until `endAt`.
        Fixed = "fixed",
    }
}

words! {
    /// What a frame is divided into.
    ViewType {
        /// Nothing: it is one.
        Total = "total",
        /// Hours.
        Hour = "hour",
        /// Days.
        Day = "day",
        /// Weeks, which begin on Mondays.
        Week = "week",
        /// Months.
        Month = "month",
    }
}

/// The schema of words.
fn words<T: FieldType>() -> Schema {
    T::takes()
}

/// The schema of words, of which there may be none.
fn words_or_none<T: FieldType>() -> Schema {
    let mut schema = T::takes();
    if let Schema::Object(object) = &mut schema {
        object.schema_type = SchemaType::Array(vec![Type::String, Type::Null]);
        object.enum_values.iter_mut().for_each(|words| words.push(serde_json::Value::Null));
    }
    schema
}

/// What a chart asks for.
///
/// Rows are grouped by the selected columns that nothing is made of. Sums and averages of money are
/// grouped by `currency` as well, whether it is selected or not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schema(as = ChartCriteria)]
pub struct Criteria {
    /// The columns of the answer, at least one.
    #[schema(min_items = 1, max_items = 20)]
    pub select: Vec<Selected>,
    /// Where the rows come from.
    #[schema(schema_with = words::<From>)]
    pub from: From,
    /// All of these must hold.
    #[serde(default, rename = "where")]
    #[schema(max_items = 20)]
    pub conditions: Vec<Compared>,
    /// Names of the answer, each with `asc` or `desc` behind it where wanted.
    #[serde(default)]
    #[schema(max_items = 20, examples("revenue desc"))]
    pub order_by: Vec<String>,
    /// The times that rows are of; ever without one. With several the answer says of each row which
    /// one it is about, as `timeFrame`.
    #[serde(default)]
    #[schema(max_items = 12)]
    pub time_frames: Vec<TimeFrame>,
}

/// A column of the answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ChartSelect)]
pub struct Selected {
    /// A column of the source.
    ///
    /// All have `quantity`. Sales and payments have `revenue` (minor units) and `currency`, events
    /// `duration` (seconds): these can be summed up and averaged, all else is grouped by or counted.
    /// All have `machine`, `machineName`, `hostname`, `machineType`, `location`, `locationName`, `city`,
    /// `country` and `userGroup`; all but machines `weekday` (1 is Monday) and `hour`. Sales have
    /// `product`, `productName` and `shift`; payments `method`, `type`, `reportGroup` and `shift`;
    /// events `code`, `error`, `text` and `type`; machines `status` (`online`, `offline`, `inactive`),
    /// `active`, `manufacturer`, `machineModel`, `seenAt`, `offlineSince` and `createdAt`.
    #[schema(examples("revenue"))]
    pub expr: String,
    /// What is made of its values; rows are grouped by it without one.
    #[serde(default)]
    #[schema(schema_with = words_or_none::<Op>)]
    pub op: Option<Op>,
    /// What the answer calls it: the column's name without one, with the op before it unless it is `sum`.
    #[serde(default, rename = "as")]
    #[schema(max_length = 100, examples("revenue"))]
    pub name: Option<String>,
}

/// Something that rows must meet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ChartCondition)]
pub struct Compared {
    /// A column of the source that rows can be grouped by.
    #[schema(examples("currency"))]
    pub field: String,
    /// How it compares.
    #[schema(schema_with = words::<Compares>)]
    pub op: Compares,
    /// With what.
    #[schema(value_type = String, examples("EUR"))]
    pub value: Operand,
}

/// A time, by the clock on the wall at each place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schema(as = ChartTimeFrame)]
pub struct TimeFrame {
    /// Its id.
    #[serde(rename = "type")]
    #[schema(schema_with = words::<Period>)]
    pub period: Period,
    /// What it is divided into: the answer says of each row which part it is about, as `period`.
    #[serde(default)]
    #[schema(schema_with = words_or_none::<ViewType>)]
    pub view_type: Option<ViewType>,
    /// The beginning of a `fixed` one: a date, a time of the clock on the wall, or an instant.
    #[serde(default)]
    #[schema(examples("2026-01-01"))]
    pub start_at: Option<String>,
    /// The end of a `fixed` one, which is no longer in it; a date is.
    #[serde(default)]
    #[schema(examples("2026-12-31"))]
    pub end_at: Option<String>,
    /// It lies so many hours earlier: with 24, `today` is yesterday, to compare the two.
    #[serde(default)]
    #[schema(minimum = 0, maximum = 87_600)]
    pub hours_to_sub: Option<i64>,
    /// The time that it is about: `occurredAt`; of machines `seenAt` (without one), `offlineSince` or
    /// `createdAt`. All frames are about the same.
    #[serde(default)]
    pub column: Option<String>,
    /// What `timeFrame` says of its rows, instead of its type.
    #[serde(default)]
    #[schema(max_length = 200)]
    pub description: Option<String>,
}

/// A value that columns compare with, as text; numbers and truths are read as such.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Operand(pub String);

impl<'de> Deserialize<'de> for Operand {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Plain)
    }
}

/// Reads what stands for itself.
struct Plain;

impl de::Visitor<'_> for Plain {
    type Value = Operand;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("text, a whole number or a truth")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Operand, E> {
        Ok(Operand(text.to_owned()))
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Operand, E> {
        Ok(Operand(number.to_string()))
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Operand, E> {
        Ok(Operand(number.to_string()))
    }

    fn visit_bool<E: de::Error>(self, truth: bool) -> Result<Operand, E> {
        Ok(Operand(truth.to_string()))
    }
}
