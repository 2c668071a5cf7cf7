//! What an integration was told, and which transactions it is told of; and telling it again.

use super::{delivery::store as deliveries, integration::Integration, rights};
use crate::{
    app::App,
    error::{Error, Issue, Result},
    http::{
        Caller, Json, Path, Unread,
        caller::Permission,
        list::{Below, Column, Ids, Kind, ListParams, Listing, belongs_to, rows},
    },
    idempotency::Creation,
    resource::{Resource, store},
    transaction,
};
use axum::{extract::State, http::StatusCode, response::Response};
use chrono::{DateTime, Datelike, Utc};
use serde::{Deserialize, Serialize};
use sqlx::{PgConnection, Postgres, QueryBuilder};
use std::collections::HashSet;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

/// What one replay can be of.
const REPLAY_MAX: u64 = 100_000;

/// Ids that one replay can name.
const IDS_MAX: usize = 10_000;

/// Something that an integration is told, was told, or could not be told.
#[derive(Debug, Serialize, ToSchema, sqlx::FromRow)]
#[serde(rename_all = "camelCase")]
struct IntegrationLog {
    /// Its id.
    id: i64,
    /// Where it stands.
    #[schema(examples("waiting", "delivered", "failed"))]
    state: String,
    /// The machine, if it is about one.
    machine: Option<i64>,
    /// The transaction, if it is about one.
    #[serde(rename = "revenuetransaction")]
    revenue_transaction: Option<i64>,
    /// The event.
    event: String,
    /// How often it was tried.
    attempts: i64,
    /// How the last attempt went.
    message: Option<String>,
    /// The beginning of what the endpoint answered to it.
    details: Option<String>,
    /// When it is tried again, if it has to wait for that.
    #[serde(serialize_with = "crate::time::milliseconds")]
    due_at: Option<DateTime<Utc>>,
    /// When it was put aside.
    #[serde(serialize_with = "crate::time::seconds")]
    created_at: DateTime<Utc>,
    /// When it was last tried.
    #[serde(serialize_with = "crate::time::seconds")]
    updated_at: DateTime<Utc>,
}

static LOGS: Listing = Listing {
    select:
        "d.id, d.state, d.machine, d.revenue_transaction, d.event, d.attempts, d.message, d.details, d.due_at,
        d.created_at, d.updated_at",
    from: "delivery d",
    ids: Ids::Sequence("delivery"),
    order: None,
    columns: &[
        Column::new("id", "d.id", Kind::Int),
        Column::new("state", "d.state", Kind::Word(&["waiting", "delivered", "failed"])),
        Column::new("machine", "d.machine", Kind::Int),
        Column::new("revenuetransaction", "d.revenue_transaction", Kind::Int),
        Column::new("event", "d.event", Kind::Text),
        Column::new("attempts", "d.attempts", Kind::Int),
        Column::new("message", "d.message", Kind::Text),
        Column::new("details", "d.details", Kind::Text),
        Column::new("dueAt", "d.due_at", Kind::Instant),
        Column::new("createdAt", "d.created_at", Kind::Time),
        Column::new("updatedAt", "d.updated_at", Kind::Time),
    ],
};

/// A transaction that an integration is told of.
#[derive(Debug, Serialize, ToSchema, sqlx::FromRow)]
#[serde(rename_all = "camelCase")]
struct ForwardedTransaction {
    /// Its id.
    id: i64,
    /// The machine's own number of it.
    remote: Option<i64>,
    /// Minor units of the currency.
    price: i64,
    /// When it was.
    #[serde(serialize_with = "crate::time::seconds")]
    occurred_at: DateTime<Utc>,
    /// At which machine.
    machine: i64,
    /// Where that stood.
    location: i64,
    /// When it was, in seconds since 1970.
    timestamp: i64,
    /// ISO 4217.
    currency: String,
    /// The time zone of that place.
    timezone: String,
    /// What was sold.
    name: String,
    /// What it was paid with, if the machine says.
    token: Option<String>,
    /// The machine's own number of the way it was sold.
    salestype: Option<i64>,
    /// When it came in.
    #[serde(serialize_with = "crate::time::seconds")]
    created_at: DateTime<Utc>,
    /// When it was last changed.
    #[serde(serialize_with = "crate::time::seconds")]
    updated_at: DateTime<Utc>,
}

static TRANSACTIONS: Listing = Listing {
    select: "t.id, t.remote, t.price, t.occurred_at, t.machine, t.location,
        floor(extract(epoch FROM t.occurred_at))::bigint AS timestamp, t.currency, t.time_zone AS timezone, t.name,
        t.token, t.salestype, t.created_at, t.updated_at",
    from: "revenue_transaction t",
    ids: Ids::Sequence("revenue_transaction"),
    order: None,
    columns: &[
        Column::new("id", "t.id", Kind::Int),
        Column::new("remote", "t.remote", Kind::Int),
        Column::new("price", "t.price", Kind::Int),
        Column::new("occurredAt", "t.occurred_at", Kind::Time),
        Column::new("machine", "t.machine", Kind::Int),
        Column::new("location", "t.location", Kind::Int),
        Column::new("timestamp", "floor(extract(epoch FROM t.occurred_at))::bigint", Kind::Int),
        Column::new("currency", "t.currency", Kind::Text),
        Column::new("timezone", "t.time_zone", Kind::Text),
        Column::new("name", "t.name", Kind::Text),
        Column::new("token", "t.token", Kind::Text),
        Column::new("salestype", "t.salestype", Kind::Int),
        Column::new("createdAt", "t.created_at", Kind::Time),
        Column::new("updatedAt", "t.updated_at", Kind::Time),
    ],
};

/// What is to be told again: a period, or some transactions.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Replay {
    /// The first instant of the period.
    from: Option<DateTime<Utc>>,
    /// The first instant after it.
    to: Option<DateTime<Utc>>,
    /// Transactions, instead of a period.
    ids: Option<Vec<i64>>,
}

/// How much is told again.
#[derive(Debug, Serialize, ToSchema)]
struct Replayed {
    /// How many deliveries were put aside.
    deliveries: u64,
    /// In a few words.
    message: String,
}

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list_logs)).routes(routes!(list_transactions)).routes(routes!(replay))
}

/// Makes sure that the caller sees an integration, and says whose it is.
async fn owner(app: &App, caller: &Caller, id: i64) -> Result<i64> {
    store::find(&app.db, Integration::spec(), caller.group(), None, id).await?;
    let sql = "SELECT user_group FROM integration WHERE id = $1";
    let owner: Option<i64> = sqlx::query_scalar(sql).bind(id).fetch_optional(&app.db).await?;
    owner.ok_or(Error::NotFound("integration"))
}

/// List what was delivered to an integration
///
/// And what waits for it, or could not be delivered; each with how the last attempt went.
#[utoipa::path(get, path = "/integration/{id}/logs", tag = "integration", operation_id = "list_integration_logs",
    params(("id" = i64, Path, description = "The integration"), ListParams),
    responses((status = 200, description = "A page of its log", body = Vec<IntegrationLog>)))]
async fn list_logs(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<i64>,
    params: ListParams,
) -> Result<Response> {
    caller.may(Permission::IntegrationRead)?;
    store::find(&app.db, Integration::spec(), caller.group(), None, id).await?;
    let query = params.over(&LOGS)?;
    let reading = app.reads.list(caller.group()).await?;
    let of_integration = |sql: &mut QueryBuilder<Postgres>| {
        sql.push("d.integration = ").push_bind(id);
    };
    query.answer(&app, reading, of_integration, rows::<IntegrationLog>).await
}

/// List the transactions that an integration is told of
///
/// Those of its user group and the groups below it. Needs `transaction.read` too.
#[utoipa::path(get, path = "/integration/{id}/transactions", tag = "integration",
    operation_id = "list_integration_transactions",
    params(("id" = i64, Path, description = "The integration"), ListParams),
    responses((status = 200, description = "A page of transactions", body = Vec<ForwardedTransaction>)))]
async fn list_transactions(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<i64>,
    params: ListParams,
) -> Result<Response> {
    caller.may(Permission::IntegrationRead)?;
    caller.may(Permission::TransactionRead)?;
    let owner = owner(&app, &caller, id).await?;
    let query = params.over(&TRANSACTIONS)?;
    let reading = app.reads.list(caller.group()).await?;
    let below = Below::of(&*reading, owner).await?;
    let scope = |sql: &mut QueryBuilder<Postgres>| belongs_to(sql, "t.user_group", &below);
    query.answer(&app, reading, scope, rows::<ForwardedTransaction>).await
}

/// Tell an integration again
///
/// Needs what creating the integration needs. Transactions of a period and what else it was told of that time, or some transactions. Each has the
/// same `webhook-id` as before. One that has failed begins anew.
#[utoipa::path(post, path = "/integration/{id}/replay", tag = "integration", operation_id = "replay_integration",
    params(("id" = i64, Path, description = "The integration")), request_body = Replay,
    responses((status = 202, description = "It will be told", body = Replayed)))]
async fn replay(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<i64>,
    body: Unread<Json<Replay>>,
) -> Result<(StatusCode, Json<Replayed>)> {
    let Json(body) = body.read(&app, &caller, Permission::IntegrationWrite).await?;
    let what = what(body)?;
    // A long period is read to write little of it.
    let reading = app.reads.report(caller.group()).await?;
    let mut tx = Creation::begin(&reading, app.clock.now()).await?;
    let owner = store::lock(&mut tx, Integration::spec(), caller.group(), None, id).await?;
    rights::check(&mut tx, &caller, id).await?;
    let sql = "SELECT url IS NOT NULL FROM integration WHERE id = $1";
    if !sqlx::query_scalar::<_, bool>(sql).bind(id).fetch_one(&mut *tx).await? {
        return Err(Error::Conflict("the integration has no URL".into()));
    }
    let deliveries = match what {
        What::Period(from, to) => replay_period(&mut tx, id, owner, from, to).await?,
        What::Transactions(ids) => {
            caller.may(Permission::TransactionRead)?;
            replay_transactions(&mut tx, id, owner, &ids).await?
        }
    };
    deliveries::restart(&mut tx, id).await?;
    let message = format!("{deliveries} deliveries are on their way");
    tx.commit(StatusCode::ACCEPTED, Replayed { deliveries, message }).await
}

enum What {
    Period(DateTime<Utc>, DateTime<Utc>),
    Transactions(Vec<i64>),
}

/// What is asked for, if it is one of the two.
fn what(Replay { from, to, ids }: Replay) -> Result<What> {
    // Postgres knows fewer years than can be written.
    let is_odd = |at: &DateTime<Utc>| !(1970..=9998).contains(&at.year());
    match (from, to, ids) {
        (Some(from), _, _) if is_odd(&from) => Err(Error::invalid("/from", "must be from 1970 to 9998")),
        (_, Some(to), _) if is_odd(&to) => Err(Error::invalid("/to", "must be from 1970 to 9998")),
        (None, None, Some(ids)) if ids.len() > IDS_MAX => {
            Err(Error::invalid("/ids", format!("must have at most {IDS_MAX} members")))
        }
        (None, None, Some(ids)) => Ok(What::Transactions(ids)),
        (Some(from), Some(to), None) if from < to => Ok(What::Period(from, to)),
        (Some(_), Some(_), None) => Err(Error::invalid("/to", "must be after from")),
        (_, _, Some(_)) => Err(Error::invalid("/ids", "goes without from and to")),
        (None, ..) => Err(Error::invalid("/from", "is required without ids")),
        (Some(_), None, None) => Err(Error::invalid("/to", "is required with from")),
    }
}

async fn replay_period(
    db: &mut PgConnection,
    id: i64,
    owner: i64,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
) -> Result<u64> {
    const SALES: &str = "
        INSERT INTO delivery (integration, event, lane, machine, revenue_transaction, occurred_at)
        SELECT $1, 'transaction', t.machine, t.machine, t.id, t.occurred_at FROM revenue_transaction_ever t
        WHERE t.user_group IN (SELECT descendant FROM user_group_tree WHERE ancestor = $2)
            AND t.occurred_at >= $3 AND t.occurred_at < $4
            AND EXISTS (SELECT FROM integration i WHERE i.id = $1 AND 'transaction' = ANY(i.events))
            AND NOT EXISTS (SELECT FROM delivery w WHERE w.integration = $1 AND w.lane = t.machine
                            AND w.state = 'waiting' AND w.revenue_transaction = t.id)
        ORDER BY t.id LIMIT $5";
    // Said twice before, it is said once more.
    const OTHERS: &str = "
        INSERT INTO delivery (integration, event, lane, machine, facts, occurred_at)
        SELECT integration, event, lane, machine, facts, occurred_at FROM (
            SELECT DISTINCT ON (d.facts->>'id') d.* FROM delivery d
            WHERE d.integration = $1 AND d.facts IS NOT NULL AND d.occurred_at >= $2 AND d.occurred_at < $3
            ORDER BY d.facts->>'id', d.state = 'waiting' DESC, d.id
        ) known
        WHERE state <> 'waiting' ORDER BY id LIMIT $4";
    let limit = REPLAY_MAX as i64 + 1;
    let sales = sqlx::query(SALES).bind(id).bind(owner).bind(from).bind(to).bind(limit).persistent(false);
    let too_long = |error| transaction::too_long(error, "/to");
    let mut replayed = sales.execute(&mut *db).await.map_err(too_long)?.rows_affected();
    let others = sqlx::query(OTHERS).bind(id).bind(from).bind(to).bind(limit);
    replayed += others.execute(db).await.map_err(too_long)?.rows_affected();
    if replayed > REPLAY_MAX {
        return Err(Error::invalid("/to", format!("takes in more than {REPLAY_MAX} deliveries")));
    }
    Ok(replayed)
}

async fn replay_transactions(db: &mut PgConnection, id: i64, owner: i64, ids: &[i64]) -> Result<u64> {
    const KNOWN: &str = "
        SELECT t.id FROM revenue_transaction_ever t WHERE t.id = ANY($1)
            AND t.user_group IN (SELECT descendant FROM user_group_tree WHERE ancestor = $2)";
    const SALES: &str = "
        INSERT INTO delivery (integration, event, lane, machine, revenue_transaction, occurred_at)
        SELECT $1, 'transaction', t.machine, t.machine, t.id, t.occurred_at FROM revenue_transaction_ever t
        WHERE t.id = ANY($2)
            AND NOT EXISTS (SELECT FROM delivery w WHERE w.integration = $1 AND w.lane = t.machine
                            AND w.state = 'waiting' AND w.revenue_transaction = t.id)
        ORDER BY t.id";
    let known: Vec<i64> = sqlx::query_scalar(KNOWN).bind(ids).bind(owner).fetch_all(&mut *db).await?;
    let known: HashSet<i64> = known.into_iter().collect();
    let unknown = ids.iter().enumerate().filter(|(_, id)| !known.contains(id));
    let issues: Vec<Issue> = unknown
        .map(|(index, _)| Issue::at(format!("/ids/{index}"), "is no transaction that it is told of"))
        .collect();
    if !issues.is_empty() {
        return Err(Error::Invalid(issues));
    }
    Ok(sqlx::query(SALES).bind(id).bind(ids).execute(db).await?.rows_affected())
}
