//! What a field may point at: something that the caller sees, and that the row's own group has to
//! do with.

use super::{Columns, Reach, Set, Spec, camel, reach};
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

/// Returns those of `ids` that the caller may put into a set of `row`, or that are in it already. That they are
/// seen is for [`known`] to say.
pub async fn joinable(
    db: &mut PgConnection,
    set: &Set,
    row: i64,
    ids: &[i64],
    who: Pointing,
) -> Result<HashSet<i64>> {
    if set.are_mentioned {
        return Ok(ids.iter().copied().collect());
    }
    let target = (set.target)();
    let mut sql = QueryBuilder::<Postgres>::new("SELECT this.id FROM ");
    sql.push(target.table).push(" this WHERE this.id = ANY(").push_bind(ids).push(") AND ");
    reach::writable(&mut sql, target, who.caller);
    sql.push(" UNION SELECT ").push(set.other).push(" FROM ").push(set.table).push(" WHERE ");
    sql.push(set.own).push(" = ").push_bind(row).push(" AND ").push(set.other).push(" = ANY(");
    sql.push_bind(ids).push(")");
    Ok(sql.build_query_scalar().fetch_all(db).await?.into_iter().collect())
}

/// Returns why the caller may not make or part a pair with something that it only sees.
pub fn above(target: &'static Spec) -> String {
    format!("this {} belongs to a group above yours", target.noun)
}

/// Refuses (422) members of a set of `row` that may not be in it.
pub async fn check_set(db: &mut PgConnection, set: &Set, row: i64, ids: &[i64], who: Pointing) -> Result<()> {
    let target = (set.target)();
    let known = known(db, target, ids, who).await?;
    let joinable = joinable(db, set, row, ids, who).await?;
    let mut issues = Vec::new();
    for (index, id) in ids.iter().enumerate() {
        let pointer = format!("/{}/{index}", camel(set.name));
        if !known.contains(id) {
            issues.push(nothing(pointer, target));
        } else if !joinable.contains(id) {
            issues.push(Issue::at(pointer, above(target)));
        }
    }
    if issues.is_empty() { Ok(()) } else { Err(Error::Invalid(issues)) }
}

/// That what is pointed at is nothing that may be.
pub fn nothing(pointer: impl Into<Cow<'static, str>>, target: &'static Spec) -> Issue {
    Issue::at(pointer, format!("is no {} that you see, or none that its group has to do with", target.noun))
}
