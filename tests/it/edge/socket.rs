//! A client that sends what it likes, when it likes.

use crate::server::Server;
use std::{net::SocketAddr, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
    time::timeout,
};

/// A server that has not answered by then never will.
const ANSWERS_WITHIN: Duration = Duration::from_secs(30);

/// A connection.
pub struct Socket(pub TcpStream);

/// An answer, taken apart a little.
#[derive(Debug)]
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// Everything before its body, in lower case.
    pub head: String,
    /// Its body.
    pub body: Vec<u8>,
}

impl Socket {
    /// A connection from this host.
    pub async fn open(server: &Server) -> Self {
        Self::from(server, "127.0.0.1").await
    }

    /// A connection from another address of the loopback network.
    pub async fn from(server: &Server, address: &str) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(SocketAddr::new(address.parse().unwrap(), 0)).unwrap();
        Self(socket.connect(server.address()).await.unwrap())
    }

    /// A connection with hardly any room for answers.
    pub async fn narrow(server: &Server) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(4_096).unwrap();
        Self(socket.connect(server.address()).await.unwrap())
    }

    /// Sends this; whether that could be done.
    pub async fn send(&mut self, text: &str) -> bool {
        self.0.write_all(text.as_bytes()).await.is_ok()
    }

    /// Sends a request without a body, and hears its answer.
    pub async fn get(&mut self, path: &str) -> Option<Answer> {
        self.send(&format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n")).await;
        self.answer().await
    }

    /// The next answer; none if the server has hung up.
    pub async fn answer(&mut self) -> Option<Answer> {
        timeout(ANSWERS_WITHIN, self.read_answer()).await.expect("there is no answer")
    }

    async fn read_answer(&mut self) -> Option<Answer> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(self.0.read_u8().await.ok()?);
        }
        let head = String::from_utf8(head).unwrap().to_lowercase();
        let length = head.split("content-length: ").nth(1).and_then(|rest| rest.split("\r\n").next());
        let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
        self.0.read_exact(&mut body).await.ok()?;
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Some(Answer { status, head, body })
    }

    /// That the server hangs up without a word.
    pub async fn expect_end(&mut self) {
        assert!(self.answer().await.is_none(), "the server answers");
    }
}
