//! The endpoints of log-in and of API keys.

use super::{
    keys::{self, ApiKey, CreatedKey, KeyDraft},
    login,
    profile::{self, User},
    sessions::{self, Session},
};
use crate::{
    app::App,
    error::{Error, Result},
    http::{
        Caller, Json, Message, Path, Unread,
        caller::Permission,
        list::{ListParams, belongs_to, rows},
        peer::ClientAddress,
    },
};
use axum::{extract::State, http::StatusCode, response::Response};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use sqlx::{Postgres, QueryBuilder};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

/// Logging in, and API keys.
pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(login))
        .routes(routes!(refresh))
        .routes(routes!(logout))
        .routes(routes!(me))
        .routes(routes!(create_key, list_keys))
        .routes(routes!(revoke_key))
}

/// Who wants to log in.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Login {
    /// The user name, or the e-mail address.
    username: String,
    /// The password.
    #[schema(value_type = String, format = Password)]
    password: SecretString,
}

/// A refresh token.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Refresh {
    /// As the last log-in or refresh answered it.
    #[schema(value_type = String)]
    refresh_token: SecretString,
}

/// Logs in: a new access token and a new refresh token.
///
/// A wrong password and an unknown user get the same answer in the same time. Failures are budgeted by
/// user name and by address; failures elsewhere do not lock a user out who has logged in from here before.
#[utoipa::path(
    post,
    path = "/auth/login",
    operation_id = "login",
    tag = "auth",
    security(()),
    request_body = Login,
    responses((status = 201, body = Session, description = "Logged in"))
)]
async fn login(
    State(app): State<App>,
    ClientAddress(address): ClientAddress,
    Json(body): Json<Login>,
) -> Result<(StatusCode, Json<Session>)> {
    let session = login::login(&app, &body.username, body.password, address).await?;
    Ok((StatusCode::CREATED, Json(session)))
}

/// Renews an access token: a new pair of tokens for a refresh token, which is good once.
///
/// If the answer gets lost, the same refresh token may be sent again as long as the one that was
/// lost is not used, and gets the same answer; so do two that refresh at a time. A refresh token that comes back later ends the session for everyone who has
/// a part of it.
#[utoipa::path(
    post,
    path = "/auth/refresh",
    operation_id = "refresh_session",
    tag = "auth",
    security(()),
    request_body = Refresh,
    responses((status = 201, body = Session, description = "Renewed"))
)]
async fn refresh(State(app): State<App>, Json(body): Json<Refresh>) -> Result<(StatusCode, Json<Session>)> {
    let session = sessions::renew(&app, body.refresh_token.expose_secret()).await?;
    Ok((StatusCode::CREATED, Json(session)))
}

/// Logs out: the refresh token, and all tokens that go back to the same log-in, are good no longer.
#[utoipa::path(
    post,
    path = "/auth/logout",
    operation_id = "logout",
    tag = "auth",
    security(()),
    request_body = Refresh,
    responses((status = 200, body = Message, description = "Logged out, now or before"))
)]
async fn logout(State(app): State<App>, Json(body): Json<Refresh>) -> Result<Json<Message>> {
    sessions::close(&app, body.refresh_token.expose_secret()).await?;
    Ok(Message::json("logged out"))
}

/// The user who is logged in, with its language and its user group.
#[utoipa::path(
    get,
    path = "/user/me",
    operation_id = "read_me",
    tag = "auth",
    responses((status = 200, body = User, description = "The user"))
)]
async fn me(State(app): State<App>, caller: Caller) -> Result<Json<User>> {
    let account = caller.account().ok_or(Error::Forbidden("an API key is not a user: log in".into()))?;
    profile::find(&app.db, account).await?.map(Json).ok_or(Error::NotFound("user"))
}

/// Creates an API key for a device or an integration; the answer is the only place that shows it.
#[utoipa::path(
    post,
    path = "/apikey",
    operation_id = "create_apikey",
    tag = "apikey",
    request_body = KeyDraft,
    responses((status = 201, body = CreatedKey, description = "Created"))
)]
async fn create_key(
    State(app): State<App>,
    caller: Caller,
    body: Unread<Json<KeyDraft>>,
) -> Result<(StatusCode, Json<CreatedKey>)> {
    let Json(draft) = body.read(&app, &caller, Permission::ApiKeyWrite).await?;
    keys::create(&app, &caller, draft).await
}

/// Lists the API keys that are not revoked, by id, without the keys themselves.
#[utoipa::path(
    get,
    path = "/apikey",
    operation_id = "list_apikeys",
    tag = "apikey",
    params(ListParams),
    responses((status = 200, body = Vec<ApiKey>, description = "The keys"))
)]
async fn list_keys(State(app): State<App>, caller: Caller, params: ListParams) -> Result<Response> {
    caller.may(Permission::ApiKeyRead)?;
    let query = params.over(&keys::KEYS)?;
    let reading = app.reads.list(caller.group()).await?;
    let scope = |sql: &mut QueryBuilder<Postgres>| {
        sql.push("k.revoked_at IS NULL AND ");
        belongs_to(sql, "k.user_group", caller.group());
    };
    query.answer(&app, reading, scope, rows::<ApiKey>).await
}

/// Revokes an API key: no request with it is answered any more.
#[utoipa::path(
    delete,
    path = "/apikey/{id}",
    operation_id = "delete_apikey",
    tag = "apikey",
    params(("id" = i64, Path, description = "The key's id")),
    responses((status = 200, body = Message, description = "Revoked"))
)]
async fn revoke_key(State(app): State<App>, caller: Caller, Path(id): Path<i64>) -> Result<Json<Message>> {
    caller.may(Permission::ApiKeyWrite)?;
    keys::revoke(&app, &caller, id).await?;
    Ok(Message::json("revoked"))
}
