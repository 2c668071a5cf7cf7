//! Someone else's server: takes deliveries, remembers them, and answers as a test wants.

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::Value;
use std::sync::{Arc, Mutex};
use tokio::net::TcpListener;

/// A delivery as it came.
#[derive(Clone, Debug)]
pub struct Received {
    /// `webhook-id`.
    pub id: String,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body, byte by byte.
    pub bytes: Bytes,
    /// And as JSON.
    pub body: Value,
    /// Whether the answer was that it was taken.
    pub taken: bool,
}

impl Received {
    /// The sale that it is about.
    pub fn sale(&self) -> i64 {
        self.body["data"]["id"].as_i64().unwrap()
    }

    /// At which machine.
    pub fn machine(&self) -> i64 {
        self.body["data"]["machine"].as_i64().unwrap()
    }
}

/// What to answer.
#[derive(Clone, Copy, Debug)]
pub enum Reply {
    /// This status.
    Status(u16),
    /// This status, and so many seconds to wait.
    Later(u16, u64),
    /// Somewhere else.
    Redirect,
    /// Nothing, ever.
    Silence,
}

type Decide = Box<dyn FnMut(&Received) -> Reply + Send>;

/// A listening endpoint.
pub struct Endpoint {
    /// Where it is.
    pub url: String,
    inner: Arc<Mutex<Inner>>,
}

struct Inner {
    received: Vec<Received>,
    decide: Decide,
}

impl Endpoint {
    /// One that takes everything.
    pub async fn new() -> Self {
        let inner = Inner { received: Vec::new(), decide: Box::new(|_| Reply::Status(200)) };
        let inner = Arc::new(Mutex::new(inner));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        let router = Router::new().fallback(take).with_state(Arc::clone(&inner));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, inner }
    }

    /// Answers so from now on.
    pub fn answer(&self, decide: impl FnMut(&Received) -> Reply + Send + 'static) {
        self.inner.lock().unwrap().decide = Box::new(decide);
    }

    /// What has come so far.
    pub fn received(&self) -> Vec<Received> {
        self.inner.lock().unwrap().received.clone()
    }

    /// What has come since it was last asked this.
    pub fn take(&self) -> Vec<Received> {
        std::mem::take(&mut self.inner.lock().unwrap().received)
    }
}

async fn take(State(inner): State<Arc<Mutex<Inner>>>, headers: HeaderMap, bytes: Bytes) -> Response {
    let reply = {
        let mut inner = inner.lock().unwrap();
        let id = headers["webhook-id"].to_str().unwrap().to_owned();
        let body = serde_json::from_slice(&bytes).unwrap();
        let mut received = Received { id, headers, bytes, body, taken: false };
        let reply = (inner.decide)(&received);
        received.taken = matches!(reply, Reply::Status(200..=299));
        inner.received.push(received);
        reply
    };
    let status = |status| StatusCode::from_u16(status).unwrap();
    match reply {
        Reply::Status(code) => (status(code), "so it is").into_response(),
        Reply::Later(code, seconds) => {
            (status(code), [(header::RETRY_AFTER, seconds.to_string())]).into_response()
        }
        Reply::Redirect => (status(302), [(header::LOCATION, "/elsewhere")]).into_response(),
        Reply::Silence => std::future::pending().await,
    }
}
