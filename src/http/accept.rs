//! Takes connections, as many as there is room for, until told to stop.

use super::{
    Surface,
    connection::{self, Patience},
    room::{Addresses, Room},
};
use crate::config::Config;
use std::{io, sync::Arc, time::Duration};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// How long the listener rests when the system has nothing left for a connection.
const REST: Duration = Duration::from_secs(1);

/// Where connections come in.
#[derive(Debug)]
pub struct Door {
    room: Room,
    addresses: Addresses,
    patience: Patience,
}

impl Door {
    /// A door for up to `connections_max` connections at once, of all listeners that share it.
    pub fn new(config: &Config, connections_max: usize) -> Self {
        Self {
            room: Room::new(connections_max, config.address_share_percent),
            addresses: Addresses::new(config),
            patience: Patience::new(config),
        }
    }

    /// Serves what comes to the listener. Once `closing` is cancelled nobody else is let in, and it returns
    /// when those who are in have their answers.
    pub async fn serve(self: Arc<Self>, listener: TcpListener, surface: Surface, closing: CancellationToken) {
        let connections = TaskTracker::new();
        while let Some(accepted) = closing.run_until_cancelled(listener.accept()).await {
            match accepted {
                Ok((stream, peer)) => {
                    let serving = Arc::clone(&self).admit(stream, peer, surface.clone(), closing.clone());
                    connections.spawn(serving);
                }
                // The client has hung up already.
                Err(error) if is_of_the_client(&error) => {}
                Err(error) => {
                    tracing::error!(%error, "could not take a connection");
                    closing.run_until_cancelled(tokio::time::sleep(REST)).await;
                }
            }
        }
        drop(listener);
        connections.close();
        connections.wait().await;
    }

    /// Serves one connection if there is room, and hangs up at once if there is none: its client can try
    /// another server.
    async fn admit(
        self: Arc<Self>,
        stream: TcpStream,
        peer: std::net::SocketAddr,
        surface: Surface,
        closing: CancellationToken,
    ) {
        let counter = self.addresses.counter(Some(peer.ip().to_canonical()));
        let Some(_place) = self.room.enter(counter) else {
            metrics::counter!("http_connections_turned_away_total").increment(1);
            return;
        };
        // Answers are small and complete: waiting to fill a packet only delays them.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "could not set TCP_NODELAY");
        }
        connection::serve(stream, peer, surface, self.patience, closing).await;
    }
}

fn is_of_the_client(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}
