//! What every endpoint shares, and the whole surface on one screen.

pub mod caller;
mod edge;
mod export;
pub mod extract;
pub mod health;
pub mod link;
pub mod list;
pub mod metrics;
mod openapi;
pub mod peer;
mod problems;
pub mod ranges;
mod security_txt;
pub mod sheet;
mod strict;
pub mod trace;

pub use caller::Caller;
pub use extract::{Json, Path, Query, RawJson};

use crate::{
    alerts, app::App, assortment, campaigns, charts, coupons, dashboards, fleet, gateway, identity,
    integrations, redemption, reports, resource::Spec, telemetry, users,
};
use axum::{
    Router,
    extract::{DefaultBodyLimit, Request},
    middleware,
    response::Response,
};
use futures_util::future::BoxFuture;
use redemption::http::Express;
use std::{
    convert::Infallible,
    task::{Context, Poll},
};
use tower::Service;
use utoipa_axum::router::OpenApiRouter;

/// Every endpoint, once, with its documentation.
fn endpoints() -> OpenApiRouter<App> {
    let uncached = middleware::map_response(edge::uncached);
    OpenApiRouter::with_openapi(openapi::base())
        .merge(identity::routes())
        .merge(users::routes())
        .merge(campaigns::routes())
        .merge(coupons::routes())
        .merge(fleet::routes())
        .merge(assortment::routes())
        .merge(redemption::http::routes().layer(uncached.clone()))
        .merge(gateway::routes().layer(uncached.clone()))
        .merge(telemetry::routes().layer(uncached))
        .merge(reports::routes())
        .merge(charts::routes())
        .merge(dashboards::routes())
        .merge(alerts::routes())
        .merge(integrations::routes())
        .merge(export::routes())
        .merge(health::routes())
        .merge(metrics::routes())
        .merge(openapi::routes())
        .merge(problems::routes())
}

/// Every plain resource: what can be exported by its name.
pub fn resources() -> Vec<&'static Spec> {
    [
        identity::resources(),
        fleet::resources(),
        assortment::resources(),
        telemetry::resources(),
        reports::resources(),
        charts::resources(),
        dashboards::resources(),
        alerts::resources(),
        integrations::resources(),
    ]
    .concat()
}

/// What is served.
#[derive(Clone, Debug)]
pub struct Surface {
    edge: edge::Edge,
    router: Router,
}

/// Serves every endpoint under `/` and again under `/v1`.
pub fn surface(app: App) -> Surface {
    metrics::start(&app);
    let edge = edge::Edge::new(app.clone());
    let endpoints = Router::from(endpoints())
        .merge(openapi::pages())
        .merge(identity::password_page::pages())
        .merge(security_txt::pages());
    let router = Router::new()
        .nest("/v1", endpoints.clone())
        .merge(endpoints)
        .fallback(edge::nothing_here)
        .layer(DefaultBodyLimit::max(app.config.body_max_bytes))
        .layer(middleware::from_fn_with_state(edge.clone(), edge::pass))
        .with_state(app);
    Surface { edge, router }
}

impl Service<Request> for Surface {
    type Response = Response;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request) -> Self::Future {
        peer::note(&mut request, &self.edge.app.config.trusted_proxies);
        if let Some(express) = Express::of(&request) {
            let edge = self.edge.clone();
            return Box::pin(async move {
                let app = edge.app.clone();
                Ok(edge.pass(Some(express.route()), request, |request| express.answer(app, request)).await)
            });
        }
        Box::pin(self.router.call(edge::patch_as_put(request)))
    }
}

/// The `OpenAPI` document of all endpoints.
pub fn document() -> utoipa::openapi::OpenApi {
    let mut document = endpoints().into_openapi();
    openapi::complete(&mut document);
    document
}

/// An answer that only says that it was done.
#[derive(Debug, serde::Serialize, utoipa::ToSchema)]
pub struct Message {
    /// In a few words.
    pub message: std::borrow::Cow<'static, str>,
}

impl Message {
    /// `message` as a JSON answer.
    pub fn json(message: impl Into<std::borrow::Cow<'static, str>>) -> Json<Self> {
        Json(Self { message: message.into() })
    }
}

/// An answer that names what was created.
#[derive(Debug, serde::Serialize, utoipa::ToSchema)]
pub struct Created {
    /// Its id.
    pub id: i64,
}
