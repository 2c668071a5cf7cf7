//! Dashboards and their widgets.
//!
//! A dashboard is its user's own: nobody else sees it. What integrations make with a key of a group,
//! all keys of that group share. What a widget shows and how is a client's business: it is kept here
//! for it as it came.

pub mod dashboard;

use crate::{
    app::App,
    error::{Error, Result},
    http::{Caller, Json, Message, Path, Unread, caller::Permission, extract::present, written_back::Absent},
    idempotency::Creation,
    resource::{Name, Spec, handlers::Done},
    transaction,
};
use axum::{extract::State, http::StatusCode};
use dashboard::{Dashboard, Owner, Widget};
use serde::{Deserialize, Deserializer, de};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

/// Dashboards that an owner has at most, and widgets that are on one.
const EACH_MAX: i64 = 100;

/// What can be kept of a widget.
const SETTINGS_MAX_BYTES: usize = 64 * 1024;

/// What can be kept of all widgets of an owner: a list has all of it.
const ALL_SETTINGS_MAX_BYTES: i64 = 4 * 1024 * 1024;

/// The plain resources of this area: dashboards are not, since each is its user's own.
pub fn resources() -> Vec<&'static Spec> {
    Vec::new()
}

/// What this area serves.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(delete))
        .routes(routes!(create_widget))
        .routes(routes!(update_settings))
        .routes(routes!(update_widget, delete_widget))
}

/// A new dashboard.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct DashboardDraft {
    /// Its name.
    #[schema(value_type = String, min_length = 1, max_length = 200, examples("This morning"))]
    name: Name,
}

/// A new widget.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct WidgetDraft {
    /// Its name.
    #[schema(value_type = Option<String>, min_length = 1, max_length = 200, examples("Revenue today"))]
    name: Option<Name>,
    /// What it is: a number that clients give a meaning.
    widget_type: Option<i64>,
}

/// Changes of a widget.
#[expect(clippy::option_option, reason = "absent, null and a value are three things")]
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default, rename_all = "camelCase")]
struct WidgetPatch {
    /// Its name.
    #[serde(deserialize_with = "present")]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 200)]
    name: Option<Option<Name>>,
    /// The dashboard that it is on.
    #[serde(deserialize_with = "present")]
    dashboard: Option<i64>,
    /// What it is: a number that clients give a meaning.
    #[serde(deserialize_with = "present")]
    #[schema(value_type = Option<i64>)]
    widget_type: Option<Option<i64>>,
}

/// What a client keeps of a widget.
#[expect(clippy::option_option, reason = "absent, null and a text are three things")]
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct WidgetSettings {
    /// Any text of at most 64 KiB, kept as it comes; `null` takes it away, and it stays where this is absent.
    #[serde(default, deserialize_with = "settings")]
    #[schema(value_type = Option<String>, max_length = 65_536)]
    settings: Option<Option<String>>,
}

#[expect(clippy::option_option, reason = "absent, null and a text are three things")]
fn settings<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<String>>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    match &text {
        Some(text) if text.contains('\0') => Err(de::Error::custom("must not contain U+0000")),
        Some(text) if text.len() > SETTINGS_MAX_BYTES => {
            Err(de::Error::custom(format_args!("must have at most {SETTINGS_MAX_BYTES} bytes")))
        }
        _ => Ok(Some(text)),
    }
}

/// List dashboards
///
/// Yours, each with its widgets.
#[utoipa::path(get, path = "/dashboard", tag = "dashboard", operation_id = "list_dashboards",
    responses((status = 200, description = "Your dashboards", body = Vec<Dashboard>)))]
async fn list(State(app): State<App>, caller: Caller) -> Result<Json<Vec<Dashboard>>> {
    caller.may(Permission::DashboardRead)?;
    dashboard::list(&app.db, Owner::from(&caller)).await.map(Json)
}

/// Create a dashboard
///
/// It is yours alone.
#[utoipa::path(post, path = "/dashboard", tag = "dashboard", operation_id = "create_dashboard",
    request_body = DashboardDraft,
    responses((status = 201, description = "The dashboard was created", body = Done)))]
async fn create(
    State(app): State<App>,
    caller: Caller,
    body: Unread<Json<DashboardDraft>>,
) -> Result<(StatusCode, Json<Done>)> {
    let Json(body) = body.read(&app, &caller, Permission::DashboardWrite).await?;
    let now = app.clock.now();
    let mut creation = Creation::begin(&app.db, now).await?;
    let id = dashboard::insert(&mut creation, Owner::from(&caller), &body.name.0, EACH_MAX, now).await?;
    let id = id.ok_or_else(|| Error::Conflict(format!("you have {EACH_MAX} dashboards already").into()))?;
    creation.commit(StatusCode::CREATED, Done::of(id, "dashboard", "created")).await
}

/// Delete a dashboard
///
/// Its widgets are deleted with it.
#[utoipa::path(delete, path = "/dashboard/{id}", tag = "dashboard", operation_id = "delete_dashboard",
    params(("id" = i64, Path, description = "The dashboard")),
    responses((status = 200, description = "The dashboard was deleted", body = Message)))]
async fn delete(State(app): State<App>, caller: Caller, Path(id): Path<i64>) -> Result<Json<Message>> {
    caller.may(Permission::DashboardWrite)?;
    dashboard::delete(&app.db, Owner::from(&caller), id).await?;
    Ok(Message::json("dashboard deleted"))
}

/// Refuses (409) one more widget than a dashboard can have.
fn one_more(widgets: i64) -> Result<()> {
    if widgets < EACH_MAX {
        Ok(())
    } else {
        Err(Error::Conflict(format!("a dashboard has at most {EACH_MAX} widgets").into()))
    }
}

/// Put a widget on a dashboard
#[utoipa::path(post, path = "/dashboard/{dashboard}/widget", tag = "dashboard", operation_id = "create_widget",
    params(("dashboard" = i64, Path, description = "The dashboard")), request_body = WidgetDraft,
    responses((status = 201, description = "The widget was created", body = Done)))]
async fn create_widget(
    State(app): State<App>,
    caller: Caller,
    Path(dashboard): Path<i64>,
    body: Unread<Json<WidgetDraft>>,
) -> Result<(StatusCode, Json<Done>)> {
    let Json(body) = body.read(&app, &caller, Permission::DashboardWrite).await?;
    let name = body.name.map(|name| name.0);
    let now = app.clock.now();
    let mut creation = Creation::begin(&app.db, now).await?;
    one_more(dashboard::lock(&mut creation, Owner::from(&caller), dashboard).await?)?;
    let id = dashboard::insert_widget(&mut creation, dashboard, name, body.widget_type, now).await?;
    creation.commit(StatusCode::CREATED, Done::of(id, "widget", "created")).await
}

/// Keep the settings of a widget
#[utoipa::path(put, path = "/widget/{id}/settings", tag = "dashboard", operation_id = "update_widget_settings",
    params(("id" = i64, Path, description = "The widget")), request_body = WidgetSettings,
    responses((status = 200, description = "The settings were kept", body = Message)))]
async fn update_settings(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<i64>,
    body: Unread<Json<WidgetSettings>>,
) -> Result<Json<Message>> {
    let Json(body) = body.read(&app, &caller, Permission::DashboardWrite).await?;
    let mut tx = transaction::begin(&app.db).await?;
    let owner = Owner::from(&caller);
    let known = dashboard::lock_widget(&mut tx, owner, id).await?;
    let settings = body.settings.unwrap_or_else(|| known.settings.clone());
    if let Some(settings) = &settings
        && dashboard::kept_bytes(&mut tx, owner, id).await? + settings.len() as i64 > ALL_SETTINGS_MAX_BYTES
    {
        return Err(Error::Conflict("the settings of your widgets have more than 4 MiB together".into()));
    }
    let widget = Widget { settings, updated_at: app.clock.now(), ..known };
    dashboard::update_widget(&mut tx, &widget).await?;
    tx.commit().await?;
    Ok(Message::json("widget updated"))
}

/// Change a widget
///
/// What is absent stays; `null` takes away. With another `dashboard` of yours it moves there.
#[utoipa::path(put, path = "/widget/{id}", tag = "dashboard", operation_id = "update_widget",
    params(("id" = i64, Path, description = "The widget")), request_body = WidgetPatch,
    responses((status = 200, description = "The widget as it is now", body = Widget)))]
async fn update_widget(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<i64>,
    body: Unread<Json<WidgetPatch>>,
) -> Result<Json<Widget>> {
    let owner = Owner::from(&caller);
    let shown = async {
        caller.may(Permission::DashboardRead)?;
        dashboard::find_widget(&app.db, owner, id).await
    };
    let body = body.read_over(&app, &caller, Permission::DashboardWrite, Absent::Stays, shown).await?;
    let mut tx = transaction::begin(&app.db).await?;
    let known = dashboard::lock_widget(&mut tx, owner, id).await?;
    if let Some(dashboard) = body.dashboard.filter(|dashboard| *dashboard != known.dashboard) {
        match dashboard::lock(&mut tx, owner, dashboard).await {
            Err(Error::NotFound(_)) => {
                return Err(Error::invalid("/dashboard", "is no dashboard that you see"));
            }
            widgets => one_more(widgets?)?,
        }
    }
    let widget = Widget {
        name: body.name.map_or(known.name, |name| name.map(|name| name.0)),
        dashboard: body.dashboard.unwrap_or(known.dashboard),
        widget_type: body.widget_type.unwrap_or(known.widget_type),
        updated_at: app.clock.now(),
        ..known
    };
    dashboard::update_widget(&mut tx, &widget).await?;
    tx.commit().await?;
    Ok(Json(widget))
}

/// Take a widget off its dashboard
#[utoipa::path(delete, path = "/widget/{id}", tag = "dashboard", operation_id = "delete_widget",
    params(("id" = i64, Path, description = "The widget")),
    responses((status = 200, description = "The widget was deleted", body = Message)))]
async fn delete_widget(State(app): State<App>, caller: Caller, Path(id): Path<i64>) -> Result<Json<Message>> {
    caller.may(Permission::DashboardWrite)?;
    dashboard::delete_widget(&app.db, Owner::from(&caller), id).await?;
    Ok(Message::json("widget deleted"))
}
