//! The outbox as it stands in the month files: what became of every letter, for people, and the newest receipts.

use std::collections::HashMap;
use std::path::Path;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Row};

use super::super::month::Month;
use super::super::{OpenError, ReadError, schema};
use super::{SINCE_VERSION, STORED, State, Stored, months, stored, time, word};
use crate::record::{OutboxKey, RecordId};

/// A mail of our own with what became of it, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// The mail.
    pub stored: Stored,
    /// The record of the mail that it is about.
    pub record: RecordId,
    /// Its state.
    pub state: State,
    /// Tries so far.
    pub attempts: u32,
    /// When the next try is.
    pub due: Timestamp,
    /// What happened to it, oldest first: when, the state after it, and in words.
    pub history: Vec<(Timestamp, State, String)>,
}

/// Everything in the outbox of the last [`crate::limits::OUTBOX_DAYS`], in the order in which it came. Works beside a running
/// writer, and changes nothing.
pub(in crate::store) fn list(directory: &Path, now: Timestamp) -> Result<Vec<Listed>, ReadError> {
    let mut all: Vec<Listed> = Vec::new();
    let mut places = HashMap::new();
    for month in months(directory, now)? {
        let path = month.path(directory);
        list_month(&path, &mut all, &mut places).map_err(|source| ReadError { path, source })?;
    }
    Ok(all)
}

fn list_month(
    path: &Path,
    all: &mut Vec<Listed>,
    places: &mut HashMap<OutboxKey, usize>,
) -> rusqlite::Result<()> {
    let connection = schema::open_to_read(path)?;
    if schema::version(&connection)? < SINCE_VERSION {
        return Ok(());
    }
    let mut rows = connection.prepare(&format!("SELECT {STORED} FROM outbox ORDER BY id"))?;
    let about = schema::about(&connection)?;
    for stored in rows.query_map([], stored)? {
        let stored = stored?;
        let record = RecordId { node: about.node.as_str().into(), epoch: about.epoch, seq: stored.seq };
        places.insert(stored.row.key, all.len());
        let due = stored.row.due;
        all.push(Listed { stored, record, state: State::Pending, attempts: 0, due, history: Vec::new() });
    }
    let mut events =
        connection.prepare("SELECT key, at, state, attempts, due, reply FROM dispatch ORDER BY id")?;
    for event in events.query_map([], event)? {
        let event = event?;
        if let Some(listed) = places.get(&event.key).and_then(|place| all.get_mut(*place)) {
            listed.take(event);
        }
    }
    Ok(())
}

/// A change of a mail of our own, read back.
struct Changed {
    key: OutboxKey,
    at: Timestamp,
    state: State,
    attempts: u32,
    due: Timestamp,
    reply: String,
}

fn event(row: &Row<'_>) -> rusqlite::Result<Changed> {
    Ok(Changed {
        key: row.get(0)?,
        at: time(row, 1)?,
        state: word(row, 2, State::parse)?,
        attempts: u32::try_from(row.get::<_, i64>(3)?).unwrap_or(u32::MAX),
        due: time(row, 4)?,
        reply: row.get(5)?,
    })
}

impl Listed {
    fn take(&mut self, event: Changed) {
        (self.state, self.attempts, self.due) = (event.state, event.attempts, event.due);
        self.history.push((event.at, event.state, event.reply));
    }
}

/// What of the outbox belongs to a record, as far as the newest files have it.
pub fn of_record_now(directory: &Path, id: &RecordId) -> Result<Vec<Listed>, OpenError> {
    let months =
        Month::list(directory).map_err(|source| OpenError::Directory { path: directory.into(), source })?;
    Ok(of_record(directory, months.into_iter(), id)?)
}

/// What of the outbox belongs to one record, read from these months: the record's own one and those after it.
pub(in crate::store) fn of_record(
    directory: &Path,
    months: impl Iterator<Item = Month>,
    id: &RecordId,
) -> Result<Vec<Listed>, ReadError> {
    let mut own: Vec<Listed> = Vec::new();
    for month in months {
        let path = month.path(directory);
        let mut read = || -> rusqlite::Result<()> {
            let connection = schema::open_to_read(&path)?;
            if schema::version(&connection)? < SINCE_VERSION {
                return Ok(());
            }
            let about = schema::about(&connection)?;
            if about.node == *id.node && about.epoch == id.epoch {
                for stored in rows_of(&connection, id.seq)? {
                    let due = stored.row.due;
                    let (state, history) = (State::Pending, Vec::new());
                    own.push(Listed { stored, record: id.clone(), state, attempts: 0, due, history });
                }
            }
            let sql = "SELECT key, at, state, attempts, due, reply FROM dispatch WHERE key = ?1 ORDER BY id";
            let mut events = connection.prepare(sql)?;
            for listed in &mut own {
                for event in events.query_map([listed.stored.row.key], event)? {
                    listed.take(event?);
                }
            }
            Ok(())
        };
        read().map_err(|source| ReadError { path: path.clone(), source })?;
    }
    Ok(own)
}

/// The rows of a record. Rows are added in the order of their records, so the first one is found by halving.
fn rows_of(connection: &Connection, seq: u64) -> rusqlite::Result<Vec<Stored>> {
    let seq = seq.cast_signed();
    let mut from = 1_i64;
    let mut to: i64 =
        connection.query_row("SELECT coalesce(max(id), 0) + 1 FROM outbox", [], |row| row.get(0))?;
    let mut next = connection.prepare("SELECT id, seq FROM outbox WHERE id >= ?1 ORDER BY id LIMIT 1")?;
    while from < to {
        let middle = from + (to - from) / 2;
        let both = |row: &Row<'_>| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?));
        match next.query_row([middle], both).optional()? {
            Some((id, before)) if before < seq => from = id + 1,
            Some(_) | None => to = middle,
        }
    }
    let mut rows = connection.prepare(&format!("SELECT {STORED} FROM outbox WHERE id >= ?1 ORDER BY id"))?;
    let own = rows.query_map([from], stored)?;
    own.take_while(|row| row.as_ref().map_or(true, |row| row.seq == seq.unsigned_abs())).collect()
}

/// A receipt that was written not long ago.
#[derive(Clone, Copy, Debug)]
pub struct Recent<'a> {
    /// When the mail came.
    pub at: Timestamp,
    /// Which.
    pub key: OutboxKey,
    /// To whom.
    pub recipient: &'a str,
    /// From whom.
    pub mailbox: &'a str,
    /// Who wrote the mail, as its record has it; empty where that has been taken away.
    pub authors: &'a str,
}

/// The receipts since then, oldest first.
pub(in crate::store) fn recent(
    directory: &Path,
    since: Timestamp,
    now: Timestamp,
    mut each: impl FnMut(&Recent<'_>),
) -> Result<(), ReadError> {
    let sql = "SELECT o.at, o.key, o.recipient, o.mailbox, coalesce(r.header_from, '') FROM outbox o
        LEFT JOIN record r ON r.seq = o.seq WHERE o.kind = 'receipt' AND o.at >= ?1 ORDER BY o.id";
    for month in months(directory, now)? {
        let path = month.path(directory);
        let mut read = || -> rusqlite::Result<()> {
            let connection = schema::open_to_read(&path)?;
            if schema::version(&connection)? < SINCE_VERSION {
                return Ok(());
            }
            let mut statement = connection.prepare(sql)?;
            let mut rows = statement.query([since.as_millisecond()])?;
            while let Some(row) = rows.next()? {
                each(&Recent {
                    at: time(row, 0)?,
                    key: row.get(1)?,
                    recipient: row.get_ref(2)?.as_str()?,
                    mailbox: row.get_ref(3)?.as_str()?,
                    authors: row.get_ref(4)?.as_str()?,
                });
            }
            Ok(())
        };
        read().map_err(|source| ReadError { path: path.clone(), source })?;
    }
    Ok(())
}
