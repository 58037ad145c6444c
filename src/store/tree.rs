//! The tree in a month file: what it was before the file's first record, what it is now, and its leaves.

use std::time::Duration;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Row};

use crate::limits;
use crate::merkle::{Hash, Tree};

/// The row of what the tree was before the file's first record.
pub(super) const START: i64 = 0;
/// The row of what it is now.
pub(super) const NOW: i64 = 1;

/// Reads one of the two states.
pub(super) fn read(connection: &Connection, id: i64) -> rusqlite::Result<Tree> {
    connection
        .prepare_cached("SELECT size, frontier FROM tree WHERE id = ?1")?
        .query_row([id], |row| state(row, 0))
}

/// Writes one of the two states.
pub(super) fn write(connection: &Connection, id: i64, tree: &Tree) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached("INSERT OR REPLACE INTO tree VALUES (?1, ?2, ?3)")?;
    statement.execute((id, tree.size().cast_signed(), tree.octets())).map(drop)
}

/// Notes that a head is signed for this state.
pub(super) fn note_head(connection: &Connection, time: Timestamp, tree: &Tree) -> rusqlite::Result<()> {
    // A lock on the file keeps mail waiting long enough without this.
    connection.busy_timeout(Duration::ZERO)?;
    let mut statement = connection.prepare_cached("INSERT OR REPLACE INTO head VALUES (?1, ?2, ?3)")?;
    let noted = statement.execute((tree.size().cast_signed(), time.as_millisecond(), tree.octets()));
    connection.busy_timeout(limits::COMMIT_TIME / 2)?;
    noted.map(drop)
}

/// What the tree was when it had `size` leaves; `None` where this file does not have that state.
pub(super) fn at(connection: &Connection, size: u64) -> rusqlite::Result<Option<Tree>> {
    let sql = "SELECT size, frontier FROM head WHERE size <= ?1 ORDER BY size DESC LIMIT 1";
    let noted = connection.query_row(sql, [size.cast_signed()], |row| state(row, 0)).optional()?;
    let start = read(connection, START)?;
    let mut tree = match noted {
        Some(noted) if noted.size() >= start.size() => noted,
        _ => start,
    };
    if tree.size() > size {
        return Ok(None);
    }
    leaves(connection, tree.size() + 1, size, |_, leaf| tree.push(leaf))?;
    Ok((tree.size() == size).then_some(tree))
}

/// Gives the leaves of the records from `first` to `last` to `each`, with their numbers, in order.
pub(super) fn leaves(
    connection: &Connection,
    first: u64,
    last: u64,
    mut each: impl FnMut(u64, Hash),
) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached(
        "SELECT seq, leaf FROM record WHERE seq BETWEEN ?1 AND ?2 \
         UNION ALL SELECT seq, leaf FROM pruned WHERE seq BETWEEN ?1 AND ?2 ORDER BY 1",
    )?;
    let mut rows = statement.query((first.cast_signed(), last.cast_signed()))?;
    while let Some(row) = rows.next()? {
        each(row.get::<_, i64>(0)?.unsigned_abs(), row.get(1)?);
    }
    Ok(())
}

fn state(row: &Row<'_>, from: usize) -> rusqlite::Result<Tree> {
    let size: i64 = row.get(from)?;
    let frontier: Vec<u8> = row.get(from + 1)?;
    Tree::read(size.unsigned_abs(), &frontier).ok_or_else(|| {
        rusqlite::Error::InvalidColumnType(from + 1, "frontier".into(), rusqlite::types::Type::Blob)
    })
}
