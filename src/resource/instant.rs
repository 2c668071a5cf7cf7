//! Instants as fields of resources: to the second where the published reference has them, and more exactly elsewhere.

use super::FieldType;
use crate::{http::list::Kind, time};
use chrono::{DateTime, Utc};
use serde::{Serialize, Serializer};
use utoipa::openapi::{KnownFormat, ObjectBuilder, Schema, SchemaFormat, schema::Type};

/// An instant in an answer, in whole seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, sqlx::Type)]
#[sqlx(transparent)]
pub struct Seconds(pub DateTime<Utc>);

/// An instant in an answer, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, sqlx::Type)]
#[sqlx(transparent)]
pub struct Milliseconds(pub DateTime<Utc>);

impl Serialize for Seconds {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        time::seconds(&self.0, serializer)
    }
}

impl Serialize for Milliseconds {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        time::milliseconds(&self.0, serializer)
    }
}

fn instant() -> Schema {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)))
        .into()
}

/// An instant of the reference.
impl FieldType for DateTime<Utc> {
    type Shown = Seconds;
    const KIND: Option<Kind> = Some(Kind::Time);

    fn takes() -> Schema {
        instant()
    }
}

/// An instant that the reference does not have.
pub struct Exact;

impl FieldType for Exact {
    type Shown = Milliseconds;
    const KIND: Option<Kind> = Some(Kind::Time);

    fn takes() -> Schema {
        instant()
    }
}
