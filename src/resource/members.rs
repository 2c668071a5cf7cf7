//! The sets of plain resources over HTTP, a member at a time.

use super::{
    Set, Spec,
    handlers::{Done, Place, id, parent_of, text},
    reach,
    reference::{self, Pointing},
    store,
};
use crate::{
    app::App,
    error::{Error, Result},
    http::{Caller, Json},
    idempotency::Creation,
    transaction,
};
use axum::{
    extract::State,
    http::StatusCode,
    routing::{self, MethodRouter},
};
use sqlx::{AssertSqlSafe, PgConnection, Postgres, QueryBuilder};

/// Adding a member to a set that the path names, and taking one out.
pub fn routes(spec: &'static Spec) -> MethodRouter<App> {
    routing::post(move |app: State<App>, caller: Caller, place: Place| add(app, spec, caller, place))
        .delete(move |app: State<App>, caller: Caller, place: Place| remove(app, spec, caller, place))
}

fn set(spec: &'static Spec, place: &Place) -> Result<&'static Set> {
    let alias = text(place, "alias").unwrap_or_default();
    spec.sets.iter().find(|set| set.alias() == alias).ok_or(Error::NotFound("association"))
}

async fn add(
    State(app): State<App>,
    spec: &'static Spec,
    caller: Caller,
    place: Place,
) -> Result<(StatusCode, Json<Done>)> {
    caller.may(spec.write)?;
    let (parent, id, set) = (parent_of(&place)?, id(&place)?, set(spec, &place)?);
    let target = (set.target)();
    let mut tx = Creation::begin(&app.db, app.clock.now()).await?;
    let owner = store::lock(&mut tx, spec, caller.group(), None, parent).await?;
    let who = Pointing { caller: caller.group(), owner };
    if !reference::known(&mut tx, target, &[id], who).await?.contains(&id) {
        return Err(Error::NotFound(target.noun));
    }
    if !reference::joinable(&mut tx, set, parent, &[id], who).await?.contains(&id) {
        return Err(Error::Forbidden(reference::above(target).into()));
    }
    let counted = format!("SELECT count(*) FROM {} WHERE {} = $1", set.table, set.own);
    let members: i64 = sqlx::query_scalar(AssertSqlSafe(counted)).bind(parent).fetch_one(&mut *tx).await?;
    if members >= store::MEMBERS_MAX as i64 {
        return Err(Error::Conflict(format!("it has {members} members, and that is the most").into()));
    }
    let enlisted =
        sqlx::query(AssertSqlSafe(store::enlistment(set))).bind(parent).bind([id]).execute(&mut *tx).await;
    // What was there a moment ago is gone.
    enlisted.map_err(|error| match error.as_database_error().and_then(sqlx::error::DatabaseError::code) {
        Some(code) if code == "23503" => Error::NotFound(target.noun),
        _ => error.into(),
    })?;
    tx.commit(StatusCode::CREATED, Done::of(id, target.noun, "added")).await
}

/// Returns why a member was not taken out: it is none, or none that the caller may take out.
async fn absent(db: &mut PgConnection, set: &Set, parent: i64, id: i64, group: i64) -> Result<Error> {
    let target = (set.target)();
    let mut sql = QueryBuilder::<Postgres>::new("SELECT EXISTS (SELECT FROM ");
    sql.push(set.table).push(" pair JOIN ").push(target.table).push(" this ON this.id = pair.");
    sql.push(set.other).push(" WHERE pair.").push(set.own).push(" = ").push_bind(parent);
    sql.push(" AND this.id = ").push_bind(id).push(" AND ");
    reach::readable(&mut sql, target, group);
    Ok(if sql.push(")").build_query_scalar().fetch_one(db).await? {
        Error::Forbidden(reference::above(target).into())
    } else {
        Error::NotFound(target.noun)
    })
}

async fn remove(
    State(app): State<App>,
    spec: &'static Spec,
    caller: Caller,
    place: Place,
) -> Result<Json<Done>> {
    caller.may(spec.write)?;
    let (parent, id, set) = (parent_of(&place)?, id(&place)?, set(spec, &place)?);
    let target = (set.target)();
    let mut tx = transaction::begin(&app.db).await?;
    store::lock(&mut tx, spec, caller.group(), None, parent).await?;
    let mut sql = QueryBuilder::<Postgres>::new("DELETE FROM ");
    sql.push(set.table).push(" WHERE ").push(set.own).push(" = ").push_bind(parent);
    sql.push(" AND ").push(set.other).push(" IN (SELECT this.id FROM ");
    sql.push(target.table).push(" this WHERE this.id = ").push_bind(id).push(" AND ");
    if set.are_mentioned {
        reach::readable(&mut sql, target, caller.group());
    } else {
        reach::writable(&mut sql, target, caller.group());
    }
    if sql.push(")").build().execute(&mut *tx).await?.rows_affected() == 0 {
        return Err(absent(&mut tx, set, parent, id, caller.group()).await?);
    }
    tx.commit().await?;
    Ok(Done::json(id, target.noun, "removed"))
}
