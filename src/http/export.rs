//! The export of plain resources by their names.

use super::{
    Caller, Path,
    list::{ExportParams, ListParams},
    resources,
    sheet::FormParams,
};
use crate::{
    app::App,
    assortment::product::{Product, ProductCombination},
    error::{Error, Result},
    resource::{Resource, export},
};
use axum::{extract::State, response::Response};
use utoipa_axum::{router::OpenApiRouter, routes};

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(export_resource))
}

/// Export a resource
///
/// As CSV, or as a workbook for spreadsheets (`format=xlsx`). Text that a spreadsheet would take for a formula has an
/// apostrophe in front in CSV; in a workbook text is text.
///
/// With the conditions and the order of its list. What is a part of something else is exported for
/// one of them at a time: `where[machine]=7` for products.
#[utoipa::path(get, path = "/export/{resource}", tag = "export", operation_id = "export_resource",
    params(
        ("resource" = String, Path, description = "The area of a plain resource", example = "machine"),
        ("columns" = String, Query, description = "Names of fields, separated by commas", example = "id,name"),
        ("exportAll" = Option<bool>, Query, description = "Of products: every combination with flavours and \
            extras, which then are the columns `flavour` and `extra`"),
        ("useArchive" = Option<bool>, Query, description = "Of what machines sent: whether to look in the archive too"),
        ("timezone" = Option<String>, Query, description = "The zone that times are given in; UTC without it"),
        FormParams, ExportParams,
    ),
    responses((status = 200, description = "The rows",
        content((String = "text/csv"), ("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet")))))]
async fn export_resource(
    State(app): State<App>,
    caller: Caller,
    Path(resource): Path<String>,
    mut params: ListParams,
) -> Result<Response> {
    let spec = resources().into_iter().find(|spec| spec.area == resource);
    let mut spec = spec.ok_or(Error::NotFound("export"))?;
    if params.take_flag("exportAll")? {
        if spec.area != Product::spec().area {
            return Err(Error::malformed("/exportAll", "goes with products alone"));
        }
        spec = ProductCombination::spec();
    }
    export::export(app, spec, &caller, params).await
}
