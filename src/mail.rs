//! Mail: one complete SMTP transaction as the milter saw it, immutable. The *message* is its bytes.

#![deny(clippy::disallowed_methods)]

use std::fmt;
use std::net::IpAddr;

use bytes::Bytes;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::address::{Address, ReversePath};
use crate::text::words;

words! {
    /// Which way a mail goes, seen from the organisation.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
    #[serde(rename_all = "lowercase")]
    pub enum Direction {
        /// From outside.
        Inbound = "inbound",
        /// From inside, to at least one recipient outside.
        Outbound = "outbound",
        /// From inside, to recipients inside only.
        Internal = "internal",
    }
}

impl fmt::Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The SMTP client: the host that handed the mail to the MTA.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Client {
    /// Its name by reverse DNS, or `[address]`.
    pub name: Option<String>,
    /// Its address; absent for local submission and where the MTA does not tell.
    pub address: Option<IpAddr>,
    /// What it said in HELO or EHLO.
    pub helo: Option<String>,
    /// The authenticated user, `{auth_authen}`.
    pub auth_user: Option<String>,
    /// Protocol and cipher of the session, `{tls_version} {cipher}`; absent without TLS.
    pub tls: Option<String>,
    /// `{daemon_name}`: with `milter_macro_daemon_name`, how an MTA tells its services apart.
    pub daemon_name: Option<String>,
}

/// One RCPT command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipient {
    /// The forward-path in the bytes of the wire; edits must name it so.
    pub raw: Bytes,
    /// What they mean.
    pub address: Address,
}

/// MAIL and RCPT.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// The reverse-path.
    pub sender: ReversePath,
    /// Whether MAIL asked for SMTPUTF8 (RFC 6531).
    pub smtputf8: bool,
    /// The recipients that the MTA accepted, in order, before any alias expansion.
    pub recipients: Vec<Recipient>,
}

/// The message as it was before any edit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message {
    /// Header section, empty line and body; CRLF line ends. Cut at `limits::MESSAGE_OCTETS`.
    pub bytes: Bytes,
    /// Where the body begins.
    pub body_at: usize,
    /// Octets in all, also those that were not kept.
    pub size: u64,
}

impl Message {
    /// Whether octets were left out of `bytes`.
    pub fn truncated(&self) -> bool {
        self.size > self.bytes.len() as u64
    }
}

/// One transaction, complete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mail {
    /// When MAIL came.
    pub arrived: Timestamp,
    /// The direction that the listener fixes, if it does.
    pub listener_direction: Option<Direction>,
    /// Who handed it in.
    pub client: Client,
    /// Between whom.
    pub envelope: Envelope,
    /// The MTA's queue id, once it has one.
    pub queue_id: Option<String>,
    /// What.
    pub message: Message,
}

words! {
    /// Why a transaction ended before its end of message.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub enum Incomplete {
        /// The MTA aborted it: the client reset or left, or the MTA refused it itself.
        Aborted = "aborted",
        /// The connection to the MTA broke.
        Disconnected = "disconnected",
        /// A new MAIL came without an end of the one before.
        Superseded = "superseded",
        /// We answered before the end of the message.
        Refused = "refused",
    }
}
