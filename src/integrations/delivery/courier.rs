//! What carries deliveries to endpoints: an HTTP client that goes nowhere but to public addresses,
//! follows no redirects, knows no proxy, and waits for nobody for long.

use super::{
    address::is_public,
    policy::{Attempt, retry_after},
};
use crate::{
    config::Config,
    fairness::{Gate, Limits},
};
use axum::{
    body::{Body, Bytes},
    http::{HeaderMap, Request, Response, Uri, header},
};
use chrono::{DateTime, Utc};
use http_body_util::{BodyExt, Full};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{
        Client,
        connect::{HttpConnector, dns::Name},
    },
    rt::{TokioExecutor, TokioTimer},
};
use std::{
    fmt, io,
    net::{IpAddr, SocketAddr},
    pin::Pin,
    sync::{Arc, OnceLock},
    task::{Context, Poll},
    time::{Duration, Instant},
};
use tokio::{sync::Semaphore, time};
use tower::Service;

/// Of an answer, so much is read at most.
const ANSWER_MAX_BYTES: usize = 64 << 10;

/// Of it, so much is kept for the log.
const DETAILS_MAX_BYTES: usize = 2_000;

/// Connections that nobody uses are closed after this.
const IDLE: Duration = Duration::from_mins(1);

type Https = Client<HttpsConnector<HttpConnector<PublicDns>>, Full<Bytes>>;

/// Carries deliveries; one a server.
pub struct Courier {
    /// Made when it is first needed: it reads the certificates of this system.
    client: OnceLock<Result<Https, String>>,
    /// Deliveries under way at once, shared between user groups.
    pub(super) hands: Gate,
    /// Turns under way at once: more could not deliver, and each keeps what it is to deliver in memory.
    pub(super) turns: Arc<Semaphore>,
    private_addresses: bool,
    connect: Duration,
    whole: Duration,
}

impl Courier {
    /// As the operator has set it.
    pub fn new(config: &Config) -> Self {
        Self {
            client: OnceLock::new(),
            hands: Gate::new(Limits {
                what: "deliveries",
                places: config.integration_parallel_max,
                share: config.integration_parallel_max.div_ceil(2),
                // As many as turns can have under way: nobody is sent away, a turn ends before.
                waiting: usize::MAX,
                patience: Duration::from_secs(config.integration_turn_s + config.integration_timeout_s),
                retry_after_s: 1,
            }),
            turns: Arc::new(Semaphore::new(config.integration_parallel_max.clamp(1, Semaphore::MAX_PERMITS))),
            private_addresses: config.integration_private_addresses,
            connect: Duration::from_secs(config.integration_connect_s),
            whole: Duration::from_secs(config.integration_timeout_s),
        }
    }

    /// Posts a body once and says how that went; never longer than the operator allows.
    pub async fn post(&self, url: &str, headers: HeaderMap, body: Bytes, now: DateTime<Utc>) -> Attempt {
        let started = Instant::now();
        let deadline = time::Instant::now() + self.whole;
        let mut answer = match time::timeout_at(deadline, self.send(url, headers, body)).await {
            Err(_) => return failed(format!("no answer within {} s", self.whole.as_secs())),
            Ok(Err(reason)) => return failed(reason),
            Ok(Ok(answer)) => answer,
        };
        let status = answer.status();
        let wait = answer.headers().get(header::RETRY_AFTER).and_then(|value| value.to_str().ok());
        let wait = wait.and_then(|value| retry_after(value, now));
        // What stands in it decides nothing, so it may break off.
        let mut kept = Vec::new();
        let _ = time::timeout_at(deadline, read(answer.body_mut(), &mut kept)).await;
        let details = shown(&kept);
        Attempt {
            status: Some(status.as_u16()),
            retry_after: wait,
            message: format!("HTTP {} in {} ms", status.as_u16(), started.elapsed().as_millis()),
            details: Some(details).filter(|details| !details.is_empty()),
        }
    }

    async fn send(&self, url: &str, headers: HeaderMap, body: Bytes) -> Result<Response<Body>, String> {
        let uri: Uri = url.parse().map_err(|_| "the URL can't be read".to_owned())?;
        // A connector asks nobody for the address of an address.
        let host = uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
        if !self.private_addresses && host.parse::<IpAddr>().is_ok_and(|address| !is_public(address)) {
            return Err(NOT_PUBLIC.to_owned());
        }
        let client = self.client.get_or_init(|| client(self.private_addresses, self.connect));
        let client = client.as_ref().map_err(Clone::clone)?;
        let mut request = Request::post(uri).body(Full::new(body)).map_err(|error| error.to_string())?;
        *request.headers_mut() = headers;
        client.request(request).await.map(|answer| answer.map(Body::new)).map_err(|error| reason(&error))
    }
}

impl fmt::Debug for Courier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Courier").field("whole", &self.whole).finish_non_exhaustive()
    }
}

const NOT_PUBLIC: &str = "the URL leads to no public address";

fn client(private_addresses: bool, connect: Duration) -> Result<Https, String> {
    let mut http = HttpConnector::new_with_resolver(PublicDns { private_addresses });
    http.enforce_http(false);
    http.set_connect_timeout(Some(connect));
    http.set_nodelay(true);
    let https = HttpsConnectorBuilder::new()
        .with_provider_and_native_roots(rustls::crypto::ring::default_provider())
        .map_err(|error| format!("this server trusts no certificates: {error}"))?
        .https_or_http()
        .enable_http1()
        .wrap_connector(http);
    Ok(Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(IDLE)
        .build(https))
}

fn failed(message: String) -> Attempt {
    Attempt { status: None, retry_after: None, message, details: None }
}

/// An error with what led to it, in one line.
fn reason(error: &dyn std::error::Error) -> String {
    let mut message = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        message = format!("{message}: {error}");
        cause = error.source();
    }
    message.chars().take(500).collect()
}

/// Reads an answer as far as it may be, and keeps its beginning.
async fn read(body: &mut Body, kept: &mut Vec<u8>) {
    let mut read = 0;
    while read < ANSWER_MAX_BYTES
        && let Some(Ok(frame)) = body.frame().await
    {
        let Some(data) = frame.data_ref() else { continue };
        read += data.len();
        kept.extend(data.iter().take(DETAILS_MAX_BYTES - kept.len()));
    }
}

/// Bytes as text that can be kept and shown: whatever someone else's server says.
fn shown(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    text.chars()
        .map(|c| if c.is_control() && c != '\n' { ' ' } else { c })
        .collect::<String>()
        .trim()
        .to_owned()
}

/// Resolves names to public addresses alone. A connection goes to what was checked here, not to what
/// a second look-up might say.
#[derive(Clone, Copy, Debug)]
struct PublicDns {
    private_addresses: bool,
}

impl Service<Name> for PublicDns {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let private_addresses = self.private_addresses;
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let allowed: Vec<_> =
                found.filter(|address| private_addresses || is_public(address.ip())).collect();
            if allowed.is_empty() {
                return Err(io::Error::new(io::ErrorKind::PermissionDenied, NOT_PUBLIC));
            }
            Ok(allowed.into_iter())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn told(url: &str) -> String {
        let courier = Courier::new(&Config::default());
        courier.post(url, HeaderMap::new(), Bytes::new(), DateTime::UNIX_EPOCH).await.message
    }

    #[tokio::test]
    async fn nothing_goes_to_where_only_this_server_gets() {
        for url in [
            "https://127.0.0.1:9/",
            "http://[::1]/",
            "http://[::ffff:10.0.0.1]/",
            "https://169.254.169.254/x",
        ] {
            assert_eq!(told(url).await, NOT_PUBLIC, "{url}");
        }
        // A name that everybody has for the loopback address.
        assert!(told("https://localhost:9/").await.ends_with(NOT_PUBLIC));
    }

    #[test]
    fn what_others_say_is_kept_as_plain_text() {
        assert_eq!(shown(b" a\0b\r\nc\xff "), "a b \nc\u{fffd}");
    }
}
