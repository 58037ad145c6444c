//! The queue of the writer: what it is told, and who waits for what.

use std::sync::Arc;

use jiff::Timestamp;
use tokio::sync::oneshot;

use super::CommitError;
use super::outbox::Event;
use super::row::RecordRow;
use crate::facts::identity::Key;
use crate::record::{FindingRow, OutboxRow, RecordId};

/// The clock of a store; tests bring their own.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// What the writer is told.
#[derive(Debug)]
pub(super) enum Message {
    /// Store this.
    Store(Box<RecordWrite>),
    /// Store something of a mail of our own.
    Notice(Box<NoticeRequest>),
    /// Have a tree head signed, if there is anything new.
    Head,
    /// See whether the log is in its place, and whether it can be written where it could not.
    Look,
    /// Store what waits, take no more, close, and say so.
    Close(oneshot::Sender<()>),
}

/// One record on its way.
#[derive(Debug)]
pub(super) struct RecordWrite {
    /// The record.
    pub(super) row: RecordRow,
    /// What rules found.
    pub(super) findings: Vec<FindingRow>,
    /// Who is known from now on, and when that was.
    pub(super) contacts: Vec<(Key, i64)>,
    /// Mails of our own.
    pub(super) outbox: Vec<OutboxRow>,
    /// The waiting mail; an incomplete mail does not wait.
    pub(super) waiter: Option<oneshot::Sender<Result<RecordId, CommitError>>>,
}

/// Something of a mail of our own that no record causes.
#[derive(Debug)]
pub(super) enum NoticeWrite {
    /// What happened to it.
    Event(Event),
    /// The mail itself.
    New(OutboxRow),
}

/// Such a write, and who waits for its result.
pub(super) type NoticeRequest = (NoticeWrite, oneshot::Sender<Result<(), CommitError>>);
