//! The records after a record, for whoever follows the log.

use rusqlite::Connection;

use super::{Found, Log, fits, found};
use crate::limits;
use crate::record::RecordId;
use crate::store::month::Month;
use crate::store::query::Query;
use crate::store::schema::{self, OpenError};
use crate::store::{ReadError, row};

/// What comes after a record.
#[derive(Debug, Default)]
pub struct Next {
    /// Those of the records that are asked for, in order.
    pub found: Vec<Found>,
    /// The last one that was looked at; none where nothing is new.
    pub last: Option<Found>,
    /// About how many are left after it.
    pub left: u64,
}

impl Log {
    /// The next records after one, or the first ones of the log, as many as are handed over at once. What cannot be read is
    /// an error: nobody may be told that nothing was there.
    pub(in crate::store) fn after(&self, after: Option<&RecordId>, query: &Query) -> Result<Next, OpenError> {
        let directory = |source| OpenError::Directory { path: self.directory.clone(), source };
        let months = Month::list(&self.directory).map_err(directory)?;
        let mut next = Next::default();
        for month in months {
            let path = month.path(&self.directory);
            let Some(about) = schema::inspect(&path, false)? else { continue };
            let behind = after.map_or(0, |id| match id.epoch.cmp(&about.epoch) {
                std::cmp::Ordering::Less => 0,
                std::cmp::Ordering::Equal => id.seq,
                std::cmp::Ordering::Greater => u64::MAX,
            });
            if behind >= about.last {
                continue;
            }
            let read = |source| OpenError::Read(ReadError { path: path.clone(), source });
            let connection = schema::open_to_read(&path).map_err(read)?;
            if next.last.is_none() {
                let node = about.node.as_str();
                stride(&connection, (node, about.epoch), behind, query, &mut next).map_err(read)?;
                let last = next.last.as_ref().map_or(about.last, |last| last.id.seq);
                next.left += about.last.saturating_sub(last);
            } else {
                let ends = schema::ends(&connection).map_err(read)?;
                next.left += ends.map_or(0, |(first, last)| (last - first).unsigned_abs() + 1);
            }
        }
        Ok(next)
    }
}

/// Reads the next records of a file.
fn stride(
    connection: &Connection,
    (node, epoch): (&str, u32),
    behind: u64,
    query: &Query,
    next: &mut Next,
) -> rusqlite::Result<()> {
    let columns = row::select(connection)?;
    let sql = format!("SELECT seq, {columns} FROM record WHERE seq > ?1 ORDER BY seq LIMIT ?2");
    let mut statement = connection.prepare(&sql)?;
    let behind = i64::try_from(behind).unwrap_or(i64::MAX);
    let mut rows = statement.query((behind, limits::FOLLOW_RECORDS))?;
    let mut octets = 0;
    while octets <= limits::FOLLOW_OCTETS
        && let Some(row) = rows.next()?
    {
        let (record, size) = found(row, node, epoch)?;
        octets += size;
        if fits(query, row)? {
            next.found.push(record.clone());
        }
        next.last = Some(record);
    }
    Ok(())
}
