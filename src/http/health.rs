//! Whether this server lives, and whether it can serve: for load balancers and supervisors.

use super::Json;
use crate::{app::App, error::Store, postgres::Replication, stores::Reason};
use axum::{extract::State, http::StatusCode};
use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

/// What becomes of requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Service {
    /// Everything works.
    Full,
    /// Redis is away: the same answers, more slowly. Or commits wait for a standby that does not answer:
    /// vouchers are validated, and nothing is redeemed or changed until it does.
    Degraded,
    /// Postgres is away: vouchers are still validated, and nothing is redeemed or changed.
    Unavailable,
    /// The server is told to stop; it answers for a while yet, for those who have not heard of it.
    Stopping,
}

/// What an acknowledged redemption survives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Durability {
    /// A crash of Postgres: no standby is set to be synchronous.
    Local,
    /// The loss of Postgres: a synchronous standby has it.
    Replicated,
    /// Nothing is acknowledged: no synchronous standby confirms commits.
    Reduced,
}

/// Whether a store answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Presence {
    /// It answers.
    Up,
    /// It does not.
    Away,
}

/// One store.
#[derive(Debug, Serialize, ToSchema)]
pub struct StoreHealth {
    /// Whether it answers.
    pub state: Presence,
    /// Since when it has been away: since the server's start, if it has not answered yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[serde(serialize_with = "crate::time::milliseconds")]
    pub since: Option<DateTime<Utc>>,
    /// Why Postgres counts as away.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
}

/// This server's health.
#[derive(Debug, Serialize, ToSchema)]
pub struct Health {
    /// What becomes of requests.
    pub service: Service,
    /// The source of truth.
    pub postgres: StoreHealth,
    /// What can be lost.
    pub redis: StoreHealth,
    /// What an acknowledged redemption survives.
    pub durability: Durability,
}

/// An answer that says that the process is alive.
#[derive(Debug, Serialize, ToSchema)]
pub struct Alive {
    /// Always `alive`.
    pub status: &'static str,
}

/// The health endpoints.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(live)).routes(routes!(ready))
}

/// Is the process alive
///
/// Always 200: a supervisor restarts a server that does not answer this.
#[utoipa::path(
    get,
    path = "/health/live",
    tag = "operations",
    operation_id = "check_liveness",
    responses((status = 200, description = "Alive", body = Alive))
)]
async fn live() -> Json<Alive> {
    Json(Alive { status: "alive" })
}

/// Can the server serve
///
/// 200 while Postgres answers, also with Redis away (`degraded`); 503 otherwise, and once the server is told
/// to stop. Says which store is away, since when, and why.
#[utoipa::path(
    get,
    path = "/health/ready",
    tag = "operations",
    operation_id = "check_readiness",
    responses(
        (status = 200, description = "Serving", body = Health),
        (status = 503, description = "Postgres is away, or the server is about to stop", body = Health),
    )
)]
async fn ready(State(app): State<App>) -> (StatusCode, Json<Health>) {
    let store = |store, reason| {
        let since = app.stores.since(store);
        StoreHealth { state: if since.is_some() { Presence::Away } else { Presence::Up }, since, reason }
    };
    let postgres = store(Store::Postgres, app.stores.reason());
    let redis = store(Store::Redis, None);
    let durability = match app.liveness.replication() {
        Replication::Unknown | Replication::Local => Durability::Local,
        Replication::Synchronous => Durability::Replicated,
        Replication::Stalled => Durability::Reduced,
    };
    let (status, service) = match (postgres.state, redis.state) {
        _ if app.stores.is_leaving() => (StatusCode::SERVICE_UNAVAILABLE, Service::Stopping),
        (Presence::Away, _) => (StatusCode::SERVICE_UNAVAILABLE, Service::Unavailable),
        (Presence::Up, Presence::Up) if durability != Durability::Reduced => (StatusCode::OK, Service::Full),
        (Presence::Up, _) => (StatusCode::OK, Service::Degraded),
    };
    (status, Json(Health { service, postgres, redis, durability }))
}
