//! What every request passes on its way in and out: id, log line, metrics, room, panics, headers.
//!
//! One middleware rather than seven: each layer costs the hot path a boxed future and a clone.

use super::{arrival::Rooms, metrics, peer::ClientAddress, room::Place, trace};
use crate::{
    app::App,
    author::Author,
    error::{Error, Problem, Store},
    gateway::commands,
    idempotency::{self, Keyed},
    notice,
    security::{self, Event},
};
use axum::{
    extract::{MatchedPath, Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, Version, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use futures_util::FutureExt;
use std::{
    panic::AssertUnwindSafe,
    pin::pin,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::time::timeout;
use tracing::Instrument;

/// What a machine is given beyond the time of a redemption, so that the verb can answer for itself.
const GRACE: Duration = Duration::from_millis(500);

/// Says why a change is made, for the record of it.
const REASON: HeaderName = HeaderName::from_static("x-reason");

/// The longest reason, in characters.
const REASON_MAX_CHARS: usize = 500;

/// What requests pass.
#[derive(Clone, Debug)]
pub(super) struct Edge {
    pub(super) app: App,
    pub(super) rooms: Arc<Rooms>,
    /// `true` where browsers are to come back by TLS alone.
    is_secure: bool,
}

/// The HSTS header of a server whose public address begins with https.
const BY_TLS_ALONE: HeaderValue = HeaderValue::from_static("max-age=31536000");

/// Returns `true` for routes of supervisors and monitoring, which have to be answered when nobody else is.
fn watches(route: &str) -> bool {
    let route = route.strip_prefix("/v1").unwrap_or(route);
    route.starts_with("/health/") || route == "/metrics"
}

/// The edge as a layer of the router. An answer that something was changed waits until this server knows.
pub(super) async fn pass(State(edge): State<Edge>, request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().cloned();
    let handler = async |request: Request, id: HeaderValue| {
        let changes = !request.method().is_safe();
        let operation = operation(&request);
        let known = author(&request, &id, &operation)
            .and_then(|author| Ok((author, Keyed::of(&request, &operation)?)));
        let (author, keyed) = match known {
            Ok(known) => known,
            Err(error) => return error.into_response(),
        };
        let answered = async {
            let response = next.run(request).await;
            if response.status() == StatusCode::FORBIDDEN {
                security::note(Event::Refused, None, None, "");
            }
            response
        };
        let response = author.scope(idempotency::answering(keyed, answered)).await;
        if changes && response.status().is_success() && response.extensions().get::<Uncached>().is_none() {
            notice::catch_up(&edge.app).await;
        }
        response
    };
    Box::pin(edge.pass(route.as_ref().map(MatchedPath::as_str), request, handler)).await
}

/// The method and the route of a request.
fn operation(request: &Request) -> String {
    let route = request.extensions().get::<MatchedPath>().map_or("none", MatchedPath::as_str);
    format!("{} {}", request.method(), route.strip_prefix("/v1").unwrap_or(route))
}

/// The author of what a request changes, before it is known who calls.
fn author(request: &Request, id: &HeaderValue, operation: &str) -> Result<Author, Error> {
    let address = request.extensions().get::<ClientAddress>().and_then(|client| client.0);
    let reason = request.headers().get(REASON).map(|reason| {
        let reason = std::str::from_utf8(reason.as_bytes()).ok().map(str::trim);
        reason.filter(|reason| (1..=REASON_MAX_CHARS).contains(&reason.chars().count())).map(str::to_owned)
    });
    if reason == Some(None) {
        return Err(Error::malformed(
            "/X-Reason",
            format!("must be 1 to {REASON_MAX_CHARS} characters of UTF-8"),
        ));
    }
    let author = Author::of_request(address, id.to_str().unwrap_or_default(), operation.to_owned());
    Ok(author.because(reason.flatten()))
}

/// Marks the answer of a route that changes nothing of what servers keep in memory.
#[derive(Clone, Copy, Debug)]
struct Uncached;

/// Marks an answer as [`Uncached`]: what machines send all day waits for no notice.
pub(super) async fn uncached(mut response: Response) -> Response {
    response.extensions_mut().insert(Uncached);
    response
}

impl Edge {
    pub(super) fn new(app: App) -> Self {
        let rooms = Arc::new(Rooms::new(&app.config));
        let is_secure = app.config.public_url.starts_with("https:");
        Self { app, rooms, is_secure }
    }

    /// Lets a request in to what answers it, and the answer out. `route` is the pattern of its path.
    pub(super) async fn pass<F: Future<Output = Response>>(
        &self,
        route: Option<&str>,
        request: Request,
        handler: impl FnOnce(Request, HeaderValue) -> F,
    ) -> Response {
        let started = Instant::now();
        let method = request.method().clone();
        let id = trace::request_id(request.headers());
        let span = tracing::info_span!(
            "request",
            id = id.to_str().unwrap_or_default(),
            %method,
            route = route.unwrap_or("none"),
        );

        let place = self.place(route, &request);
        let mut response = match place {
            Err(refusal) => refusal.into_response(),
            Ok(_place) => {
                metrics::in_flight(self.rooms.requests.taken());
                let answering = self.in_time(route, &method, handler(request, id.clone()));
                answer(answering).instrument(span.clone()).await
            }
        };

        let took = started.elapsed();
        let status = response.status();
        span.in_scope(|| {
            if status.is_server_error() {
                tracing::warn!(status = status.as_u16(), latency_ms = took.as_secs_f64() * 1e3, "answered");
            } else {
                tracing::debug!(status = status.as_u16(), latency_ms = took.as_secs_f64() * 1e3, "answered");
            }
        });
        metrics::answered(&method, route, status, took);

        let headers = response.headers_mut();
        headers.insert(trace::REQUEST_ID, id);
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
        headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
        // Answers hold tokens and codes; what may be kept says so itself.
        headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
        if self.is_secure {
            headers.insert(header::STRICT_TRANSPORT_SECURITY, BY_TLS_ALONE);
        }
        // A client that is too slow with a body would go on sending it.
        if self.app.stores.is_leaving() || status == StatusCode::REQUEST_TIMEOUT {
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }

    /// A place for a request, in the room for those of its route.
    fn place(&self, route: Option<&str>, request: &Request) -> Result<Option<Place<'_>>, Error> {
        let address = request.extensions().get::<ClientAddress>().and_then(|client| client.0);
        if address.is_some() && request.version() == Version::HTTP_11 && !names_one_host(request.headers()) {
            return Err(Error::malformed("", "an HTTP/1.1 request has one Host header"));
        }
        let counter = self.rooms.addresses.counter(address);
        let room = match route {
            Some(route) if watches(route) => return Ok(None),
            Some(route) if route.ends_with(commands::POLL) => &self.rooms.polls,
            _ => &self.rooms.requests,
        };
        room.enter(counter).map(Some).ok_or_else(|| {
            ::metrics::counter!("http_requests_turned_away_total").increment(1);
            Error::Busy
        })
    }

    /// Answers, or says in time that there is no answer. A machine waits for as long as a redemption may take,
    /// and as long again for a Postgres that is only busy: asked once more, it would be busier. Whoever else
    /// waits is told when Postgres turns out to be silent, or unable to commit.
    async fn in_time(
        &self,
        route: Option<&str>,
        method: &Method,
        handler: impl Future<Output = Response>,
    ) -> Response {
        let app = &self.app;
        let unavailable = || Error::Unavailable { store: Store::Postgres }.into_response();
        if route.is_some_and(is_verb) {
            let limit = Duration::from_millis(app.config.redeem_deadline_ms) + GRACE;
            let mut handler = pin!(handler);
            if let Ok(answer) = timeout(limit, &mut handler).await {
                return answer;
            }
            let is_only_busy = app.stores.since(Store::Postgres).is_none() && !app.liveness.is_stalled();
            if is_only_busy && let Some(Ok(answer)) = app.liveness.unless_cut(timeout(limit, handler)).await {
                return answer;
            }
            return unavailable();
        }
        if app.liveness.is_stalled() && !method.is_safe() {
            return unavailable();
        }
        app.liveness.unless_cut(handler).await.unwrap_or_else(unavailable)
    }
}

/// Returns `true` if a route is one of the four verbs.
fn is_verb(route: &str) -> bool {
    route.strip_prefix("/v1").unwrap_or(route).strip_prefix("/voucher/{code}/").is_some()
}

/// Answers, whatever the handler does; plain refusals of axum's become problems.
async fn answer(handler: impl Future<Output = Response>) -> Response {
    let Ok(mut response) = AssertUnwindSafe(handler).catch_unwind().await else {
        return Error::fault("a handler panicked").into_response();
    };
    match response.status() {
        StatusCode::METHOD_NOT_ALLOWED if !response.headers().contains_key(header::CONTENT_TYPE) => {
            let allow = response.headers_mut().remove(header::ALLOW);
            let mut refusal = method_not_allowed();
            refusal.headers_mut().extend(allow.map(|allow| (header::ALLOW, allow)));
            refusal
        }
        _ => response,
    }
}

fn names_one_host(headers: &HeaderMap) -> bool {
    let mut hosts = headers.get_all(header::HOST).iter();
    hosts.next().is_some() && hosts.next().is_none()
}

/// A refusal that only the edge gives.
fn method_not_allowed() -> Response {
    let status = StatusCode::METHOD_NOT_ALLOWED;
    let detail = "this endpoint has no such method";
    let problem = Problem {
        kind: "/docs/problems/method-not-allowed".to_owned(),
        title: status.canonical_reason().unwrap_or_default().to_owned(),
        status: status.as_u16(),
        detail: detail.to_owned(),
        errors: Vec::new(),
        message: detail.to_owned(),
    };
    let mut response = (status, axum::Json(problem)).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    response
}

/// The answer where there is no endpoint.
pub(super) async fn nothing_here() -> Error {
    Error::NotFound("endpoint")
}

/// Before routing: a client's `PATCH` means `PUT`, but for the one resource that has both.
pub(super) fn patch_as_put(mut request: Request) -> Request {
    if request.method() == Method::PATCH && !has_its_own_patch(request.uri()) {
        *request.method_mut() = Method::PUT;
    }
    request
}

/// `/voucher/{id}`, with or without the version.
fn has_its_own_patch(uri: &Uri) -> bool {
    let path = uri.path();
    let path = path.strip_prefix("/v1").unwrap_or(path);
    path.strip_prefix("/voucher/").is_some_and(|id| !id.is_empty() && !id.contains('/'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Body;

    #[test]
    fn patch_is_put_except_for_a_voucher() {
        let becomes = |path: &str| {
            let request = Request::builder().method(Method::PATCH).uri(path).body(Body::empty()).unwrap();
            patch_as_put(request).method().clone()
        };
        assert_eq!(becomes("/campaign/1"), Method::PUT);
        assert_eq!(becomes("/v1/campaign/1"), Method::PUT);
        assert_eq!(becomes("/voucher/1/logs"), Method::PUT);
        assert_eq!(becomes("/voucher/1"), Method::PATCH);
        assert_eq!(becomes("/v1/voucher/1"), Method::PATCH);
    }

    #[test]
    fn those_who_watch_need_no_room() {
        for (route, is) in [
            ("/health/live", true),
            ("/v1/health/ready", true),
            ("/metrics", true),
            ("/healthy", false),
            ("/voucher/{code}/redeem", false),
        ] {
            assert_eq!(watches(route), is, "{route}");
        }
    }
}
