//! A network between a server and Postgres that loses things.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, UnixStream},
    sync::watch,
    task::JoinHandle,
};

/// More than any one message here.
const CHUNK_BYTES: usize = 1 << 20;

/// What becomes of a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It arrives, and so does its answer.
    Delivered,
    /// The connection breaks before it arrives.
    RequestLost,
    /// It is carried out; then the connection breaks, before the answer arrives.
    AnswerLost,
}

/// Stands between a server and Postgres.
#[derive(Debug)]
pub(super) struct Proxy {
    /// Of the database, by way of the proxy.
    pub(super) url: String,
    fates: Arc<Fates>,
    /// The socket that new connections are led to.
    socket: watch::Sender<String>,
    accepting: JoinHandle<()>,
}

/// Which statements are tampered with, and what becomes of the next ones.
#[derive(Debug)]
struct Fates {
    marker: &'static [u8],
    coming: Mutex<VecDeque<Fate>>,
}

impl Fates {
    /// The fate of what is in these bytes.
    fn of(&self, bytes: &[u8]) -> Fate {
        if bytes.windows(self.marker.len()).any(|window| window == self.marker) {
            self.coming.lock().unwrap().pop_front().unwrap_or(Fate::Delivered)
        } else {
            Fate::Delivered
        }
    }
}

impl Proxy {
    /// Before the database at a URL that names a unix socket. Statements with `marker` in them (an
    /// order's id, say) meet their fates.
    pub(super) async fn start(database_url: &str, marker: &'static str) -> Self {
        let (address, _) = database_url.split_once('?').unwrap();
        let (_, name) = address.rsplit_once('/').unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let fates = Arc::new(Fates { marker: marker.as_bytes(), coming: Mutex::default() });
        let (socket, led_to) = watch::channel(socket_of(database_url));
        let accepting = tokio::spawn(accept(listener, led_to, Arc::clone(&fates)));
        let url = format!("postgres://scrip@127.0.0.1:{port}/{name}?sslmode=disable");
        Self { url, fates, socket, accepting }
    }

    /// What becomes of the next marked statements; those after them are delivered.
    pub(super) fn next(&self, fates: impl IntoIterator<Item = Fate>) {
        self.fates.coming.lock().unwrap().extend(fates);
    }

    /// Leads new connections to another Postgres, as a virtual address that moves: those that there are stay
    /// where they are.
    pub(super) fn lead_to(&self, database_url: &str) {
        self.socket.send_replace(socket_of(database_url));
    }

    /// How many fates have not been met yet.
    pub(super) fn to_come(&self) -> usize {
        self.fates.coming.lock().unwrap().len()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// The unix socket that a URL names.
pub fn socket_of(database_url: &str) -> String {
    let (_, options) = database_url.split_once('?').unwrap();
    let option = |name: &str| {
        let mut options = options.split('&').filter_map(|option| option.split_once('='));
        options.find(|(key, _)| *key == name).unwrap().1
    };
    format!("{}/.s.PGSQL.{}", option("host"), option("port"))
}

async fn accept(listener: TcpListener, led_to: watch::Receiver<String>, fates: Arc<Fates>) {
    while let Ok((client, _)) = listener.accept().await {
        let socket = led_to.borrow().clone();
        // With Postgres away, the client is hung up on.
        let Ok(server) = UnixStream::connect(&socket).await else { continue };
        let fates = Arc::clone(&fates);
        tokio::spawn(async move {
            let (from_client, to_client) = client.into_split();
            let (from_server, to_server) = server.into_split();
            let answer_lost = AtomicBool::new(false);
            // Whichever ends first takes the connection with it.
            tokio::select! {
                () = forward(from_client, to_server, |bytes| match fates.of(bytes) {
                    Fate::Delivered => true,
                    Fate::RequestLost => false,
                    Fate::AnswerLost => {
                        answer_lost.store(true, Ordering::SeqCst);
                        true
                    }
                }) => {}
                () = forward(from_server, to_client, |_| !answer_lost.load(Ordering::SeqCst)) => {}
            }
        });
    }
}

/// Passes on what arrives for as long as it may pass.
async fn forward(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut may_pass: impl FnMut(&[u8]) -> bool,
) {
    let mut chunk = vec![0; CHUNK_BYTES];
    while let Ok(length @ 1..) = from.read(&mut chunk).await {
        if !may_pass(&chunk[..length]) || to.write_all(&chunk[..length]).await.is_err() {
            return;
        }
    }
}
