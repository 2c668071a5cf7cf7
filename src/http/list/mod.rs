//! The list query: `limit`, `skip`, `after`, `sort` and `where[<col>][<op>]`, one mechanism for every list.
//!
//! A list declares its columns in a [`Listing`]. [`params`] reads what the client asked against that
//! declaration, without I/O; [`sql`] turns the result into one statement in which every value is bound.
//!
//! ```ignore
//! async fn list(State(app): State<App>, caller: Caller, params: ListParams) -> Result<Response> {
//!     let query = params.over(&CAMPAIGNS)?;
//!     let reading = app.reads.list(caller.group()).await?;
//!     let below = Below::of(&*reading, caller.group()).await?;
//!     let scope = |sql: &mut _| belongs_to(sql, "c.user_group", &below);
//!     query.answer(&app, reading, scope, rows::<Campaign>).await
//! }
//! ```
//!
//! With a limit the answer is a page; without one it is the [`whole`] list, however long, as it is read.

mod condition;
mod follow;
mod page;
pub mod params;
mod show;
pub mod sql;
pub mod value;
mod whole;

pub use follow::Ids;
pub use page::ExportParams;
pub use params::{ListParams, ListQuery};
pub use show::{Show, rows};
pub use sql::{Below, belongs_to};

/// What a list is made of.
#[derive(Debug)]
pub struct Listing {
    /// The columns of the `SELECT`, one of which is called `id`.
    pub select: &'static str,
    /// What stands behind `FROM`.
    pub from: &'static str,
    /// How the ids of its rows come about.
    pub ids: Ids,
    /// What clients can filter and sort by; the first is the id, which is the default order.
    pub columns: &'static [Column],
    /// The default order, where that is another.
    pub order: Option<&'static str>,
}

/// A column that clients can filter and sort by.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    /// Its name in the API.
    pub name: &'static str,
    /// Its expression in SQL.
    pub sql: &'static str,
    /// What its values are.
    pub kind: Kind,
}

impl Column {
    /// `name` in the API is `sql` in the database, and holds values of `kind`.
    pub const fn new(name: &'static str, sql: &'static str, kind: Kind) -> Self {
        Self { name, sql, kind }
    }
}

/// What the values of a column are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A whole number (`bigint`).
    Int,
    /// A number (`double precision`).
    Real,
    /// Any text.
    Text,
    /// A UUID.
    Uuid,
    /// An instant that is shown in whole seconds; a date means its midnight in UTC.
    Time,
    /// The same, shown in milliseconds.
    Instant,
    /// A date or an instant, compared as instants.
    Moment {
        /// The expression of the zone that the row's dates are of.
        zone: &'static str,
        /// Whether a date means the end of its day, not the start.
        ends: bool,
    },
    /// `true` or `false`.
    Bool,
    /// One of these words.
    Word(&'static [&'static str]),
}

/// Rows of a page at most.
pub const LIMIT_MAX: i64 = 100;

impl Listing {
    /// The column that clients call `name`.
    pub fn column(&self, name: &str) -> Option<&'static Column> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// The column that a page is continued by.
    pub(crate) fn id(&self) -> &'static Column {
        &self.columns[0]
    }
}
