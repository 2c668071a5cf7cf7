//! What a field of a resource can be: how it is read, kept, shown, compared and documented.

use super::{Resource, Spec};
use crate::{
    http::list::Kind,
    text::{flaw, flaw_of_lines},
};
use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use std::marker::PhantomData;
use utoipa::openapi::{KnownFormat, ObjectBuilder, Schema, SchemaFormat, schema::Type};

/// Something that a field can be.
pub trait FieldType {
    /// What it is in an answer, and in a row.
    type Shown: Serialize;
    /// What lists compare it as, if they do.
    const KIND: Option<Kind>;
    /// Whether it can have no value.
    const NULLABLE: bool = false;
    /// Whether a creation may leave it out although it always has a value.
    const PRESET: bool = false;
    /// What it points at.
    const TARGET: Option<fn() -> &'static Spec> = None;

    /// What it is in a request.
    fn takes() -> Schema;

    /// What it is in an answer.
    fn shows() -> Schema {
        Self::takes()
    }

    /// The expression that shows what is compared by `sql`.
    fn select(sql: &str) -> String {
        sql.to_owned()
    }
}

fn whole() -> ObjectBuilder {
    ObjectBuilder::new()
        .schema_type(Type::Integer)
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::Int64)))
}

fn text() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String)
}

/// A field without a value is `null`.
impl<T: FieldType> FieldType for Option<T> {
    type Shown = Option<T::Shown>;
    const KIND: Option<Kind> = T::KIND;
    const NULLABLE: bool = true;
    const TARGET: Option<fn() -> &'static Spec> = T::TARGET;

    fn select(sql: &str) -> String {
        T::select(sql)
    }

    fn takes() -> Schema {
        T::takes()
    }

    fn shows() -> Schema {
        T::shows()
    }
}

/// A field that the database gives a value where a creation leaves it out.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(transparent)]
pub struct Preset<T>(pub T);

impl<T: FieldType> FieldType for Preset<T> {
    type Shown = T::Shown;
    const KIND: Option<Kind> = T::KIND;
    const PRESET: bool = true;
    const TARGET: Option<fn() -> &'static Spec> = T::TARGET;

    fn takes() -> Schema {
        T::takes()
    }

    fn shows() -> Schema {
        T::shows()
    }
}

/// Any whole number.
impl FieldType for i64 {
    type Shown = Self;
    const KIND: Option<Kind> = Some(Kind::Int);

    fn takes() -> Schema {
        whole().into()
    }
}

/// A whole number from `MIN` to `MAX`.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Whole<const MIN: i64, const MAX: i64>(pub i64);

impl<'de, const MIN: i64, const MAX: i64> Deserialize<'de> for Whole<MIN, MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = i64::deserialize(deserializer)?;
        if (MIN..=MAX).contains(&number) {
            Ok(Self(number))
        } else {
            Err(D::Error::custom(format_args!("must be from {MIN} to {MAX}")))
        }
    }
}

impl<const MIN: i64, const MAX: i64> FieldType for Whole<MIN, MAX> {
    type Shown = i64;
    const KIND: Option<Kind> = Some(Kind::Int);

    fn takes() -> Schema {
        whole().minimum(Some(MIN)).maximum(Some(MAX)).into()
    }

    fn shows() -> Schema {
        whole().into()
    }
}

/// An instant that is shown with the offset of the zone in its row's `time_zone`.
pub struct LocalTime;

impl FieldType for LocalTime {
    type Shown = String;
    const KIND: Option<Kind> = Some(Kind::Time);

    fn takes() -> Schema {
        DateTime::<Utc>::takes()
    }

    fn select(sql: &str) -> String {
        format!("local_time({sql}, this.time_zone)")
    }
}

/// Text that is only shown.
impl FieldType for String {
    type Shown = Self;
    const KIND: Option<Kind> = Some(Kind::Text);

    fn takes() -> Schema {
        text().into()
    }
}

/// Text of one line and at most `MAX` characters, which says something.
#[derive(Clone, Debug, Serialize)]
pub struct Text<const MAX: usize>(pub String);

/// What people call something.
pub type Name = Text<200>;

impl<'de, const MAX: usize> Deserialize<'de> for Text<MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text.trim().is_empty() {
            return Err(D::Error::custom("must not be empty"));
        }
        if let Some(flaw) = flaw(&text) {
            return Err(D::Error::custom(flaw));
        }
        if text.chars().count() > MAX {
            return Err(D::Error::custom(format_args!("must have at most {MAX} characters")));
        }
        Ok(Self(text))
    }
}

impl<const MAX: usize> FieldType for Text<MAX> {
    type Shown = String;
    const KIND: Option<Kind> = Some(Kind::Text);

    fn takes() -> Schema {
        text().min_length(Some(1)).max_length(Some(MAX)).into()
    }

    fn shows() -> Schema {
        text().into()
    }
}

/// Text that may have several lines, of at most 4,000 characters.
#[derive(Clone, Debug, Serialize)]
pub struct Note(pub String);

const NOTE_MAX_CHARS: usize = 4_000;

impl<'de> Deserialize<'de> for Note {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if let Some(flaw) = flaw_of_lines(&text) {
            return Err(D::Error::custom(flaw));
        }
        if text.chars().count() > NOTE_MAX_CHARS {
            return Err(D::Error::custom(format_args!("must have at most {NOTE_MAX_CHARS} characters")));
        }
        Ok(Self(text))
    }
}

impl FieldType for Note {
    type Shown = String;
    const KIND: Option<Kind> = Some(Kind::Text);

    fn takes() -> Schema {
        text().max_length(Some(NOTE_MAX_CHARS)).into()
    }

    fn shows() -> Schema {
        text().into()
    }
}

/// A machine's name in the network (RFC 1123, and underscores): not by digits alone, which are the number
/// of a gateway, and without the dot that DNS leaves out.
#[derive(Clone, Debug, Serialize)]
pub struct Hostname(pub String);

/// Returns `true` if a machine can be called so.
pub fn is_hostname(name: &str) -> bool {
    (1..=253).contains(&name.len())
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte))
}

impl<'de> Deserialize<'de> for Hostname {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        if !is_hostname(&name) || name.ends_with('.') {
            Err(D::Error::custom("must be a host name: a-z, 0-9, - . _"))
        } else if name.bytes().all(|byte| byte.is_ascii_digit()) {
            Err(D::Error::custom("must not be digits alone: those are the number of a gateway"))
        } else {
            Ok(Self(name))
        }
    }
}

impl FieldType for Hostname {
    type Shown = String;
    const KIND: Option<Kind> = Some(Kind::Text);

    fn takes() -> Schema {
        text().max_length(Some(253)).pattern(Some("^([A-Za-z]|[0-9]+[A-Za-z._-])[A-Za-z0-9._-]*$")).into()
    }

    fn shows() -> Schema {
        text().into()
    }
}

/// `true` or `false` in a request, 1 or 0 in an answer; a request may send what an answer showed.
#[derive(Clone, Copy, Debug, sqlx::Type)]
#[sqlx(transparent)]
pub struct Flag(pub bool);

impl Serialize for Flag {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u8(u8::from(self.0))
    }
}

impl<'de> Deserialize<'de> for Flag {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Sent {
            Bool(bool),
            Bit(u8),
        }
        match Sent::deserialize(deserializer) {
            Ok(Sent::Bool(value)) => Ok(Self(value)),
            Ok(Sent::Bit(bit @ 0..=1)) => Ok(Self(bit == 1)),
            _ => Err(D::Error::custom("must be true or false")),
        }
    }
}

impl FieldType for Flag {
    type Shown = Self;
    const KIND: Option<Kind> = Some(Kind::Bool);

    fn takes() -> Schema {
        ObjectBuilder::new().schema_type(Type::Boolean).into()
    }

    fn shows() -> Schema {
        ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(0)).maximum(Some(1)).into()
    }
}

/// A plain truth, which is only shown.
impl FieldType for bool {
    type Shown = Self;
    const KIND: Option<Kind> = Some(Kind::Bool);

    fn takes() -> Schema {
        ObjectBuilder::new().schema_type(Type::Boolean).into()
    }
}

/// The id of another resource.
pub struct Ref<T>(pub i64, PhantomData<fn() -> T>);

impl<T> Serialize for Ref<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_i64(self.0)
    }
}

impl<'de, T> Deserialize<'de> for Ref<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        i64::deserialize(deserializer).map(|id| Self(id, PhantomData))
    }
}

impl<T: Resource> FieldType for Ref<T> {
    type Shown = i64;
    const KIND: Option<Kind> = Some(Kind::Int);
    const TARGET: Option<fn() -> &'static Spec> = Some(T::spec);

    fn takes() -> Schema {
        whole().minimum(Some(1)).into()
    }

    fn shows() -> Schema {
        whole().into()
    }
}

/// A zone of the IANA time zone database.
impl FieldType for Tz {
    type Shown = String;
    const KIND: Option<Kind> = Some(Kind::Text);

    fn takes() -> Schema {
        text().examples(["Europe/Amsterdam"]).into()
    }
}

/// An angle of at most `MAX` degrees: a number in a request, text in an answer.
#[derive(Clone, Copy, Debug, sqlx::Type)]
#[sqlx(transparent)]
pub struct DegreesShown(pub f64);

impl Serialize for DegreesShown {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

/// See [`DegreesShown`].
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Degrees<const MAX: i32>(pub f64);

impl<'de, const MAX: i32> Deserialize<'de> for Degrees<MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let degrees = f64::deserialize(deserializer)?;
        if degrees.abs() <= f64::from(MAX) {
            Ok(Self(degrees))
        } else {
            Err(D::Error::custom(format_args!("must be from -{MAX} to {MAX}")))
        }
    }
}

impl<const MAX: i32> FieldType for Degrees<MAX> {
    type Shown = DegreesShown;
    const KIND: Option<Kind> = Some(Kind::Real);

    fn takes() -> Schema {
        ObjectBuilder::new().schema_type(Type::Number).minimum(Some(-MAX)).maximum(Some(MAX)).into()
    }

    fn shows() -> Schema {
        text().into()
    }
}

/// Declares an enum of words as something that a field can be.
macro_rules! words {
    ($(#[doc = $doc:literal])* $Name:ident { $($(#[doc = $wdoc:literal])* $Word:ident = $word:literal),* $(,)? }) => {
        $(#[doc = $doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, sqlx::Type)]
        #[sqlx(type_name = "text")]
        pub enum $Name {
            $($(#[doc = $wdoc])* #[serde(rename = $word)] #[sqlx(rename = $word)] $Word,)*
        }

        impl $Name {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$Word),*];

            /// What it is called in requests, answers and the database.
            pub const fn word(self) -> &'static str {
                match self {
                    $(Self::$Word => $word,)*
                }
            }
        }

        impl $crate::resource::FieldType for $Name {
            type Shown = Self;
            const KIND: Option<$crate::http::list::Kind> = Some($crate::http::list::Kind::Word(&[$($word),*]));

            fn takes() -> utoipa::openapi::Schema {
                utoipa::openapi::ObjectBuilder::new()
                    .schema_type(utoipa::openapi::schema::Type::String)
                    .enum_values(Some([$($word),*]))
                    .into()
            }
        }
    };
}

pub(crate) use words;
