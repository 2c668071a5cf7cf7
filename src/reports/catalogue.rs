//! The reports that there are: each a query, the row that it gives, and a title.
//!
//! The query is made of two files: one that gathers a period from sums and rows, and says what the
//! parameters are, and one that says what the report makes of it. Its columns are those of the row, in
//! order. All else follows from the declaration: the endpoint, JSON, CSV and the document.

use super::cover::Grain;

/// A report.
#[derive(Debug)]
pub struct Report {
    /// What it is called in paths.
    pub name: &'static str,
    /// What people call it: also its file.
    pub title: &'static str,
    /// What it says, in a sentence.
    pub doc: &'static str,
    /// Its query.
    pub sql: &'static str,
    /// The coarsest sums that it can be made of.
    pub grain: Grain,
    /// What a row of it has.
    pub row: &'static [Column],
}

/// A column of a report.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    /// Its name in JSON and CSV.
    pub name: &'static str,
    /// What its values are.
    pub kind: Kind,
    /// Whether a row can have none.
    pub nullable: bool,
    /// What it is, in a sentence.
    pub doc: &'static str,
}

/// What the values of a column are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Whole numbers.
    Int,
    /// Text.
    Text,
}

/// A whole number that every row has.
const fn int(name: &'static str, doc: &'static str) -> Column {
    Column { name, kind: Kind::Int, nullable: false, doc }
}

/// Text that every row has.
const fn text(name: &'static str, doc: &'static str) -> Column {
    Column { name, kind: Kind::Text, nullable: false, doc }
}

/// The same, if there is one.
const fn maybe(column: Column) -> Column {
    Column { nullable: true, ..column }
}

const CODE: Column = text("code", "What the machines sent.");
const IDENTITY: Column = maybe(int("erroridentity", "What it means, if anybody has said."));
const ERROR: Column = text("error", "What it is called in the caller's language.");
const PRODUCT: Column = maybe(int("productId", "The product, if it is known."));
const QUANTITY: Column = int("quantity", "How many.");
const REVENUE: Column = int("revenue", "What they brought in, in minor units.");
const CURRENCY: Column = text("currency", "The currency (ISO 4217): there is a row for each.");
const REPORT_GROUP: Column = maybe(text("reportGroup", "The group that their profile puts them in."));
const TYPE: Column = text("type", "What they count as: cash, card, virtual, voucher, token, test or other.");
const SHIFT: Column = maybe(int("shift", "The shift, if it was in one."));

/// All of them.
pub const REPORTS: &[Report] = &[
    Report {
        name: "issues",
        title: "Machine issues",
        doc: "How often machines had which issues and alarms, and for how long.",
        sql: concat!(include_str!("sql/events.sql"), include_str!("sql/issues.sql")),
        grain: Grain::Month,
        row: &[
            CODE,
            IDENTITY,
            ERROR,
            QUANTITY,
            int("duration", "Seconds that those lasted that have ended."),
        ],
    },
    Report {
        name: "alarms",
        title: "Machine alarms",
        doc: "How often machines raised which alarms.",
        sql: concat!(include_str!("sql/events.sql"), include_str!("sql/alarms.sql")),
        grain: Grain::Month,
        row: &[CODE, IDENTITY, ERROR, QUANTITY],
    },
    Report {
        name: "revenue",
        title: "Revenue by product",
        doc: "What each product brought in.",
        sql: concat!(include_str!("sql/sales.sql"), include_str!("sql/revenue.sql")),
        grain: Grain::Month,
        row: &[
            PRODUCT,
            text("name", "What it is called now, or was last."),
            maybe(text("internalRef", "What the operator's own books call it.")),
            REVENUE,
            QUANTITY,
            CURRENCY,
        ],
    },
    Report {
        name: "payments",
        title: "Payments by type",
        doc: "What came in by each type of payment.",
        sql: concat!(include_str!("sql/takings.sql"), include_str!("sql/payments.sql")),
        grain: Grain::Month,
        row: &[TYPE, QUANTITY, REVENUE, REPORT_GROUP, CURRENCY],
    },
    Report {
        name: "shiftpayments",
        title: "Payments by shift",
        doc: "What came in by each method and type of payment, shift by shift.",
        sql: concat!(include_str!("sql/takings.sql"), include_str!("sql/shiftpayments.sql")),
        grain: Grain::Day,
        row: &[
            maybe(text("location", "The name of the place, unless it is gone.")),
            text("payment", "The method: cash, card, code, virtual or token."),
            QUANTITY,
            REPORT_GROUP,
            REVENUE,
            SHIFT,
            TYPE,
            CURRENCY,
        ],
    },
    Report {
        name: "shiftproducts",
        title: "Products by shift",
        doc: "What each product brought in, shift by shift.",
        sql: concat!(include_str!("sql/sales.sql"), include_str!("sql/shiftproducts.sql")),
        grain: Grain::Day,
        row: &[
            SHIFT,
            PRODUCT,
            text("name", "What it is called now, or was last."),
            maybe(text("barcode", "What is printed on it.")),
            maybe(text("reportName", "What reports call it.")),
            QUANTITY,
            REVENUE,
            int("sum", "The same as `revenue`, by its other name."),
            CURRENCY,
        ],
    },
];
