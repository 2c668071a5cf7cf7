//! Limits that every request and every connection meets, with real sockets where they matter.

mod deadlines;
mod refusals;
mod rooms;
mod socket;
mod unread;
