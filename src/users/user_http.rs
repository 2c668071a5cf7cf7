//! Users over HTTP.

use super::{
    erasure,
    user::{UserDraft, UserPatch},
    user_store as store,
};
use crate::{
    app::App,
    error::Result,
    http::{Caller, Created, Json, Message, Path, Query, Unread, caller::Permission},
};
use axum::{extract::State, http::StatusCode};
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::{router::OpenApiRouter, routes};

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(create)).routes(routes!(update, delete))
}

/// How a user leaves.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
struct Leaving {
    /// The user who answers for its API keys from then on. They end without one.
    hand_over_to: Option<i64>,
    /// Whether all that tells who it was is taken away.
    erase: Option<bool>,
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
    let id = store::create(&app, &caller, draft).await?;
    Ok((StatusCode::CREATED, Json(Created { id })))
}

/// Change a user
///
/// What is absent stays. A new e-mail address has to be confirmed: it gets a mail with a link, and
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
    let Json(patch) = body.read(&app, &caller, Permission::UserWrite).await?;
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
    params(("id" = i64, Path, description = "The user"), Leaving),
    responses((status = 200, description = "The user was deleted", body = Message)))]
async fn delete(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<i64>,
    Query(leaving): Query<Leaving>,
) -> Result<Json<Message>> {
    caller.may(Permission::UserWrite)?;
    if leaving.erase == Some(true) {
        erasure::erase_within_reach(&app, &caller, id, leaving.hand_over_to).await?;
        return Ok(Message::json("user erased"));
    }
    store::delete(&app, &caller, id, leaving.hand_over_to).await?;
    Ok(Message::json("user deleted"))
}
