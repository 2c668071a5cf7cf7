//! Templates: configurations that people keep to set machines up with.

use super::{
    request::with_settings,
    settings::{Change, FLAT, Settings, shown},
};
use crate::{
    app::App,
    campaigns::terms::Checks,
    error::{Error, Result},
    http::{
        Caller, Created, Json, Message, Path, Unread,
        caller::Permission,
        extract::present,
        list::{Column, Ids, Kind, ListParams, Listing, belongs_to, rows},
        written_back::Absent,
    },
    idempotency::Creation,
    seal::{Keyring, Place},
    transaction,
};
use axum::{extract::State, http::StatusCode, response::Response};
use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::{PgConnection, PgPool, Postgres, QueryBuilder, postgres::PgRow};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

const NOT_FOUND: Error = Error::NotFound("machine configuration template");

/// Templates as [`Row`], and what they can be filtered and sorted by.
static TEMPLATES: Listing = Listing {
    select: "t.id, t.name, t.config, t.mode, t.ssid, t.encryption, t.encryption_key, t.apn, t.sharing, t.created_at,
        t.updated_at",
    from: "machine_config_template t",
    ids: Ids::Sequence("machine_config_template"),
    order: None,
    columns: &[
        Column::new("id", "t.id", Kind::Int),
        Column::new("name", "t.name", Kind::Text),
        Column::new("config", "t.config", Kind::Text),
        Column::new("mode", "t.mode", Kind::Text),
        Column::new("ssid", "t.ssid", Kind::Text),
        Column::new("encryption", "t.encryption", Kind::Text),
        Column::new("apn", "t.apn", Kind::Text),
        Column::new("sharing", "t.sharing", Kind::Text),
        Column::new("createdAt", "t.created_at", Kind::Time),
        Column::new("updatedAt", "t.updated_at", Kind::Time),
    ],
};

/// A template in Postgres.
#[derive(Debug, sqlx::FromRow)]
struct Row {
    id: i64,
    name: String,
    #[sqlx(flatten)]
    settings: Settings,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

/// A configuration to set machines up with.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct MachineConfigTemplate {
    /// Its id.
    id: i64,
    /// What people call it.
    name: String,
    /// Text in the gateway's own format.
    config: Option<String>,
    /// What the wireless network is for.
    mode: Option<String>,
    /// The wireless network's name.
    ssid: Option<String>,
    /// How the wireless network is encrypted.
    encryption: Option<String>,
    /// The wireless network's key, masked for those who may not see it.
    encryption_key: Option<String>,
    /// The access point of the mobile network.
    apn: Option<String>,
    /// What the gateway shares its connection by.
    sharing: Option<String>,
    /// When it was created.
    #[serde(serialize_with = "crate::time::milliseconds")]
    created_at: DateTime<Utc>,
    /// When it was last changed.
    #[serde(serialize_with = "crate::time::milliseconds")]
    updated_at: DateTime<Utc>,
}

impl Row {
    /// As the caller is shown it.
    fn shown_to(self, caller: &Caller, keyring: &Keyring) -> Result<MachineConfigTemplate> {
        let clear = caller.grant.allows(Permission::ConfigSecret).then_some(keyring);
        let Self { id, name, settings, created_at, updated_at } = self;
        let encryption_key = shown(settings.encryption_key.as_deref(), place(id), clear)?;
        let Settings { config, mode, ssid, encryption, apn, sharing, .. } = settings;
        Ok(MachineConfigTemplate {
            id,
            name,
            config,
            mode,
            ssid,
            encryption,
            encryption_key,
            apn,
            sharing,
            created_at,
            updated_at,
        })
    }
}

/// Where a template's key is sealed.
const fn place(id: i64) -> Place {
    Place { column: "machine_config_template.encryption_key", row: id }
}

with_settings! {
    /// A new template.
    MachineConfigTemplateDraft {
        /// What people call it.
        #[schema(max_length = 200)]
        name: String,
    }
}

with_settings! {
    /// A change of a template: what is absent stays, `null` takes away.
    MachineConfigTemplatePatch {
        /// What people call it.
        #[serde(default, deserialize_with = "present")]
        #[schema(max_length = 200)]
        name: Option<String>,
    }
}

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list, create)).routes(routes!(fetch, update, delete))
}

/// The template of a group or of one below it.
macro_rules! one {
    () => {
        "SELECT id, name, config, mode, ssid, encryption, encryption_key, apn, sharing, created_at, updated_at
         FROM machine_config_template
         WHERE id = $1 AND user_group IN (SELECT descendant FROM user_group_tree WHERE ancestor = $2)"
    };
}

async fn read(db: &PgPool, group: i64, id: i64) -> Result<Row> {
    sqlx::query_as(one!()).bind(id).bind(group).fetch_optional(db).await?.ok_or(NOT_FOUND)
}

/// The same, locked for the caller's transaction.
async fn lock(connection: &mut PgConnection, group: i64, id: i64) -> Result<Row> {
    const SQL: &str = concat!(one!(), " FOR NO KEY UPDATE");
    sqlx::query_as(SQL).bind(id).bind(group).fetch_optional(connection).await?.ok_or(NOT_FOUND)
}

async fn save(connection: &mut PgConnection, group: i64, row: &Row) -> Result<()> {
    const SQL: &str = "
        INSERT INTO machine_config_template (id, user_group, name, config, mode, ssid, encryption, encryption_key,
            apn, sharing, created_at, updated_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
        ON CONFLICT (id) DO UPDATE SET name = excluded.name, config = excluded.config, mode = excluded.mode,
            ssid = excluded.ssid, encryption = excluded.encryption, encryption_key = excluded.encryption_key,
            apn = excluded.apn, sharing = excluded.sharing, updated_at = excluded.updated_at";
    sqlx::query(SQL)
        .bind(row.id)
        .bind(group)
        .bind(&row.name)
        .bind(&row.settings.config)
        .bind(&row.settings.mode)
        .bind(&row.settings.ssid)
        .bind(&row.settings.encryption)
        .bind(&row.settings.encryption_key)
        .bind(&row.settings.apn)
        .bind(&row.settings.sharing)
        .bind(row.created_at)
        .bind(row.updated_at)
        .execute(connection)
        .await?;
    Ok(())
}

/// Checks what a request says, all of it at once.
fn check(name: Option<&str>, change: &mut Change) -> Result<()> {
    let mut checks = Checks::default();
    if let Some(name) = name {
        checks.name("/name", name);
    }
    change.check(&mut checks, FLAT);
    checks.done()
}

/// List templates of machine configurations
#[utoipa::path(get, path = "/machineconfigtemplate", tag = "machineconfig",
    operation_id = "list_machineconfigtemplates", params(ListParams),
    responses((status = 200, description = "A page of templates", body = Vec<MachineConfigTemplate>)))]
async fn list(State(app): State<App>, caller: Caller, params: ListParams) -> Result<Response> {
    caller.may(Permission::ConfigRead)?;
    let query = params.over(&TEMPLATES)?;
    let reading = app.reads.list(caller.group()).await?;
    let group = caller.group();
    let scope = |sql: &mut QueryBuilder<Postgres>| belongs_to(sql, "t.user_group", group);
    let server = app.clone();
    let show = move |row: &PgRow| rows::<Row>(row)?.shown_to(&caller, &server.keyring);
    query.answer(&app, reading, scope, show).await
}

/// Create a template of machine configurations
#[utoipa::path(post, path = "/machineconfigtemplate", tag = "machineconfig",
    operation_id = "create_machineconfigtemplate", request_body = MachineConfigTemplateDraft,
    responses((status = 201, description = "The template was created", body = Created)))]
async fn create(
    State(app): State<App>,
    caller: Caller,
    body: Unread<Json<MachineConfigTemplateDraft>>,
) -> Result<(StatusCode, Json<Created>)> {
    // The key is sealed for its row, so the row's id comes first.
    const ID: &str = "SELECT draw_ids('machine_config_template', 1)";
    let Json(mut draft) = body.read(&app, &caller, Permission::ConfigWrite).await?;
    let mut change = draft.change();
    check(Some(&draft.name), &mut change)?;
    let now = app.clock.now();
    let mut creation = Creation::begin(&app.db, now).await?;
    let id: i64 = sqlx::query_scalar(ID).fetch_one(&mut *creation).await?;
    let mut settings = Settings::default();
    change.apply(&mut settings, place(id), &app.keyring).map_err(|unfit| unfit.at(FLAT))?;
    let row = Row { id, name: draft.name, settings, created_at: now, updated_at: now };
    save(&mut creation, caller.group(), &row).await?;
    creation.commit(StatusCode::CREATED, Created { id }).await
}

/// Read a template of machine configurations
#[utoipa::path(get, path = "/machineconfigtemplate/{id}", tag = "machineconfig",
    operation_id = "fetch_machineconfigtemplate",
    params(("id" = i64, Path, description = "The template")),
    responses((status = 200, description = "The template", body = MachineConfigTemplate)))]
async fn fetch(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<i64>,
) -> Result<Json<MachineConfigTemplate>> {
    caller.may(Permission::ConfigRead)?;
    let row = read(&app.db, caller.group(), id).await?;
    Ok(Json(row.shown_to(&caller, &app.keyring)?))
}

/// Change a template of machine configurations
///
/// What is absent stays; `null` takes away. Machines that were set up with it stay as they are.
#[utoipa::path(put, path = "/machineconfigtemplate/{id}", tag = "machineconfig",
    operation_id = "update_machineconfigtemplate",
    params(("id" = i64, Path, description = "The template")), request_body = MachineConfigTemplatePatch,
    responses((status = 200, description = "The template was changed", body = Message)))]
async fn update(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<i64>,
    body: Unread<Json<MachineConfigTemplatePatch>>,
) -> Result<Json<Message>> {
    let shown = async { fetch(State(app.clone()), caller.clone(), Path(id)).await.map(|Json(shown)| shown) };
    let mut patch = body.read_over(&app, &caller, Permission::ConfigWrite, Absent::Stays, shown).await?;
    let mut change = patch.change();
    check(patch.name.as_deref(), &mut change)?;
    let mut transaction = transaction::begin(&app.db).await?;
    let mut row = lock(&mut transaction, caller.group(), id).await?;
    change.apply(&mut row.settings, place(id), &app.keyring).map_err(|unfit| unfit.at(FLAT))?;
    row.name = patch.name.unwrap_or(row.name);
    row.updated_at = app.clock.now();
    save(&mut transaction, caller.group(), &row).await?;
    transaction.commit().await?;
    Ok(Message::json("template updated"))
}

/// Delete a template of machine configurations
#[utoipa::path(delete, path = "/machineconfigtemplate/{id}", tag = "machineconfig",
    operation_id = "delete_machineconfigtemplate",
    params(("id" = i64, Path, description = "The template")),
    responses((status = 200, description = "The template was deleted", body = Message)))]
async fn delete(State(app): State<App>, caller: Caller, Path(id): Path<i64>) -> Result<Json<Message>> {
    const SQL: &str = "
        DELETE FROM machine_config_template
        WHERE id = $1 AND user_group IN (SELECT descendant FROM user_group_tree WHERE ancestor = $2)";
    caller.may(Permission::ConfigWrite)?;
    let mut transaction = transaction::begin(&app.db).await?;
    let deleted = sqlx::query(SQL).bind(id).bind(caller.group()).execute(&mut *transaction).await?;
    if deleted.rows_affected() == 0 {
        return Err(NOT_FOUND);
    }
    transaction.commit().await?;
    Ok(Message::json("template deleted"))
}
