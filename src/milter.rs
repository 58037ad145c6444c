//! The milter protocol (Sendmail's libmilter, versions 2 to 6): from the bytes of an MTA to a [`Mail`], and from an
//! [`Answer`] back to bytes. This layer does not know that rules exist.
//!
//! Reading order: `frame` (bytes to frames), `command` (frames to commands), `macros`, `negotiate`, `response`
//! (edits and replies to bytes), `session` (the protocol as one state machine, sans I/O), `intake` (commands to a
//! mail), `alarm` (one timer for many deadlines), `connection` (one task for one connection), `listener` (sockets).

pub mod alarm;
pub mod command;
pub mod connection;
pub mod frame;
pub mod intake;
pub mod listener;
pub mod macros;
pub mod negotiate;
pub mod response;
pub mod session;

use std::future::Future;

use crate::answer::Answer;
use crate::mail::{Incomplete, Mail};

/// What the rest of the program does with mail.
pub trait Handler: Send + Sync + 'static {
    /// What is to be asked of the MTA; read at each negotiation, so a reload takes effect on the next connection.
    fn wants(&self) -> Wants;

    /// Judges one complete mail. The answer goes out only when this has returned, so whatever must be durable
    /// before the mail is accepted is awaited here.
    fn judge(&self, mail: Mail) -> impl Future<Output = Answer> + Send;

    /// A transaction that reached MAIL and ended without its end of message. Nothing waits for this.
    fn incomplete(&self, mail: Mail, why: Incomplete);
}

/// What is asked of the MTA.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wants {
    /// Header fields and bodies. Without it the MTA sends envelopes only.
    pub message: bool,
}
