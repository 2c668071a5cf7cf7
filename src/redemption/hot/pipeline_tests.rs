//! The pipeline against servers that behave, and that don't.

use super::*;
use std::iter;
use tokio::{net::UnixStream, task::JoinSet};

/// A pipeline, and the server's end of its socket.
fn pipeline(timeout_ms: u64) -> (Arc<Pipeline>, UnixStream) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let (reader, writer) = ours.into_split();
    (Arc::new(Pipeline::over(reader, writer, Duration::from_millis(timeout_ms))), theirs)
}

/// So long that nobody is late.
const PATIENT: u64 = 60_000;

async fn echo(pipeline: &Pipeline, word: &str) -> Result<String, Failure> {
    let answer = pipeline.ask([b"ECHO".as_slice(), word.as_bytes()].into_iter()).await?;
    match answer.reply() {
        Reply::Bytes(bytes) => Ok(String::from_utf8_lossy(bytes).into_owned()),
        reply => panic!("{reply:?}"),
    }
}

/// Requests that are all under way when this returns.
async fn ask_many(pipeline: &Arc<Pipeline>, count: usize) -> JoinSet<Result<String, Failure>> {
    let mut asking = JoinSet::new();
    for number in 0..count {
        let pipeline = Arc::clone(pipeline);
        asking.spawn(async move { echo(&pipeline, &number.to_string()).await });
    }
    while pipeline.line.lock().waiting.len() < count {
        tokio::task::yield_now().await;
    }
    asking
}

async fn assert_all_are_told(asking: JoinSet<Result<String, Failure>>, kind: io::ErrorKind) {
    for outcome in asking.join_all().await {
        assert!(matches!(&outcome, Err(Failure::Broken(error)) if error.kind() == kind), "{outcome:?}");
    }
}

async fn read_command(server: &mut UnixStream, bytes: &mut Vec<u8>) -> Vec<Vec<u8>> {
    loop {
        if let Some((Reply::Many(parts), rest)) = Reply::read(bytes).unwrap() {
            let parts = parts.iter().map(|part| match part {
                Reply::Bytes(bytes) => bytes.to_vec(),
                part => panic!("{part:?}"),
            });
            let (parts, left) = (parts.collect(), rest.to_vec());
            *bytes = left;
            return parts;
        }
        assert_ne!(server.read_buf(bytes).await.unwrap(), 0, "the pipeline is still there");
    }
}

/// Answers each `ECHO`, a few bytes at a time; errors to `ECHO error`.
async fn serve_in_pieces(mut server: UnixStream) {
    let mut bytes = Vec::new();
    loop {
        let command = read_command(&mut server, &mut bytes).await;
        let word = command.last().unwrap();
        let reply = match word.as_slice() {
            b"error" => b"-ERR no\r\n".to_vec(),
            word => [format!("${}\r\n", word.len()).as_bytes(), word, b"\r\n"].concat(),
        };
        for piece in reply.chunks(3) {
            server.write_all(piece).await.unwrap();
            tokio::task::yield_now().await;
        }
    }
}

#[tokio::test]
async fn each_gets_its_own_answer() {
    let (pipeline, server) = pipeline(PATIENT);
    let serving = tokio::spawn(serve_in_pieces(server));
    let mut asking = JoinSet::new();
    for asker in 0..32 {
        let pipeline = Arc::clone(&pipeline);
        asking.spawn(async move {
            for number in 0..50 {
                let word = format!("{asker}-{number}");
                assert_eq!(echo(&pipeline, &word).await.unwrap(), word);
            }
        });
    }
    asking.join_all().await;
    serving.abort();
}

#[tokio::test]
async fn commands_that_are_sent_together_are_answered_together() {
    let (pipeline, server) = pipeline(PATIENT);
    let serving = tokio::spawn(serve_in_pieces(server));
    let words = ["a", "bb", "ccc"].map(str::as_bytes);
    let pack = |out: &mut Vec<u8>| words.iter().for_each(|word| resp::pack(out, iter::once(*word)));
    let (answer, other) = tokio::join!(pipeline.send(words.len(), pack), echo(&pipeline, "other"));
    assert_eq!(answer.unwrap().replies().unwrap(), words.map(Reply::Bytes));
    assert_eq!(other.unwrap(), "other");
    assert!(pipeline.send(0, |_| {}).await.unwrap().replies().unwrap().is_empty());
    serving.abort();
}

#[tokio::test]
async fn an_error_is_the_answer_to_one_command() {
    let (pipeline, server) = pipeline(PATIENT);
    let serving = tokio::spawn(serve_in_pieces(server));
    let error = echo(&pipeline, "error").await.unwrap_err();
    assert!(matches!(&error, Failure::Refused(text) if text == "ERR no"), "{error:?}");
    assert_eq!(echo(&pipeline, "word").await.unwrap(), "word");
    serving.abort();
}

#[tokio::test]
async fn whoever_gives_up_takes_nobody_elses_answer() {
    let (pipeline, server) = pipeline(PATIENT);
    let mut given_up = ask_many(&pipeline, 3).await;
    given_up.shutdown().await;
    let serving = tokio::spawn(serve_in_pieces(server));
    assert_eq!(echo(&pipeline, "word").await.unwrap(), "word");
    serving.abort();
}

#[tokio::test]
async fn a_silent_server_is_given_up() {
    let (pipeline, server) = pipeline(40);
    let asking = ask_many(&pipeline, 20).await;
    assert_all_are_told(asking, io::ErrorKind::TimedOut).await;
    assert!(matches!(echo(&pipeline, "late").await, Err(Failure::Broken(_))));
    drop(server);
}

#[tokio::test]
async fn a_server_that_stops_in_the_middle_is_given_up() {
    let (pipeline, mut server) = pipeline(40);
    let asking = ask_many(&pipeline, 20).await;
    server.write_all(b"$5\r\nhel").await.unwrap();
    assert_all_are_told(asking, io::ErrorKind::TimedOut).await;
}

#[tokio::test]
async fn a_server_that_reads_nothing_is_given_up() {
    let (pipeline, server) = pipeline(40);
    let much = "x".repeat(4 << 20);
    let error = echo(&pipeline, &much).await.unwrap_err();
    assert!(matches!(&error, Failure::Broken(error) if error.kind() == io::ErrorKind::TimedOut), "{error:?}");
    drop(server);
}

#[tokio::test]
async fn a_server_that_closes_is_given_up_at_once() {
    let (pipeline, mut server) = pipeline(PATIENT);
    let mut asking = ask_many(&pipeline, 20).await;
    // Read first: a socket that is closed with something unread is reset.
    let mut bytes = Vec::new();
    for _ in 0..20 {
        read_command(&mut server, &mut bytes).await;
    }
    server.write_all(b"$1\r\n0\r\n$1\r\n").await.unwrap();
    drop(server);
    let first = asking.join_next().await.unwrap().unwrap();
    assert_eq!(first.unwrap(), "0");
    assert_all_are_told(asking, io::ErrorKind::UnexpectedEof).await;
    assert!(matches!(echo(&pipeline, "late").await, Err(Failure::Broken(_))));
}

#[tokio::test]
async fn a_server_that_says_what_nobody_understands_is_given_up_at_once() {
    for garbage in [b"HTTP/1.1 400 Bad Request\r\n".as_slice(), b"$x\r\n", b"*1\r\n?"] {
        let (pipeline, mut server) = pipeline(PATIENT);
        let asking = ask_many(&pipeline, 20).await;
        server.write_all(garbage).await.unwrap();
        assert_all_are_told(asking, io::ErrorKind::InvalidData).await;
    }
}

#[tokio::test]
async fn a_server_that_answers_what_nobody_asked_is_given_up() {
    let (pipeline, mut server) = pipeline(PATIENT);
    let asking = ask_many(&pipeline, 1).await;
    server.write_all(b"$1\r\n0\r\n$1\r\n1\r\n").await.unwrap();
    assert_eq!(asking.join_all().await.remove(0).unwrap(), "0");
    while pipeline.line.lock().closed.is_none() {
        tokio::task::yield_now().await;
    }
    assert_eq!(pipeline.line.why().kind(), io::ErrorKind::InvalidData);
}

#[tokio::test]
async fn what_is_dropped_is_closed() {
    let (pipeline, mut server) = pipeline(PATIENT);
    drop(pipeline);
    assert_eq!(server.read_buf(&mut Vec::new()).await.unwrap(), 0);
}
