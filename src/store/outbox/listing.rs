//! The outbox as it stands in the month files: what became of every letter, for people, and the newest receipts.

use std::collections::HashMap;
use std::path::Path;

use jiff::Timestamp;
use rusqlite::Row;

use super::super::{ReadError, schema};
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
    let event = |row: &Row<'_>| {
        let attempts = u32::try_from(row.get::<_, i64>(3)?).unwrap_or(u32::MAX);
        let state = word(row, 2, State::parse)?;
        Ok((row.get::<_, OutboxKey>(0)?, time(row, 1)?, state, attempts, time(row, 4)?, row.get(5)?))
    };
    for event in events.query_map([], event)? {
        let (key, at, state, attempts, due, reply) = event?;
        if let Some(listed) = places.get(&key).and_then(|place| all.get_mut(*place)) {
            (listed.state, listed.attempts, listed.due) = (state, attempts, due);
            listed.history.push((at, state, reply));
        }
    }
    Ok(())
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
