//! User reports: named lists of charts.

use crate::{
    app::App,
    error::Result,
    http::{Caller, Json, Path, Unread, caller::Permission},
    idempotency::Creation,
    identity::directory::UserGroup,
    resource::{Name, Preset, Ref, Resource, handlers::Done, resource, store},
};
use axum::{extract::State, http::StatusCode};
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

resource! {
    /// A report that users put together of charts. Its charts are deleted with it.
    UserReport "user report" at "/userreport" in "user_report";
    area "userreport";
    may ReportRead, ReportWrite;
    reach Own;
    does ALL;
    takes {
        /// What people call it.
        #[eg("\"Week in numbers\"")]
        name: Name,
    }
    once {
        /// Its user group: the caller's without it.
        user_group: Preset<Ref<UserGroup>>,
    }
}

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(duplicate))
}

/// What a copy is called.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct UserReportCopy {
    /// The name of the new report.
    #[schema(value_type = String, min_length = 1, max_length = 200, examples("Week in numbers, copy"))]
    name: Name,
}

/// Copy a user report
///
/// With all its charts as they are at one moment, for the same user group.
#[utoipa::path(post, path = "/userreport/{id}/duplicate", tag = "userreport",
    operation_id = "duplicate_user_report", params(("id" = i64, Path, description = "The user report")),
    request_body = UserReportCopy,
    responses((status = 201, description = "The user report was copied; the id is the copy's", body = Done)))]
async fn duplicate(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<i64>,
    body: Unread<Json<UserReportCopy>>,
) -> Result<(StatusCode, Json<Done>)> {
    const REPORT: &str = "
        INSERT INTO user_report (user_group, name, created_at, updated_at) VALUES ($1, $2, $3, $3) RETURNING id";
    const CHARTS: &str = "
        INSERT INTO chart (report, name, type, view, criteria, position, created_at, updated_at)
        SELECT $2, name, type, view, criteria, position, $3, $3 FROM chart WHERE report = $1 ORDER BY id";
    let Json(body) = body.read(&app, &caller, Permission::ReportWrite).await?;
    let spec = UserReport::spec();
    let now = app.clock.now();
    let mut tx = Creation::begin(&app.db, now).await?;
    let owner = store::lock(&mut tx, spec, caller.group(), None, id).await?;
    let copy: i64 =
        sqlx::query_scalar(REPORT).bind(owner).bind(body.name.0).bind(now).fetch_one(&mut *tx).await?;
    sqlx::query(CHARTS).bind(id).bind(copy).bind(now).execute(&mut *tx).await?;
    tx.commit(StatusCode::CREATED, Done::of(copy, spec.noun, "copied")).await
}
