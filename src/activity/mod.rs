//! The record of changes: who changed what, when, from where, before and after.
//!
//! Postgres writes it ([`crate::author`] says how it learns of the author); here it is only read. A caller sees the
//! entries of its group and those below, of the nouns that it may read: an entry holds what was changed.

use crate::{
    app::App,
    error::{Error, Result},
    http::{
        Caller,
        caller::Permission,
        list::{Below, Column, ExportParams, Ids, Kind, ListParams, ListQuery, Listing, belongs_to, rows},
        resources,
        sheet::{self, Form, Sheet},
    },
    resource::camel,
    transaction,
};
use axum::{extract::State, response::Response};
use chrono::{DateTime, Utc};
use futures_util::TryStreamExt;
use serde::Serialize;
use serde_json::{Map, Value};
use sqlx::{FromRow, PgPool, Postgres, QueryBuilder, Row as _, postgres::PgRow, types::Json};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

/// The endpoints.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(export))
}

/// Nouns that are no plain resources, and what it takes to see one.
const NOUNS: [(&str, Permission); 10] = [
    ("apikey", Permission::ApiKeyRead),
    ("campaign", Permission::CampaignRead),
    ("chart", Permission::ReportRead),
    ("command", Permission::CommandRead),
    ("dashboard", Permission::DashboardRead),
    ("machineconfig", Permission::ConfigRead),
    ("machineconfigchange", Permission::ConfigRead),
    ("machineconfigtemplate", Permission::ConfigRead),
    ("voucher", Permission::VoucherRead),
    ("widget", Permission::DashboardRead),
];

/// Every noun of the record, with what it takes to see one.
pub fn nouns() -> impl Iterator<Item = (&'static str, Permission)> {
    let plain = resources().into_iter().map(|spec| (spec.area, spec.read));
    plain.chain(NOUNS)
}

/// Something that was changed.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Activity)]
struct Entry {
    /// Its id, which grows with time.
    id: i64,
    /// When it was changed.
    #[serde(serialize_with = "crate::time::milliseconds")]
    at: DateTime<Utc>,
    /// The user who changed it.
    account: Option<i64>,
    /// That user's name.
    account_name: Option<String>,
    /// The API key that changed it.
    api_key: Option<i64>,
    /// That key's name.
    api_key_name: Option<String>,
    /// The user who answers for the key.
    on_behalf_of: Option<i64>,
    /// The job or command of this server, or the role of the database, that changed it.
    #[schema(examples("job generate_vouchers"))]
    system: Option<String>,
    /// The address that the request came from.
    address: Option<String>,
    /// The request's id, as its answer has it in `X-Request-Id`.
    request: Option<String>,
    /// The request's method and route.
    #[schema(examples("PUT /campaign/{id}"))]
    operation: Option<String>,
    /// The user group that it belongs to.
    user_group: Option<i64>,
    /// The kind of thing: the area of its operations.
    #[schema(examples("campaign"))]
    noun: String,
    /// Its id.
    #[schema(examples("7"))]
    subject: String,
    /// The change: `created`, `changed` or `deleted`.
    action: String,
    /// Its fields before, as far as they were changed.
    #[schema(value_type = Option<Object>)]
    before: Option<Value>,
    /// Its fields after. Of secret ones it says that they were changed.
    #[schema(value_type = Option<Object>)]
    after: Option<Value>,
    /// Why, as the request said in `X-Reason`.
    reason: Option<String>,
}

/// The names of its fields, in their order.
const FIELDS: [&str; 18] = [
    "id",
    "at",
    "account",
    "accountName",
    "apiKey",
    "apiKeyName",
    "onBehalfOf",
    "system",
    "address",
    "request",
    "operation",
    "userGroup",
    "noun",
    "subject",
    "action",
    "before",
    "after",
    "reason",
];

impl<'r> FromRow<'r, PgRow> for Entry {
    fn from_row(row: &'r PgRow) -> sqlx::Result<Self> {
        let columns = |name: &str| -> sqlx::Result<Option<Value>> {
            let columns: Option<Json<Map<String, Value>>> = row.try_get(name)?;
            let camel = |(name, value): (String, Value)| (camel(&name), value);
            Ok(columns.map(|Json(columns)| columns.into_iter().map(camel).collect::<Map<_, _>>().into()))
        };
        Ok(Self {
            id: row.try_get("id")?,
            at: row.try_get("at")?,
            account: row.try_get("account")?,
            account_name: row.try_get("account_name")?,
            api_key: row.try_get("api_key")?,
            api_key_name: row.try_get("api_key_name")?,
            on_behalf_of: row.try_get("on_behalf_of")?,
            system: row.try_get("system")?,
            address: row.try_get("host")?,
            request: row.try_get("request")?,
            operation: row.try_get("operation")?,
            user_group: row.try_get("user_group")?,
            noun: row.try_get("noun")?,
            subject: row.try_get("subject")?,
            action: row.try_get("action")?,
            before: columns("before")?,
            after: columns("after")?,
            reason: row.try_get("reason")?,
        })
    }
}

static ENTRIES: Listing = Listing {
    select: "this.*, a.username AS account_name, k.name AS api_key_name, host(this.address) AS host",
    from: "activity this LEFT JOIN account a ON a.id = this.account LEFT JOIN api_key k ON k.id = this.api_key",
    ids: Ids::Sequence("activity"),
    order: None,
    columns: &[
        Column::new("id", "this.id", Kind::Int),
        Column::new("at", "this.at", Kind::Instant),
        Column::new("account", "this.account", Kind::Int),
        Column::new("accountName", "a.username", Kind::Text),
        Column::new("apiKey", "this.api_key", Kind::Int),
        Column::new("apiKeyName", "k.name", Kind::Text),
        Column::new("onBehalfOf", "this.on_behalf_of", Kind::Int),
        Column::new("system", "this.system", Kind::Text),
        Column::new("address", "host(this.address)", Kind::Text),
        Column::new("request", "this.request", Kind::Text),
        Column::new("operation", "this.operation", Kind::Text),
        Column::new("userGroup", "this.user_group", Kind::Int),
        Column::new("noun", "this.noun", Kind::Text),
        Column::new("subject", "this.subject", Kind::Text),
        Column::new("action", "this.action", Kind::Word(&["created", "changed", "deleted"])),
        Column::new("reason", "this.reason", Kind::Text),
    ],
};

/// The part of the record that a caller sees.
struct Scope {
    below: Below,
    nouns: Vec<&'static str>,
}

impl Scope {
    async fn of(app: &App, caller: &Caller) -> Result<Self> {
        let readable = nouns().filter(|(_, read)| caller.grant.allows(*read));
        Ok(Self {
            below: Below::of(&app.db, caller.group()).await?,
            nouns: readable.map(|(noun, _)| noun).collect(),
        })
    }

    fn push(&self, sql: &mut QueryBuilder<Postgres>) {
        belongs_to(sql, "this.user_group", &self.below);
        sql.push(" AND this.noun = ANY(").push_bind(self.nouns.clone()).push(")");
    }
}

/// List what was changed
///
/// Who changed what, when and from where, with what it was before and after. Of one thing: `where[noun]=campaign` and
/// `where[subject]=7`. Entries are never changed or deleted. Each caller sees those of what it may read. A request says
/// why it changes something in its header `X-Reason` (1 to 500 characters), if it likes.
#[utoipa::path(get, path = "/activity", tag = "activity", operation_id = "list_activity", params(ListParams),
    responses((status = 200, description = "A page of entries", body = Vec<Entry>)))]
async fn list(State(app): State<App>, caller: Caller, params: ListParams) -> Result<Response> {
    caller.may(Permission::ActivityRead)?;
    let query = params.over(&ENTRIES)?;
    let scope = Scope::of(&app, &caller).await?;
    let reading = app.reads.list(caller.group()).await?;
    query.answer(&app, reading, |sql: &mut _| scope.push(sql), rows::<Entry>).await
}

/// Export what was changed
///
/// As JSON lines: an object for each entry, with the conditions and the order of the list.
#[utoipa::path(get, path = "/activity/export", tag = "activity", operation_id = "export_activity",
    params(ExportParams),
    responses((status = 200, description = "The entries", content((String = "application/jsonl")))))]
async fn export(State(app): State<App>, caller: Caller, params: ListParams) -> Result<Response> {
    caller.may(Permission::ActivityRead)?;
    let query = params.over_all(&ENTRIES)?;
    let scope = Scope::of(&app, &caller).await?;
    let reading = app.reads.export(caller.group()).await?;
    let (mut sheet, reader) = sheet::sheet(Form::Lines, FIELDS)?;
    let tasks = app.tasks.clone();
    tasks.spawn(async move {
        let writing = Box::pin(write(&reading, &query, &scope, &mut sheet));
        let outcome = app.liveness.while_up(writing).await;
        sheet.end(outcome).await;
        drop(reading);
    });
    reader.download("activity").await
}

async fn write(db: &PgPool, query: &ListQuery, scope: &Scope, sheet: &mut Sheet) -> Result<()> {
    let mut statement = query.all(|sql| scope.push(sql));
    let mut tx = transaction::look(db, sheet::TIME_MAX_S).await?;
    let mut entries = statement.build_query_as::<Entry>().fetch(&mut *tx);
    while let Some(entry) = entries.try_next().await? {
        let fields = serde_json::to_value(entry).map_err(Error::fault)?;
        if !sheet.row(FIELDS.iter().map(|name| &fields[name])).await? {
            return Ok(());
        }
    }
    Ok(())
}
