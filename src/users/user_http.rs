//! Users over HTTP.

use super::{
    erasure,
    user::{UserDraft, UserPatch},
    user_store as store,
};
use crate::{
    app::App,
    error::Result,
    http::{
        Caller, Created, Json, Message, Path, Unread, caller::Permission, list::ListParams,
        written_back::Absent,
    },
    identity::directory::User,
    resource::{Resource, store::find},
};
use axum::{extract::State, http::StatusCode};
use utoipa_axum::{router::OpenApiRouter, routes};

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(create)).routes(routes!(update, delete))
}

/// Create a user
///
/// It gets a mail with a link to choose its password.
#[utoipa::path(post, path = "/user", tag = "user", operation_id = "create_user", request_body = UserDraft,
    responses((status = 201, description = "The user was created", body = Created)))]
async fn create(
    State(app): State<App>,
    caller: Caller,
    body: Unread<Json<UserDraft>>,
) -> Result<(StatusCode, Json<Created>)> {
    let Json(draft) = body.read(&app, &caller, Permission::UserWrite).await?;
    store::create(&app, &caller, draft).await
}

/// Change a user
///
/// An absent property stays. A new e-mail address has to be confirmed: it gets a mail with a link, and
/// the old one is told.
#[utoipa::path(put, path = "/user/{id}", tag = "user", operation_id = "update_user",
    params(("id" = i64, Path, description = "The user")), request_body = UserPatch,
    responses((status = 200, description = "The user was changed", body = Message)))]
async fn update(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<i64>,
    body: Unread<Json<UserPatch>>,
) -> Result<Json<Message>> {
    let shown = async {
        caller.may(Permission::UserRead)?;
        find(&app.db, User::spec(), caller.group(), None, id).await
    };
    let patch = body.read_over(&app, &caller, Permission::UserWrite, Absent::Stays, shown).await?;
    store::update(&app, &caller, id, patch).await?;
    Ok(Message::json("user updated"))
}

/// Delete a user
///
/// Its sessions end at once, and the API keys that it answers for with all that they made; with `handOverTo`, another
/// user answers for them from then on. What it did stays, and so does its name: nobody else gets it. With `erase`,
/// which also takes a user who is deleted already, nothing stays that tells who it was, and its name and address
/// are free again.
#[utoipa::path(delete, path = "/user/{id}", tag = "user", operation_id = "delete_user",
    params(("id" = i64, Path, description = "The user"),
        ("handOverTo" = Option<i64>, Query,
         description = "The user who answers for its API keys from then on. They end without one."),
        ("erase" = Option<bool>, Query, description = "Take away all that tells who it was")),
    responses((status = 200, description = "The user was deleted", body = Message)))]
async fn delete(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<i64>,
    mut params: ListParams,
) -> Result<Json<Message>> {
    caller.may(Permission::UserWrite)?;
    let (erases, heir) = (params.take_flag("erase")?, params.take_number("handOverTo", 0, i64::MAX)?);
    params.end()?;
    if erases {
        erasure::erase_within_reach(&app, &caller, id, heir).await?;
        return Ok(Message::json("user erased"));
    }
    store::delete(&app, &caller, id, heir).await?;
    Ok(Message::json("user deleted"))
}
