//! The store: the log's records and the memory of seen messages, in SQLite, one file a month, one writer.
//!
//! Contract: [`Store::commit`] returns only when the record is on the disk (WAL with `synchronous=FULL`); what it
//! confirmed survives a kill and a power failure. Records are numbered without gaps in the order in which they were
//! stored. One process writes; a second one is refused by a lock. Reading (`search`) opens files of its own, read-only.

pub mod access;
pub mod schema;
pub mod search;
pub mod writer;

use crate::record::{Record, SeenRow};

/// What is stored of one mail, in one transaction.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The record.
    pub record: Record,
    /// What is remembered of a message from outside.
    pub seen: Option<SeenRow>,
}
