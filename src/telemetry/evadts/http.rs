//! Where audit files come in, and where they can be looked at.

use super::{
    counters::Counters,
    import::{self, Imported, Summary},
    store::{self, AUDITS, Audit},
};
use crate::{
    app::App,
    error::{Error, Issue, Result},
    gateway::station,
    http::{
        Caller, Json, Path, Unread,
        caller::Permission,
        extract,
        list::{ListParams, belongs_to, rows},
        unread::FromBody,
    },
    telemetry::ingest::body::{self, is_zipped},
};
use axum::{
    extract::{Request, State},
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use chrono::{DateTime, Utc};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use sqlx::{Postgres, QueryBuilder, postgres::PgRow};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

/// Bytes of a file at most.
const FILE_MAX_BYTES: usize = 1 << 20;

pub(in crate::telemetry) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(send))
        .routes(routes!(list))
        .routes(routes!(fetch))
        .routes(routes!(download))
}

/// A file as the body of a request, unzipped.
struct File(Vec<u8>);

impl FromBody for File {
    async fn from_body(request: Request, app: &App, group: i64) -> Result<Self> {
        let kind = request.headers().get(header::CONTENT_TYPE).map(HeaderValue::as_bytes);
        let kind = kind.map(|kind| kind.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii());
        let is_file = kind.is_none_or(|kind| {
            kind.eq_ignore_ascii_case(b"text/plain") || kind.eq_ignore_ascii_case(b"application/octet-stream")
        });
        if !is_file {
            return Err(Error::UnsupportedMedia { takes: "text/plain or application/octet-stream" });
        }
        let zipped = is_zipped(request.headers())?;
        let bytes = extract::whole(request, app.config.body_max_bytes).await?;
        if zipped {
            return body::read_zipped(app, group, bytes, FILE_MAX_BYTES, |file| Ok(Self(file))).await;
        }
        if bytes.len() > FILE_MAX_BYTES {
            return Err(Error::TooLarge { what: "body", limit_bytes: FILE_MAX_BYTES });
        }
        Ok(Self(bytes.into()))
    }
}

/// What became of an audit file.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AuditReceipt)]
struct Receipt {
    /// Its id.
    id: i64,
    /// `imported`, or `duplicate` where the same file had arrived before.
    #[schema(examples("imported"))]
    status: &'static str,
    /// `ok`, or `absent` where a report in it has none. A file whose checksum is wrong is refused.
    #[schema(examples("ok"))]
    checksum: String,
    #[serde(flatten)]
    summary: Summary,
}

/// An audit file of a machine.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Audit)]
struct Shown {
    /// Its id.
    id: i64,
    /// When it came.
    #[serde(serialize_with = "crate::time::milliseconds")]
    arrived_at: DateTime<Utc>,
    /// `imported` or `refused`.
    #[schema(examples("imported"))]
    status: String,
    /// `ok` or `absent`; none of a refused one.
    #[schema(examples("ok"))]
    checksum: Option<String>,
    /// Its size.
    bytes: i64,
    /// What became of it; none of a refused one.
    summary: Option<Summary>,
    /// What is wrong with it, by line.
    errors: Vec<Issue>,
}

/// An audit file with the counters in it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AuditWithCounters)]
struct Whole {
    #[serde(flatten)]
    audit: Shown,
    /// The counters of each report, as `reads` of the summary has them.
    counters: Vec<Counters>,
}

fn told<T: DeserializeOwned>(value: Option<Value>) -> Result<Option<T>> {
    value.map(serde_json::from_value).transpose().map_err(Error::fault)
}

impl Shown {
    fn of(audit: Audit) -> Result<Self> {
        let Audit { id, arrived_at, status, checksum, bytes, summary, errors } = audit;
        let errors = told(errors)?.unwrap_or_default();
        Ok(Self { id, arrived_at, status, checksum, bytes, summary: told(summary)?, errors })
    }
}

/// Send an audit file
///
/// An EVA-DTS file, zipped if you like (`Content-Encoding: gzip`). What the machine has sold since its last
/// audit becomes sales and payments, what happened to it becomes events. A machine that sends its sales
/// itself, and has within a month, gets none from audits: what was counted stands beside what was reported.
/// Every cent that the machine's totals hold is a sale or in `notes`. A report that was cut off waits for the
/// next whole one, and one of another machine moves nothing. The same file again changes nothing. A file that
/// is wrong is refused, with each line that is, and kept to be looked at.
#[utoipa::path(post, path = "/machine/{hostname}/audit", tag = "telemetry", operation_id = "send_audit",
    params(("hostname" = String, Path, description = "The machine's host name, or its gateway's number")),
    request_body(content((String = "text/plain"), (Vec<u8> = "application/octet-stream"))),
    responses(
        (status = 201, description = "What was read", body = Receipt),
        (status = 200, description = "What was read when the same file came before", body = Receipt)))]
async fn send(
    State(app): State<App>,
    caller: Caller,
    Path(hostname): Path<String>,
    body: Unread<File>,
) -> Result<(StatusCode, Json<Receipt>)> {
    caller.may(Permission::GatewayUse)?;
    let machine = station::named(&app, &caller, &hostname).await?;
    let File(file) = body.read(&app, &caller, Permission::GatewayUse).await?;
    let Imported { id, is_new, checksum, summary } = import::import(&app, &caller, machine, file).await?;
    let (code, status) =
        if is_new { (StatusCode::CREATED, "imported") } else { (StatusCode::OK, "duplicate") };
    Ok((code, Json(Receipt { id, status, checksum, summary })))
}

/// List a machine's audit files
///
/// With what became of each. Of those that were refused the latest 20 are kept.
#[utoipa::path(get, path = "/machine/{hostname}/audits", tag = "telemetry", operation_id = "list_audits",
    params(("hostname" = String, Path, description = "The machine's host name, or its gateway's number"), ListParams),
    responses((status = 200, description = "The audit files", body = Vec<Shown>)))]
async fn list(
    State(app): State<App>,
    caller: Caller,
    Path(hostname): Path<String>,
    params: ListParams,
) -> Result<Response> {
    caller.may(Permission::TransactionRead)?;
    let query = params.over(&AUDITS)?;
    let machine = station::named(&app, &caller, &hostname).await?;
    let reading = app.reads.list(caller.group()).await?;
    let of_machine = |sql: &mut QueryBuilder<Postgres>| {
        sql.push("a.machine = ").push_bind(machine).push(" AND ");
        belongs_to(sql, "a.user_group", caller.group());
    };
    query.answer(&app, reading, of_machine, |row: &PgRow| rows(row).and_then(Shown::of)).await
}

/// Read an audit file
///
/// What became of it, with the counters in it.
#[utoipa::path(get, path = "/machine/{hostname}/audits/{id}", tag = "telemetry", operation_id = "fetch_audit",
    params(("hostname" = String, Path, description = "The machine's host name, or its gateway's number"),
        ("id" = i64, Path, description = "The audit file")),
    responses((status = 200, description = "The audit file", body = Whole)))]
async fn fetch(
    State(app): State<App>,
    caller: Caller,
    Path((hostname, id)): Path<(String, i64)>,
) -> Result<Json<Whole>> {
    caller.may(Permission::TransactionRead)?;
    let machine = station::named(&app, &caller, &hostname).await?;
    let found = store::one(&app.db, caller.group(), machine, id).await?;
    let (audit, reads) = found.ok_or(Error::NotFound("audit"))?;
    let counters = reads.into_iter().map(|read| read.counters).collect();
    Ok(Json(Whole { audit: Shown::of(audit)?, counters }))
}

/// Download an audit file
///
/// As it came, but for its being zipped.
#[utoipa::path(get, path = "/machine/{hostname}/audits/{id}/file", tag = "telemetry",
    operation_id = "download_audit",
    params(("hostname" = String, Path, description = "The machine's host name, or its gateway's number"),
        ("id" = i64, Path, description = "The audit file")),
    responses((status = 200, description = "The file",
        content((Vec<u8> = "application/octet-stream")))))]
async fn download(
    State(app): State<App>,
    caller: Caller,
    Path((hostname, id)): Path<(String, i64)>,
) -> Result<impl IntoResponse> {
    caller.may(Permission::TransactionRead)?;
    let machine = station::named(&app, &caller, &hostname).await?;
    let file = store::file(&app.db, caller.group(), machine, id).await?;
    let file = file.ok_or(Error::NotFound("audit"))?;
    let headers = [
        (header::CONTENT_TYPE, "application/octet-stream".to_owned()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"audit-{id}.dts\"")),
    ];
    Ok((headers, file))
}
