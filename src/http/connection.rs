//! One connection: served until its client is done, or is waited for in vain.
//!
//! Hyper's own limit on heads makes a timer for each request, and takes an idle connection for a slow head.
//! Here a connection has one timer, which is only set while something is missing.

use super::{
    Surface,
    pace::{Pace, Wait},
};
use crate::config::Config;
use axum::{
    body::{Body, Bytes, HttpBody},
    extract::Request,
};
use hyper::{
    body::{Frame, Incoming, SizeHint},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use std::{
    convert::Infallible,
    future::poll_fn,
    io::{self, IoSlice},
    net::SocketAddr,
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicU8, AtomicU64, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::{Instant, Sleep, sleep_until},
};
use tokio_util::sync::CancellationToken;

/// How long clients are waited for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    head: Duration,
    idle: Duration,
    answers: Pace,
}

impl Patience {
    pub(super) fn new(config: &Config) -> Self {
        Self {
            head: Duration::from_secs(config.head_max_s),
            idle: Duration::from_secs(config.idle_max_s),
            answers: Pace::of_answers(config),
        }
    }
}

/// The largest head of a request, in bytes: thousands of ids fit into a query.
const HEAD_MAX_BYTES: usize = 64 << 10;

/// Nothing of the next request is there.
const IDLE: u8 = 0;
/// A part of its head is.
const HEAD: u8 = 1;
/// It is being answered.
const BUSY: u8 = 2;

/// The state of a connection, and its beginning in milliseconds after the connection was made. 0: not noted yet.
#[derive(Debug)]
struct Progress {
    made: Instant,
    stage: AtomicU8,
    since_ms: AtomicU64,
}

impl Progress {
    fn stage(&self) -> u8 {
        self.stage.load(Ordering::Relaxed)
    }

    fn become_stage(&self, stage: u8) {
        self.stage.store(stage, Ordering::Relaxed);
        self.since_ms.store(0, Ordering::Relaxed);
    }

    /// When the stage began: now, if nobody had to wait in it yet.
    fn since(&self) -> Instant {
        let mut since_ms = self.since_ms.load(Ordering::Relaxed);
        if since_ms == 0 {
            since_ms = (self.made.elapsed().as_millis() as u64).max(1);
            self.since_ms.store(since_ms, Ordering::Relaxed);
        }
        self.made + Duration::from_millis(since_ms)
    }
}

/// Serves a connection; once `closing` is cancelled, to the end of the request that is under way.
pub(super) async fn serve(
    stream: TcpStream,
    peer: SocketAddr,
    surface: Surface,
    patience: Patience,
    closing: CancellationToken,
) {
    let progress =
        Arc::new(Progress { made: Instant::now(), stage: AtomicU8::new(IDLE), since_ms: AtomicU64::new(0) });
    let io = Stream { tcp: stream, answers: patience.answers, progress: Arc::clone(&progress), slow: None };
    let mut watch = Watch { patience, progress: Arc::clone(&progress), timer: None };
    let service = service_fn(move |request: Request<Incoming>| {
        progress.become_stage(BUSY);
        let answer = surface.answer(request, Some(peer));
        let under_way = UnderWay(Arc::clone(&progress));
        async move { Ok::<_, Infallible>(answer.await.map(|body| Answer { body, _under_way: under_way })) }
    });
    let mut connection = pin!(
        http1::Builder::new().max_header_size(HEAD_MAX_BYTES).serve_connection(TokioIo::new(io), service)
    );
    let mut told = pin!(closing.cancelled());
    let mut is_closing = false;
    loop {
        tokio::select! {
            biased;
            ended = connection.as_mut() => {
                if let Err(error) = ended {
                    tracing::debug!(%error, "a connection broke off");
                }
                return;
            }
            what = poll_fn(|cx| watch.poll_end(cx)) => return given_up(what),
            () = told.as_mut(), if !is_closing => {
                connection.as_mut().graceful_shutdown();
                is_closing = true;
            }
        }
    }
}

/// A request that is not answered to its end.
#[derive(Debug)]
struct UnderWay(Arc<Progress>);

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.become_stage(IDLE);
    }
}

/// An answer on its way to the client.
#[derive(Debug)]
struct Answer {
    body: Body,
    _under_way: UnderWay,
}

impl HttpBody for Answer {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Ends a connection whose next request is waited for in vain.
#[derive(Debug)]
struct Watch {
    patience: Patience,
    progress: Arc<Progress>,
    /// Set to the end of a wait, or earlier: the end is looked up when it rings.
    timer: Option<Pin<Box<Sleep>>>,
}

impl Watch {
    /// Ready with what was waited for; to be asked whenever the connection has nothing to do.
    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<&'static str> {
        let (patience, what) = match self.progress.stage() {
            IDLE => (self.patience.idle, "next request"),
            HEAD => (self.patience.head, "head"),
            _ => return Poll::Pending,
        };
        let end = self.progress.since() + patience;
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(end)));
        if timer.deadline() > end {
            timer.as_mut().reset(end);
        }
        loop {
            ready!(timer.as_mut().poll(cx));
            if Instant::now() >= end {
                return Poll::Ready(what);
            }
            timer.as_mut().reset(end);
        }
    }
}

/// Counts the end of a wait, by what was waited for.
fn given_up(what: &'static str) {
    metrics::counter!("http_connections_given_up_total", "for" => what).increment(1);
}

/// A client's stream: notes what comes of requests, and fails when the client takes too little of an answer.
#[derive(Debug)]
struct Stream {
    tcp: TcpStream,
    answers: Pace,
    progress: Arc<Progress>,
    /// The wait for the client to take more.
    slow: Option<Wait>,
}

impl Stream {
    /// The outcome of an attempt to write.
    fn written(&mut self, cx: &mut Context<'_>, attempt: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        let Poll::Ready(written) = attempt else {
            let wait = self.slow.get_or_insert_with(|| Wait::new(self.answers));
            ready!(wait.poll_too_slow(cx));
            given_up("answer");
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        };
        if let (Some(wait), Ok(bytes)) = (&mut self.slow, &written) {
            wait.moved(*bytes);
            // The client is there, though the answer is handed over already.
            self.progress.since_ms.store(0, Ordering::Relaxed);
        }
        Poll::Ready(written)
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        to: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = to.filled().len();
        let read = Pin::new(&mut self.tcp).poll_read(cx, to);
        if to.filled().len() > before && self.progress.stage() == IDLE {
            self.progress.become_stage(HEAD);
        }
        read
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let attempt = Pin::new(&mut self.tcp).poll_write(cx, bytes);
        self.written(cx, attempt)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let attempt = Pin::new(&mut self.tcp).poll_write_vectored(cx, bytes);
        self.written(cx, attempt)
    }

    fn is_write_vectored(&self) -> bool {
        self.tcp.is_write_vectored()
    }

    /// All that there was to write is written.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.slow = None;
        Pin::new(&mut self.tcp).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_shutdown(cx)
    }
}
