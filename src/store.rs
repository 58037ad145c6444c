//! The store: the log's records and the memory of seen messages, in SQLite, one file a month, one writer.
//!
//! Contract: [`Store::commit`] returns only when the record is on the disk (WAL with `synchronous=FULL`); what it
//! confirmed survives a kill and a power failure. Records are numbered without gaps in the order in which they were
//! stored. One process writes; a second one is refused by a lock. Reading (`search`) opens files of its own, read-only.

pub mod access;
pub mod schema;
pub mod search;
pub mod writer;

use jiff::Timestamp;

use crate::record::Record;

/// What is stored of one mail, in one transaction.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The record.
    pub record: Record,
    /// What is remembered of a message from outside.
    pub seen: Option<SeenRow>,
}

/// A message from outside, remembered by keyed hash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenRow {
    /// HMAC of the Message-ID.
    pub key: [u8; 16],
    /// HMAC of From and Date, so that a sender who reuses one Message-ID is not taken for a forward.
    pub fingerprint: [u8; 8],
    /// When it came.
    pub at: Timestamp,
    /// The local mailboxes that it came for, as written.
    pub mailboxes: Vec<String>,
    /// Its envelope sender; empty for the null sender.
    pub sender: String,
}
