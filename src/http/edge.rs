//! What every request passes on its way in and out: id, log line, metrics, room, panics, headers.
//!
//! One middleware rather than seven: each layer costs the hot path a boxed future and a clone.

use super::{metrics, peer::ClientAddress, trace};
use crate::{
    app::App,
    author::Author,
    config::Config,
    error::{Error, Problem, Store},
    gateway::commands,
    notice,
    security::{self, Event},
};
use axum::{
    extract::{MatchedPath, Request, State},
    http::{HeaderName, HeaderValue, Method, StatusCode, Uri, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use futures_util::FutureExt;
use std::{
    panic::AssertUnwindSafe,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
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
    rooms: Arc<Rooms>,
}

/// Room for requests. Gateways that wait for commands have one of their own: they hold nothing
/// meanwhile, and however many there are, they must not keep vouchers out.
#[derive(Debug, Default)]
struct Rooms {
    requests: Room,
    polls: Room,
}

impl Rooms {
    /// The room for requests of a route, and how many it is for.
    fn of(&self, route: Option<&str>, config: &Config) -> (&Room, usize) {
        if route.is_some_and(|route| route.ends_with(commands::POLL)) {
            (&self.polls, config.polls_max)
        } else {
            (&self.requests, config.requests_max)
        }
    }
}

/// Requests under way, counted against the limit.
#[derive(Debug, Default)]
struct Room(AtomicUsize);

/// One request's place; given back however the request ends.
struct Place<'a>(&'a Room);

impl Room {
    fn enter(&self, limit: usize) -> Option<Place<'_>> {
        let place = Place(self);
        (self.0.fetch_add(1, Ordering::Relaxed) < limit).then_some(place)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The edge as a layer of the router. An answer that something was changed waits until this server knows.
pub(super) async fn pass(State(edge): State<Edge>, request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().cloned();
    let handler = async |request: Request, id: HeaderValue| {
        let changes = !request.method().is_safe();
        let author = match author(&request, &id) {
            Ok(author) => author,
            Err(error) => return error.into_response(),
        };
        let answered = async {
            let response = next.run(request).await;
            if response.status() == StatusCode::FORBIDDEN {
                security::note(Event::Refused, None, None, "");
            }
            response
        };
        let response = author.scope(answered).await;
        if changes && response.status().is_success() && response.extensions().get::<Uncached>().is_none() {
            notice::catch_up(&edge.app).await;
        }
        response
    };
    Box::pin(edge.pass(route.as_ref().map(MatchedPath::as_str), request, handler)).await
}

/// The author of what a request changes, before it is known who calls.
fn author(request: &Request, id: &HeaderValue) -> Result<Author, Error> {
    let route = request.extensions().get::<MatchedPath>().map_or("none", MatchedPath::as_str);
    let route = route.strip_prefix("/v1").unwrap_or(route);
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
    let operation = format!("{} {route}", request.method());
    let author = Author::of_request(address, id.to_str().unwrap_or_default(), operation);
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
        Self { app, rooms: Arc::default() }
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

        let (room, limit) = self.rooms.of(route, &self.app.config);
        let mut response = match room.enter(limit) {
            Some(_place) => {
                let in_flight = self.rooms.requests.0.load(Ordering::Relaxed);
                metrics::in_flight(in_flight);
                answer(self.in_time(route, &method, handler(request, id.clone())))
                    .instrument(span.clone())
                    .await
            }
            None => turned_away(),
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
        if self.app.stores.is_leaving() {
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        response
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

/// Whether a route is one of the four verbs.
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

fn turned_away() -> Response {
    ::metrics::counter!("http_requests_turned_away_total").increment(1);
    problem(StatusCode::SERVICE_UNAVAILABLE, "busy", "too many requests are under way, try again", Some("1"))
}

fn method_not_allowed() -> Response {
    problem(StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", "this endpoint has no such method", None)
}

/// A refusal that only the edge gives.
fn problem(status: StatusCode, kind: &str, detail: &str, retry_after: Option<&'static str>) -> Response {
    let problem = Problem {
        kind: format!("/docs/problems/{kind}"),
        title: status.canonical_reason().unwrap_or_default().to_owned(),
        status: status.as_u16(),
        detail: detail.to_owned(),
        errors: Vec::new(),
        message: detail.to_owned(),
    };
    let mut response = (status, axum::Json(problem)).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    headers.extend(retry_after.map(|seconds| (header::RETRY_AFTER, HeaderValue::from_static(seconds))));
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
    fn there_is_room_for_as_many_as_the_limit() {
        let room = Room::default();
        let first = room.enter(1);
        assert!(first.is_some() && room.enter(1).is_none());
        drop(first);
        assert!(room.enter(1).is_some());
    }
}
