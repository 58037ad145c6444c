//! The memory of seen messages, read back from the month files over connections of its own.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension as _, Row};

use super::month::Month;
use super::{ReadError, row, schema};
use crate::facts::identity::Key;
use crate::record::{Record, RecordId, SeenRow};

/// The first version in which the rows stand with their records; those of earlier ones have a table of their own, which
/// stays when a file becomes one of this version.
const WITH_RECORDS_SINCE: usize = 7;
/// The columns of that table, with what the first versions lacked.
const OLD_COLUMNS: &str = "seq, key, fingerprint, at, mailboxes, sender, signs, authors";
const OLDEST_COLUMNS: &str = "seq, key, fingerprint, at, mailboxes, sender, x'', '[]'";
/// The first version that has them all.
const OLD_COLUMNS_SINCE: usize = 5;
/// The first version that knows who is known.
const CONTACTS_SINCE: usize = 6;

/// Readers that wait to be used again; there are as many as ever read at once.
#[derive(Debug)]
pub(super) struct Readers {
    directory: PathBuf,
    idle: Mutex<Vec<Reader>>,
}

/// The files that are young enough, newest first.
#[derive(Debug)]
struct Reader {
    files: Vec<(Month, Connection)>,
}

impl Readers {
    /// Readers of the store in `directory`.
    pub(super) fn new(directory: &Path) -> Self {
        Self { directory: directory.into(), idle: Mutex::default() }
    }

    /// The record with that id, if it is young enough.
    pub(super) fn record(&self, id: &RecordId, since: Timestamp) -> Result<Option<Record>, ReadError> {
        let mut found = None;
        self.read(since, |connection, _, since| {
            let about = schema::about(connection)?;
            if (&*about.node, about.epoch) != (&*id.node, id.epoch) {
                return Ok(true);
            }
            let columns = row::select(connection)?;
            let sql = format!("SELECT seq, {columns} FROM record WHERE seq = ?1 AND time >= ?2");
            let mut statement = connection.prepare_cached(&sql)?;
            found = statement.query_row((id.seq.cast_signed(), since), row::record).optional()?;
            Ok(found.is_none())
        })?;
        Ok(found)
    }

    /// The row that came with the record of that number, if it is of the message with that key: numbers begin anew
    /// with an epoch.
    pub(super) fn find(
        &self,
        seq: u64,
        key: &Key,
        since: Timestamp,
    ) -> Result<Option<SeenRow<'static>>, ReadError> {
        let mut found = None;
        self.read(since, |connection, version, since| {
            let of_number = |table: &Table| {
                let sql = format!("SELECT {} FROM {} AND seq = ?2", table.columns, table.rows);
                let mut statement = connection.prepare_cached(&sql)?;
                statement.query_row((since, seq.cast_signed()), table.read).optional()
            };
            for table in Table::of(version) {
                found = of_number(&table)?.map(|(_, row)| row).filter(|row| row.keys().contains(key));
                if found.is_some() {
                    return Ok(false);
                }
            }
            Ok(true)
        })?;
        Ok(found)
    }

    /// The newest rows with their numbers, newest first, at most `count`. Gives how many of them are damaged: those are
    /// left out, for one of them must not hide all others.
    pub(super) fn recent(
        &self,
        count: usize,
        since: Timestamp,
        mut each: impl FnMut(u64, SeenRow<'static>),
    ) -> Result<u64, ReadError> {
        let mut room = i64::try_from(count).unwrap_or(i64::MAX);
        let mut damaged = 0;
        self.read(since, |connection, version, since| {
            for table in Table::of(version) {
                let sql = format!("SELECT {} FROM {} ORDER BY seq DESC LIMIT ?2", table.columns, table.rows);
                let mut statement = connection.prepare(&sql)?;
                let mut rows = statement.query((since, room))?;
                // What SQLite itself cannot read ends it; what it has read and is no row is left out.
                while let Some(row) = rows.next()? {
                    match (table.read)(row) {
                        Ok((seq, row)) => each(seq, row),
                        Err(_) => damaged += 1,
                    }
                    room -= 1;
                }
            }
            Ok(room > 0)
        })?;
        Ok(damaged)
    }

    /// Who is known here, and when that was noted. Gives how many rows are damaged and left out.
    pub(super) fn contacts(
        &self,
        since: Timestamp,
        mut each: impl FnMut(Key, Timestamp),
    ) -> Result<u64, ReadError> {
        let mut damaged = 0;
        self.read(since, |connection, version, since| {
            if version < CONTACTS_SINCE {
                return Ok(false);
            }
            let mut statement = connection.prepare("SELECT key, at FROM contact WHERE at >= ?1")?;
            let mut rows = statement.query([since])?;
            while let Some(row) = rows.next()? {
                match contact(row) {
                    Ok((key, at)) => each(key, at),
                    Err(_) => damaged += 1,
                }
            }
            Ok(true)
        })?;
        Ok(damaged)
    }

    /// Closes the files, so that the writer is the last to close them and can take their -wal away.
    pub(super) fn close(&self) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Runs `query` on each file that is young enough, newest first, as long as it wants more.
    fn read(
        &self,
        since: Timestamp,
        mut query: impl FnMut(&Connection, usize, i64) -> rusqlite::Result<bool>,
    ) -> Result<(), ReadError> {
        let reader = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let reader = self.refreshed(reader, Month::of(since))?;
        for (month, connection) in &reader.files {
            // The writer may have made it one of this version since it was opened.
            let more = schema::version(connection)
                .and_then(|version| query(connection, version, since.as_millisecond()))
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
            let connection =
                schema::open_to_read(&path).map_err(|source| ReadError { path: path.clone(), source })?;
            files.push((month, connection));
        }
        Ok(Reader { files })
    }
}

/// Where in a file rows are.
struct Table {
    columns: &'static str,
    /// What stands behind FROM, for those that are young enough.
    rows: &'static str,
    read: fn(&Row<'_>) -> rusqlite::Result<(u64, SeenRow<'static>)>,
}

impl Table {
    /// The tables of a file of that version, the one with the newest rows first.
    fn of(version: usize) -> impl Iterator<Item = Self> {
        let with_records = Self {
            columns: "seq, time, seen, sender, recipients",
            rows: "record WHERE time >= ?1 AND seen IS NOT NULL",
            read: seen_row,
        };
        let columns = if version < OLD_COLUMNS_SINCE { OLDEST_COLUMNS } else { OLD_COLUMNS };
        let old = Self { columns, rows: "seen WHERE at >= ?1", read: old_seen_row };
        (version >= WITH_RECORDS_SINCE).then_some(with_records).into_iter().chain([old])
    }
}

fn seen_row(row: &Row<'_>) -> rusqlite::Result<(u64, SeenRow<'static>)> {
    let seq: i64 = row.get(0)?;
    let at = Timestamp::from_millisecond(row.get(1)?).unwrap_or(Timestamp::MIN);
    let sender = row.get_ref(3)?.as_str()?;
    let recipients = || row::parsed(row, 4).ok();
    let seen = SeenRow::read(at, row.get_ref(2)?.as_blob()?, sender, recipients)
        .ok_or_else(|| rusqlite::Error::InvalidColumnType(2, "seen".into(), Type::Blob))?;
    Ok((seq.unsigned_abs(), seen))
}

fn contact(row: &Row<'_>) -> rusqlite::Result<(Key, Timestamp)> {
    Ok((row.get(0)?, Timestamp::from_millisecond(row.get(1)?).unwrap_or(Timestamp::MIN)))
}

fn old_seen_row(row: &Row<'_>) -> rusqlite::Result<(u64, SeenRow<'static>)> {
    let seq: i64 = row.get(0)?;
    let sender: String = row.get(5)?;
    let (signs, _) = row.get_ref(6)?.as_blob()?.as_chunks();
    let keys = std::iter::once(row.get(1)?).chain(signs.iter().copied());
    let at = Timestamp::from_millisecond(row.get(3)?).unwrap_or(Timestamp::MIN);
    let (mailboxes, more): (Vec<String>, Vec<String>) = (row::parsed(row, 4)?, row::parsed(row, 7)?);
    let authors = Some(sender).filter(|sender| !sender.is_empty()).into_iter().chain(more);
    Ok((seq.unsigned_abs(), SeenRow::new(at, keys, row.get(2)?, mailboxes, authors)))
}
