//! What a resource is associated with: one that it points at, members of its sets, and what points
//! at it.

use super::{Set, Spec, camel, reach};
use crate::error::{Error, Result};
use serde_json::value::RawValue;
use sqlx::{PgPool, Postgres, QueryBuilder};

/// Something that can be asked for by its name behind a resource's id.
#[derive(Clone, Copy, Debug)]
pub enum Association {
    /// The one that a column points at.
    One {
        /// The column.
        column: &'static str,
        /// What it points at.
        target: &'static Spec,
    },
    /// Any number.
    Many(Many),
}

/// How many others are found.
#[derive(Clone, Copy, Debug)]
pub enum Many {
    /// By pairs of ids.
    Paired(&'static Set),
    /// By an expression of theirs that is the resource's id.
    Pointing {
        /// The expression, over `this`.
        column: &'static str,
        /// What points.
        target: &'static Spec,
    },
}

impl Association {
    /// What is on the other side.
    pub fn target(&self) -> &'static Spec {
        match self {
            Self::One { target, .. } | Self::Many(Many::Pointing { target, .. }) => target,
            Self::Many(Many::Paired(set)) => (set.target)(),
        }
    }
}

impl Set {
    /// What it is called as an association.
    pub fn alias(&self) -> String {
        self.alias.map_or_else(|| camel(self.name), str::to_owned)
    }
}

impl Many {
    /// Restricts rows of the target to those associated with `parent`.
    pub fn push(self, sql: &mut QueryBuilder<Postgres>, parent: i64) {
        match self {
            Self::Paired(set) => {
                sql.push("(this.id IN (SELECT pair.").push(set.other).push(" FROM ").push(set.table);
                sql.push(" pair WHERE pair.").push(set.own).push(" = ").push_bind(parent).push(")");
                if set.has_its_own {
                    sql.push(" OR this.").push(set.own).push(" = ").push_bind(parent);
                }
                sql.push(")");
            }
            Self::Pointing { column, .. } => {
                sql.push(column).push(" = ").push_bind(parent);
            }
        }
    }
}

/// All that can be asked for, by name. What is a part of something else has none of its own.
pub fn of(spec: &'static Spec) -> Vec<(String, Association)> {
    if spec.parent.is_some() {
        return Vec::new();
    }
    let ones = spec.named().filter_map(|(field, name)| {
        let target = field.target?();
        Some((name.to_owned(), Association::One { column: field.column, target }))
    });
    let sets =
        spec.sets.iter().chain(spec.views).map(|set| (set.alias(), Association::Many(Many::Paired(set))));
    let backward = spec.backward.iter().map(|back| {
        let many = Many::Pointing { column: back.column, target: (back.target)() };
        (camel(back.name), Association::Many(many))
    });
    ones.chain(sets).chain(backward).collect()
}

/// The one that `parent` points at, if `group` sees it.
pub async fn one(
    db: &PgPool,
    spec: &'static Spec,
    association: &Association,
    group: i64,
    parent: i64,
) -> Result<Box<RawValue>> {
    let Association::One { column, target } = association else {
        return Err(Error::fault("not an association with one"));
    };
    let mut sql = QueryBuilder::<Postgres>::new("SELECT ");
    sql.push(target.listing().select).push(" FROM ").push(target.listing().from);
    sql.push(" WHERE this.id = (SELECT ").push(*column).push(" FROM ").push(spec.ever.unwrap_or(spec.table));
    sql.push(" WHERE id = ").push_bind(parent).push(") AND ");
    reach::readable(&mut sql, target, group);
    let row = sql.build().fetch_optional(db).await?.ok_or(Error::NotFound(target.noun))?;
    Ok((target.show)(&row)?)
}
