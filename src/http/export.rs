//! The export of plain resources by their names.

use super::{
    Caller, Path,
    list::{ExportParams, ListParams},
    resources,
};
use crate::{
    app::App,
    error::{Error, Result},
    resource::export,
};
use axum::{extract::State, response::Response};
use utoipa_axum::{router::OpenApiRouter, routes};

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(export_resource))
}

/// Export a resource as CSV
///
/// With the conditions and the order of its list. What is a part of something else is exported for
/// one of them at a time: `where[machine]=7` for products.
#[utoipa::path(get, path = "/export/{resource}", tag = "export", operation_id = "export_resource",
    params(
        ("resource" = String, Path, description = "The area of a plain resource", example = "machine"),
        ("columns" = String, Query, description = "Names of fields, separated by commas", example = "id,name"),
        ("filename" = Option<String>, Query, description = "What the file is to be called"),
        ("timezone" = Option<String>, Query, description = "The zone that times are given in; UTC without it"),
        ExportParams,
    ),
    responses((status = 200, description = "The rows", content_type = "text/csv", body = String)))]
async fn export_resource(
    State(app): State<App>,
    caller: Caller,
    Path(resource): Path<String>,
    params: ListParams,
) -> Result<Response> {
    let spec = resources().into_iter().find(|spec| spec.area == resource);
    let spec = spec.ok_or(Error::NotFound("export"))?;
    export::export(app, spec, &caller, params).await
}
