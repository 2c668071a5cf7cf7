//! The macro that a resource is declared with.

/// Declares a resource: its row as a type, and its [`Spec`](crate::resource::Spec).
///
/// ```ignore
/// resource! {
///     /// A maker of machines.
///     Manufacturer "manufacturer" at "/manufacturer" in "manufacturer";
///     may FleetRead, FleetWrite;
///     reach Downwards;
///     does ALL;
///     takes {
///         /// What people call it.
///         #[eg("\"Automaat BV\"")]
///         name: Name,
///     }
///     once {
///         /// Its user group: the caller's without it.
///         user_group: Preset<Ref<UserGroup>>,
///     }
///     sets {
///         /// Types of machine that it makes.
///         machine_types: MachineType = "manufacturer_machine_type" ("manufacturer", "machine_type"),
///     }
/// }
/// ```
///
/// `takes` can be set whenever, `once` on creation alone; `lists` and `shows` are read-only, and of a table with
/// years of rows the former have an index. Clients filter and sort by all of them. A field is a column of its own name, unless `= "…"` says which
/// expression shows it; `#[named("…")]` gives what is read-only a name that is not its column's in
/// camel case. `within column: Parent` makes it a part of something and `owner` says which group it
/// then belongs to. `from` joins tables that expressions speak of. `ever` names the view that has what
/// was archived too: lists read it on demand, and whoever asks for one by its id always does.
/// `#[alias("…")]` gives a set another name as an association; `views` are sets that are only looked at,
/// and `backward` names what points at it. Whoever puts something into a set has to be allowed to change it, unless
/// the set says that its members are `mentioned`: that they are in it then means nothing for them. A set of a user group
/// that says `owned` shows what belongs to the group as well. The table has `id`, `created_at` and `updated_at`.
macro_rules! resource {
    (
        $(#[doc = $doc:literal])*
        $Name:ident $noun:literal at $path:literal in $table:literal;
        $(area $area:literal;)?
        $(within $parent:ident : $Parent:ty;)?
        $(from $joins:literal;)?
        $(ever $ever:literal;)?
        $(owner $owner:literal;)?
        may $read:ident, $write:ident;
        reach $reach:ident $(($granted:literal))?;
        does $does:ident;
        $(takes { $($(#[doc = $tdoc:literal])* $(#[eg($teg:literal)])? $takes:ident : $Takes:ty $(= $tsql:literal)?),* $(,)? })?
        $(once { $($(#[doc = $odoc:literal])* $(#[eg($oeg:literal)])? $once:ident : $Once:ty $(= $osql:literal)?),* $(,)? })?
        $(lists { $($(#[doc = $ldoc:literal])* $(#[named($lname:literal)])? $(#[eg($leg:literal)])? $lists:ident : $Lists:ty $(= $lsql:literal)?),* $(,)? })?
        $(shows { $($(#[doc = $sdoc:literal])* $(#[named($sname:literal)])? $(#[eg($seg:literal)])? $shows:ident : $Shows:ty $(= $ssql:literal)?),* $(,)? })?
        $(sets { $($(#[doc = $set_doc:literal])* $(#[alias($alias:literal)])? $set:ident : $Set:ty = $via:literal ($own:literal, $other:literal) $($manner:ident)?),* $(,)? })?
        $(views { $($(#[doc = $view_doc:literal])* $view:ident : $View:ty = $view_via:literal ($view_own:literal, $view_other:literal)),* $(,)? })?
        $(backward { $($back:ident : $Back:ty = $column:literal),* $(,)? })?
    ) => {
        $(#[doc = $doc])*
        #[derive(Clone, Debug, serde::Serialize)]
        #[serde(rename_all = "camelCase")]
        pub struct $Name {
            /// Its id.
            pub id: i64,
            $($($(#[doc = $tdoc])* pub $takes: <$Takes as $crate::resource::FieldType>::Shown,)*)?
            $($($(#[doc = $odoc])* pub $once: <$Once as $crate::resource::FieldType>::Shown,)*)?
            $($($(#[doc = $ldoc])* $(#[serde(rename = $lname)])? pub $lists: <$Lists as $crate::resource::FieldType>::Shown,)*)?
            $($($(#[doc = $sdoc])* $(#[serde(rename = $sname)])? pub $shows: <$Shows as $crate::resource::FieldType>::Shown,)*)?
            /// When it was created.
            #[serde(serialize_with = "crate::time::seconds")]
            pub created_at: chrono::DateTime<chrono::Utc>,
            /// When it was last changed.
            #[serde(serialize_with = "crate::time::seconds")]
            pub updated_at: chrono::DateTime<chrono::Utc>,
        }

        impl sqlx::FromRow<'_, sqlx::postgres::PgRow> for $Name {
            fn from_row(row: &sqlx::postgres::PgRow) -> sqlx::Result<Self> {
                use sqlx::Row as _;
                Ok(Self {
                    id: row.try_get("id")?,
                    $($($takes: row.try_get($crate::resource::declare::column(stringify!($takes)))?,)*)?
                    $($($once: row.try_get($crate::resource::declare::column(stringify!($once)))?,)*)?
                    $($($lists: row.try_get($crate::resource::declare::column(stringify!($lists)))?,)*)?
                    $($($shows: row.try_get($crate::resource::declare::column(stringify!($shows)))?,)*)?
                    created_at: row.try_get("created_at")?,
                    updated_at: row.try_get("updated_at")?,
                })
            }
        }

        impl utoipa::PartialSchema for $Name {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
                $crate::resource::describe::shown(<$Name as $crate::resource::Resource>::spec()).into()
            }
        }

        impl utoipa::ToSchema for $Name {}

        impl $crate::resource::Resource for $Name {
            fn spec() -> &'static $crate::resource::Spec {
                use $crate::resource::{Derived, Mode, Operations, Reach, Spec};

                fn take(body: &[u8]) -> $crate::error::Result<$crate::resource::Columns> {
                    #[derive(serde::Deserialize, serde::Serialize)]
                    #[serde(deny_unknown_fields, default, rename_all(deserialize = "camelCase"))]
                    #[derive(Default)]
                    struct Input {
                        #[serde(deserialize_with = "crate::http::extract::present", skip_serializing_if = "Option::is_none")]
                        id: Option<i64>,
                        $($(
                            #[serde(deserialize_with = "crate::http::extract::present", skip_serializing_if = "Option::is_none")]
                            $takes: Option<$Takes>,
                        )*)?
                        $($(
                            #[serde(deserialize_with = "crate::http::extract::present", skip_serializing_if = "Option::is_none")]
                            $once: Option<$Once>,
                        )*)?
                        $($(
                            #[serde(deserialize_with = "crate::http::extract::present", skip_serializing_if = "Option::is_none")]
                            $set: Option<Vec<i64>>,
                        )*)?
                    }
                    $crate::resource::store::columns($crate::http::extract::parse::<Input>(body)?)
                }

                fn show(row: &sqlx::postgres::PgRow) -> sqlx::Result<Box<serde_json::value::RawValue>> {
                    let shown = <$Name as sqlx::FromRow<'_, _>>::from_row(row)?;
                    serde_json::value::to_raw_value(&shown).map_err(|error| sqlx::Error::Decode(error.into()))
                }

                static SPEC: Spec = Spec {
                    noun: $noun,
                    schema: stringify!($Name),
                    doc: concat!($($doc),*),
                    area: $crate::resource::declare::first!($($area,)? $table),
                    path: $path,
                    table: $table,
                    joins: concat!($($joins)?),
                    ever: $crate::resource::declare::option!($($ever)?),
                    owner: $crate::resource::declare::first!($($owner,)? "this.user_group"),
                    parent: $crate::resource::declare::option!($($crate::resource::Parent {
                        column: stringify!($parent),
                        target: <$Parent as $crate::resource::Resource>::spec,
                    })?),
                    reach: Reach::$reach $(($granted))?,
                    read: $crate::http::caller::Permission::$read,
                    write: $crate::http::caller::Permission::$write,
                    does: Operations::$does,
                    fields: &[
                        $($($crate::resource::declare::field!(
                            Mode::Takes, $takes, $Takes, (), concat!($($tdoc),*), ($($teg)?), ($($tsql)?)),)*)?
                        $($($crate::resource::declare::field!(
                            Mode::Once, $once, $Once, (), concat!($($odoc),*), ($($oeg)?), ($($osql)?)),)*)?
                        $($($crate::resource::declare::field!(
                            Mode::Lists, $lists, $Lists, ($($lname)?), concat!($($ldoc),*), ($($leg)?), ($($lsql)?)),)*)?
                        $($($crate::resource::declare::field!(
                            Mode::Shows, $shows, $Shows, ($($sname)?), concat!($($sdoc),*), ($($seg)?), ($($ssql)?)),)*)?
                    ],
                    sets: &[$($($crate::resource::declare::set!(
                        $set, concat!($($set_doc),*), ($($alias)?), $via, $own, $other, $Set, ($($manner)?)),)*)?],
                    views: &[$($($crate::resource::declare::set!(
                        $view, concat!($($view_doc),*), (), $view_via, $view_own, $view_other, $View, ()),)*)?],
                    backward: &[$($($crate::resource::Backward {
                        name: stringify!($back),
                        target: <$Back as $crate::resource::Resource>::spec,
                        column: $column,
                    },)*)?],
                    take,
                    changes: |name| SPEC.takes(name),
                    show,
                    derived: std::sync::LazyLock::new(|| Derived::of(&SPEC)),
                };
                &SPEC
            }
        }
    };
}

/// The column of a field: its name, which may be one that Rust has taken (`r#type`).
pub const fn column(name: &'static str) -> &'static str {
    match name.as_bytes() {
        [b'r', b'#', ..] => name.split_at(2).1,
        _ => name,
    }
}

/// One field of a declaration.
macro_rules! field {
    ($mode:expr, $name:ident, $Type:ty, ($($named:literal)?), $doc:expr, ($($example:literal)?), ($($sql:literal)?)) => {
        $crate::resource::Field {
            column: $crate::resource::declare::column(stringify!($name)),
            named: $crate::resource::declare::option!($($named)?),
            sql: $crate::resource::declare::option!($($sql)?),
            doc: $doc,
            mode: $mode,
            kind: <$Type as $crate::resource::FieldType>::KIND,
            nullable: <$Type as $crate::resource::FieldType>::NULLABLE,
            preset: <$Type as $crate::resource::FieldType>::PRESET,
            target: <$Type as $crate::resource::FieldType>::TARGET,
            select: <$Type as $crate::resource::FieldType>::select,
            takes: <$Type as $crate::resource::FieldType>::takes,
            shows: <$Type as $crate::resource::FieldType>::shows,
            example: $crate::resource::declare::option!($($example)?),
        }
    };
}

/// One set of a declaration.
macro_rules! set {
    ($name:ident, $doc:expr, ($($alias:literal)?), $table:literal, $own:literal, $other:literal, $Target:ty,
     ($($manner:ident)?)) => {
        $crate::resource::Set {
            name: stringify!($name),
            alias: $crate::resource::declare::option!($($alias)?),
            doc: $doc,
            table: $table,
            own: $own,
            other: $other,
            target: <$Target as $crate::resource::Resource>::spec,
            are_mentioned: matches!($crate::resource::declare::Manner::of(stringify!($($manner)?)), $crate::resource::declare::Manner::Mentioned),
            has_its_own: matches!($crate::resource::declare::Manner::of(stringify!($($manner)?)), $crate::resource::declare::Manner::Owned),
        }
    };
}

/// The relation of a set to its members, by the word behind it.
pub enum Manner {
    /// They are put in and taken out by whoever may change them.
    Shared,
    /// They are only named.
    Mentioned,
    /// Those that belong to the row are in it, too.
    Owned,
}

impl Manner {
    /// Returns the one of this word, which the compiler knows.
    pub const fn of(word: &str) -> Self {
        match word.as_bytes() {
            b"" => Self::Shared,
            b"mentioned" => Self::Mentioned,
            b"owned" => Self::Owned,
            _ => panic!("a set is mentioned, owned, or neither"),
        }
    }
}

/// What is there, if it is.
macro_rules! option {
    () => {
        None
    };
    ($value:expr) => {
        Some($value)
    };
}

/// The first of one or two.
macro_rules! first {
    ($first:expr $(, $rest:expr)*) => {
        $first
    };
}

pub(crate) use {field, first, option, resource, set};
