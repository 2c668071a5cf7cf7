//! Nothing is read of a body whose sender may not send it.

use crate::{
    app::TestApp,
    client::Client,
    sweep::{
        document::{Document, Operation},
        stock::Stock,
    },
    world,
};
use axum::{
    body::{Body, Bytes, HttpBody},
    http::{Request, header},
};
use hyper::body::Frame;
use std::{
    convert::Infallible,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
};

/// A body that notes whether anybody has asked for it.
struct Noted(Arc<AtomicBool>);

impl HttpBody for Noted {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let was_read = self.0.swap(true, Ordering::Relaxed);
        Poll::Ready((!was_read).then(|| Ok(Frame::data(Bytes::from_static(b"{\"not\": JSON")))))
    }
}

/// The types and encodings that bodies come in; none of them is read here.
const KINDS: [(&str, &str); 4] = [
    ("application/json", "identity"),
    ("application/json", "gzip"),
    ("multipart/form-data; boundary=x", "identity"),
    ("text/plain", "br"),
];

/// The answer to a client, and `true` if its body was read.
async fn answered(
    client: &Client,
    operation: &Operation,
    uri: &str,
    (kind, encoding): (&str, &str),
) -> (u16, bool) {
    let was_read = Arc::new(AtomicBool::new(false));
    let request = Request::builder()
        .method(&operation.method)
        .uri(uri)
        .header(header::CONTENT_TYPE, kind)
        .header(header::CONTENT_ENCODING, encoding);
    let reply = client.send_raw(request.body(Body::new(Noted(Arc::clone(&was_read)))).unwrap()).await;
    (reply.status.as_u16(), was_read.load(Ordering::Relaxed))
}

#[tokio::test]
async fn a_body_is_read_once_its_sender_may_send_it() {
    let test = TestApp::new().await;
    let document = Document::read();
    let user = test.user("a").await;
    let stock = Stock::of_all(&document, &user, "a").await;
    let none = test.bearer(world::key(&test.app.db, world::A, None, &[]).await);
    let mut tried = 0;
    for operation in document.operations() {
        let has_body = operation.body.is_some() || operation.id == "send_audit";
        if operation.open || !has_body {
            continue;
        }
        let uri = stock.uri(&operation, "");
        for kind in KINDS {
            let id = &operation.id;
            assert_eq!(answered(&test.anyone(), &operation, &uri, kind).await, (401, false), "{id} {kind:?}");
            assert_eq!(answered(&none, &operation, &uri, kind).await, (403, false), "{id} {kind:?}");
        }
        tried += 1;
    }
    assert!(tried > 60, "{tried} operations");
}

#[tokio::test]
async fn a_batch_is_read_once_its_machine_is_known() {
    let test = TestApp::new().await;
    let document = Document::read();
    let gateway = test.bearer(world::key(&test.app.db, world::A, Some("vm-a-1"), &["gateway.use"]).await);
    let sends =
        ["send_revenuetransactions", "send_paymenttransactions", "send_logs", "send_heartbeat", "send_audit"];
    for operation in document.operations().iter().filter(|operation| sends.contains(&&*operation.id)) {
        for hostname in ["nobody", "vm-b-1", "vm-a-2"] {
            let uri = operation.path.replace("{hostname}", hostname);
            assert_eq!(answered(&gateway, operation, &uri, KINDS[1]).await, (403, false), "{uri}");
        }
        let uri = operation.path.replace("{hostname}", "vm-a-1");
        let kind = if operation.id == "send_audit" { ("text/plain", "gzip") } else { KINDS[1] };
        assert_eq!(answered(&gateway, operation, &uri, kind).await, (400, true), "{uri}");
    }
}
