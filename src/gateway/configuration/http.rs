//! One machine's configuration over HTTP.

use super::{
    request::with_settings,
    settings::{self, FLAT, shown},
    standing::Verdict,
    store::{self, CONFIGURATIONS, Stored},
};
use crate::{
    app::App,
    campaigns::terms::Checks,
    error::{Error, Result},
    fleet::{device_id::DeviceId, machine::ConfigState},
    gateway::station,
    http::{
        Caller, Json, Message, Path, Unread,
        caller::Permission,
        extract::JsonBytes,
        list::{ListParams, belongs_to, rows},
        written_back::{self, Absent, form},
    },
    seal::Keyring,
};
use axum::{
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Number;
use sqlx::{Postgres, QueryBuilder, postgres::PgRow};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{ArrayBuilder, OneOfBuilder, Ref, RefOr, Schema},
};
use utoipa_axum::{router::OpenApiRouter, routes};

/// The longest explanation of a gateway, in characters.
const DETAILS_MAX: usize = 2_000;

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(fetch))
        .routes(routes!(report))
        .routes(routes!(read, update))
        .routes(routes!(store))
}

/// What a gateway is to go by.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct MachineConfig {
    /// The machine's name.
    name: String,
    /// The access point of the mobile network.
    apn: Option<String>,
    /// Text in the gateway's own format.
    config: Option<String>,
    /// What the gateway shares its connection by.
    sharing: Option<String>,
    /// What the wireless network is for.
    mode: Option<String>,
    /// How the wireless network is encrypted.
    encryption: Option<String>,
    /// The wireless network's key, masked for those who may not see it.
    encryption_key: Option<String>,
    /// The wireless network's name.
    ssid: Option<String>,
    /// Grows with every change; 0 if nothing was ever set. What the gateway reports on.
    version: i64,
}

/// A machine's configuration, and how far it is on its way.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct StoredMachineConfig {
    /// The machine's id.
    id: i64,
    #[serde(flatten)]
    config: MachineConfig,
    /// Where it stands; absent if nothing was ever set.
    #[schema(value_type = Option<String>, examples("scheduled", "sent", "applied", "failed"))]
    state: Option<ConfigState>,
    /// The last version that the gateway has fetched; 0 for none.
    sent_version: i64,
    /// The last version that the gateway has applied; 0 for none.
    applied_version: i64,
    /// What the gateway said when it applied this version, or could not.
    details: Option<String>,
    /// What the gateway itself says that its configuration is.
    reported_config: Option<String>,
    /// When it said so.
    #[serde(serialize_with = "crate::time::milliseconds")]
    reported_at: Option<DateTime<Utc>>,
    /// When the gateway last fetched something new.
    #[serde(serialize_with = "crate::time::milliseconds")]
    sent_at: Option<DateTime<Utc>>,
    /// When it was last changed.
    #[serde(serialize_with = "crate::time::milliseconds")]
    updated_at: Option<DateTime<Utc>>,
}

impl MachineConfig {
    /// With the key in clear for those who bring a keyring.
    fn of(stored: Stored, clear: Option<&Keyring>) -> Result<Self> {
        let encryption_key = shown(stored.settings.encryption_key.as_deref(), stored.place(), clear)?;
        let Stored { name, settings, standing, .. } = stored;
        Ok(Self {
            name,
            apn: settings.apn,
            config: settings.config,
            sharing: settings.sharing,
            mode: settings.mode,
            encryption: settings.encryption,
            encryption_key,
            ssid: settings.ssid,
            version: standing.version,
        })
    }
}

impl StoredMachineConfig {
    fn of(stored: Stored, clear: Option<&Keyring>) -> Result<Self> {
        let state = stored.standing.state();
        // What was said of an earlier version says nothing of this one.
        let is_said = matches!(state, Some(ConfigState::Applied | ConfigState::Failed));
        Ok(Self {
            id: stored.machine,
            state,
            sent_version: stored.standing.sent,
            applied_version: stored.standing.applied,
            details: stored.details.clone().filter(|_| is_said),
            reported_config: stored.reported.clone(),
            reported_at: stored.reported_at,
            sent_at: stored.sent_at,
            updated_at: stored.updated_at,
            config: MachineConfig::of(stored, clear)?,
        })
    }
}

/// Fetch a machine's configuration
///
/// What its gateway is to go by. Fetched by the gateway, it counts as sent; a person only looks. With
/// `If-None-Match`, the answer is 304 as long as nothing has changed.
#[utoipa::path(get, path = "/machineconfig/{hostname}", tag = "machineconfig", operation_id = "fetch_machineconfig",
    params(("hostname" = String, Path, description = "The machine's host name, or its gateway's number")),
    responses(
        (status = 200, description = "The configuration in force", body = MachineConfig,
            headers(("ETag" = String, description = "Its version"))),
        (status = 304, description = "It is the one that the caller has")))]
async fn fetch(
    State(app): State<App>,
    caller: Caller,
    Path(hostname): Path<String>,
    headers: HeaderMap,
) -> Result<Response> {
    let gateway = station::is_gateway(&caller);
    if !gateway {
        caller.may(Permission::ConfigRead)?;
    }
    let machine = station::named(&app, &caller, &hostname).await?;
    let stored = if gateway {
        station::seen(&app.db, machine, app.clock.now()).await?;
        store::hand_out(&app, machine).await?
    } else {
        store::read(&app.db, machine).await?
    };
    let clear = (gateway || caller.grant.allows(Permission::ConfigSecret)).then_some(&app.keyring);
    let tag = tag(stored.standing.version, clear.is_none());
    let mut response = if has(&headers, &tag) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        Json(MachineConfig::of(stored, clear)?).into_response()
    };
    response.headers_mut().insert(header::ETAG, HeaderValue::from_str(&tag).map_err(Error::fault)?);
    Ok(response)
}

/// Names a version. Weak, because the machine's name stands beside it and may change.
fn tag(version: i64, masked: bool) -> String {
    format!("W/\"{version}{}\"", if masked { "-masked" } else { "" })
}

/// Whether the client has what the tag names (RFC 9110, 13.1.2).
fn has(headers: &HeaderMap, tag: &str) -> bool {
    let opaque = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    let sent = headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    sent.flat_map(|value| value.split(',')).any(|sent| sent.trim() == "*" || opaque(sent) == opaque(tag))
}

/// What became of a version.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct MachineConfigReport {
    /// The version that was fetched.
    #[schema(minimum = 1)]
    version: i64,
    /// Whether the gateway goes by it.
    state: Verdict,
    /// Why not, or anything else that is worth knowing.
    #[schema(max_length = 2000)]
    details: Option<String>,
}

/// Report what became of a machine's configuration
///
/// By its gateway. A report on a version that is no longer in force changes nothing of the one that is.
#[utoipa::path(post, path = "/machineconfig/{hostname}/report", tag = "machineconfig",
    operation_id = "report_machineconfig",
    params(("hostname" = String, Path, description = "The machine's host name, or its gateway's number")), request_body = MachineConfigReport,
    responses((status = 200, description = "It was taken down", body = Message)))]
async fn report(
    State(app): State<App>,
    caller: Caller,
    Path(hostname): Path<String>,
    body: Unread<Json<MachineConfigReport>>,
) -> Result<Json<Message>> {
    let Json(body) = body.read(&app, &caller, Permission::GatewayUse).await?;
    let mut checks = Checks::default();
    checks.number("/version", body.version, 1, i64::MAX);
    checks.lines("/details", body.details.as_deref(), DETAILS_MAX);
    checks.done()?;
    let machine = station::named(&app, &caller, &hostname).await?;
    if station::is_gateway(&caller) {
        station::seen(&app.db, machine, app.clock.now()).await?;
    }
    store::report(&app, machine, body.version, body.state, body.details).await?;
    Ok(Message::json("report taken down"))
}

/// The stored configuration of a machine, or those of all, in the document.
struct Configurations;

impl PartialSchema for Configurations {
    fn schema() -> RefOr<Schema> {
        let one = || Ref::from_schema_name(StoredMachineConfig::name());
        OneOfBuilder::new().item(one()).item(ArrayBuilder::new().items(one())).into()
    }
}

impl ToSchema for Configurations {
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push((StoredMachineConfig::name().into_owned(), StoredMachineConfig::schema()));
        StoredMachineConfig::schemas(schemas);
    }
}

/// Read the stored configuration of a machine, or of all
///
/// With the machine's id, how far it is on its way, and what the gateway said of it. Without `hostname` it is a list.
#[utoipa::path(get, path = "/machineconfig", tag = "machineconfig", operation_id = "read_machineconfig",
    params(("hostname" = Option<String>, Query, description = "The machine's host name, or its gateway's number"),
        ListParams),
    responses((status = 200, description = "The stored configuration, or a page of them", body = inline(Configurations))))]
async fn read(State(app): State<App>, caller: Caller, mut params: ListParams) -> Result<Response> {
    caller.may(Permission::ConfigRead)?;
    let clear = caller.grant.allows(Permission::ConfigSecret);
    let Some(hostname) = params.take("hostname")? else {
        let query = params.over(&CONFIGURATIONS)?;
        let reading = app.reads.list(caller.group()).await?;
        let scope = |sql: &mut QueryBuilder<Postgres>| {
            belongs_to(sql, "m.user_group", caller.group());
            if let Some(machine) = caller.machine() {
                sql.push(" AND m.id = ").push_bind(machine);
            }
        };
        let keys = app.clone();
        let show =
            move |row: &PgRow| StoredMachineConfig::of(rows::<Stored>(row)?, clear.then_some(&keys.keyring));
        return query.answer(&app, reading, scope, show).await;
    };
    params.over(&CONFIGURATIONS)?;
    if DeviceId::parse(&hostname).is_none() {
        return Err(Error::malformed("/hostname", "must be a host name, or a gateway's number"));
    }
    let machine = station::named(&app, &caller, &hostname).await?;
    let stored = store::read(&app.db, machine).await?;
    Ok(Json(StoredMachineConfig::of(stored, clear.then_some(&app.keyring))?).into_response())
}

with_settings! {
    /// A change of one machine's configuration: what is absent stays, `null` takes away.
    MachineConfigUpdate {
        /// The machine's id; `id` will do, as a read shows it.
        #[serde(default)]
        machine: Option<i64>,
    }
}

/// The machine that a change is for, by either name. What else is wrong with it is found later.
#[derive(Debug, Deserialize)]
struct Meant {
    machine: Option<Number>,
    id: Option<Number>,
}

impl Meant {
    /// Returns it, with where it stands.
    fn machine(body: &[u8]) -> Option<(i64, &'static str)> {
        let Self { machine, id } = serde_json::from_slice(body).ok()?;
        let (number, pointer) = machine.map(|it| (it, "/machine")).or(id.map(|it| (it, "/id")))?;
        let whole = |number: f64| (number.fract() == 0.0).then_some(number as i64);
        Some((number.as_i64().or_else(|| number.as_f64().and_then(whole))?, pointer))
    }
}

/// Change a machine's configuration
///
/// What is absent stays; `null` takes away. It is `scheduled` until the gateway fetches it.
#[utoipa::path(put, path = "/machineconfig", tag = "machineconfig", operation_id = "update_machineconfig",
    request_body = MachineConfigUpdate,
    responses((status = 200, description = "The configuration was changed", body = Message)))]
async fn update(State(app): State<App>, caller: Caller, body: Unread<JsonBytes>) -> Result<Json<Message>> {
    let body = body.read(&app, &caller, Permission::ConfigWrite).await?;
    let meant = Meant::machine(&body.0);
    let shown = async {
        caller.may(Permission::ConfigRead)?;
        let machine = within_reach(&app, &caller, meant).await?;
        let clear = caller.grant.allows(Permission::ConfigSecret).then_some(&app.keyring);
        StoredMachineConfig::of(store::read(&app.db, machine).await?, clear)
    };
    let mut body =
        written_back::read(&app, &caller, body, form::<MachineConfigUpdate>(Absent::Repeats), shown).await?;
    let mut checks = Checks::default();
    let mut change = body.change();
    change.check(&mut checks, FLAT);
    checks.done()?;
    let meant = body.machine.map(|machine| (machine, "/machine")).or(meant);
    let machine = within_reach(&app, &caller, meant).await?;
    if !change.is_empty() {
        store::change(&app, machine, &change).await?;
    }
    Ok(Message::json("machine configuration updated"))
}

/// The machine, if it is one of the caller's.
async fn within_reach(app: &App, caller: &Caller, meant: Option<(i64, &'static str)>) -> Result<i64> {
    let (machine, pointer) = meant.ok_or_else(|| Error::invalid("/machine", "is required"))?;
    if station::is_in_reach(app, caller, machine).await? {
        Ok(machine)
    } else {
        Err(Error::invalid(pointer, "is not a machine of yours"))
    }
}

/// A gateway's own configuration.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct OwnConfig {
    /// Text in the gateway's own format: 64 KiB at most.
    #[schema(max_length = 65_536)]
    config: String,
}

/// Store a gateway's own configuration
///
/// From the gateway it is what it goes by: in force, and applied, unless something else is on its way
/// to it. From a person it is what the gateway is to go by from now on.
#[utoipa::path(put, path = "/machine/{hostname}/config", tag = "machine", operation_id = "store_machine_config",
    params(("hostname" = String, Path, description = "The machine's host name, or its gateway's number")), request_body = OwnConfig,
    responses((status = 200, description = "The configuration was stored", body = Message)))]
async fn store(
    State(app): State<App>,
    caller: Caller,
    Path(hostname): Path<String>,
    body: Unread<Json<OwnConfig>>,
) -> Result<Json<Message>> {
    let gateway = station::is_gateway(&caller);
    let permission = if gateway { Permission::GatewayUse } else { Permission::ConfigWrite };
    let Json(body) = body.read(&app, &caller, permission).await?;
    let mut checks = Checks::default();
    settings::config(&mut checks, "/config", Some(&body.config));
    checks.done()?;
    let machine = station::named(&app, &caller, &hostname).await?;
    if gateway {
        station::seen(&app.db, machine, app.clock.now()).await?;
        store::adopt(&app, machine, body.config).await?;
    } else {
        let change = settings::Change { config: Some(Some(body.config)), ..settings::Change::default() };
        store::change(&app, machine, &change).await?;
    }
    Ok(Message::json("configuration stored"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_recognised_weak_or_strong_and_among_others() {
        let sent = |values: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(header::IF_NONE_MATCH, HeaderValue::from_static(value));
            }
            has(&headers, &tag(7, false))
        };
        for good in [&["W/\"7\""][..], &["\"7\""], &["\"6\", W/\"7\""], &["\"6\"", "\"7\""], &["*"]] {
            assert!(sent(good), "{good:?}");
        }
        for other in [&[][..], &["\"77\""], &["W/\"7-masked\""], &["7"]] {
            assert!(!sent(other), "{other:?}");
        }
    }
}
