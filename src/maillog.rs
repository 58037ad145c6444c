//! Postfix's log, line by line: what became of a mail after it was accepted. Pure.
//!
//! Contract: a line tells of one queue file, or of one TLS connection of a delivering process, or of nothing. Addresses and
//! the remote server's reply come from strangers: they are bounded, control characters in them are replaced, and a line whose
//! text could be read in two ways tells nothing ([`Read::Unclear`]), so that no text in a line can stand for another line.
//!
//! Reading order: `stamp` (the time at the beginning of a line), `message` (what follows the name of the program).

#![deny(clippy::disallowed_methods)]

mod journal;
mod message;
pub mod stamp;

use jiff::Timestamp;

use crate::text::words;

pub use journal::{Entry, entry};
use stamp::Stamps;

words! {
    /// What became of a mail for one recipient, as Postfix says it.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub enum Status {
        /// Handed over to the next hop, or stored in the mailbox.
        Sent = "sent",
        /// Will be tried again.
        Deferred = "deferred",
        /// Given up at once; the sender is told.
        Bounced = "bounced",
        /// Given up because it waited for too long, or because of a command.
        Expired = "expired",
        /// A probe: the address would take mail.
        Deliverable = "deliverable",
        /// A probe: it would not.
        Undeliverable = "undeliverable",
    }
}

impl Status {
    /// Whether no other one follows for the same recipient and queue file.
    pub fn is_final(self) -> bool {
        self != Self::Deferred
    }
}

words! {
    /// How sure the peer of a TLS connection was, as Postfix says it.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub enum Trust {
        /// Its name was verified, as the policy asks.
        Verified = "verified",
        /// Its certificate is of a known authority.
        Trusted = "trusted",
        /// It is not.
        Untrusted = "untrusted",
        /// It had none.
        Anonymous = "anonymous",
    }
}

/// What a line of the log is.
#[derive(Clone, Debug, PartialEq)]
pub enum Read<'a> {
    /// It tells of a mail or a connection.
    Told(Line<'a>),
    /// Another line; its time in milliseconds.
    Other(i64),
    /// A delivery that can be read in two ways, or whose status is no known one.
    Unclear(i64),
    /// It does not begin as lines of a log do.
    Foreign,
}

/// A line that tells something.
#[derive(Clone, Debug, PartialEq)]
pub struct Line<'a> {
    /// When it was written, in milliseconds; to the second in the traditional format.
    pub at: i64,
    /// The Postfix instance: `postfix`, `postfix-out`.
    pub instance: &'a str,
    /// The process.
    pub pid: u32,
    /// What it tells.
    pub told: Told<'a>,
}

/// What a line tells.
#[derive(Clone, Debug, PartialEq)]
pub enum Told<'a> {
    /// The delivering process has a TLS connection to this relay.
    Tls(Tls<'a>),
    /// Something of a queue file.
    Mail {
        /// Its queue id.
        id: &'a str,
        /// What.
        event: Event<'a>,
    },
}

/// A TLS connection for deliveries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tls<'a> {
    /// As the line of the delivery will name it.
    pub relay: &'a str,
    /// How sure the peer is.
    pub trust: Trust,
    /// `TLSv1.3`.
    pub protocol: &'a str,
}

/// What happened to a queue file.
#[derive(Clone, Debug, PartialEq)]
pub enum Event<'a> {
    /// It was made: mail came by SMTP, or from this host.
    Begun,
    /// It was made of another one by `postsuper -r`.
    Requeue {
        /// The queue id that the mail had before.
        from: &'a str,
    },
    /// It is there: a line that stands before any delivery.
    Seen,
    /// A delivery, or a try of one.
    Delivery(Box<Delivery<'a>>),
    /// Given up: what was not delivered goes back to the sender.
    Expired,
    /// The queue file is no longer there: every recipient is done, or a command removed it.
    Removed,
    /// A milter refused the mail at its end, so that there is no queue file.
    Refused,
    /// `postsuper -r` took it; it comes back under another id.
    Requeued,
    /// A milter put it on hold.
    MilterHold,
    /// A command put it on hold.
    Held,
    /// A command released it.
    Released,
    /// A command made it expire.
    ExpiredByCommand,
    /// Postfix wrote a mail about it.
    Notified {
        /// `non-delivery`, `delay`, `delivery status`.
        what: &'a str,
        /// The queue id of that mail.
        id: &'a str,
    },
}

/// A delivery, or a try of one.
#[derive(Clone, Debug, PartialEq)]
pub struct Delivery<'a> {
    /// For whom.
    pub to: String,
    /// Whom the mail named, where an alias stands between; empty where none does.
    pub orig_to: String,
    /// The next hop: `mx.example.org[192.0.2.1]:25`, `virtual`, `none`.
    pub relay: String,
    /// Seconds since the mail came.
    pub delay: f64,
    /// Of them: before the queue manager, in it, for the connection, for the transfer.
    pub delays: [f64; 4],
    /// The enhanced status code (RFC 3463).
    pub dsn: String,
    /// What became of it.
    pub status: Status,
    /// What stands in parentheses: often the remote server's words.
    pub text: String,
    /// The queue id that the next hop gave to it.
    pub next: Option<&'a str>,
    /// Whether the process delivers over the network and would say with which TLS.
    pub over_network: bool,
    /// What newer versions of Postfix say of TLS in the same line; empty where they do not.
    pub tls: &'a str,
}

/// Reads lines of a file.
#[derive(Debug)]
pub struct Reader {
    stamps: Stamps,
}

impl Reader {
    /// For a file whose times are as `stamps` understands them.
    pub fn new(stamps: Stamps) -> Self {
        Self { stamps }
    }

    /// No line that follows is newer than this.
    pub fn not_after(&mut self, newest: Timestamp) {
        self.stamps.not_after(newest);
    }

    /// Reads one line.
    pub fn line<'a>(&mut self, line: &'a str) -> Read<'a> {
        let Some((at, rest)) = self.stamps.begin(line) else { return Read::Foreign };
        // The host, the program, and what it says.
        let Some((_, rest)) = rest.split_once(' ') else { return Read::Other(at) };
        let Some((tag, text)) = rest.split_once(": ") else { return Read::Other(at) };
        let Some((name, pid)) = tag.strip_suffix(']').and_then(|tag| tag.rsplit_once('[')) else {
            return Read::Other(at);
        };
        let Ok(pid) = pid.parse() else { return Read::Other(at) };
        message::read(at, name, pid, text)
    }
}

#[cfg(test)]
mod tests;
