//! What every endpoint shares, and the whole surface on one screen.

pub mod accept;
mod arrival;
pub mod caller;
pub mod chunks;
mod connection;
mod descriptions;
mod edge;
mod export;
pub mod extract;
mod flat_form;
pub mod health;
pub mod link;
pub mod list;
pub mod metrics;
mod normal_uri;
mod openapi;
mod pace;
pub mod peer;
mod problems;
pub mod ranges;
mod read_only;
mod room;
mod security_txt;
pub mod sheet;
mod strict;
pub mod trace;
pub mod unread;
pub mod written_back;

pub use caller::Caller;
pub use extract::{Json, Path, Query, RawJson};
pub use unread::Unread;

use crate::{
    activity, alerts, app::App, assortment, campaigns, charts, coupons, dashboards, fleet, gateway, identity,
    integrations, redemption, reports, resource::Spec, telemetry, users,
};
use arrival::Arriving;
use axum::{
    Router,
    body::{Body, Bytes, HttpBody},
    extract::{ConnectInfo, DefaultBodyLimit, Request},
    http, middleware,
    response::Response,
};
use futures_util::{FutureExt, future::BoxFuture};
use peer::ClientAddress;
use redemption::http::Express;
use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::Arc,
    task::{Context, Poll},
};
use tower::Service;
use utoipa_axum::router::OpenApiRouter;

/// Every endpoint, once, with its documentation.
fn endpoints() -> OpenApiRouter<App> {
    OpenApiRouter::with_openapi(openapi::base()).merge(public_endpoints()).merge(admin_endpoints())
}

/// Endpoints for operators, which need not be shown to others.
fn admin_endpoints() -> OpenApiRouter<App> {
    OpenApiRouter::new().merge(metrics::routes()).merge(openapi::routes())
}

fn public_endpoints() -> OpenApiRouter<App> {
    let uncached = middleware::map_response(edge::uncached);
    OpenApiRouter::new()
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
        .merge(activity::routes())
        .merge(export::routes())
        .merge(health::routes())
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

/// Serves every endpoint under `/` and again under `/v1`: without those of operators, where they have an
/// address of their own.
pub fn surface(app: App) -> Surface {
    metrics::start(&app);
    let public =
        Router::from(public_endpoints()).merge(identity::password_page::pages()).merge(security_txt::pages());
    let endpoints = if app.config.admin_listen.is_some() { public } else { public.merge(admin_pages()) };
    Surface::of(app, endpoints)
}

/// Serves what operators look at, and this server's health.
pub fn admin_surface(app: App) -> Surface {
    Surface::of(
        app,
        admin_pages().merge(Router::from(health::routes())).merge(Router::from(problems::routes())),
    )
}

fn admin_pages() -> Router<App> {
    Router::from(admin_endpoints()).merge(openapi::pages())
}

impl Surface {
    fn of(app: App, endpoints: Router<App>) -> Self {
        let edge = edge::Edge::new(app.clone());
        let router = Router::new()
            .nest("/v1", endpoints.clone())
            .merge(endpoints)
            .fallback(edge::nothing_here)
            .layer(DefaultBodyLimit::max(app.config.body_max_bytes))
            .layer(middleware::from_fn_with_state(edge.clone(), edge::pass))
            .with_state(app);
        Self { edge, router }
    }

    /// Answers a request, of a client at the other end of a connection if it came over one.
    pub fn answer<B>(
        &self,
        mut request: http::Request<B>,
        peer: Option<SocketAddr>,
    ) -> BoxFuture<'static, Response>
    where
        B: HttpBody<Data = Bytes> + Send + Unpin + 'static,
        B::Error: Into<axum::BoxError>,
    {
        normal_uri::normalize(request.uri_mut());
        let address = peer.map(|peer| peer::address(peer, &request, &self.edge.app.config.trusted_proxies));
        if address.is_some() {
            request.extensions_mut().insert(ClientAddress(address));
        }
        let rooms = Arc::clone(&self.edge.rooms);
        let request: Request = request.map(|body| Body::new(Arriving::new(body, rooms, address)));
        if let Some(express) = Express::of(&request) {
            let edge = self.edge.clone();
            return Box::pin(async move {
                let app = edge.app.clone();
                edge.pass(Some(express.route()), request, |request, _| express.answer(app, request)).await
            });
        }
        // A router is ready for whatever comes.
        let answering = self.router.clone().call(edge::patch_as_put(request));
        Box::pin(answering.map(|answer| answer.unwrap_or_else(|never| match never {})))
    }
}

impl Service<Request> for Surface {
    type Response = Response;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|info| info.0);
        Box::pin(self.answer(request, peer).map(Ok))
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
