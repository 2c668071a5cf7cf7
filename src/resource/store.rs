//! The statements of plain resources: columns from declarations, values as one JSON document that
//! Postgres takes apart in the columns' own types.

use super::{
    Columns, Mode, Set, Spec, camel, reach,
    reference::{self, Pointing},
};
use crate::{
    error::{Error, Issue, Result},
    transaction,
};
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::{Value, value::RawValue};
use sqlx::{AssertSqlSafe, PgConnection, PgPool, Postgres, QueryBuilder, error::DatabaseError};

/// Ids that a refusal names of what points at something.
const POINTING_SHOWN: usize = 5;

/// The most members that a set can be given.
pub const MEMBERS_MAX: usize = 10_000;

/// What was read from a body, by column.
pub fn columns(input: impl Serialize) -> Result<Columns> {
    match serde_json::to_value(input).map_err(Error::fault)? {
        Value::Object(columns) => Ok(columns),
        _ => Err(Error::fault("a body that is no object")),
    }
}

/// Who changes something, and when.
#[derive(Clone, Copy, Debug)]
pub struct Author {
    /// The caller's group.
    pub group: i64,
    /// The present.
    pub now: DateTime<Utc>,
}

/// Creates a row, as a part of `parent` if it is one, and returns its id.
pub async fn insert(
    db: &mut PgConnection,
    spec: &'static Spec,
    author: Author,
    parent: Option<i64>,
    mut columns: Columns,
) -> Result<i64> {
    if columns.remove("id").is_some() {
        return Err(Error::invalid("/id", "is given by the server"));
    }
    let missing =
        spec.named().filter(|(field, _)| field.is_required() && !columns.contains_key(field.column));
    let missing: Vec<Issue> = missing.map(|(_, name)| Issue::at(format!("/{name}"), "is required")).collect();
    if !missing.is_empty() {
        return Err(Error::Invalid(missing));
    }
    let sets = take_sets(spec, &mut columns)?;
    let owner = match (spec.parent.as_ref(), parent) {
        (Some(of), Some(parent)) => {
            let owner = lock(db, (of.target)(), author.group, None, parent).await?;
            if columns.insert(of.column.to_owned(), parent.into()).is_some_and(|given| given != parent) {
                return Err(Error::invalid(
                    format!("/{}", camel(of.column)),
                    "is another one than the path's",
                ));
            }
            owner
        }
        _ => own(db, author.group, &mut columns).await?,
    };
    let who = Pointing { caller: author.group, owner };
    reference::check(db, spec, &columns, who).await?;
    let sql = insertion(spec, columns.keys().map(String::as_str));
    let inserted = sqlx::query_scalar(AssertSqlSafe(sql)).bind(Value::Object(columns)).bind(author.now);
    let id = inserted.fetch_one(&mut *db).await.map_err(|error| refused(spec, error))?;
    for (set, ids) in sets {
        replace(db, set, id, &ids, who).await?;
    }
    Ok(id)
}

/// The group that a new row is to belong to: the caller's, or the one below it that was asked for.
async fn own(db: &mut PgConnection, group: i64, columns: &mut Columns) -> Result<i64> {
    let owner = columns.entry("user_group").or_insert_with(|| group.into()).as_i64().unwrap_or(group);
    let below = "SELECT EXISTS (SELECT FROM user_group_tree WHERE ancestor = $1 AND descendant = $2)";
    if owner == group || sqlx::query_scalar(below).bind(group).bind(owner).fetch_one(db).await? {
        Ok(owner)
    } else {
        Err(Error::invalid("/userGroup", "is not your user group, nor one below it"))
    }
}

/// Changes the columns that are given.
pub async fn update(
    db: &mut PgConnection,
    spec: &'static Spec,
    author: Author,
    parent: Option<i64>,
    id: i64,
    mut columns: Columns,
) -> Result<()> {
    if columns.remove("id").is_some_and(|given| given != id) {
        return Err(Error::invalid("/id", "is another id than the path's"));
    }
    let fixed =
        spec.named().filter(|(field, _)| field.mode == Mode::Once && columns.contains_key(field.column));
    let fixed: Vec<Issue> = fixed
        .map(|(_, name)| Issue::at(format!("/{name}"), "is set on creation and stays as it is"))
        .collect();
    if !fixed.is_empty() {
        return Err(Error::Invalid(fixed));
    }
    let sets = take_sets(spec, &mut columns)?;
    let owner = lock(db, spec, author.group, parent, id).await?;
    let who = Pointing { caller: author.group, owner };
    reference::check(db, spec, &columns, who).await?;
    let sql = change(spec, columns.keys().map(String::as_str));
    let changed = sqlx::query(AssertSqlSafe(sql)).bind(id).bind(Value::Object(columns)).bind(author.now);
    changed.execute(&mut *db).await.map_err(|error| refused(spec, error))?;
    for (set, ids) in sets {
        replace(db, set, id, &ids, who).await?;
    }
    Ok(())
}

/// Locks a row that `group` may change, and returns whose it is: 404 if it sees none, 403 if it only
/// sees it.
pub async fn lock(
    db: &mut PgConnection,
    spec: &'static Spec,
    group: i64,
    parent: Option<i64>,
    id: i64,
) -> Result<i64> {
    let mut sql = QueryBuilder::<Postgres>::new("SELECT ");
    sql.push(spec.owner).push(" FROM ").push(spec.table).push(" this WHERE ");
    push_place(&mut sql, spec, parent, Some(id));
    sql.push(" AND ");
    reach::writable(&mut sql, spec, group);
    sql.push(" FOR NO KEY UPDATE OF this");
    if let Some(owner) = sql.build_query_scalar().fetch_optional(&mut *db).await? {
        return Ok(owner);
    }
    let mut sql = QueryBuilder::<Postgres>::new("SELECT EXISTS (SELECT FROM ");
    sql.push(spec.table).push(" this ").push(spec.joins).push(" WHERE ");
    push_place(&mut sql, spec, parent, Some(id));
    sql.push(" AND ");
    reach::readable(&mut sql, spec, group);
    sql.push(")");
    if sql.build_query_scalar().fetch_one(db).await? {
        Err(Error::Forbidden(format!("this {} belongs to a group above yours", spec.noun).into()))
    } else {
        Err(Error::NotFound(spec.noun))
    }
}

/// Deletes a row that nothing points at.
pub async fn delete(
    db: &PgPool,
    spec: &'static Spec,
    group: i64,
    parent: Option<i64>,
    id: i64,
) -> Result<()> {
    let mut tx = transaction::begin(db).await?;
    lock(&mut tx, spec, group, parent, id).await?;
    let sql = format!("DELETE FROM {} WHERE id = $1", spec.table);
    match sqlx::query(AssertSqlSafe(sql)).bind(id).execute(&mut *tx).await {
        Ok(_) => Ok(tx.commit().await?),
        Err(error) => {
            tx.rollback().await?;
            Err(pointed_at(db, error, id).await?)
        }
    }
}

/// One row as it is shown, if `group` sees it.
pub async fn find(
    db: impl sqlx::PgExecutor<'_>,
    spec: &'static Spec,
    group: i64,
    parent: Option<i64>,
    id: i64,
) -> Result<Box<RawValue>> {
    let listing = spec.listing_ever();
    let mut sql = QueryBuilder::<Postgres>::new("SELECT ");
    sql.push(listing.select).push(" FROM ").push(listing.from).push(" WHERE ");
    push_place(&mut sql, spec, parent, Some(id));
    sql.push(" AND ");
    reach::readable(&mut sql, spec, group);
    let row = sql.build().fetch_optional(db).await?.ok_or(Error::NotFound(spec.noun))?;
    Ok((spec.show)(&row)?)
}

/// Restricts rows to those of a parent, and to one id.
pub fn push_place(
    sql: &mut QueryBuilder<Postgres>,
    spec: &'static Spec,
    parent: Option<i64>,
    id: Option<i64>,
) {
    sql.push("true");
    if let Some(id) = id {
        sql.push(" AND this.id = ").push_bind(id);
    }
    if let (Some(of), Some(parent)) = (&spec.parent, parent) {
        sql.push(" AND this.").push(of.column).push(" = ").push_bind(parent);
    }
}

/// Takes the sets out of what was read.
fn take_sets(spec: &'static Spec, columns: &mut Columns) -> Result<Vec<(&'static Set, Vec<i64>)>> {
    let mut sets = Vec::new();
    for set in spec.sets {
        let Some(ids) = columns.remove(set.name) else { continue };
        let ids: Vec<i64> = serde_json::from_value(ids).map_err(Error::fault)?;
        if ids.len() > MEMBERS_MAX {
            return Err(Error::invalid(
                format!("/{}", camel(set.name)),
                format!("must have at most {MEMBERS_MAX} members"),
            ));
        }
        sets.push((set, ids));
    }
    Ok(sets)
}

/// Replaces the sets that are among `columns` of a row that is changed by handlers of its own.
pub async fn replace_sets(
    db: &mut PgConnection,
    spec: &'static Spec,
    id: i64,
    mut columns: Columns,
    who: Pointing,
) -> Result<()> {
    for (set, ids) in take_sets(spec, &mut columns)? {
        replace(db, set, id, &ids, who).await?;
    }
    Ok(())
}

/// Makes a set of the row `id` consist of `ids`, as far as the caller may change what is in it.
async fn replace(db: &mut PgConnection, set: &Set, id: i64, ids: &[i64], who: Pointing) -> Result<()> {
    let target = (set.target)();
    reference::check_set(db, set, id, ids, who).await?;
    let mut sql = QueryBuilder::<Postgres>::new("DELETE FROM ");
    sql.push(set.table).push(" WHERE ").push(set.own).push(" = ").push_bind(id);
    sql.push(" AND ").push(set.other).push(" <> ALL(").push_bind(ids).push(") AND ").push(set.other);
    sql.push(" IN (SELECT this.id FROM ").push(target.table).push(" this WHERE ");
    if set.are_mentioned {
        reach::readable(&mut sql, target, who.caller);
    } else {
        reach::writable(&mut sql, target, who.caller);
    }
    sql.push(")").build().execute(&mut *db).await?;
    let sql = enlistment(set);
    let enlisted = sqlx::query(AssertSqlSafe(sql)).bind(id).bind(ids).execute(db).await;
    // What was there a moment ago is gone.
    enlisted.map(drop).map_err(|error| match error.as_database_error().and_then(DatabaseError::code) {
        Some(code) if code == "23503" => {
            Error::invalid(format!("/{}", camel(set.name)), format!("names a {} that is gone", target.noun))
        }
        _ => error.into(),
    })
}

/// Adds members to a set: `$1` is its row, `$2` are they.
pub fn enlistment(set: &Set) -> String {
    let Set { table, own, other, .. } = set;
    // In order, so that two who add the same do not wait for each other.
    format!(
        "INSERT INTO {table} ({own}, {other})
         SELECT $1, id FROM unnest($2::bigint[]) id ORDER BY id ON CONFLICT DO NOTHING"
    )
}

/// Creates a row from the JSON document `$1` at the instant `$2`.
pub fn insertion<'a>(spec: &Spec, columns: impl Iterator<Item = &'a str>) -> String {
    let columns: Vec<&str> = columns.collect();
    let (table, names, values) = (spec.table, columns.join(", "), columns.join(", r."));
    format!(
        "INSERT INTO {table} ({names}, created_at, updated_at)
         SELECT r.{values}, $2, $2 FROM jsonb_populate_record(NULL::{table}, $1) r RETURNING id"
    )
}

/// Changes columns of the row `$1` to what the JSON document `$2` has, at the instant `$3`.
pub fn change<'a>(spec: &Spec, columns: impl Iterator<Item = &'a str>) -> String {
    let table = spec.table;
    let sets: String = columns.flat_map(|column| [column, " = r.", column, ", "]).collect();
    format!(
        "UPDATE {table} this SET {sets}updated_at = $3
         FROM jsonb_populate_record(NULL::{table}, $2) r WHERE this.id = $1"
    )
}

/// What a statement ran into, in the client's terms.
fn refused(spec: &'static Spec, error: sqlx::Error) -> Error {
    let Some(found) = error.as_database_error() else { return error.into() };
    let constraint = found.constraint().unwrap_or_default();
    match found.code().as_deref() {
        Some("23505") => {
            let detail = found
                .try_downcast_ref::<sqlx::postgres::PgDatabaseError>()
                .and_then(sqlx::postgres::PgDatabaseError::detail)
                .unwrap_or_default();
            let names = columns_in(detail).map(camel).collect::<Vec<_>>().join(" and ");
            Error::Conflict(format!("another {} has this {names}", spec.noun).into())
        }
        Some("23503") => {
            let pointing =
                spec.named().find(|(field, _)| constraint == format!("{}_{}_fkey", spec.table, field.column));
            match pointing {
                Some((_, name)) => Error::invalid(format!("/{name}"), "names something that is gone"),
                None => error.into(),
            }
        }
        _ => error.into(),
    }
}

/// Returns the columns that the detail of a violation names, but for those that say whose a row is:
/// `Key (lower(hostname), tenant)=(vm-1, 2) already exists.`
fn columns_in(detail: &str) -> impl Iterator<Item = &str> {
    let key = detail.split_once(")=(").map_or("", |(key, _)| key);
    let columns = key.strip_prefix("Key (").unwrap_or_default().split(", ");
    columns
        .map(|column| column.strip_prefix("lower(").map_or(column, |column| column.trim_end_matches(')')))
        .filter(|column| !["user_group", "tenant"].contains(column))
}

/// What stopped the row `id` from being deleted: what points at it, if that is what it was.
async fn pointed_at(db: &PgPool, error: sqlx::Error, id: i64) -> Result<Error> {
    const COLUMN: &str = "
        SELECT format('%s', c.conrelid::regclass), format('%I', a.attname)
        FROM pg_constraint c JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = c.conkey[1]
        WHERE c.conname = $1 AND c.contype = 'f'";
    let found = error.as_database_error().filter(|found| found.code().as_deref() == Some("23503"));
    let Some(constraint) = found.and_then(|found| found.constraint()) else { return Ok(error.into()) };
    let (table, column): (String, String) = sqlx::query_as(COLUMN).bind(constraint).fetch_one(db).await?;
    // Both names come from the catalogue, quoted where they have to be.
    let sql = format!("SELECT id FROM {table} WHERE {column} = $1 ORDER BY id LIMIT {}", POINTING_SHOWN + 1);
    let ids: Vec<i64> = sqlx::query_scalar(AssertSqlSafe(sql)).bind(id).fetch_all(db).await?;
    let shown: Vec<String> = ids.iter().take(POINTING_SHOWN).map(i64::to_string).collect();
    let more = if ids.len() > POINTING_SHOWN { " and more" } else { "" };
    let noun = table.replace('_', " ");
    Ok(Error::Conflict(format!("it is still used by {noun} {}{more}", shown.join(", ")).into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_violation_is_told_by_its_columns() {
        for (detail, columns) in [
            ("Key (lower(hostname), tenant)=(vm-1, 2) already exists.", vec!["hostname"]),
            ("Key (gateway, tenant)=(7, 2) already exists.", vec!["gateway"]),
            (
                "Key (user_group, machine_type, error)=(1, 2, jam)=() already exists.",
                vec!["machine_type", "error"],
            ),
        ] {
            assert_eq!(columns_in(detail).collect::<Vec<_>>(), columns);
        }
    }
}
