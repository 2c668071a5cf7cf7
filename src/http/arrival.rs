//! The bodies of requests as they arrive. One that is not there yet waits in a room of its own: its
//! request gives its place to another, and takes one again once the body is whole.

use super::{
    pace::{Pace, Wait},
    room::{Addresses, Counter, Room},
};
use crate::config::Config;
use axum::body::{Bytes, HttpBody};
use hyper::body::{Frame, SizeHint};
use std::{
    net::IpAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

/// The rooms of a server.
#[derive(Debug)]
pub(super) struct Rooms {
    pub(super) addresses: Addresses,
    /// Requests under way.
    pub(super) requests: Room,
    /// Gateways that wait for commands. They hold nothing meanwhile, and however many there are, they must
    /// not keep vouchers out.
    pub(super) polls: Room,
    /// Requests whose bodies are waited for.
    arrivals: Room,
    pace: Pace,
}

impl Rooms {
    pub(super) fn new(config: &Config) -> Self {
        let room = |limit| Room::new(limit, config.address_share_percent);
        Self {
            addresses: Addresses::new(config),
            requests: room(config.requests_max),
            polls: room(config.polls_max),
            arrivals: room(config.bodies_max),
            pace: Pace::of_bodies(config),
        }
    }
}

/// Why a body is not waited for any longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Stopped {
    /// Its client is too slow.
    #[error("the body took too long")]
    TooSlow,
    /// There is no room for its request.
    #[error("too many requests are under way")]
    NoRoom,
}

/// A body of a request that has a place among the requests. Nearly every body is there with its head, and
/// costs nothing here.
#[derive(Debug)]
pub(super) struct Arriving<B> {
    body: B,
    rooms: Arc<Rooms>,
    address: Option<IpAddr>,
    waiting: Option<Waiting>,
}

/// The wait for a body, in the room for that.
#[derive(Debug)]
struct Waiting {
    rooms: Arc<Rooms>,
    counter: Counter,
    wait: Wait,
    /// `true` once its request has its place back.
    is_over: bool,
}

impl Waiting {
    fn begin(rooms: &Arc<Rooms>, address: Option<IpAddr>) -> Result<Self, Stopped> {
        let counter = rooms.addresses.counter(address);
        rooms.requests.leave(counter);
        let waiting = Self { rooms: Arc::clone(rooms), counter, wait: Wait::new(rooms.pace), is_over: false };
        if rooms.arrivals.admit(counter) { Ok(waiting) } else { Err(Stopped::NoRoom) }
    }

    /// Goes back to the requests. Its place there is given back with the request, also where there was none.
    fn end(&mut self) -> bool {
        self.is_over = true;
        self.rooms.arrivals.leave(self.counter);
        self.rooms.requests.admit(self.counter)
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if !self.is_over {
            self.end();
        }
    }
}

impl<B> Arriving<B> {
    pub(super) fn new(body: B, rooms: Arc<Rooms>, address: Option<IpAddr>) -> Self {
        Self { body, rooms, address, waiting: None }
    }
}

impl<B> HttpBody for Arriving<B>
where
    B: HttpBody<Data = Bytes> + Unpin,
    B::Error: Into<axum::BoxError>,
{
    type Data = Bytes;
    type Error = axum::BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::BoxError>>> {
        let this = &mut *self;
        let Poll::Ready(frame) = Pin::new(&mut this.body).poll_frame(cx) else {
            let waiting = match &mut this.waiting {
                Some(waiting) => waiting,
                none => match Waiting::begin(&this.rooms, this.address) {
                    Ok(waiting) => none.insert(waiting),
                    Err(stopped) => return Poll::Ready(Some(Err(stopped.into()))),
                },
            };
            return match waiting.wait.poll_too_slow(cx) {
                Poll::Ready(()) => Poll::Ready(Some(Err(Stopped::TooSlow.into()))),
                Poll::Pending => Poll::Pending,
            };
        };
        if let Some(waiting) = &mut this.waiting {
            if let Some(Ok(frame)) = &frame {
                waiting.wait.moved(frame.data_ref().map_or(0, Bytes::len));
            }
            if frame.is_none() || this.body.is_end_stream() {
                let has_place = waiting.end();
                this.waiting = None;
                if !has_place {
                    return Poll::Ready(Some(Err(Stopped::NoRoom.into())));
                }
            }
        }
        Poll::Ready(frame.map(|frame| frame.map_err(Into::into)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
