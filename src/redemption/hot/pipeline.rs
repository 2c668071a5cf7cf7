//! One socket for all: commands leave together, and answers come back in their order.

use super::resp::{self, Garbage, Reply};
use std::{
    collections::VecDeque,
    convert::Infallible,
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    sync::{Notify, oneshot},
    task::AbortHandle,
    time::{Instant, MissedTickBehavior},
};

/// What is read at once.
const READ_BYTES: usize = 16 << 10;

/// Looks at the oldest request in the time that it has.
const LOOKS: u32 = 4;

/// Between two looks, at least.
const LOOK_MIN: Duration = Duration::from_millis(10);

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// The connection is of no use any more.
    #[error(transparent)]
    Broken(#[from] io::Error),
    /// The server is of a kind that this one cannot work with.
    #[error("redis is {0}")]
    Unfit(&'static str),
    /// What the server says to this command; the connection is as good as before.
    #[error("{0}")]
    Refused(String),
}

/// What came back, of one command or of several.
#[derive(Debug)]
pub(super) struct Answer(Vec<u8>);

impl Answer {
    /// The replies, none of which is an error.
    pub(super) fn replies(&self) -> Result<Vec<Reply<'_>>, Failure> {
        let (mut replies, mut rest) = (Vec::with_capacity(1), self.0.as_slice());
        while let Some((reply, after)) = Reply::read(rest).map_err(io::Error::from)? {
            if let Reply::Error(text) = reply {
                return Err(Failure::Refused(String::from_utf8_lossy(text).into_owned()));
            }
            replies.push(reply);
            rest = after;
        }
        Ok(replies)
    }

    /// The reply to the only command.
    pub(super) fn reply(&self) -> Reply<'_> {
        Reply::read(&self.0).ok().flatten().map_or(Reply::Nil, |(reply, _)| reply)
    }
}

/// A connection that requests share. It ends when it is dropped.
#[derive(Debug)]
pub(super) struct Pipeline {
    line: Arc<Line>,
    task: AbortHandle,
}

impl Drop for Pipeline {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Pipeline {
    /// A connection over a socket; it breaks when an answer takes longer than `timeout`.
    pub(super) fn over(
        reader: impl AsyncRead + Send + Unpin + 'static,
        writer: impl AsyncWrite + Send + Unpin + 'static,
        timeout: Duration,
    ) -> Self {
        let line = Arc::new(Line::default());
        let ends = Ends(Arc::clone(&line));
        let task = tokio::spawn(async move { ends.0.run(reader, writer, timeout).await });
        Self { line, task: task.abort_handle() }
    }

    /// Sends one command.
    pub(super) async fn ask<'a>(
        &self,
        parts: impl Iterator<Item = &'a [u8]> + Clone,
    ) -> Result<Answer, Failure> {
        let answer = self.send(1, |out| resp::pack(out, parts)).await?;
        match answer.reply() {
            Reply::Error(text) => Err(Failure::Refused(String::from_utf8_lossy(text).into_owned())),
            _ => Ok(answer),
        }
    }

    /// Sends as many commands as `pack` appends; nobody else's come in between.
    pub(super) async fn send(
        &self,
        commands: usize,
        pack: impl FnOnce(&mut Vec<u8>),
    ) -> Result<Answer, Failure> {
        if commands == 0 {
            return Ok(Answer(Vec::new()));
        }
        let (answer, answered) = oneshot::channel();
        self.line.append(commands, answer, pack)?;
        answered.await.map(Answer).map_err(|_| self.line.why().into())
    }
}

/// What requests and the task of the connection share.
#[derive(Debug, Default)]
struct Line {
    state: Mutex<State>,
    /// There is something to be written.
    filled: Notify,
}

#[derive(Debug, Default)]
struct State {
    out: Vec<u8>,
    waiting: VecDeque<Waiter>,
    /// How often the oldest request was looked at; cheaper than to ask for the time with each.
    looks: u32,
    closed: Option<io::ErrorKind>,
}

/// A request under way. If it is given up, its answer is thrown away when it comes.
#[derive(Debug)]
struct Waiter {
    commands: usize,
    since: u32,
    answer: oneshot::Sender<Vec<u8>>,
}

/// Closes the line however its task ends.
struct Ends(Arc<Line>);

impl Drop for Ends {
    fn drop(&mut self) {
        self.0.close(io::ErrorKind::ConnectionAborted);
    }
}

impl Line {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn append(
        &self,
        commands: usize,
        answer: oneshot::Sender<Vec<u8>>,
        pack: impl FnOnce(&mut Vec<u8>),
    ) -> io::Result<()> {
        let mut state = self.lock();
        if let Some(kind) = state.closed {
            return Err(kind.into());
        }
        let is_first = state.out.is_empty();
        pack(&mut state.out);
        let since = state.looks;
        state.waiting.push_back(Waiter { commands, since, answer });
        drop(state);
        if is_first {
            self.filled.notify_one();
        }
        Ok(())
    }

    /// Everybody who waits is told, and nobody waits any more.
    fn close(&self, kind: io::ErrorKind) {
        let mut state = self.lock();
        state.closed.get_or_insert(kind);
        state.waiting.clear();
    }

    fn why(&self) -> io::Error {
        self.lock().closed.unwrap_or(io::ErrorKind::ConnectionAborted).into()
    }

    async fn run(&self, reader: impl AsyncRead + Unpin, writer: impl AsyncWrite + Unpin, timeout: Duration) {
        // What has arrived is read before anyone is called late.
        let Err(error) = tokio::select! {
            biased;
            end = self.read(reader) => end,
            end = self.write(writer) => end,
            end = self.watch(timeout) => end,
        };
        self.close(error.kind());
    }

    async fn write(&self, mut writer: impl AsyncWrite + Unpin) -> io::Result<Infallible> {
        let mut taken = Vec::new();
        loop {
            self.filled.notified().await;
            // Who is ready to run adds its command first: one write for many.
            tokio::task::yield_now().await;
            std::mem::swap(&mut self.lock().out, &mut taken);
            writer.write_all(&taken).await?;
            taken.clear();
        }
    }

    async fn read(&self, mut reader: impl AsyncRead + Unpin) -> io::Result<Infallible> {
        let mut bytes = Vec::new();
        loop {
            bytes.reserve(READ_BYTES);
            if reader.read_buf(&mut bytes).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let used = self.answer(&bytes)?;
            bytes.drain(..used);
            if bytes.len() > resp::BYTES_MAX {
                return Err(Garbage.into());
            }
        }
    }

    /// Hands out the answers that are all there; returns how many bytes they are.
    fn answer(&self, bytes: &[u8]) -> Result<usize, Garbage> {
        let mut state = self.lock();
        let mut rest = bytes;
        while !rest.is_empty() {
            let waiter = state.waiting.front().ok_or(Garbage)?;
            let Some(after) = resp::skip(rest, waiter.commands)? else { break };
            if let Some(waiter) = state.waiting.pop_front() {
                let _ = waiter.answer.send(rest[..rest.len() - after.len()].to_vec());
            }
            rest = after;
        }
        Ok(bytes.len() - rest.len())
    }

    /// A standstill of our own counts as one look, however long it takes.
    async fn watch(&self, timeout: Duration) -> io::Result<Infallible> {
        let pause = (timeout / LOOKS).max(LOOK_MIN);
        let patience = timeout.as_nanos().div_ceil(pause.as_nanos()) as u32;
        let mut looks = tokio::time::interval_at(Instant::now() + pause, pause);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            looks.tick().await;
            let mut state = self.lock();
            state.looks = state.looks.wrapping_add(1);
            let waited = state.waiting.front().map_or(0, |oldest| state.looks.wrapping_sub(oldest.since));
            if waited > patience {
                return Err(io::ErrorKind::TimedOut.into());
            }
        }
    }
}

#[cfg(test)]
#[path = "pipeline_tests.rs"]
mod tests;
