//! Plain resources: one mechanism, described once a resource.
//!
//! A declaration ([`resource!`](crate::resource::resource)) says what a resource is called, where it is
//! kept, who may see it and which fields it has. Out of it come the row as a type, strict reading of
//! bodies, and a [`Spec`]: a row of data that five ordinary handlers work on. Listing, reading,
//! creating, changing, deleting, following associations, CSV and the `OpenAPI` document all read the
//! same `Spec`, so a declaration can't leave out the permission or the scope of a group, and each
//! handler is compiled once.
//!
//! - [`declare`]: the macro. [`field`]: what a field can be.
//! - [`reach`]: which rows a group sees, and which it may change.
//! - [`store`]: the statements. [`reference`](mod@reference): what a field may point at.
//! - [`handlers`], [`associations`], [`members`], [`export`]: over HTTP. [`describe`]: in the document.

pub mod associations;
pub mod declare;
pub mod describe;
pub mod export;
pub mod field;
pub mod handlers;
pub mod instant;
pub mod members;
pub mod reach;
pub mod reference;
pub mod store;

pub(crate) use declare::resource;
pub use field::{FieldType, Flag, Hostname, Name, Note, Preset, Ref, Text, Whole};
pub use handlers::routes;
pub use reach::Reach;

use crate::{
    app::App,
    error::Result,
    http::{
        Caller, Unread,
        caller::Permission,
        extract::JsonBytes,
        list::{Column, Ids, Kind, ListParams, Listing},
        written_back::{self, Absent},
    },
};
use serde_json::{Map, Value, value::RawValue};
use sqlx::postgres::PgRow;
use std::sync::LazyLock;
use utoipa::openapi::Schema;

/// A resource that was declared.
pub trait Resource {
    /// What was declared of it.
    fn spec() -> &'static Spec;
}

/// Names of columns, with what each is to be.
pub type Columns = Map<String, Value>;

/// What was declared of a resource.
#[derive(Debug)]
pub struct Spec {
    /// What one is called in messages: `machine model`.
    pub noun: &'static str,
    /// What it is called in the document: `MachineModel`.
    pub schema: &'static str,
    /// What it is, in a sentence.
    pub doc: &'static str,
    /// Its area in the document, and its name in exports: `machinemodel`.
    pub area: &'static str,
    /// Where its list is: `/machinemodel`.
    pub path: &'static str,
    /// The table that it is kept in, called `this` in every statement.
    pub table: &'static str,
    /// What its statements join beside its table.
    pub joins: &'static str,
    /// The view of what is kept and what was archived, if its rows go into an archive.
    pub ever: Option<&'static str>,
    /// The group that a row belongs to, as an expression.
    pub owner: &'static str,
    /// What it is a part of, if it has no group of its own.
    pub parent: Option<Parent>,
    /// Who sees it, besides its group and those above.
    pub reach: Reach,
    /// What it takes to see one.
    pub read: Permission,
    /// What it takes to change one.
    pub write: Permission,
    /// What can be done with it by the mechanism.
    pub does: Operations,
    /// Its fields, without the id and the times of its creation and last change.
    pub fields: &'static [Field],
    /// What it is associated with, many to many.
    pub sets: &'static [Set],
    /// The same, which is only looked at.
    pub views: &'static [Set],
    /// Others that point at it and are shown as its associations.
    pub backward: &'static [Backward],
    /// Reads a body strictly, into columns.
    pub take: fn(&[u8]) -> Result<Columns>,
    /// Returns `true` for the names of what a change can have.
    pub changes: fn(&str) -> bool,
    /// Shows a row through its type.
    pub show: fn(&PgRow) -> sqlx::Result<Box<RawValue>>,
    /// What is worked out once from the above.
    pub derived: LazyLock<Derived>,
}

impl Spec {
    /// Receives a body as columns, from a caller who may change the resource.
    pub async fn receive(
        &'static self,
        app: &App,
        caller: &Caller,
        body: Unread<JsonBytes>,
    ) -> Result<Columns> {
        let JsonBytes(body) = body.read(app, caller, self.write).await?;
        app.offload.run(caller.group(), body.len(), move || (self.take)(&body)).await
    }

    /// Receives a change of one, which can repeat what a read has shown of it.
    pub async fn receive_change(
        &'static self,
        app: &App,
        caller: &Caller,
        (parent, id): (Option<i64>, i64),
        absent: Absent,
        body: Unread<JsonBytes>,
    ) -> Result<Columns> {
        let body = body.read(app, caller, self.write).await?;
        let shown = async {
            caller.may(self.read)?;
            store::find(&app.db, self, caller.group(), parent, id).await
        };
        written_back::read(app, caller, body, (self.changes, absent, self.take), shown).await
    }
}

/// What a resource is a part of.
#[derive(Debug)]
pub struct Parent {
    /// The column that says of which one; also the name of the path's parameter.
    pub column: &'static str,
    /// What that is.
    pub target: fn() -> &'static Spec,
}

/// What can be done with a resource by the mechanism; the rest has handlers of its own.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is an operation")]
pub struct Operations {
    /// Page by page, all that the caller sees.
    pub list: bool,
    /// One by its id.
    pub read: bool,
    /// A new one.
    pub create: bool,
    /// Some fields of one.
    pub update: bool,
    /// One that nothing points at.
    pub delete: bool,
    /// Adding to its sets and taking from them, one by one.
    pub associate: bool,
    /// Answering a change with what it is then.
    pub answers: bool,
}

impl Operations {
    /// All five.
    pub const ALL: Self = Self {
        list: true,
        read: true,
        create: true,
        update: true,
        delete: true,
        associate: false,
        answers: false,
    };
    /// All five, and a change is answered with what it is then.
    pub const ANSWERING: Self = Self { answers: true, ..Self::ALL };
    /// Looking at them.
    pub const READ: Self = Self { create: false, update: false, delete: false, ..Self::ALL };
    /// All but looking at a single one.
    pub const NO_READ: Self = Self { read: false, ..Self::ALL };
    /// All but creating and changing one.
    pub const NO_CHANGE: Self = Self { create: false, update: false, ..Self::ALL };
    /// Deleting one.
    pub const DELETE: Self = Self { list: false, read: false, delete: true, ..Self::READ };
    /// None: it is only exported.
    pub const NOTHING: Self = Self { delete: false, ..Self::DELETE };
    /// All but creating one.
    pub const NO_CREATE: Self = Self { create: false, ..Self::ALL };
    /// The same, and its sets one by one.
    pub const ASSOCIATED: Self = Self { associate: true, ..Self::NO_CREATE };
}

/// When a field can be set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// On creation and later.
    Takes,
    /// On creation.
    Once,
    /// Never by clients, who find it by an index.
    Lists,
    /// Never by clients, who can look for it all the same.
    Shows,
}

/// A field of a resource.
#[derive(Debug)]
pub struct Field {
    /// Its column.
    pub column: &'static str,
    /// Its name in the API, where that is not the column's in camel case.
    pub named: Option<&'static str>,
    /// The expression that shows it, where it is not just the column.
    pub sql: Option<&'static str>,
    /// What it is, in a sentence.
    pub doc: &'static str,
    /// When it can be set.
    pub mode: Mode,
    /// What lists compare it as, if they do.
    pub kind: Option<Kind>,
    /// Whether it can have no value.
    pub nullable: bool,
    /// Whether a creation may leave it out although it always has a value.
    pub preset: bool,
    /// What it points at.
    pub target: Option<fn() -> &'static Spec>,
    /// The expression that shows what lists compare by another.
    pub select: fn(&str) -> String,
    /// What it is in a request.
    pub takes: fn() -> Schema,
    /// What it is in an answer.
    pub shows: fn() -> Schema,
    /// A value that it could have, as JSON.
    pub example: Option<&'static str>,
}

impl Field {
    /// Whether clients can set it at all.
    pub fn is_input(&self) -> bool {
        matches!(self.mode, Mode::Takes | Mode::Once)
    }

    /// Whether nothing can be created without it.
    pub fn is_required(&self) -> bool {
        self.is_input() && !self.nullable && !self.preset
    }
}

/// What a resource is associated with, many to many: given as ids, replaced as a whole.
#[derive(Debug)]
pub struct Set {
    /// Its name in columns; in the API the same in camel case.
    pub name: &'static str,
    /// Its name as an association, where that is another.
    pub alias: Option<&'static str>,
    /// What is in it, in a sentence.
    pub doc: &'static str,
    /// The table of pairs.
    pub table: &'static str,
    /// Its column for this side.
    pub own: &'static str,
    /// Its column for the other.
    pub other: &'static str,
    /// What is on the other.
    pub target: fn() -> &'static Spec,
    /// `true` where the other side is only named, as in a choice, so that seeing it is enough. Otherwise, being a
    /// pair means something for both sides, and whoever makes or parts one has to be allowed to change both.
    pub are_mentioned: bool,
    /// `true` where what belongs to a row is in its set without being put there.
    pub has_its_own: bool,
}

/// Rows of another resource that point at this one.
#[derive(Debug)]
pub struct Backward {
    /// Its name in the API.
    pub name: &'static str,
    /// What points.
    pub target: fn() -> &'static Spec,
    /// By which expression over its row.
    pub column: &'static str,
}

/// What is worked out once from a declaration.
#[derive(Debug)]
pub struct Derived {
    /// What lists of it are made of.
    pub listing: Listing,
    /// The same with what was archived.
    pub ever: Listing,
    /// The names of its fields in the API, in their order.
    pub names: Vec<&'static str>,
}

impl Derived {
    /// Works it out; what lives as long as the program is leaked once.
    pub fn of(spec: &'static Spec) -> Self {
        let names: Vec<&'static str> = spec
            .fields
            .iter()
            .map(|field| field.named.unwrap_or_else(|| &*camel(field.column).leak()))
            .collect();
        let expression = |field: &Field| match field.sql {
            Some(sql) => sql,
            None => format!("this.{}", field.column).leak(),
        };
        let mut select = vec!["this.id".to_owned()];
        let mut columns = vec![Column::new("id", "this.id", Kind::Int)];
        for (field, name) in spec.fields.iter().zip(&names) {
            let sql = expression(field);
            select.push(format!("{} AS {}", (field.select)(sql), field.column));
            columns.extend(field.kind.map(|kind| Column::new(name, sql, kind)));
        }
        select.push("this.created_at, this.updated_at".to_owned());
        columns.push(Column::new("createdAt", "this.created_at", Kind::Time));
        columns.push(Column::new("updatedAt", "this.updated_at", Kind::Time));
        let select: &str = select.join(", ").leak();
        let columns: &[Column] = columns.leak();
        let listing = |table: &str| {
            let from = format!("{table} this {}", spec.joins);
            Listing { select, from: from.leak(), ids: Ids::Sequence(spec.table), columns, order: None }
        };
        Self { listing: listing(spec.table), ever: listing(spec.ever.unwrap_or(spec.table)), names }
    }
}

impl Spec {
    /// What lists of it are made of.
    pub fn listing(&'static self) -> &'static Listing {
        &self.derived.listing
    }

    /// The same with what was archived, if anything ever is.
    pub fn listing_ever(&'static self) -> &'static Listing {
        &self.derived.ever
    }

    /// The listing for lists with a column of their own, by which they are sorted where nothing else is
    /// asked for. It lives as long as the program.
    pub fn listing_with(&'static self, joins: &str, order: &'static str) -> Listing {
        let Listing { select, from, ids, columns, .. } = self.listing();
        Listing { select, from: format!("{from} {joins}").leak(), ids: *ids, columns, order: Some(order) }
    }

    /// Which of the two a client asks for: takes `useArchive` out of the parameters of its list.
    pub fn listing_asked(&'static self, params: &mut ListParams) -> Result<&'static Listing> {
        let asked = self.ever.is_some() && params.take_flag("useArchive")?;
        Ok(if asked { self.listing_ever() } else { self.listing() })
    }

    /// Returns `true` for the name of a field or a set that a change can have.
    pub fn takes(&'static self, name: &str) -> bool {
        name == "id"
            || self.named().any(|(field, known)| known == name && field.mode == Mode::Takes)
            || self.sets.iter().any(|set| camel(set.name) == name)
    }

    /// Shows a row in a list of them.
    pub fn shown(&'static self) -> impl Fn(&PgRow) -> Result<Box<RawValue>> + Send + Sync + 'static {
        |row| Ok((self.show)(row)?)
    }

    /// Its fields with their names in the API.
    pub fn named(&'static self) -> impl Iterator<Item = (&'static Field, &'static str)> {
        self.fields.iter().zip(self.derived.names.iter().copied())
    }
}

/// A column's name as the API has it: `machine_type` is `machineType`.
pub fn camel(column: &str) -> String {
    let mut words = column.split('_');
    let first = words.next().unwrap_or_default().to_owned();
    words.fold(first, |name, word| {
        let (head, tail) = word.split_at(word.len().min(1));
        name + &head.to_ascii_uppercase() + tail
    })
}
