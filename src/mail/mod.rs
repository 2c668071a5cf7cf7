//! E-mails: to activate an account, to confirm an address, to choose a new password; and what is the
//! matter with machines.
//!
//! A mail is a row in [`outbox`], written in the transaction that causes it, with a job that sends it:
//! nothing is sent for what was rolled back, and what was committed is sent at least once, also when
//! the mail server is away for hours. A row holds no secret. The token of a link is made when the mail
//! is sent ([`send`]), and the database only ever sees its hash; so its life begins then, too.

pub mod bulletin;
mod greeting;
pub mod letter;
pub mod outbox;
pub mod pace;
pub mod post;
pub mod send;
pub mod strangers;
