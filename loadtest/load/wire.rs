//! The least of HTTP/1.1 that a load generator needs: one request at a time on a connection that is kept.

use std::{io, net::SocketAddr};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// Answers of the voucher verbs are a few hundred bytes; anything that doesn't fit here is a fault.
const ANSWER_MAX_BYTES: usize = 64 << 10;

/// A connection to the server under test.
pub(crate) struct Wire {
    stream: TcpStream,
    input: Vec<u8>,
}

/// What came back.
pub(crate) struct Answer<'a> {
    pub(crate) status: u16,
    pub(crate) body: &'a [u8],
}

/// Where an answer's parts are, once its head is complete.
struct Head {
    status: u16,
    body_at: usize,
    end: usize,
}

impl Wire {
    pub(crate) async fn open(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, input: vec![0; ANSWER_MAX_BYTES] })
    }

    /// Sends a request and waits for all of its answer.
    pub(crate) async fn ask(&mut self, request: &[u8]) -> io::Result<Answer<'_>> {
        self.stream.write_all(request).await?;
        let mut filled = 0;
        let head = loop {
            match self.stream.read(&mut self.input[filled..]).await? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                more => filled += more,
            }
            match head(&self.input[..filled])? {
                Some(head) if head.end > ANSWER_MAX_BYTES => {
                    return Err(invalid("an answer that is too long"));
                }
                Some(head) if head.end <= filled => break head,
                _ => {}
            }
        };
        Ok(Answer { status: head.status, body: &self.input[head.body_at..head.end] })
    }
}

fn invalid(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

/// Reads status and length, if the head has come in full.
fn head(input: &[u8]) -> io::Result<Option<Head>> {
    let Some(blank) = input.windows(4).position(|window| window == b"\r\n\r\n") else {
        return Ok(None);
    };
    let status = input.get(9..12).and_then(number).ok_or_else(|| invalid("no status line"))?;
    let length = input[..blank]
        .split(|&byte| byte == b'\n')
        .find_map(|line| {
            let (name, value) = line.split_at_checked(b"content-length:".len())?;
            name.eq_ignore_ascii_case(b"content-length:").then(|| number(value.trim_ascii()))?
        })
        .ok_or_else(|| invalid("no content-length"))?;
    let body_at = blank + 4;
    Ok(Some(Head { status: status as u16, body_at, end: body_at + length }))
}

fn number(digits: &[u8]) -> Option<usize> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}
