//! The endpoints for who has no password (any more), and only a mail.

use super::{
    recovery::{self, Purpose},
    sessions::Session,
};
use crate::{
    app::App,
    error::Result,
    http::{Json, Message, peer::ClientAddress},
};
use axum::{extract::State, http::StatusCode};
use secrecy::SecretString;
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(activate))
        .routes(routes!(reset))
        .routes(routes!(restore))
        .routes(routes!(forgot))
}

/// A password to be set, and the right to do so.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewPassword {
    /// From the link in the mail: good once, and not for ever.
    #[schema(value_type = String)]
    token: SecretString,
    /// The new password: 12 characters at least, and not one that everyone tries first.
    #[schema(value_type = String, format = Password)]
    password: SecretString,
}

/// Whoever has forgotten the password.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Forgotten {
    /// The address that the account has.
    #[schema(examples("ann@example.com"))]
    email: String,
}

/// Activates an account: sets its password, and counts its e-mail address as confirmed.
///
/// Also confirms an address that was changed. All sessions that there were end.
#[utoipa::path(
    post,
    path = "/auth/activate",
    operation_id = "activate_account",
    tag = "auth",
    security(()),
    request_body = NewPassword,
    responses((status = 201, body = Session, description = "Activated, and logged in"))
)]
async fn activate(
    State(app): State<App>,
    ClientAddress(from): ClientAddress,
    Json(body): Json<NewPassword>,
) -> Result<(StatusCode, Json<Session>)> {
    let session = recovery::set_password(&app, Purpose::Activation, &body.token, body.password, from).await?;
    Ok((StatusCode::CREATED, Json(session)))
}

/// Sets a new password with the token of a mail. All sessions that there were end.
#[utoipa::path(
    post,
    path = "/auth/resetpassword",
    operation_id = "reset_password",
    tag = "auth",
    security(()),
    request_body = NewPassword,
    responses((status = 201, body = Session, description = "Set, and logged in"))
)]
async fn reset(
    State(app): State<App>,
    ClientAddress(from): ClientAddress,
    Json(body): Json<NewPassword>,
) -> Result<(StatusCode, Json<Session>)> {
    let session = recovery::set_password(&app, Purpose::Reset, &body.token, body.password, from).await?;
    Ok((StatusCode::CREATED, Json(session)))
}

/// Takes a change of the e-mail address back, with the token of the mail to the address before.
///
/// That is the account's address again, with a new password. All sessions that there were end.
#[utoipa::path(
    post,
    path = "/auth/restore",
    operation_id = "restore_address",
    tag = "auth",
    security(()),
    request_body = NewPassword,
    responses((status = 201, body = Session, description = "Restored, and logged in"))
)]
async fn restore(
    State(app): State<App>,
    ClientAddress(from): ClientAddress,
    Json(body): Json<NewPassword>,
) -> Result<(StatusCode, Json<Session>)> {
    let session = recovery::set_password(&app, Purpose::Restore, &body.token, body.password, from).await?;
    Ok((StatusCode::CREATED, Json(session)))
}

/// Has a mail for a new password sent.
///
/// The answer is the same, after the same work, whether or not anybody has the address. Requests are
/// budgeted per address. Who was never activated gets the activation mail again.
#[utoipa::path(
    post,
    path = "/auth/forgotpassword",
    operation_id = "forget_password",
    tag = "auth",
    security(()),
    request_body = Forgotten,
    responses((status = 200, body = Message, description = "If anybody has this address, a mail is on its way"))
)]
async fn forgot(
    State(app): State<App>,
    ClientAddress(from): ClientAddress,
    Json(body): Json<Forgotten>,
) -> Result<Json<Message>> {
    recovery::forgot(&app, &body.email, from).await?;
    Ok(Message::json("if a user has this address, a mail is on its way"))
}
