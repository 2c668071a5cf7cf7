//! User groups over HTTP.

use super::{
    group::{NumberedPermission, UserGroupDraft, UserGroupPatch},
    group_store as store,
};
use crate::{
    app::App,
    error::Result,
    http::{
        Caller, Created, Json, Message, Path, Unread, caller::Permission, list::ListParams,
        written_back::Absent,
    },
    identity::directory::UserGroup,
    resource::{Resource, store::find},
};
use axum::{extract::State, http::StatusCode, response::Response};
use utoipa_axum::{router::OpenApiRouter, routes};

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(create))
        .routes(routes!(update, delete))
        .routes(routes!(children))
        .routes(routes!(permissions))
}

/// Create a user group
///
/// Below the caller's group or one below that; it never allows more than its parent, or than the
/// caller may do.
#[utoipa::path(post, path = "/usergroup", tag = "usergroup", operation_id = "create_usergroup",
    request_body = UserGroupDraft,
    responses((status = 201, description = "The user group was created", body = Created)))]
async fn create(
    State(app): State<App>,
    caller: Caller,
    body: Unread<Json<UserGroupDraft>>,
) -> Result<(StatusCode, Json<Created>)> {
    let Json(draft) = body.read(&app, &caller, Permission::UserGroupWrite).await?;
    store::create(&app, &caller, draft).await
}

/// Change a user group
///
/// An absent property stays. It can be moved, with all below it, to another parent within the caller's
/// reach. Where the caller's own group is and what that allows is for those above it to change.
#[utoipa::path(put, path = "/usergroup/{id}", tag = "usergroup", operation_id = "update_usergroup",
    params(("id" = i64, Path, description = "The user group")), request_body = UserGroupPatch,
    responses((status = 200, description = "The user group was changed", body = Message)))]
async fn update(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<i64>,
    body: Unread<Json<UserGroupPatch>>,
) -> Result<Json<Message>> {
    let shown = async {
        caller.may(Permission::UserGroupRead)?;
        find(&app.db, UserGroup::spec(), caller.group(), None, id).await
    };
    let patch = body.read_over(&app, &caller, Permission::UserGroupWrite, Absent::Stays, shown).await?;
    store::update(&app, &caller, id, patch).await?;
    Ok(Message::json("user group updated"))
}

/// Delete a user group
///
/// Refused while it has groups below it, users or machines. Its keys are good no longer.
#[utoipa::path(delete, path = "/usergroup/{id}", tag = "usergroup", operation_id = "delete_usergroup",
    params(("id" = i64, Path, description = "The user group")),
    responses((status = 200, description = "The user group was deleted", body = Message)))]
async fn delete(State(app): State<App>, caller: Caller, Path(id): Path<i64>) -> Result<Json<Message>> {
    caller.may(Permission::UserGroupWrite)?;
    store::delete(&app, &caller, id).await?;
    Ok(Message::json("user group deleted"))
}

/// List the groups below a user group
///
/// All of them, however far below.
#[utoipa::path(get, path = "/usergroup/{parentid}/children", tag = "usergroup",
    operation_id = "list_usergroup_children",
    params(("parentid" = i64, Path, description = "The user group"), ListParams),
    responses((status = 200, description = "A page of its descendants", body = Vec<UserGroup>)))]
async fn children(
    State(app): State<App>,
    caller: Caller,
    Path(parentid): Path<i64>,
    params: ListParams,
) -> Result<Response> {
    caller.may(Permission::UserGroupRead)?;
    let reading = app.reads.list(caller.group()).await?;
    store::descendants(&app, reading, &caller, parentid, params).await
}

/// List what the members of a user group may do
///
/// What it and every group above it allow.
#[utoipa::path(get, path = "/usergroup/{parentid}/permissions", tag = "usergroup",
    operation_id = "list_usergroup_permissions",
    params(("parentid" = i64, Path, description = "The user group")),
    responses((status = 200, description = "The permissions", body = Vec<NumberedPermission>)))]
async fn permissions(
    State(app): State<App>,
    caller: Caller,
    Path(parentid): Path<i64>,
) -> Result<Json<Vec<NumberedPermission>>> {
    caller.may(Permission::UserGroupRead)?;
    let permissions = store::permissions(&app.db, &caller, parentid).await?;
    Ok(Json(NumberedPermission::each(permissions)))
}
