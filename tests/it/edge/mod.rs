//! What every request and every connection has to get past, with real sockets where they matter.

mod deadlines;
mod refusals;
mod rooms;
mod socket;
mod unread;
