//! The record: what the log keeps of one mail. Built here, stored by [`crate::store`], shown by [`crate::export`].

#![deny(clippy::disallowed_methods)]

pub mod columns;
pub mod pseudonyms;
mod seen;

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::mail::Direction;
use crate::text::words;
pub use seen::{SeenOctets, SeenRow};

/// The name of a record: `gw1-1-000000123456`, node, epoch and sequence number. Unique for good, over all nodes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RecordId {
    /// The node that wrote it.
    pub node: Box<str>,
    /// The epoch of the node's log: it grows when a log begins anew, as after a restore.
    pub epoch: u32,
    /// The number within the epoch, from 1, without gaps.
    pub seq: u64,
}

impl fmt::Display for RecordId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}-{:012}", self.node, self.epoch, self.seq)
    }
}

impl FromStr for RecordId {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = "not a record id; one looks like gw1-1-000000123456";
        let mut parts = text.rsplitn(3, '-');
        let (Some(seq), Some(epoch), Some(node)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(wrong);
        };
        match (epoch.parse(), seq.parse()) {
            (Ok(epoch), Ok(seq)) if !node.is_empty() => Ok(Self { node: node.into(), epoch, seq }),
            _ => Err(wrong),
        }
    }
}

words! {
    /// What became of a mail, as the log says it.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
    #[serde(rename_all = "lowercase")]
    pub enum Outcome {
        /// Passed unchanged.
        Accepted = "accepted",
        /// Passed with a mark.
        Marked = "marked",
        /// On hold.
        Held = "held",
        /// Put off.
        Deferred = "deferred",
        /// Refused.
        Rejected = "rejected",
        /// It never came to its end.
        #[default]
        Incomplete = "incomplete",
    }
}

/// What the log keeps of one mail. The fields are the columns of [`columns::COLUMNS`], in their order; the record's own
/// id is given when it is stored.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// When MAIL came.
    pub time: Timestamp,
    /// Which way; unknown for a mail that ended before its recipients.
    pub direction: Option<Direction>,
    /// Envelope sender; `<>` for the null sender.
    pub sender: String,
    /// Envelope recipients.
    pub recipients: Vec<String>,
    /// The addresses in From, `, ` between.
    pub header_from: String,
    /// Decoded subject.
    pub subject: String,
    /// Octets.
    pub size: u64,
    /// Decoded names and sizes in octets, nested ones too; without the parts that have no name.
    pub attachments: Vec<(String, u64)>,
    /// What became of it.
    pub outcome: Outcome,
    /// Findings as `rule=grade`, whether the rule acted or observed; for `incomplete`, the reason.
    pub findings: Vec<String>,
    /// What rules in `observe` would have done, as `rule=would_hold`.
    pub would: Vec<String>,
    /// The MTA's queue id.
    pub queue_id: String,
    /// Message-ID.
    pub message_id: String,
    /// Client address, or its name where it has none.
    pub client: String,
    /// HELO.
    pub helo: String,
    /// Authenticated user.
    pub auth_user: String,
    /// TLS protocol and cipher of the hop.
    pub tls: String,
    /// The hash of the config that judged it.
    pub config: String,
    /// What became of the receipt.
    pub receipt: String,
    /// What SPF, DKIM and DMARC say of it, as `spf=pass dkim=pass dmarc=pass`; empty where nothing was checked.
    pub authentication: String,
    /// What stands in From beside the addresses; kept where the organisation wants it, as the three that follow.
    pub header_from_name: String,
    /// The addresses in To, `, ` between.
    pub header_to: String,
    /// In Cc.
    pub header_cc: String,
    /// In Reply-To.
    pub header_reply_to: String,
}

/// The addresses in a text of a record that has several, `, ` between; one in quotes may have that in it, too.
pub fn several(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        let (mut quoted, mut escaped) = (false, false);
        let end = text.char_indices().find(|(at, c)| {
            let plain = !std::mem::take(&mut escaped);
            match c {
                '\\' => escaped = quoted && plain,
                '"' if plain => quoted = !quoted,
                ',' if !quoted => return text.get(*at..).is_some_and(|rest| rest.starts_with(", ")),
                _ => {}
            }
            false
        });
        let one = end.and_then(|(at, _)| Some((text.get(..at)?, text.get(at + 2..)?)));
        match one {
            Some((one, more)) => {
                rest = Some(more);
                Some(one)
            }
            // A quote that does not end is none.
            None if quoted => {
                let (one, more) = text.split_once(", ").map_or((text, None), |(one, more)| (one, Some(more)));
                rest = more;
                Some(one)
            }
            None => rest.take(),
        }
    })
}

/// What the log keeps of one finding, for reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FindingRow {
    /// The rule.
    pub rule: String,
    /// Its grade, or `unknown`.
    pub grade: String,
    /// By what the rule knows.
    pub evidence: String,
    /// The rule's mode.
    pub mode: String,
    /// What followed, or in `observe`: what would have.
    pub verdict: String,
    /// The decision that allows it, where an exception does.
    pub decision: String,
    /// The mailboxes inside that it may concern, the likeliest first.
    pub mailboxes: Vec<String>,
    /// The recipients that it concerns; none for the whole mail.
    pub recipients: Vec<String>,
}

/// What makes a mail of our own the same one: no second one with this key is ever stored.
pub type OutboxKey = crate::notice::name::Key;

/// A mail of our own, stored with the record of the mail that it is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutboxRow {
    /// What makes it the same.
    pub key: OutboxKey,
    /// What it is.
    pub kind: OutboxKind,
    /// When the mail came that it is about.
    pub at: Timestamp,
    /// Not to be sent before.
    pub due: Timestamp,
    /// Not to be tried after.
    pub until: Timestamp,
    /// The mailbox in whose name it is written.
    pub mailbox: String,
    /// Its one recipient.
    pub recipient: String,
    /// What people call it: `PV-2026-7K3M9Q`.
    pub reference: String,
    /// Whether it waits until the mail that it is about is released.
    pub held: bool,
    /// The whole message, CRLF line ends.
    pub message: String,
}

words! {
    /// What a mail of our own is.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub enum OutboxKind {
        /// To someone outside: their mail has arrived.
        Receipt = "receipt",
        /// To someone inside.
        Notice = "notice",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_addresses_are_told_apart_also_in_quotes() {
        for (text, wanted) in [
            ("a@example.org", &["a@example.org"][..]),
            ("a@example.org, b@example.org", &["a@example.org", "b@example.org"]),
            ("\"smith, john\"@example.org, b@example.org", &["\"smith, john\"@example.org", "b@example.org"]),
            ("\"a\\\", b\"@example.org", &["\"a\\\", b\"@example.org"]),
            ("\"Kund, b@example.org", &["\"Kund", "b@example.org"]),
            ("a,b", &["a,b"]),
            ("", &[""]),
        ] {
            assert_eq!(several(text).collect::<Vec<_>>(), wanted, "{text}");
        }
    }

    #[test]
    fn record_ids_are_read_as_they_are_written() {
        let id = RecordId { node: "gw-1".into(), epoch: 2, seq: 123_456 };
        assert_eq!(id.to_string(), "gw-1-2-000000123456");
        assert_eq!("gw-1-2-000000123456".parse(), Ok(id));
        assert!("123".parse::<RecordId>().is_err() && "-1-2".parse::<RecordId>().is_err());
    }
}
