//! The memory of seen messages, read back from the month files over connections of its own.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Row};

use super::month::Month;
use super::{ReadError, row, schema};
use crate::facts::identity::Key;
use crate::record::SeenRow;

const COLUMNS: &str = "seq, key, fingerprint, at, mailboxes, sender, signs, authors";
/// In files of versions before [`SINCE_VERSION`], which are read as they are.
const OLD_COLUMNS: &str = "seq, key, fingerprint, at, mailboxes, sender, x'', '[]'";
/// The version of the files that have all columns.
const SINCE_VERSION: usize = 5;
/// The first version that knows who is known.
const CONTACTS_SINCE_VERSION: usize = 6;

/// Readers that wait to be used again; there are as many as ever read at once.
#[derive(Debug)]
pub(super) struct Readers {
    directory: PathBuf,
    idle: Mutex<Vec<Reader>>,
}

/// The files that are young enough, newest first.
#[derive(Debug)]
struct Reader {
    files: Vec<(Month, Connection, &'static str)>,
}

impl Readers {
    /// Readers of the store in `directory`.
    pub(super) fn new(directory: &Path) -> Self {
        Self { directory: directory.into(), idle: Mutex::default() }
    }

    /// The row that came with the record of that number, if it is of the message with that key: numbers begin anew
    /// with an epoch.
    pub(super) fn find(&self, seq: u64, key: &Key, since: Timestamp) -> Result<Option<SeenRow>, ReadError> {
        let mut found = None;
        self.read(since, |connection, columns, since| {
            let sql = format!("SELECT {columns} FROM seen WHERE seq = ?1 AND at >= ?2");
            let mut statement = connection.prepare_cached(&sql)?;
            found = statement.query_row((seq.cast_signed(), since), seen_row).optional()?;
            found = found.take().filter(|(_, row)| row.keys.contains(key));
            Ok(found.is_none())
        })?;
        Ok(found.map(|(_, row)| row))
    }

    /// The newest rows with their numbers, newest first, at most `count`.
    pub(super) fn recent(
        &self,
        count: usize,
        since: Timestamp,
        mut each: impl FnMut(u64, SeenRow),
    ) -> Result<(), ReadError> {
        let mut room = i64::try_from(count).unwrap_or(i64::MAX);
        self.read(since, |connection, columns, since| {
            let sql = format!("SELECT {columns} FROM seen WHERE at >= ?1 ORDER BY seq DESC LIMIT ?2");
            for row in connection.prepare(&sql)?.query_map((since, room), seen_row)? {
                let (seq, row) = row?;
                each(seq, row);
                room -= 1;
            }
            Ok(room > 0)
        })
    }

    /// Who is known here, and when that was noted.
    pub(super) fn contacts(
        &self,
        since: Timestamp,
        mut each: impl FnMut(Key, Timestamp),
    ) -> Result<(), ReadError> {
        self.read(since, |connection, _, since| {
            if schema::version(connection)? < CONTACTS_SINCE_VERSION {
                return Ok(false);
            }
            let mut statement = connection.prepare("SELECT key, at FROM contact WHERE at >= ?1")?;
            let rows = statement.query_map([since], |row| Ok((row.get(0)?, row.get(1)?)))?;
            for row in rows {
                let (key, at) = row?;
                each(key, Timestamp::from_millisecond(at).unwrap_or(Timestamp::MIN));
            }
            Ok(true)
        })
    }

    /// Closes the files, so that the writer is the last to close them and can take their -wal away.
    pub(super) fn close(&self) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Runs `query` on each file that is young enough, newest first, as long as it wants more.
    fn read(
        &self,
        since: Timestamp,
        mut query: impl FnMut(&Connection, &str, i64) -> rusqlite::Result<bool>,
    ) -> Result<(), ReadError> {
        let reader = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let reader = self.refreshed(reader, Month::of(since))?;
        for (month, connection, columns) in &reader.files {
            let more = query(connection, columns, since.as_millisecond())
                .map_err(|source| ReadError { path: month.path(&self.directory), source })?;
            if !more {
                break;
            }
        }
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(reader);
        Ok(())
    }

    /// The reader with the files of now: the newest one always, those before it while they are young enough.
    fn refreshed(&self, reader: Option<Reader>, oldest: Month) -> Result<Reader, ReadError> {
        let mut months = Month::list(&self.directory).map_err(|error| ReadError {
            path: self.directory.clone(),
            source: rusqlite::Error::ToSqlConversionFailure(Box::new(error)),
        })?;
        months.retain(|month| schema::octets(&month.path(&self.directory)).is_some_and(|octets| octets > 0));
        let newest = months.last().copied();
        months.retain(|month| *month >= oldest || Some(*month) == newest);
        let mut known = reader.map_or_else(Vec::new, |reader| reader.files);
        let mut files = Vec::with_capacity(months.len());
        for month in months.into_iter().rev() {
            if let Some(at) = known.iter().position(|(open, ..)| *open == month) {
                files.push(known.swap_remove(at));
                continue;
            }
            let path = month.path(&self.directory);
            let open = || {
                let connection = schema::open_to_read(&path)?;
                let version = schema::version(&connection)?;
                Ok((connection, if version < SINCE_VERSION { OLD_COLUMNS } else { COLUMNS }))
            };
            let (connection, columns) = open().map_err(|source| ReadError { path: path.clone(), source })?;
            files.push((month, connection, columns));
        }
        Ok(Reader { files })
    }
}

fn seen_row(row: &Row<'_>) -> rusqlite::Result<(u64, SeenRow)> {
    let seq: i64 = row.get(0)?;
    let sender: String = row.get(5)?;
    let more: Vec<String> = row::parsed(row, 7)?;
    let (signs, _) = row.get_ref(6)?.as_blob()?.as_chunks();
    let seen = SeenRow {
        keys: std::iter::once(row.get(1)?).chain(signs.iter().copied()).collect(),
        fingerprint: row.get(2)?,
        at: Timestamp::from_millisecond(row.get(3)?).unwrap_or(Timestamp::MIN),
        mailboxes: row::parsed(row, 4)?,
        authors: (!sender.is_empty()).then_some(sender).into_iter().chain(more).collect(),
    };
    Ok((seq.unsigned_abs(), seen))
}
