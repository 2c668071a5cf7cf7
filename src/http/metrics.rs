//! Prometheus: what is counted anywhere by the `metrics` macros, at `/metrics`.

pub use super::descriptions::{DESCRIPTIONS, Kind, Metric};
use crate::app::App;
use axum::{
    http::{Method, StatusCode, header},
    response::IntoResponse,
};
use metrics::{Gauge, Histogram, gauge, histogram};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use std::{cell::RefCell, collections::HashMap, sync::OnceLock, time::Duration};
use utoipa_axum::{router::OpenApiRouter, routes};

/// Bounds of the histograms of durations, in seconds.
const SECONDS: &[f64] =
    &[0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0];

/// Bounds of the histograms of how many there were of something.
const COUNTS: &[f64] = &[1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0];

/// How often the histograms are folded: what is not scraped must not pile up.
const UPKEEP_EVERY: Duration = Duration::from_secs(5);

/// The recorder of this process. Tests start many servers in one, so it is set once and shared.
fn recorder() -> &'static PrometheusHandle {
    static HANDLE: OnceLock<PrometheusHandle> = OnceLock::new();
    HANDLE.get_or_init(|| {
        let builder = PrometheusBuilder::new();
        let builder = builder
            .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), SECONDS)
            .and_then(|builder| builder.set_buckets_for_metric(Matcher::Suffix("_size".to_owned()), COUNTS))
            .unwrap_or_default();
        let recorder = builder.build_recorder();
        let handle = recorder.handle();
        if metrics::set_global_recorder(recorder).is_err() {
            tracing::warn!("another recorder takes the metrics; /metrics stays empty");
        }
        describe();
        handle
    })
}

fn describe() {
    for Metric { name, kind, text } in DESCRIPTIONS {
        match kind {
            Kind::Counter => metrics::describe_counter!(*name, *text),
            Kind::Gauge => metrics::describe_gauge!(*name, *text),
            Kind::Histogram => metrics::describe_histogram!(*name, *text),
        }
    }
}

/// Starts to record, and keeps what is recorded small.
pub fn start(app: &App) {
    let handle = recorder();
    let stop = app.stop.clone();
    app.tasks.spawn(async move {
        while stop.run_until_cancelled(tokio::time::sleep(UPKEEP_EVERY)).await.is_some() {
            handle.run_upkeep();
        }
    });
}

/// Notes how many requests are under way.
pub(super) fn in_flight(requests: usize) {
    static GAUGE: OnceLock<Gauge> = OnceLock::new();
    let gauge = GAUGE.get_or_init(|| {
        recorder();
        gauge!("http_requests_in_flight")
    });
    gauge.set(requests as f64);
}

/// A thread's histograms of a route: each with its method and status.
type Histograms = Vec<(&'static str, StatusCode, Histogram)>;

/// Notes a request that was answered. `route` is the pattern, never the path: that may hold a code.
pub(super) fn answered(method: &Method, route: Option<&str>, status: StatusCode, took: Duration) {
    thread_local! {
        // To look one up by its labels takes longer than to record a request.
        static ROUTES: RefCell<HashMap<Box<str>, Histograms>> = RefCell::default();
    }
    let method = word(method);
    let route = route.map_or("none", |route| route.strip_prefix("/v1").unwrap_or(route));
    ROUTES.with_borrow_mut(|routes| {
        if !routes.contains_key(route) {
            routes.insert(route.into(), Vec::new());
        }
        let Some(known) = routes.get_mut(route) else { return };
        let same = |(of, with, _): &&(&str, StatusCode, Histogram)| (*of, *with) == (method, status);
        if let Some((.., histogram)) = known.iter().find(same) {
            return histogram.record(took);
        }
        let histogram = histogram_of(method, route, status);
        histogram.record(took);
        known.push((method, status, histogram));
    });
}

fn histogram_of(method: &'static str, route: &str, status: StatusCode) -> Histogram {
    recorder();
    let labels = [("method", method.into()), ("route", route.to_owned()), ("status", status.as_str().into())];
    histogram!("http_request_seconds", &labels)
}

/// The method as a label; clients can make up methods, and each label costs memory for ever.
fn word(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        _ => "other",
    }
}

/// The metrics endpoint.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(show))
}

/// Metrics for Prometheus
#[utoipa::path(
    get,
    path = "/metrics",
    tag = "operations",
    operation_id = "read_metrics",
    responses((status = 200, description = "Prometheus text format", body = String, content_type = "text/plain"))
)]
async fn show() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], recorder().render())
}
