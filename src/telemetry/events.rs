//! Events that are not resolved, and how often each has occurred.

use super::{
    history::Log,
    selection::{Named, Selection},
};
use crate::{
    app::App,
    error::{Error, Result},
    http::{
        Caller, Json,
        caller::Permission,
        list::{Below, ListParams},
    },
    resource::{Resource, reach},
};
use axum::{extract::State, response::Response};
use serde::Serialize;
use sqlx::{FromRow, PgConnection, Postgres, QueryBuilder};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

/// Codes that a summary has where nothing else is asked for, and at most.
const SUMMARY: (i64, i64) = (10, 30);

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list_active)).routes(routes!(summarize))
}

/// List events that are not resolved
///
/// Issues and alarms, however old they are.
#[utoipa::path(get, path = "/log/active", tag = "log", operation_id = "list_active_events",
    params(("machine" = Option<i64>, Query, description = "Only those of this machine"), ListParams),
    responses((status = 200, description = "A page of events", body = Vec<Log>)))]
async fn list_active(State(app): State<App>, caller: Caller, mut params: ListParams) -> Result<Response> {
    caller.may(Permission::TransactionRead)?;
    let spec = Log::spec();
    let machine = params.take_number("machine", 0, i64::MAX)?;
    let query = params.over(spec.listing_ever())?;
    if let Some(machine) = machine {
        let named = Named { machines: vec![machine], ..Named::default() };
        let nothing = |_| Error::malformed("/machine", "is no machine that you see");
        named.resolve(&mut *app.db.acquire().await?, caller.group(), nothing).await?;
    }
    let reading = app.reads.list(caller.group()).await?;
    let below = Below::of(&*reading, caller.group()).await?;
    let scope = |sql: &mut QueryBuilder<Postgres>| {
        reach::readable(sql, spec, &below);
        sql.push(" AND this.resolved_at IS NULL AND this.type > 1");
        if let Some(machine) = machine {
            sql.push(" AND this.machine = ").push_bind(machine);
        }
    };
    query.answer(&app, reading, scope, spec.shown()).await
}

/// How often something has happened.
#[derive(Debug, Serialize, FromRow, ToSchema)]
struct Occurrences {
    /// What machines call it.
    code: String,
    /// What it is, in the caller's language if that has a word for it.
    #[schema(examples("Watertank leeg"))]
    error: String,
    /// How often it has happened.
    summary: i64,
}

/// Sum up events
///
/// What has happened most often comes first.
#[utoipa::path(get, path = "/log/summary", tag = "log", operation_id = "summarize_events",
    params(
        ("machines" = Option<Vec<i64>>, Query, description = "Only what happened to these machines; repeated"),
        ("locations" = Option<Vec<i64>>, Query, description = "Only what happened at these locations; repeated"),
        ("limit" = Option<i64>, Query, minimum = 1, maximum = 30, description = "Codes at most (10 without it)"),
    ),
    responses((status = 200, description = "How often each occurred", body = Vec<Occurrences>)))]
async fn summarize(
    State(app): State<App>,
    caller: Caller,
    mut params: ListParams,
) -> Result<Json<Vec<Occurrences>>> {
    caller.may(Permission::TransactionRead)?;
    let limit = params.take_number("limit", 1, SUMMARY.1)?.unwrap_or(SUMMARY.0);
    let named = Named::take(&mut params)?;
    params.end()?;
    let mut db = app.db.acquire().await?;
    let whose = named.resolve(&mut db, caller.group(), Error::Malformed).await?;
    Ok(Json(occurrences(&mut db, &whose, &caller, limit).await?))
}

/// From the sums of months. The word of the nearest group counts, as everywhere in a catalogue; what
/// several types of machine call by the same code and word is one event.
async fn occurrences(
    db: &mut PgConnection,
    whose: &Selection,
    caller: &Caller,
    limit: i64,
) -> Result<Vec<Occurrences>> {
    const SQL: &str = r#"
        SELECT s.code, COALESCE(word.value, i.error, s.code) AS error, sum(s.quantity)::bigint AS summary
        FROM (SELECT code, error_identity, sum(quantity) AS quantity FROM events_rollup
              WHERE user_group = ANY($1) AND ($2::bigint[] IS NULL OR machine = ANY($2))
                AND ($3::bigint[] IS NULL OR location = ANY($3)) AND grain = 'month'
              GROUP BY code, error_identity HAVING sum(quantity) > 0) s
        LEFT JOIN error_identity i ON i.id = s.error_identity
        LEFT JOIN LATERAL (
            SELECT t.value FROM translation t JOIN user_group_tree g ON g.ancestor = t.user_group
            WHERE g.descendant = $5 AND t.key = i.error AND t.value <> ''
              AND t.language = (SELECT language FROM account WHERE id = $6)
            ORDER BY g.depth LIMIT 1) word ON true
        GROUP BY 1, 2
        ORDER BY summary DESC, s.code COLLATE "C", COALESCE(word.value, i.error, s.code) COLLATE "C" LIMIT $4"#;
    let rows = sqlx::query_as(SQL)
        .bind(&whose.groups)
        .bind(&whose.machines)
        .bind(&whose.locations)
        .bind(limit)
        .bind(caller.group())
        .bind(caller.account())
        .persistent(false);
    Ok(rows.fetch_all(db).await?)
}
