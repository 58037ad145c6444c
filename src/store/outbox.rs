//! The outbox: mails of our own, from the transaction of the record that they belong to until they are sent.
//!
//! Contract: of two rows with one key only the first is ever stored, over month files and restarts, for
//! [`limits::OUTBOX_DAYS`]. A row and every change of its state are on the disk before anybody acts on them. The writer
//! alone changes anything; the index in memory follows what is durable. Nothing here sends.

mod listing;

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, Row, Transaction};
use tokio::sync::Notify;

pub use listing::of_record_now;
pub use listing::{Listed, Recent};
pub(super) use listing::{list, of_record, recent};

use super::month::Month;
use super::{ReadError, schema};
use crate::limits;
use crate::metrics::METRICS;
use crate::record::{OutboxKey, OutboxKind, OutboxRow, RecordId};
use crate::text::words;

/// The version of the schema that has the outbox.
pub(super) const SINCE_VERSION: usize = 3;

words! {
    /// What became of a mail of our own.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum State {
        /// It waits, for its time or for another try.
        Pending = "pending",
        /// It waits until the mail that it is about, which is held, is released.
        Held = "held",
        /// The MTA has it.
        Sent = "sent",
        /// Refused for good, or too old.
        Failed = "failed",
        /// A person said that it is not to be sent.
        Cancelled = "cancelled",
    }
}

/// Something that happened to a mail of our own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Which.
    pub key: OutboxKey,
    /// When.
    pub at: Timestamp,
    /// What.
    pub change: Change,
    /// In words: the server's reply, or ours.
    pub reply: String,
}

/// What can happen to a mail of our own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// The server has taken it.
    Sent,
    /// A try failed, and the next one is at this time.
    Again(Timestamp),
    /// It will not be tried again.
    Failed,
    /// A person takes it back.
    Cancel,
    /// It is to be sent now: a person wants it, or the mail that it is about was released.
    Retry,
}

/// A mail of our own that is being sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lease {
    /// Which.
    pub key: OutboxKey,
    /// What.
    pub kind: OutboxKind,
    /// When the mail came that it is about.
    pub at: Timestamp,
    /// Not to be tried after.
    pub until: Timestamp,
    /// Tries before this one.
    pub attempts: u32,
    place: Place,
}

/// Where the row is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    month: Month,
    id: i64,
}

/// What is known of a row without reading it; times in milliseconds.
#[derive(Clone, Copy, Debug)]
struct Item {
    place: Place,
    kind: OutboxKind,
    state: State,
    at: i64,
    due: i64,
    until: i64,
    attempts: u32,
    /// What people call it, in its short form; a notice's is of no use here.
    given: Option<Given>,
}

impl Item {
    fn lease(self, key: OutboxKey) -> Lease {
        let time = |ms| Timestamp::from_millisecond(ms).unwrap_or(Timestamp::MAX);
        let (at, until) = (time(self.at), time(self.until));
        Lease { key, kind: self.kind, at, until, attempts: self.attempts, place: self.place }
    }
}

/// The outbox, as far as it is durable.
#[derive(Debug, Default)]
pub struct Outbox {
    index: Mutex<Index>,
    changed: Notify,
    /// Whether the operator was told that there is no room.
    full: AtomicBool,
}

#[derive(Debug, Default)]
struct Index {
    items: HashMap<OutboxKey, Item>,
    /// In the order in which they came, so that the oldest can be forgotten.
    order: VecDeque<OutboxKey>,
    /// Pending, by when their mail came.
    waiting: BTreeSet<(i64, OutboxKey)>,
    /// Pending and not being sent, by when they are due.
    due: BTreeSet<(i64, OutboxKey)>,
    leased: HashSet<OutboxKey>,
    /// The references of receipts.
    given: HashSet<Given>,
}

/// A reference in eight octets, for there may be many.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Given([u8; 8]);

impl Given {
    /// The year and the digits of `PV-2026-7K3M9Q`.
    fn new(reference: &str) -> Option<Self> {
        let (year, digits) = reference.strip_prefix("PV-20")?.split_once('-')?;
        let mut given = [0; 8];
        let octets = year.bytes().chain(digits.bytes());
        (year.len() + digits.len() == given.len()).then(|| {
            given.iter_mut().zip(octets).for_each(|(to, from)| *to = from);
            Self(given)
        })
    }
}

/// What a transaction changes, if it is committed.
#[derive(Debug, Default)]
pub(super) struct Changes(HashMap<OutboxKey, Item>);

impl Outbox {
    /// The outbox in the month files of the directory.
    pub(super) fn load(directory: &Path, now: Timestamp) -> Result<Self, ReadError> {
        let mut index = Index::default();
        for month in months(directory, now)? {
            let path = month.path(directory);
            let load = |index: &mut Index| index.load(&schema::open_to_read(&path)?, month);
            load(&mut index).map_err(|source| ReadError { path: path.clone(), source })?;
        }
        index.count();
        Ok(Self { index: Mutex::new(index), ..Self::default() })
    }

    /// Takes the one that is due first, if any is. It is then reserved until [`Outbox::release`].
    pub fn take(&self, now: Timestamp) -> Option<Lease> {
        let mut index = self.index();
        let (due, key) = index.due.first().copied()?;
        if due > now.as_millisecond() {
            return None;
        }
        index.due.pop_first();
        let item = index.items.get(&key).copied()?;
        index.leased.insert(key);
        Some(item.lease(key))
    }

    /// The mail of our own with that key, if it still waits and is about the mail of that time.
    pub(super) fn waits(&self, key: &OutboxKey, at: Timestamp) -> Option<Lease> {
        let item = self.index().items.get(key).copied()?;
        let it = item.state == State::Pending && item.at == at.as_millisecond();
        it.then(|| item.lease(*key))
    }

    /// All that wait.
    pub(super) fn waiting(&self) -> Vec<Lease> {
        let index = self.index();
        let lease = |(_, key): &(i64, OutboxKey)| Some(index.items.get(key)?.lease(*key));
        index.waiting.iter().filter_map(lease).collect()
    }

    /// Ends a lease, after what came of it is durable.
    pub fn release(&self, key: &OutboxKey) {
        let mut index = self.index();
        index.leased.remove(key);
        if let Some(item) = index.items.get(key).copied()
            && item.state == State::Pending
        {
            index.due.insert((item.due, *key));
        }
        drop(index);
        self.changed.notify_waiters();
    }

    /// The month file in which the mail of our own with that key is, and its row there.
    pub(super) fn place_of(&self, key: &OutboxKey) -> Option<(Month, i64)> {
        self.index().items.get(key).map(|item| (item.place.month, item.place.id))
    }

    /// Whether a receipt has this reference.
    pub fn has_given(&self, reference: &str) -> bool {
        Given::new(reference).is_some_and(|given| self.index().given.contains(&given))
    }

    /// Whether the mail of our own with that key is here and no longer waits.
    pub fn is_done_with(&self, key: &OutboxKey) -> bool {
        self.index().items.get(key).is_some_and(|item| !matches!(item.state, State::Pending | State::Held))
    }

    /// When the next one is due; `None` where none waits.
    pub fn next_due(&self) -> Option<Timestamp> {
        let due = self.index().due.first().map(|(due, _)| *due)?;
        Some(Timestamp::from_millisecond(due).unwrap_or(Timestamp::MIN))
    }

    /// How many wait, those that are being sent among them.
    pub fn pending(&self) -> usize {
        self.index().waiting.len()
    }

    /// Whether another one may wait, so that the queue has an end. The operator is told when there is no more room, and
    /// when there is again.
    pub fn has_room(&self) -> bool {
        let full = self.pending() >= limits::OUTBOX_PENDING;
        if self.full.swap(full, Ordering::Relaxed) != full {
            let letters = limits::OUTBOX_PENDING;
            if full {
                tracing::error!(
                    letters,
                    "the outbox is full; no receipts and notices are written until some are sent"
                );
            } else {
                tracing::info!("the outbox has space again; receipts and notices are written");
            }
        }
        !full
    }

    /// Waits until something is different from before this was called.
    pub async fn changed(&self) {
        self.changed.notified().await;
    }

    /// Stores a row within the writer's transaction, unless it is there already. A receipt that still waits then waits
    /// anew: the attempt that it was for has come to nothing, or comes twice.
    pub(super) fn add(
        &self,
        transaction: &Transaction<'_>,
        month: Month,
        seq: i64,
        row: &OutboxRow,
        changes: &mut Changes,
    ) -> rusqlite::Result<()> {
        let (at, due) = (row.at.as_millisecond(), row.due.as_millisecond());
        let Some(item) = self.known(&row.key, changes) else {
            let until = row.until.as_millisecond();
            let mut insert = transaction
                .prepare_cached("INSERT INTO outbox VALUES (NULL,?1,?2,?3,?4,?5,?6,?7,?8,?9,?10)")?;
            insert.execute(rusqlite::params![
                seq,
                row.key,
                row.kind.as_str(),
                at,
                due,
                until,
                row.mailbox,
                row.recipient,
                row.reference,
                row.message,
            ])?;
            let place = Place { month, id: transaction.last_insert_rowid() };
            let (kind, given) = (row.kind, Given::new(&row.reference));
            let item = Item { place, kind, state: State::Pending, at, due, until, attempts: 0, given };
            if row.held {
                let item = Item { state: State::Held, ..item };
                return write(transaction, &row.key, at, item, "the mail is held", changes);
            }
            changes.0.insert(row.key, item);
            return Ok(());
        };
        if item.state == State::Held && !row.held {
            let item = Item {
                state: State::Pending,
                due,
                until: item.until.max(row.until.as_millisecond()),
                ..item
            };
            return write(transaction, &row.key, at, item, "came again, and was not held", changes);
        }
        let latest = item.at.saturating_add(milliseconds(limits::OUTBOX_FOLD_TIME));
        let due = due.min(latest);
        if row.kind == OutboxKind::Receipt
            && item.state == State::Pending
            && item.attempts == 0
            && due > item.due
        {
            write(transaction, &row.key, at, Item { due, ..item }, "came again", changes)?;
        }
        Ok(())
    }

    /// Stores what happened, within the writer's transaction, where it still can happen: what was sent stays sent.
    pub(super) fn note(
        &self,
        transaction: &Transaction<'_>,
        event: &Event,
        changes: &mut Changes,
    ) -> rusqlite::Result<()> {
        let Some(item) = self.known(&event.key, changes) else { return Ok(()) };
        let at = event.at.as_millisecond();
        let tried = Item { attempts: item.attempts.saturating_add(1), ..item };
        let item = match (event.change, item.state) {
            (Change::Sent, _) => Item { state: State::Sent, ..tried },
            (Change::Again(due), State::Pending) => Item { due: due.as_millisecond(), ..tried },
            (Change::Failed, State::Pending) => Item { state: State::Failed, ..tried },
            (Change::Cancel, State::Pending | State::Held) => Item { state: State::Cancelled, ..item },
            (Change::Retry, State::Pending | State::Held | State::Failed | State::Cancelled) => {
                let until = at.saturating_add(item.until.saturating_sub(item.at)).max(item.until);
                Item { state: State::Pending, due: at, until, attempts: 0, ..item }
            }
            (Change::Again(_) | Change::Failed | Change::Cancel | Change::Retry, _) => return Ok(()),
        };
        write(transaction, &event.key, at, item, &event.reply, changes)
    }

    fn known(&self, key: &OutboxKey, changes: &Changes) -> Option<Item> {
        changes.0.get(key).copied().or_else(|| self.index().items.get(key).copied())
    }

    /// Takes over what a transaction has changed, now that it is durable.
    pub(super) fn apply(&self, changes: Changes) {
        if changes.0.is_empty() {
            return;
        }
        let mut index = self.index();
        for (key, item) in changes.0 {
            index.put(key, item);
        }
        index.count();
        drop(index);
        self.changed.notify_waiters();
    }

    /// Reads a month again after a transaction failed in it: what failed may have been stored.
    pub(super) fn look_again(&self, connection: &Connection, month: Month) -> rusqlite::Result<()> {
        let mut index = self.index();
        index.load(connection, month)?;
        index.count();
        Ok(())
    }

    /// A panic while the lock was held leaves an index that is still an index.
    fn index(&self) -> MutexGuard<'_, Index> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Adds what became of a row.
fn write(
    transaction: &Transaction<'_>,
    key: &OutboxKey,
    at: i64,
    item: Item,
    reply: &str,
    changes: &mut Changes,
) -> rusqlite::Result<()> {
    let mut insert = transaction.prepare_cached("INSERT INTO dispatch VALUES (NULL,?1,?2,?3,?4,?5,?6,?7)")?;
    let (state, attempts) = (item.state.as_str(), i64::from(item.attempts));
    insert.execute((key, at, state, attempts, item.due, item.until, reply))?;
    changes.0.insert(*key, item);
    Ok(())
}

impl Index {
    fn load(&mut self, connection: &Connection, month: Month) -> rusqlite::Result<()> {
        if schema::version(connection)? < SINCE_VERSION {
            return Ok(());
        }
        let mut rows =
            connection.prepare("SELECT id, key, kind, at, due, until, reference FROM outbox ORDER BY id")?;
        for row in rows.query_map([], |row| item(row, month))? {
            let (key, item) = row?;
            self.put(key, item);
        }
        let mut events =
            connection.prepare("SELECT key, state, attempts, due, until FROM dispatch ORDER BY id")?;
        let event = |row: &Row<'_>| {
            let key: OutboxKey = row.get(0)?;
            let state = word(row, 1, State::parse)?;
            Ok((key, state, row.get::<_, i64>(2)?, row.get::<_, i64>(3)?, row.get::<_, i64>(4)?))
        };
        for row in events.query_map([], event)? {
            let (key, state, attempts, due, until) = row?;
            if let Some(item) = self.items.get(&key).copied() {
                let attempts = u32::try_from(attempts).unwrap_or(u32::MAX);
                self.put(key, Item { state, due, until, attempts, ..item });
            }
        }
        Ok(())
    }

    fn put(&mut self, key: OutboxKey, item: Item) {
        if let Some(old) = self.items.insert(key, item) {
            self.waiting.remove(&(old.at, key));
            self.due.remove(&(old.due, key));
        } else {
            self.order.push_back(key);
            self.forget(item.at);
        }
        self.given.extend(item.given);
        if item.state == State::Pending {
            self.waiting.insert((item.at, key));
            if !self.leased.contains(&key) {
                self.due.insert((item.due, key));
            }
        }
    }

    /// Forgets what is over and older than the window.
    fn forget(&mut self, now: i64) {
        let since = now.saturating_sub(i64::from(limits::OUTBOX_DAYS) * 86_400_000);
        while let Some(key) = self.order.front().copied() {
            match self.items.get(&key) {
                Some(item) if item.at >= since || item.state == State::Pending => return,
                Some(_) | None => {}
            }
            if let Some(given) = self.items.remove(&key).and_then(|item| item.given) {
                self.given.remove(&given);
            }
            self.order.pop_front();
        }
    }

    fn count(&self) {
        METRICS.outbox_pending.set(i64::try_from(self.waiting.len()).unwrap_or(i64::MAX));
        let oldest = self.waiting.first().map_or(0, |(at, _)| at.div_euclid(1000));
        METRICS.outbox_oldest.set(oldest);
    }
}

/// A mail of our own, read back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// The record of the mail that it is about: its number.
    pub seq: u64,
    /// The row.
    pub row: OutboxRow,
}

/// The row that a lease is for.
pub(super) fn read(directory: &Path, lease: &Lease) -> Result<Stored, ReadError> {
    let path = lease.place.month.path(directory);
    let read = || -> rusqlite::Result<Stored> {
        let connection: Connection = schema::open_to_read(&path)?;
        let sql = format!("SELECT {STORED} FROM outbox WHERE id = ?1");
        connection.query_row(&sql, [lease.place.id], stored)
    };
    read().map_err(|source| ReadError { path: path.clone(), source })
}

/// The mail of our own with that key, and the record that it belongs to.
pub(super) fn find(
    directory: &Path,
    outbox: &Outbox,
    key: &OutboxKey,
) -> Result<Option<(RecordId, Stored)>, ReadError> {
    let Some((month, id)) = outbox.place_of(key) else { return Ok(None) };
    let path = month.path(directory);
    let read = || -> rusqlite::Result<(RecordId, Stored)> {
        let connection: Connection = schema::open_to_read(&path)?;
        let about = schema::about(&connection)?;
        let sql = format!("SELECT {STORED} FROM outbox WHERE id = ?1");
        let found = connection.query_row(&sql, [id], stored)?;
        Ok((RecordId { node: about.node.as_str().into(), epoch: about.epoch, seq: found.seq }, found))
    };
    read().map(Some).map_err(|source| ReadError { path: path.clone(), source })
}

const STORED: &str = "seq, key, kind, at, due, until, mailbox, recipient, reference, message";

fn stored(row: &Row<'_>) -> rusqlite::Result<Stored> {
    let of_seq: i64 = row.get(0)?;
    Ok(Stored {
        seq: of_seq.unsigned_abs(),
        row: OutboxRow {
            key: row.get(1)?,
            kind: word(row, 2, OutboxKind::parse)?,
            at: time(row, 3)?,
            due: time(row, 4)?,
            until: time(row, 5)?,
            mailbox: row.get(6)?,
            recipient: row.get(7)?,
            reference: row.get(8)?,
            held: false,
            message: row.get(9)?,
        },
    })
}

fn item(row: &Row<'_>, month: Month) -> rusqlite::Result<(OutboxKey, Item)> {
    let item = Item {
        place: Place { month, id: row.get(0)? },
        kind: word(row, 2, OutboxKind::parse)?,
        state: State::Pending,
        at: row.get(3)?,
        due: row.get(4)?,
        until: row.get(5)?,
        attempts: 0,
        given: Given::new(row.get_ref(6)?.as_str()?),
    };
    Ok((row.get(1)?, item))
}

pub(super) fn time(row: &Row<'_>, column: usize) -> rusqlite::Result<Timestamp> {
    Timestamp::from_millisecond(row.get(column)?).map_err(|error| {
        rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Integer, Box::new(error))
    })
}

pub(super) fn word<T>(
    row: &Row<'_>,
    column: usize,
    parse: impl Fn(&str) -> Option<T>,
) -> rusqlite::Result<T> {
    parse(row.get_ref(column)?.as_str()?).ok_or_else(|| {
        rusqlite::Error::InvalidColumnType(column, "a known word".into(), rusqlite::types::Type::Text)
    })
}

/// The months whose files may have rows of the window, oldest first.
fn months(directory: &Path, now: Timestamp) -> Result<Vec<Month>, ReadError> {
    let since = now.saturating_sub(SignedDuration::from_hours(24 * i64::from(limits::OUTBOX_DAYS)));
    let oldest = Month::of(since.unwrap_or(Timestamp::MIN));
    let mut months = Month::list(directory).map_err(|error| ReadError {
        path: directory.to_owned(),
        source: rusqlite::Error::ToSqlConversionFailure(Box::new(error)),
    })?;
    let newest = months.last().copied();
    months.retain(|month| *month >= oldest || Some(*month) == newest);
    months.retain(|month| schema::octets(&month.path(directory)).is_some_and(|octets| octets > 0));
    Ok(months)
}

fn milliseconds(duration: std::time::Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
