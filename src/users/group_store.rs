//! User groups in Postgres.

use super::{
    group::{UserGroupDraft, UserGroupPatch, check_name, check_permissions, names},
    reach,
};
use crate::{
    app::App,
    error::{Error, Result, violates},
    http::{
        Caller, Created, Json,
        caller::Permissions,
        list::{Below, ListParams},
    },
    idempotency::Creation,
    identity::{directory::UserGroup, groups},
    postgres::reads::Reading,
    resource::{
        Columns, Resource,
        reach::readable,
        reference::Pointing,
        store::{find, replace_sets},
    },
    security::{self, Event},
    transaction,
};
use axum::{http::StatusCode, response::Response};
use serde_json::json;
use sqlx::{PgConnection, PgPool, PgTransaction, Postgres, QueryBuilder};

const NOT_FOUND: Error = Error::NotFound("user group");

/// A group as far as its change depends on it.
#[derive(sqlx::FromRow)]
struct Stored {
    name: String,
    parent: Option<i64>,
    permissions: Option<Vec<String>>,
}

/// Begins a change of the tree.
async fn begin(db: &PgPool) -> Result<PgTransaction<'static>> {
    let mut tx = transaction::begin(db).await?;
    hold_tree(&mut tx).await?;
    Ok(tx)
}

/// Holds the tree, which changes one at a time: where a group may go depends on all above it.
async fn hold_tree(tx: &mut PgConnection) -> Result<()> {
    sqlx::query("LOCK TABLE user_group IN SHARE ROW EXCLUSIVE MODE").execute(tx).await?;
    Ok(())
}

/// Creates a group below a parent.
pub(super) async fn create(
    app: &App,
    caller: &Caller,
    draft: UserGroupDraft,
) -> Result<(StatusCode, Json<Created>)> {
    const SQL: &str = "
        INSERT INTO user_group (name, parent, permissions, created_at, updated_at)
        VALUES ($1, $2, $3, $4, $4) RETURNING id";
    check_name(&draft.name)?;
    let mut tx = Creation::begin(&app.db, app.clock.now()).await?;
    hold_tree(&mut tx).await?;
    let parents = parent_allows(&mut tx, caller, draft.parent).await?;
    check_permissions(draft.permissions.as_deref(), parents, caller.grant.permissions)?;
    let id = sqlx::query_scalar(SQL)
        .bind(draft.name.trim())
        .bind(draft.parent)
        .bind(draft.permissions.as_deref().map(names))
        .bind(app.clock.now())
        .fetch_one(&mut *tx)
        .await?;
    share(&mut tx, caller, id, Some(&draft.locations), Some(&draft.location_groups)).await?;
    let created = tx.commit(StatusCode::CREATED, Created { id }).await?;
    note(id);
    Ok(created)
}

fn note(group: i64) {
    security::note(Event::GroupChanged, None, None, &format!("user group {group}"));
}

/// Changes a group, and moves it with all below it.
pub(super) async fn update(app: &App, caller: &Caller, id: i64, patch: UserGroupPatch) -> Result<()> {
    const SQL: &str = "
        UPDATE user_group SET name = $2, parent = $3, permissions = $4, updated_at = $5 WHERE id = $1";
    if let Some(name) = &patch.name {
        check_name(name)?;
    }
    let mut tx = begin(&app.db).await?;
    let before = lock(&mut tx, caller, id).await?;
    let (parent, permissions) = place(&mut tx, caller, id, &before, &patch).await?;
    sqlx::query(SQL)
        .bind(id)
        .bind(patch.name.as_deref().map_or(before.name.as_str(), str::trim))
        .bind(parent)
        .bind(permissions)
        .bind(app.clock.now())
        .execute(&mut *tx)
        .await
        .map_err(refused_move)?;
    share(&mut tx, caller, id, patch.locations.as_deref(), patch.location_groups.as_deref()).await?;
    tx.commit().await?;
    app.access.on_notice("group", id);
    note(id);
    Ok(())
}

/// Shares these with a group, and nothing else that the caller sees; what is not given stays.
async fn share(
    tx: &mut PgConnection,
    caller: &Caller,
    id: i64,
    locations: Option<&[i64]>,
    location_groups: Option<&[i64]>,
) -> Result<()> {
    let given = [("locations", locations), ("location_groups", location_groups)];
    let columns: Columns =
        given.into_iter().filter_map(|(name, ids)| Some((name.to_owned(), json!(ids?)))).collect();
    let who = Pointing { caller: caller.group(), owner: id };
    replace_sets(tx, UserGroup::spec(), id, columns, who).await
}

/// Where a group is to be and what it is to allow, if it may.
async fn place(
    tx: &mut PgConnection,
    caller: &Caller,
    id: i64,
    before: &Stored,
    patch: &UserGroupPatch,
) -> Result<(Option<i64>, Option<Vec<String>>)> {
    let parent = patch.parent.or(before.parent);
    let list = patch.permissions.as_ref().map(Option::as_deref);
    let permissions = list.map_or_else(|| before.permissions.clone(), |list| list.map(names));
    let is_moved = parent != before.parent;
    let is_allowed_other = as_set(permissions.as_deref()) != as_set(before.permissions.as_deref());
    if !is_moved && !is_allowed_other {
        return Ok((parent, permissions));
    }
    if id == caller.group() {
        let pointer = if is_moved { "/parent" } else { "/permissions" };
        return Err(Error::invalid(pointer, "of your own group is for those above it to change"));
    }
    // A group that the caller reaches and that is not its own has a parent.
    let Some(above) = parent else { return Ok((parent, permissions)) };
    let parents = parent_allows(tx, caller, above).await?;
    if let Some(list) = list {
        check_permissions(list, parents, caller.grant.permissions)?;
    } else if !as_set(permissions.as_deref()).and(parents).within(caller.grant.permissions) {
        return Err(Error::invalid("/parent", "would allow the group more than you may do yourself"));
    }
    Ok((parent, permissions))
}

/// What a list allows by itself.
fn as_set(list: Option<&[String]>) -> Permissions {
    list.map_or(Permissions::ALL, Permissions::named)
}

async fn parent_allows(tx: &mut PgConnection, caller: &Caller, parent: i64) -> Result<Permissions> {
    reach::open_group(tx, caller, parent)
        .await?
        .ok_or(Error::invalid("/parent", "is not your group or one below it"))
}

fn refused_move(error: sqlx::Error) -> Error {
    if violates(&error, "user_group_acyclic") {
        Error::invalid("/parent", "is the group itself, or below it")
    } else if violates(&error, "machine_hostname_tenant") || violates(&error, "machine_gateway_tenant") {
        Error::invalid("/parent", "has machines with host names or gateways of machines of the group")
    } else {
        error.into()
    }
}

/// Switches a group off: keys of it are good no longer. It has to be empty.
pub(super) async fn delete(app: &App, caller: &Caller, id: i64) -> Result<()> {
    const SQL: &str = "
        UPDATE user_group SET disabled_at = COALESCE(disabled_at, $2), deleted = true, updated_at = $2 WHERE id = $1";
    if id == caller.group() {
        return Err(Error::Conflict("you can't delete your own group".into()));
    }
    let mut tx = begin(&app.db).await?;
    lock(&mut tx, caller, id).await?;
    if let Some(contents) = contents(&mut tx, id).await? {
        return Err(Error::Conflict(format!("the group still has {contents}").into()));
    }
    sqlx::query(SQL).bind(id).bind(app.clock.now()).execute(&mut *tx).await?;
    tx.commit().await?;
    app.access.on_notice("group", id);
    note(id);
    Ok(())
}

/// What keeps a group from being deleted, in words.
async fn contents(tx: &mut PgConnection, id: i64) -> Result<Option<String>> {
    const SQL: &str = "
        SELECT (SELECT count(*) FROM user_group WHERE parent = $1 AND NOT deleted),
               (SELECT count(*) FROM account WHERE user_group = $1 AND disabled_at IS NULL),
               (SELECT count(*) FROM machine WHERE user_group = $1)";
    let (groups, users, machines): (i64, i64, i64) = sqlx::query_as(SQL).bind(id).fetch_one(tx).await?;
    let counted = [(groups, "groups below it"), (users, "users"), (machines, "machines")];
    let told: Vec<_> = counted
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| format!("{what}: {count}"))
        .collect();
    Ok((!told.is_empty()).then(|| told.join(", ")))
}

/// A group that the caller reaches, locked for its transaction: nobody is put into it meanwhile.
async fn lock(tx: &mut PgConnection, caller: &Caller, id: i64) -> Result<Stored> {
    const SQL: &str = "
        SELECT name, parent, permissions FROM user_group WHERE id = $2 AND NOT deleted
          AND id IN (SELECT descendant FROM user_group_tree WHERE ancestor = $1)
        FOR NO KEY UPDATE";
    sqlx::query_as(SQL).bind(caller.group()).bind(id).fetch_optional(tx).await?.ok_or(NOT_FOUND)
}

/// The groups below one that the caller reaches, however far.
pub(super) async fn descendants(
    app: &App,
    reading: Reading,
    caller: &Caller,
    id: i64,
    params: ListParams,
) -> Result<Response> {
    let spec = UserGroup::spec();
    find(&*reading, spec, caller.group(), None, id).await?;
    let query = params.over(spec.listing())?;
    let below = Below::of(&*reading, caller.group()).await?;
    let scope = |sql: &mut QueryBuilder<Postgres>| {
        readable(sql, spec, &below);
        sql.push(" AND this.id IN (SELECT descendant FROM user_group_tree WHERE depth > 0 AND ancestor = ");
        sql.push_bind(id).push(")");
    };
    query.answer(app, reading, scope, spec.shown()).await
}

/// What members of a group that the caller reaches may do.
pub(super) async fn permissions(db: &PgPool, caller: &Caller, id: i64) -> Result<Permissions> {
    find(db, UserGroup::spec(), caller.group(), None, id).await?;
    // Where a group is switched off, nobody may do anything.
    Ok(groups::allowed(db, id).await?.unwrap_or_else(|| Permissions::from_iter([])))
}
