//! Assortments as a whole over HTTP: replaced, copied, converted.

use super::{
    offer::{self, Offer},
    plu::Steps,
    preview::Preview,
    store,
};
use crate::{
    app::App,
    error::Result,
    http::{Caller, Json, Message, Path, Unread, caller::Permission, extract::none_if_zero},
};
use axum::extract::State;
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(replace))
        .routes(routes!(copy))
        .routes(routes!(preview))
        .routes(routes!(convert))
}

/// Replace what a machine sells
///
/// All of its products at once. A number that stays keeps its product's id. Flavours and extras stay.
#[utoipa::path(put, path = "/machine/{machine}/assortment", tag = "assortment", operation_id = "replace_assortment",
    params(("machine" = i64, Path, description = "The machine")), request_body = Vec<Offer>,
    responses((status = 200, description = "The assortment was replaced", body = Message)))]
async fn replace(
    State(app): State<App>,
    caller: Caller,
    Path(machine): Path<i64>,
    body: Unread<Json<Vec<Offer>>>,
) -> Result<Json<Message>> {
    let Json(offers) = body.read(&app, &caller, Permission::AssortmentWrite).await?;
    offer::check(&offers)?;
    store::replace(&app.db, caller.group(), machine, &offers, app.clock.now()).await?;
    Ok(Message::json("assortment replaced"))
}

/// From where to where an assortment is copied.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct CopyPath {
    machine: i64,
    machine_group: i64,
}

/// Copy what a machine sells to a group of machines
///
/// Products, flavours and extras of every machine of the group become those of this machine: all
/// machines or none.
#[utoipa::path(post, path = "/machine/{machine}/assortment/copy/{machineGroup}", tag = "assortment",
    operation_id = "copy_assortment",
    params(("machine" = i64, Path, description = "The machine that has them"),
        ("machineGroup" = i64, Path, description = "The machines that are to have them")),
    responses((status = 200, description = "The assortment was copied", body = Message)))]
async fn copy(State(app): State<App>, caller: Caller, Path(path): Path<CopyPath>) -> Result<Json<Message>> {
    caller.may(Permission::AssortmentWrite)?;
    let CopyPath { machine, machine_group } = path;
    let copied =
        store::copy_to_group(&app.db, caller.group(), machine, machine_group, app.clock.now()).await?;
    let machines = if copied == 1 { "machine" } else { "machines" };
    Ok(Message::json(format!("assortment copied to {copied} {machines}")))
}

/// How numbers are composed.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = AssortmentFormat)]
struct Format {
    /// The step that each flavour adds to the number of a product. No flavours without it, or with 0.
    #[serde(default, rename = "flavourPLU", deserialize_with = "none_if_zero")]
    #[schema(minimum = 0, maximum = 2_147_483_647, examples(100))]
    flavour: Option<i64>,
    /// The step that each extra adds. No extras without it, or with 0. One of both is a multiple of the other.
    #[serde(default, rename = "extraProductPLU", deserialize_with = "none_if_zero")]
    #[schema(minimum = 0, maximum = 2_147_483_647, examples(1000))]
    extra: Option<i64>,
}

/// Preview the conversion of what a machine sells
///
/// With 100 for flavours and 1000 for extras, product 2105 is product 5 with flavour 1 and extra 2.
/// A product is folded into its parts if there is its base product, and if it costs what they cost
/// together: a flavour (or an extra) costs what all products with it alone cost more than their
/// base. It is named after what their names say beside the base's. Whatever does not fit stays a
/// product as it is. This changes nothing.
#[utoipa::path(post, path = "/machine/{machine}/assortment/preview", tag = "assortment",
    operation_id = "preview_assortment",
    params(("machine" = i64, Path, description = "The machine")), request_body = Format,
    responses((status = 200, description = "What it would sell", body = Preview)))]
async fn preview(
    State(app): State<App>,
    caller: Caller,
    Path(machine): Path<i64>,
    body: Unread<Json<Format>>,
) -> Result<Json<Preview>> {
    let Json(format) = body.read(&app, &caller, Permission::AssortmentRead).await?;
    let steps = Steps::read(format.flavour, format.extra)?;
    Ok(Json(store::preview(&app.db, caller.group(), machine, steps).await?))
}

/// Convert what a machine sells into products, flavours and extras
///
/// Exactly as the preview shows it.
#[utoipa::path(post, path = "/machine/{machine}/assortment/convert", tag = "assortment",
    operation_id = "convert_assortment",
    params(("machine" = i64, Path, description = "The machine")), request_body = Format,
    responses((status = 200, description = "The assortment was converted", body = Message)))]
async fn convert(
    State(app): State<App>,
    caller: Caller,
    Path(machine): Path<i64>,
    body: Unread<Json<Format>>,
) -> Result<Json<Message>> {
    let Json(format) = body.read(&app, &caller, Permission::AssortmentWrite).await?;
    let steps = Steps::read(format.flavour, format.extra)?;
    let folded = store::convert(&app.db, caller.group(), machine, steps, app.clock.now()).await?;
    let products = if folded == 1 { "product" } else { "products" };
    Ok(Message::json(format!("assortment converted: {folded} {products} folded")))
}
