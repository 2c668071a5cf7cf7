//! Opening hours over HTTP.

use super::{InForce, Level, Sent, Span, check, store};
use crate::{
    app::App,
    error::{Error, Result},
    http::{Caller, Json, Message, Path, Unread, caller::Permission},
};
use axum::extract::State;
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::{router::OpenApiRouter, routes};

/// The endpoints.
pub(in crate::fleet) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(fetch, replace))
}

const NO_LEVEL: Error = Error::NotFound("kind of thing that has opening hours");

/// Whose opening hours.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
struct Whose {
    /// Its kind.
    #[param(value_type = Level, inline)]
    resource: String,
    /// Its id.
    id: i64,
}

/// Read opening hours
///
/// Those that are set for this very resource, and for a machine those in force: its own, or else what is set
/// above it, which `from` names.
#[utoipa::path(get, path = "/openinghours/{resource}/{id}", tag = "openinghours",
    operation_id = "fetch_opening_hours", params(Whose),
    responses((status = 200, description = "The opening hours, none if they are not set", body = Vec<InForce>)))]
async fn fetch(
    State(app): State<App>,
    caller: Caller,
    Path(Whose { resource, id }): Path<Whose>,
) -> Result<Json<Vec<InForce>>> {
    caller.may(Permission::FleetRead)?;
    let level = Level::named(&resource).ok_or(NO_LEVEL)?;
    Ok(Json(store::fetch(&app.db, caller.group(), level, id).await?))
}

/// Set opening hours
///
/// They replace what was set for this resource and for everything below it: for the machines of a
/// machine group or at a location, for the locations of a location group and the machines there. A
/// machine keeps to its own until something above it is set again; without any it keeps to the newest
/// above it, and is always open where there is none. An empty list takes away what was set, here and below.
///
/// Times are those of the machine's location. Spans must not overlap; one that ends before it starts
/// ends on the next day, and one that ends when it starts lasts 24 hours.
#[utoipa::path(put, path = "/openinghours/{resource}/{id}", tag = "openinghours",
    operation_id = "replace_opening_hours", params(Whose), request_body = Vec<Sent>,
    responses((status = 200, description = "The opening hours were set", body = Message)))]
async fn replace(
    State(app): State<App>,
    caller: Caller,
    Path(Whose { resource, id }): Path<Whose>,
    body: Unread<Json<Vec<Sent>>>,
) -> Result<Json<Message>> {
    let Json(sent) = body.read(&app, &caller, Permission::FleetWrite).await?;
    let spans: Vec<Span> = sent.into_iter().map(Span::from).collect();
    let level = Level::named(&resource).ok_or(NO_LEVEL)?;
    check(&spans)?;
    store::replace(&app.db, caller.group(), level, id, &spans).await?;
    Ok(Message::json("opening hours set"))
}
