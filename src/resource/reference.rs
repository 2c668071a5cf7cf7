//! What a field may point at: something that the caller sees, and that the row's own group has to
//! do with.

use super::{Columns, Reach, Spec, camel, reach};
use crate::error::{Error, Issue, Result};
use serde_json::Value;
use sqlx::{PgConnection, Postgres, QueryBuilder};
use std::{borrow::Cow, collections::HashSet};

/// Someone who points at things: for whom it is done, and whose the row is.
#[derive(Clone, Copy, Debug)]
pub struct Pointing {
    /// The caller's group.
    pub caller: i64,
    /// The row's group.
    pub owner: i64,
}

/// Which of `ids` may be pointed at.
pub async fn known(
    db: &mut PgConnection,
    target: &'static Spec,
    ids: &[i64],
    who: Pointing,
) -> Result<HashSet<i64>> {
    let mut sql = QueryBuilder::<Postgres>::new("SELECT this.id FROM ");
    sql.push(target.table).push(" this ").push(target.joins).push(" WHERE this.id = ANY(").push_bind(ids);
    sql.push(") AND ");
    reach::readable(&mut sql, target, who.caller);
    // What a group far above sees at once need not have to do with each other.
    if who.owner != who.caller && target.reach != Reach::World {
        sql.push(" AND (");
        reach::readable(&mut sql, target, who.owner);
        sql.push(" OR ");
        sql.push(target.owner)
            .push(" IN (SELECT ancestor FROM user_group_tree WHERE descendant = ")
            .push_bind(who.owner)
            .push("))");
    }
    Ok(sql.build_query_scalar().fetch_all(db).await?.into_iter().collect())
}

/// Refuses (422) fields that point at nothing that they may point at.
pub async fn check(
    db: &mut PgConnection,
    spec: &'static Spec,
    columns: &Columns,
    who: Pointing,
) -> Result<()> {
    let mut issues = Vec::new();
    for (field, name) in spec.named() {
        let Some(target) = field.target else { continue };
        let Some(id) = columns.get(field.column).and_then(Value::as_i64) else { continue };
        if !known(db, target(), &[id], who).await?.contains(&id) {
            issues.push(nothing(format!("/{name}"), target()));
        }
    }
    if issues.is_empty() { Ok(()) } else { Err(Error::Invalid(issues)) }
}

/// Refuses (422) members of a set that may not be in it.
pub async fn check_set(
    db: &mut PgConnection,
    name: &'static str,
    target: &'static Spec,
    ids: &[i64],
    who: Pointing,
) -> Result<()> {
    let known = known(db, target, ids, who).await?;
    let unknown = ids.iter().enumerate().filter(|(_, id)| !known.contains(id));
    let issues: Vec<Issue> =
        unknown.map(|(index, _)| nothing(format!("/{}/{index}", camel(name)), target)).collect();
    if issues.is_empty() { Ok(()) } else { Err(Error::Invalid(issues)) }
}

/// That what is pointed at is nothing that may be.
pub fn nothing(pointer: impl Into<Cow<'static, str>>, target: &'static Spec) -> Issue {
    Issue::at(pointer, format!("is no {} that you see, or none that its group has to do with", target.noun))
}
